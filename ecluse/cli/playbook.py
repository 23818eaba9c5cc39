"""``ecluse playbook``: the release playbooks of the trunk, shown and checked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ecluse.cli.frame import Frame, door
from ecluse.cli.release import start
from ecluse.errors import ExitStatus, Invalid, Problem


@click.group("playbook")
def command() -> None:
    """The pages that say how a release goes: people read them, releases keep them."""


@command.command("list")
@door()
def list_(frame: Frame) -> None:
    """List the playbooks on the trunk."""
    from ecluse.release import library
    from ecluse.trunk import open_trunk

    trunk = open_trunk(frame.repository)
    found: list[dict[str, Any]] = []
    for name in library.names(trunk):
        try:
            playbook, _ = library.load(trunk, name)
            found.append({"name": name, "path": playbook.path, "title": playbook.title, "steps": len(playbook.steps)})
        except Invalid as problem:
            found.append({"name": name, "path": library.path_of(trunk, name), "fault": problem.message})
    lines = [
        f"{one['name']:<16} {one['title']}, {one['steps']} steps"
        if "title" in one
        else f"{one['name']:<16} faulty: ecluse playbook lint {one['name']}"
        for one in found
    ]
    folder = trunk.config.release.playbooks
    frame.emit(
        {"playbooks": found},
        "\n".join(lines) or f"No playbook in {folder}/ on {trunk.branch} yet. A first one: ecluse playbook add release",
    )


@command.command("add")
@click.argument("name", default="release")
@door()
def add(frame: Frame, name: str) -> None:
    """Write a playbook that comes with Écluse into this repository, to be made your own and committed."""
    from ecluse.kit import playbooks

    target = playbooks.add(frame.repository, name)
    then = playbooks.NEXT[name]
    frame.emit({"path": str(target), "next": then}, f"{target} is written.\n  next: read it, commit it, {then}")


@command.command("index")
@door()
def index(frame: Frame) -> None:
    """Write README.md of the playbooks' folder here: which pages there are, and the conventions that they share.

    Of a README that is there already, only the part between the marks of the index is written anew.
    """
    from ecluse.kit import playbooks
    from ecluse.trunk import open_trunk

    top = frame.repository.work_tree or frame.folder
    place = playbooks.index(top / open_trunk(frame.repository).config.release.playbooks)
    frame.emit({"path": str(place)}, f"{place} is written.\n  next: read it and commit it")


@command.command("show")
@click.argument("name", default="release")
@door()
def show(frame: Frame, name: str) -> None:
    """Show a playbook as it was written; with --json, what it compiles to."""
    from ecluse.release import library
    from ecluse.trunk import open_trunk

    trunk = open_trunk(frame.repository)
    text = library.page(trunk, name)
    if not frame.as_json:
        frame.emit({}, text.rstrip("\n"))
        return
    from ecluse.release import published

    playbook, _ = library.load(trunk, name)
    frame.emit({"playbook": published.document(playbook)})


command.add_command(start, "run")


@command.command("schema")
@door()
def schema(frame: Frame) -> None:
    """Print the JSON Schema of what `playbook show --json` prints under `playbook`."""
    import json

    from ecluse.release import published

    made = published.schema()
    frame.emit(made, json.dumps(made, ensure_ascii=False, indent=1))


def _policy(frame: Frame) -> Any:
    """The policy on the trunk; outside of a repository, and before there is a trunk, the defaults."""
    from ecluse.config import Config
    from ecluse.trunk import open_trunk

    try:
        return open_trunk(frame.repository).config
    except Problem:
        return Config()


@command.command("lint")
@click.argument("page", default="release", metavar="[NAME|FILE]")
@door()
def lint(frame: Frame, page: str) -> int:
    """Check a playbook: NAME as it stands on the trunk, or a FILE as it lies here.

    Exit: 0 without fault; 2 with faults, each with line and column.
    """
    from ecluse.files import read_capped
    from ecluse.release import compile_playbook, library
    from ecluse.release import lint as faults_of
    from ecluse.release.playbook import refuse
    from ecluse.trunk import open_trunk

    file = Path(page) if Path(page).is_absolute() else frame.folder / page
    if page.endswith(".md") or file.is_file():
        playbook = compile_playbook(read_capped(file, 1 << 20).decode("utf-8", "replace"), page)
        found = faults_of(playbook, production=library.reaches_production(_policy(frame), playbook))
        if found:
            refuse(page, found)
    else:
        playbook, _ = library.load(open_trunk(frame.repository), page)
    said = f"{playbook.path}: {len(playbook.steps)} steps, {len(playbook.gates)} gate{'' if len(playbook.gates) == 1 else 's'}, without fault."
    frame.emit({"path": playbook.path, "faults": []}, said)
    return ExitStatus.DONE
