"""Receiving: the bytes are kept durably before anything is judged, and the same bundle is one change for ever."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ecluse.clock import instant
from ecluse.errors import Invalid, Refused
from ecluse.files import copy_durably, remove_stale, storage_problem, sync_folder, write_atomically
from ecluse.git import Repository
from ecluse.history import History
from ecluse.history.wakes import wake
from ecluse.intake import replay
from ecluse.intake.judgement import Judgement, judge
from ecluse.intake.manifest import Manifest, clean
from ecluse.intake.series import Form, form_of
from ecluse.intake.sources import (
    Parcel,
    Piped,
    choose_ref,
    find_source,
    open_parcel,
    read_claims,
    reopen_parcel,
    replace_folder,
)
from ecluse.model import Change, ChangeState, Event
from ecluse.secrets.scan import covered
from ecluse.trunk import Trunk, open_trunk

if TYPE_CHECKING:
    from ecluse.intake.mailseries import Series

_INDEX = ".parcel.json"
_AGAIN = ("base.missing", "base.partial", "base.does_not_apply", "signature.unknown")
"""Reasons that the world may have cured since: the same bundle given again is judged again."""

_DAMAGED = ("meta.payload_sha", "bundle.corrupt", "bundle.incomplete", "inbox.gone", "inbox.altered")
"""Reasons that say that a file did not arrive whole."""


def receive(
    repository: Repository,
    history: History,
    source: Path | Piped,
    *,
    target: str | None = None,
    ref: str = "",
    actor: str,
    wants_landing: bool = False,
) -> Change:
    """Take a bundle in: keep its bytes, record it as ``RECEIVED`` and have it judged (:func:`advance` does that).

    ``ref`` names the one that is the change, in a plain bundle of several.

    The same bundle again returns the same change and does nothing, except that it may now want to land, and that a
    conflict or a missing base is looked at again. Raises :class:`Invalid`, :class:`Refused` (``replay.conflict``,
    ``limit.*``, ``bundle.*``) or :class:`ecluse.errors.Unsupported`; the source stays where it is.
    """
    trunk = open_trunk(repository)
    with tempfile.TemporaryDirectory(prefix="ecluse-inbox-") as scratch:
        parcel = _open(repository, trunk, source, Path(scratch), ref)
        claims = read_claims(parcel.folder / parcel.manifest) if parcel.manifest else None
        said = claims if isinstance(claims, Manifest) else None
        known = history.find(Change, digest=parcel.digest)
        if known:
            return _again(history, known[0], actor, wants_landing)
        into = choose_target(repository, trunk, target, said.target if said else "")
        _check_replay(repository, history, said, parcel, actor)
        keep(repository.state_dir, parcel)
        replay.remember(repository.state_dir, said, parcel.digest)
        name = str(source) if isinstance(source, Path) else "(standard input)"
        series = _series(parcel)
        change = _new_change(parcel, said, name, into, wants_landing, _earlier(history, series))
        return _record(history, change, actor, parcel.names, series)


def _carrier(source: str, names: tuple[str, ...]) -> str:
    """The file that carried a change; of several that are one bundle (named by a folder or the manifest) the patch."""
    base = source.replace("\\", "/").rpartition("/")[2]
    if len(names) < 2 or (base not in names and base.endswith((".tar", ".zip", ".gz"))):
        return base
    return next((name for end in (".patch", ".bundle") for name in names if name.endswith(end)), names[0])


def _record(
    history: History, change: Change, actor: str, names: tuple[str, ...], series: Series | None = None
) -> Change:
    """Record a new change, unless another process was faster with the same bundle or the same name."""
    text = f"{change.key} received from {change.source}: {change.title}"
    data = {"digest": change.digest, "size": change.size_bytes, "target": change.target, "names": list(names)}
    data["patch_name"] = _carrier(change.source, names)
    if series is not None and series.marks:
        data["series"] = [series.sender, *series.marks]
    with history.transaction():
        other = history.get(Change, change.key)
        if other is None or (other.digest != change.digest and _came_damaged(other)):
            history.record(change, Event("change.received", change.subject, text, actor, data))
            wake(history, change.subject, "received")
            return change
    if other.digest == change.digest:
        return other
    raise _replay(history, other, change.digest, actor)


def examine(
    repository: Repository,
    source: Path | Piped,
    *,
    target: str | None = None,
    ref: str = "",
    history: History | None = None,
) -> tuple[Judgement, str, str]:
    """Judge a bundle and leave no trace. Returns the judgement, the key it would have, and the target's full ref.

    With ``history``, what would be refused as a replay of something received before is refused here too.
    """
    with repository.asking(), tempfile.TemporaryDirectory(prefix="ecluse-inbox-") as scratch:
        trunk = open_trunk(repository)
        parcel = _open(repository, trunk, source, Path(scratch), ref, keep_raw=False)
        claims = read_claims(parcel.folder / parcel.manifest) if parcel.manifest else None
        said = claims if isinstance(claims, Manifest) else None
        into = choose_target(repository, trunk, target, said.target if said else "")
        key = _new_change(parcel, said, "", into, False, _earlier(history, _series(parcel))).key
        if history is not None:
            _check_replay(repository, history, said, parcel, "")
            other = history.get(Change, key)
            if other is not None and other.digest != parcel.digest and not _came_damaged(other):
                raise _replay(history, other, parcel.digest, "")
        with judge(repository, trunk, into, parcel) as (judgement, _):
            return judgement, key, into


def choose_target(repository: Repository, trunk: Trunk, asked: str | None, claimed: str) -> str:
    """The full ref a change is meant for: as asked, else the branch it was based on where changes may land, else the trunk.

    Raises :class:`Invalid` when ``asked`` is no branch here.
    """
    if asked:
        ref = asked if asked.startswith("refs/heads/") else f"refs/heads/{asked}"
        if not repository.valid_ref(ref) or not repository.ref(ref):
            raise Invalid("target.unknown", f"There is no branch {asked!r} here.", "git branch")
        return ref
    ref = f"refs/heads/{claimed}"
    if claimed in trunk.config.landing.targets and repository.ref(ref):
        return ref
    return trunk.ref


def keep(state_dir: Path, parcel: Parcel) -> Path:
    """Copy a parcel into the inbox: aside, synced, then renamed, so that it is there whole or not at all."""
    folder = state_dir / "inbox" / parcel.digest
    if folder.is_dir():
        return folder
    aside = None
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        remove_stale(folder.parent, ".part-")
        aside = Path(tempfile.mkdtemp(prefix=".part-", dir=folder.parent))
        for name in parcel.names:
            shutil.copyfile(parcel.folder / name, aside / name)
            with (aside / name).open("rb+") as handle:  # Windows syncs only what may be written
                os.fsync(handle.fileno())
        if replace_folder(parcel, aside).digest != parcel.digest:
            raise Invalid("file.changed", f"The files in {parcel.folder} changed while they were read.", "import again")
        index = {"manifest": parcel.manifest, "payloads": list(parcel.payloads), "signature": parcel.signature}
        index |= {"ref": parcel.ref} if parcel.ref else {}
        write_atomically(aside / _INDEX, json.dumps(index).encode())
        aside.chmod(0o755)
        with contextlib.suppress(FileExistsError):
            aside.rename(folder)
        sync_folder(folder.parent)
    except OSError as error:
        if not folder.is_dir():
            raise storage_problem(error, folder) from error
    finally:
        if aside is not None:
            shutil.rmtree(aside, ignore_errors=True)
    return folder


def kept_parcel(state_dir: Path, digest: str) -> Parcel:
    """The parcel with this digest. Raises :class:`Refused` when its bytes are gone or are no longer the same."""
    folder = state_dir / "inbox" / digest
    try:
        parcel = reopen_parcel(folder, json.loads((folder / _INDEX).read_bytes()))
    except (OSError, ValueError, KeyError) as error:
        raise Refused(
            "inbox.gone", f"The kept bytes of this change are gone from {folder}.", "import the bundle again"
        ) from error
    if parcel.digest != digest:
        raise Refused(
            "inbox.altered",
            f"The kept bytes in {folder} are not the ones that were received.",
            "import the bundle again",
        )
    return parcel


def _open(
    repository: Repository, trunk: Trunk, source: Path | Piped, scratch: Path, ref: str, *, keep_raw: bool = True
) -> Parcel:
    cap = trunk.config.intake.max_bundle_bytes
    if isinstance(source, Path):
        from ecluse.intake.publication import default_folder

        patches = default_folder(repository) if repository.work_tree else None
        parcel = open_parcel(find_source(source, patches), scratch, cap)
    else:
        try:
            parcel = open_parcel(source.path, scratch, cap)
        except (Invalid, Refused) as problem:
            problem.message = problem.message.replace(str(source.path), "What came on standard input")
            if keep_raw and source.path.stat().st_size <= cap:  # what came by standard input exists nowhere else
                copy_durably(source.path, repository.state_dir / "inbox" / f"unread-{instant().replace(':', '')}.bin")
            raise
    return choose_ref(parcel, ref) if ref else parcel


def _series(parcel: Parcel) -> Series | None:
    """The series of mails that a parcel is, if it is one."""
    if parcel.manifest or form_of(parcel.folder / parcel.payloads[0]) is not Form.MAIL:
        return None
    from ecluse.intake.mailseries import series_of
    from ecluse.intake.patchfile import SIZE_CAP

    files = [parcel.folder / name for name in parcel.payloads]
    return series_of([path.read_bytes() for path in files]) if sum(map(_size, files)) <= SIZE_CAP else None


def _size(path: Path) -> int:
    return path.stat().st_size


def _earlier(history: History | None, series: Series | None) -> tuple[str, int] | None:
    """Id and revision of a series that is a new version of an open change: the same change, its next revision."""
    if history is None or series is None:
        return None
    from ecluse.intake.mailseries import earlier

    before = earlier(history, series)
    return (before.id, series.version) if before is not None else None


def _new_change(
    parcel: Parcel,
    said: Manifest | None,
    source: str,
    target: str,
    wants_landing: bool,
    version: tuple[str, int] | None,
) -> Change:
    identifier, revision = (said.id, said.revision) if said else version or (f"{_kind(parcel)}-{parcel.digest[:12]}", 1)
    moment = instant()
    return Change(
        key=f"{identifier}/{revision}",
        id=identifier,
        revision=revision,
        state=ChangeState.RECEIVED,
        title=covered(clean(said.title)) if said else Path(clean(source)).name,
        agent=clean(said.agent.name) if said else "",
        target=target,
        digest=parcel.digest,
        source=clean(source),
        created_at=moment,
        updated_at=moment,
        base=said.base if said else "",
        head=said.head if said else "",
        size_bytes=parcel.size,
        note=covered(said.note) if said else "",
        wants_landing=wants_landing,
        task=clean(said.agent.task) if said else "",
    )


def _kind(parcel: Parcel) -> str:
    """The word that the id of a change without a readable manifest begins with."""
    return "unread" if parcel.manifest else str(form_of(parcel.folder / parcel.payloads[0]))


def _again(history: History, change: Change, actor: str, wants_landing: bool) -> Change:
    renewed = change
    if wants_landing and not change.wants_landing and not change.state.is_terminal:
        renewed = dataclasses.replace(renewed, wants_landing=True)
    if change.state is ChangeState.CONFLICT or (
        change.state is ChangeState.QUARANTINED and change.reason.partition(":")[0] in _AGAIN
    ):
        renewed = dataclasses.replace(renewed, state=ChangeState.RECEIVED)
    if renewed == change:
        return change
    renewed = dataclasses.replace(renewed, updated_at=instant())
    with history.transaction():
        text = f"{change.key} was given again" + (
            ", to be landed" if renewed.wants_landing else ", and is judged again"
        )
        history.record(renewed, Event("change.received", change.subject, text, actor))
        wake(history, change.subject, "given again")
    return renewed


def _came_damaged(change: Change) -> bool:
    """Whether a change was refused only because its bytes did not arrive whole: then a whole copy may take its place."""
    return change.state is ChangeState.REJECTED and change.reason.partition(":")[0] in _DAMAGED


def _check_replay(repository: Repository, history: History, said: Manifest | None, parcel: Parcel, actor: str) -> None:
    """Refuse a nonce that came with other bytes before, unless those had arrived damaged."""
    before = replay.seen_with(repository.state_dir, said)
    others = history.find(Change, digest=before) if before and before != parcel.digest else []
    if others and not _came_damaged(others[0]):
        raise _replay(history, others[0], parcel.digest, actor)


def _replay(history: History, other: Change, digest: str, actor: str) -> Refused:
    if actor:  # a trial leaves no trace
        text = f"another bundle claims to be {other.key}; it was kept and refused"
        history.note(Event("change.refused", other.subject, text, actor, {"code": "replay.conflict", "digest": digest}))
    return Refused(
        "replay.conflict",
        f"{other.key} was received before with other content; a new version needs a new revision number.",
        f"export again in the sandbox, or look at the first one with: ecluse show {other.key}",
        {"key": other.key, "kept": digest},
    )


@contextlib.contextmanager
def judged_again(
    repository: Repository, trunk: Trunk, change: Change, *, committed_only: bool = False
) -> Iterator[tuple[Judgement, Repository]]:
    """The judgement of a change that was received, from its kept bytes; of its commits alone with ``committed_only``."""
    parcel = kept_parcel(repository.state_dir, change.digest)
    with judge(repository, trunk, change.target, parcel, committed_only=committed_only) as both:
        yield both
