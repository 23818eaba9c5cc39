"""One repository: objects, refs, trees, merges, the work tree that follows, and temporary clones."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO

from ecluse import process
from ecluse.errors import Failed, Invalid, Refused, Waits
from ecluse.git.asking import Asker
from ecluse.git.invocation import clean_environment, git
from ecluse.git.nouns import (
    COMMIT_FIELDS,
    COMMIT_FORM,
    ZERO,
    ChangedPath,
    Commit,
    Identity,
    MergeResult,
    StatusEntry,
    TreeEntry,
)
from ecluse.git.settings import Seen, Settings, look

_ON_BRANCH = "ref: refs/heads/"


class RefMoved(Waits):
    """A compare-and-swap found another value than the one expected; nothing was changed."""

    def __init__(self, ref: str, expected: str, found: str) -> None:
        super().__init__(
            "ref.moved",
            f"{ref} is at {found[:12] or 'nothing'}, not at {expected[:12] or 'nothing'} as expected; it was left alone.",
            "ecluse status",
        )
        self.found = found


class Repository:
    """One git repository on this machine, with or without a work tree.

    ``git_dir`` is this work tree's own folder, ``common_dir`` the one shared by all its work trees; Écluse's
    authoritative state lies in ``state_dir`` (``<common_dir>/ecluse``), which git never commits nor cleans.
    """

    def __init__(self, git_dir: Path, common_dir: Path, work_tree: Path | None) -> None:
        self.git_dir = git_dir
        self.common_dir = common_dir
        self.work_tree = work_tree
        self.state_dir = common_dir / "ecluse"
        self._asker: Asker | None = None
        self._settings: Seen | None = None

    # -- finding and making ------------------------------------------------------------------------------------

    @classmethod
    def discover(cls, start: Path) -> Repository:
        """The repository that ``start`` lies in. Raises :class:`Invalid` when there is none."""
        if not start.is_dir():
            raise Invalid("file.missing", f"There is no folder {start}.", "check the name with: ls")
        questions = [
            "--path-format=absolute",
            "--git-dir",
            "--git-common-dir",
            "--is-bare-repository",
            "--show-toplevel",
        ]
        asked = git(["rev-parse", *questions], cwd=start, check=False)
        answers = os.fsdecode(asked.stdout).split("\n")
        if len(answers) < 4:
            said = asked.stderr.decode("utf-8", "replace").strip()
            if "not a git repository" in said:
                raise Invalid(
                    "repo.none",
                    f"{start.absolute()} is not inside a git repository.",
                    "cd to a repository, name one with -C DIR, or make one with: git init",
                )
            raise Failed("repo.broken", f"git cannot read the repository at {start}: {said}", "git fsck")
        git_dir, common_dir = answers[:2]
        work_tree = Path(answers[3]) if asked.code == 0 else None  # a bare repository has no top level
        return cls(Path(git_dir), Path(common_dir), work_tree)

    @classmethod
    def create(cls, folder: Path, *, bare: bool = False, branch: str = "main") -> Repository:
        """Make a new repository in ``folder``, without any template."""
        folder.mkdir(parents=True, exist_ok=True)
        git(["init", "-q", "--template=", *(["--bare"] if bare else []), "-b", branch, "."], cwd=folder)
        top = folder.resolve()
        return cls(top, top, None) if bare else cls(top / ".git", top / ".git", top)

    @classmethod
    def lay_out(cls, folder: Path) -> Repository:
        """An empty bare repository, as :meth:`create` makes it, without starting git: nothing is ever checked out in it,
        so there is no file system to probe."""
        for name in ("objects/info", "objects/pack", "refs/heads"):
            (folder / name).mkdir(parents=True)
        (folder / "HEAD").write_bytes(b"ref: refs/heads/main\n")
        (folder / "config").write_bytes(b"[core]\n\trepositoryformatversion = 0\n\tbare = true\n")
        top = folder.resolve()
        return cls(top, top, None)

    def run(
        self,
        *args: str,
        stdin: bytes | IO[bytes] | None = None,
        check: bool = True,
        user_config: bool = False,
        extra_env: Mapping[str, str] | None = None,
        timeout_s: float | None = None,
        stdout: IO[bytes] | None = None,
        limits: process.Limits | None = None,
    ) -> process.Completed:
        """Run one git command in this repository (from the top of its work tree when it has one)."""
        return git(
            ["--git-dir", str(self.git_dir), *(["--work-tree", str(self.work_tree)] if self.work_tree else []), *args],
            cwd=self.work_tree or self.git_dir,
            stdin=stdin,
            check=check,
            user_config=user_config,
            extra_env=extra_env,
            timeout_s=timeout_s,
            stdout=stdout,
            limits=limits,
        )

    def open_pipe(self, *args: str, limits: process.Limits | None = None) -> process.Pipe:
        """A long-lived git command, such as ``cat-file --batch``; the caller closes its ends and waits for it."""
        words = ["git", "--git-dir", str(self.git_dir), *args]
        return process.open_pipe(words, env=clean_environment(), limits=limits)

    def text(self, *args: str, check: bool = True) -> str:
        """What a git command prints, decoded byte for byte, without the last line end."""
        return os.fsdecode(self.run(*args, check=check).stdout).rstrip("\n")

    @contextlib.contextmanager
    def asking(self) -> Iterator[None]:
        """Within the block, one process of git answers what is asked about revisions, trees and files of them.

        For a command that asks much and ends; threads started within it have to end within it.
        """
        if self._asker is not None:
            yield
            return
        asker = self._asker = Asker(lambda: self.open_pipe("cat-file", "--batch-command"))
        try:
            yield
        finally:
            self._asker = None
            asker.close()

    @property
    def is_asking(self) -> bool:
        """Whether a question costs no process of its own, because we are in a block of :meth:`asking`."""
        return self._asker is not None

    def settings(self) -> Settings | None:
        """The configuration that counts here, the user's own included, asked again when the repository's file has
        changed; ``None`` where git cannot read it."""
        self._settings = look(self.run, self.common_dir / "config", self._settings)
        return self._settings[1] if self._settings else None

    def config(self, key: str) -> str | None:
        """The value of ``key`` in this repository's own configuration."""
        if (known := self.settings()) is not None and known.knows_own:
            return known.own(key)
        got = self.run("config", "--local", "--get", key, check=False)
        return os.fsdecode(got.stdout).rstrip("\n") if got.code == 0 else None

    def set_config(self, key: str, value: str) -> None:
        self.run("config", "--local", key, value)

    def identity(self) -> Identity | None:
        """The user's own name and mail address, or ``None`` when git has none."""
        return known.identity() if (known := self.settings()) else None

    # -- revisions and refs ------------------------------------------------------------------------------------

    def resolve(self, revision: str, kind: str = "commit") -> str | None:
        """The object id of ``revision`` peeled to ``kind``, or ``None`` when there is no such object."""
        if self._asker is not None and Asker.takes(revision):
            known = self._asker.info(f"{revision}^{{{kind}}}")
            return known[0] if known and known[1] == kind else None
        got = self.run("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{{kind}}}", check=False)
        lines = got.stdout.decode("ascii", "replace").split()
        return lines[-1] if got.code == 0 and lines else None

    def commit_id(self, revision: str) -> str:
        """Like :meth:`resolve`; raises :class:`Invalid` with a way on when there is no such commit."""
        found = self.resolve(revision)
        if found is None:
            if revision == "HEAD":
                raise Invalid(
                    "repo.empty", "This repository has no commits yet.", "git add -A && git commit -m 'first commit'"
                )
            raise Invalid("rev.unknown", f"There is no commit called {revision!r} here.", "git log --oneline --all")
        return found

    def tree_id(self, revision: str) -> str:
        """The tree of a commit (or of a tree). Raises :class:`Invalid` when there is none."""
        found = self.resolve(revision, "tree")
        if found is None:
            raise Invalid("rev.unknown", f"There is no tree called {revision!r} here.", "git log --oneline --all")
        return found

    def tree_of(self, commit: str) -> str | None:
        """The tree of exactly this commit (an id), or ``None`` when there is no such commit."""
        if self._asker is not None:
            return self.resolve(commit, "tree") if self.resolve(commit) == commit else None
        got = self.run(
            "rev-parse", "--quiet", "--end-of-options", f"{commit}^{{commit}}", f"{commit}^{{tree}}", check=False
        )
        lines = got.stdout.decode("ascii", "replace").split()[-2:]
        return lines[1] if got.code == 0 and len(lines) == 2 and lines[0] == commit else None

    def branch(self) -> str | None:
        """The branch that is checked out (short name), or ``None`` when HEAD is detached."""
        with contextlib.suppress(OSError):  # a plain HEAD is one line of one file; anything else is asked of git
            said = os.fsdecode((self.git_dir / "HEAD").read_bytes())
            if said.startswith(_ON_BRANCH) and said.endswith("\n") and not said.startswith(f"{_ON_BRANCH}."):
                return said[len(_ON_BRANCH) : -1]
        got = self.run("symbolic-ref", "--quiet", "--short", "HEAD", check=False)
        return os.fsdecode(got.stdout).strip() if got.code == 0 else None

    def refs(self, *prefixes: str) -> dict[str, str]:
        """Full ref names under ``prefixes`` and the object ids they hold (tags not peeled)."""
        listed = self.text("for-each-ref", "--format=%(objectname) %(refname)", *prefixes)
        return {name: oid for oid, _, name in (line.partition(" ") for line in listed.split("\n") if line)}

    def ref(self, name: str) -> str:
        """The object id that the full ref ``name`` holds (tags not peeled); empty when there is no such ref."""
        if self._asker is not None and name.startswith("refs/") and Asker.takes(name):
            known = self._asker.info(name)
            return known[0] if known else ""
        return self.refs(name).get(name, "")

    def valid_ref(self, name: str) -> bool:
        """Whether git would accept ``name`` as a full ref name."""
        return self.run("check-ref-format", name, check=False).code == 0

    def move_ref(self, name: str, new: str, old: str, why: str) -> None:
        """Compare-and-swap: set ``name`` to ``new`` only if it holds ``old`` (empty: only if it does not exist).

        An empty ``new`` deletes it. Raises :class:`RefMoved` when it holds something else; already holding ``new``
        is success. A lock file left by a process that died is not removed here.
        """
        if new:
            done = self.run(
                "update-ref", "-m", why, "--create-reflog", "--end-of-options", name, new, old or ZERO, check=False
            )
        else:
            done = self.run("update-ref", "-m", why, "-d", "--end-of-options", name, old, check=False)
        if done.code == 0:
            return
        found = self.refs(name).get(name, "")
        if found == new:
            return
        if found != old:
            raise RefMoved(name, old, found)
        said = done.stderr.decode("utf-8", "replace").strip()
        raise Failed("ref.update", f"git could not move {name}: {said}", "git status, then type the same command again")

    def is_ancestor(self, older: str, newer: str) -> bool:
        return self.run("merge-base", "--is-ancestor", "--end-of-options", older, newer, check=False).code == 0

    def merge_base(self, one: str, other: str) -> str | None:
        got = self.run("merge-base", "--end-of-options", one, other, check=False)
        return got.stdout.decode("ascii").split()[0] if got.code == 0 and got.stdout else None

    def commits(self, *revisions: str) -> list[Commit]:
        """The commits of ``git rev-list`` over ``revisions`` (``^base``, ``head``), oldest first."""
        fields = self.log("-z", "--end-of-options", *revisions).split(b"\0")
        return [Commit.read(fields[at : at + COMMIT_FIELDS]) for at in range(0, len(fields) - 1, COMMIT_FIELDS)]

    def log(self, *words: str) -> bytes:
        """What ``git log`` prints, oldest first, with the fields of :meth:`Commit.read`, each ended by NUL.

        ``words`` are options and then revisions, of which none is a name that somebody gave.
        """
        order = ("--reverse", "--topo-order", "--no-show-signature", f"--format=tformat:{COMMIT_FORM}")
        return self.run("log", *order, *words).stdout

    # -- trees and content -------------------------------------------------------------------------------------

    def read(self, revision: str, path: str, cap: int = 8 << 20) -> bytes | None:
        """The bytes of ``path`` in ``revision``, or ``None``. Raises :class:`Refused` above ``cap`` bytes."""
        name = f"{revision}:{path}"
        if self._asker is not None and Asker.takes(name):
            known = self._asker.info(name)
            if known is None or known[1] != "blob":
                return None
            _check_size(path, known[2], cap)
            return self._asker.contents(known[0])
        said = self.run("cat-file", "--batch", stdin=os.fsencode(f"{name}\n")).stdout
        head, _, data = said.partition(b"\n")
        words = head.split()
        if len(words) != 3 or words[1] != b"blob":
            return None
        _check_size(path, int(words[2]), cap)
        return data[:-1]

    def blob(self, oid: str) -> bytes:
        return self.run("cat-file", "blob", oid).stdout

    def list_tree(self, revision: str, *paths: str) -> list[TreeEntry]:
        """Every file below ``paths`` (all without) in ``revision``, recursively."""
        literal = {"GIT_LITERAL_PATHSPECS": "1"}
        listed = self.run(
            "ls-tree", "-r", "-l", "-z", "--full-tree", revision, "--", *paths, extra_env=literal, check=True
        )
        found = []
        for line in os.fsdecode(listed.stdout).split("\0"):
            if line:
                facts, _, path = line.partition("\t")
                mode, kind, oid, size = facts.split()
                found.append(TreeEntry(mode, kind, oid, -1 if size == "-" else int(size), path))
        return found

    def changed_paths(self, old: str, new: str) -> list[ChangedPath]:
        """The paths that differ between two trees or commits, in git's order."""
        listed = self.run(
            "diff-tree", "-r", "-z", "--raw", "--no-renames", "--no-abbrev", "--end-of-options", old, new
        ).stdout
        fields = os.fsdecode(listed).split("\0")
        found = []
        for head, path in zip(fields[0::2], fields[1::2], strict=False):
            old_mode, new_mode, old_id, new_id, status = head.lstrip(":").split(" ")
            found.append(ChangedPath(status[0], old_mode, new_mode, old_id, new_id, path))
        return found

    def merge(self, ours: str, theirs: str) -> MergeResult:
        """Merge two commits in memory (no work tree, no checkout, only the built-in merge drivers)."""
        done = self.run("merge-tree", "--write-tree", "-z", "--name-only", "--no-messages", ours, theirs, check=False)
        if done.code not in (0, 1) or not done.stdout:  # 1 is a conflict as well as a commit that is none
            said = done.stderr.decode("utf-8", "replace").strip()
            raise Failed("merge.failed", f"git could not merge {theirs[:12]} into {ours[:12]}: {said}", "git fsck")
        fields = os.fsdecode(done.stdout).split("\0")
        conflicts = tuple(dict.fromkeys(name for name in fields[1:] if name)) if done.code else ()
        return MergeResult(fields[0].strip(), conflicts)

    def commit_tree(self, tree: str, parents: Sequence[str], message: str, who: Identity, when: str) -> str:
        """Make a commit object of ``tree``; the same arguments give the same id."""
        name, email = (os.fsdecode(word.encode("utf-8", "surrogateescape")) for word in (who.name, who.email))
        env = {
            "GIT_AUTHOR_NAME": name,
            "GIT_AUTHOR_EMAIL": email,
            "GIT_COMMITTER_NAME": name,
            "GIT_COMMITTER_EMAIL": email,
            "GIT_AUTHOR_DATE": when,
            "GIT_COMMITTER_DATE": when,
        }
        args = [word for parent in parents for word in ("-p", parent)]
        made = self.run("commit-tree", *args, tree, stdin=message.encode("utf-8", "surrogateescape"), extra_env=env)
        return made.stdout.decode("ascii").strip()

    # -- the work tree -----------------------------------------------------------------------------------------

    def status(self) -> list[StatusEntry]:
        """What differs in the work tree: changed, unmerged and untracked (not ignored) paths, file by file."""
        listed = self.run(
            "status", "--porcelain=v2", "-z", "--untracked-files=all", "--no-renames", "--ignore-submodules=none"
        )
        found = []
        for line in os.fsdecode(listed.stdout).split("\0"):
            if line.startswith("1 "):
                parts = line.split(" ", 8)
                found.append(StatusEntry("changed", parts[1][0], parts[1][1], parts[8]))
            elif line.startswith("u "):
                parts = line.split(" ", 10)
                found.append(StatusEntry("unmerged", parts[1][0], parts[1][1], parts[10]))
            elif line.startswith("? "):
                found.append(StatusEntry("untracked", "?", "?", line[2:]))
        return found

    def checked_out_at(self, ref: str) -> list[Path]:
        """The work trees in which the branch ``ref`` is checked out."""
        listed = self.run("worktree", "list", "--porcelain", "-z").stdout
        found: list[Path] = []
        for block in os.fsdecode(listed).split("\0\0"):
            fields = dict(line.partition(" ")[::2] for line in block.split("\0") if line)
            if fields.get("branch") == ref and "bare" not in fields:
                found.append(Path(fields["worktree"]))
        return found

    def clear_dead_locks(self, *names: str, patience_s: float = 3.0) -> tuple[str, ...]:
        """Remove lock files that a git killed half way left behind; to be called only when resuming after a death.

        A lock that somebody's living git holds goes away by itself within ``patience_s`` seconds and is left alone;
        one that is still the same file afterwards is removed. Returns the names removed.
        """
        paths = [base / f"{name}.lock" for name in names for base in dict.fromkeys((self.git_dir, self.common_dir))]
        seen = {path: path.stat().st_mtime_ns for path in paths if path.exists()}
        deadline = time.monotonic() + patience_s
        while time.monotonic() < deadline and any(path.exists() for path in seen):
            time.sleep(0.05)
        removed = []
        for path, mark in seen.items():
            with contextlib.suppress(FileNotFoundError):
                if path.stat().st_mtime_ns == mark:
                    path.unlink()
                    removed.append(path.name)
        return tuple(removed)

    @contextlib.contextmanager
    def temporary_clone(self, *, bare: bool = True, parent: Path | None = None) -> Iterator[Repository]:
        """An empty repository that borrows this one's objects and is removed at the end of the block.

        It has no refs, no configuration and no hooks of this one; what is made in it stays in it.
        """
        import shutil
        import tempfile

        folder = Path(tempfile.mkdtemp(prefix="ecluse-clone-", dir=parent))
        try:
            yield self.borrow(folder / "r", bare=bare)
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def borrow(self, folder: Path, *, bare: bool = False) -> Repository:
        """Make a repository in ``folder`` that borrows this one's objects (alternates), and nothing else of it."""
        made = Repository.lay_out(folder) if bare else Repository.create(folder)
        alternates = made.git_dir / "objects" / "info" / "alternates"
        alternates.parent.mkdir(parents=True, exist_ok=True)
        alternates.write_bytes(os.fsencode(str(self.common_dir / "objects")) + b"\n")
        shallow = self.common_dir / "shallow"
        if shallow.exists():
            (made.git_dir / "shallow").write_bytes(shallow.read_bytes())
        return made

    def check_out(self, commit: str) -> None:
        """Fill an empty work tree with ``commit``, detached."""
        self.run("update-ref", "--no-deref", "HEAD", commit)
        self.run("read-tree", "-m", "-u", commit)


def _check_size(path: str, size: int, cap: int) -> None:
    if size > cap:
        raise Refused("limit.file_size", f"{path} has {size:,} bytes, more than {cap:,}.", "make it smaller")
