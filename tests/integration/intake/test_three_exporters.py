"""One suite for ``ecluse export`` and the two exporters that need nothing installed: the same bundle, imported alike."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ecluse.history import History

from .exporters import EXPORTERS, Exporter, accept, landed, lying_there

# -- situations: each does something in the sandbox -----------------------------------------------------------------


def only_untracked(box: Any, bench: Any) -> None:
    box.write("deep/er/new.txt", "new\n")
    box.write(".gitignore", "*.o\n")
    box.write("x.o", "ignored\n")


def commits(box: Any, bench: Any) -> None:
    for number, person in enumerate(("Ann", "Bob", "Émile")):
        box.write(f"f{number}.txt", f"{number}\n")
        box.git("add", "-A")
        message = f"[tag] step {number}\n\nFrom: Not Author <no@example.invalid>\n---\ndiff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -0,0 +1 @@\n+evil\nFrom here on\n"
        box.git("-c", f"user.name={person}", "-c", "user.email=p@example.invalid", "commit", "-qm", message)


def commits_and_dirty(box: Any, bench: Any) -> None:
    box.commit("feat: one", b_dot_txt="b\n")
    box.write("a.txt", "one\ntwo\nstaged\n")
    box.git("add", "a.txt")
    box.write("a.txt", "one\ntwo\nstaged\nand unstaged\n")
    box.write("b.txt", "unstaged\n")
    box.write("c.txt", "untracked\n")
    box.write("intended.txt", "i\n")
    box.git("add", "-N", "intended.txt")


def merge_with_resolution(box: Any, bench: Any) -> None:
    box.git("checkout", "-q", "-b", "side")
    box.commit("side", a_dot_txt="one\nSIDE\nthree\n")
    box.git("checkout", "-q", "main")
    box.commit("main", a_dot_txt="one\nMAIN\nthree\n")
    subprocess.run(["git", "merge", "-q", "side"], cwd=box.folder, capture_output=True, check=False)
    box.write("a.txt", "one\nBOTH\nthree\n")
    box.git("commit", "-qam", "merge side")


def odd_bytes(box: Any, bench: Any) -> None:
    contents = {"latin.txt": b"caf\xe9\n", "crlf.txt": b"a\r\nb\r\n", "mixed": b"a\r\nb\nc", "b.bin": bytes(range(256)),
                "empty": b"", "a.txt": b"one\r\ntwo\r\n"}  # fmt: skip
    for name, data in contents.items():
        box.write(name, data)
    box.write("run.sh", b"#!/bin/sh\n").chmod(0o755)
    box.git("add", "b.bin")


def names_and_links(box: Any, bench: Any) -> None:
    (box.folder / "link").symlink_to("a.txt")
    for name in ("été/日本語.txt", "with space", 'quo"te', "😀", " lead", "tab-less"):
        box.write(name, "x\n")
    Path(os.fsdecode(os.fsencode(box.folder) + b"/latin-\xe9.txt")).write_bytes(b"x\n")


def deletions(box: Any, bench: Any) -> None:
    box.commit("more", x_dot_txt="x\n", d__y="y\n", z_dot_txt="z\n")
    (box.folder / "a.txt").unlink()
    box.git("rm", "-q", "x.txt")
    (box.folder / "d/y").unlink()
    (box.folder / "d").rmdir()
    box.write("d", "a file now\n")
    box.write("x.txt/inner", "a folder now\n")
    box.git("update-index", "--assume-unchanged", "z.txt")
    box.write("z.txt", "hidden from git\n")


def detached(box: Any, bench: Any) -> None:
    box.git("checkout", "-q", "--detach")
    box.commit("on no branch", b_dot_txt="b\n")
    box.write("c.txt", "c\n")


def rewound(box: Any, bench: Any) -> None:
    box.commit("one", b_dot_txt="b\n")
    box.git("reset", "-q", "--soft", "HEAD~1")
    box.git("branch", "-q", "-m", "renamed")


SITUATIONS = (only_untracked, commits, commits_and_dirty, merge_with_resolution, odd_bytes, names_and_links, deletions,
              detached, rewound)  # fmt: skip


@pytest.mark.parametrize("situation", SITUATIONS, ids=lambda one: one.__name__)
def test_nothing_is_lost(
    situation: Callable[[Any, Any], None], exporter: Exporter, bench: Any, history: History, helpers: Any, sandbox: Any
) -> None:
    box = sandbox()
    situation(box, bench)
    mine = box.git("rev-list", "--topo-order", "--reverse", "HEAD", f"^{bench.git('rev-parse', 'HEAD')}").split()
    said = exporter.export(box)
    change = accept(bench, history, helpers, said)
    assert landed(bench, change.ref) == lying_there(box)
    assert list(change.commits)[: len(mine)] == mine, "commit ids are kept"
    assert list(change.commits.values()) == list(change.commits)
    assert len(change.commits) - len(mine) == (
        1 if box.git("status", "--porcelain", "--", ":!.sync", ":!out") else 0
    ) or (
        situation is deletions  # assume-unchanged hides from status, not from the export
    )
    names = {one.code for one in change.findings if one.code.startswith("path.")}
    assert names <= {"path.encoding", "path.shell_meta"}
    if situation is names_and_links:
        assert next(one for one in said["files"] if "path_b64" in one)["path_b64"] == "bGF0aW4t6S50eHQ="
    if situation is commits_and_dirty:
        assert {one["path"]: one["origin"] for one in said["files"]} == {
            "a.txt": "staged+unstaged", "b.txt": "unstaged", "c.txt": "untracked", "intended.txt": "unstaged"}  # fmt: skip


@pytest.mark.parametrize(
    "situation", [commits_and_dirty, odd_bytes, names_and_links, deletions], ids=lambda one: one.__name__
)
def test_the_three_agree_and_share_one_lineage(
    situation: Callable[[Any, Any], None], bench: Any, sandbox: Any, tmp_path: Path
) -> None:
    box = sandbox()
    situation(box, bench)
    said = [Exporter(kind, tmp_path / "tool").export(box) for kind in (*EXPORTERS, "ecluse")]
    assert len({one["head"] for one in said}) == 1, "the same work gives the same commit"
    assert len({one["change_id"] for one in said}) == 1
    assert [one["revision"] for one in said] == [1, 2, 3, 4]
    assert all(one["files"] == said[0]["files"] and one["base"] == said[0]["base"] for one in said)
    texts = [json.loads(Path(one["path"]).read_bytes()) for one in said]
    assert {tuple(one) for one in texts} == {tuple(texts[0])}, "the same keys in the same order"
    for key in ("git", "target", "agent", "agent_details", "repository", "note", "uncommitted"):
        assert [one[key] for one in texts] == [texts[0][key]] * 4, key
    assert len({one["payloads"][1]["sha256"] for one in said}) == 1, "the same patch"
    rows = [{row["name"]: (row["result"], row["detail"]) for row in one["validations"]} for one in texts]
    assert len({row["git-status"] for row in rows}) == 1, [row["git-status"] for row in rows]


def test_the_build_of_a_package(exporter: Exporter, sandbox: Any) -> None:
    """Two of them run it, on a copy of the tree; the shell one says that it does not."""
    if shutil.which("npm") is None:
        pytest.skip("npm is not on this machine")

    def rows(said: dict[str, Any]) -> dict[str, Any]:
        return {one["name"]: one for one in json.loads(Path(said["path"]).read_bytes())["validations"]}

    box = sandbox()
    command = "node -e \"require('fs').writeFileSync('made.txt', '')\""
    box.write("package.json", json.dumps({"scripts": {"build": command}}))
    build = rows(exporter.export(box))["build"]
    if exporter.kind == "sh":
        assert (build["result"], build["detail"].startswith("not checked: ")) == ("skipped", True)
        return
    assert (build["result"], build["detail"]) == ("success", "(npm run build)")
    assert not (box.folder / "made.txt").exists()
    box.write("package.json", '{"scripts": {"build": "exit 3"}}')
    red = exporter.run(box)
    assert (red.returncode, json.loads(red.stdout)["error"]["code"]) == (5, "export.red")
    box.write(
        "package.json", '{"scripts": {"build": "exit 3"}, "dependencies": {"x": "1"}, "packageManager": "pnpm@9"}'
    )
    build = rows(exporter.export(box))["build"]
    assert (build["result"], "not checked: " in build["detail"]) == ("skipped", True)


@pytest.mark.parametrize("lost", ["exports.json is gone", "another folder's memory"])
def test_without_state_the_earlier_manifests_are_asked(
    lost: str, exporter: Exporter, bench: Any, sandbox: Any, tmp_path: Path
) -> None:
    box = sandbox()
    box.git("checkout", "-q", "-b", 'wörk"1')
    box.write("c.txt", "c\n")
    first = Exporter("sh" if exporter.kind == "ecluse" else "ecluse", tmp_path / "tool").export(box)
    memory = box.folder / ".git/ecluse/exports.json"
    if lost.startswith("exports"):
        shutil.rmtree(memory.parent)
    else:
        kept = json.loads(memory.read_bytes())
        memory.write_text(
            json.dumps({"other": {"id": "chg-x", "revision": 7, "head": "", "base": ""}, **kept}, indent=1)
        )
    again = exporter.export(box)
    assert (again["change_id"], again["revision"]) == (first["change_id"], 2)
    if not lost.startswith("exports"):
        assert json.loads(memory.read_bytes())["other"]["revision"] == 7


def test_exports_in_one_second_and_their_own_files(exporter: Exporter, bench: Any, sandbox: Any) -> None:
    box = sandbox()
    box.write("new.txt", "1\n")
    said = [exporter.export(box, "--to", str(box.folder / "out")) for _ in range(3)]
    assert len({one["path"] for one in said}) == 3
    assert [[f["path"] for f in one["files"]] for one in said] == [["new.txt"]] * 3
    assert {one["reason"] for one in said[2]["not_carried"]} == {"own"}
    for one in said:
        for payload in one["payloads"]:
            assert (Path(one["path"]).parent / payload["name"]).stat().st_size == payload["size"]
    assert not list((box.folder / "out").glob(".export-*"))
    assert len(list((box.folder / "out").glob("INSTRUCTIONS_*.txt"))) == 3


def test_whole_history_without_a_base(exporter: Exporter, bench: Any, tmp_path: Path) -> None:
    box = type(bench)(tmp_path / "alone")
    box.commit("only", a_dot_txt="a\n")
    said = exporter.export(box)
    assert said["base"] == ""
    assert [one["path"] for one in said["files"]] == ["a.txt"]
    bare = json.loads(Path(said["path"]).read_bytes())
    assert (bare["base"], bare["patch"]["type"]) == ({"commit": "", "tree": ""}, "commits")


def test_a_recorded_base_and_a_landed_change(exporter: Exporter, bench: Any, sandbox: Any) -> None:
    box = sandbox()
    one = box.commit("one", b_dot_txt="b\n")
    first = exporter.export(box)
    box.git("config", "ecluse.base", one)
    box.commit("two", c_dot_txt="c\n")
    second = exporter.export(box)
    assert second["base"] == one
    assert second["change_id"] != first["change_id"]
    assert [f["path"] for f in second["files"]] == ["c.txt"]
    assert exporter.export(box, "--base", f"{one}~1")["base"] == bench.git("rev-parse", "HEAD")


def test_a_change_as_young_as_the_index_is_carried(exporter: Exporter, sandbox: Any, tmp_path: Path) -> None:
    box = sandbox()
    path, index = box.folder / "a.txt", box.folder / ".git" / "index"
    box.write("a.txt", "one\ntwo\nthree\n")
    box.git("update-index", "--refresh")
    before = path.stat()
    box.write("a.txt", "one\nTWO\nthree\n")  # as long as before, and in the same moment
    for one in (path, index):
        os.utime(one, ns=(before.st_atime_ns, before.st_mtime_ns))
    time.sleep(1.1)  # the copy of the index must not look younger than the index
    done = exporter.run(box, "--to", str(tmp_path / "o"))
    assert done.returncode == 0, done.stderr.decode()
    assert [one["path"] for one in json.loads(done.stdout)["files"]] == ["a.txt"]
