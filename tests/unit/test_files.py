"""Durable files: old or new, never half; and what is said when they cannot be written."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from ecluse import files
from ecluse.errors import Failed, Invalid


def test_replaces_whole_and_leaves_nothing_beside(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "f"
    files.write_atomically(target, b"one")
    files.write_atomically(target, b"two", mode=0o600)
    assert target.read_bytes() == b"two"
    assert target.stat().st_mode & 0o777 == 0o600
    assert [p.name for p in target.parent.iterdir()] == ["f"]


def test_a_failed_write_keeps_the_old_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "f"
    files.write_atomically(target, b"old")

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(Failed) as caught:
        files.write_atomically(target, b"new")
    assert caught.value.code == "disk.full"
    assert "df -h" in caught.value.hint
    assert target.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["f"]


def test_reading_is_capped_and_says_why_not(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"12345")
    assert files.read_capped(tmp_path / "f", 5) == b"12345"
    with pytest.raises(Invalid, match="larger than 4 bytes"):
        files.read_capped(tmp_path / "f", 4)
    with pytest.raises(Invalid) as missing:
        files.read_capped(tmp_path / "g", 4)
    assert missing.value.code == "file.missing"
    with pytest.raises(Invalid) as folder:
        files.read_capped(tmp_path, 4)
    assert folder.value.code == "file.is_folder"
