"""The playbooks shipped with Écluse, to start a repository's own from."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from ecluse.errors import Invalid, Refused
from ecluse.files import write_atomically
from ecluse.git import Repository
from ecluse.trunk import open_trunk

SHIPPED = ("release", "build-story", "incident", "bump-deps")


def add(repository: Repository, name: str) -> Path:
    """Write the shipped playbook ``name`` into the work tree's folder of playbooks; return where.

    Raises :class:`Invalid` for a name that is not shipped or in a bare repository, :class:`Refused` when a page of
    that name is there already.
    """
    if name not in SHIPPED:
        raise Invalid(
            "playbook.not_shipped",
            f"No playbook called {name!r} comes with Écluse (it has: {', '.join(SHIPPED)}).",
            f"ecluse playbook add {SHIPPED[0]}",
        )
    if repository.work_tree is None:
        raise Invalid(
            "playbook.bare", "A bare repository has no files to write a playbook to.", "git clone it, then add there"
        )
    target = repository.work_tree / open_trunk(repository).config.release.playbooks / f"{name}.md"
    if target.exists():
        raise Refused(
            "playbook.exists", f"{target} is there already and is left as it is.", f"ecluse playbook show {name}"
        )
    write_atomically(target, page_of(name).encode("utf-8"))
    return target


def page_of(name: str) -> str:
    """The shipped page ``name``, one of :data:`SHIPPED`."""
    if name == "release":  # the one that the demonstration releases with
        page = resources.files("ecluse.demo").joinpath("template", "playbooks", "release.md")
    else:
        page = resources.files("ecluse.kit").joinpath("files", "playbooks", f"{name}.md")
    return page.read_text(encoding="utf-8")
