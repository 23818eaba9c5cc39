"""What became of an agent's changes, carried back to its sandbox beside the trunk, and remembered there.

It travels as one small commit under a ref of its own in the bundle of ``ecluse sync``; plain git that fetches the branch
does not see it. The sandbox keeps it in ``.git/ecluse/outcomes.json``: an export asks it so that a change that landed,
under whatever commit ids, is never handed over as new work.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from ecluse.dataclass import dataclass
from ecluse.errors import Refused
from ecluse.files import write_atomically
from ecluse.git import Repository
from ecluse.git.nouns import FALLBACK_IDENTITY
from ecluse.intake.manifest import ID, clean
from ecluse.intake.strictjson import loads
from ecluse.model import ChangeState
from ecluse.patterns import expression

REF = "refs/ecluse/outcomes"
SCHEMA = "ecluse-outcomes/1"
_FILE = "outcomes.json"
_NAME = "outcomes.json"
CAP = 200
_OID = expression(r"(?:[0-9a-f]{40})?\Z")
_STATES = frozenset(state.value for state in ChangeState)


@dataclass(frozen=True, slots=True)
class Outcome:
    """One revision of a change: ``head`` as it was handed over, ``landed_as`` the target's commit (empty: not landed)."""

    change: str
    revision: int
    head: str
    state: str
    landed_as: str
    reason: str


def _plain(one: Outcome) -> dict[str, str | int]:
    return {name: getattr(one, name) for name in Outcome.__dataclass_fields__}


def write(repository: Repository, outcomes: Iterable[Outcome], tip: str) -> str:
    """Put the outcomes under :data:`REF`; return the commit. The same outcomes at the same tip give the same commit."""
    rows = [_plain(one) for one in outcomes]
    data = json.dumps({"schema": SCHEMA, "outcomes": rows}, ensure_ascii=True, indent=1).encode("ascii") + b"\n"
    blob = repository.run("hash-object", "-w", "--stdin", stdin=data).stdout.decode("ascii").strip()
    tree = repository.run("mktree", stdin=f"100644 blob {blob}\t{_NAME}\n".encode("ascii")).stdout.decode().strip()
    when = repository.text("log", "-1", "--format=%ct +0000", "--end-of-options", tip)
    commit = repository.commit_tree(tree, [], "What became of what was handed over\n", FALLBACK_IDENTITY, when)
    repository.move_ref(REF, commit, repository.refs(REF).get(REF, ""), "ecluse: sync")
    return commit


def read(repository: Repository, commit: str) -> tuple[Outcome, ...]:
    """The outcomes in a commit that came in a bundle. Raises :class:`Refused` (``meta.*``) when it holds others."""
    value = loads(repository.read(commit, _NAME, cap=1 << 20) or b"")
    rows = value.get("outcomes") if isinstance(value, dict) and value.get("schema") == SCHEMA else None
    if not isinstance(rows, list):
        raise _wrong()
    return tuple(_row(one) for one in rows[:CAP])


def _row(value: Any) -> Outcome:
    kinds = {"change": str, "revision": int, "head": str, "state": str, "landed_as": str, "reason": str}
    if not isinstance(value, dict) or {name: type(item) for name, item in value.items()} != kinds:
        raise _wrong()
    one = Outcome(**{**value, "reason": clean(value["reason"])[:300]})
    shapes = ID.match(one.change) and _OID.match(one.head) and _OID.match(one.landed_as)
    if not shapes or one.state not in _STATES:
        raise _wrong()
    return one


def _wrong() -> Refused:
    return Refused(
        "meta.type", "What the bundle says of your changes is not well formed.", "ask for one made with: ecluse sync"
    )


def remember(repository: Repository, outcomes: tuple[Outcome, ...]) -> tuple[Outcome, ...]:
    """Keep what was told, newest first, together with what was told before; return what was told now."""
    if outcomes:
        every = {(one.change, one.revision): one for one in (*reversed(known(repository)), *reversed(outcomes))}
        rows = [_plain(one) for one in reversed(every.values())]
        write_atomically(repository.state_dir / _FILE, json.dumps(rows[: 5 * CAP], indent=1).encode("ascii"))
    return outcomes


def known(repository: Repository) -> tuple[Outcome, ...]:
    """What was told in this sandbox so far; nothing where there is no such file, or a damaged one."""
    try:
        rows = json.loads((repository.state_dir / _FILE).read_bytes())
        return tuple(_row(one) for one in rows)
    except (OSError, ValueError, TypeError, Refused):
        return ()


def landed_heads(repository: Repository) -> frozenset[str]:
    """The heads that were handed over from here and have landed."""
    return frozenset(one.head for one in known(repository) if one.head and one.state == ChangeState.LANDED.value)
