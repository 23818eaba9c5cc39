"""Who stops a release ends what it has under way: the run of a workflow with every process it started."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from ecluse import line, release
from ecluse.model import ReleaseState, Run, RunState

PAGE = """\
---
playbook: tests
format: 1
---

# Tests

## Sequence

### [1] Run them — by system

- uses: ci.job workflow=slow.yml
"""
SLOW = """\
on: push
jobs:
  slow:
    runs-on: ubuntu-latest
    steps:
      - run: |
          echo $$ > MARK.part && mv MARK.part MARK
          exec sleep 600
"""


def alive(pid: int) -> bool:
    """Whether the process still does something; a dead one that nobody has waited for does not count."""
    try:
        os.kill(pid, 0)
        return not Path(f"/proc/{pid}/stat").exists() or ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except (ProcessLookupError, FileNotFoundError):
        return False


def test_an_abort_ends_the_run_that_the_release_waits_for(yard: Any, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    workflow = SLOW.replace("MARK", str(mark))
    yard.commit("test: slow", playbooks__tests_dot_md=PAGE, _dot_github__workflows__slow_dot_yml=workflow)
    release_id = yard.start(playbook="tests")
    follow = (f"release/{release_id}",)
    line.drive(yard.repository, yard.history, until=mark.exists, follow=follow)
    (run,) = yard.history.find(Run, parent=f"release/{release_id}")
    pid = int(mark.read_text())
    assert run.state is RunState.RUNNING and alive(pid)
    release.abort(yard.history, release_id, who="Ada", why="never mind")

    def rests() -> bool:
        return yard.get(release_id).state.is_terminal and yard.history.get(Run, run.id).state.is_terminal

    line.drive(yard.repository, yard.history, until=rests, follow=(*follow, run.subject))
    assert yard.get(release_id).state is ReleaseState.ABORTED
    over = yard.history.get(Run, run.id)
    assert over.state is RunState.CANCELLED and over.reason == f"{release_id} was stopped"
    assert not alive(pid)
