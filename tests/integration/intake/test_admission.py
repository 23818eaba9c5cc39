"""Receiving and judging: what is damaged, hostile, doubled, late or in conflict ends in the right state, nothing lost."""

from __future__ import annotations

import json
import shutil
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ecluse import intake
from ecluse.errors import Invalid, Problem, Refused
from ecluse.history import History, wakes
from ecluse.model import Change, ChangeState, Verdict

from .given import piped


@pytest.fixture
def exported(sandbox: Any, helpers: Any, tmp_path: Path) -> intake.Exported:
    box = sandbox()
    box.commit("feat: good", b_dot_txt="b\n")
    done: intake.Exported = helpers.export(box, to=tmp_path / "out")
    return done


def edit_manifest(done: intake.Exported, edit: Callable[[dict[str, Any]], None]) -> None:
    said = json.loads(done.path.read_bytes())
    edit(said)
    done.path.write_text(json.dumps(said))


def payload(done: intake.Exported, kind: str = "bundle") -> Path:
    return done.path.parent / next(one["name"] for one in done.payloads if one["kind"] == kind)


def assert_rejected(change: Change, code: str) -> None:
    assert (change.state, change.verdict) == (ChangeState.REJECTED, Verdict.REJECT)
    assert change.reason.startswith(f"{code}:"), change.reason


# -- receiving -----------------------------------------------------------------------------------------------------


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


# -- damage and lies -----------------------------------------------------------------------------------------------


def test_tampered_payload_and_then_the_whole_one(bench: Any, history: History, helpers: Any, exported: Any) -> None:
    whole = payload(exported).read_bytes()
    payload(exported).write_bytes(whole[:-30])
    assert_rejected(helpers.take_in(bench, history, exported.path), "meta.payload_sha")
    payload(exported).write_bytes(whole)
    assert helpers.take_in(bench, history, exported.path).state is ChangeState.READY


@pytest.mark.parametrize("cut", [10, 60, 200, 0.5, 0.99])
def test_truncated_plain_bundle(
    bench: Any, history: History, helpers: Any, exported: Any, tmp_path: Path, cut: float
) -> None:
    data = payload(exported).read_bytes()
    path = tmp_path / "cut.bundle"
    path.write_bytes(data[: int(len(data) * cut) if cut < 1 else int(cut)])
    try:
        change = helpers.take_in(bench, history, path)
    except Problem as problem:
        assert problem.code == "intake.unknown"
    else:
        assert_rejected(change, "bundle.corrupt")


def test_every_flipped_byte_is_refused(bench: Any, exported: Any, tmp_path: Path, dice: Any) -> None:
    data = payload(exported).read_bytes()
    start = data.index(b"\n\n")
    for _ in range(12):
        at = dice.randrange(start + 2, len(data))
        path = tmp_path / "flip.bundle"
        path.write_bytes(data[:at] + bytes([data[at] ^ (1 << dice.randrange(8))]) + data[at + 1 :])
        assert intake.examine(bench.repository, path)[0].verdict is Verdict.REJECT


@pytest.mark.parametrize(
    ("edit", "code"),
    [
        (lambda m: m["head"].update(tree="0" * 40), "meta.tree_mismatch"),
        (lambda m: m["head"].update(commit="1" * 40), "meta.head_mismatch"),
        (lambda m: m.update(files=[]), "meta.files_mismatch"),
        (lambda m: m.update(role="admin"), "meta.unknown_field"),
        (lambda m: m["payloads"][0].update(size=1), "meta.payload_sha"),
        (lambda m: m["change"].update(title="x\u001b[1A"), "text.control_chars"),
    ],
)
def test_manifest_that_lies(bench: Any, history: History, helpers: Any, exported: Any, edit: Any, code: str) -> None:
    edit_manifest(exported, edit)
    assert_rejected(helpers.take_in(bench, history, exported.path), code)


@pytest.mark.parametrize("text", [b"{", b'{"schema": "ecluse-change/1", "schema": "x"}', b'{"a": NaN}', b"{}"])
def test_bad_json_is_kept_and_refused(bench: Any, history: History, helpers: Any, exported: Any, text: bytes) -> None:
    exported.path.write_bytes(text)
    change = helpers.take_in(bench, history, exported.path)
    assert change.state is ChangeState.REJECTED
    assert change.reason.startswith("meta.")
    assert (bench.repository.state_dir / "inbox" / change.digest / payload(exported).name).exists()


def test_unrelated_history(bench: Any, history: History, helpers: Any, tmp_path: Path) -> None:
    stranger = type(bench)(tmp_path / "stranger")
    stranger.commit("other root", a_dot_txt="x\n")
    stranger.git("bundle", "create", "-q", str(tmp_path / "s.bundle"), "main")
    assert_rejected(helpers.take_in(bench, history, tmp_path / "s.bundle"), "base.unrelated")


def test_a_base_that_is_missing_here_may_come_later(
    bench: Any, history: History, helpers: Any, sandbox: Any, tmp_path: Path
) -> None:
    other = sandbox("other")
    other.commit("only there", o_dot_txt="o\n")
    box = type(bench)(tmp_path / "box")
    box.git("fetch", "-q", str(other.folder), "main")
    box.git("reset", "-q", "--hard", "FETCH_HEAD")
    box.write("b.txt", "b\n")
    done = helpers.export(box, base="HEAD", to=tmp_path / "o")
    payload(done, "patch").unlink()
    change = helpers.take_in(bench, history, done.path)
    assert change.state is ChangeState.QUARANTINED
    assert change.reason.startswith("base.missing:")
    bench.git("fetch", "-q", str(other.folder), "main")
    assert helpers.take_in(bench, history, done.path).state is ChangeState.READY


def test_where_the_base_is_missing_the_patch_takes_the_place_of_the_bundle(
    bench: Any, history: History, helpers: Any, sandbox: Any, tmp_path: Path
) -> None:
    other = sandbox("other")
    other.commit("only there", o_dot_txt="o\n")
    box = type(bench)(tmp_path / "box")
    box.git("fetch", "-q", str(other.folder), "main")
    box.git("reset", "-q", "--hard", "FETCH_HEAD")
    box.write("a.txt", "one\nTWO\nthree\n")
    change = helpers.take_in(bench, history, helpers.export(box, base="HEAD", to=tmp_path / "o").path)
    assert (change.state, change.method) == (ChangeState.READY, "patch")
    assert bench.git("show", f"{change.ref}:a.txt") == "one\nTWO\nthree"
    box.write("o.txt", "not here\n")
    change = helpers.take_in(bench, history, helpers.export(box, base="HEAD", to=tmp_path / "p").path)
    assert (change.state, change.reason.partition(":")[0]) == (ChangeState.QUARANTINED, "base.missing")


# -- several at once -----------------------------------------------------------------------------------------------


def test_replay_with_other_bytes(bench: Any, history: History, helpers: Any, exported: Any) -> None:
    first = helpers.take_in(bench, history, exported.path)
    edit_manifest(exported, lambda m: m.update(note="another note"))
    with pytest.raises(Refused) as refusal:
        helpers.take_in(bench, history, exported.path)
    assert refusal.value.code == "replay.conflict"
    assert history.get(Change, first.key) == first
    assert history.events(kind="change.refused")


def test_a_newer_revision_supersedes_and_an_older_one_comes_too_late(
    bench: Any, history: History, helpers: Any, sandbox: Any, tmp_path: Path
) -> None:
    box = sandbox()
    paths = []
    for n in range(3):
        box.commit(f"step {n}", **{f"f{n}_dot_txt": "x\n"})
        paths.append(helpers.export(box, to=tmp_path / f"o{n}").path)
    one, two = helpers.take_in(bench, history, paths[0]), helpers.take_in(bench, history, paths[2])
    assert (two.state, two.revision) == (ChangeState.READY, 3)
    renewed = history.get(Change, one.key)
    assert renewed is not None
    assert renewed.state is ChangeState.SUPERSEDED
    assert helpers.take_in(bench, history, paths[1]).state is ChangeState.SUPERSEDED


def test_a_refused_revision_supersedes_nothing(
    bench: Any, history: History, helpers: Any, sandbox: Any, tmp_path: Path
) -> None:
    box = sandbox()
    box.commit("good", b_dot_txt="x\n")
    good = helpers.take_in(bench, history, helpers.export(box, to=tmp_path / "a").path)
    box.commit("ci", _dot_github__workflows__x_dot_yml="on: push\n")
    bad = helpers.take_in(bench, history, helpers.export(box, to=tmp_path / "b").path)
    assert (bad.id, bad.state) == (good.id, ChangeState.QUARANTINED)
    assert history.get(Change, good.key) == good


def test_a_conflict_is_a_state_with_its_paths(
    bench: Any, history: History, helpers: Any, sandbox: Any, tmp_path: Path
) -> None:
    box = sandbox()
    box.write("a.txt", "one\nTHEIRS\nthree\n")
    done = helpers.export(box, to=tmp_path / "o")
    ours = bench.commit("ours", a_dot_txt="one\nOURS\nthree\n")
    change = helpers.take_in(bench, history, done.path)
    assert change.state is ChangeState.CONFLICT
    assert "a.txt" in change.reason
    assert bench.git("rev-parse", change.ref) == done.head
    assert bench.git("status", "--porcelain") == ""
    bench.git("reset", "-q", "--hard", f"{ours}~1")
    assert helpers.take_in(bench, history, done.path).state is ChangeState.READY


def test_a_simple_conflict_is_resolved_by_rule_and_said(
    bench: Any, history: History, helpers: Any, sandbox: Any, tmp_path: Path
) -> None:
    bench.commit("log", NEWS_dot_md="# News\n")
    box = sandbox()
    box.commit("feat: theirs", NEWS_dot_md="# News\n- theirs\n")
    done = helpers.export(box, to=tmp_path / "o")
    bench.commit("ours", NEWS_dot_md="# News\n- ours\n")
    change = helpers.take_in(bench, history, done.path)
    assert change.state is ChangeState.READY
    rows = [{"path": "NEWS.md", "rule": "union"}]
    assert change.about["resolved"] == rows
    receipt = bench.repository.state_dir / "receipts" / change.id / f"{change.revision}.json"
    assert json.loads(receipt.read_text())["resolved"] == rows
    event = history.events(kind="change.ready", subject=change.subject)[0]
    assert event.data["resolved"] == rows
    assert "resolved by rule: NEWS.md (union)" in event.text
    assert bench.git("status", "--porcelain") == ""


def test_a_target_that_moved_without_conflict(bench: Any, history: History, helpers: Any, exported: Any) -> None:
    bench.commit("meanwhile", z_dot_txt="z\n")
    assert helpers.take_in(bench, history, exported.path).state is ChangeState.READY


def test_names_that_collide_only_with_what_landed_meanwhile(
    bench: Any, history: History, helpers: Any, exported: Any
) -> None:
    bench.commit("meanwhile", B_dot_txt="z\n")
    assert_rejected(helpers.take_in(bench, history, exported.path), "path.case_collision")


def test_advance_again_after_a_death_at_the_last_moment(
    bench: Any, history: History, helpers: Any, exported: Any
) -> None:
    change = intake.receive(bench.repository, history, exported.path, actor="me")
    bench.git("fetch", "-q", str(payload(exported)), "refs/heads/change")
    bench.git("update-ref", f"refs/ecluse/changes/{change.id}/1", exported.head)
    intake.advance(bench.repository, history, change.key)
    done = history.get(Change, change.key)
    assert done is not None
    assert done.state is ChangeState.READY
    events = history.last_event()
    intake.advance(bench.repository, history, change.key)
    intake.advance(bench.repository, history, "no-such/1")
    assert history.last_event() == events


def test_kept_bytes_that_were_altered_are_refused(bench: Any, history: History, exported: Any) -> None:
    change = intake.receive(bench.repository, history, exported.path, actor="me")
    kept = bench.repository.state_dir / "inbox" / change.digest / payload(exported).name
    kept.write_bytes(kept.read_bytes() + b"x")
    intake.advance(bench.repository, history, change.key)
    done = history.get(Change, change.key)
    assert done is not None
    assert_rejected(done, "inbox.altered")


def test_targets(bench: Any, history: History, helpers: Any, exported: Any) -> None:
    bench.git("branch", "dev")
    assert helpers.take_in(bench, history, exported.path, target="dev").target == "refs/heads/dev"
    with pytest.raises(Invalid) as refusal:
        intake.examine(bench.repository, exported.path, target="nowhere")
    assert refusal.value.code == "target.unknown"


# -- policy --------------------------------------------------------------------------------------------------------


def test_a_change_of_the_checks_waits_for_a_person(
    bench: Any, history: History, helpers: Any, sandbox: Any, tmp_path: Path
) -> None:
    box = sandbox()
    head = box.commit("ci", _dot_github__workflows__ci_dot_yml="on: push\njobs: {}\n")
    change = helpers.take_in(bench, history, helpers.export(box, to=tmp_path / "o").path)
    assert (change.state, change.trusted_by) == (ChangeState.QUARANTINED, "")
    assert change.reason.startswith("policy.ci_changed:")
    assert change.ref.startswith("refs/ecluse/quarantine/")
    assert bench.git("rev-parse", change.ref) == head


def test_a_secret_is_refused_on_import_too(
    bench: Any, history: History, helpers: Any, sandbox: Any, tmp_path: Path, dice: Any
) -> None:
    box = sandbox()
    secret = helpers.fake_secret(dice)
    box.commit("leak", k_dot_txt=f"one\ntwo\n{secret}\n")
    box.git("bundle", "create", "-q", str(tmp_path / "l.bundle"), "main~1..main")
    change = helpers.take_in(bench, history, tmp_path / "l.bundle")
    assert_rejected(change, "secret.found")
    assert "k.txt line 3: github-token" in change.reason
    assert not any(secret in repr(event) for event in history.events())
    assert bench.git("for-each-ref", "refs/ecluse") == ""
    box.commit("gone", k_dot_txt="clean\n")
    box.git("bundle", "create", "-q", str(tmp_path / "m.bundle"), "main~2..main")
    assert_rejected(helpers.take_in(bench, history, tmp_path / "m.bundle"), "secret.in_history")


def test_a_merge_that_hides_an_edit(bench: Any, helpers: Any, sandbox: Any, tmp_path: Path) -> None:
    box = sandbox()
    box.git("checkout", "-q", "-b", "side")
    box.commit("side", s_dot_txt="s\n")
    box.git("checkout", "-q", "main")
    box.commit("main", m_dot_txt="m\n")
    box.git("merge", "-q", "--no-commit", "side")
    box.write("a.txt", "slipped in\n")
    box.git("commit", "-qam", "merge")
    done = helpers.export(box, to=tmp_path / "o")
    judgement = intake.examine(bench.repository, done.path)[0]
    assert (judgement.verdict, judgement.reason) == (Verdict.REJECT, "commit.merge_not_allowed")


@pytest.mark.parametrize(
    ("policy", "count", "code"),
    [
        ("max_files = 3", 5, "limit.files"),
        ("max_commits = 2", 3, "limit.commits"),
        ("max_bundle_bytes = 200", 1, "limit.bundle_size"),
    ],
)
def test_caps_of_the_policy(
    bench: Any, helpers: Any, sandbox: Any, tmp_path: Path, policy: str, count: int, code: str
) -> None:
    bench.commit("policy", ecluse_dot_toml=f"[intake]\n{policy}\n")
    box = sandbox()
    for n in range(count):
        box.commit(f"c{n}", **{f"f{n}_dot_txt": "x\n"})
    done = helpers.export(box, to=tmp_path / "o")
    try:
        found = intake.examine(bench.repository, done.path)[0].reason
    except Refused as refusal:
        found = refusal.code
    assert found == code


def test_the_policy_is_the_trunks_and_not_the_changes(
    bench: Any, history: History, helpers: Any, sandbox: Any, tmp_path: Path
) -> None:
    box = sandbox()
    box.commit("trust me", ecluse_dot_toml='trust = "all"\n')
    change = helpers.take_in(bench, history, helpers.export(box, to=tmp_path / "o").path)
    assert (change.state, change.trusted_by) == (ChangeState.QUARANTINED, "")
    assert change.reason.startswith("policy.config_changed:")


def test_examine_leaves_no_trace(bench: Any, exported: Any) -> None:
    def listing() -> list[str]:
        return sorted(str(p) for p in bench.folder.rglob("*"))

    before = listing()
    judgement, key, target = intake.examine(bench.repository, exported.path)
    assert (judgement.verdict, judgement.tree, target) == (Verdict.ACCEPT, exported.tree, "refs/heads/main")
    assert key == f"{exported.change_id}/1"
    assert listing() == before


def test_validation_is_recorded_and_red_is_not_a_refusal(
    bench: Any, history: History, helpers: Any, sandbox: Any, tmp_path: Path
) -> None:
    box = sandbox()
    box.write("bad.py", "def (:\n")
    change = helpers.take_in(bench, history, helpers.export(box, to=tmp_path / "o", allow_red=True).path)
    assert change.state is ChangeState.READY
    assert [(v["name"], v["result"], v["tree"]) for v in change.validations] == [
        ("python-syntax", "failure", change.tree)
    ]


def test_full_round_over_a_pipe(bench: Any, history: History, helpers: Any, exported: Any, tmp_path: Path) -> None:
    data = subprocess.run(["tar", "-C", str(exported.path.parent), "-c", "."], capture_output=True, check=True).stdout
    assert helpers.take_in(bench, history, data).state is ChangeState.READY
