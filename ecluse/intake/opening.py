"""Opening what carries a change, in the throw-away repository: its bundle, or the text beside it."""

from __future__ import annotations

from pathlib import Path

from ecluse.errors import Refused
from ecluse.git import Identity, Repository
from ecluse.git.fetching import is_partial, obtain
from ecluse.git.lookups import lacking, resolve_all
from ecluse.git.nouns import FALLBACK_IDENTITY
from ecluse.git.remotes import remote_names
from ecluse.intake import belonging, bundlefile, bundlerefs
from ecluse.intake.case import Case
from ecluse.intake.content import make_ready
from ecluse.intake.manifest import MARK, Manifest, clean
from ecluse.intake.patchapply import Limits
from ecluse.intake.quarantine import unpack
from ecluse.intake.series import Form, Text, apply_text, candidate_bases, form_of, read_text
from ecluse.intake.sources import Parcel
from ecluse.intake.treerules import list_entries
from ecluse.model import Finding, Verdict
from ecluse.process import background

_FETCHED_CAP = 20


def open_payload(case: Case, parcel: Parcel, scratch: Path) -> None:
    """Open what carries the change: the bundle where there is one and its base is here, else the text beside it."""
    bundle = case.claims.payload("bundle") if case.claims else None
    patch = case.claims.payload("patch") if case.claims and not case.claims.foreign else None
    paths = [parcel.folder / name for name in parcel.payloads]
    if bundle:
        if bundle.name in parcel.payloads:
            paths = [parcel.folder / bundle.name]
        elif patch is None or patch.name not in parcel.payloads:
            raise bundlefile.refuse("bundle.incomplete", "The bundle payload that the manifest names is not here")
    if form_of(paths[0]) is Form.ARCHIVE:
        from ecluse.intake import archives

        folder = archives.unpack_archive(paths[0], scratch / "unpacked", case.trunk.config.intake.max_bundle_bytes)
        paths = sorted(folder.iterdir())
        if not paths or any(form_of(path) is Form.ARCHIVE for path in paths):
            raise bundlefile.refuse("archive.nested", "The archive holds nothing, or another archive")
    if form_of(paths[0]) is not Form.BUNDLE or len(paths) > 1:
        _open_text(case, paths)
        return
    try:
        _open_bundle(case, paths[0], parcel.ref)
    except Refused as problem:
        if problem.code != "base.missing":
            raise
        if _fetch_missing(case, bundlefile.read_header(paths[0]).prerequisites):
            _open_bundle(case, paths[0], parcel.ref)
        elif patch is not None and patch.name in parcel.payloads:
            _open_text(case, [parcel.folder / patch.name])
        else:
            raise


def _fetch_missing(case: Case, prerequisites: tuple[str, ...] = ()) -> bool:
    """Ask our own remotes for what a change is based on and is not here, where the policy lets us."""
    declared = case.claims.base if case.claims else ""
    needed = dict.fromkeys((*([declared] if declared else []), *prerequisites))
    missing = [oid for oid in needed if case.room.resolve(oid) != oid][:_FETCHED_CAP]
    if not missing or case.fetched or not case.trunk.config.intake.fetch:
        return False
    remote = obtain(case.trunk.repository, case.room, missing, case.tip())
    if not remote:
        return False
    case.fetched = True
    what = ", ".join(oid[:12] for oid in missing[:3])
    text = f"what it is based on ({what}) was fetched from the remote {remote}; what the target lacks of it comes with the change"
    case.findings.append(Finding("base.fetched", Verdict.WARN, text))
    return True


def _open_text(case: Case, paths: list[Path]) -> None:
    """Read mails, patches or edits under our own rules and make commits of them in the throw-away repository."""
    config, claims, known = case.trunk.config.intake, case.claims, case.trunk.repository
    limits = Limits(config.max_files, config.max_file_bytes)
    title = clean(claims.title) if claims else ""
    if claims and claims.foreign and claims.head:
        raise bundlefile.refuse(
            "meta.head_mismatch", "The manifest names a head commit, and its payload holds no commits"
        )
    left = claims is not None and not claims.foreign and claims.only_uncommitted
    text = read_text(paths, f"{title}\n\n{MARK}" if left else title, limits, config.max_commits)
    said = claims.extra.get("commits") if claims else None
    if said is not None and said != max(len(text.pieces), 1):
        raise bundlefile.refuse(
            "mail.count_mismatch", f"The manifest says {said} commits, the payload holds {max(len(text.pieces), 1)}"
        )
    declared = claims.base if claims else ""
    missing = bool(declared) and case.room.resolve(declared) != declared and not _fetch_missing(case)
    if missing and claims and claims.foreign:
        raise _missing(declared)
    tip = known.commit_id(case.target)
    bases = [declared] if declared and not missing else candidate_bases(known, tip, text)
    name = clean(claims.agent.name) if claims else ""
    author = Identity(name or FALLBACK_IDENTITY.name, FALLBACK_IDENTITY.email)
    try:
        applied = apply_text(case.room, text, bases, author, title, limits)
    except Refused as problem:
        if missing and problem.code == "base.does_not_apply":
            raise _missing(declared) from problem
        raise
    case.findings += applied.findings
    case.head, case.tree, case.method = applied.head, case.room.tree_id(applied.head), str(text.form)
    case.uncommitted = case.head if left else ""
    if claims and not claims.foreign:
        _compare_trees(case, claims, missing)
        _compare_origins(case, claims, text)


def _compare_trees(case: Case, claims: Manifest, missing: bool) -> None:
    """What our own manifest's patch makes must be what the manifest declares, even where its base is not here."""
    if not missing and case.tree != claims.tree:
        raise bundlefile.refuse("meta.tree_mismatch", "The patch does not make the tree that the manifest declares")
    if missing and any(one.code == "patch.index_mismatch" for one in case.findings):
        raise _missing(claims.base)
    text = "applied as a patch, with a new commit id"
    why = f"its base {claims.base[:12]} is not here" if missing else "there is no bundle beside it"
    case.findings.append(Finding("bundle.replaced", Verdict.WARN, f"{text}: {why}"))


def _compare_origins(case: Case, claims: Manifest, text: Text) -> None:
    """A patch of a history that is not here counts only when files that it starts from are the very ones here."""
    if not belonging.is_elsewhere(case.trunk.repository, claims):
        return
    if not any(one.old_id.strip("0") for piece in text.pieces for one in piece.files):
        raise _missing(claims.base or claims.head)
    words = "its history is not here; the files it starts from are the very ones here"
    case.findings.append(Finding("repository.unproven", Verdict.WARN, words))


def _missing(base: str) -> Refused:
    return Refused(
        "base.missing",
        f"The change is based on {base[:12]}, which this repository does not have.",
        "get it here (git fetch, in a shallow clone: git fetch --unshallow), then import the same change again",
    )


def _partial(repository: Repository) -> Refused:
    remote = next(iter(remote_names(repository)), "origin")
    return Refused(
        "base.partial",
        "This clone was made with a filter, and files that the change starts from are not here.",
        f"git fetch --refetch --no-filter {remote}, then import the same change again",
    )


def _open_bundle(case: Case, bundle: Path, ref: str) -> None:
    """Header, caps, prerequisites, then git's own checks; sets head, tree and method.

    A bundle with a manifest has the one ref that is declared; of a plain one it is chosen, by ``ref`` if it is not empty.
    """
    limits = case.trunk.config.intake
    header = bundlefile.read_header(bundle)
    if case.claims:
        case.head, name = bundlerefs.choose_ref(header, case.claims.head, case.branches())
        _note_shell(case, name)
    else:
        bundlerefs.check_names(header, case.branches())
    _check_prerequisites(case, header)
    facts = bundlefile.walk_pack(
        bundle, header.pack_at, max_object=limits.max_file_bytes, max_total=4 * limits.max_bundle_bytes
    )
    try:
        with background(lambda: unpack(case.room, bundle, header, limits.max_bundle_bytes, facts.largest)) as unpacked:
            case.standing = list_entries(case.trunk.repository, case.tip())  # has to be known anyway
            make_ready()
        case.findings += unpacked()
    except Refused as problem:
        if problem.code == "bundle.incomplete" and is_partial(case.trunk.repository):
            raise _partial(case.trunk.repository) from problem
        raise
    if not case.claims:
        _choose_tip(case, header, ref)
    tree = case.room.tree_of(case.head)
    if tree is None:
        raise bundlefile.refuse("bundle.incomplete", "The bundle's head is not in it, or is not a commit")
    case.tree = tree
    if case.claims and case.claims.tree and case.claims.tree != case.tree:
        raise bundlefile.refuse("meta.tree_mismatch", "The head's tree is not the one that the manifest declares")
    case.method, case.uncommitted = "bundle", case.claims.uncommitted if case.claims else ""
    if case.committed_only:
        case.head = case.room.commits(f"{case.head}^!")[0].parents[0]
        case.tree = case.room.tree_id(case.head)


def _note_shell(case: Case, name: str) -> None:
    if bundlerefs.tempts_a_shell(name):
        text = f"the ref {name[:80]!a} holds characters that a shell would act on"
        case.findings.append(Finding("ref.shell_meta", Verdict.WARN, text))


def _choose_tip(case: Case, header: bundlefile.BundleHeader, ref: str) -> None:
    """Take the one commit that the refs of a plain bundle name, tags peeled; tell which refs are not taken."""
    ids = list(dict.fromkeys(oid for oid, _ in header.refs))
    commits = dict(zip(ids, resolve_all(case.room, ids), strict=True))
    refs = [(commits[oid], name) for oid, name in header.refs]
    chosen = bundlerefs.choose_tip(refs, ref, lambda some: lacking(case.room, some, case.tip()))
    case.head = chosen.commit
    _note_shell(case, chosen.name)
    if chosen.left:
        case.findings.append(Finding("bundle.refs_left", Verdict.WARN, bundlerefs.told(chosen)))


def _check_prerequisites(case: Case, header: bundlefile.BundleHeader) -> None:
    declared = case.claims.base if case.claims else ""
    known = case.room  # it borrows what is here, and holds what was fetched
    needed = dict.fromkeys((*header.prerequisites, *([declared] if declared else [])))
    missing = [oid for oid in needed if known.resolve(oid) != oid]
    if missing:
        raise _missing(missing[0])
    if declared:
        for oid in header.prerequisites:
            if oid != declared and not known.is_ancestor(oid, declared):
                raise bundlefile.refuse(
                    "bundle.prerequisite", f"The bundle needs {oid[:12]}, which the declared base does not include"
                )
