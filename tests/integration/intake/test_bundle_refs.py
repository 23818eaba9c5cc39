"""Plain bundles of several refs, as people make them: what counts as one change, what has to be chosen, what is left."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ecluse import intake
from ecluse.errors import Invalid, Refused
from ecluse.history import History
from ecluse.model import Change, ChangeState


@pytest.fixture
def box(bench: Any, sandbox: Any, tmp_path: Path) -> Any:
    """A sandbox with one commit beyond what the repository has, a tag of the past, and the trunk as it was cloned."""
    bench.commit("start", a_dot_txt="one\n")
    bench.git("tag", "v0")
    made = sandbox()
    made.git("config", "user.name", "Zoé Agent")
    made.git("config", "user.email", "zoe@agents.invalid")
    made.git("update-ref", "refs/remotes/origin/main", "main")
    made.commit("work", b_dot_txt="b\n")
    return made


def packed(box: Any, *words: str) -> Path:
    path = box.folder.parent / f"{len(list(box.folder.parent.glob('*.bundle')))}.bundle"
    box.git("bundle", "create", "-q", str(path), *words)
    return Path(path)


def left(change: Change) -> str:
    return next((one.message for one in change.findings if one.code == "bundle.refs_left"), "")


@pytest.mark.parametrize(
    "words",
    [
        ("HEAD", "main"),
        ("--branches",),
        ("HEAD",),
        ("HEAD", "main", "copy"),
        ("v0..HEAD", "main"),
        ("-2", "main", "copy"),
    ],
)
def test_refs_at_one_commit_are_one_change(
    words: tuple[str, ...], bench: Any, history: History, helpers: Any, box: Any
) -> None:
    box.git("branch", "copy")
    change = helpers.take_in(bench, history, packed(box, *words))
    assert (change.state, change.reason, change.findings) == (ChangeState.READY, "", ())
    assert (change.head, change.method) == (box.git("rev-parse", "main"), "bundle")


def test_everything_of_a_sandbox_is_what_is_new_in_it(bench: Any, history: History, helpers: Any, box: Any) -> None:
    box.git("branch", "old", "v0")
    (box.folder / "a.txt").write_text("in hand\n")
    box.git("stash")
    box.git("tag", "-a", "-m", "a tag", "v1")
    change = helpers.take_in(bench, history, packed(box, "--all"))
    assert (change.state, change.head) == (ChangeState.READY, box.git("rev-parse", "main"))
    for name in ("refs/stash", "refs/heads/old", "refs/tags/v0", "refs/tags/v1", "refs/remotes/origin/main"):
        assert name in left(change), name
    assert left(change).startswith("taken are the commits of refs/heads/main; ")
    assert bench.git("for-each-ref", "--format=%(refname)").split() == [change.ref, "refs/heads/main", "refs/tags/v0"]
    stash = box.git("rev-parse", "refs/stash")
    assert bench.repository.resolve(stash) != stash
    bench.commit("the target went on", c_dot_txt="c\n")
    again = packed(box, "--all", "--not", "v0")
    assert helpers.take_in(bench, history, again).head == change.head


@pytest.mark.parametrize("words", [("-a", "-m", "a tag"), ()])
def test_a_tag_alone_is_its_commit(
    words: tuple[str, ...], bench: Any, history: History, helpers: Any, box: Any
) -> None:
    box.git("tag", *words, "v1")
    change = helpers.take_in(bench, history, packed(box, "v1"))
    assert (change.state, change.head) == (ChangeState.READY, box.git("rev-parse", "main"))
    assert left(change) == "taken are the commits of refs/tags/v1; not taken: refs/tags/v1 (the tag itself)"
    assert "v1" not in bench.git("tag")
    with pytest.raises(AssertionError, match=r"bundle\.incomplete"):
        box.git("tag", "-f", "tree", "main^{tree}")
        assert helpers.take_in(bench, history, packed(box, "tree")).reason == ""


def test_different_tips_have_to_be_chosen_from(bench: Any, history: History, helpers: Any, box: Any) -> None:
    box.git("checkout", "-q", "-b", "other", "v0")
    box.commit("other work", c_dot_txt="c\n")
    bundle = packed(box, "main", "other", "v0")
    refused = helpers.take_in(bench, history, bundle)
    assert (refused.state, refused.reason.partition(":")[0]) == (ChangeState.REJECTED, "bundle.refs")
    assert "refs/heads/main, refs/heads/other. Choose one with --ref NAME" in refused.reason
    found = {}
    for name in ("main", "other", "refs/heads/other", "v0"):
        judgement, _, _ = intake.examine(bench.repository, bundle, ref=name)
        found[name] = helpers.take_in(bench, history, bundle, ref=name)
        assert (found[name].state, judgement.head) == (ChangeState.READY, box.git("rev-parse", name))
        assert found[name].head == judgement.head
    assert found["other"] == found["refs/heads/other"] and found["main"].key != found["other"].key
    assert left(found["main"]) == "taken are the commits of refs/heads/main; not taken: refs/heads/other, refs/tags/v0"
    assert {one.code for one in found["v0"].findings} == {"change.nothing_new", "bundle.refs_left"}
    assert helpers.take_in(bench, history, bundle).key == refused.key
    with pytest.raises(Refused, match=r"no ref 'gone', but refs/heads/main, refs/heads/other, refs/tags/v0"):
        helpers.take_in(bench, history, bundle, ref="gone")
    with pytest.raises(Invalid, match="is none"):
        helpers.take_in(bench, history, b"diff --git a/a b/a\n", ref="main")
    assert helpers.take_in(bench, history, packed(box, "main"), ref="main").id.startswith("bundle-")


def test_the_door_takes_a_ref(bench: Any, history: History, box: Any) -> None:
    box.git("checkout", "-q", "-b", "other", "v0")
    box.commit("other work", c_dot_txt="c\n")
    bundle = str(packed(box, "main", "other"))

    def ecluse(*words: str) -> subprocess.CompletedProcess[bytes]:
        argv = [sys.executable, "-m", "ecluse", "import", bundle, *words]
        return subprocess.run(argv, cwd=bench.folder, capture_output=True, check=False)

    tried = ecluse("--dry-run", "--json")
    assert (tried.returncode, json.loads(tried.stdout)["reason"]) == (4, "bundle.refs")
    asked = ecluse("--no-input")
    assert asked.returncode == 4 and f"next: ecluse import {bundle} --ref NAME".encode() in asked.stderr + asked.stdout
    for words in (("--dry-run",), ()):
        said = json.loads(ecluse("--ref", "other", "--json", *words).stdout)
        assert (said["verdict"], said["tree"]) == ("warn", box.git("rev-parse", "other^{tree}"))
        assert [one["code"] for one in said["findings"]] == ["bundle.refs_left"]
    unknown = ecluse("--ref", "gone", "--json")
    assert (unknown.returncode, json.loads(unknown.stdout)["error"]["code"]) == (4, "bundle.refs")


@pytest.mark.parametrize(
    "name", ["refs/heads/-x", "refs/tags/--upload", "refs/tags/a..b", "refs/heads/x.lock", "refs/tags/HEAD"]
)
def test_hostile_names_are_refused_among_others_too(
    name: str, bench: Any, history: History, helpers: Any, box: Any
) -> None:
    bundle = packed(box, "main", "v0")
    data = bundle.read_bytes()
    bundle.write_bytes(data.replace(b" refs/tags/v0\n", b" " + name.encode() + b"\n", 1))
    assert helpers.take_in(bench, history, bundle).reason.partition(":")[0] == "ref.invalid"


def test_a_manifest_s_bundle_has_one_ref(bench: Any, history: History, helpers: Any, box: Any, tmp_path: Path) -> None:
    exported = helpers.export(box, to=tmp_path / "out")
    manifest = next((tmp_path / "out").glob("*.json"))
    with pytest.raises(Invalid, match="plain git bundle"):
        helpers.take_in(bench, history, manifest, ref="change")
    assert helpers.take_in(bench, history, manifest).head == exported.head
