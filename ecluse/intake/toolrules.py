"""Files that steer tools, people's machines or Écluse itself: a change of them needs a person, some are refused."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Sequence
from typing import Any

from ecluse.errors import Problem
from ecluse.git import ChangedPath
from ecluse.guarded import COMPILED, glob
from ecluse.intake.installrules import judge_install
from ecluse.intake.pathrules import shown
from ecluse.model import Finding, Verdict
from ecluse.patterns import expression

Content = Callable[[str], bytes]
"""Blob id to bytes (empty for none)."""

_ACTION = expression(rb"^\s*-?\s*uses:\s*[\"']?(?!\.{0,2}/|docker://)([^\s\"'#]+?)@([^\s\"'#]+)", re.M)
_BUILT_IN_DRIVERS = {"lfs", "binary", "text", "union", "ours"} | {
    "ada", "bash", "bibtex", "cpp", "csharp", "css", "dts", "elixir", "fortran", "fountain", "golang", "html", "java",
    "kotlin", "markdown", "matlab", "objc", "pascal", "perl", "php", "python", "ruby", "rust", "scheme", "tex",
}  # fmt: skip
_HIDES = expression(
    rb"\s*(\*|[^\s]*\*\.(?:py|js|mjs|ts|tsx|jsx|go|rs|java|kt|c|h|cc|cpp|cs|rb|php|swift|sh|ps1|ya?ml|toml))(?:\s+[^\s]+)*?\s+(?:-diff|binary)(?:\s|$)"
    rb"|\s*([^\s#]+)(?:\s+[^\s]+)*?\s+working-tree-encoding=(?!utf-?(?:8|16))", re.IGNORECASE,
)  # fmt: skip
_TEST_FILE = expression(
    r"(?:^|/)(?:tests?|spec|__tests__)/|(?:^|/)(?:test_[^/]*|[^/]*_test|[^/]*\.(?:test|spec))\.[a-z]+$"
)
_CHECK = expression(
    rb"\bassert(?:[A-Z]\w*|_\w+)?\b|\bexpect\s*\(|\bpytest\.raises\b|\bt\.(?:Error|Fatal)|\b(?:should|must)\.|\bassert\w*!"
)
_TEST_CONFIG = expression(
    r"(?:^|/)(?:pytest\.ini|tox\.ini|setup\.cfg|pyproject\.toml|conftest\.py|jest\.config\.[a-z]+|\.coveragerc)$"
)
_SKIPPED = expression(
    rb"@(?:pytest\.mark\.(?:skip|xfail)|unittest\.skip|Disabled|Ignore)\b(?!\w)|\bpytest\.(?:skip|xfail)\(|\bt\.Skip(?:Now|f)?\("
    rb"|\b(?:it|test|describe|context)\.(?:skip|only|todo)\b|\bx(?:it|describe|test)\s*\(|\bf(?:it|describe)\s*\(|#\[ignore|^\s*skip\s+\"",
    re.M,
)
_RUNS_TESTS = expression(
    r"(?:^|/)(?:package\.json|composer\.json|Makefile|GNUmakefile|justfile|tox\.ini|noxfile\.py|Taskfile\.ya?ml)$"
)
_MUFFLED = expression(
    rb"(?:test|tox|jest|mocha|check|lint)[^\n]{0,200}?(?:\|\||;)\s*(?:true|:|exit 0|echo\b)|^\t-[^\n]*(?:test|check)"
    rb"|\"(?:test|check|lint)\"\s*:\s*\"(?:true|:|exit 0|echo\b[^&|\n]{0,200}?)\"\s*(?:[,}]|$)", re.M,
)  # fmt: skip
_SANE = 1 << 18
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
        found += judge_install(change, read)
        if change.path == "pyproject.toml" and _ecluse_table(read(change.new_id)) != _ecluse_table(_old(change, read)):
            found.append(
                _finding("policy.config_changed", Verdict.QUARANTINE, change.path, "changes the policy of Écluse")
            )
        if _TEST_CONFIG.search(change.path) and _looks_away(read(change.new_id)) > _looks_away(_old(change, read)):
            found.append(
                _finding("policy.tests_weakened", Verdict.QUARANTINE, change.path, "makes the tests look away")
            )
        if _RUNS_TESTS.search(change.path) and _muffled(read(change.new_id)) > _muffled(_old(change, read)):
            text = "has the tests' failure counted as success"
            found.append(_finding("policy.tests_weakened", Verdict.QUARANTINE, change.path, text))
    return found + _judge_tests(changes, read)


def _judge_path(change: ChangedPath, playbooks: str, protected: Sequence[str]) -> list[Finding]:
    found = []
    linked = {change.old_mode, change.new_mode} & {"120000", "160000"}  # what stands where a folder may stand
    for code, what, shape in COMPILED:
        if shape.search(change.path) or (linked and shape.search(f"{change.path}/")):
            found.append(_finding(code, Verdict.QUARANTINE, change.path, f"changes {what}"))
    if f"{change.path}/".startswith(f"{playbooks.strip('/')}/") and not any(
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
    used: set[bytes] = set()
    try:
        used = _uses(yaml12.parse(data))
    except Problem as problem:
        twice, tagged = "already defined" in problem.message, "tag '" in problem.message
        code = "ci.yaml_duplicate" if twice else "ci.yaml_tag" if tagged else "ci.yaml"
        verdict = Verdict.REJECT if twice or tagged else Verdict.QUARANTINE
        found.append(_finding(code, verdict, change.path, f"cannot be read in one way only: {problem.message}"))
    known = {match.groups() for match in _ACTION.finditer(_old(change, read))}
    named = {match.groups() for match in _ACTION.finditer(data)}
    named |= {match.groups() for one in used if (match := _ACTION.match(b"uses: " + one))}
    loose = [name for name, at in named - known if not re.fullmatch(rb"[0-9a-f]{40}", at)]
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


def _uses(node: Any) -> set[bytes]:
    """Every `uses` of a workflow, however it is written: in flow style, quoted, by an alias."""
    from ecluse import yaml12

    found: set[bytes] = set()
    todo = [yaml12.plain(node)]
    while todo:
        one = todo.pop()
        if isinstance(one, dict):
            if isinstance(one.get("uses"), str):
                found.add(one["uses"].encode("utf-8", "replace"))
            todo += one.values()
        elif isinstance(one, list):
            todo += one
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
        if line not in known and (hides := _HIDES.match(line)):
            text = f"has changes of {(hides[1] or hides[2]).decode('utf-8', 'replace')[:40]!a} not shown, or its bytes changed on checkout"
            found.append(_finding("toolconfig.filter", Verdict.QUARANTINE, path, text))
    return found


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
    if sum(len(_SKIPPED.findall(read(c.new_id))) for c in touched if c.status != "D") > sum(
        len(_SKIPPED.findall(_old(c, read))) for c in touched
    ):
        text = "more tests are left out than before"
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


def _muffled(data: bytes) -> int:
    return len(_MUFFLED.findall(data[:_SANE])) + (len(data) > _SANE)  # nobody can review more of it


def _looks_away(data: bytes) -> int:
    return len(_LOOKS_AWAY.findall(data))


def _old(change: ChangedPath, read: Content) -> bytes:
    return read(change.old_id) if change.old_mode.startswith("100") else b""


def _finding(code: str, verdict: Verdict, path: str, why: str) -> Finding:
    return Finding(code, verdict, f"{shown(path)} {why}", path)
