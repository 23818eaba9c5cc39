"""What the kit wants a file to be, and what becomes of the one that is there.

A file of the kit ends with a line that has a digest of the rest: one that nobody edited is renewed when the repository
changes, one that somebody wrote or edited is never touched and gets a proposal instead.
"""

from __future__ import annotations

import difflib
import functools
import hashlib
import json
import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ecluse.files import read_capped
from ecluse.kit import pieces, pins
from ecluse.kit.report import Action, ActionKind

if TYPE_CHECKING:
    import jinja2

_FOOT = re.compile(r"^# ecluse init --kit ([0-9a-f]{16}): renewed until it is edited\n?\Z", re.M)
_CAP = 8 << 20


@dataclass(frozen=True, slots=True)
class Wanted:
    """A file of the kit, whole; ``why`` says why it is not to be written here, when it is not."""

    path: str
    text: str
    why: str = ""
    mode: int = 0o644


@functools.cache
def environment() -> jinja2.Environment:
    """The kit's templates, with delimiters that neither workflows nor shells use."""
    import jinja2

    made = jinja2.Environment(
        loader=jinja2.PackageLoader("ecluse.kit", "files/templates"),
        undefined=jinja2.StrictUndefined,
        autoescape=False,  # noqa: S701 - these are YAML and shell, not pages
        block_start_string="[%",
        block_end_string="%]",
        variable_start_string="[[",
        variable_end_string="]]",
        comment_start_string="[#",
        comment_end_string="#]",
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.filters |= {"sh": shlex.quote, "make": lambda text: shlex.quote(text).replace("$", "$$"), "quoted": quoted}
    made.filters["glob"] = lambda text: json.dumps(text, ensure_ascii=False)
    return made


def quoted(text: str) -> str:
    """``text`` as a value of YAML or a word of a playbook: in double quotes where it needs them."""
    return text if re.fullmatch(r"[\w./-]+", text) else json.dumps(text, ensure_ascii=False)


def fill(template: str, **context: Any) -> str:
    """A template's text, with the foot that says that nobody edited it."""
    return signed(plain(template, **context))


def plain(template: str, **context: Any) -> str:
    """A template's text, without runs of empty lines."""
    text = environment().get_template(template).render(pins=pins.ACTIONS, **context)
    return re.sub(r"[ \t]+$", "", re.sub(r"\n{3,}", "\n\n", text), flags=re.M).strip("\n") + "\n"


def signed(text: str) -> str:
    """``text`` with its foot."""
    return f"{text}# ecluse init --kit {_digest(text)}: renewed until it is edited\n"


def untouched(text: str) -> bool:
    """Whether ``text`` is as some version of the kit wrote it."""
    foot = _FOOT.search(text)
    return foot is not None and foot.group(1) == _digest(text[: foot.start()])


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8")).hexdigest()[:16]


def compare(work_tree: Path, wanted: Wanted) -> pieces.Piece:
    """What is to be done about ``wanted`` in ``work_tree``."""
    path = wanted.path
    obstacle = pieces.obstacle(work_tree, path)
    if obstacle or wanted.why:
        return pieces.Piece(Action(ActionKind.SKIPPED, path, obstacle or wanted.why))
    target = work_tree / path
    data = wanted.text.encode("utf-8")
    if not target.exists():
        return pieces.Piece(Action(ActionKind.CREATED, path), data, wanted.mode)
    if not target.is_file():
        return pieces.Piece(Action(ActionKind.SKIPPED, path, "a folder has this name"))
    standing = read_capped(target, _CAP).decode("utf-8", "replace").replace("\r\n", "\n")
    if standing == wanted.text:
        return pieces.Piece(Action(ActionKind.KEPT, path))
    if untouched(standing):
        why = "nobody edited it, and the repository has changed"
        return pieces.Piece(Action(ActionKind.RENEWED, path, why), data, target.stat().st_mode & 0o777)
    diff = difflib.unified_diff(standing.splitlines(), wanted.text.splitlines(), path, f"{path} (kit)", lineterm="")
    why = f"it is yours and stays; see the proposal, or: ecluse init --print {path}"
    return pieces.Piece(Action(ActionKind.PROPOSED, path, why, "\n".join(diff)))
