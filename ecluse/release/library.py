"""The playbooks of the trunk: their names, their pages, compiled and checked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ecluse.errors import Invalid
from ecluse.release.page import Fault
from ecluse.release.playbook import Playbook, compile_playbook, refuse
from ecluse.trunk import Trunk

if TYPE_CHECKING:
    from ecluse.config import Config


def names(trunk: Trunk) -> list[str]:
    """The names of the playbooks in the trunk's folder of playbooks."""
    folder = trunk.config.release.playbooks.strip("/")
    found = []
    for entry in trunk.repository.list_tree(trunk.tip, folder):
        path = entry.path.removeprefix(f"{folder}/")
        if entry.kind == "blob" and path.endswith(".md") and "/" not in path and path.lower() != "readme.md":
            found.append(path.removesuffix(".md"))
    return sorted(found)


def path_of(trunk: Trunk, name: str) -> str:
    return f"{trunk.config.release.playbooks.strip('/')}/{name}.md"


def page(trunk: Trunk, name: str) -> str:
    """The text of a playbook as it stands on the trunk. Raises :class:`Invalid` when there is none of that name."""
    path = path_of(trunk, name)
    data = trunk.read(path) if "/" not in name and not name.startswith(".") else None
    if data is None:
        raise _unknown(trunk, name, path)
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Invalid(
            "playbook.encoding", f"{path} is not UTF-8 (byte {error.start}).", f"save {path} as UTF-8"
        ) from error


def _unknown(trunk: Trunk, name: str, path: str) -> Invalid:
    """Why there is no such page on the trunk, and what leads to one: committing it, another name, or a first one."""
    import difflib

    known = names(trunk)
    said = f"The trunk {trunk.branch} has no playbook {name!r} at {path} (it has: {', '.join(known) or 'none'})."
    near = difflib.get_close_matches(name, known, 1)
    hint = f"ecluse playbook add release, commit it on {trunk.branch}, then: ecluse playbook lint"
    work_tree = trunk.repository.work_tree
    if "/" not in name and work_tree is not None and (work_tree / path).is_file():
        said = f"{path} lies in the checkout, and the trunk {trunk.branch} does not have it yet."
        hint = f"git add {path} && git commit, on {trunk.branch} (the page itself: ecluse playbook lint {path})"
    elif known:
        hint = f"ecluse playbook show {near[0]}" if near else "ecluse playbook list"
    return Invalid("playbook.unknown", said, hint)


def reaches_production(config: Config, playbook: Playbook) -> bool:
    """Whether the page has to have a gate before it goes live.

    A page that names no environment could reach any. One that the policy does not have (yet) cannot be reached at all; by
    its name alone, only what is called production needs the gate.
    """
    known = config.environments.get(playbook.environment)
    if known is not None:
        return known.production
    return not playbook.environment or playbook.environment.lower().startswith("prod")


def load(trunk: Trunk, name: str, *, production: bool | None = None) -> tuple[Playbook, str]:
    """A playbook that is fit to be run, and its text. Raises :class:`Invalid` with every fault it has.

    ``production`` says whether the environment needs a gate; ``None`` looks it up by the page's own environment.
    """
    from ecluse.release.lint import lint

    text = page(trunk, name)
    playbook = compile_playbook(text, path_of(trunk, name))
    if playbook.name != name:
        refuse(playbook.path, [Fault(2, 1, "playbook.name", f"it calls itself `{playbook.name}`, the file `{name}`")])
    if production is None:
        production = reaches_production(trunk.config, playbook)
    faults = lint(playbook, production=production)
    if faults:
        refuse(playbook.path, faults)
    return playbook, text
