"""The validation levels: checks that need no workflow.

``minimal`` is the state of the checkout, the syntax of changed Python files and the build of ``package.json``; the others
add tests, linter and types. What runs code of the change does so only where somebody vouches for it.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ecluse import process
from ecluse.errors import Failed, Unsupported, Waits
from ecluse.git import ChangedPath, Identity, Repository
from ecluse.git.nouns import EMPTY_TREE
from ecluse.intake.objects import read_blobs
from ecluse.model import Change, ChangeState

if TYPE_CHECKING:
    from ecluse.intake.snapshot import Snapshot

LEVELS = ("none", "minimal", "standard", "complete")
EXECUTING = ("standard", "complete")
"""Levels that are for running code of the change: without trust they are refused, not cut short."""

_FILE_CAP = 4 << 20
_TIMEOUT_S = 60.0

_CHILD = """
import ast, json, sys, warnings
try:
    import resource
    resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
    resource.setrlimit(resource.RLIMIT_CPU, (50, 55))
except (ImportError, ValueError, OSError):
    pass
warnings.simplefilter("ignore")
source, wrong, number = sys.stdin.buffer, [], 0
while True:
    head = source.read(8)
    if len(head) < 8:
        break
    data = source.read(int.from_bytes(head, "big"))
    try:
        compile(data, "change", "exec", flags=ast.PyCF_ONLY_AST, dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError) as error:
        wrong.append([number, getattr(error, "lineno", 0) or 0, str(getattr(error, "msg", "") or error or type(error).__name__)])
    number += 1
json.dump(wrong, sys.stdout)
"""


def check_level(level: str) -> None:
    """Raise :class:`Unsupported` for a level that there is not."""
    if level not in LEVELS:
        raise Unsupported(
            "validate.level", f"There is no validation level {level!r}.", f"choose one of: {', '.join(LEVELS)}"
        )


def validate(repository: Repository, revision: str | None = None, level: str = "minimal") -> list[dict[str, Any]]:
    """Validate a revision, or with ``None`` the checkout with its uncommitted work; against what it is based on.

    Each result is ``{name, level, result, duration_ms, tree, detail}`` with ``result`` one of success, failure,
    skipped. Raises :class:`Waits` (``validate.trust``) when the level runs code of a change that nobody trusts here.
    """
    from ecluse.intake.baseline import find_baseline
    from ecluse.intake.snapshot import FILE_CAP, take

    check_level(level)
    with repository.temporary_clone() as temporary:
        commit = repository.commit_id(revision or "HEAD")
        doubt = _distrust(repository, commit) if revision is not None else None
        if doubt is not None and level in EXECUTING:
            raise doubt
        base = find_baseline(repository, commit).commit
        lying = None
        if revision is None:
            who = Identity("Écluse", "ecluse@localhost")
            lying = take(repository, temporary, commit, who=lambda: who, max_file_bytes=FILE_CAP)
            commit = lying.commit or commit
        return validate_tree(
            temporary, base, commit, level, checkout=repository.work_tree, execute=doubt is None, lying=lying
        )


def _distrust(repository: Repository, commit: str) -> Waits | None:
    """What lies on a branch here is one's own; what came in by a bundle is run when the policy or a person trusts it."""
    if repository.text("for-each-ref", "--count=1", "--contains", commit, "refs/heads"):
        return None
    if (head := repository.resolve("HEAD")) and repository.is_ancestor(commit, head):
        return None
    key = "CHANGE"
    if (repository.state_dir / "history.db").exists():
        from ecluse.history import History

        with History.open(repository.state_dir) as history:
            for change in history.find(Change, head=commit):
                if change.trusted_by and change.state in (ChangeState.READY, ChangeState.LANDED):
                    return None
                key = change.key
    return Waits(
        "validate.trust",
        f"{commit[:12]} is on no branch here, and no key, policy or person vouches for it: its code is not run.",
        f"look at it (git show {commit[:12]}), then: ecluse review {key} --accept --why TEXT; or use --level minimal",
    )


def validate_tree(
    repository: Repository,
    base: str,
    commit: str,
    level: str,
    *,
    checkout: Path | None = None,
    execute: bool = False,
    lying: Snapshot | None = None,
) -> list[dict[str, Any]]:
    """Validate what ``commit`` changes against ``base`` (empty: everything it holds).

    Code of the change runs only with ``execute``; without, the checks that would need it are listed as skipped, with
    the reason. ``checkout`` is the work tree whose installed tools may be used, ``lying`` what lay in it uncommitted.
    """
    check_level(level)
    if level == "none":
        return []
    changes = repository.changed_paths(base or EMPTY_TREE, commit)
    tree = repository.tree_id(commit)
    found = [_python_syntax(repository, changes, tree, "minimal")]
    if lying is not None:
        found.append(_git_status(lying, tree))
    if level == "complete":
        found += _dockerfiles(repository, changes, tree)
    if level == "minimal" and not repository.list_tree(commit, "package.json"):
        return found
    from ecluse.intake import toolchecks

    if execute:
        return found + toolchecks.run_tools(repository, commit, changes, level, checkout)
    why = f"not checked: it runs code of the change; after a person or a key vouches for it: ecluse validate {commit[:12]} --level {level}"
    for name, of in toolchecks.tools_of(level):
        row = {"name": name, "level": of, "result": "skipped", "detail": why, "duration_ms": 0.0, "tree": tree}
        found.append(row)
    return found


def _git_status(lying: Snapshot, tree: str) -> dict[str, Any]:
    """What was uncommitted in the checkout, counted. It describes; what may not be carried is the export's to say."""
    began = time.monotonic()
    count = Counter(lying.origins.values())
    left = sum(one["reason"] not in ("ignored", "own") for one in lying.not_carried)
    words = [f"{number} {word}" for word, number in sorted(count.items())] + ([f"{left} left out"] if left else [])
    return {
        "name": "git-status", "level": "minimal", "result": "success",
        "detail": ", ".join(words) or "clean", "duration_ms": round((time.monotonic() - began) * 1000, 1), "tree": tree,
    }  # fmt: skip


def _python_syntax(repository: Repository, changes: Sequence[ChangedPath], tree: str, level: str) -> dict[str, Any]:
    began = time.monotonic()
    wanted = [c for c in changes if c.path.endswith((".py", ".pyi")) and c.new_mode in ("100644", "100755")]
    outcome = {"name": "python-syntax", "level": level, "result": "skipped", "detail": "no Python file changed"}
    if wanted:
        outcome |= _compile(repository, wanted)
    return outcome | {"duration_ms": round((time.monotonic() - began) * 1000, 1), "tree": tree}


def _dockerfiles(repository: Repository, changes: Sequence[ChangedPath], tree: str) -> list[dict[str, Any]]:
    """Changed Dockerfiles, read and judged here; an error is red, everything else is said. No row without one."""
    from ecluse import dockerfiles

    began = time.monotonic()
    where = {
        c.new_id: c.path for c in changes if dockerfiles.is_dockerfile(c.path) and c.new_mode in ("100644", "100755")
    }
    if not where:
        return []
    found = [
        (where[oid], one)
        for oid, data in read_blobs(repository, where, _FILE_CAP)
        for one in dockerfiles.lint(data.decode("utf-8", "replace"))
    ]
    red = any(one.level is dockerfiles.Level.ERROR for _, one in found)
    detail = "\n".join(f"{path}:{one}" for path, one in found[:20]) or "without fault: " + ", ".join(where.values())
    took = round((time.monotonic() - began) * 1000, 1)
    row = {"name": "dockerfile", "level": "complete", "result": "failure" if red else "success", "detail": detail}
    return [row | {"duration_ms": took, "tree": tree}]


def _compile(repository: Repository, wanted: Sequence[ChangedPath]) -> dict[str, Any]:
    """Parse the files in a process of their own: hostile source may exhaust a parser, and must not exhaust ours."""
    paths: list[str] = []
    where = {change.new_id: change.path for change in wanted}
    with tempfile.TemporaryFile() as fed:
        for oid, data in read_blobs(repository, where, _FILE_CAP):
            paths.append(where[oid])
            fed.write(len(data).to_bytes(8, "big") + data)
        fed.seek(0)
        try:
            done = process.run(
                [sys.executable, "-I", "-S", "-c", _CHILD],
                cwd=Path(tempfile.gettempdir()), stdin=fed, timeout_s=_TIMEOUT_S, check=False,
            )  # fmt: skip
        except Failed as error:
            if error.code != "process.timeout":
                raise
            return {"result": "failure", "detail": f"the parser did not end within {_TIMEOUT_S:g} s"}
    if done.code:
        return {"result": "failure", "detail": "the parser could not cope with the files"}
    wrong = [f"{paths[number]}:{line}: {why}" for number, line, why in json.loads(done.stdout)]
    if wrong:
        return {"result": "failure", "detail": "; ".join(wrong[:10])}
    return {"result": "success", "detail": f"{len(paths)} Python file{'s' if len(paths) != 1 else ''}"}
