"""Patches read by rules: names, modes, counts, binary parts; two readings are refused."""

from __future__ import annotations

import base64
import random
import zlib

import pytest

from ecluse.errors import Refused
from ecluse.intake import binarypatch, patchfile
from ecluse.intake.binarypatch import BinaryPiece

EDIT = b"--- a/x.py\n+++ b/x.py\n@@ -1 +1 @@\n-a\n+b\n"
HEAD = b"diff --git a/x.py b/x.py\n"


def refusal(data: bytes) -> str:
    with pytest.raises(Refused) as caught:
        patchfile.parse(data, 100)
    assert caught.value.hint
    return caught.value.code


def test_a_git_section_and_its_facts() -> None:
    data = b"diff --git a/o b/n\nold mode 100644\nnew mode 100755\nsimilarity index 60%\nrename from o\nrename to n\n"
    (one,) = patchfile.parse(
        data + b"index 1234567..89abcde\n--- a/o\n+++ b/n\n@@ -1,2 +1,2 @@ f\n x\n-a\n+b\n", 9
    ).files
    assert (one.action, one.old, one.new, one.old_mode, one.new_mode) == ("rename", "o", "n", "100644", "100755")
    assert (one.old_id, one.hunks[0].lines) == ("1234567", ((b" ", b"x\n"), (b"-", b"a\n"), (b"+", b"b\n")))


@pytest.mark.parametrize(
    ("header", "name"),
    [
        (b"a/my file.py b/my file.py", "my file.py"),
        (b"a/x b/x b/x b/x", "x b/x"),
        (b'"a/\\303\\251" "b/\\303\\251"', "é"),
        (b"i/x w/x", "x"),
        (b"src/x src/x", "src/x"),
    ],
)
def test_names_of_the_first_line(header: bytes, name: str) -> None:
    (one,) = patchfile.parse(b"diff --git " + header + b"\nold mode 100644\nnew mode 100755\n", 9).files
    assert (one.old, one.new) == (name, name)


@pytest.mark.parametrize(
    ("old", "new", "name", "action"),
    [
        (b"/dev/null", b"b/n", "n", "add"),
        (b"a/n", b"/dev/null", "n", "delete"),
        (b"n.orig\t2024-01-01 00:00:00", b"n\t2024-01-02 00:00:00", "n", "modify"),
        (b"old/s/n", b"new/s/n", "s/n", "modify"),
    ],
)
def test_plain_unified_diffs(old: bytes, new: bytes, name: str, action: str) -> None:
    counts = {"add": b"-0,0 +1", "delete": b"-1 +0,0", "modify": b"-1 +1"}[action]
    body = {"add": b"+b\n", "delete": b"-a\n", "modify": b"-a\n+b\n"}[action]
    data = b"Only words.\n--- " + old + b"\n+++ " + new + b"\n@@ " + counts + b" @@\n" + body
    (one,) = patchfile.parse(data, 9).files
    assert (one.new, one.action) == (name, action)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"words\n", "patch.empty"),
        (HEAD + EDIT + b"words\n", "patch.trailing_garbage"),
        (HEAD + EDIT + b"\nwords\n\n" + EDIT, "patch.trailing_garbage"),
        (HEAD + EDIT + b"\n" + EDIT, "patch.trailing_garbage"),
        (HEAD + EDIT + b"-- \n2.39\n" + HEAD + EDIT, "patch.trailing_garbage"),
        (EDIT + HEAD + EDIT, "patch.trailing_garbage"),
        (b"+++ b/y\n" + HEAD + EDIT, "patch.malformed"),
        (b"diff --git a/y b/y\n" + EDIT, "patch.name_mismatch"),
        (b"diff --git a/x b/y\n" + EDIT, "patch.name_mismatch"),
        (b"diff --git a/x b/y\nrename from x\nrename to z\n", "patch.name_mismatch"),
        (b"diff --cc x\n" + EDIT, "patch.combined"),
        (HEAD + b"new file mode 104755\n--- /dev/null\n+++ b/x.py\n@@ -0,0 +1 @@\n+b\n", "mode.unknown"),
        (HEAD + b"new file mode 100644\nnew file mode 100755\n", "patch.malformed"),
        (HEAD + b"new file mode 100644\ndeleted file mode 100644\n", "patch.malformed"),
        (HEAD + b"Binary files a/x.py and b/x.py differ\n", "patch.binary_missing"),
        (HEAD + EDIT.replace(b"-1 +1", b"-1,2 +1"), "patch.malformed"),
        (HEAD + EDIT.replace(b"-1 +1", b"-1 +1,9999999"), "patch.malformed"),
        (HEAD + EDIT.replace(b"-1 +1", b"-1 +99999999999"), "patch.malformed"),
        (b"--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\nBinary files a/y and b/y differ\n", "patch.binary_missing"),
        (HEAD + b"old mode 100644\nnew mode 120000\n", "mode.unknown"),
        (HEAD + EDIT.replace(b"-1 +1", b"-0,1 +1"), "patch.malformed"),
        (HEAD + b"GIT binary patch\nnothing\n", "patch.malformed"),
        (b'diff --git "a/x\\q" "b/x\\q"\n', "patch.malformed"),
        (b"".join(b"diff --git a/%d b/%d\nold mode 100644\nnew mode 100755\n" % (n, n) for n in range(102)), "limit.files"),
        (b"\n" * (patchfile.LINES_CAP + 1), "limit.patch_size"),
    ],
)  # fmt: skip
def test_refused(data: bytes, code: str) -> None:
    assert refusal(data) == code


def test_a_patch_cut_between_lines_is_refused_or_ends_between_files() -> None:
    whole = HEAD + EDIT + b"diff --git a/y b/y\nnew file mode 100644\n--- /dev/null\n+++ b/y\n@@ -0,0 +1,2 @@\n+1\n+2\n"
    lines = whole.splitlines(keepends=True)
    sections = patchfile.parse(whole, 9).files
    whole_at = {6: 1, len(lines): 2}
    for count in range(1, len(lines) + 1):
        try:
            left = patchfile.parse(b"".join(lines[:count]), 9).files
        except Refused:
            assert count not in whole_at
            continue
        assert all(one.hunks in ((), have.hunks) for one, have in zip(left, sections, strict=False)), count


def piece(kind: str, data: bytes, size: int | None = None) -> BinaryPiece:
    packed = zlib.compress(data)
    lines = []
    for at in range(0, len(packed), 52):
        part = packed[at : at + 52]
        mark = bytes([len(part) + (64 if len(part) < 27 else 70)])
        lines.append(mark + base64.b85encode(part + b"\0" * (-len(part) % 4)))
    return BinaryPiece(kind, len(data) if size is None else size, tuple(lines))


def test_binary_parts_round_trip(dice: random.Random) -> None:
    for size in (0, 1, 51, 52, 53, 4000):
        data = dice.randbytes(size)
        assert binarypatch.unpack(piece("literal", data), 5000) == data


@pytest.mark.parametrize(
    ("given", "code"),
    [
        (piece("literal", b"x" * 100, 99), "patch.malformed"),
        (piece("literal", b"x" * 100, 101), "patch.malformed"),
        (piece("literal", b"x" * 6000), "limit.expanded"),
        (BinaryPiece("literal", 3, (b"Kshort",)), "patch.malformed"),
        (BinaryPiece("literal", 3, (b'D"""""',)), "patch.malformed"),
    ],
)
def test_binary_parts_refused(given: BinaryPiece, code: str) -> None:
    with pytest.raises(Refused) as caught:
        binarypatch.unpack(given, 5000)
    assert caught.value.code == code


def test_deltas() -> None:
    assert binarypatch.apply_delta(b"hello world", b"\x0b\x09\x90\x05\x04 you", 99) == b"hello you"
    for delta, code in (
        (b"\x0b\xff\xff\xff\x7f\x90\x05", "limit.expanded"),
        (b"\x0a\x05\x90\x05", "patch.malformed"),
        (b"\x0b\x05\x91\x09\x05", "patch.malformed"),
        (b"\x0b\x06\x90\x05", "patch.malformed"),
        (b"\x0b\x05\x00", "patch.malformed"),
        (b"\x0b", "patch.malformed"),
    ):
        with pytest.raises(Refused) as caught:
            binarypatch.apply_delta(b"hello world", delta, 99)
        assert caught.value.code == code
