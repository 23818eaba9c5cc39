"""Keep a Changelog on disk: the entries under Unreleased become a version, with what the commits add."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from ecluse.git import Commit
from ecluse.release import commits

GROUPS = ("Added", "Changed", "Deprecated", "Removed", "Fixed", "Security")
_KINDS = {"feat": "Added", "fix": "Fixed", "perf": "Changed", "refactor": "Changed", "revert": "Removed"}
_SECTION = re.compile(r"^##\s+\[?([^\]\s]+)\]?(.*)$")
_GROUP = re.compile(r"^###\s+(.+?)\s*$")
_LINK = re.compile(r"^\[[^\]]+\]:\s*\S+\s*$")
_COMPARE = re.compile(r"^\[unreleased\]:\s*(\S+/compare/)(\S+?)\.\.\.\S+\s*$", re.IGNORECASE)
_START = """\
# Changelog

All notable changes of this project. The format is [Keep a Changelog](https://keepachangelog.com/en/1.1.0/),
the versions are [semantic](https://semver.org/).

## [Unreleased]
"""


@dataclass(frozen=True, slots=True)
class Written:
    """The new text, the section for the version, the entries that came from commits, and the commits left out."""

    text: str
    section: str
    added: tuple[str, ...]
    left_out: tuple[str, ...]


def entries_of(since: Sequence[Commit]) -> tuple[list[tuple[str, str]], list[str]]:
    """``(group, sentence)`` for each commit that a reader of the changelog wants, and the titles of the others."""
    entries, left_out = [], []
    for commit in commits.standing(since):
        said = commits.read(commit.message)
        if said is not None and (said.breaking or said.kind in _KINDS):
            sentence = said.text[0].upper() + said.text[1:]
            scope = f"{said.scope}: " if said.scope else ""
            mark = "**Breaking.** " if said.breaking else ""
            entries.append(("Changed" if said.breaking else _KINDS[said.kind], f"{mark}{scope}{sentence}"))
        elif len(commit.parents) < 2:
            left_out.append(commit.title)
    return entries, left_out


def release(text: str, version: str, date: str, since: Sequence[Commit], withdrawn: Sequence[str] = ()) -> Written:
    """Move Unreleased to ``version`` and add what the commits say and nobody has written yet.

    Hand-written entries keep their words and order. A section for this version that is there already (a release
    that was stopped before its tag) is completed and gets the new date; the sections of its pre-releases, and of
    ``withdrawn`` versions that were written and never released, become part of it.
    """
    head, sections, links = _cut(text or _START)
    waiting = sections.pop("Unreleased", [])
    standing = sections.pop(version, [])
    for candidate in [name for name in sections if name.startswith(f"{version}-") or name in withdrawn]:
        standing += sections.pop(candidate)
    links = [line for line in links if not line.startswith(tuple(f"[{one}]:" for one in withdrawn))]
    groups = _grouped([*standing, "", *waiting])
    known = {_key(line) for lines in groups.values() for line in lines}
    entries, left_out = entries_of(since)
    added = []
    for group, sentence in entries:
        if _key(sentence) not in known:
            known.add(_key(sentence))
            groups.setdefault(group, []).append(f"- {sentence}")
            added.append(sentence)
    section = _section(groups)
    blocks = [head.rstrip(), "## [Unreleased]", f"## [{version}] - {date}\n\n{section}".rstrip()]
    blocks += [f"{lines[0]}\n{_joined(lines[1:])}".rstrip() for lines in sections.values()]
    footer = _relink(links, version)
    whole = "\n\n".join([*blocks, *(["\n".join(footer)] if footer else [])]) + "\n"
    whole = whole.replace("\n", "\r\n") if "\r\n" in text else whole  # lines end as they did
    return Written(whole, section, tuple(added), tuple(left_out))


def _cut(text: str) -> tuple[str, dict[str, list[str]], list[str]]:
    """The head, the sections by version (the first line of each is its heading, except Unreleased), the links."""
    head: list[str] = []
    sections: dict[str, list[str]] = {}
    current: list[str] | None = None
    lines = text.splitlines()
    links: list[str] = []
    while lines and (not lines[-1].strip() or _LINK.match(lines[-1])):
        if lines[-1].strip():
            links.insert(0, lines[-1].rstrip())
        lines.pop()
    for line in lines:
        heading = _SECTION.match(line)
        if heading:
            name = "Unreleased" if heading[1].lower() == "unreleased" else heading[1].removeprefix("v")
            current = sections.setdefault(name, [])
            current.append(line)
        elif current is None:
            head.append(line)
        else:
            current.append(line)
    return "\n".join(head), sections, links


def _grouped(lines: list[str]) -> dict[str, list[str]]:
    """The entries of a section by their group; text before any group stands under an empty name."""
    groups: dict[str, list[str]] = {}
    current = groups.setdefault("", [])
    for line in lines:
        heading = _GROUP.match(line)
        if _SECTION.match(line):
            current = groups[""]
        elif heading:
            current = groups.setdefault(heading[1], [])
        elif line.strip():
            current.append(line.rstrip())
    return groups


def _section(groups: dict[str, list[str]]) -> str:
    blocks = ["\n".join(groups[""])] if groups.get("") else []
    order = [name for name in GROUPS if name in groups] + [n for n in groups if n and n not in GROUPS]
    blocks += [f"### {name}\n\n" + "\n".join(groups[name]) for name in order if groups[name]]
    return "\n\n".join(blocks) or "Maintenance only."


def _joined(lines: list[str]) -> str:
    return "\n".join(lines).rstrip()


def _key(line: str) -> str:
    """An entry for comparison: words only, without case, list marks and full stop."""
    return re.sub(r"\W+", " ", line.lstrip("-* ").lower()).strip()


def _relink(links: list[str], version: str) -> list[str]:
    """The compare links at the foot, with one for the version where Unreleased has one."""
    there = any(line.lower().startswith(f"[{version}]:") for line in links)
    found = []
    for line in links:
        compare = _COMPARE.match(line)
        if compare is None:
            found.append(line)
            continue
        found.append(f"[Unreleased]: {compare[1]}v{version}...HEAD")
        if not there:
            found.append(f"[{version}]: {compare[1]}{compare[2]}...v{version}")
    return found
