"""Times in which nothing goes live: rules of the week, and iCalendar files with simple repetitions."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecluse.cli.release_policy import instant_of
from ecluse.errors import Invalid, Unsupported
from ecluse.release import calendar, windows

PARIS = ZoneInfo("Europe/Paris")
MONDAY = datetime(2026, 11, 16, tzinfo=PARIS)


def at(day: int, hour: int = 12, minute: int = 0) -> datetime:
    """A moment of the week of :data:`MONDAY`, in Paris."""
    return MONDAY + timedelta(days=day, hours=hour, minutes=minute)


@pytest.mark.parametrize(
    ("rule", "inside", "outside"),
    [
        ("fri 16:00-24:00", [at(4, 16), at(4, 23, 59)], [at(4, 15, 59), at(5, 0)]),
        ("fri 16:00 - mon 06:00", [at(4, 16), at(6), at(7, 5, 59), at(0, 5)], [at(4, 15), at(7, 6), at(2)]),
        ("sat-sun", [at(5, 0), at(6, 23, 59)], [at(4, 23, 59), at(7, 0)]),
        ("ven 16:00 – lun 06:00", [at(4, 17), at(7, 1)], [at(3)]),
        ("* 22:00-06:00", [at(1, 22), at(2, 5, 59), at(0, 3)], [at(1, 21, 59), at(2, 6)]),
        ("mon,wed 09:00-10:00", [at(0, 9), at(2, 9, 30)], [at(1, 9), at(0, 10)]),
        ("Friday 16:00-18:00", [at(4, 17)], [at(4, 18)]),
        ("sun-mon", [at(6), at(0)], [at(1), at(5)]),
    ],
)
def test_a_rule_covers_its_times_and_no_others(rule: str, inside: list[datetime], outside: list[datetime]) -> None:
    for moment in inside:
        found = windows.covering(rule, "Europe/Paris", "why", moment)
        assert found is not None and found.start <= moment < found.end, (rule, moment)
    for moment in outside:
        assert windows.covering(rule, "Europe/Paris", "why", moment) is None, (rule, moment)


def test_days_that_follow_on_one_another_are_one_window() -> None:
    found = windows.covering("sat-sun", "Europe/Paris", "weekend", at(5, 3))
    assert found is not None and found.end == at(7, 0) and found.why == "weekend"


def test_the_wall_clock_counts_also_when_it_is_put_back() -> None:
    sunday = datetime(2026, 10, 25, 12, tzinfo=PARIS)
    found = windows.covering("sun", "Europe/Paris", "", sunday)
    assert found is not None and found.end - found.start == timedelta(hours=25)


@pytest.mark.parametrize("rule", ["", "friday evening", "fri 25:00-26:00", "fri 16:00", "fri 16:00-17:99", "xyz"])
def test_what_is_no_time_is_refused(rule: str) -> None:
    with pytest.raises(Invalid, match=r"no(t a)? time"):
        windows.covering(rule, "UTC", "", at(0))


def test_an_unknown_zone_is_refused() -> None:
    with pytest.raises(Invalid, match="no time zone"):
        windows.covering("sat", "Europe/Atlantis", "", at(0))


@given(st.integers(0, 10_079), st.integers(1, 10_079), st.integers(0, 10_079))
def test_a_stretch_is_exactly_its_minutes(first: int, length: int, minute: int) -> None:
    last = (first + length) % 10_080
    names = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
    words = [f"{names[m // 1440]} {m % 1440 // 60:02}:{m % 60:02}" for m in (first, last)]
    moment = datetime(2026, 11, 16, tzinfo=UTC) + timedelta(minutes=minute)
    covered = windows.covering(" - ".join(words), "UTC", "", moment) is not None
    assert covered == ((minute - first) % 10_080 < length)


def ics(*lines: str) -> str:
    body = "\r\n".join(["BEGIN:VEVENT", *lines, "END:VEVENT"])
    return f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\n{body}\r\nEND:VCALENDAR\r\n"


def covered(text: str, moment: str) -> bool:
    return calendar.covering(text, datetime.fromisoformat(moment).replace(tzinfo=UTC), "freeze.ics") is not None


@pytest.mark.parametrize(
    ("lines", "inside", "outside"),
    [
        (
            ["DTSTART;VALUE=DATE:20261224", "DTEND;VALUE=DATE:20261227"],
            ["2026-12-24T00:00", "2026-12-26T23:59"],
            ["2026-12-27T00:00"],
        ),
        (["DTSTART;VALUE=DATE:20261224"], ["2026-12-24T12:00"], ["2026-12-25T00:00"]),
        (
            ["DTSTART;TZID=Europe/Paris:20261120T160000", "DURATION:PT4H", "RRULE:FREQ=WEEKLY"],
            ["2026-11-20T15:00", "2027-07-02T14:30"],
            ["2026-11-20T14:59", "2027-07-02T18:00", "2026-11-13T16:00"],
        ),
        (
            ["DTSTART:20260105T080000Z", "DTEND:20260105T100000Z", "RRULE:FREQ=WEEKLY;BYDAY=MO,WE;COUNT=3"],
            ["2026-01-05T09:00", "2026-01-07T09:00", "2026-01-12T09:00"],
            ["2026-01-14T09:00", "2026-01-06T09:00"],
        ),
        (
            ["DTSTART:20260101T080000Z", "DTEND:20260101T090000Z", "RRULE:FREQ=DAILY;INTERVAL=2;UNTIL=20260105"],
            ["2026-01-03T08:30", "2026-01-05T08:30"],
            ["2026-01-02T08:30", "2026-01-07T08:30"],
        ),
        (
            ["DTSTART:20260131T080000Z", "DTEND:20260131T090000Z", "RRULE:FREQ=MONTHLY;BYMONTHDAY=15,31"],
            ["2026-02-15T08:30", "2026-03-31T08:30"],
            ["2026-03-01T08:30", "2026-01-15T08:30"],
        ),
        (
            ["DTSTART;VALUE=DATE:20240229", "RRULE:FREQ=YEARLY"],
            ["2028-02-29T01:00"],
            ["2026-02-28T12:00", "2026-03-01T12:00"],
        ),
        (
            ["DTSTART:20260101T080000Z", "DTEND:20260101T090000Z", "RRULE:FREQ=DAILY", "EXDATE:20260103T080000Z"],
            ["2026-01-02T08:30"],
            ["2026-01-03T08:30"],
        ),
        (["DTSTART;VALUE=DATE:20261224", "STATUS:CANCELLED"], [], ["2026-12-24T12:00"]),
        (["DTSTART;VALUE=DATE:20261224", "TRANSP:TRANSPARENT"], [], ["2026-12-24T12:00"]),
        (["SUMMARY:folded", "DTSTART;VALUE=DATE:2026", " 1224"], ["2026-12-24T12:00"], []),
    ],
)
def test_a_calendar_covers_its_events(lines: list[str], inside: list[str], outside: list[str]) -> None:
    assert [moment for moment in inside if not covered(ics(*lines), moment)] == []
    assert [moment for moment in outside if covered(ics(*lines), moment)] == []


@pytest.mark.parametrize(
    "line",
    [
        "RRULE:FREQ=MONTHLY;BYDAY=1MO",
        "RRULE:FREQ=YEARLY;BYSETPOS=1",
        "RRULE:FREQ=HOURLY",
        "RRULE:FREQ=WEEKLY;INTERVAL=0",
        "RRULE:FREQ=WEEKLY;INTERVAL=00",
        "RRULE:FREQ=WEEKLY;COUNT=²",
        "RDATE:20260101T000000Z",
        "RECURRENCE-ID:20260101T000000Z",
    ],
)
def test_what_is_not_read_here_is_said_and_never_taken_for_free(line: str) -> None:
    with pytest.raises(Unsupported, match="nothing goes live"):
        covered(ics("DTSTART:20260101T000000Z", "DTEND:20260101T010000Z", line), "2026-06-01T12:00")


@pytest.mark.parametrize("text", ["", "hello", ics("DTSTART:tomorrow"), ics("DTSTART;TZID=Mars:20260101T000000")])
def test_what_is_no_calendar_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        covered(text, "2026-06-01T12:00")


@given(st.integers(1, 5), st.integers(1, 40), st.integers(0, 400))
def test_repetitions_agree_with_counting_them(interval: int, count: int, day: int) -> None:
    text = ics("DTSTART:20260101T080000Z", "DURATION:PT1H", f"RRULE:FREQ=DAILY;INTERVAL={interval};COUNT={count}")
    moment = datetime(2026, 1, 1, 8, 30) + timedelta(days=day)
    assert covered(text, moment.isoformat()) == (day % interval == 0 and day // interval < count)


@pytest.mark.parametrize("text", ["soon", "", "99999999d", "4 fortnights", "-2h", "9999-12-31T23:59:59-14:00", "٤h"])
def test_an_end_that_no_calendar_has_is_refused(text: str) -> None:
    with pytest.raises(Invalid) as caught:
        instant_of(text)
    assert caught.value.code == "usage.time"


def test_the_end_of_a_freeze_in_words_and_as_a_day() -> None:
    assert instant_of("20301224").startswith("2030-12-24T00:00")
    assert instant_of("2030-12-24T18:00+02:00").startswith("2030-12-24T16:00")
    for text in ("30m", "4 h", "2 days", "1 semaine"):
        assert instant_of(text) > instant_of("1s")
