"""The settings that pages suppose: places made for real, each on top of the one before.

| name | what is there |
|---|---|
| empty | a folder, and a person whom git knows |
| project | ``project/``: a repository with a small service, its tests, a workflow and a playbook |
| ready | the same, with ``ecluse init --trust all`` committed, and ``sandbox/``: a clone without a remote with new work |
| handed-over | the same, with the work exported to ``change.tar`` |
| kept | the same, imported: CHANGE waits to land |
| waiting | ``project`` where nobody is trusted yet: CHANGE waits for ``ada``, whose key lies in ``ada`` |
| landed | ``kept``, landed |
| releasable | ``ready`` with keys of a person and an agent and a place where it goes live |
"""

from __future__ import annotations

import functools
import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from ecluse import http
from ecluse.demo import template

WORKFLOW = """\
name: ci
on: [push, pull_request]
jobs:
  test:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - run: python -m compileall -q service tests
      - run: python -m unittest discover
"""
"""The checks of the project: without an environment of their own, for they are run many times."""

PERSON = "[user]\n\tname = Ada Example\n\temail = ada@example.invalid\n[init]\n\tdefaultBranch = main\n"


def prepare(setting: str, folder: Path) -> None:
    """Make ``setting`` in ``folder``, which is empty or absent."""
    shutil.copytree(_made(setting), folder, symlinks=True, dirs_exist_ok=True)


def begin_in(setting: str, folder: Path) -> Path:
    """Where the reader stands first."""
    return folder if setting == "empty" else folder / "project"


@functools.cache
def _made(setting: str) -> Path:
    """The setting, made once in a process, for copies."""
    import atexit

    maker, below = SETTINGS[setting]
    folder = Path(tempfile.mkdtemp(prefix=f"pages-{setting}-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    if below:
        prepare(below, folder)
    maker(folder)
    return folder


def _type(folder: Path, command: str, cwd: str = "project") -> str:
    from pages.typing_along import surroundings

    done = subprocess.run(
        ["sh", "-ec", command],
        cwd=folder / cwd,
        env=surroundings(folder),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    for word, shape in (("CHANGE", r"\bchg-\w+"),):
        found = re.findall(shape, done.stdout + done.stderr)
        if found:
            (folder / "known.json").write_text(json.dumps({word: found[-1]}))
    return done.stdout


def _empty(folder: Path) -> None:
    (folder / "home").mkdir(parents=True)
    (folder / "home" / ".gitconfig").write_text(PERSON)


def _project(folder: Path) -> None:
    template.write(folder / "project")
    (folder / "project" / ".github" / "workflows" / "ci.yml").write_text(WORKFLOW)
    _type(folder, "git init -q && git add -A && git commit -q -m 'feat: a first version'")


def _ready(folder: Path) -> None:
    _type(folder, "ecluse init --trust all && git add -A && git commit -q -m 'chore: carry changes with Écluse'")
    _clone(folder)


def _clone(folder: Path) -> None:
    _type(folder, "git clone -q project sandbox && git -C sandbox remote remove origin", ".")
    (folder / "sandbox" / "docs").mkdir(exist_ok=True)
    (folder / "sandbox" / "docs" / "usage.md").write_text("# How to use it\n")


def _waiting(folder: Path) -> None:
    _type(folder, "ecluse init && ecluse keys make ada --role human --key ../ada")
    _type(folder, "git add -A && git commit -q -m 'chore: carry changes with Écluse'")
    _clone(folder)
    _handed_over(folder)
    _type(folder, "ecluse import ../change.tar --no-input || test $? = 3")


def _handed_over(folder: Path) -> None:
    _type(folder, "ecluse export --agent agent-1 --to ../change.tar", "sandbox")


def _kept(folder: Path) -> None:
    _type(folder, "ecluse import ../change.tar --no-input")


def _landed(folder: Path) -> None:
    _type(folder, f"ecluse land {json.loads((folder / 'known.json').read_text())['CHANGE']}")


def _releasable(folder: Path) -> None:
    port = http.free_port()
    command = json.dumps([sys.executable, "-m", "service.app", "--port", str(port)])
    _type(
        folder,
        "ecluse keys make ada --role human --key ../ada && ecluse keys make agent-1 --role agent --key ../agent-1",
    )
    with (folder / "project" / "ecluse.toml").open("a") as policy:
        policy.write(
            f'\n[environments.production]\npath = "../production"\ncommand = {command}\n'
            f'url = "http://127.0.0.1:{port}"\nhealth = "/health"\nproduction = true\n'
        )
    _type(folder, "git add -A && git commit -q -m 'chore: keys, and where it goes live'")


NEEDS = {"waiting": "ssh-keygen", "releasable": "ssh-keygen"}
"""Setting -> the program without which it cannot be made."""

SETTINGS: dict[str, tuple[Callable[[Path], None], str]] = {
    "empty": (_empty, ""),
    "project": (_project, "empty"),
    "ready": (_ready, "project"),
    "handed-over": (_handed_over, "ready"),
    "waiting": (_waiting, "project"),
    "kept": (_kept, "handed-over"),
    "landed": (_landed, "kept"),
    "releasable": (_releasable, "ready"),
}
"""Name -> what makes it, and the setting it is made on top of."""
