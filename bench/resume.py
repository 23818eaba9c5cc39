"""How long a release stands still after the process that drove it was killed: from starting another to its next step."""

from __future__ import annotations

import signal
import subprocess
import time
from pathlib import Path

from bench.measure import head, report
from ecluse.git import Repository
from ecluse.history import History
from ecluse.model import Release, ReleaseState

STEPS = 60
KILL_AFTER = 5
BAR_S = 2.0
PATIENCE_S = 60.0


def prepare(folder: Path) -> Repository:
    """A repository whose playbook has many small steps, each journalled and recorded."""
    steps = "\n".join(f"### [{n}] Say {n} — by system\n\n- uses: notify template=word\n" for n in range(1, STEPS + 1))
    page = f"---\nplaybook: talk\nformat: 1\n---\n\n# Talk\n\n## Sequence\n\n{steps}\n## Communications\n\n### word\n\nStep.\n"
    repository = Repository.create(folder)
    (folder / "playbooks").mkdir()
    (folder / "playbooks" / "talk.md").write_text(page, encoding="utf-8")
    for words in (["config", "user.name", "Bench"], ["config", "user.email", "bench@example.invalid"], ["add", "-A"]):
        repository.run(*words)
    repository.run("commit", "-q", "-m", "feat: talk")
    History.open(repository.state_dir, create=True).close()
    return repository


def seconds(ecluse: str, folder: Path) -> float:
    """Start a release, kill what drives it, start another process, and time it until the release has gone on."""
    repository = Repository.discover(folder)
    with History.open(repository.state_dir) as history:
        before = len(history.events(kind="release.step_done", limit=100_000))
        first = start(ecluse, folder, "release", "start", "talk", "--no-input")
        wait_for(history, before, KILL_AFTER)
        first.send_signal(signal.SIGKILL)
        first.wait()
        (found,) = [one for one in history.find(Release) if one.state is ReleaseState.RUNNING]
        seen = len(history.events(kind="release.step_done", limit=100_000))
        began = time.perf_counter()
        second = start(ecluse, folder, "release", "status", found.id, "--follow", "--no-input")
        wait_for(history, seen, 1)
        taken = time.perf_counter() - began
        second.wait(timeout=PATIENCE_S)
        over = history.get(Release, found.id)
        assert over is not None and over.state is ReleaseState.DONE, over
    return taken


def measure_resume(folder: Path, ecluse: str, runs: int) -> bool:
    """Median seconds over ``runs`` kills, against the bar."""
    head(f"a release whose process was killed, until another process has gone on with it, {runs} runs, seconds")
    prepare(folder / "resume")
    return report("ecluse release status --follow", [seconds(ecluse, folder / "resume") for _ in range(runs)], BAR_S)


def start(ecluse: str, folder: Path, *words: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([ecluse, *words], cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def wait_for(history: History, before: int, more: int) -> None:
    """Wait until so many more steps are done than before."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        if len(history.events(kind="release.step_done", limit=100_000)) >= before + more:
            return
        assert time.monotonic() < deadline, "the release did not go on"
        time.sleep(0.005)
