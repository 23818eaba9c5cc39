"""Mails read by rules that have one reading."""

from __future__ import annotations

import base64
import quopri

import pytest

from ecluse.errors import Refused
from ecluse.intake.mailbox import Piece, read_mails
from ecluse.model import Finding

DIFF = "diff --git a/{0} b/{0}\nnew file mode 100644\n--- /dev/null\n+++ b/{0}\n@@ -0,0 +1 @@\n+x\n"
START = "From 0123456789012345678901234567890123456789 Mon Sep 17 00:00:00 2001\n"


def mail(
    who: str = "From: A <a@b.invalid>", date: str = "Date: Tue, 14 Nov 2023 22:13:20 +0530", subject: str = "[PATCH] t",
    message: str = "", more: str = "", patch: str = "---\n f | 1 +\n\n" + DIFF.format("f"), end: str = "-- \n2.39.5\n\n",
) -> bytes:  # fmt: skip
    lines = [line for line in (who, date, f"Subject: {subject}", *more.splitlines()) if line]
    return (START + "\n".join(lines) + "\n\n" + message + patch + end).encode()


def read(*boxes: bytes) -> tuple[list[Piece], list[Finding]]:
    return read_mails(boxes, 20, 20)


def test_a_mail_becomes_a_commit() -> None:
    ((one,), remarks) = read(mail(subject="Re: [PATCH v2 1/1] [tag] fix: =?UTF-8?Q?=C3=A9?=", message="Why.\n\nX: y\n"))
    assert one.author and (one.author.name, one.author.email) == ("A", "a@b.invalid")
    assert (one.message, remarks) == ("[tag] fix: é\n\nWhy.\n\nX: y\n", [])
    assert one.when == "1699980200 +0530"
    assert [file.new for file in one.files] == ["f"]


def test_encodings() -> None:
    body = mail(message="Déjà\n").partition(b"\n\n")
    for way, data in (
        ("quoted-printable", quopri.encodestring(body[2])),
        ("base64", base64.encodebytes(body[2])),
        ("8bit", body[2]),
    ):
        head = body[0] + f"\nContent-Type: text/plain; charset=UTF-8\nContent-Transfer-Encoding: {way}\n\n".encode()
        ((one,), _) = read(head + data)
        assert one.message == "t\n\nDéjà\n"


def test_an_in_body_author_does_not_count() -> None:
    ((one,), remarks) = read(mail(message="From: Boss <boss@corp.invalid>\n\nText.\n"))
    assert one.author and one.author.email == "a@b.invalid"
    assert "boss" not in one.message
    assert [remark.code for remark in remarks] == ["mail.in_body_from"]


def test_a_series_and_its_cover_letter() -> None:
    cover = mail(subject="[PATCH 0/2] both", patch="what it is about\n")
    first = mail(subject="[PATCH 1/2] one")
    second = mail(subject="[PATCH 2/2] two", patch="---\n\n" + DIFF.format("g"))
    pieces, _ = read(cover + first + second)
    assert [piece.message for piece in pieces] == ["one\n", "two\n"]
    assert [piece.message for piece in read(first, second)[0]] == ["one\n", "two\n"]
    assert len(read(cover.rstrip(b"\n") + b"\n" + first.rstrip(b"\n") + b"\n" + second)[0]) == 2  # as b4 writes them
    for wrong in ((first,), (second, first), (first, first), (first, second, mail())):
        with pytest.raises(Refused) as caught:
            read(*wrong)
        assert caught.value.code == "mail.count_mismatch"


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (mail(who="From: "), "author.invalid"),
        (mail(who=""), "author.invalid"),
        (mail(who="From: A <a@b.invalid>, B <b@b.invalid>"), "author.invalid"),
        (mail(who="From: A"), "author.invalid"),
        (mail(who="From: =?UTF-8?Q?A=0Acommitter_x?= <a@b.invalid>"), "author.invalid"),
        (mail(date=""), "author.date"),
        (mail(date="Date: Fri, 31 Dec 9999 23:59:59 +0000"), "author.date"),
        (mail(date="Date: Thu, 01 Jan 1960 00:00:00 +0000"), "author.date"),
        (mail(date="Date: Tue, 14 Nov 2023 22:13:20 +9900"), "author.date"),
        (mail(date="Date: yesterday"), "author.date"),
        (mail(date="Date: Thu, 30 Feb 2023 22:13:20 +0000"), "author.date"),
        (mail(date="Date: Tue, 14 Nov 2023 25:13:20 +0000"), "author.date"),
        (mail(who="From: some: a@b.invalid;"), "author.invalid"),
        (mail(end="\n---\n\n" + DIFF.format("late")), "patch.trailing_garbage"),
        (mail(end="\nBest regards,\n\n" + DIFF.format("late")), "patch.trailing_garbage"),
        (mail(more="From: B <b@b.invalid>"), "mail.duplicate_header"),
        (mail(more="Content-Type: multipart/mixed; boundary=B"), "mail.multipart"),
        (mail(more="Content-Type: text/html"), "mail.not_plain"),
        (mail(more="Content-Type: text/plain; charset=utf-7"), "mail.charset"),
        (mail(more="Content-Transfer-Encoding: x-uuencode"), "mail.malformed"),
        (mail(message="See:\n\n" + DIFF.format("q") + "\nend\n\n"), "mail.diff_in_message"),
        (mail(message="See:\n\n--- a/q\n+++ b/q\n@@ -1 +1 @@\n-a\n+b\n\n"), "mail.diff_in_message"),
        (mail(patch="---\n nothing\n"), "mail.no_patch"),
        (mail(end="") + mail(), "mail.count_mismatch"),
        (mail(message=START + "\n"), "mail.count_mismatch"),
        (mail() * 30, "limit.commits"),
        (mail(end="-- \n2.39\n" + DIFF.format("late")), "patch.trailing_garbage"),
        (b"Subject: x\nFrom: a@b.invalid\n", "mail.malformed"),
        (mail(message="a\0b"), "mail.malformed"),
    ],
)
def test_refused(data: bytes, code: str) -> None:
    with pytest.raises(Refused) as caught:
        read(data)
    assert caught.value.code == code
    assert caught.value.hint


def test_indented_and_quoted_diffs_are_words() -> None:
    ((one,), _) = read(mail(message="See:\n\n    diff --git a/q b/q\n> --- a/q\n"))
    assert [file.new for file in one.files] == ["f"]


def test_a_patch_without_separator_may_take_away_a_line_of_dashes() -> None:
    patch = "diff --git a/f b/f\n--- a/f\n+++ b/f\n@@ -1,2 +1 @@\n x\n---\n"
    ((one,), _) = read(mail(patch=patch, message="Words.\n\n"))
    assert one.files[0].hunks[0].lines[1] == (b"-", b"--\n")


def test_what_b4_writes_below_a_patch() -> None:
    end = f"""
---
base-commit: {"a" * 40}
change-id: 20231114-topic-0123456789ab
prerequisite-change-id: 20231113-other-0123456789ab:v2
prerequisite-message-id: <20231113-x@b.invalid>
prerequisite-patch-id: {"b" * 40}

Best regards,
--{" "}
A <a@b.invalid>

"""
    ((one,), findings) = read(mail(end=end))
    assert ([file.new for file in one.files], one.base, findings) == (["f"], "a" * 40, [])


def test_a_title_inside_the_text_does_not_count() -> None:
    ((one,), findings) = read(mail(message="Subject: another\n\nwords\n"))
    assert (one.message, [found.code for found in findings]) == ("t\n\nwords\n", ["mail.in_body_from"])
