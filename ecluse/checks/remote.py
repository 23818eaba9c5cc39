"""Actions and workflows of other repositories: fetched by git, pinned by commit id, kept on this machine.

``owner/repo`` is looked for below one base address. Which commit a ref such as ``v4`` stands for is written into
``.github/ecluse-actions.lock`` at its first use and stays so until it is asked to be updated: a tag that somebody moves
changes nothing here. What was fetched once is used without a network from then on.
"""

from __future__ import annotations

import contextlib
import os
import re
import threading
from collections.abc import Mapping
from pathlib import Path

from ecluse.checks.naming import without_base
from ecluse.errors import Failed, Invalid, Problem
from ecluse.files import FileLock, read_capped, write_atomically
from ecluse.git import Repository

LOCK_FILE = ".github/ecluse-actions.lock"
DEFAULT_URL = "https://github.com"
URL_VARIABLE = "ECLUSE_ACTIONS_URL"

_HEAD = (
    "# The commits that actions and workflows of other repositories stand for here.\n"
    "# Written by `ecluse run`; moved by `ecluse run --update-actions`. Keep it in version control.\n"
)
_LINE = re.compile(r"((?:https?://[^/@\s]+/)?[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+)@(\S+) ([0-9a-f]{40}(?:[0-9a-f]{24})?)\Z")
_NAME = re.compile(r"(?:https?://[^/@\s]+/)?(?!\.{1,2}/)[A-Za-z0-9_.-]+/(?!\.{1,2}\Z)[A-Za-z0-9_.-]+\Z")
_COMMIT = re.compile(r"[0-9a-fA-F]{40}(?:[0-9a-fA-F]{24})?\Z")
_SHORT = re.compile(r"[0-9a-f]{7,39}\Z")
_CAP = 1 << 20
_NOBODY = ("resolve host", "connect to", "timed out", "did not end within", "unreachable")
"""What git says when there is no network: the other repositories of the run are not waited for then."""


def read_lock(path: Path) -> dict[str, str]:
    """``owner/repo@ref`` -> commit, as a lock file says; empty when there is none. Raises :class:`Invalid`."""
    if not path.is_file() or path.is_symlink():
        return {}
    found = {}
    for number, line in enumerate(read_capped(path, _CAP).decode("utf-8", "replace").splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        parts = _LINE.match(line.strip())
        if parts is None:
            raise Invalid(
                "checks.lock_wrong",
                f"{LOCK_FILE}, line {number}: expected OWNER/REPO@REF COMMIT, not {line.strip()[:100]!r}.",
                f"correct the line, or remove it and type: ecluse run --update-actions ({LOCK_FILE})",
            )
        found[f"{parts[1].lower()}@{parts[2]}"] = parts[3]
    return found


def write_lock(path: Path, pins: Mapping[str, str]) -> None:
    """Add ``pins`` to the lock file at ``path``, replacing those of the same name."""
    merged = {**read_lock(path), **pins}
    lines = "".join(f"{name} {commit}\n" for name, commit in sorted(merged.items()))
    write_atomically(path, (_HEAD + lines).encode())


class Remote:
    """The other repositories of one run. Used by all its jobs at once.

    ``url`` is the base address, ``tree`` the tree under test, whose lock file counts. Without ``network`` only what is
    here already is found; with ``update`` every ref is looked up anew. ``pins`` collects what was looked up and is not
    in the lock file; ``notes`` what a person should know.
    """

    def __init__(self, tree: Path, url: str = "", *, network: bool = True, update: bool = False) -> None:
        self.url = (url or os.environ.get(URL_VARIABLE) or DEFAULT_URL).rstrip("/")
        self.network = network
        self.update = update
        self.locked = read_lock(tree / LOCK_FILE)
        self.pins: dict[str, str] = {}
        self.notes: list[str] = []
        self._gone: Failed | None = None
        self._guard = threading.RLock()

    def address(self, repository: str) -> str:
        """Where ``repository`` is fetched from: its own address, or below the run's."""
        return repository if "://" in repository else f"{self.url}/{repository}"

    def commit(self, repository: str, ref: str) -> str:
        """The commit that ``ref`` of ``repository`` stands for.

        Raises :class:`Invalid` for a name that cannot be one or a ref that is not there, :class:`Failed` when the
        repository cannot be asked and was not seen before.
        """
        name = f"{repository.lower()}@{ref}"
        if not _NAME.match(repository) or ref.startswith("-") or not ref.isprintable() or " " in ref:
            raise Invalid("checks.action_name", f"{name} names no repository and ref.", "write OWNER/REPO@REF")
        if _COMMIT.match(ref):
            return ref.lower()
        with self._guard:
            if name in self.pins:
                return self.pins[name]
            if name in self.locked and not self.update:
                return self.locked[name]
            found = self._look_up(repository, ref, name)
            before = self.locked.get(name, found)
            if before != found:
                self.notes.append(f"{name} moved from {before[:12]} to {found[:12]}")
            if self.locked.get(name) != found:
                self.pins[name] = found
            return found

    def _look_up(self, repository: str, ref: str, name: str) -> str:
        """Ask where a ref is; when nobody answers, where it was last time."""
        from ecluse.git.elsewhere import list_remote

        store = self._store(repository)
        mark = f"refs/seen/{ref}"
        tag, branch = f"refs/tags/{ref}", f"refs/heads/{ref}"
        try:
            if not self.network or self._gone is not None:
                raise self._gone or Failed("checks.no_network", "Nothing is fetched here.", "ecluse run")
            refs = list_remote(self.address(repository), tag, tag + "^{}", branch)
        except Failed as problem:
            seen = store.resolve(mark)
            if seen is None:
                raise self._offline(name, problem) from problem
            self.notes.append(f"{name} could not be looked up; the commit last seen is used ({seen[:12]})")
            return seen
        found = refs.get(tag + "^{}") or refs.get(tag) or refs.get(branch)
        if found is None:
            if _SHORT.match(ref):
                raise Invalid(
                    "checks.action_short",
                    f"Unable to resolve action `{repository}@{ref}`, the provided ref `{ref}` is the shortened "
                    "version of a commit SHA, which is not supported.",
                    "write all 40 characters of the commit",
                )
            raise Invalid(
                "checks.action_ref",
                f"Unable to resolve action `{name}`, unable to find version `{ref}` at {self.address(repository)}.",
                f"see which there are with: git ls-remote {self.address(repository)}",
            )
        self._bring(repository, store, found, tag if tag in refs else branch)
        if store.valid_ref(mark):
            store.run("update-ref", mark, found, check=False)  # a folder of that name is in the way
        return found

    def _offline(self, name: str, problem: Failed) -> Failed:
        if any(sign in problem.message for sign in _NOBODY):
            self._gone = self._gone or problem
        return Failed(
            "checks.action_offline",
            f"{name} is not on this machine and could not be fetched: {problem.message}",
            f"connect to the network once, give its folder with --local-action {name}=DIR, "
            f"or name another base address with --actions-url or {URL_VARIABLE}",
        )

    def _store(self, repository: str) -> Repository:
        """The repository on this machine that holds what was fetched of ``repository``."""
        import hashlib

        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        name = without_base(repository)
        where = hashlib.sha256(self.address(repository).removesuffix(f"/{name}").encode()).hexdigest()[:16]
        folder = base / "ecluse" / "actions" / where / f"{name.lower()}.git"
        with FileLock(folder.with_suffix(".lock")).held():
            if (folder / "HEAD").is_file():
                return Repository(folder, folder, None)
            return Repository.create(folder, bare=True)

    def _bring(self, repository: str, store: Repository, commit: str, ref: str = "") -> None:
        """Have ``commit`` in ``store``. Raises :class:`Failed` when it cannot be had."""
        from ecluse.git.elsewhere import fetch_commit

        if store.resolve(commit) is not None:
            return
        name = f"{repository.lower()}@{commit}"
        if not self.network or self._gone is not None:
            reason = self._gone or Failed("checks.no_network", "nothing is fetched here.", "ecluse run")
            raise self._offline(name, reason)
        url = self.address(repository)
        with FileLock(store.git_dir.with_suffix(".lock")).held():
            try:
                is_here = fetch_commit(store, url, commit, ref)
            except Failed as problem:
                raise self._offline(name, problem) from problem
            if not is_here:
                raise Failed(
                    "checks.action_commit",
                    f"{url} has no commit {commit}: what was pinned is gone from there.",
                    "if that is right, pin what is there now with: ecluse run --update-actions",
                )
            store.run("update-ref", f"refs/kept/{commit}", commit)

    def fetch(self, repository: str, ref: str) -> tuple[Repository, str]:
        """A repository on this machine that has ``ref`` of ``repository``, and the commit. Raises :class:`Problem`."""
        with self._guard:
            commit = self.commit(repository, ref)
            store = self._store(repository)
            self._bring(repository, store, commit)
            return store, commit

    def export(self, repository: str, ref: str, into: Path) -> Path:
        """All files of ``repository`` at ``ref``, written below ``into`` once. Raises :class:`Problem`."""
        import tempfile

        from ecluse.git.elsewhere import export

        target = into / repository.lower().removeprefix("http://").removeprefix("https://") / ref.replace("/", "-")
        if not target.is_dir():
            target.parent.mkdir(parents=True, exist_ok=True)
            store, commit = self.fetch(repository, ref)
            made = Path(tempfile.mkdtemp(prefix="action-", dir=into)) / "files"
            export(store, commit, made)
            with contextlib.suppress(OSError):  # another step of the job was faster
                made.replace(target)
        return target

    def read(self, repository: str, ref: str, path: str) -> bytes | None:
        """The file ``path`` of ``repository`` at ``ref``; ``None``, and a note, when the repository is out of reach.

        Raises ``FileNotFoundError`` when the repository is here and has no such file.
        """
        try:
            store, commit = self.fetch(repository, ref)
        except Problem as problem:
            if self.network:
                self.notes.append(problem.message)
            return None
        data = store.read(commit, path, _CAP)
        if data is None:
            raise FileNotFoundError(f"{path} in {repository}@{ref}")
        return data
