"""Who is the same person: by keys first, then by the addresses and other names that the policy declares for them.

A person has any number of keys, addresses and names. Two names with one key are one person; so is everything that one
entry ``[people.NAME]`` of the policy lists. Names and addresses of commits are claims: they can make somebody count as
an author, and nobody as a different person.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from ecluse import signing
from ecluse.git import Repository
from ecluse.history import History
from ecluse.model import Change, Landing, LandingState, Release, Role
from ecluse.release.context import live_in

if TYPE_CHECKING:
    from ecluse.config import Config
    from ecluse.signing import Principal

_CO_AUTHOR = re.compile(r"^co-authored-by:\s*(.*?)\s*<([^<>]*)>\s*$", re.IGNORECASE | re.MULTILINE)
_KEY = re.compile(r"key (\S+) \(")


def tokens_of(*words: str) -> set[str]:
    """The tokens of names, addresses and fingerprints: what can be compared, whatever case and spaces they are in."""
    return {word if word.startswith("SHA256:") else _plain(word) for word in words if word.strip()}


def _plain(word: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", word).casefold().split())


class People:
    """Everybody whom the keys and the policy know, as groups of tokens that mean one person."""

    def __init__(self, config: Config, principals: Iterable[Principal]) -> None:
        self._group: dict[str, frozenset[str]] = {}
        self._names: dict[str, str] = {}
        for one in principals:
            self._join(tokens_of(one.name, signing.fingerprint(one)))
        for name, entry in config.people.items():
            tokens = tokens_of(name, *entry.keys, *entry.emails, *entry.aliases)
            self._join(tokens)
        for name in config.people:
            self._names |= dict.fromkeys(self.all_of({_plain(name)}), name)

    def _join(self, tokens: set[str]) -> None:
        whole = frozenset(tokens | self.all_of(tokens))
        self._group |= dict.fromkeys(whole, whole)

    def all_of(self, tokens: Iterable[str]) -> set[str]:
        """``tokens`` and every other token of the same persons."""
        found = set(tokens)
        for token in list(found):
            found |= self._group.get(token, frozenset())
        return found

    def same(self, one: Iterable[str], other: Iterable[str]) -> bool:
        """Whether the two have a person in common."""
        return not self.all_of(one).isdisjoint(self.all_of(other))

    def name_of(self, tokens: Iterable[str], default: str) -> str:
        """What the policy calls this person; ``default`` when it does not."""
        return next((self._names[token] for token in sorted(tokens) if token in self._names), default)


def is_meant(word: str, principal: Principal, tokens: set[str]) -> bool:
    """Whether ``word``, a role or a name in lower case, means this person."""
    roles = {"human": (Role.HUMAN, Role.ADMIN), "admin": (Role.ADMIN,)}
    return principal.role in roles.get(word, ()) or not tokens_of(word).isdisjoint(tokens)


def touched_by(repository: Repository, history: History, release: Release) -> set[str]:
    """Tokens of everybody who made something of a release: its starter, every author of what is not live yet, who
    handed a change over and whose key signed that. Commits that Écluse made itself (merges of a landing, the
    changelog) have no author who could approve his own work.
    """
    starter: dict[str, Any] = release.outputs.get("starter", {})
    found = tokens_of(release.starter, *(str(starter.get(part, "")) for part in ("name", "email", "principal", "key")))
    where = (release.environment, release.previous, release.commit, release.id)
    return found | makers(repository, history, *where)


def makers(
    repository: Repository, history: History, environment: str, previous: str, commit: str, release_id: str = ""
) -> set[str]:
    """Tokens of everybody who made what ``commit`` would bring to ``environment``. ``previous`` is the version before."""
    found: set[str] = set()
    before = known_before(repository, history, environment, previous, release_id)
    commits = repository.commits(*([f"^{before}"] if before else []), commit)
    ids = {commit.id for commit in commits}
    landed = [one for one in history.find(Landing, state=LandingState.LANDED, limit=100_000) if one.candidate in ids]
    ours = {one.candidate for one in landed if one.candidate not in one.heads}
    for landing in landed:
        change = history.get(Change, landing.change)
        if change is None:
            continue
        if change.source == "release":
            ours |= {change.head}
            continue
        key = _KEY.match(change.trusted_by)
        found |= tokens_of(change.agent, key[1] if key else "")
    for one in commits:
        if one.id not in ours:
            found |= tokens_of(one.author.name, one.author.email)
            for name, email in _CO_AUTHOR.findall(one.message):
                found |= tokens_of(name, email)
    return found


def known_before(
    repository: Repository, history: History, environment: str, previous: str, release_id: str = ""
) -> str | None:
    """What is live already was let in before: its commit. Where nothing is live yet, the previous version's tag.

    A tag alone proves nothing of a commit where something else is live: it may never have been let in.
    """
    live = live_in(history, environment)
    if live is not None and live.release != release_id:
        return repository.resolve(live.commit)
    return repository.resolve(f"refs/tags/v{previous}") if previous else None
