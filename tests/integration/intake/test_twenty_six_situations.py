"""The situations in which work used to be lost or damaged: each has a test, with the bundle of each of three exporters.

``ROWS`` names them as the reference table does. Those of the exporting side are in ``test_three_exporters`` and
``test_exporter_sandboxes``; those of the importing side are walked through here, in repositories that go on living from
one to the next.
"""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from ecluse import landing
from ecluse.errors import Problem
from ecluse.git import Repository
from ecluse.history import History
from ecluse.kit.pieces import script
from ecluse.model import Change, ChangeState, Landing

THREE = "test_three_exporters.py::"
BOXES = "test_exporter_sandboxes.py::"
HERE = "test_twenty_six_situations.py::"
LOST = f"{THREE}test_nothing_is_lost"

ROWS: dict[str, tuple[str, ...]] = {
    "untracked file; only untracked files": (f"{LOST}[only_untracked]",),
    "commits without upstream, remote or branch (the target environment itself)": (
        f"{LOST}[commits]", f"{LOST}[detached]", f"{THREE}test_whole_history_without_a_base"),
    "commits and dirty work together": (f"{LOST}[commits_and_dirty]",),
    "second export": (f"{THREE}test_exports_in_one_second_and_their_own_files",),
    "merge commit": (f"{LOST}[merge_with_resolution]",),
    "non-UTF-8 text": (f"{LOST}[odd_bytes]",),
    "CRLF": (f"{LOST}[odd_bytes]", f"{BOXES}test_hostile_user_configuration"),
    "uncommitted binary file": (f"{LOST}[odd_bytes]",),
    "`color.ui=always`, `diff.noprefix`, external diff in the user's config": (
        f"{BOXES}test_hostile_user_configuration",),
    "ASCII locale": (f"{BOXES}test_no_identity_no_home_ascii_locale",),
    "two exports in one second": (f"{THREE}test_exports_in_one_second_and_their_own_files",),
    "import from a subdirectory": (f"{HERE}test_taking_in",),
    "N commits": (f"{LOST}[commits]",),
    "only new files; symlinks; non-ASCII names": (f"{LOST}[names_and_links]", f"{LOST}[only_untracked]"),
    "clean 3-way result": (f"{HERE}test_landing_beside_others",),
    "conflict": (f"{HERE}test_landing_beside_others",),
    "other failure": (f"{HERE}test_taking_in",),
    "dirty work tree on import": (f"{HERE}test_taking_in",),
    "same bundle again": (f"{HERE}test_taking_in", f"{HERE}test_landing_beside_others"),
    "push rejected, hook fails": (f"{HERE}test_a_whole_cycle_without_a_terminal", f"{HERE}test_a_push_that_is_rejected"),
    "no terminal": (f"{HERE}test_a_whole_cycle_without_a_terminal",),
    "tests fail": (f"{HERE}test_a_whole_cycle_without_a_terminal",),
    "unrelated base; tampered patch; bad JSON": (f"{HERE}test_what_stays_out",),
    "change to CI files or to the importer itself": (f"{HERE}test_what_stays_out",),
    "submodule pointer": (f"{BOXES}test_a_submodule_pointer",),
    "history after a full cycle": (f"{HERE}test_a_whole_cycle_without_a_terminal",),
}  # fmt: skip
"""Situation, as the reference says it -> the tests that hold it."""


def test_there_are_twenty_six() -> None:
    assert len(ROWS) == 26


def test_they_are_those_of_the_reference(shared: Path) -> None:
    text = (shared / "HANDOFF.md").read_text(encoding="utf-8").rpartition("| situation | before |")[2]
    rows = re.findall(r"^\| (.+?) \| .+ \|$", text, flags=re.M)
    assert list(ROWS) == [row for row in rows if not row.startswith("-")]


@pytest.mark.parametrize("row", ROWS)
def test_each_has_a_test_that_every_exporter_goes_through(row: str) -> None:
    assert ROWS[row]
    for name in ROWS[row]:
        file, _, test = name.partition("::")
        test, _, situation = test.partition("[")
        tree = ast.parse((Path(__file__).parent / file).read_text(encoding="utf-8"))
        functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
        assert test in functions, f"{row}: there is no {name}"
        assert "exporter" in {argument.arg for argument in functions[test].args.args}, f"{name} is not for all three"
        if situation:
            listed = next(
                node.value
                for node in tree.body
                if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "SITUATIONS"
            )
            assert situation.rstrip("]") in {one.id for one in ast.walk(listed) if isinstance(one, ast.Name)}


# -- the importing side --------------------------------------------------------------------------------------------


class Sender:
    """One of the three exporters, run in a sandbox."""

    def __init__(self, kind: str, folder: Path) -> None:
        self.kind = kind
        self.out = folder / "out"
        self.words = [sys.executable, "-m", "ecluse", "export"]
        if kind != "ecluse":
            folder.mkdir()
            path = folder / f"cloud-export.{kind}"
            path.write_bytes(script(path.name))
            self.words = [*([sys.executable] if kind == "py" else ["sh"]), str(path)]

    def send(self, box: Any) -> Path:
        """The manifest of an export of ``box``, in a folder of its own."""
        to = self.out.with_name(f"out-{len(list(self.out.parent.glob('out-*')))}")
        done = subprocess.run(
            [*self.words, "--agent", "a1", "--to", str(to), "--json"], cwd=box.folder, capture_output=True, check=False
        )
        assert done.returncode == 0, done.stderr.decode()
        return Path(json.loads(done.stdout)["path"])


@pytest.fixture(params=["ecluse", "py", "sh"])
def exporter(request: pytest.FixtureRequest, tmp_path: Path) -> Sender:
    return Sender(request.param, tmp_path / "tool")


def state(bench: Any) -> tuple[str, str, str, bytes]:
    index = (bench.folder / ".git/index").read_bytes()
    return bench.git("status", "--porcelain"), bench.git("rev-parse", "main"), bench.git("branch"), index


def damaged(manifest: Path, change: Any) -> Path:
    """A copy of an export in which ``change`` was done to the files, by suffix."""
    folder = manifest.parent.with_name(f"{manifest.parent.name}-{time.monotonic_ns()}")
    folder.mkdir()
    for path in manifest.parent.glob(f"{manifest.stem}.*"):
        (folder / path.name).write_bytes(change(path.suffix, path.read_bytes()))
    return folder / manifest.name


def test_taking_in(exporter: Sender, bench: Any, history: History, helpers: Any, sandbox: Any) -> None:
    bench.commit("folders", sub__in_dot_txt="in\n")
    box = sandbox()
    box.write("sub/new.txt", "in the folder\n")
    box.write("outside.txt", "outside of it\n")
    sent = exporter.send(box)
    bench.write("a.txt", "my own work\n")
    bench.write("mine.env", "secret of mine\n")
    before = state(bench)

    def cut(suffix: str, data: bytes) -> bytes:
        return data[:-40] if suffix in (".bundle", ".patch") else data

    failed = helpers.take_in(bench, history, damaged(sent, cut))  # other failure: nothing is left half done
    assert failed.state is ChangeState.REJECTED
    assert state(bench) == before

    inside = type("Inside", (), {"repository": Repository.discover(bench.folder / "sub")})
    change = helpers.take_in(inside, history, sent)  # from a subdirectory, into a dirty work tree
    assert (change.state, sorted(change.files)) == (ChangeState.READY, ["outside.txt", "sub/new.txt"])
    assert set(helpers.tree_of(bench, change.ref)) == {"a.txt", "sub/in.txt", "sub/new.txt", "outside.txt"}
    assert bench.git("show", f"{change.ref}:a.txt") == "one\ntwo\nthree"
    assert state(bench) == before

    events = history.last_event()
    assert helpers.take_in(bench, history, sent) == change  # the same again: the same answer, nothing done
    assert history.last_event() == events


def land(bench: Any, history: History, helpers: Any, change: Change) -> Landing:
    asked = landing.enqueue(bench.repository, history, change.key, actor="tester")
    helpers.drive_landings(bench, history)
    found = history.get(Landing, asked.id)
    assert found is not None
    return found


def test_landing_beside_others(exporter: Sender, bench: Any, history: History, helpers: Any, sandbox: Any) -> None:
    bench.commit("policy", ecluse_dot_toml='trust = "all"\n')
    one, two = sandbox("one"), sandbox("two")
    one.commit("feat: end", a_dot_txt="one\ntwo\nthree\nfour\n")
    two.commit("feat: end too", a_dot_txt="one\ntwo\nthree\nFIVE\n")
    sent = exporter.send(one)
    bench.commit("meanwhile", a_dot_txt="zero\none\ntwo\nthree\n")
    change = helpers.take_in(bench, history, sent)
    landed = land(bench, history, helpers, change)  # clean 3-way: committed, with the ids of the change kept
    assert landed.state.value == "landed", landed.reason
    assert (bench.folder / "a.txt").read_text() == "zero\none\ntwo\nthree\nfour\n"
    assert bench.git("rev-parse", "main^2") == change.head
    assert bench.git("status", "--porcelain") == ""
    assert helpers.take_in(bench, history, sent).state is ChangeState.LANDED  # the same bundle again, after it landed
    before = state(bench)
    clash = helpers.take_in(bench, history, exporter.send(two))
    assert (clash.state, "a.txt" in clash.reason) == (ChangeState.CONFLICT, True)
    assert state(bench) == before, "no markers in anybody's checkout"
    assert bench.git("show", f"{clash.ref}:a.txt").endswith("FIVE"), "and nothing of it is lost"


def test_what_stays_out(
    exporter: Sender, bench: Any, history: History, helpers: Any, sandbox: Any, tmp_path: Path
) -> None:
    box = sandbox()
    box.write("new.txt", "new\n")
    sent = exporter.send(box)
    before = state(bench)

    def tampered(suffix: str, data: bytes) -> bytes:
        return data.replace(b"+new\n", b"+evil\n") if suffix == ".patch" else data

    refused = helpers.take_in(bench, history, damaged(sent, tampered))
    assert (refused.state, refused.reason.partition(":")[0]) == (ChangeState.REJECTED, "meta.payload_sha")
    for text in (b"{", b'{"schema": "ecluse-change/1", "schema": "ecluse-change/1"}', b"[]"):
        bad = damaged(sent, lambda suffix, data, text=text: text if suffix == ".json" else data)
        try:
            found = helpers.take_in(bench, history, bad)
        except Problem as problem:
            assert problem.exit_status in (2, 4)
        else:
            assert found.state is ChangeState.REJECTED, text
    alone = type(bench)(tmp_path / "alone")
    alone.commit("another project", x_dot_txt="x\n")
    stranger = exporter.send(alone)
    try:
        found = helpers.take_in(bench, history, stranger)
    except Problem as problem:
        assert problem.exit_status in (2, 4)
    else:
        assert found.state is ChangeState.REJECTED
    own = sandbox("own")
    own.write(".github/workflows/ci.yml", "on: push\njobs: {}\n")
    own.write(".sync/scripts/local-import.py", "print('mine')\n")
    waits = helpers.take_in(bench, history, exporter.send(own))
    assert waits.state is ChangeState.QUARANTINED
    assert {"policy.ci_changed", "policy.importer_changed"} <= {one.code for one in waits.findings}
    assert state(bench) == before


WORKFLOW = """on: [pull_request, push]
jobs:
  test:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - run: test ! -e broken.txt
"""


def ecluse(folder: Path, *words: str) -> subprocess.CompletedProcess[bytes]:
    """The command without a terminal."""
    return subprocess.run(
        [sys.executable, "-m", "ecluse", *words], cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, check=False
    )


def test_a_whole_cycle_without_a_terminal(exporter: Sender, bench: Any, sandbox: Any) -> None:
    bench.write(".github/workflows/ci.yml", WORKFLOW)
    bench.commit("policy", ecluse_dot_toml='trust = "all"\n')
    assert ecluse(bench.folder, "init").returncode == 0
    for name in ("pre-commit", "commit-msg", "pre-merge-commit", "post-checkout", "reference-transaction", "pre-push"):
        (bench.folder / ".git/hooks").mkdir(exist_ok=True)
        hook = bench.folder / ".git/hooks" / name
        hook.write_text("#!/bin/sh\nexit 1\n")
        hook.chmod(0o755)
    bad, good = sandbox("bad"), sandbox("good")
    bad.write("broken.txt", "x\n")
    good.write("new.txt", "new\n")
    before = bench.git("rev-parse", "main")
    red = ecluse(bench.folder, "import", str(exporter.send(bad)), "--land")
    assert red.returncode == 5, red.stderr.decode()
    assert bench.git("rev-parse", "main") == before, "tests fail: nothing lands"
    sent = exporter.send(good)
    done = ecluse(bench.folder, "import", str(sent), "--land", "--json")
    assert done.returncode == 0, done.stderr.decode()
    assert b"Traceback" not in red.stderr + done.stderr
    assert bench.git("show", "main:new.txt") == "new"
    said = json.loads(done.stdout)
    with History.open(bench.repository.state_dir) as history:
        change = history.get(Change, f"{said['change_id']}/1")
        assert change is not None and change.state is ChangeState.LANDED
        kinds = [event.kind for event in history.events(limit=500)]
    for kind in ("change.received", "change.ready", "landing.red", "landing.landed"):
        assert kind in kinds, "every step is on record"
    rows = ecluse(bench.folder, "history", "export").stdout
    assert said["change_id"].encode() in rows


def test_a_push_that_is_rejected(exporter: Sender, bench: Any, sandbox: Any, tmp_path: Path) -> None:
    if b"--push" not in ecluse(bench.folder, "import", "--help").stdout:
        pytest.skip("this version does not push")
    bench.commit("policy", ecluse_dot_toml='trust = "all"\n')
    remote = tmp_path / "remote.git"
    subprocess.run(["git", "init", "-q", "--bare", "-b", "main", str(remote)], check=True)
    bench.git("push", "-q", str(remote), "main")
    bench.git("remote", "add", "origin", str(remote))
    hook = remote / "hooks/pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho no entry >&2\nexit 1\n")
    hook.chmod(0o755)
    assert ecluse(bench.folder, "init").returncode == 0
    box = sandbox()
    box.write("new.txt", "new\n")
    there = subprocess.run(["git", "-C", str(remote), "rev-parse", "main"], capture_output=True, check=True).stdout
    done = ecluse(bench.folder, "import", str(exporter.send(box)), "--land", "--push", "--yes")
    assert done.returncode not in (0, 130), "a rejected push is no success"
    assert b"no entry" in done.stderr + done.stdout or b"reject" in done.stderr + done.stdout
    after = subprocess.run(["git", "-C", str(remote), "rev-parse", "main"], capture_output=True, check=True).stdout
    assert there == after
    assert bench.git("show", "main:new.txt") == "new", "what landed here stays landed here"
