"""A job's log on a disk that is full: the log ends, the job goes on and says so."""

from __future__ import annotations

from pathlib import Path

import pytest

from ecluse.checks.joblog import JobLog
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
