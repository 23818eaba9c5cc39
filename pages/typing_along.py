"""Types the commands of a page into a shell, one after the other, the way its reader would."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from ecluse import process
from pages import reading, settings

_PLACEHOLDERS = {"CHANGE": r"\b(?:chg|bundle|patch|mail|edits)-[0-9a-z]{12}\b", "RELEASE": r"\brel-\w+"}
"""Word in capitals in a page -> what stands for it: the id that was said last."""

_PATIENCE_S = 120.0


@dataclass(frozen=True)
class Typed:
    """A command that was typed: its exit status, and all it said on both streams."""

    code: int
    said: str


class Reader:
    """Somebody who has made ``setting`` below ``folder`` and reads a page there."""

    def __init__(self, folder: Path, setting: str) -> None:
        self.folder = folder
        settings.prepare(setting, folder)
        self.cwd = settings.begin_in(setting, folder)
        self.known = dict[str, str]()
        self.left_out = list[str]()
        self.env = surroundings(folder)
        self.env["GNUPGHOME"] = tempfile.mkdtemp(prefix="gpg-")  # a short path: its agent's socket lies in it
        made = folder / "known.json"
        if made.exists():
            self.known = json.loads(made.read_text())

    def read(self, page: Path) -> int:
        """Type every command of ``page`` that is to be run; how many they were. Raises AssertionError."""
        count = 0
        for block in reading.blocks(page):
            need = block.words.get("needs", "")
            if need and shutil.which(need) is None:
                self.left_out.append(f"{block}: {need} is not on this machine")
            elif block.kind in reading.COMMANDS and "not run" not in block.words:
                count += self.follow(block)
        return count

    def follow(self, block: reading.Block) -> int:
        """Type the commands of one block and compare what they say with what is shown."""
        if "in" in block.words:
            self.cwd = (self.cwd / block.words["in"]).resolve()
        listed = reading.commands(block)
        for place, (command, shown) in enumerate(listed):
            last = place == len(listed) - 1
            expected = int(block.words.get("exit", 0)) if last else 0
            until = block.words.get("stop after", "") if last else ""
            typed = self.type(command, until)
            at = f"{block}: {command}\n--- exit {typed.code}\n{typed.said}"
            assert typed.code == expected, f"{at}\n--- expected exit {expected}"
            assert "Traceback (most recent call last)" not in typed.said, at
            missing = not_said(shown, typed.said)
            assert not missing, f"{at}\n--- the page shows what was not said: {missing}"
        return len(listed)

    def type(self, command: str, until: str = "") -> Typed:
        """Run one command where the last one left off. With ``until`` it is asked to end once it has said that."""
        for word, known in self.known.items():
            command = re.sub(rf"\b{word}\b", known, command)
        command = re.sub(r"\becluse serve\b(?!.*--port)", "ecluse serve --port 0", command)  # 8470 may be taken here
        note = self.folder / "cwd"
        script = f"trap 'pwd -P > \"{note}\"' EXIT\n{command}\n"
        if until:
            script = f"exec {command}\n"
        started = subprocess.Popen(
            ["sh", "-ec", script],
            cwd=self.cwd,
            env=self.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        said = self._listen_until(started, until) if until else started.communicate(timeout=_PATIENCE_S)[0]
        if note.exists():
            self.cwd = Path(note.read_text().strip())
            note.unlink()
        for word, shape in _PLACEHOLDERS.items():
            found = re.findall(shape, said)
            if found:
                self.known[word] = found[-1]
        return Typed(started.returncode, said)

    def leave(self) -> None:
        """End the services and jobs that the page's commands left running."""
        for job in self.folder.rglob("job.json"):
            process.cancel_job(job.parent)
        if shutil.which("gpgconf") and any(Path(self.env["GNUPGHOME"]).iterdir()):
            subprocess.run(["gpgconf", "--kill", "all"], env=self.env, check=False)
        shutil.rmtree(self.env["GNUPGHOME"], ignore_errors=True)

    @staticmethod
    def _listen_until(started: subprocess.Popen[str], until: str) -> str:
        assert started.stdout is not None
        said = ""
        deadline = time.monotonic() + _PATIENCE_S
        for line in started.stdout:
            said += line
            if until in said or time.monotonic() > deadline:
                break
        started.send_signal(signal.SIGTERM)
        return said + started.communicate(timeout=_PATIENCE_S)[0]


def surroundings(folder: Path) -> dict[str, str]:
    """The environment of a reader: a home of their own below ``folder``, and ``ecluse`` on the path."""
    programs = folder / "bin"
    if not programs.exists():
        programs.mkdir(parents=True)
        made = programs / "ecluse"
        made.write_text(f'#!/bin/sh\nexec "{sys.executable}" -P -m ecluse "$@"\n')
        made.chmod(0o755)
    env = {key: value for key, value in os.environ.items() if not key.startswith(("GIT_", "PYTEST_", "ECLUSE_"))}
    home = folder / "home"
    return env | {
        "PATH": f"{programs}{os.pathsep}{Path(sys.executable).parent}{os.pathsep}{env['PATH']}",
        "HOME": str(home),
        "XDG_CACHE_HOME": str(home / ".cache"),
        "XDG_CONFIG_HOME": str(home / ".config"),
        "XDG_STATE_HOME": str(home / ".state"),
        "ECLUSE_HOME": str(home / ".ecluse"),
        "PYTHONIOENCODING": "utf-8",
        "GIT_CONFIG_NOSYSTEM": "1",
    }


def not_said(shown: list[str], said: str) -> list[str]:
    """The first of the shown lines that ``said`` does not hold, in order; ``…`` stands for anything."""
    lines = [line.rstrip() for line in said.splitlines()]
    for one in (line.rstrip() for line in shown):
        shape = re.compile(".*".join(map(re.escape, one.split("…"))))
        place = next((at for at, line in enumerate(lines) if shape.fullmatch(line)), None)
        if place is None:
            return [one]
        lines = lines[place + 1 :]
    return []
