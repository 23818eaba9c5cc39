"""Filters, environment files and printed commands behave as in the reference cases."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ecluse.checks.calls import link
from ecluse.checks.commands import parse_new, parse_old
from ecluse.checks.envfiles import BLOCKED, FileCommandProblem, parse_pairs
from ecluse.checks.limits import Limits
from ecluse.checks.planning import plan
from ecluse.checks.problems import Fault, WorkflowProblem
from ecluse.checks.request import RunRequest
from ecluse.checks.semantics import tolerated
from ecluse.checks.triggers import list_workflows, skipped_by, skipped_by_ignore
from ecluse.checks.workflow import GITHUB, Workflow, load, read
from ecluse.yaml12 import Mapping, parse

SHARED = Path(os.environ.get("ECLUSE_SHARED") or Path(__file__).resolve().parents[4] / "shared") / "conformance"
PARSER_FLOOR = 119
"""Workflow files of the reference set whose verdict and faults were exactly right when last measured."""

needs_reference = pytest.mark.skipif(
    not SHARED.is_dir(), reason="the reference cases are not beside this repository (ECLUSE_SHARED)"
)


def cases(name: str) -> list[dict[str, Any]]:
    return list(json.loads((SHARED / name).read_text("utf-8")))


@needs_reference
def test_filters() -> None:
    wrong = []
    for case in cases("filters.json"):
        got = (skipped_by(case["patterns"], case["inputs"]), skipped_by_ignore(case["patterns"], case["inputs"]))
        if got != (case["skipped_by_paths"], case["skipped_by_paths_ignore"]):
            wrong.append((case, got))
    assert wrong == []


@needs_reference
def test_environment_files() -> None:
    for case in cases("file_commands.json"):
        data = (b"\xef\xbb\xbf" if case["bom"] else b"") + case["content"].encode()
        if "error" in case:
            with pytest.raises(FileCommandProblem, match=case["error"]):
                parse_pairs(data)
            continue
        found = parse_pairs(data)
        blocked = [name for name in found if name in BLOCKED]
        assert {name: value for name, value in found.items() if name not in BLOCKED} == case["expected"], case["name"]
        assert len(blocked) == case["issues"]


@needs_reference
def test_printed_commands() -> None:
    for case in cases("workflow_commands.json"):
        command = (parse_old if case["version"] == 1 else parse_new)(case["line"])
        assert (command is not None) == case["is_command"], case["line"]
        if command is not None:
            got = (command.name, command.data, command.properties)
            assert got == (case["command"], case["data"], case["properties"]), case["line"]


def limits_of(options: dict[str, Any]) -> Limits:
    names = {
        "max-depth": "depth",
        "max-file-size": "characters",
        "max-job-limit": "jobs",
        "max-nested-reusable-workflows-depth": "calls",
        "max-result-size": "size",
    }
    given = {names[name]: value for name, value in options.items() if name in names}
    policy = {"LimitedRead": "read", "Write": "write"}.get(options.get("permissions-policy", ""), "")
    return replace(GITHUB, **given, permissions=policy)


def as_github_says(fault: Fault) -> str:
    """A fault in GitHub's form; of wrong tags it does not tell the place, which ours always has."""
    if "Unexpected tag" in fault.message or "is invalid for the type" in fault.message:
        fault = replace(fault, line=0)
    if fault.message.startswith("Error from called workflow "):
        fault = replace(fault, path=f"In {fault.path}")
    place = f" (Line: {fault.line}, Col: {fault.column})" if fault.line else ""
    return f"{fault.path}{place}: {fault.message}" if fault.path else fault.message


def verdict(case: dict[str, Any]) -> list[str]:
    """The faults of a case. Where only GitHub's editor is meant, those count too that GitHub itself passes over."""
    path = f".github/workflows/{case['name']}"
    files = {name: (name, text.encode()) for name, text in case["files"].items()}
    limits = limits_of(case["options"])
    faults: list[Fault] = []
    try:
        link(read(case["workflow"], path, limits), lambda uses, _: files.get(uses), limits=limits)
    except WorkflowProblem as problem:
        faults += problem.faults
    if {"C#", "Go"} <= set(case["options"].get("skip", ())):
        document = parse(case["workflow"])
        faults += tolerated(document, path) if isinstance(document, Mapping) else ()
    return [as_github_says(fault) for fault in sorted(faults, key=lambda fault: (fault.line, fault.column))]


@needs_reference
def test_workflow_files_and_their_faults(capsys: pytest.CaptureFixture[str]) -> None:
    exact = 0
    total = cases("workflow-parser/cases.json")
    for case in total:
        exact += verdict(case) == case["errors"]
    with capsys.disabled():
        print(f"\nworkflow files: {exact} of {len(total)} exactly right")
    assert exact >= PARSER_FLOOR


def inputs_for(workflow: Workflow) -> dict[str, str]:
    """A value for each input that a run by hand needs."""
    declared = (workflow.triggers.get("workflow_dispatch") or {}).get("inputs") or {}
    usual = {"boolean": "true", "number": "1"}
    return {
        name: str((rule.get("options") or [usual.get(rule.get("type", ""), "x")])[0])
        for name, rule in declared.items()
        if rule and rule.get("required")
    }


@needs_reference
def test_every_real_workflow_is_read_and_planned_for_each_of_its_events(tmp_path: Path) -> None:
    planned = 0
    for origin in sorted(path for path in (SHARED / "real").iterdir() if path.is_dir()):
        tree = tmp_path / origin.name
        shutil.copytree(origin, tree / ".github" / "workflows")
        for path in list_workflows(tree):
            workflow = load(tree, path)
            for event in set(workflow.triggers) - {"workflow_call"}:
                inputs = inputs_for(workflow) if event == "workflow_dispatch" else {}
                try:
                    assert plan(tree, RunRequest(workflows=(path,), event=event, inputs=inputs)).jobs
                except WorkflowProblem as problem:
                    # The data has not every file of every repository; GitHub refuses such a call as well.
                    assert all("There is no workflow" in fault.message for fault in problem.faults)
                    continue
                planned += 1
    assert planned > 200
