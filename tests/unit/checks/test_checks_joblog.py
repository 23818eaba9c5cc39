"""A job's log: on a disk that is full it ends and the job goes on; annotations are kept up to a limit."""

from __future__ import annotations

from pathlib import Path

import pytest

from ecluse.checks.joblog import MAX_NOTE_CHARACTERS, MAX_NOTES, JobLog
from ecluse.secrets.mask import Masker


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full, a file that takes nothing")
def test_a_full_disk_ends_the_log_and_nothing_else() -> None:
    log = JobLog("a", Masker(), None, Path("/dev/full"))
    log.begin_step(1, "Say")
    log.line("one")
    log.line("two")
    assert log.tail() == ("one", "two")
    assert [note.message for note in log.annotations] == [
        "The log of this job ends early: /dev/full: No space left on device."
    ]
    log.close()


def test_annotations_have_a_limit() -> None:
    log = JobLog("a", Masker(), None, None)
    for number in range(MAX_NOTES + 5):
        log.note("error", f"{number} " + "x" * 10_000)
    assert len(log.annotations) == MAX_NOTES + 1
    assert len(log.annotations[0].message) == MAX_NOTE_CHARACTERS
    assert log.annotations[-1].message == "The job has more than 1000 annotations; the others are in its log."
