"""Submodules: what ``.gitmodules`` may say, and which pointers may move."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence

from ecluse.git import ChangedPath, Repository
from ecluse.intake.pathrules import is_dotgit, judge_path, shown
from ecluse.model import Finding, Verdict
from ecluse.patterns import expression

_GOOD_URL = expression(
    r"(?:(?i:https)://[A-Za-z0-9]|ssh://[A-Za-z0-9]|[A-Za-z0-9_.-]+@[A-Za-z0-9][A-Za-z0-9.-]*:[^-]|\.\./)"
)


def judge_submodules(
    repository: Repository, changes: Sequence[ChangedPath], modes: Mapping[str, str], gitmodules: Sequence[str]
) -> list[Finding]:
    """Judge moved pointers and every version of ``.gitmodules`` in ``gitmodules`` (blob ids, the result's last)."""
    found: list[Finding] = []
    declared: set[str] = set()
    for number, blob in enumerate(gitmodules):
        sections = _read(repository, blob)
        if sections is None:
            found.append(_finding("submodule.malformed", ".gitmodules cannot be read"))
            continue
        for name, settings in sections.items():
            found += _judge_section(name, settings, modes)
        if number == len(gitmodules) - 1:
            declared = {settings.get("path", "") for settings in sections.values()}
    for change in changes:
        if change.path.lower() == ".gitmodules":
            text = "what submodules are, and where they come from, is changed"
            found.append(Finding("submodule.changed", Verdict.QUARANTINE, text, change.path))
        if change.new_mode != "160000":
            continue
        if change.path not in declared:
            found.append(
                Finding(
                    "submodule.not_allowed",
                    Verdict.REJECT,
                    f"{shown(change.path)} is a submodule that .gitmodules does not name",
                    change.path,
                )
            )
        else:
            text = (
                f"the submodule {shown(change.path)} moves to {change.new_id[:12]}, whose content is not in the bundle"
            )
            found.append(Finding("submodule.changed", Verdict.QUARANTINE, text, change.path))
    return found


def _read(repository: Repository, blob: str) -> dict[str, dict[str, str]] | None:
    listed = repository.run("config", "--no-includes", "--blob", blob, "--null", "--list", check=False)
    if listed.code:
        return None
    sections: dict[str, dict[str, str]] = {}
    for item in os.fsdecode(listed.stdout).split("\0"):
        key, _, value = item.partition("\n")
        if key.startswith("submodule.") and key.count(".") >= 2:
            name, _, setting = key[len("submodule.") :].rpartition(".")
            sections.setdefault(name, {})[setting] = value
    return sections


def _judge_section(name: str, settings: Mapping[str, str], modes: Mapping[str, str]) -> list[Finding]:
    found = []
    said = shown(name)[:80]
    if ".." in re.split(r"[/\\]", name) or name.startswith(("/", "-")) or _has_control(name) or not name:
        found.append(_finding("submodule.name", f"the submodule name {said!r} leads elsewhere"))
    path = settings.get("path", "")
    worst = judge_path(path)[:1] if path else []
    if not path or path.startswith("-") or _has_control(path) or any(one.verdict is Verdict.REJECT for one in worst):
        found.append(
            _finding("submodule.path", f"the submodule {said!r} has the path {shown(path)!r}, which is not allowed")
        )
    elif _meets_link(path, modes):
        found.append(_finding("submodule.path", f"the path of the submodule {said!r} is a link on some file system"))
    url = settings.get("url", "")
    if (
        not _GOOD_URL.match(url)
        or _has_control(url)
        or "%0" in url.lower()
        or "::" in url
        or is_dotgit(url.rstrip("/").rpartition("/")[2])
    ):
        found.append(_finding("submodule.url", f"the submodule {said!r} comes from a place that is not https or ssh"))
    if settings.get("update", "checkout") not in ("checkout", "rebase", "merge", "none"):
        found.append(_finding("submodule.update", f"the submodule {said!r} wants a command run on update"))
    return found


def _meets_link(path: str, modes: Mapping[str, str]) -> bool:
    links = {one.casefold() for one, mode in modes.items() if mode == "120000"}
    parts = path.casefold().split("/")
    return any("/".join(parts[: n + 1]) in links for n in range(len(parts)))


def _has_control(text: str) -> bool:
    return any(ord(c) < 32 or 127 <= ord(c) < 160 for c in text)


def _finding(code: str, text: str) -> Finding:
    return Finding(code, Verdict.REJECT, text, ".gitmodules")
