"""The refs that a bundle names: which of them is the change, which are left, and names that nobody should have to bear.

Only commits are ever taken: no branch or tag is made from the names.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence

from ecluse.dataclass import dataclass
from ecluse.errors import Refused
from ecluse.intake.bundlefile import BundleHeader, refuse
from ecluse.intake.pathrules import BIDI, INVISIBLE

_UNSEEN = BIDI | INVISIBLE | {0x2028, 0x2029} | set(range(0x80, 0xA0))
_PLACES = ("refs/heads/", "HEAD", "refs/tags/", "refs/remotes/")
"""Where refs are that can be the change, first choice first; of others (stash, notes) nobody would expect it."""

_REFS_CAP = 10_000
_SHOWN = 10


@dataclass(frozen=True, slots=True)
class Chosen:
    """The commit that is the change, the full name of its ref, and the refs of the bundle that are not taken."""

    commit: str
    name: str
    left: tuple[str, ...]


def choose_ref(header: BundleHeader, head: str, branches: frozenset[str]) -> tuple[str, str]:
    """The one (object id, ref name) that a bundle brings. ``HEAD`` beside a branch at the same commit is let pass.

    ``head`` is the declared head (may be empty), ``branches`` the full names of branches that exist here.
    """
    check_names(header, branches)
    for _, name in header.refs:
        if name != "HEAD" and not name.startswith("refs/heads/"):
            raise _no_branch(name)
    ids = {oid for oid, _ in header.refs}
    named = [(oid, name) for oid, name in header.refs if name != "HEAD"] or list(header.refs)
    if len(ids) > 1 and head and head in ids and header.refs[0][0] != head:
        raise refuse("meta.head_mismatch", "The declared head is not the first ref of the bundle, but another one")
    if len(ids) > 1 or len(named) > 1:
        raise refuse("bundle.refs", f"The bundle brings {len(header.refs)} refs, one is expected")
    if head and named[0][0] != head:
        raise refuse("meta.head_mismatch", "The bundle's ref is not at the head that the manifest declares")
    return named[0]


def choose_tip(
    refs: Sequence[tuple[str | None, str]], asked: str, beyond: Callable[[Iterable[str]], set[str]]
) -> Chosen:
    """The change in a bundle without a manifest: the one commit that its refs name, as far as the target lacks it.

    ``refs`` are commit (``None`` where there is none) and full name of each, ``asked`` the name of the one that somebody
    chose, ``beyond`` says which of some commits the target lacks. Raises :class:`Refused` (``bundle.refs``,
    ``bundle.incomplete``, ``ref.namespace``).
    """
    known = [(commit, name) for commit, name in refs if commit]
    if asked:
        known = [one for one in known if one[1] == asked]
    elif not any(_place(name) < len(_PLACES) for _, name in refs):
        raise _no_branch(refs[0][1])
    else:
        known = [one for one in known if _place(one[1]) < len(_PLACES)]
    if not known:
        raise refuse("bundle.incomplete", "The bundle's head is not in it, or is not a commit")
    commits = {commit for commit, _ in known}
    fresh = beyond(commits) if len(commits) > 1 else set()
    named = sorted((one for one in known if not fresh or one[0] in fresh), key=lambda one: (_place(one[1]), one[1]))
    if len({commit for commit, _ in named}) > 1:
        names = _listed([name for _, name in named])
        raise refuse("bundle.refs", f"The bundle brings refs at different commits: {names}. Choose one with --ref NAME")
    commit, name = named[0]
    left = tuple(
        other for at, other in refs if at != commit or other.startswith("refs/tags/") or _place(other) == len(_PLACES)
    )
    return Chosen(commit, name, left)


def told(chosen: Chosen) -> str:
    """What is taken of a bundle and what is not, in a sentence."""
    left = [f"{one} (the tag itself)" if one == chosen.name else one for one in chosen.left]
    return f"taken are the commits of {ascii(chosen.name[:80])[1:-1]}; not taken: {_listed(left)}"


def named_ref(header: BundleHeader, asked: str) -> str:
    """The full name of the ref that ``asked`` is short for. Raises :class:`Refused` (``bundle.refs``) when there is none."""
    names = {name for _, name in header.refs}
    for prefix in ("", "refs/", "refs/heads/", "refs/tags/", "refs/remotes/"):
        if prefix + asked in names:
            return prefix + asked
    raise Refused(
        "bundle.refs",
        f"The bundle has no ref {asked[:80]!a}, but {_listed(sorted(names))}.",
        "name one of those: ecluse import FILE --ref NAME",
    )


def _place(name: str) -> int:
    return next((n for n, one in enumerate(_PLACES) if name == one or (one != "HEAD" and name.startswith(one))), 4)


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(ascii(name[:80])[1:-1] for name in names[:_SHOWN]) + more


def _no_branch(name: str) -> Refused:
    return refuse("ref.namespace", f"The bundle's ref {name[:80]!a} is not a branch")


def check_names(header: BundleHeader, branches: frozenset[str]) -> None:
    """Refuse a name that git would, that could be an option or a commit, or that cannot be beside a branch here."""
    if len(header.refs) > _REFS_CAP:
        raise refuse("bundle.refs", f"The bundle names more than {_REFS_CAP:,} refs")
    folded: dict[str, set[str]] = {}
    above: dict[str, str] = {}
    for branch in branches:
        folded.setdefault(branch.casefold(), set()).add(branch)
        above.update(dict.fromkeys(_folders(branch.casefold()), branch))
    for _, name in header.refs:
        if name == "HEAD":
            continue
        _check_name(name)
        low = name.casefold()
        rivals = {above.get(low, name), *(one for part in (*_folders(low), low) for one in folded.get(part, ()))}
        for branch in rivals - {name}:
            raise refuse("ref.conflict", f"The ref {name[:80]!a} cannot exist beside {branch[:80]!a}")


def _folders(name: str) -> list[str]:
    """``a/b/c`` -> ``a``, ``a/b``."""
    return [name[:at] for at, one in enumerate(name) if one == "/"]


def _check_name(name: str) -> None:
    bad = any(ord(c) < 33 or ord(c) == 127 or ord(c) in _UNSEEN or c in '~^:?*[\\"' for c in name) or any(
        not part or part.startswith(".") or part.endswith((".", ".lock")) for part in name.split("/")
    )
    short = name.removeprefix("refs/heads/").removeprefix("refs/tags/")
    bad = bad or short.startswith("-") or short in ("HEAD", "@") or re.fullmatch(r"[0-9a-f]{40}", short) is not None
    if bad or ".." in name or "@{" in name or not name.startswith("refs/") or len(name) > 250:
        raise refuse("ref.invalid", f"The ref name {name[:80]!a} is not one that git accepts")


def tempts_a_shell(name: str) -> bool:
    """Whether a ref name that git accepts would be a command to a script that does not quote it."""
    return re.search(r"[;&|$`<>'(){}!#]", name) is not None
