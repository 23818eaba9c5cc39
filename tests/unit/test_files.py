"""Durable files: old or new, never half; and what is said when they cannot be written."""

from __future__ import annotations

import errno
import os
import subprocess
import threading
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


def test_who_asks_for_a_lock_holds_up_neither_who_takes_it_nor_who_asks_too(tmp_path: Path) -> None:
    path, over = tmp_path / "lock", threading.Event()
    path.touch()
    answers: set[bool] = set()

    def ask() -> None:
        while not over.is_set():
            answers.add(files.is_locked(path))

    askers = [threading.Thread(target=ask) for _ in range(3)]
    for asker in askers:
        asker.start()
    try:
        over.wait(0.1)
        assert answers == {False}
        for _ in range(100):
            lock = files.FileLock(path)
            assert lock.acquire()
            lock.release()
    finally:
        over.set()
        for asker in askers:
            asker.join()


def test_threads_may_share_one_lock(tmp_path: Path) -> None:
    lock, inside, most = files.FileLock(tmp_path / "lock"), [], []

    def work() -> None:
        for _ in range(150):
            with lock.held():
                inside.append(1)
                most.append(len(inside))
                inside.pop()

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(most) == 600 and set(most) == {1}


def test_asking_for_a_lock_makes_nothing(tmp_path: Path) -> None:
    assert not files.is_locked(tmp_path / "gone" / "lock")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.name != "posix", reason="descriptors are inherited on POSIX")
def test_a_lock_that_was_given_back_is_free_even_while_a_child_has_its_descriptor(tmp_path: Path) -> None:
    lock = files.FileLock(tmp_path / "lock")
    lock.acquire()
    child = subprocess.Popen(["cat"], stdin=subprocess.PIPE, pass_fds=(lock.fileno(),))
    try:
        lock.release()
        assert files.FileLock(tmp_path / "lock").acquire()
    finally:
        child.communicate()
