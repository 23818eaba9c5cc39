"""Kill the importing process at random moments: the change is there afterwards, once, whole and judged."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from ecluse import intake
from ecluse.history import History
from ecluse.model import Change, ChangeState

pytestmark = pytest.mark.skipif(os.name != "posix", reason="kills process groups")


ROUNDS = max(1, int(os.environ.get("ECLUSE_CRASH_ROUNDS", "6")) // 3)
KINDS = {"keep": (), "land": ("--land",), "leave": ("--leave-uncommitted",)}


class Killer:
    """Commands killed with all they started at a moment up to what they take, then typed again to their end."""

    def __init__(self, dice: Any) -> None:
        self.dice, self.kills, self.took = dice, 0, dict.fromkeys(("export", "import", "undo"), 2.0)

    def __call__(self, folder: Path, what: str, *words: str, also: int = 0) -> None:
        argv = [sys.executable, "-m", "ecluse", *words]
        process = subprocess.Popen(
            argv, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(self.dice.uniform(0.05, self.took[what]))
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        self.kills += process.wait() == -signal.SIGKILL
        began = time.monotonic()
        done = subprocess.run(argv, cwd=folder, capture_output=True, check=False)
        self.took[what] = min(time.monotonic() - began, 10.0)
        assert done.returncode in (0, also), done.stderr.decode()


@pytest.mark.crash
@pytest.mark.parametrize("kind", KINDS)
def test_killed_at_any_moment_nothing_is_lost_and_nothing_done_twice(
    bench: Any, history: History, sandbox: Any, tmp_path: Path, dice: Any, kind: str
) -> None:
    """Export, import and undo, each killed and then typed once more, as a person would; `make crash N=200` does more."""
    start = bench.commit("open", ecluse_dot_toml='trust = "all"\n')
    box, killed = sandbox(), Killer(dice)
    for number in range(ROUNDS):
        if kind != "leave":
            box.commit(f"step {number}", **{f"f{number}_dot_txt": "x\n"})
        box.write(f"g{number}.txt", "x\n")
        lying = box.git("status", "--porcelain")
        out = tmp_path / f"o{number}"
        killed(box.folder, "export", "export", "--agent", "a1", "--to", str(out))
        assert box.git("status", "--porcelain") == lying
        made = {path: json.loads(path.read_bytes()) for path in out.glob("*.json")}
        bundle = max(made, key=lambda path: int(made[path]["change"]["revision"]))
        killed(bench.folder, "import", "import", str(bundle), "--no-input", *KINDS[kind])
        change = max(history.find(Change), key=lambda one: one.revision)
        assert (change.revision, change.method) == (made[bundle]["change"]["revision"], "bundle")
        tip = made[bundle]["head"]["commit"]
        assert bench.git("rev-parse", change.ref) == tip
        assert len(history.events(kind="change.ready", subject=change.subject)) == 1
        if kind == "keep":
            assert (change.state, change.head, bench.git("rev-parse", "main")) == (ChangeState.READY, tip, start)
            continue
        if kind == "land":
            assert bench.git("rev-parse", "main^{tree}") == made[bundle]["head"]["tree"]
            assert len(history.events(kind="landing.landed", limit=1000)) == number + 1
        else:
            assert bench.git("rev-parse", "main") == start
            rows = bench.git("status", "--porcelain").splitlines()
            assert sorted(rows) == sorted(f"?? g{n}.txt" for n in range(number + 1))
        killed(bench.folder, "undo", "import", "--undo", change.key, also=2)
        assert (bench.git("rev-parse", "main"), bench.git("status", "--porcelain")) == (start, "")
    assert bench.git("fsck", "--strict", "--no-dangling") == ""
    print(f"{kind}: {killed.kills} kills in {ROUNDS} rounds, {history.count(Change)} changes, 0 lost, 0 applied twice")


def test_a_lock_left_on_the_ref_is_cleared(
    bench: Any, history: History, helpers: Any, sandbox: Any, tmp_path: Path
) -> None:
    box = sandbox()
    box.write("x.txt", "x\n")
    done = helpers.export(box, to=tmp_path / "o")
    change = intake.receive(bench.repository, history, done.path, actor="me")
    lock = bench.folder / ".git" / "refs/ecluse/changes" / change.id / "1.lock"
    lock.parent.mkdir(parents=True)
    lock.touch()
    intake.advance(bench.repository, history, change.key)
    found = history.get(Change, change.key)
    assert found is not None
    assert found.state is ChangeState.READY


def test_what_a_killed_process_left_half_made_is_cleared_away_once_it_is_old(
    bench: Any, history: History, helpers: Any, sandbox: Any, tmp_path: Path
) -> None:
    inbox = bench.repository.state_dir / "inbox"
    left, young = inbox / ".part-left", inbox / ".part-young"
    for folder in (left, young, tmp_path / "o" / ".export-left"):
        folder.mkdir(parents=True)
        (folder / "half.bundle").write_bytes(b"half")
    for folder in (left, tmp_path / "o" / ".export-left"):
        os.utime(folder, (1_000_000_000, 1_000_000_000))
    box = sandbox()
    box.write("x.txt", "x\n")
    done = helpers.export(box, to=tmp_path / "o")
    helpers.take_in(bench, history, done.path)
    assert not left.exists()
    assert young.exists(), "somebody may be at work on it"
    assert not list((tmp_path / "o").glob(".export-*"))
