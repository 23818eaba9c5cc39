"""The reference set of hostile bundles: every verdict as its manifest says, every control accepted, nothing touched."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from ecluse import intake
from ecluse.errors import ExitStatus, Problem
from ecluse.git import Repository

FLOOR = 1.0
"""The share of verdicts that must agree."""


@pytest.fixture
def clone(shared: Path, tmp_path: Path) -> Repository:
    folder = tmp_path / "clone"
    subprocess.run(["git", "clone", "-q", str(shared / "evil_changes" / "base.git"), str(folder)], check=True)
    return Repository.discover(folder)


def cases(shared: Path) -> list[dict[str, Any]]:
    every = json.loads((shared / "evil_changes" / "manifest.json").read_bytes())["cases"]
    return [one for one in every if one["surface"] == "intake" and "change.bundle" in one["files"]]


def verdict_on(repository: Repository, folder: Path) -> tuple[str, str]:
    try:
        judgement = intake.examine(repository, folder)[0]
    except Problem as problem:
        return ("reject" if problem.exit_status is ExitStatus.REFUSED else "error"), problem.code
    return judgement.verdict.value, judgement.reason


def test_bundles_get_the_verdict_they_must(shared: Path, clone: Repository, tmp_path: Path) -> None:
    def listing() -> list[tuple[str, int]]:
        return sorted((str(p), p.lstat().st_mtime_ns) for p in tmp_path.rglob("*"))

    before = listing()
    wrong, reasons = [], 0
    found = cases(shared)
    for case in found:
        verdict, reason = verdict_on(clone, shared / "evil_changes" / "cases" / case["id"])
        reasons += reason == case["reason"]
        if verdict != case["verdict"]:
            wrong.append(f"{case['id']}: {verdict} ({reason}) instead of {case['verdict']} ({case['reason']})")
    print(f"{len(found) - len(wrong)} of {len(found)} verdicts agree, {reasons} of {len(found)} reasons word for word")
    assert len(found) >= 40
    assert (len(found) - len(wrong)) / len(found) >= FLOOR, wrong
    assert listing() == before


def test_strict_reading_of_foreign_manifests(shared: Path, clone: Repository) -> None:
    """Cases whose refusal needs the manifest alone: a patch is not taken in yet, but is not what decides here."""
    every = json.loads((shared / "evil_changes" / "manifest.json").read_bytes())["cases"]
    meta = [
        one
        for one in every
        if one["cls"] == "metadata" and one["reason"] not in ("meta.payload_sha", "replay.conflict")
    ]
    assert len(meta) >= 10
    wrong = []
    for case in meta:
        verdict, reason = verdict_on(clone, shared / "evil_changes" / "cases" / case["id"])
        if verdict != case["verdict"]:
            wrong.append(f"{case['id']}: {verdict} ({reason})")
    assert wrong == []
