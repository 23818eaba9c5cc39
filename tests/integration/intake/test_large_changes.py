"""A change with one large, incompressible file: our own process never holds it, and a patch over the cap is left out.

``python -m bench memory`` does the same with 300 MiB, for each of the three exporters.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ecluse.errors import Refused
from ecluse.git import Repository
from ecluse.git.nouns import EMPTY_TREE
from ecluse.history import History
from ecluse.intake import outbox
from ecluse.intake.differences import Differences
from ecluse.intake.publication import Publication
from ecluse.intake.textrules import judge_oversized, judge_text
from ecluse.kit.pieces import script
from ecluse.model import ChangeState, Verdict

LARGE = 52 << 20
OWN_CAP_KIB = 110 << 10
"""Less than the interpreter with all of this room and the file would take together."""

_MEASURED = """
import runpy, sys
sys.argv = sys.argv[2:]
try:
    runpy.run_path(sys.argv[0], run_name="__main__") if sys.argv[0].endswith(".py") else runpy.run_module("ecluse", run_name="__main__", alter_sys=False)
finally:
    with open("/proc/self/status") as status, open(%r, "w") as out:
        out.write(next(line for line in status if line.startswith("VmHWM")).split()[1])
"""


def run_measured(words: list[str], cwd: Path, to: Path) -> tuple[Any, int]:
    """A program's JSON answer, and the most KiB of memory that its own process (no child of it) ever held."""
    done = subprocess.run(
        [sys.executable, "-c", _MEASURED % str(to), "-", *words], cwd=cwd, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    return json.loads(done.stdout), int(to.read_text())


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the system does not say what a process has held")
@pytest.mark.parametrize("kind", ["ecluse", "py", "sh"])
def test_a_large_file_is_never_held_and_its_patch_is_left_out(
    kind: str, bench: Any, history: History, sandbox: Any, tmp_path: Path
) -> None:
    bench.commit("policy", ecluse_dot_toml=f"[intake]\nmax_file_bytes = {LARGE}\n")
    box = sandbox()
    box.git("config", "core.compression", "0")
    box.write("large.bin", os.urandom(LARGE))
    box.commit("feat: a large file")
    peak = tmp_path / "peak"
    tool = tmp_path / f"cloud-export.{kind}"
    words = ["--agent", "a1", "--json", "--to", str(tmp_path / "out")]
    if kind == "sh":
        tool.write_bytes(script(tool.name))
        done = subprocess.run(["sh", str(tool), *words], cwd=box.folder, capture_output=True, check=True)
        said = json.loads(done.stdout)
    else:
        if kind == "py":
            tool.write_bytes(script(tool.name))
        own = [str(tool)] if kind == "py" else ["ecluse", "export"]
        said, held = run_measured([*own, *words], box.folder, peak)
        assert held < OWN_CAP_KIB, f"{kind} held {held >> 10} MiB"
    assert [one["kind"] for one in said["payloads"]] == ["bundle"]
    (left,) = json.loads(Path(said["path"]).read_bytes())["omitted_payloads"]
    assert (left["kind"], left["reason"]) == ("patch", "too large")
    assert left["size"] > outbox.PATCH_CAP
    if kind != "sh":  # the bundle is the same, whoever made it
        answer, held = run_measured(["ecluse", "import", said["path"], "--dry-run", "--json"], bench.folder, peak)
        assert (answer["verdict"], answer["method"], answer["tree"]) == ("accept", "bundle", said["tree"])
        assert held < OWN_CAP_KIB, f"import held {held >> 10} MiB"


def test_what_nobody_can_read_whole_is_left_to_a_person() -> None:
    assert judge_oversized("a.bin", b"\0\1", 1 << 30) == []
    (found,) = judge_oversized("a.txt", b"text", 1 << 30)
    assert (found.code, found.verdict) == ("text.unreviewable", Verdict.QUARANTINE)
    assert judge_text("a.txt", b"text\n", b"") == []


def test_a_patch_over_the_cap_is_left_out_and_said(tmp_path: Path) -> None:
    bundle, patch = tmp_path / "b", tmp_path / "p"
    bundle.write_bytes(b"bundle")
    with patch.open("wb") as handle:
        handle.truncate(outbox.PATCH_CAP + 1)
    with Publication(tmp_path / "out") as publication:
        payloads, left = outbox._take_payloads(publication, bundle, patch)
    assert [one.kind for one in payloads] == ["bundle"]
    assert left == {"omitted_payloads": [{"kind": "patch", "reason": "too large", "size": outbox.PATCH_CAP + 1}]}


def test_differences_are_those_of_git(bench: Any) -> None:
    first = bench.git("rev-parse", "HEAD")
    bench.write("end of pairs\nx/:100644 odd", "newline and colon\n")
    bench.write("d/e/f.txt", "f\n")
    bench.write("turns", "file\n")
    second = bench.commit("second")
    bench.git("rm", "-q", "turns", "a.txt")
    bench.write("turns/into/folder.txt", "x\n")
    (bench.folder / "d/e/link").symlink_to("f.txt")
    third = bench.commit("third")
    fourth = bench.commit("fourth", turns__into__folder_dot_txt="y\n")
    repository: Repository = bench.repository
    trees = [repository.tree_id(one) for one in (first, second, third, fourth)]
    with Differences(repository, 100) as differences:
        for old in ("", *trees):
            differences.load([(old, new) for new in trees])
            for new in trees:
                expected = repository.changed_paths(old or EMPTY_TREE, new)
                assert differences.paths(old, new) == expected
                assert differences.count(old, new) == len(expected)


def test_differences_end_when_there_are_too_many(bench: Any) -> None:
    for number in range(30):
        bench.write(f"many/{number}/x.txt", f"{number}\n")
    tree = bench.repository.tree_id(bench.commit("many"))
    small = bench.repository.tree_id(bench.commit("one more", b_dot_txt="b\n"))
    with Differences(bench.repository, 5) as differences:
        differences.load([("", tree)])
        assert differences.count("", tree) > 5
        differences.load([(tree, small)])  # and the next question is answered as if nothing had been
        assert [one.path for one in differences.paths(tree, small)] == ["b.txt"]


def test_a_pack_of_judged_objects_is_taken_as_it_is_and_another_one_is_not(
    bench: Any, history: History, helpers: Any, sandbox: Any, tmp_path: Path
) -> None:
    box = sandbox()
    box.commit("feat: one", b_dot_txt="b\n")
    change = helpers.take_in(bench, history, helpers.export(box, to=tmp_path / "o1").path)
    assert change.state is ChangeState.READY
    packs = list((bench.folder / ".git/objects/pack").glob("*.pack"))
    assert len(packs) == 1
    assert bench.git("fsck", "--strict", "--no-dangling") == ""

    hidden = box.git("hash-object", "-w", "--stdin", stdin=b"never looked at")
    box.commit("feat: two", c_dot_txt="c\n")
    base, head = bench.git("rev-parse", "HEAD"), box.git("rev-parse", "HEAD")
    wanted = box.git("rev-list", "--objects", head, f"^{base}").encode() + b"\n" + hidden.encode() + b"\n"
    listed = b"".join(line.split(b" ")[0] + b"\n" for line in wanted.splitlines())
    pack = subprocess.run(
        ["git", "pack-objects", "-q", "--stdout"], cwd=box.folder, input=listed, capture_output=True, check=True
    ).stdout
    smuggling = tmp_path / "smuggling.bundle"
    smuggling.write_bytes(f"# v2 git bundle\n-{base} \n{head} refs/heads/change\n\n".encode() + pack)
    change = helpers.take_in(bench, history, smuggling)
    assert change.state is ChangeState.READY, change.reason
    assert bench.git("rev-parse", change.ref) == head
    there = subprocess.run(["git", "cat-file", "-e", hidden], cwd=bench.folder, capture_output=True, check=False)
    assert there.returncode != 0


def test_a_text_of_any_size_is_not_held(bench: Any, history: History, helpers: Any, tmp_path: Path) -> None:
    huge = tmp_path / "huge.txt"
    with huge.open("wb") as handle:
        handle.write(b"some words\n")
        handle.truncate(65 << 20)
    with pytest.raises(Refused) as caught:
        helpers.take_in(bench, history, huge)
    assert caught.value.code == "text.too_large"
    (change,) = [helpers.take_in(bench, history, huge.rename(tmp_path / "huge.patch"))]
    assert (change.state, change.reason.partition(":")[0]) == (ChangeState.REJECTED, "limit.patch_size")
