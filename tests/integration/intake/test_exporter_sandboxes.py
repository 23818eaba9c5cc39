"""The three exporters in sandboxes that are odd: the user's settings, locale, rights, shallow clones, work trees, submodules."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from ecluse.history import History

from .exporters import Exporter, accept, landed, lying_there

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


def test_a_work_tree_of_the_repository_itself_counts_from_its_trunk(
    exporter: Exporter, bench: Any, history: History, helpers: Any, tmp_path: Path
) -> None:
    bench.git("config", "ecluse.trunk", "main")
    landed_before = bench.commit("landed before", b_dot_txt="b\n")
    folder = tmp_path / "side"
    bench.git("worktree", "add", "-q", "-b", "side", str(folder))
    (folder / "c.txt").write_text("c\n")
    done = exporter.run(bench, "-C", str(folder), "--to", str(tmp_path / "out"))
    assert done.returncode == 0, done.stderr.decode()
    said = json.loads(done.stdout)
    assert (said["base"], [one["path"] for one in said["files"]]) == (landed_before, ["c.txt"])
    assert json.loads(Path(said["path"]).read_bytes())["target"] == "main"
    assert accept(bench, history, helpers, said).files == ("c.txt",)
