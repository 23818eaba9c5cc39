"""A newcomer's path: from a fresh clone of Écluse to the first landed change.

Nothing is typed here that the README does not show or the tool has not said: the commands are read from both. What a
newcomer has to think of are the words that stand for something (NAME, TEXT, BUNDLE, YOUR_KEY).
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ecluse import signing
from pages import reading
from pages.typing_along import Reader

README = reading.ROOT / "README.md"


@pytest.fixture
def newcomer(own_home: Path, tmp_path: Path) -> Iterator[Reader]:
    """Somebody with a repository of their own and a fresh clone of Écluse, installed as the README says."""
    if not (reading.ROOT / ".git").exists():
        pytest.skip("these sources are not a git repository, so nothing can be cloned")
    reader = Reader(tmp_path / "here", "project")
    clone, place = tmp_path / "ecluse", tmp_path / "installed"
    subprocess.run(["git", "clone", "-q", str(reading.ROOT), str(clone)], check=True)
    (install,) = [code for _, code in reading.inline_code(clone / "README.md") if code.startswith("pip install .")]
    told = {"PIP_NO_INDEX": "1", "PIP_NO_DEPS": "1", "PIP_NO_BUILD_ISOLATION": "0", "PIP_PREFIX": str(place)}
    told["PIP_IGNORE_INSTALLED"] = "1"  # else the one that runs this test would be taken away
    words = [sys.executable, "-m", *install.split(), "--quiet"]  # what it needs lies in this environment already
    subprocess.run(words, cwd=clone, env={**os.environ, **told}, check=True)
    (reader.folder / "bin" / "ecluse").unlink()
    reader.env["PATH"] = f"{place / 'bin'}{os.pathsep}{reader.env['PATH']}"
    reader.env["PYTHONPATH"] = str(next((place / "lib").glob("python*/site-packages")))
    assert shutil.which("ecluse", path=reader.env["PATH"]) == str(place / "bin" / "ecluse")
    yield reader
    reader.leave()


def readme(beginning: str) -> list[str]:
    """The commands of the README's block whose first command begins so."""
    for block in reading.blocks(README):
        if block.kind in reading.COMMANDS and block.text.startswith(beginning):
            return [command for command, _ in reading.commands(block)]
    raise AssertionError(f"the README shows nothing that begins with {beginning!r}")


def hinted(said: str) -> list[str]:
    """The commands that the tool names, in the order in which they can be typed: what is needed first comes first."""
    found = []
    for text in re.findall(r"(?:\bnext: |Next:\n  |(?:land|with): )(.+)", said):
        main, _, aside = text.partition(" (")
        found += [inner.rstrip(")") for inner in re.findall(r"with: (.+)", aside)]
        found += [main]
    return found


@pytest.mark.skipif(not signing.available(), reason="ssh-keygen is needed to accept a change without a terminal")
def test_from_a_fresh_clone_to_the_first_landed_change(newcomer: Reader) -> None:
    asked = newcomer.type(next(line for line in readme("ecluse import") if line == "ecluse status"))
    assert asked.code == 2
    (init,) = hinted(asked.said)
    prepared = newcomer.type(init)
    assert prepared.code == 0, prepared
    listed = prepared.said.partition("\nNext:\n")[2].splitlines()
    commit, doctor, run, export, bring = (line.strip() for line in listed)
    for command in (commit, doctor, run):
        done = newcomer.type(command)
        assert done.code == 0, f"{command}: {done.said}"
    home = newcomer.cwd
    for command in readme("git clone"):
        assert newcomer.type(command).code == 0, command
    handed = newcomer.type(export.replace("NAME", "agent-1"))
    assert handed.code == 0, handed
    newcomer.cwd = home
    (named,) = hinted(handed.said)
    assert named.startswith("ecluse import ") and bring == "ecluse import BUNDLE --land"
    typed = follow(newcomer, bring.replace("BUNDLE", named.removeprefix("ecluse import ")))
    verbs = [re.sub(r"^(\S+ \S+).*", r"\1", command) for command in typed]
    steps = ["ecluse import", "ecluse review", "ecluse keys", "git add", "ecluse review", "ecluse land"]
    assert verbs == steps, "nobody is trusted yet: a person with a key accepts it, then it lands"
    assert newcomer.type("git show main:docs/usage.md").said == "# How to use it\n"


def follow(newcomer: Reader, first: str) -> list[str]:
    """Type what the tool says, from ``first`` on, until something has landed; everything that was typed."""
    typed: list[str] = []
    waiting, key = [first], ""
    while waiting:
        assert len(typed) < 12, f"it goes round in circles: {typed}"
        command = waiting.pop(0).replace("TEXT", "'I have read it'").replace("NAME", "ada").replace("YOUR_KEY", key)
        done = newcomer.type(command)
        typed.append(command)
        if re.search(r"^\S+ landed on ", done.said, flags=re.M):
            return typed
        found = re.search(r"its private half is (\S+):", done.said)
        key = found[1] if found else key
        waiting = [*hinted(done.said), *waiting]
    raise AssertionError(f"the tool said nothing more: {typed}")
