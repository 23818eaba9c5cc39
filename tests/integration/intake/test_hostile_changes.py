"""The reference set of hostile changes: every verdict as its manifest says, every control accepted, nothing touched."""

from __future__ import annotations

import hashlib
import json
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

from ecluse import intake
from ecluse.errors import ExitStatus, Problem
from ecluse.git import Repository
from ecluse.history import History

FLOOR = 1.0
"""The share of verdicts that must agree."""


@pytest.fixture
def clone(shared: Path, tmp_path: Path) -> Repository:
    folder = tmp_path / "clone"
    subprocess.run(["git", "clone", "-q", str(shared / "evil_changes" / "base.git"), str(folder)], check=True)
    return Repository.discover(folder)


def cases(shared: Path) -> list[dict[str, Any]]:
    every = json.loads((shared / "evil_changes" / "manifest.json").read_bytes())["cases"]
    return [one for one in every if one["surface"] == "intake"]


def verdict_on(repository: Repository, folder: Path, history: History | None = None) -> tuple[str, str]:
    try:
        judgement = intake.examine(repository, folder, history=history)[0]
    except Problem as problem:
        return ("reject" if problem.exit_status is ExitStatus.REFUSED else "error"), problem.code
    return judgement.verdict.value, judgement.reason


def test_every_case_gets_the_verdict_it_must(
    shared: Path, clone: Repository, tmp_path: Path, own_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A replay is one only to a repository that has seen the first delivery; that is the next test.

    The canary: repository, home and the cases themselves are as before, to the last file and moment, and the one
    folder for temporary files is empty again.
    """
    scratch = own_home.parent / "scratch-of-hostile-changes"
    scratch.mkdir()
    monkeypatch.setenv("TMPDIR", str(scratch))
    monkeypatch.setattr(tempfile, "tempdir", None)

    def listing() -> list[tuple[str, int, int]]:
        places = (tmp_path, own_home, shared / "evil_changes")
        rows = (p for place in places for p in place.rglob("*"))
        return sorted((str(p), s.st_mtime_ns, s.st_size) for p in rows for s in [p.lstat()])

    before = listing()
    wrong, reasons = [], 0
    found = [case for case in cases(shared) if case["reason"] != "replay.conflict"]
    for case in found:
        verdict, reason = verdict_on(clone, shared / "evil_changes" / "cases" / case["id"])
        reasons += reason == case["reason"]
        if verdict != case["verdict"]:
            wrong.append(f"{case['id']}: {verdict} ({reason}) instead of {case['verdict']} ({case['reason']})")
    print(f"{len(found) - len(wrong)} of {len(found)} verdicts agree, {reasons} of {len(found)} reasons word for word")
    assert len(found) >= 130
    assert (len(found) - len(wrong)) / len(found) >= FLOOR, wrong
    assert listing() == before
    assert list(scratch.iterdir()) == []


def test_replays(shared: Path, clone: Repository, tmp_path: Path) -> None:
    found = [case for case in cases(shared) if case["reason"] == "replay.conflict"]
    assert found
    for number, case in enumerate(found):
        folder = shared / "evil_changes" / "cases" / case["id"]
        said = json.loads((folder / "meta.json").read_bytes())
        first = tmp_path / f"first{number}"
        first.mkdir()
        patch = (folder / said["payload"]).read_bytes().replace(b"A = 3", b"A = 1")
        assert patch != (folder / said["payload"]).read_bytes()
        (first / said["payload"]).write_bytes(patch)
        (first / "meta.json").write_text(json.dumps({**said, "payload_sha256": hashlib.sha256(patch).hexdigest()}))
        with History.open(clone.state_dir, create=True) as history:
            intake.receive(clone, history, first, actor="tester")
            assert verdict_on(clone, folder, history) == ("reject", "replay.conflict")
            assert verdict_on(clone, first, history) == ("accept", "ok")
            other = {**said, "change_id": "another-name"}  # the nonce alone gives it away
            (first / "again").mkdir()
            (first / "again" / "meta.json").write_text(json.dumps(other))
            (first / "again" / said["payload"]).write_bytes((folder / said["payload"]).read_bytes())
            assert verdict_on(clone, first / "again", history) == ("reject", "replay.conflict")


@pytest.mark.parametrize("name", ["bomb", "10e10", "200k", "1000-mails", "huge"])
def test_the_largest_ones_stay_small_in_memory(shared: Path, clone: Repository, name: str) -> None:
    """The whole process and the git processes it starts, in address space, under 512 MiB."""
    for case in [one for one in cases(shared) if name in one["id"]]:
        folder = shared / "evil_changes" / "cases" / case["id"]
        done = subprocess.run(
            [sys.executable, "-m", "ecluse", "import", "--dry-run", "--json", str(folder)],
            cwd=clone.work_tree, capture_output=True, check=False, timeout=60,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_DATA, (512 << 20, 512 << 20)),
        )  # fmt: skip
        assert json.loads(done.stdout)["verdict"] == case["verdict"], (case["id"], done.stderr)
        assert b"Traceback" not in done.stderr
