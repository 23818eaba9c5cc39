"""A ping-pong between a repository and a sandbox without a forge: everything arrives once, nothing comes back as new."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from ecluse.errors import Refused
from ecluse.history import History
from ecluse.intake import ExportRequest
from ecluse.intake.exchange import SandboxSide, TrunkSide
from ecluse.intake.homeward import make_homeward, take_homeward
from ecluse.model import Agent, Change, ChangeState

POLICY = 'trust = "all"\n[documents]\nlanding = true\n'


class PingPong:
    """The two sides, a folder between them, and rounds in which each looks once."""

    def __init__(self, bench: Any, box: Any, history: History, folder: Path, helpers: Any) -> None:
        self.bench, self.box, self.history, self.folder, self.helpers = bench, box, history, folder, helpers
        self.request = ExportRequest(Agent("a1"), to=folder)
        self.again()

    def again(self) -> None:
        """Both sides are started anew, with no memory of their own."""
        self.inside = SandboxSide(self.box.repository, self.folder)
        self.trunk = TrunkSide(self.bench.repository, "a1", self.folder, land=True)

    def round(self) -> tuple[Any, Any, tuple[Change, ...], Any]:
        taken, sent = self.inside.look(self.request)
        received, problems = self.trunk.take_in(self.history, actor="hub")
        assert problems == ()
        self.helpers.drive_landings(self.bench, self.history)
        return taken, sent, received, self.trunk.send(self.history, actor="hub")

    def snapshot(self) -> tuple[Any, ...]:
        files = {path.name: path.stat().st_mtime_ns for path in self.folder.iterdir()}
        return files, self.history.last_event(), self.bench.git("rev-parse", "main"), self.box.git("rev-parse", "HEAD")


@pytest.fixture
def game(bench: Any, history: History, sandbox: Any, helpers: Any, tmp_path: Path) -> PingPong:
    bench.commit("policy", ecluse_dot_toml=POLICY)
    (tmp_path / "between").mkdir()
    return PingPong(bench, sandbox(), history, tmp_path / "between", helpers)


def test_the_whole_ping_pong(game: PingPong) -> None:
    box, bench = game.box, game.bench
    assert game.round() == (None, None, (), None)
    for number in range(3):
        box.commit(f"feat: {number}", **{f"box{number}_dot_txt": f"{number}\n"})
        if number == 1:  # somebody works on the trunk meanwhile, so that it is a merge
            bench.commit("meanwhile", m_dot_txt="m\n")
        _, sent, received, back = game.round()
        assert sent is not None and [one.id for one in received] == [sent.change_id]
        assert sent.revision == 1, "landed work is followed by a new change"
        assert [one["path"] for one in sent.files] == [f"box{number}.txt"], "only what is new"
        assert back is not None
        taken, nothing, none_in, _ = game.round()
        assert taken.tip == bench.git("rev-parse", "main")
        assert (taken.outcomes[0].change, taken.outcomes[0].state) == (sent.change_id, "landed")
        assert (nothing, none_in) == (None, ()), "what landed is not handed over again"
        box.git("merge", "-q", "ecluse/main")
        before = game.snapshot()
        game.again()
        assert game.round() == (None, None, (), None), "both sides agree, also after a start without memory"
        assert game.snapshot() == before
    changes = game.history.find(Change)
    assert len({one.id for one in changes}) == len(changes) == 3
    assert {one.state for one in changes} == {ChangeState.LANDED}
    assert box.git("rev-parse", "HEAD^{tree}") == bench.git("rev-parse", "main^{tree}")


def test_half_done_work_is_a_checkpoint_until_it_is_committed(game: PingPong) -> None:
    game.box.write("c.txt", "half\n")
    _, sent, received, _ = game.round()
    assert sent is not None and received == ()
    assert json.loads(sent.path.read_bytes())["status"] == "checkpoint"
    game.box.commit("feat: done", c_dot_txt="done\n")
    _, done, received, _ = game.round()
    assert (done.change_id, done.revision) == (sent.change_id, 2)
    assert [one.key for one in received] == [f"{sent.change_id}/2"]
    assert not sent.path.exists()
    assert game.bench.git("show", "main:c.txt") == "done"


def test_committed_work_is_taken_in_although_the_next_is_half_done_already(game: PingPong) -> None:
    game.box.commit("feat: one", one_dot_txt="1\n")
    _, first = game.inside.look(game.request)
    game.box.write("two.txt", "half\n")
    _, second = game.inside.look(game.request)
    assert (second.change_id, second.revision) == (first.change_id, 2)
    assert game.trunk.checkpoints() == (second.path.name,)
    received, problems = game.trunk.take_in(game.history, actor="hub")
    assert ([one.key for one in received], problems) == ([f"{first.change_id}/1"], ())
    game.round()
    assert game.bench.git("show", "main:one.txt") == "1"
    game.round()
    game.box.git("merge", "-q", "ecluse/main")
    game.box.commit("feat: two", two_dot_txt="2\n")
    _, third, received, _ = game.round()
    assert [one["path"] for one in third.files] == ["two.txt"]
    assert [one.id for one in received] == [third.change_id]
    assert game.bench.git("show", "main:two.txt") == "2"
    game.round()
    left = sorted(path.name for path in game.folder.glob("sync_cloud_*.json"))
    assert left == [third.path.name], "what is over is cleared away"


def test_a_change_that_landed_under_other_ids_does_not_come_back(
    bench: Any, history: History, helpers: Any, sandbox: Any, tmp_path: Path
) -> None:
    bench.commit("policy", ecluse_dot_toml='trust = "all"\n')
    box = sandbox()
    head = box.commit("feat: b", b_dot_txt="b\n")
    done = helpers.export(box, to=tmp_path / "o")
    done.path.with_suffix(".bundle").unlink()
    change = helpers.take_in(bench, history, done.path)
    assert change.method == "patch" and change.head != head
    history.record(
        __import__("dataclasses").replace(change, wants_landing=True),
        __import__("ecluse.model").model.Event("change.asked", change.subject, "asked to land"),
    )
    from ecluse.landing import enqueue

    enqueue(bench.repository, history, change.key, actor="me")
    helpers.drive_landings(bench, history)
    assert history.get(Change, change.key).state is ChangeState.LANDED  # type: ignore[union-attr]
    make_homeward(bench.repository, history, "a1", tmp_path / "t.bundle")
    taken = take_homeward(box.repository, tmp_path / "t.bundle")
    assert [(one.change, one.head, one.state) for one in taken.outcomes] == [(done.change_id, head, "landed")]
    with pytest.raises(Exception, match="nothing to hand over"):
        helpers.export(box, to=tmp_path / "again")
    box.commit("feat: d", d_dot_txt="d\n")
    assert helpers.export(box, to=tmp_path / "again").change_id != done.change_id


def test_what_became_of_refused_work_is_told(game: PingPong) -> None:
    game.box.commit("feat: ci", _dot_github__workflows__x_dot_yml="on: push\njobs: {}\n")
    _, sent, _, _ = game.round()
    taken, again, _, _ = game.round()
    (told,) = taken.outcomes
    assert (told.change, told.state) == (sent.change_id, "quarantined")
    assert "policy.ci_changed" in told.reason
    assert again is None


def test_a_side_that_was_started_anew_hears_what_became_of_work_while_the_trunk_stood_still(game: PingPong) -> None:
    game.box.commit("feat: b", b_dot_txt="b\n")
    game.round()
    game.round()
    game.box.commit("feat: ci", _dot_github__workflows__x_dot_yml="on: push\njobs: {}\n")
    _, sent, _, _ = game.round()
    tip = game.bench.git("rev-parse", "main")
    game.again()
    taken, _, _, _ = game.round()
    assert taken is not None and taken.tip == tip == game.box.git("rev-parse", "ecluse/main")
    assert (sent.change_id, "quarantined") in {(one.change, one.state) for one in taken.outcomes}
    game.again()
    assert game.round()[0] is None, "nothing is new"


def test_a_bundle_that_arrives_in_pieces_is_taken_when_it_is_whole(game: PingPong) -> None:
    game.box.commit("feat: b", b_dot_txt="b\n")
    _, sent = game.inside.look(game.request)
    parts = [path for path in game.folder.iterdir() if path.suffix in (".bundle", ".patch")]
    for path in parts:
        path.rename(path.with_name(f"later-{path.name}"))
    received, problems = game.trunk.take_in(game.history, actor="hub")
    assert received == () and [one.code for one in problems] == ["bundle.payload_missing"]
    assert game.trunk.take_in(game.history, actor="hub") == ((), ()), "told of once, however often it is looked at"
    for path in parts:
        path.with_name(f"later-{path.name}").rename(path)
    received, problems = game.trunk.take_in(game.history, actor="hub")
    assert problems == () and [one.id for one in received] == [sent.change_id]
    assert game.trunk.take_in(game.history, actor="hub") == ((), ())


@pytest.mark.parametrize("lie", ['{"schema": "x"}', '{"schema": "ecluse-outcomes/1", "outcomes": [{"change": 1}]}'])
def test_outcomes_that_are_not_well_formed_are_refused(lie: str, game: PingPong, tmp_path: Path) -> None:
    bench = game.bench
    blob = bench.git("hash-object", "-w", "--stdin", stdin=lie.encode())
    tree = bench.git("mktree", stdin=f"100644 blob {blob}\toutcomes.json\n".encode())
    bench.git("update-ref", "refs/ecluse/outcomes", bench.git("commit-tree", "-m", "x", tree))
    bench.git("bundle", "create", "-q", str(tmp_path / "t.bundle"), "main", "refs/ecluse/outcomes")
    with pytest.raises(Refused) as caught:
        take_homeward(game.box.repository, tmp_path / "t.bundle")
    assert caught.value.code == "meta.type"


def test_plain_git_takes_the_branch_alone(game: PingPong) -> None:
    game.box.commit("feat: b", b_dot_txt="b\n")
    game.round()
    game.box.git("fetch", "-q", str(game.folder / "trunk.bundle"), "main:refs/remotes/ecluse/main")
    assert game.box.git("rev-parse", "ecluse/main") == game.bench.git("rev-parse", "main")
    assert game.box.git("for-each-ref", "refs/ecluse") == ""


# -- the command -------------------------------------------------------------------------------------------------


def test_two_watches_carry_work_there_and_back(bench: Any, sandbox: Any, tmp_path: Path) -> None:
    bench.commit("policy", ecluse_dot_toml=POLICY + '[sync]\nevery = "0.1s"\n')
    box, between = sandbox(), tmp_path / "between"
    words = [sys.executable, "-m", "ecluse"]
    subprocess.run([*words, "init"], cwd=bench.folder, check=True, capture_output=True)
    hub = subprocess.Popen(
        [*words, "sync", "a1", "--folder", str(between), "--land", "--watch"], cwd=bench.folder, stderr=subprocess.PIPE
    )
    inside = subprocess.Popen(
        [*words, "sync", "--folder", str(between), "--as", "a1", "--watch"], cwd=box.folder, stderr=subprocess.PIPE
    )
    try:
        box.commit("feat: b", b_dot_txt="b\n")
        deadline = time.monotonic() + 60
        while (
            "b.txt" not in box.git("ls-tree", "-r", "--name-only", "refs/remotes/ecluse/main")
            if box.git("for-each-ref", "refs/remotes/ecluse")
            else True
        ):
            assert hub.poll() is None and inside.poll() is None and time.monotonic() < deadline
            time.sleep(0.05)
    finally:
        for child in (inside, hub):
            child.send_signal(signal.SIGTERM)
            try:
                _, said = child.communicate(timeout=30)
            finally:
                child.kill()
        assert (inside.returncode, hub.returncode) == (0, 0), said.decode()
    assert len(list(between.glob("sync_cloud_*.json"))) == 1
    done = subprocess.run(
        [*words, "sync", "a1", "--folder", str(between), "--json"], cwd=bench.folder, capture_output=True, check=True
    )
    document = json.loads(done.stdout)
    assert document["sent"] is None and document["problems"] == []


@pytest.mark.parametrize(
    "words",
    [["--take", "x", "--folder", "y"], ["--folder", "y", "--land"], ["a1", "--as", "x"], ["a1", "--every", "1m"],
     ["a1", "--watch", "--json"], ["a1", "--watch", "--every", "never"], ["--folder", "y", "--have", "HEAD"]],
)  # fmt: skip
def test_words_that_do_not_go_together(words: list[str], bench: Any) -> None:
    done = subprocess.run([sys.executable, "-m", "ecluse", "sync", *words], cwd=bench.folder, capture_output=True)
    assert done.returncode == 2
    assert b"next: ecluse sync" in done.stderr
