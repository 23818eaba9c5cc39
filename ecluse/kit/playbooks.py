"""The playbooks shipped with Écluse, to start a repository's own from."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from ecluse.errors import Invalid, Refused
from ecluse.files import write_atomically
from ecluse.git import Repository
from ecluse.release import compile_playbook
from ecluse.trunk import open_trunk

BEGIN, END = "<!-- index: ecluse playbook index -->", "<!-- end of index -->"
NEXT = {
    "release": "and name where it goes in [environments.production] of ecluse.toml",
    "build-story": "and name [agents.developer], [agents.tester] and [environments.staging] in ecluse.toml",
    "sync-bidirec": "and name both stores in [bridges.wiki-table] of ecluse.toml",
    "incident": "and when it burns: ecluse playbook run incident --input title=TEXT",
    "bump-deps": "then: ecluse playbook run bump-deps",
}
"""Shipped page -> what is to be done before it can be run."""

SHORT_WATCH, LONG_WATCH = "- uses: watch window=3 every=0.5", '- uses: watch window="15 min" every=5'
"""How long the demonstration watches, and how long a page does that somebody makes their own."""

SHIPPED = ("release", "build-story", "sync-bidirec", "incident", "bump-deps")


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
    if not is_own(target.parent):
        index(target.parent)
    return target


def index(folder: Path) -> Path:
    """Write ``README.md`` of a folder of playbooks: which pages there are, and the conventions that they share.

    Of a README that is there already only the part between the index's two marks is written anew. Raises
    :class:`Refused` for one without these marks, :class:`Invalid` where there is no such folder.
    """
    place = folder / "README.md"
    if not folder.is_dir():
        raise Invalid("playbook.no_folder", f"There is no folder {folder}.", "ecluse playbook add release")
    if is_own(folder):
        raise Refused(
            "playbook.own_readme",
            f"{place} is somebody's own and is left as it is: it has no line {BEGIN!r} with {END!r} after it.",
            "put both lines where the index belongs, then: ecluse playbook index",
        )
    text = _read(place) or resources.files("ecluse.kit").joinpath("files", "playbooks_readme.md").read_text("utf-8")
    before, rest = text.split(BEGIN, 1)
    after = rest.split(END, 1)[1]
    write_atomically(place, f"{before}{BEGIN}\n{_table(folder)}{END}{after}".encode())
    return place


def is_own(folder: Path) -> bool:
    """Whether the folder has a README that is not ours to write an index into."""
    text = _read(folder / "README.md")
    return bool(text) and END not in text.partition(BEGIN)[2]


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.is_file() else ""


def _table(folder: Path) -> str:
    rows = []
    for path in sorted(folder.glob("*.md")):
        if path.name.lower() == "readme.md":
            continue
        try:
            page = compile_playbook(_read(path), path.name)
        except (Invalid, UnicodeDecodeError):
            rows.append(f"| [{path.stem}]({path.name}) | faulty: `ecluse playbook lint {path.stem}` | | | |")
            continue
        asks = ", ".join(gate.name for gate in page.gates) or "nobody"
        inputs = ", ".join(f"`{one.name}`" for one in page.inputs)
        cells = (page.title, page.environment, asks, inputs)
        rows.append(f"| [{path.stem}]({path.name}) | {' | '.join(_cell(one) for one in cells)} |")
    head = "| page | what | goes to | asks people at | inputs |\n|---|---|---|---|---|\n"
    return head + "".join(f"{row}\n" for row in rows) if rows else "No page yet.\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def page_of(name: str) -> str:
    """The shipped page ``name``, one of :data:`SHIPPED`."""
    if name == "release":  # the one that the demonstration releases with
        page = resources.files("ecluse.demo").joinpath("template", "playbooks", "release.md").read_text("utf-8")
        return page.replace(SHORT_WATCH, LONG_WATCH)
    return resources.files("ecluse.kit").joinpath("files", "playbooks", f"{name}.md").read_text("utf-8")
