"""Export: everything done in a checkout as one bundle that can be verified, with nothing of the checkout touched."""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ecluse import __version__
from ecluse.clock import instant
from ecluse.dataclass import dataclass
from ecluse.errors import Invalid, Red, Refused
from ecluse.git import ChangedPath, Commit, Identity, Repository
from ecluse.git.repository import EMPTY_TREE
from ecluse.intake import manifest as manifests
from ecluse.intake.baseline import Baseline, find_baseline
from ecluse.intake.belonging import remote_of, roots_of
from ecluse.intake.lineage import next_revision
from ecluse.intake.manifest import Manifest, Payload, clean
from ecluse.intake.objects import Blobs, Reader, commit_changes
from ecluse.intake.outcomes import landed_heads
from ecluse.intake.pathrules import shown
from ecluse.intake.publication import Publication, default_folder, make_payload, publish
from ecluse.intake.secretrules import find_secrets
from ecluse.intake.sessiondocs import LINES_CAP, count_lines, session_documents
from ecluse.intake.snapshot import QUIET_REASONS, Snapshot, take
from ecluse.intake.validation import check_level, validate_tree
from ecluse.model import Agent
from ecluse.process import background

BUNDLE_REF = "refs/heads/change"
PATCH_CAP = 64 << 20
"""A patch payload above this many bytes is left out, and the manifest says so."""


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
    max_file_bytes: int = 20 << 20
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


def export(repository: Repository, request: ExportRequest) -> Exported:
    """Write one bundle with all committed, staged, unstaged and untracked work since the base.

    Raises :class:`Invalid` (``export.empty``, ``repo.empty``, ``export.base``), :class:`Refused` (``secret.found``),
    :class:`Red` (``export.red``), :class:`ecluse.errors.Failed` when the target folder cannot be written.
    """
    check_level(request.validate)
    head = repository.commit_id("HEAD")
    outputs = default_folder(repository) if request.to is None else request.to
    with repository.temporary_clone() as temporary:
        with background(lambda: _committed(repository, temporary, head, request.base)) as committed:
            who = repository.identity() or Identity(clean(request.agent.name) or "agent", "agent@localhost")
            work = take(repository, temporary, head, who=who, max_file_bytes=request.max_file_bytes)
        tip = work.commit or head
        based, commits, by_commit = committed()
        if tip == based.commit or tip in landed_heads(repository):
            _refuse_empty(work)
        with (
            background(lambda: _make_bundle(temporary, based.commit, tip)) as bundle_made,
            background(lambda: _make_patch(temporary, based.commit, tip)) as patch_made,
            background(lambda: (roots_of(repository, head), remote_of(repository))) as found_origin,
        ):
            if work.commit:
                commits += temporary.commits(f"^{head}", tip)
                by_commit |= commit_changes(temporary, [tip])
            changes = temporary.changed_paths(based.commit or EMPTY_TREE, tip)
            _refuse_secrets(temporary, commits, by_commit, changes)
        roots, remote = found_origin()
        validations = validate_tree(
            temporary, based.commit, tip, request.validate, checkout=repository.work_tree, execute=True, lying=work
        )
        _refuse_red(validations, request)
        lineage = next_revision(repository, based.commit, tip, outputs if outputs.suffix != ".tar" else None)
        with Publication(outputs) as publication:
            payloads, left = _take_payloads(publication, bundle_made(), patch_made()[0])
            described = Manifest(
                id=lineage.id,
                revision=lineage.revision,
                title=_title(commits, work, request),
                agent=_clean_agent(request.agent),
                base=based.commit,
                base_tree=temporary.tree_id(based.commit) if based.commit else "",
                head=tip,
                tree=commits[-1].tree if commits and commits[-1].id == tip else temporary.tree_id(tip),
                payloads=tuple(payloads),
                target=clean(based.target),
                uncommitted=work.commit,
                note=clean(request.note, multiline=True),
                files=tuple(_describe(change, work, based.commit, head, temporary) for change in changes),
                not_carried=work.not_carried,
                validations=tuple(validations),
                roots=roots,
                remote=remote,
                extra={**left, "generator": f"ecluse {__version__}"},
            )
            former = _former_keys(repository, publication, described, commits, work, request)
            documents = session_documents(
                repository.work_tree, publication, described, commits, request,
                branch=former["git"]["branch"], based=based.how, lines=patch_made()[1],
            )  # fmt: skip
            path = publish(publication, described, manifests.write(described, former), request.sign, documents)
    return _exported(described, path, based, work, request)


def _refuse_empty(work: Snapshot) -> None:
    left = [f"{one['path']} ({one['reason']})" for one in work.not_carried if one["reason"] not in QUIET_REASONS]
    but = f" Left out: {', '.join(left[:10])}." if left else ""
    raise Invalid(
        "export.empty",
        f"There is nothing to hand over: no commit since the base and no uncommitted work.{but}",
        "make a change first, or name an older start with: ecluse export --base REV",
        {"not_carried": list(work.not_carried)},
    )


def _committed(
    repository: Repository, temporary: Repository, head: str, base: str | None
) -> tuple[Baseline, list[Commit], dict[str, list[ChangedPath]]]:
    """Where the change starts, the commits since and what each of them changed, oldest first; found while the checkout
    is surveyed."""
    based = find_baseline(repository, head, base)
    commits = temporary.commits(*([f"^{based.commit}"] if based.commit else []), head)
    return based, commits, commit_changes(temporary, [commit.id for commit in commits])


def _refuse_secrets(
    repository: Repository,
    commits: Sequence[Commit],
    by_commit: Mapping[str, Sequence[ChangedPath]],
    changes: Sequence[ChangedPath],
) -> None:
    history = [change for listed in by_commit.values() for change in listed]
    with Reader(repository) as reader:
        found = find_secrets(Blobs(reader, changes, history), commits, by_commit, changes)
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


def _make_bundle(temporary: Repository, base: str, tip: str) -> Path:
    """Write the bundle beside the temporary repository, while what it holds is judged; nobody sees it yet."""
    temporary.run("update-ref", BUNDLE_REF, tip)
    bundle = temporary.git_dir / "payload.bundle"
    exclude = [f"^{base}"] if base else []
    temporary.run("bundle", "create", "-q", "--version=2", str(bundle), *exclude, BUNDLE_REF)
    return bundle


def _make_patch(temporary: Repository, base: str, tip: str) -> tuple[Path, tuple[int, int] | None]:
    """Write the patch in the same way; how many lines it adds and removes is counted where that is not dear."""
    patch = temporary.git_dir / "payload.patch"
    temporary.run(
        "diff-tree", "-r", "-p", "--binary", "--full-index", "--no-renames", "--no-color", "--no-ext-diff",
        "--no-textconv", "--src-prefix=a/", "--dst-prefix=b/", f"--output={patch}", base or EMPTY_TREE, tip,
    )  # fmt: skip
    return patch, count_lines(patch) if patch.stat().st_size <= LINES_CAP else None


def _take_payloads(publication: Publication, made: Path, patch: Path) -> tuple[list[Payload], dict[str, Any]]:
    """Hand the payloads to the publication; a patch that is too large is left out, and that is said."""
    bundle = publication.take("bundle", made)
    payloads = [make_payload("bundle", bundle, publication)]
    size = patch.stat().st_size
    if size > PATCH_CAP:
        return payloads, {"omitted_payloads": [{"kind": "patch", "reason": "too large", "size": size}]}
    return [*payloads, make_payload("patch", publication.take("patch", patch), publication)], {}


def _title(commits: list[Commit], work: Snapshot, request: ExportRequest) -> str:
    real = [commit for commit in commits if commit.id != work.commit]
    words = real[-1].title if real else (request.note.strip().splitlines() or [""])[0]
    return clean(words) or "uncommitted work"


def _clean_agent(agent: Agent) -> Agent:
    return Agent(*(clean(text) for text in (agent.name or "agent", agent.tool, agent.model, agent.session, agent.task)))


def _describe(change: ChangedPath, work: Snapshot, base: str, head: str, repository: Repository) -> dict[str, Any]:
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
    commits: Sequence[Commit],
    work: Snapshot,
    request: ExportRequest,
) -> dict[str, Any]:
    """The keys of the first specification."""
    patch = described.payload("patch")
    committed = len(commits) - bool(work.commit)
    kind = "mixed" if committed and work.commit else "uncommitted" if work.commit else "commits"
    last, _, subject = repository.text("log", "-1", "--format=%H %s", "HEAD").partition(" ")
    return {
        "export_timestamp": publication.stamp,
        "export_date": instant(),
        "git": {
            "branch": repository.branch() or "(detached)",
            "last_commit": last,
            "last_commit_message": clean(subject),
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


def _exported(described: Manifest, path: Path, based: Baseline, work: Snapshot, request: ExportRequest) -> Exported:
    loud = tuple(one for one in work.not_carried if one["reason"] not in QUIET_REASONS)
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
        based=based.how,
    )
