"""The installed command, as a process of its own, the way a person or an agent runs it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ECLUSE = [sys.executable, "-P", "-m", "ecluse"]


@dataclass(frozen=True)
class Said:
    """What a command came to."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    def __str__(self) -> str:
        return f"exit {self.code}\n--- out\n{self.out}\n--- err\n{self.err}"


class Cli:
    """Runs ``ecluse`` with a home of its own; ``env`` may be changed by a test."""

    def __init__(self, home: Path) -> None:
        self.env = {key: value for key, value in os.environ.items() if not key.startswith(("GIT_", "PYTEST_"))}
        self.env["HOME"] = str(home)

    def __call__(
        self, *words: str, cwd: Path, stdin: bytes = b"", expect: int | None = 0, env: dict[str, str] | None = None
    ) -> Said:
        done = subprocess.run(
            [*ECLUSE, *words], cwd=cwd, input=stdin, capture_output=True, env={**self.env, **(env or {})}, check=False
        )
        said = Said(done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace"))
        assert not re.search(r"^Traceback", said.err + said.out, flags=re.M), str(said)
        if expect is not None:
            assert said.code == expect, f"{' '.join(words)}: {said}"
        return said


@pytest.fixture
def cli(own_home: Path) -> Cli:
    return Cli(own_home)
