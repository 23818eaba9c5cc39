"""Export: everything done in a checkout as one bundle that can be verified, with nothing of the checkout touched."""

from __future__ import annotations

import base64
import errno
import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ecluse import __version__
from ecluse.clock import instant
from ecluse.dataclass import dataclass
from ecluse.errors import Invalid, Red, Refused, Unsupported
from ecluse.files import remove_stale, storage_problem
from ecluse.git import ChangedPath, Commit, Identity, Repository
from ecluse.git.nouns import EMPTY_TREE
from ecluse.git.packs import write_bundle
from ecluse.intake import manifest as manifests
from ecluse.intake.baseline import Baseline, find_baseline, likely_baseline
from ecluse.intake.belonging import remote_of, roots_of
from ecluse.intake.lineage import next_revision
from ecluse.intake.manifest import Manifest, Payload, clean
from ecluse.intake.objects import Blobs, Reader, commits_with_changes
from ecluse.intake.outcomes import landed_heads
from ecluse.intake.pathrules import shown
from ecluse.intake.snapshot import FILE_CAP, QUIET_REASONS, SUBMODULE, Snapshot, committer, take
from ecluse.model import Agent
from ecluse.process import background

if TYPE_CHECKING:
    from ecluse.intake.publication import Publication
    from ecluse.intake.secretrules import Search

BUNDLE_REF = "refs/heads/change"
_Counted = tuple[Path | None, tuple[int, int] | None]
_Made = tuple[Callable[[], Path], Callable[[], _Counted]]
"""What fetches the bundle, and what fetches the patch with the lines that it adds and removes, where they are counted."""

PATCH_CAP = 64 << 20
"""A patch payload above this many bytes is left out, and the manifest says so."""
_DEAD_S = 24 * 3600.0
"""A temporary clone that has been there for so long belongs to nobody any more; checks in one may take hours."""


@dataclass(frozen=True, slots=True)
class ExportRequest:
    """What to export and where to. ``to`` is a folder, or a file ending in ``.tar``; ``sign`` is a private key.

    ``checkpoint`` marks a copy that the next one of the same change replaces (:mod:`ecluse.intake.checkpoint`).
    """

    agent: Agent
    base: str | None = None
    note: str = ""
    to: Path | None = None
    validate: str = "minimal"
    accept_omissions: bool = False
    allow_red: bool = False
    sign: Path | None = None
    max_file_bytes: int = FILE_CAP
    checkpoint: bool = False


@dataclass(frozen=True, slots=True)
class Exported:
    """A bundle on disk. ``path`` is its manifest or its ``.tar``; ``omissions`` are those nobody has accepted yet."""

    change_id: str
    revision: int
    path: Path
    base: str
    head: str
    tree: str
    files: tuple[dict[str, Any], ...]
    not_carried: tuple[dict[str, Any], ...]
    omissions: tuple[dict[str, Any], ...]
    payloads: tuple[dict[str, Any], ...]
    validations: tuple[dict[str, Any], ...]
    title: str
    based: str
    commits: int
    """How many commits it carries, without the one of uncommitted work."""


@dataclass(frozen=True, slots=True)
class _Found:
    """Everything since the base. ``commits`` are oldest first, ``changes`` lead from the base to ``tip``."""

    based: Baseline
    work: Snapshot
    tip: str
    commits: list[Commit]
    changes: list[ChangedPath]
    roots: tuple[str, ...]
    remote: str
    base_tree: str
    bundle: Path
    patch: Path | None
    lines: tuple[int, int] | None


def export(repository: Repository, request: ExportRequest) -> Exported:
    """Write one bundle with all committed, staged, unstaged and untracked work since the base.

    Raises :class:`Invalid` (``export.empty``, ``repo.empty``, ``repo.format``, ``export.base``, ``export.bare``), :class:`Refused` (``secret.found``),
    :class:`Red` (``export.red``), :class:`ecluse.errors.Failed` when the target folder cannot be written.
    """
    head = repository.commit_id("HEAD")
    if len(head) != len(EMPTY_TREE):
        raise Unsupported(
            "repo.format",
            "This repository names its objects by SHA-256; Écluse carries changes of SHA-1 repositories only.",
            "git bundle create FILE.bundle HEAD",
        )
    remove_stale(Path(tempfile.gettempdir()), "ecluse-clone-", _DEAD_S)
    try:
        with repository.temporary_clone() as temporary:
            found = _find(repository, temporary, head, request)
            path, described = _publish(repository, temporary, head, found, request)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise storage_problem(error, error.filename or tempfile.gettempdir()) from error
    return _exported(described, path, found, request)


def _find(repository: Repository, temporary: Repository, head: str, request: ExportRequest) -> _Found:
    """Find what there is to hand over, and refuse what must not be. What git has to be asked is asked side by side."""
    with ExitStack() as stack:
        base_found = stack.enter_context(background(lambda: likely_baseline(repository, request.base)))
        work_taken = stack.enter_context(background(lambda: _take(repository, temporary, head, request)))
        _prepare(repository, request)
        based = base_found()
        origin = stack.enter_context(background(lambda: _origin(repository, based.commit, head)))
        lying = _committed(stack, repository, temporary, based.commit, head)
        if lying is None:  # the work does not stand on it: where do they part?
            based = find_baseline(repository, head, request.base)
            origin = stack.enter_context(background(lambda: _origin(repository, based.commit, head)))
            lying = _committed(stack, repository, temporary, based.commit, head)
        assert lying is not None  # noqa: S101 - an ancestor is always what some commit stands on
        work = work_taken()
        tip = work.commit or head
        if tip == based.commit or tip in landed_heads(repository):
            _refuse_empty(work)
        commits, changes, made = lying.commits, lying.changes, lying.made
        if work.commit:
            made = _make(stack, repository, temporary, based.commit, tip)
            own, changed = commits_with_changes(temporary, f"^{head}", tip)
            with Reader(temporary) as reader:
                _refuse_secrets(Blobs(reader, changed[tip], ()), own, changed, changed[tip])
            commits = [*commits, *own]
            changes = temporary.changed_paths(based.commit or EMPTY_TREE, tip)
        work = _with_submodules(work, changes)
        assert made is not None  # noqa: S101 - where nothing was committed and nothing lies there, it was refused
        bundle, patch = made
        return _Found(based, work, tip, commits, changes, *origin(), bundle(), *patch())


@dataclass(frozen=True, slots=True)
class _Committed:
    """What is committed since the base, and what fetches its payloads, which are made meanwhile."""

    commits: list[Commit]
    changes: list[ChangedPath]
    made: _Made | None


def _committed(
    stack: ExitStack, repository: Repository, temporary: Repository, base: str, head: str
) -> _Committed | None:
    """List what is committed since ``base`` and refuse what must not travel; the files of the result are read while git
    is still listing the commits. ``None`` when the work does not stand on ``base``."""
    from ecluse.intake.secretrules import Search

    since = [f"^{base}"] if base else []
    listed = stack.enter_context(background(lambda: commits_with_changes(temporary, *since, head)))
    made = _make(stack, repository, temporary, base, head) if head != base else None
    with Reader(temporary) as reader:
        changes = temporary.changed_paths(base or EMPTY_TREE, head)
        blobs = Blobs(reader, changes, ())
        search = Search(blobs)
        search.look(changes)
        commits, by_commit = listed()
        if base not in ("", head, *(parent for commit in commits for parent in commit.parents)):
            return None
        _refuse_secrets(blobs, commits, by_commit, changes, search)
    return _Committed(commits, changes, made)


def _make(stack: ExitStack, repository: Repository, temporary: Repository, base: str, tip: str) -> _Made:
    """Have both payloads made beside what follows.

    For HEAD that begins before it is known whether anything uncommitted lies there: mostly nothing does, and looking
    takes as long as making them.
    """
    folder = Path(tempfile.mkdtemp(dir=temporary.git_dir))
    return (
        stack.enter_context(background(lambda: _make_bundle(temporary, folder, base, tip))),
        stack.enter_context(background(lambda: _make_patch(repository, temporary, folder, base, tip))),
    )


def _prepare(repository: Repository, request: ExportRequest) -> None:
    """Look at the request, and load what is needed later on, while git is at work."""
    from ecluse.intake import secretrules, sessiondocs  # noqa: F401
    from ecluse.intake.publication import default_folder
    from ecluse.intake.validation import check_level

    check_level(request.validate)
    if request.to is None or repository.work_tree is not None or repository.config("core.bare") != "true":
        default_folder(repository)  # there is none inside of .git, where the work tree would not be looked at


def _publish(
    repository: Repository, temporary: Repository, head: str, found: _Found, request: ExportRequest
) -> tuple[Path, Manifest]:
    """Name the change, describe it, and put it where it was asked for."""
    from ecluse.intake.publication import Publication, default_folder, publish
    from ecluse.intake.sessiondocs import session_documents
    from ecluse.intake.validation import validate_tree

    based, work, tip, commits = found.based, found.work, found.tip, found.commits
    outputs = default_folder(repository) if request.to is None else request.to
    validations = validate_tree(
        temporary, based.commit, tip, request.validate, checkout=repository.work_tree, execute=True, lying=work
    )
    _refuse_red(validations, request)
    beyond = frozenset(commit.id for commit in commits)
    lineage = next_revision(repository, based.commit, tip, outputs if outputs.suffix != ".tar" else None, beyond)
    with Publication(outputs) as publication:
        payloads, left = _take_payloads(publication, found.bundle, found.patch)
        described = Manifest(
            id=lineage.id,
            revision=lineage.revision,
            title=_title(commits, work, request),
            agent=_clean_agent(request.agent),
            base=based.commit,
            base_tree=found.base_tree,
            head=tip,
            tree=commits[-1].tree if commits and commits[-1].id == tip else temporary.tree_id(tip),
            payloads=tuple(payloads),
            target=clean(based.target),
            uncommitted=work.commit,
            note=clean(request.note, multiline=True),
            files=tuple(_describe(change, work) for change in found.changes),
            not_carried=work.not_carried,
            validations=tuple(validations),
            roots=found.roots,
            remote=found.remote,
            extra={**left, "generator": f"ecluse {__version__}"},
        )
        former = _former_keys(repository, publication, described, head, found, request)
        documents = session_documents(
            repository.work_tree, publication, described, commits, request,
            branch=former["git"]["branch"], based=based.how, lines=found.lines,
        )  # fmt: skip
        path = publish(publication, described, manifests.write(described, former), request.sign, documents)
    return path, described


def _take(repository: Repository, temporary: Repository, head: str, request: ExportRequest) -> Snapshot:
    def who() -> Identity:
        return committer(repository, clean(request.agent.name))

    return take(repository, temporary, head, who=who, max_file_bytes=request.max_file_bytes)


def _with_submodules(work: Snapshot, changes: Sequence[ChangedPath]) -> Snapshot:
    """The snapshot that says of each submodule whose pointer the change moves that its content is not carried."""
    said = {one["path"] for one in work.not_carried if one["reason"] == "submodule"}
    moved = [shown(change.path) for change in changes if change.new_mode == "160000"]
    rows = [{"path": path, "reason": "submodule", "detail": SUBMODULE} for path in moved if path not in said]
    return Snapshot(work.commit, work.origins, (*work.not_carried, *rows)) if rows else work


def _origin(repository: Repository, base: str, head: str) -> tuple[tuple[str, ...], str, str]:
    """The first commits of the repository's history, its remote's address, and the tree of ``base``."""
    return roots_of(repository, head), remote_of(repository), repository.tree_id(base) if base else ""


def _refuse_empty(work: Snapshot) -> None:
    left = [f"{one['path']} ({one['reason']})" for one in work.not_carried if one["reason"] not in QUIET_REASONS]
    but = f" Left out: {', '.join(left[:10])}." if left else ""
    raise Invalid(
        "export.empty",
        f"There is nothing to hand over: no commit since the base and no uncommitted work.{but}",
        "make a change first, or name an older start with: ecluse export --base REV",
        {"not_carried": list(work.not_carried)},
    )


def _refuse_secrets(
    blobs: Blobs,
    commits: Sequence[Commit],
    by_commit: Mapping[str, Sequence[ChangedPath]],
    changes: Sequence[ChangedPath],
    search: Search | None = None,
) -> None:
    from ecluse.intake.secretrules import find_secrets

    found = find_secrets(blobs, commits, by_commit, changes, search)
    if not found:
        return
    rows = [{"code": f.code, "path": shown(f.path), "line": f.line, "message": f.message} for f in found]
    where = "; ".join(finding.message for finding in found[:5])
    more = f" (and {len(found) - 5} more)" if len(found) > 5 else ""
    raise Refused(
        "secret.found",
        f"Nothing was exported, because it holds what looks like a secret: {where}{more}. The value is not shown.",
        "take it out of the file and of the commits (git reset --soft BASE, edit, commit again), replace the secret "
        "where it is in use, then type: ecluse export",
        {"findings": rows},
    )


def _refuse_red(validations: list[dict[str, Any]], request: ExportRequest) -> None:
    red = [one for one in validations if one["result"] == "failure"]
    if red and not request.allow_red:
        why = "; ".join(f"{one['name']}: {one['detail']}" for one in red)
        raise Red(
            "export.red",
            f"Nothing was exported, because a check is red: {why}.",
            "fix it, or: ecluse export --allow-red",
        )


def _make_bundle(temporary: Repository, folder: Path, base: str, tip: str) -> Path:
    """Write the bundle beside the temporary repository, while what it holds is judged; nobody sees it yet."""
    bundle = folder / "payload.bundle"
    write_bundle(temporary, bundle, BUNDLE_REF, tip, base)
    return bundle


def _make_patch(repository: Repository, temporary: Repository, folder: Path, base: str, tip: str) -> _Counted:
    """Write the patch in the same way; how many lines it adds and removes is counted where that is not dear.

    There is none where a partial clone lacks the former content of what the change touches.
    """
    from ecluse.intake.sessiondocs import LINES_CAP, count_lines

    patch = folder / "payload.patch"
    partial = any((repository.common_dir / "objects" / "pack").glob("*.promisor"))
    done = temporary.run(
        "diff-tree", "-r", "-p", "--binary", "--full-index", "--no-renames", "--no-color", "--no-ext-diff",
        "--no-textconv", "--src-prefix=a/", "--dst-prefix=b/", f"--output={patch}", base or EMPTY_TREE, tip,
        check=not partial,
    )  # fmt: skip
    if done.code:
        return None, None
    return patch, count_lines(patch) if patch.stat().st_size <= LINES_CAP else None


def _take_payloads(publication: Publication, made: Path, patch: Path | None) -> tuple[list[Payload], dict[str, Any]]:
    """Hand the payloads to the publication; a patch that is too large or cannot be is left out, and that is said."""
    from ecluse.intake.publication import make_payload

    bundle = publication.take("bundle", made)
    payloads = [make_payload("bundle", bundle, publication)]
    if patch is None:
        return payloads, {"omitted_payloads": [{"kind": "patch", "reason": "objects missing", "size": 0}]}
    size = patch.stat().st_size
    if size > PATCH_CAP:
        return payloads, {"omitted_payloads": [{"kind": "patch", "reason": "too large", "size": size}]}
    return [*payloads, make_payload("patch", publication.take("patch", patch), publication)], {}


def _title(commits: list[Commit], work: Snapshot, request: ExportRequest) -> str:
    real = [commit for commit in commits if commit.id != work.commit]
    words = real[-1].title if real else (request.note.strip().splitlines() or [""])[0]
    return clean(words) or "uncommitted work"


def _clean_agent(agent: Agent) -> Agent:
    said = {word: clean(getattr(agent, word)) for word in ("tool", "model", "session", "task", "cost")}
    return Agent(clean(agent.name or "agent"), **said)


def _describe(change: ChangedPath, work: Snapshot) -> dict[str, Any]:
    raw = os.fsencode(change.path)
    described: dict[str, Any] = {
        "path": raw.decode("utf-8", "backslashreplace"),
        "status": change.status,
        "mode": change.new_mode,
        "blob": change.new_id,
        "origin": work.origins.get(change.path, "committed"),
    }
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError:
        described["path_b64"] = base64.b64encode(raw).decode("ascii")
    return described


def _former_keys(
    repository: Repository,
    publication: Publication,
    described: Manifest,
    head: str,
    found: _Found,
    request: ExportRequest,
) -> dict[str, Any]:
    """The keys of the first specification."""
    patch = described.payload("patch")
    committed, work = _committed_count(found), found.work
    kind = "mixed" if committed and work.commit else "uncommitted" if work.commit else "commits"
    last = next((one for one in reversed(found.commits) if one.id == head), None) or repository.commits(f"{head}^!")[0]
    return {
        "export_timestamp": publication.stamp,
        "export_date": instant(),
        "git": {
            "branch": repository.branch() or "(detached)",
            "last_commit": head,
            "last_commit_message": clean(" ".join(last.message.partition("\n\n")[0].split("\n"))),
            "commits_ahead": committed,
            "uncommitted_changes": bool(work.commit),
        },
        "patch": {
            "filename": patch.name if patch else "",
            "type": kind,
            "size_bytes": patch.size if patch else 0,
            "modified_files": [one["path"] for one in described.files],
        },
        "status": "checkpoint" if request.checkpoint else "exported",
    }


def _committed_count(found: _Found) -> int:
    return len(found.commits) - bool(found.work.commit)


def _exported(described: Manifest, path: Path, found: _Found, request: ExportRequest) -> Exported:
    loud = tuple(one for one in found.work.not_carried if one["reason"] not in QUIET_REASONS)
    return Exported(
        change_id=described.id,
        revision=described.revision,
        path=path,
        base=described.base,
        head=described.head,
        tree=described.tree,
        files=described.files,
        not_carried=described.not_carried,
        omissions=() if request.accept_omissions else loud,
        payloads=tuple(
            {"kind": p.kind, "name": p.name, "sha256": p.sha256, "size": p.size} for p in described.payloads
        ),
        validations=described.validations,
        title=described.title,
        based=found.based.how,
        commits=_committed_count(found),
    )
