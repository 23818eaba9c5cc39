"""Judging: what is doubled, late, in conflict or against the policy ends in the right state, nothing lost."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from ecluse import intake
from ecluse.errors import Invalid, Refused
from ecluse.history import History
from ecluse.model import Change, ChangeState, Verdict

from .given import assert_rejected, edit_manifest, payload


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
