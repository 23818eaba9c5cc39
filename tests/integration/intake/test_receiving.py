"""What is taken in: every form of a bundle, kept as it came before anybody judges it."""

from __future__ import annotations

import json
import shutil
import tarfile
from pathlib import Path
from typing import Any

import pytest

from ecluse import intake
from ecluse.errors import Invalid, Problem, Refused
from ecluse.history import History, wakes
from ecluse.model import Change, ChangeState

from .given import payload, piped


def test_received_bytes_are_kept_and_the_change_is_woken(bench: Any, history: History, exported: Any) -> None:
    change = intake.receive(bench.repository, history, exported.path, actor="me", wants_landing=True)
    assert change.state is ChangeState.RECEIVED
    kept = bench.repository.state_dir / "inbox" / change.digest
    assert {p.name for p in kept.iterdir()} == {
        ".parcel.json",
        exported.path.name,
        payload(exported).name,
        payload(exported, "patch").name,
    }
    assert wakes.due(history) == [change.subject]
    shutil.rmtree(exported.path.parent)
    intake.advance(bench.repository, history, change.key)
    done = history.get(Change, change.key)
    assert done is not None
    assert (done.state, done.wants_landing) == (ChangeState.READY, True)
    receipt = json.loads((bench.repository.state_dir / "receipts" / done.id / "1.json").read_bytes())
    assert receipt["commits"] == {exported.head: exported.head}
    assert [event.kind for event in history.events(subject=change.subject)] == ["change.received", "change.ready"]


def test_the_same_bundle_again_does_nothing(
    bench: Any, history: History, helpers: Any, exported: Any, tmp_path: Path
) -> None:
    first = helpers.take_in(bench, history, exported.path)
    moved = tmp_path / "moved"
    shutil.copytree(exported.path.parent, moved)
    events = history.last_event()
    again = helpers.take_in(bench, history, moved)
    assert again == first
    assert history.last_event() == events
    wanted = intake.receive(bench.repository, history, moved, actor="me", wants_landing=True)
    assert wanted.wants_landing
    assert history.count(Change) == 1


def test_a_folder_a_tar_a_bare_name_and_standard_input_are_one_bundle(
    bench: Any, history: History, helpers: Any, exported: Any, tmp_path: Path
) -> None:
    first = helpers.take_in(bench, history, exported.path.parent)
    patches = bench.folder / ".sync" / "patches"
    shutil.copytree(exported.path.parent, patches)
    tar = tmp_path / "x.tar"
    with tarfile.open(tar, "w") as archive:
        for path in sorted(exported.path.parent.iterdir()):
            archive.add(path, path.name)
    for source in (Path(exported.path.name), Path(exported.path.stem), payload(exported), tar, tar.read_bytes()):
        assert helpers.take_in(bench, history, source).key == first.key
    assert history.count(Change) == 1


def test_a_plain_git_bundle(bench: Any, history: History, helpers: Any, sandbox: Any, tmp_path: Path) -> None:
    box = sandbox()
    head = box.commit("feat: plain", b_dot_txt="b\n")
    box.git("bundle", "create", "-q", str(tmp_path / "p.bundle"), "main~1..main")
    change = helpers.take_in(bench, history, tmp_path / "p.bundle")
    assert (change.state, change.head, change.title) == (ChangeState.READY, head, "feat: plain")
    assert change.id.startswith("bundle-")
    box.git("bundle", "create", "-q", str(tmp_path / "q.bundle"), "main", "HEAD")
    assert helpers.take_in(bench, history, tmp_path / "q.bundle").state is ChangeState.READY


@pytest.mark.parametrize(
    ("content", "kind", "code"),
    [
        (b"PK\x03\x04rest", Refused, "bundle.corrupt"),
        (b"\x1f\x8brest", Refused, "bundle.corrupt"),
        (b"some words", Invalid, "intake.unknown"),
        (b"", Refused, "bundle.empty"),
    ],
)
def test_what_is_not_taken_in_is_said(
    bench: Any, history: History, tmp_path: Path, content: bytes, kind: type[Problem], code: str
) -> None:
    path = tmp_path / "given.x"
    path.write_bytes(content)
    with pytest.raises(kind) as refusal:
        intake.receive(bench.repository, history, path, actor="me")
    assert refusal.value.code == code
    assert refusal.value.hint
    assert history.count(Change) == 0
    assert path.read_bytes() == content


def test_missing_file_empty_folder_and_too_many(bench: Any, history: History, tmp_path: Path, exported: Any) -> None:
    for source, code in ((tmp_path / "nothing", "file.missing"), (tmp_path / "empty", "intake.none")):
        (tmp_path / "empty").mkdir(exist_ok=True)
        with pytest.raises(Invalid) as refusal:
            intake.receive(bench.repository, history, source, actor="me")
        assert refusal.value.code == code
    shutil.copy(exported.path, exported.path.parent / "sync_cloud_20200101_000000.json")
    with pytest.raises(Invalid) as refusal:
        intake.receive(bench.repository, history, exported.path.parent, actor="me")
    assert refusal.value.code == "intake.ambiguous"


def test_unread_standard_input_is_kept(bench: Any, history: History) -> None:
    with pytest.raises(Invalid):
        intake.receive(bench.repository, history, piped(b"what is this?"), actor="me")
    kept = list((bench.repository.state_dir / "inbox").glob("unread-*.bin"))
    assert [path.read_bytes() for path in kept] == [b"what is this?"]


def test_the_patch_alone_suffices(bench: Any, history: History, helpers: Any, exported: Any) -> None:
    payload(exported).unlink()
    change = helpers.take_in(bench, history, exported.path)
    assert (change.state, change.method, change.tree) == (ChangeState.READY, "patch", exported.tree)
    assert [one.code for one in change.findings] == ["bundle.replaced"]


def test_payload_that_was_not_carried_along(bench: Any, history: History, exported: Any) -> None:
    payload(exported).unlink()
    payload(exported, "patch").unlink()
    with pytest.raises(Invalid) as nothing:
        intake.receive(bench.repository, history, exported.path, actor="me")
    assert nothing.value.code == "bundle.payload_missing"
    assert history.count(Change) == 0


@pytest.mark.parametrize("kind", ["../up", "/abs", "a/b/c", "link", "hard", "twice", "cut"])
def test_hostile_tars(bench: Any, history: History, tmp_path: Path, kind: str) -> None:
    import io

    path = tmp_path / "x.tar"
    with tarfile.open(path, "w") as archive:
        info = tarfile.TarInfo(kind if "/" in kind else "x.json")
        info.size = 3
        if kind in ("link", "hard"):
            info.type, info.linkname, info.size = (
                (tarfile.SYMTYPE if kind == "link" else tarfile.LNKTYPE),
                "/etc/passwd",
                0,
            )
        archive.addfile(info, io.BytesIO(b"abc"))
        if kind == "twice":
            archive.addfile(info, io.BytesIO(b"abc"))
    if kind == "cut":
        path.write_bytes(path.read_bytes()[:514])
    with pytest.raises(Refused) as refusal:
        intake.receive(bench.repository, history, path, actor="me")
    assert refusal.value.code.split(".")[0] in ("path", "archive", "bundle", "symlink")
    assert not (tmp_path / "up").exists()
