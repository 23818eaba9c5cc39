"""Events of an iCalendar file (RFC 5545), as times in which nothing goes live.

Read are VEVENTs with DTSTART, DTEND or DURATION, EXDATE and the simple forms of RRULE: FREQ daily to yearly with
INTERVAL, COUNT, UNTIL, and BYDAY by the week or BYMONTHDAY by the month. Whatever else could move an event is an
error and not passed over: a freeze that is not understood must not be taken for none. Events that are cancelled, or
that say the time is free (TRANSP:TRANSPARENT), stop nobody.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, tzinfo

from ecluse.errors import Invalid, Unsupported
from ecluse.release.windows import Window, zone_of

_LINE = re.compile(r"([A-Za-z-]+)((?:;[A-Za-z-]+=(?:\"[^\"]*\"|[^:;]*))*):(.*)\Z", re.DOTALL)
_DURATION = re.compile(r"\+?P(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?\Z")
_DAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_KNOWN = {"FREQ", "INTERVAL", "COUNT", "UNTIL", "BYDAY", "BYMONTHDAY", "WKST"}
_MOST = 200_000
"""Occurrences that are looked at before a rule is taken for endless."""


@dataclass
class _Event:
    """A VEVENT as it is read: property -> (parameters, value), and the moments left out."""

    line: int
    values: dict[str, tuple[dict[str, str], str]] = field(default_factory=dict)
    without: list[datetime] = field(default_factory=list)


def covering(text: str, moment: datetime, name: str) -> Window | None:
    """The event of the calendar ``name`` that ``moment`` lies in; of several, the one that is over last.

    Raises :class:`Invalid` for a text that is no calendar, :class:`Unsupported` for a rule that is not read here.
    """
    found = [window for event in _events(text, name) if (window := _window(event, moment, name))]
    return max(found, key=lambda window: window.end, default=None)


def _events(text: str, name: str) -> list[_Event]:
    lines = re.sub(r"\r?\n[ \t]", "", text).splitlines()
    if not lines or lines[0].strip().upper() != "BEGIN:VCALENDAR":
        raise Invalid("freeze.calendar", f"{name} is no iCalendar file.", f"look at its first line: head -1 {name}")
    found: list[_Event] = []
    inside: list[str] = []
    for number, line in enumerate(lines, 1):
        match = _LINE.match(line)
        if match is None:
            continue
        key, value = match[1].upper(), match[3].strip()
        if key == "BEGIN":
            inside.append(value.upper())
            if value.upper() == "VEVENT":
                found.append(_Event(number))
        elif key == "END":
            inside = inside[:-1]
        elif inside and inside[-1] == "VEVENT":
            _add(found[-1], key, _parameters(match[2]), value, name)
    return found


def _add(event: _Event, key: str, parameters: dict[str, str], value: str, name: str) -> None:
    if key in ("RDATE", "EXRULE", "RECURRENCE-ID") or (key == "RRULE" and "RRULE" in event.values):
        raise _unsupported(f"{key} in the event at line {event.line}", name)
    if key == "EXDATE":
        event.without += [_moment(parameters, one, name)[0] for one in value.split(",")]
    else:
        event.values[key] = (parameters, value)


def _parameters(text: str) -> dict[str, str]:
    pairs = (part.partition("=") for part in text.split(";") if part)
    return {key.upper(): value.strip('"') for key, _, value in pairs}


def _window(event: _Event, moment: datetime, name: str) -> Window | None:
    if event.values.get("STATUS", ({}, ""))[1].upper() == "CANCELLED":
        return None
    if event.values.get("TRANSP", ({}, ""))[1].upper() == "TRANSPARENT" or "DTSTART" not in event.values:
        return None
    first, whole_day = _moment(*event.values["DTSTART"], name)
    length = _length(event, first, whole_day, name)
    why = event.values.get("SUMMARY", ({}, name))[1].replace("\\,", ",").replace("\\;", ";").replace("\\n", " ")
    for start in _starts(event, first, name):
        if start.astimezone(UTC) > moment:
            break
        end = (start + length).astimezone(UTC)
        if moment < end and start not in event.without:
            return Window(start.astimezone(UTC), end, why)
    return None


def _length(event: _Event, first: datetime, whole_day: bool, name: str) -> timedelta:
    if "DTEND" in event.values:
        return _moment(*event.values["DTEND"], name)[0] - first
    if "DURATION" in event.values:
        said = _DURATION.match(event.values["DURATION"][1])
        if said is None:
            raise _unsupported(f"the DURATION {event.values['DURATION'][1]!r}", name)
        weeks, days, hours, minutes, seconds = (int(part or 0) for part in said.groups())
        return timedelta(weeks=weeks, days=days, hours=hours, minutes=minutes, seconds=seconds)
    return timedelta(days=1) if whole_day else timedelta(0)


def _moment(parameters: dict[str, str], value: str, name: str) -> tuple[datetime, bool]:
    """The moment that a DATE or DATE-TIME means, and whether it is a whole day. Without a zone it is UTC."""
    zone: tzinfo = zone_of(parameters["TZID"]) if "TZID" in parameters else UTC
    try:
        if len(value) == 8:
            return datetime.strptime(value, "%Y%m%d").replace(tzinfo=zone), True
        return datetime.strptime(value.removesuffix("Z"), "%Y%m%dT%H%M%S").replace(tzinfo=zone), False
    except ValueError as error:
        raise Invalid(
            "freeze.calendar", f"{value!r} in {name} is no date of iCalendar.", f"grep -n {value!r} {name}"
        ) from error


def _starts(event: _Event, first: datetime, name: str) -> Iterator[datetime]:
    """Every beginning of the event, in order; of a rule without an end, without an end."""
    if "RRULE" not in event.values:
        yield first
        return
    rule = {k.upper(): v.upper() for k, _, v in (p.partition("=") for p in event.values["RRULE"][1].split(";"))}
    _check(rule, name)
    until = _moment({}, rule["UNTIL"], name)[0] if "UNTIL" in rule else None
    if until is not None and len(rule["UNTIL"]) == 8:
        until += timedelta(days=1) - timedelta(seconds=1)
    count = int(rule.get("COUNT", _MOST))
    for start in _every(rule, first):
        if start < first:
            continue
        if count <= 0 or (until is not None and start.astimezone(UTC) > until):
            return
        count -= 1
        yield start


def _check(rule: dict[str, str], name: str) -> None:
    strange = set(rule) - _KNOWN
    kind = rule.get("FREQ", "")
    numbers = [rule.get("INTERVAL", "1"), rule.get("COUNT", "1"), *rule.get("BYMONTHDAY", "1").split(",")]
    days = rule.get("BYDAY", "MO").split(",")
    plain = all(re.fullmatch("0*[1-9][0-9]{0,8}", number) for number in numbers) and set(days) <= set(_DAYS)
    fits = ("BYDAY" not in rule or kind == "WEEKLY") and ("BYMONTHDAY" not in rule or kind == "MONTHLY")
    if strange or not plain or not fits or kind not in ("DAILY", "WEEKLY", "MONTHLY", "YEARLY"):
        raise _unsupported(f"the RRULE {';'.join(f'{key}={value}' for key, value in rule.items())}", name)


def _every(rule: dict[str, str], first: datetime) -> Iterator[datetime]:
    """The occurrences of a checked rule, from the beginning of the first period on."""
    step, kind = int(rule.get("INTERVAL", "1")), rule["FREQ"]
    for number in range(0, _MOST * step, step):
        if kind == "DAILY":
            yield first + timedelta(days=number)
        elif kind == "WEEKLY":
            monday = first - timedelta(days=first.weekday())
            days = (
                sorted(_DAYS.index(day) for day in rule["BYDAY"].split(",")) if "BYDAY" in rule else [first.weekday()]
            )
            yield from (monday + timedelta(days=day, weeks=number) for day in days)
        else:
            months = number if kind == "MONTHLY" else number * 12
            year, month = divmod(first.year * 12 + first.month - 1 + months, 12)
            if year > 9000:
                return
            numbers = sorted(int(day) for day in rule["BYMONTHDAY"].split(",")) if "BYMONTHDAY" in rule else [first.day]
            yield from (_on(first, year, month + 1, day) for day in numbers if _exists(year, month + 1, day))


def _on(first: datetime, year: int, month: int, day: int) -> datetime:
    return first.replace(year=year, month=month, day=day)


def _exists(year: int, month: int, day: int) -> bool:
    try:
        date(year, month, day)
    except ValueError:
        return False
    return True


def _unsupported(what: str, name: str) -> Unsupported:
    return Unsupported(
        "freeze.calendar_rule",
        f"{name} has {what}, which is not read here; as nobody knows when it freezes, nothing goes live.",
        f"write the times as single events or as simple rules in {name}, or take `calendar` out of ecluse.toml",
    )
