"""A repository that receives, and sandboxes cloned from it: no remote, no identity of their own."""

from __future__ import annotations

import random
import string
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ecluse import intake, line
from ecluse.history import History
from ecluse.model import Agent, Change, Landing

from .exporters import EXPORTERS, Exporter
from .given import piped


@pytest.fixture
def sandbox(bench: Any, tmp_path: Path) -> Callable[..., Any]:
    """Make a clone of the workbench without remote; words are given to ``git clone``."""

    def make(name: str = "sandbox", *words: str) -> Any:
        folder = tmp_path / name
        subprocess.run(
            ["git", "clone", "-q", *words, f"file://{bench.folder}", str(folder)], check=True, capture_output=True
        )
        made = type(bench)(folder)
        made.git("remote", "remove", "origin")
        return made

    return make


def hand_over(box: Any, **options: Any) -> intake.Exported:
    """Export a sandbox with the defaults of the door."""
    return intake.export(box.repository, intake.ExportRequest(Agent("a1"), **options))


def take_in(bench: Any, history: History, source: Path | bytes, **options: Any) -> Change:
    """Receive and judge a bundle; the change as it stands then."""
    given = piped(source) if isinstance(source, bytes) else source
    change = intake.receive(bench.repository, history, given, actor="tester", **options)
    intake.advance(bench.repository, history, change.key)
    found = history.get(Change, change.key)
    assert found is not None
    return found


def drive_landings(bench: Any, history: History) -> None:
    """Advance the line until every landing is over or waits for a person."""
    deadline = time.monotonic() + 120
    while True:
        if line.step(bench.repository, history) is not None:
            continue
        standing = [one for one in history.find(Landing) if not one.state.is_terminal]
        if all(one.state.waits_for_person for one in standing):
            return
        assert time.monotonic() < deadline, f"it does not end: {standing}"
        time.sleep(0.02)


def fake_secret(dice: random.Random) -> str:
    """Something shaped like a provider's token, made up now."""
    return "gh" + "p_" + "".join(dice.choice(string.ascii_letters + string.digits) for _ in range(36))


def tree_of(bench: Any, revision: str) -> dict[str, str]:
    """Path to ``mode blob`` of a revision."""
    rows = bench.git("ls-tree", "-r", "-z", revision).split("\0")
    return {path: facts for facts, _, path in (row.partition("\t") for row in rows if row)}


@pytest.fixture
def helpers() -> Any:
    """The functions above, for tests of this folder."""

    class Helpers:
        export = staticmethod(hand_over)
        take_in = staticmethod(take_in)
        drive_landings = staticmethod(drive_landings)
        fake_secret = staticmethod(fake_secret)
        tree_of = staticmethod(tree_of)

    return Helpers


@pytest.fixture
def exported(sandbox: Any, helpers: Any, tmp_path: Path) -> intake.Exported:
    """One good commit, handed over."""
    box = sandbox()
    box.commit("feat: good", b_dot_txt="b\n")
    done: intake.Exported = helpers.export(box, to=tmp_path / "out")
    return done


@pytest.fixture(params=EXPORTERS)
def exporter(request: pytest.FixtureRequest, tmp_path: Path) -> Exporter:
    """Each of the three exporters."""
    return Exporter(request.param, tmp_path / "tool")


@pytest.fixture(params=["py", "sh"])
def portable(request: pytest.FixtureRequest, tmp_path: Path) -> Exporter:
    """Each of the two exporters that need nothing installed."""
    return Exporter(request.param, tmp_path / "tool")
