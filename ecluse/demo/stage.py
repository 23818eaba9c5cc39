"""Running commands in front of a viewer: what is typed, what it says, how long it took."""

from __future__ import annotations

import os
import shlex
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ecluse import process
from ecluse.errors import Failed


@dataclass(frozen=True, slots=True)
class Shown:
    """A command that was run in front of the viewer: its exit status and the lines it printed."""

    code: int
    lines: tuple[str, ...]


class Stage:
    """Says scenes and runs commands, each line through ``say``. ``total`` is the number of scenes."""

    def __init__(self, say: Callable[[str, str], None], total: int, home: Path) -> None:
        self._say = say
        self._total = total
        self._scene = 0
        self._began = time.monotonic()
        self._home = home

    def scene(self, title: str) -> None:
        """A new step of the demo, numbered, with the time since the start."""
        self._scene += 1
        self._say("", "")
        self._say(f"[{self._scene}/{self._total}] {title}  ({time.monotonic() - self._began:.1f} s)", "bold")

    def note(self, text: str) -> None:
        """A remark for the viewer."""
        self._say(f"    {text}", "")

    def run(
        self, *words: str, cwd: Path, expect: int | Sequence[int] = 0, shown: str = "", quiet: bool = False
    ) -> Shown:
        """Run one command in ``cwd`` and show it. Raises :class:`Failed` unless it ends as the play expects."""
        allowed = (expect,) if isinstance(expect, int) else tuple(expect)
        self._say(f"    $ {shown or shlex.join(words)}", "step")
        lines: list[str] = []

        def on_line(line: str) -> None:
            lines.append(line)
            if not quiet:
                self._say(f"      {line}", "dim")

        argv = [sys.executable, "-P", "-m", "ecluse", *words[1:]] if words[0] == "ecluse" else list(words)
        code = process.stream(argv, on_line, cwd=cwd, env=self._environment())
        if code not in allowed:
            said = "\n".join(lines[-15:]) if quiet else ""
            raise Failed(
                "demo.unexpected",
                f"`{shlex.join(words)}` ended with {code}, the demo expected {' or '.join(map(str, allowed))}. {said}".rstrip(),
                "ecluse doctor",
            )
        if code:
            self.note(f"(exit status {code}, as it should be: {_MEANING.get(code, 'see ecluse help exit-codes')})")
        return Shown(code, tuple(lines))

    def _environment(self) -> dict[str, str]:
        """The viewer's environment with a home of the demo's own: sandboxes know nobody."""
        env = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
        env.update(HOME=str(self._home), XDG_CONFIG_HOME=str(self._home / ".config"), PYTHONUNBUFFERED="1")
        env.setdefault("XDG_CACHE_HOME", str(Path.home() / ".cache"))
        return env


_MEANING = {3: "it waits for a person", 4: "refused", 5: "the checks are red"}
