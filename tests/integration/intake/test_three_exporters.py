"""One suite for ``ecluse export`` and the two exporters that need nothing installed: the same bundle, imported alike."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import string
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ecluse.git import Repository
from ecluse.history import History
from ecluse.kit.pieces import script
from ecluse.model import Change, ChangeState, Verdict

EXPORTERS = ("ecluse", "py", "sh")
POSIX = ("awk", "cat", "cp", "cut", "date", "dd", "env", "grep", "ls", "mkdir", "mv", "od", "printf", "pwd", "rm", "sed",
         "sh", "sort", "tail", "tr", "wc")  # fmt: skip


class Exporter:
    """One of the three, as a process; ``python`` runs the one file, ``prefix`` goes before the whole command."""

    def __init__(self, kind: str, folder: Path, python: str = sys.executable) -> None:
        self.kind = kind
        folder.mkdir(parents=True, exist_ok=True)
        self.words = [python, "-m", "ecluse", "export"]
        if kind != "ecluse":
            path = folder / f"cloud-export.{kind}"
            path.write_bytes(script(path.name))
            self.words = [*([python] if kind == "py" else ["sh"]), str(path)]

    def run(self, box: Any, *words: str, cwd: Path | None = None, env: dict[str, str] | None = None, stdin: str = ""):
        argv = [*self.words, "--agent", "a1", "--json", *words]
        return subprocess.run(
            argv, cwd=cwd or box.folder, input=stdin.encode(), capture_output=True, check=False, env=env
        )

    def export(self, box: Any, *words: str, status: int = 0, **options: Any) -> dict[str, Any]:
        """The document of an export that ends with ``status``, whose sandbox is untouched by it."""
        state = [box.git("status", "--porcelain", "--", ":!.sync", ":!out"), box.git("rev-parse", "HEAD")]
        index = (box.folder / ".git/index").read_bytes()
        to = [] if "--to" in words else ["--to", str(box.folder.parent / f"out-{box.folder.name}")]
        done = self.run(box, *to, *words, **options)
        assert done.returncode == status, done.stderr.decode()
        assert state == [box.git("status", "--porcelain", "--", ":!.sync", ":!out"), box.git("rev-parse", "HEAD")]
        assert index == (box.folder / ".git/index").read_bytes()
        found: dict[str, Any] = json.loads(done.stdout)
        return found


@pytest.fixture(params=EXPORTERS)
def exporter(request: pytest.FixtureRequest, tmp_path: Path) -> Exporter:
    return Exporter(request.param, tmp_path / "tool")


@pytest.fixture(params=["py", "sh"])
def portable(request: pytest.FixtureRequest, tmp_path: Path) -> Exporter:
    return Exporter(request.param, tmp_path / "tool")


def lying_there(box: Any) -> dict[bytes, tuple[str, bytes]]:
    """What the checkout holds, tracked or not, as modes and bytes."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "-c", "-o", "--exclude-standard", "--deduplicate"],
        cwd=box.folder, capture_output=True, check=True,
    ).stdout  # fmt: skip
    found = {}
    for name in filter(None, listed.split(b"\0")):
        path = os.path.join(os.fsencode(box.folder), name)  # noqa: PTH118 - bytes
        if name.startswith(b".sync/") or not os.path.lexists(path):
            continue
        if os.path.islink(path):  # noqa: PTH114
            found[name] = ("120000", os.readlink(path))  # noqa: PTH115
        else:
            mode = "100755" if os.access(path, os.X_OK) else "100644"
            found[name] = (mode, Path(os.fsdecode(path)).read_bytes())
    return found


def landed(bench: Any, revision: str) -> dict[bytes, tuple[str, bytes]]:
    rows = subprocess.run(["git", "ls-tree", "-r", "-z", revision], cwd=bench.folder, capture_output=True, check=True)
    found = {}
    for row in filter(None, rows.stdout.split(b"\0")):
        facts, _, name = row.partition(b"\t")
        mode, _, oid = facts.decode().split(" ")
        data = subprocess.run(["git", "cat-file", "blob", oid], cwd=bench.folder, capture_output=True, check=True)
        found[name] = (mode, data.stdout)
    return found


def accept(bench: Any, history: History, helpers: Any, said: dict[str, Any]) -> Change:
    """Import what was said; it is let in, and is what the exporter said it is."""
    change: Change = helpers.take_in(bench, history, Path(said["path"]))
    assert change.state is ChangeState.READY, change.reason
    assert (change.method, change.head, change.tree) == ("bundle", said["head"], said["tree"])
    assert (change.id, change.revision, change.agent) == (said["change_id"], said["revision"], "a1")
    return change


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


HOSTILE = {
    "colours and diff": "[color]\n ui = always\n[diff]\n noprefix = true\n external = false\n mnemonicPrefix = true\n renames = copies\n ignoreSubmodules = all\n",
    "line ends": "[core]\n autocrlf = true\n safecrlf = true\n quotePath = false\n",
    "hooks, keys, words": "[core]\n autocrlf = input\n hooksPath = /nowhere\n attributesFile = /nowhere\n[commit]\n gpgSign = true\n[status]\n showUntrackedFiles = no\n relativePaths = false\n[log]\n showSignature = true\n decorate = full\n[i18n]\n commitEncoding = latin1\n[bundle]\n version = 3\n[format]\n pretty = oneline\n",
}


@pytest.mark.parametrize("settings", HOSTILE.values(), ids=HOSTILE)
def test_hostile_user_configuration(
    settings: str, exporter: Exporter, bench: Any, history: History, helpers: Any, sandbox: Any, own_home: Path
) -> None:
    bench.commit("crlf", c_dot_txt="a\r\nb\r\n")
    box = sandbox()
    with (own_home / ".gitconfig").open("a") as config:
        config.write(settings)
    box.write("sub/new.txt", b"x\r\ny\r\n")
    box.write("c.txt", b"a\r\nb\r\nc\r\n")
    said = exporter.export(box, cwd=box.folder / "sub")
    change = accept(bench, history, helpers, said)
    found = landed(bench, change.ref)
    assert found[b"sub/new.txt"][1] == b"x\r\ny\r\n"
    assert found[b"c.txt"][1] == b"a\r\nb\r\nc\r\n"
    patch = next(one["name"] for one in said["payloads"] if one["kind"] == "patch")
    text = (Path(said["path"]).parent / patch).read_bytes()
    assert b"\x1b" not in text
    assert b"diff --git a/c.txt b/c.txt" in text


def test_no_identity_no_home_ascii_locale(
    exporter: Exporter, bench: Any, history: History, helpers: Any, sandbox: Any, own_home: Path
) -> None:
    box = sandbox()
    (own_home / ".gitconfig").unlink()
    box.write("été.txt", "x\n")
    env = {key: value for key, value in os.environ.items() if key not in ("HOME", "LANG", "XDG_CONFIG_HOME")}
    said = exporter.export(box, "--note", "-", env={**env, "LC_ALL": "C"}, stdin="Fait: l'été\nReste: \x1b[1mrien\n")
    change = accept(bench, history, helpers, said)
    assert change.files == ("été.txt",)
    assert bench.git("log", "-1", "--format=%an %ae", change.ref) == "a1 agent@localhost"
    assert change.note == "Fait: l'été\nReste:  [1mrien"


def test_shallow_clone(exporter: Exporter, bench: Any, history: History, helpers: Any, sandbox: Any) -> None:
    for number in range(3):
        bench.commit(f"n{number}", a_dot_txt=f"{number}\n")
    box = sandbox("shallow", "--depth", "1")
    box.git("reflog", "expire", "--expire=all", "--all")
    box.commit("feat: on top", b_dot_txt="b\n")
    box.write("c.txt", "c\n")
    said = exporter.export(box)
    assert said["base"] == bench.git("rev-parse", "HEAD")
    assert landed(bench, accept(bench, history, helpers, said).ref) == lying_there(box)


def test_a_linked_work_tree_in_a_folder_with_a_space(
    exporter: Exporter, bench: Any, history: History, helpers: Any, sandbox: Any, tmp_path: Path
) -> None:
    box = sandbox()
    folder = tmp_path / "linked é tree"
    box.git("worktree", "add", "-q", "-b", "side", str(folder))
    (folder / "new file.txt").write_text("n\n")
    done = exporter.run(box, "-C", str(folder), "--to", "../out here")
    assert done.returncode == 0, done.stderr.decode()
    said = json.loads(done.stdout)
    assert Path(said["path"]).resolve().parent == tmp_path / "out here"
    assert accept(bench, history, helpers, said).files == ("new file.txt",)


def test_read_only_git_and_a_foreign_owner(
    exporter: Exporter, bench: Any, history: History, helpers: Any, sandbox: Any
) -> None:
    """Root may write anywhere: what is asserted is that nothing in ``.git`` changes but Écluse's own folder."""
    box = sandbox()
    box.write("c.txt", "c\n")
    every = [p for p in (box.folder / ".git").rglob("*") if p.is_file()]
    before = {path: path.read_bytes() for path in every}
    if os.geteuid() == 0:
        for path in [box.folder, *box.folder.rglob("*")]:
            os.lchown(path, 12345, 12345)
    else:
        for path in [box.folder / ".git", *(box.folder / ".git").rglob("*")]:
            path.chmod(path.stat().st_mode & ~0o222)
    to = str(box.folder.parent / "out")
    done = exporter.run(box, "--to", to)
    again = exporter.run(box, "--to", to)
    for path in [box.folder / ".git", *(box.folder / ".git").rglob("*")]:
        path.chmod(path.stat().st_mode | 0o200)
    assert done.returncode == again.returncode == 0, done.stderr.decode()
    assert {path: path.read_bytes() for path in every} == before
    one, two = json.loads(done.stdout), json.loads(again.stdout)
    assert (two["change_id"], two["revision"]) == (one["change_id"], 2)
    accept(bench, history, helpers, one)


def test_a_submodule_pointer(
    exporter: Exporter, bench: Any, history: History, helpers: Any, sandbox: Any, tmp_path: Path
) -> None:
    inner = type(bench)(tmp_path / "inner")
    oid = inner.commit("inner", i_dot_txt="i\n")
    words = ("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(inner.folder), "sub")
    bench.git(*words)
    bench.commit("with a submodule")
    box = sandbox()
    box.git("-c", "protocol.file.allow=always", "submodule", "--quiet", "update", "--init")
    moved = type(bench)(box.folder / "sub")
    moved.git("-c", "user.name=x", "-c", "user.email=x@example.invalid", "commit", "-q", "--allow-empty", "-m", "next")
    said = exporter.export(box, status=3)
    assert [(one["path"], one["reason"]) for one in said["not_carried"]] == [("sub", "submodule")]
    assert moved.git("rev-parse", "HEAD") != oid
    (file,) = said["files"]
    assert (file["path"], file["mode"], file["blob"]) == ("sub", "160000", moved.git("rev-parse", "HEAD"))
    change = helpers.take_in(bench, history, Path(said["path"]))
    assert (change.head, change.tree) == (said["head"], said["tree"])


def secret(dice: random.Random) -> str:
    return "gh" + "p_" + "".join(dice.choice(string.ascii_letters + string.digits) for _ in range(36))


def test_untracked_secrets_stay_here(
    exporter: Exporter, bench: Any, history: History, helpers: Any, sandbox: Any, dice: random.Random
) -> None:
    box = sandbox()
    box.write(".env", "A=1\n")
    box.write(".env.example", "A=\n")
    box.write("secrets/db.txt", "x\n")
    box.write("tökens.py", f"x = 1\nT = '{secret(dice)}'\n")
    box.write("fine.txt", "fine\n")
    box.write("big.bin", b"\0" * (21 << 20))
    said = exporter.export(box, status=3)
    left = {one["path"]: one["reason"] for one in said["not_carried"]}
    assert left == {
        ".env": "sensitive",
        "secrets/db.txt": "sensitive",
        "tökens.py": "sensitive",
        "big.bin": "too large",
    }
    change = accept(bench, history, helpers, said)
    assert sorted(change.files) == [".env.example", "fine.txt"]
    assert exporter.export(box, "--accept-omissions")["revision"] == 2


@pytest.mark.parametrize("place", ["committed", "in history", "staged", "message", "env file", "key"])
def test_committed_secrets_stop_the_export(
    place: str, exporter: Exporter, bench: Any, sandbox: Any, dice: random.Random
) -> None:
    box, value = sandbox(), secret(dice)
    if place == "env file":
        box.commit("settings", _dot_env="A=1\n")
    elif place == "message":
        box.commit(f"use {value}", b_dot_txt="b\n")
    elif place == "key":
        body = "".join(dice.choice(string.ascii_letters) for _ in range(64))
        value = body
        box.commit("key", k_dot_txt=f"-----BEGIN OPENSSH {'PRIVATE'} KEY-----\n{body}\n")
    else:
        box.write("a.txt", f"one\ntoken: {value}\n")
        box.git("add", "a.txt")
        if place != "staged":
            box.commit("leak")
        if place == "in history":
            box.commit("take it out", a_dot_txt="one\n")
    to = box.folder.parent / "out"
    done = exporter.run(box, "--to", str(to))
    assert done.returncode == 4, done.stderr.decode()
    assert json.loads(done.stdout)["error"]["code"] == "secret.found"
    assert value.encode() not in done.stdout + done.stderr
    assert not to.exists() or not list(to.iterdir())
    for log in (box.folder / ".sync").rglob("*.log"):
        assert value not in log.read_text()


def test_a_token_that_was_there_before_is_not_the_change_s_doing(
    exporter: Exporter, bench: Any, sandbox: Any, dice: random.Random
) -> None:
    value = secret(dice)
    bench.commit("old sin", a_dot_txt=f"one\nt = {value}\nthree\n")
    box = sandbox()
    box.write("a.txt", f"one\nt  =  {value}\nthree\n")
    assert exporter.export(box)["files"][0]["path"] == "a.txt"


def test_what_the_shell_exporter_does_not_know_the_import_refuses(
    bench: Any, history: History, helpers: Any, sandbox: Any, dice: random.Random, tmp_path: Path
) -> None:
    box = sandbox()
    value = "".join(dice.choice(string.ascii_letters + string.digits) for _ in range(40)) + "7q"
    box.commit("assign", a_dot_txt=f"api_token = '{value}'\n")
    said = Exporter("sh", tmp_path / "tool").export(box)
    rows = json.loads(Path(said["path"]).read_bytes())["validations"]
    assert "judged at import" in next(one["detail"] for one in rows if one["name"] == "secrets")
    assert helpers.take_in(bench, history, Path(said["path"])).verdict is Verdict.REJECT


def test_red_empty_and_wrong_words(exporter: Exporter, bench: Any, sandbox: Any) -> None:
    box = sandbox()
    nothing = exporter.run(box)
    assert (nothing.returncode, json.loads(nothing.stdout)["error"]["code"]) == (2, "export.empty")
    assert exporter.run(box, "--base", "nowhere").returncode == 2
    assert exporter.run(box, "--validate", "everything").returncode == 2
    box.write("bad.py", "def (:\n")
    red = exporter.run(box)
    assert (red.returncode, json.loads(red.stdout)["error"]["code"]) == (5, "export.red")
    assert "bad.py" in json.loads(red.stdout)["error"]["message"]
    said = exporter.export(box, "--allow-red")
    rows = json.loads(Path(said["path"]).read_bytes())["validations"]
    assert next(one for one in rows if one["name"] == "python-syntax")["result"] == "failure"
    assert exporter.export(box, "--validate", "none")["files"][0]["path"] == "bad.py"


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


# -- what only the portable ones do --------------------------------------------------------------------------------


def test_every_export_leaves_a_log(portable: Exporter, sandbox: Any) -> None:
    box = sandbox()
    assert portable.run(box).returncode == 2
    box.write("c.txt", "c\n")
    said = json.loads(portable.run(box).stdout)
    assert Path(said["path"]).parent == box.folder / ".sync/patches"
    rows = [json.loads(path.read_bytes()) for path in (box.folder / ".sync/logs").glob("export_*.log")]
    by_status = {row["status"]: row for row in rows}
    assert by_status["failed"]["code"] == "export.empty"
    good = by_status["success"]
    assert (good["change_id"], good["revision"], good["files"], good["agent"]) == (said["change_id"], 1, 1, "a1")
    assert good["patch"] == json.loads(Path(said["path"]).read_bytes())["patch"]["filename"]


def test_dead_at_any_moment(
    portable: Exporter, bench: Any, history: History, helpers: Any, sandbox: Any, dice: random.Random
) -> None:
    box = sandbox()
    box.commit("work", b_dot_txt="b\n")
    to = box.folder.parent / "out"
    began = time.monotonic()
    portable.export(box, "--to", str(to))
    whole = time.monotonic() - began
    for _ in range(6):
        argv = [*portable.words, "--agent", "a1", "--to", str(to)]
        child = subprocess.Popen(
            argv, cwd=box.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )
        time.sleep(whole * dice.random())
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()
    portable.export(box, "--to", str(to))
    manifests = sorted(to.glob("sync_cloud_*.json"))
    assert len(manifests) >= 2
    keys = set()
    for path in manifests:
        said = json.loads(path.read_bytes())
        for payload in said["payloads"]:
            assert (to / payload["name"]).stat().st_size == payload["size"]
        keys.add((said["change"]["id"], said["change"]["revision"]))
    assert len(keys) == len(manifests), "a revision never comes twice"
    assert helpers.take_in(bench, history, manifests[-1]).state is ChangeState.READY
    assert Repository.discover(box.folder).status() == []


@pytest.mark.parametrize("shell", ["sh", "dash", "bash --posix", "busybox sh"])
def test_the_shell_exporter_needs_git_and_posix_alone(
    shell: str, bench: Any, history: History, helpers: Any, sandbox: Any, tmp_path: Path
) -> None:
    words = shell.split()
    found = shutil.which(words[0])
    if found is None:
        pytest.skip(f"there is no {words[0]} here")
    place = tmp_path / "bin"
    place.mkdir()
    for name in ("git", *POSIX):
        tool = shutil.which(name)
        assert tool
        (place / name).symlink_to(tool)
    box = sandbox()
    commits_and_dirty(box, bench)
    box.write("été.py", "x = 1\n")
    tool = Exporter("sh", tmp_path / "tool")
    tool.words = [found, *words[1:], tool.words[-1]]
    said = tool.export(box, env={"PATH": str(place), "HOME": os.environ["HOME"]})
    assert landed(bench, accept(bench, history, helpers, said).ref) == lying_there(box)
    rows = json.loads(Path(said["path"]).read_bytes())["validations"]
    assert "no python3" in rows[0]["detail"]


def pythons() -> list[str]:
    """Every Python from 3.8 on that pyenv keeps here."""
    root = Path(os.environ.get("PYENV_ROOT", str(Path("~/.pyenv").expanduser())))
    try:
        found = [path for path in root.glob("versions/3.*/bin/python") if int(path.parents[1].name.split(".")[1]) >= 8]
    except OSError:  # somebody else's folder
        return []
    return sorted(map(str, found))


@pytest.mark.parametrize("python", pythons(), ids=lambda path: Path(path).parents[1].name)
def test_the_one_file_under_every_python(
    python: str, bench: Any, history: History, helpers: Any, sandbox: Any, tmp_path: Path
) -> None:
    box = sandbox()
    commits_and_dirty(box, bench)
    names_and_links(box, bench)
    box.write("ok.py", "x = 1\n")
    tool = Exporter("py", tmp_path / "tool", python)
    tool.words.insert(1, "-I")
    said = tool.export(box, env={**os.environ, "LC_ALL": "C"})
    assert landed(bench, accept(bench, history, helpers, said).ref) == lying_there(box)
    tar = tool.export(box, "--to", str(tmp_path / "change.tar"))
    assert helpers.take_in(bench, history, Path(tar["path"])).revision == 2


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
