"""Files that steer tools, people's machines or Écluse itself: a change of them needs a person, some are refused."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable, Sequence
from typing import Any

from ecluse.errors import Problem
from ecluse.git import ChangedPath
from ecluse.guarded import COMPILED, glob
from ecluse.intake.pathrules import shown
from ecluse.model import Finding, Verdict
from ecluse.patterns import expression

Content = Callable[[str], bytes]
"""Blob id to bytes (empty for none)."""

_ACTION = expression(rb"^\s*-?\s*uses:\s*[\"']?(?!\.{0,2}/|docker://)([^\s\"'#]+?)@([^\s\"'#]+)", re.M)
_LIFECYCLE = (
    "preinstall",
    "install",
    "postinstall",
    "prepublish",
    "preprepare",
    "prepare",
    "postprepare",
    "dependencies",
)
_BUILT_IN_DRIVERS = {"lfs", "binary", "text", "union", "ours"} | {
    "ada", "bash", "bibtex", "cpp", "csharp", "css", "dts", "elixir", "fortran", "fountain", "golang", "html", "java",
    "kotlin", "markdown", "matlab", "objc", "pascal", "perl", "php", "python", "ruby", "rust", "scheme", "tex",
}  # fmt: skip
_TEST_FILE = expression(
    r"(?:^|/)(?:tests?|spec|__tests__)/|(?:^|/)(?:test_[^/]*|[^/]*_test|[^/]*\.(?:test|spec))\.[a-z]+$"
)
_CHECK = expression(
    rb"\bassert(?:[A-Z]\w*|_\w+)?\b|\bexpect\s*\(|\bpytest\.raises\b|\bt\.(?:Error|Fatal)|\b(?:should|must)\.|\bassert\w*!"
)
_TEST_CONFIG = expression(
    r"(?:^|/)(?:pytest\.ini|tox\.ini|setup\.cfg|pyproject\.toml|conftest\.py|jest\.config\.[a-z]+|\.coveragerc)$"
)
_LOOKS_AWAY = expression(
    rb"--ignore[= ]|--deselect|--ignore-glob|collect_ignore|norecursedirs|testPathIgnorePatterns|--exitfirst=0|passWithNoTests"
)


def judge_tools(
    changes: Sequence[ChangedPath], read: Content, playbooks: str, protected: Sequence[str]
) -> list[Finding]:
    """Judge the changed files that are more than content. ``read`` gives a blob's bytes."""
    found: list[Finding] = []
    for change in changes:
        found += _judge_path(change, playbooks, protected)
        name = change.path.rpartition("/")[2].lower()
        if change.status == "D" or change.new_mode not in ("100644", "100755"):
            continue
        if re.search(r"(?:^|/)\.github/workflows/[^/]+\.ya?ml$|(?:^|/)action\.ya?ml$", change.path, re.IGNORECASE):
            found += _judge_workflow(change, read)
        if name == ".gitattributes":
            found += _judge_attributes(change.path, read(change.new_id), _old(change, read))
        if name == "package.json":
            found += _judge_package(change, read)
        if change.path == "pyproject.toml" and _ecluse_table(read(change.new_id)) != _ecluse_table(_old(change, read)):
            found.append(
                _finding("policy.config_changed", Verdict.QUARANTINE, change.path, "changes the policy of Écluse")
            )
        if _TEST_CONFIG.search(change.path) and _looks_away(read(change.new_id)) > _looks_away(_old(change, read)):
            found.append(
                _finding("policy.tests_weakened", Verdict.QUARANTINE, change.path, "makes the tests look away")
            )
    return found + _judge_tests(changes, read)


def _judge_path(change: ChangedPath, playbooks: str, protected: Sequence[str]) -> list[Finding]:
    found = []
    for code, what, shape in COMPILED:
        if shape.search(change.path):
            found.append(_finding(code, Verdict.QUARANTINE, change.path, f"changes {what}"))
    if change.path.startswith(f"{playbooks.strip('/')}/") and not any(
        one.code == "policy.release_changed" for one in found
    ):
        found.append(
            _finding("policy.release_changed", Verdict.QUARANTINE, change.path, "changes how releases are made")
        )
    for pattern in protected:
        if glob(pattern).fullmatch(change.path):
            found.append(_finding("policy.protected", Verdict.QUARANTINE, change.path, f"is protected by {pattern!r}"))
    return found


def _judge_workflow(change: ChangedPath, read: Content) -> list[Finding]:
    from ecluse import yaml12

    data = read(change.new_id)
    found = []
    try:
        yaml12.parse(data)
    except Problem as problem:
        twice, tagged = "already defined" in problem.message, "tag '" in problem.message
        code = "ci.yaml_duplicate" if twice else "ci.yaml_tag" if tagged else "ci.yaml"
        verdict = Verdict.REJECT if twice or tagged else Verdict.QUARANTINE
        found.append(_finding(code, verdict, change.path, f"cannot be read in one way only: {problem.message}"))
    known = {match.groups() for match in _ACTION.finditer(_old(change, read))}
    loose = [
        m.group(1)
        for m in _ACTION.finditer(data)
        if m.groups() not in known and not re.fullmatch(rb"[0-9a-f]{40}", m.group(2))
    ]
    if loose:
        names = ", ".join(sorted({word.decode("utf-8", "replace")[:60] for word in loose})[:5])
        found.append(
            _finding(
                "ci.unpinned_action",
                Verdict.QUARANTINE,
                change.path,
                f"uses actions that are not pinned to a commit: {names!a}",
            )
        )
    return found


def _judge_attributes(path: str, data: bytes, old: bytes) -> list[Finding]:
    lines = data.split(b"\n")
    if len(data) > 1 << 20 or any(len(line) > 2048 for line in lines):
        return [
            _finding(
                "toolconfig.gitattributes", Verdict.REJECT, path, "has a line over 2,048 bytes, or more than 1 MiB"
            )
        ]
    found = []
    known = set(old.split(b"\n"))
    for line in lines:
        for kind, name in re.findall(rb"\b(filter|diff|merge)=([^\s]+)", line) if line not in known else []:
            if name.decode("utf-8", "replace") not in _BUILT_IN_DRIVERS:
                found.append(
                    _finding(
                        "toolconfig.filter",
                        Verdict.QUARANTINE,
                        path,
                        f"asks for the {kind.decode()} program {name.decode('utf-8', 'replace')[:40]!a}",
                    )
                )
    return found


def _judge_package(change: ChangedPath, read: Content) -> list[Finding]:
    now, before = _scripts(read(change.new_id)), _scripts(_old(change, read))
    fresh = [name for name in _LIFECYCLE if name in now and now[name] != before.get(name)]
    if not fresh:
        return []
    return [
        _finding(
            "toolconfig.autorun",
            Verdict.QUARANTINE,
            change.path,
            f"runs a command by itself on install ({', '.join(fresh)})",
        )
    ]


def _scripts(data: bytes) -> dict[str, Any]:
    try:
        found = json.loads(data)["scripts"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _ecluse_table(data: bytes) -> Any:
    try:
        return tomllib.loads(data.decode("utf-8")).get("tool", {}).get("ecluse")
    except (ValueError, AttributeError, RecursionError):
        return None


def _judge_tests(changes: Sequence[ChangedPath], read: Content) -> list[Finding]:
    """Over all test files together, so that moving a test is not losing one."""
    touched = [
        change
        for change in changes
        if _TEST_FILE.search(change.path)
        and change.path.endswith((".py", ".js", ".ts", ".tsx", ".go", ".rs", ".rb", ".java"))
    ]
    before = sum(_count(_old(change, read)) for change in touched)
    after = sum(_count(read(change.new_id)) for change in touched if change.status != "D")
    if after < before:
        text = f"the tests make {before - after} checks fewer than before ({after} instead of {before} in the files touched)"
        return [Finding("policy.tests_weakened", Verdict.QUARANTINE, text, touched[0].path)]
    empty = [c for c in touched if c.status == "M" and _hollow(read(c.new_id)) > _hollow(_old(c, read))]
    return [
        _finding("policy.tests_weakened", Verdict.QUARANTINE, c.path, "replaces checks by ones that always hold")
        for c in empty
    ]


def _count(data: bytes) -> int:
    return len(_CHECK.findall(data))


def _hollow(data: bytes) -> int:
    return len(re.findall(rb"\bassert\s+(?:True|1)\b|\bassertTrue\(\s*True\s*\)|expect\(true\)\.toBe\(true\)", data))


def _looks_away(data: bytes) -> int:
    return len(_LOOKS_AWAY.findall(data))


def _old(change: ChangedPath, read: Content) -> bytes:
    return read(change.old_id) if change.old_mode.startswith("100") else b""


def _finding(code: str, verdict: Verdict, path: str, why: str) -> Finding:
    return Finding(code, verdict, f"{shown(path)} {why}", path)
