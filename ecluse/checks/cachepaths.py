"""Which files the ``path`` lines of a cache mean, on this machine and in this job.

A cache outlives the job's folder, which has another name in every run. So its files are named from anchors: ``job:`` is
the job's folder, ``home:`` what ``~`` is to the step, ``root:`` all other places.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ecluse.checks.globs import path_pattern

_JOB = "$JOB"
_GLOB = re.compile(r"[*?\[]")


@dataclass(frozen=True, slots=True)
class _Rule:
    """A line: everything below ``base`` (its part before the first wildcard), or what matches ``rest`` there."""

    wanted: bool
    base: Path
    rest: re.Pattern[str] | None

    def fits(self, path: Path) -> bool:
        if not path.is_relative_to(self.base):
            return False
        return self.rest is None or self.rest.fullmatch(path.relative_to(self.base).as_posix()) is not None


class CachePaths:
    """The files selected by ``lines``: relative ones from ``workspace``, ``~`` is ``home``, ``!`` takes files out again.

    ``job`` is the folder that ends with the job, ``without`` a folder that no cache holds: the one of the caches.
    Wildcards are those of ``hashFiles``; a folder brings all inside it. ``..`` is resolved in the text, before links.
    """

    def __init__(self, lines: Iterable[str], *, workspace: Path, home: Path, job: Path, without: Path) -> None:
        self.lines = [line for line in lines if not line.startswith("#")]
        self.job, self.home, self.without = job, home, without
        self.rules = [rule for line in self.lines if (rule := self._rule(line, workspace)) is not None]

    def _rule(self, line: str, workspace: Path) -> _Rule | None:
        wanted = not line.startswith("!")
        text = line if wanted else line[1:].strip()
        if not text:
            return None
        if text == "~" or text.startswith("~/"):
            text = f"{self.home}{text[1:]}"
        parts = Path(os.path.normpath(workspace / text)).parts
        plain = next((number for number, part in enumerate(parts) if _GLOB.search(part)), len(parts))
        base = Path(*parts[:plain])
        if base.is_relative_to(self.job):  # its own name has no wildcards, whatever characters are in it
            plain = max(plain, len(self.job.parts))
            base = Path(*parts[:plain])
        return _Rule(wanted, base, path_pattern("/".join(parts[plain:])) if plain < len(parts) else None)

    @property
    def version(self) -> str:
        """The lines as they are written, the same in every run: caches of other lines are other caches, as on GitHub."""
        return "\0".join(line.replace(str(self.job), _JOB) for line in self.lines)

    @property
    def leads_outside(self) -> bool:
        """Whether any of it lies outside the job's own folder, so that it stays when the job ends."""
        return any(rule.wanted and not rule.base.is_relative_to(self.job) for rule in self.rules)

    def selects(self, path: Path) -> bool:
        """Whether the lines mean ``path``; the last one that fits decides."""
        if path.is_relative_to(self.without):
            return False
        selected = False
        for rule in self.rules:
            if rule.fits(path):
                selected = rule.wanted
        return selected

    def files(self) -> list[tuple[str, Path]]:
        """The files, links and empty folders that are there, by name. Raises :class:`OSError`."""
        bases = [rule.base for rule in self.rules if rule.wanted]
        tops = [base for base in bases if not any(base != other and base.is_relative_to(other) for other in bases)]
        found: dict[str, Path] = {}
        for top in dict.fromkeys(tops):
            for path in _walk(top, self._is_left_out, follow=self._may_lead_on(top)):
                if self.selects(path):
                    found[self._name(path)] = path
        return sorted(found.items())

    def _is_left_out(self, folder: Path) -> bool:
        return folder == self.without

    def _may_lead_on(self, top: Path) -> bool:
        """Whether a link at the place that a line names is followed: one of the machine is, one of a step is not."""
        return not top.is_relative_to(self.job)

    def _name(self, path: Path) -> str:
        if path.is_relative_to(self.job):
            return "job:" + path.relative_to(self.job).as_posix()
        if path.is_relative_to(self.home):
            return "home:" + path.relative_to(self.home).as_posix()
        return "root:" + path.relative_to(path.anchor).as_posix()

    def place(self, name: str) -> tuple[Path, str] | None:
        """Where a file of a cache goes: a folder that may be taken as it is, and the way below it.

        ``None`` for what these lines do not mean. Below the folder no link is followed.
        """
        anchor, _, rest = name.partition(":")
        root = {"job": self.job, "home": self.home, "root": Path(os.sep)}.get(anchor)
        if root is None or os.path.normpath(rest) != rest or rest.startswith(("..", os.sep)):
            return None
        path = root / rest
        if not self.selects(path):
            return None
        if path.is_relative_to(self.job):
            return self.job, path.relative_to(self.job).as_posix()
        bases = [rule.base for rule in self.rules if rule.wanted and rule.fits(path)]
        base = max(bases, key=lambda one: len(one.parts))
        base = base.parent if base == path else base
        return base, path.relative_to(base).as_posix()


def _walk(top: Path, is_left_out: Callable[[Path], bool], *, follow: bool) -> Iterator[Path]:
    """Files and links at and below ``top``, and folders with nothing in them; sockets, pipes and devices are left out."""
    if top.is_file() or (top.is_symlink() and not (follow and top.is_dir())):
        yield top
    elif top.is_dir() and not is_left_out(top):
        with os.scandir(top) as listing:
            entries = sorted(listing, key=lambda entry: entry.name)
        if not entries:
            yield top
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield from _walk(Path(entry.path), is_left_out, follow=False)
            elif entry.is_symlink() or entry.is_file():
                yield Path(entry.path)
