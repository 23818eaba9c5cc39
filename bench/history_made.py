"""A repository as the bar of intake names it: a tree of 10,000 files and 500 linear commits on top of it."""

from __future__ import annotations

import random
import subprocess
from pathlib import Path
from typing import IO

FOLDERS, FILES_A_FOLDER = 100, 100
COMMITS = 500
SEED = 20251110

_WORDS = ("order", "river", "gate", "level", "barge", "water", "close", "open", "count", "table", "value", "check")


def make_repository(folder: Path) -> None:
    """``main`` with one commit that holds 10,000 small source files, checked out."""
    folder.mkdir(parents=True)
    git(folder, "init", "-q", "-b", "main", ".")
    git(folder, "config", "user.name", "Bench")
    git(folder, "config", "user.email", "bench@example.invalid")
    with subprocess.Popen(["git", "fast-import", "--quiet"], cwd=folder, stdin=subprocess.PIPE) as importer:
        assert importer.stdin is not None
        dice = random.Random(SEED)
        stream = importer.stdin
        _commit(stream, 0, "feat: ten thousand files")
        for path in paths():
            _write(stream, path, lines(dice, 30))
        stream.close()
    git(folder, "reset", "-q", "--hard", "main")


def add_commits(folder: Path) -> None:
    """500 commits in a line; each rewrites a few lines of two files, every tenth also adds a file."""
    dice = random.Random(SEED + 1)
    every = paths()
    with subprocess.Popen(["git", "fast-import", "--quiet"], cwd=folder, stdin=subprocess.PIPE) as importer:
        assert importer.stdin is not None
        stream = importer.stdin
        tip = git(folder, "rev-parse", "HEAD")
        kept: dict[str, list[str]] = {}
        for number in range(1, COMMITS + 1):
            _commit(stream, number, f"fix: step {number} of {COMMITS}", tip if number == 1 else "")
            for path in dice.sample(every[:400], 2):
                text = kept.setdefault(path, (folder / path).read_text().splitlines())
                at = dice.randrange(len(text))
                text[at : at + 3] = lines(dice, 5)
                _write(stream, path, text)
            if number % 10 == 0:
                _write(stream, f"new/file{number}.py", lines(dice, 30))
        stream.close()
    git(folder, "reset", "-q", "--hard", "main")


def paths() -> list[str]:
    """The 10,000 names, in an order that spreads over all folders."""
    return [f"src/part{one:02d}/module{two:02d}.py" for two in range(FILES_A_FOLDER) for one in range(FOLDERS)]


def lines(dice: random.Random, number: int) -> list[str]:
    """Lines that look like source code, are valid Python, and hardly ever repeat."""
    return [
        f"{dice.choice(_WORDS)}_{dice.randrange(10**6)} = {dice.randrange(10**9)}  # {dice.choice(_WORDS)}"
        for _ in range(number)
    ]


def _commit(stream: IO[bytes], number: int, message: str, parent: str = "") -> None:
    stream.write(b"commit refs/heads/main\n")
    stream.write(b"committer Bench <bench@example.invalid> %d +0000\n" % (1_750_000_000 + 60 * number))
    stream.write(b"data %d\n%s\n" % (len(message), message.encode()))
    if parent:
        stream.write(b"from %s\n" % parent.encode())


def _write(stream: IO[bytes], path: str, text: list[str]) -> None:
    data = "".join(f"{line}\n" for line in text).encode()
    stream.write(b"M 100644 inline %s\ndata %d\n%s\n" % (path.encode(), len(data), data))


def git(folder: Path, *words: str) -> str:
    """What a git command prints."""
    return subprocess.run(["git", *words], cwd=folder, check=True, stdout=subprocess.PIPE).stdout.decode().strip()
