"""Export in a sandbox, import in the repository: the situations in which work used to be lost."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from ecluse import intake
from ecluse.history import History
from ecluse.model import Agent, Change, ChangeState, Verdict


def round_trip(bench: Any, history: History, helpers: Any, box: Any, **options: Any) -> tuple[intake.Exported, Change]:
    before = (box.git("status", "--porcelain"), box.git("rev-parse", "HEAD"), (box.folder / ".git/index").read_bytes())
    done = helpers.export(box, **{"to": box.folder.parent / f"out-{box.folder.name}", **options})
    after = (box.git("status", "--porcelain"), box.git("rev-parse", "HEAD"), (box.folder / ".git/index").read_bytes())
    assert after == before, "the export touched the sandbox"
    change = helpers.take_in(bench, history, done.path)
    assert change.state is ChangeState.READY, change.reason
    assert (change.head, change.tree, change.method) == (done.head, done.tree, "bundle")
    assert bench.git("rev-parse", change.ref) == done.head
    assert sorted(change.files) == sorted(one.get("path") for one in done.files) or any(
        "path_b64" in f for f in done.files
    )
    return done, change


def test_untracked_only(bench: Any, history: History, helpers: Any, sandbox: Any) -> None:
    box = sandbox()
    box.write("deep/er/new.txt", "new\n")
    done, change = round_trip(bench, history, helpers, box)
    assert change.files == ("deep/er/new.txt",)
    assert [one["origin"] for one in done.files] == ["untracked"]
    assert bench.git("show", f"{change.ref}:deep/er/new.txt") == "new"


def test_commits_without_upstream_keep_ids_authors_and_messages(
    bench: Any, history: History, helpers: Any, sandbox: Any
) -> None:
    box = sandbox()
    ids = [
        box.commit(f"feat: step {n}\n\n---\nbody [with] odds\nFrom: not an author\n", **{f"f{n}_dot_txt": f"{n}\n"})
        for n in range(12)
    ]
    done, change = round_trip(bench, history, helpers, box)
    assert done.head == ids[-1]
    assert list(change.commits) == ids
    assert list(change.commits.values()) == ids
    assert bench.git("log", "-1", "--format=%B", ids[3]) == box.git("log", "-1", "--format=%B", ids[3])


def test_commits_and_dirty_work_together(bench: Any, history: History, helpers: Any, sandbox: Any) -> None:
    box = sandbox()
    first = box.commit("feat: one", b_dot_txt="b\n")
    box.write("a.txt", "one\ntwo\nstaged\n")
    box.git("add", "a.txt")
    box.write("b.txt", "unstaged\n")
    box.write("c.txt", "untracked\n")
    done, change = round_trip(bench, history, helpers, box)
    assert next(iter(change.commits)) == first
    assert len(change.commits) == 2
    assert {f["path"]: f["origin"] for f in done.files} == {
        "a.txt": "staged",
        "b.txt": "unstaged",
        "c.txt": "untracked",
    }
    assert bench.git("show", f"{change.ref}:b.txt") == "unstaged"
    assert "Ecluse-Uncommitted: yes" in bench.git("log", "-1", "--format=%B", change.ref)


def test_the_same_work_gives_the_same_tip(helpers: Any, sandbox: Any, tmp_path: Path) -> None:
    box = sandbox()
    box.write("c.txt", "untracked\n")
    one, two = helpers.export(box, to=tmp_path / "o"), helpers.export(box, to=tmp_path / "o")
    assert one.head == two.head
    assert (one.change_id, one.revision + 1) == (two.change_id, two.revision)


def test_deleted_files_and_a_file_that_became_a_folder(
    bench: Any, history: History, helpers: Any, sandbox: Any
) -> None:
    bench.commit("more", x_dot_txt="x\n", d__y="y\n")
    box = sandbox()
    (box.folder / "a.txt").unlink()
    box.git("rm", "-q", "x.txt")
    (box.folder / "d/y").unlink()
    (box.folder / "d").rmdir()
    box.write("d", "a file now\n")
    box.write("x.txt/inner", "a folder now\n")
    _, change = round_trip(bench, history, helpers, box)
    assert set(helpers.tree_of(bench, change.ref)) == {"d", "x.txt/inner"}


def test_second_export_does_not_carry_the_first(bench: Any, history: History, helpers: Any, sandbox: Any) -> None:
    box = sandbox()
    box.write("new.txt", "1\n")
    first = helpers.export(box)
    assert first.path.parent == box.folder / ".sync" / "patches"
    box.write("new.txt", "2\n")
    second = helpers.export(box, to=box.folder / "out.tar")
    third = helpers.export(box)
    assert [f["path"] for f in third.files] == ["new.txt"]
    assert {one["reason"] for one in third.not_carried} == {"own"}
    assert third.omissions == ()
    assert [first.revision, second.revision, third.revision] == [1, 2, 3]
    assert len({first.change_id, second.change_id, third.change_id}) == 1
    assert helpers.take_in(bench, history, third.path).files == ("new.txt",)


def test_sync_dir_names_another_folder(
    bench: Any, history: History, helpers: Any, sandbox: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SYNC_DIR", "carry")
    box = sandbox()
    box.write("new.txt", "1\n")
    done = helpers.export(box)
    assert done.path.parent == box.folder / "carry" / "patches"
    assert [one["path"] for one in helpers.export(box).files] == ["new.txt"]
    (bench.folder / "carry").mkdir()
    done.path.parent.rename(bench.folder / "carry" / "patches")
    assert helpers.take_in(bench, history, Path(done.path.name)).files == ("new.txt",)


def test_two_exports_in_one_second(helpers: Any, sandbox: Any, tmp_path: Path) -> None:
    box = sandbox()
    box.write("new.txt", "1\n")
    made = [helpers.export(box, to=tmp_path / "o").path for _ in range(4)]
    assert len(set(made)) == 4
    for path in made:
        assert {one["name"] for one in json.loads(path.read_bytes())["payloads"]} <= {
            p.name for p in path.parent.iterdir()
        }
    assert not list((tmp_path / "o").glob(".export-*"))


def test_merge_commit_with_a_resolution(bench: Any, history: History, helpers: Any, sandbox: Any) -> None:
    box = sandbox()
    box.git("checkout", "-q", "-b", "side")
    box.commit("side", a_dot_txt="one\nSIDE\nthree\n")
    box.git("checkout", "-q", "main")
    box.commit("main", a_dot_txt="one\nMAIN\nthree\n")
    subprocess.run(["git", "merge", "-q", "side"], cwd=box.folder, capture_output=True, check=False)
    box.write("a.txt", "one\nBOTH\nthree\n")
    box.git("commit", "-qam", "merge side")
    _, change = round_trip(bench, history, helpers, box)
    assert len(change.commits) == 3
    assert bench.git("show", f"{change.ref}:a.txt") == "one\nBOTH\nthree"
    assert len(bench.git("log", "-1", "--format=%P", change.ref).split()) == 2


def test_bytes_are_bytes(bench: Any, history: History, helpers: Any, sandbox: Any) -> None:
    box = sandbox()
    contents = {
        "latin.txt": b"caf\xe9\n",
        "crlf.txt": b"a\r\nb\r\n",
        "mixed.txt": b"a\r\nb\nc",
        "b.bin": bytes(range(256)),
        "empty": b"",
    }
    for name, data in contents.items():
        box.write(name, data)
    (box.folder / "run.sh").write_bytes(b"#!/bin/sh\n")
    (box.folder / "run.sh").chmod(0o755)
    _, change = round_trip(bench, history, helpers, box)
    for name, data in contents.items():
        got = subprocess.run(["git", "show", f"{change.ref}:{name}"], cwd=bench.folder, capture_output=True, check=True)
        assert got.stdout == data, name
    assert helpers.tree_of(bench, change.ref)["run.sh"].startswith("100755")


def test_links_and_names(bench: Any, history: History, helpers: Any, sandbox: Any) -> None:
    box = sandbox()
    (box.folder / "link").symlink_to("a.txt")
    box.write("été/日本語.txt", "x\n")
    box.write("with space", "x\n")
    Path(os.fsdecode(os.fsencode(box.folder) + b"/latin-\xe9.txt")).write_bytes(b"x\n")
    done = helpers.export(box, to=box.folder.parent / "o")
    change = helpers.take_in(bench, history, done.path)
    assert change.state is ChangeState.READY, change.reason
    assert change.verdict is Verdict.WARN
    assert {one.code for one in change.findings} == {"path.encoding"}
    assert len(change.files) == 4
    assert next(f for f in done.files if "path_b64" in f)["path_b64"] == "bGF0aW4t6S50eHQ="
    raw = subprocess.run(
        ["git", "ls-tree", "-r", "-z", "--name-only", change.ref], cwd=bench.folder, capture_output=True, check=True
    )
    assert b"latin-\xe9.txt" in raw.stdout.split(b"\0")


@pytest.mark.parametrize(
    "settings",
    [
        "[color]\n ui = always\n[diff]\n noprefix = true\n external = false\n mnemonicPrefix = true\n",
        "[core]\n autocrlf = true\n safecrlf = true\n quotePath = true\n",
        "[core]\n autocrlf = input\n[commit]\n gpgSign = true\n[gpg]\n program = false\n",
        "[core]\n hooksPath = /nowhere\n fsmonitor = false\n attributesFile = /nowhere\n[status]\n showUntrackedFiles = no\n relativePaths = false\n",
        "[bundle]\n version = 3\n[format]\n pretty = oneline\n[log]\n showSignature = true\n decorate = full\n[i18n]\n commitEncoding = latin1\n",
        "[diff]\n renames = copies\n submodule = log\n ignoreSubmodules = all\n[core]\n pager = false\n editor = false\n",
    ],
)
def test_hostile_user_configuration(
    settings: str, bench: Any, history: History, helpers: Any, sandbox: Any, own_home: Path
) -> None:
    bench.commit("crlf", c_dot_txt="a\r\nb\r\n")
    box = sandbox()
    with (own_home / ".gitconfig").open("a") as config:
        config.write(settings)
    box.write("c.txt", b"a\r\nb\r\nc\r\n")
    box.write("a.txt", b"one\nTWO\nthree\n")
    box.write("new.txt", b"x\r\ny\r\n")
    done = helpers.export(box, to=box.folder.parent / "o")
    change = helpers.take_in(bench, history, done.path)
    assert change.state is ChangeState.READY, change.reason
    assert sorted(change.files) == ["a.txt", "c.txt", "new.txt"]
    for name, data in (("c.txt", b"a\r\nb\r\nc\r\n"), ("new.txt", b"x\r\ny\r\n"), ("a.txt", b"one\nTWO\nthree\n")):
        got = subprocess.run(["git", "show", f"{change.ref}:{name}"], cwd=bench.folder, capture_output=True, check=True)
        assert got.stdout == data, name
    patch = next(one["name"] for one in done.payloads if one["kind"] == "patch")
    text = (done.path.parent / patch).read_bytes()
    assert b"\x1b" not in text
    assert b"diff --git a/a.txt b/a.txt" in text


def test_no_identity_detached_head_and_no_home(
    bench: Any, history: History, helpers: Any, sandbox: Any, own_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    box = sandbox()
    box.git("checkout", "-q", "--detach")
    (own_home / ".gitconfig").unlink()
    monkeypatch.setenv("LC_ALL", "C")
    monkeypatch.delenv("HOME")
    box.write("été.txt", "x\n")
    done, change = round_trip(bench, history, helpers, box)
    assert done.based == "clone"
    assert change.files == ("été.txt",)


def test_shallow_clone(bench: Any, history: History, helpers: Any, sandbox: Any) -> None:
    for n in range(5):
        bench.commit(f"n{n}", a_dot_txt=f"{n}\n")
    box = sandbox("shallow", "--depth", "1")
    assert box.git("rev-list", "--count", "HEAD") == "1"
    box.commit("feat: on top", b_dot_txt="b\n")
    box.write("c.txt", "c\n")
    done, change = round_trip(bench, history, helpers, box)
    assert done.base == bench.git("rev-parse", "HEAD")
    assert sorted(change.files) == ["b.txt", "c.txt"]


def test_shallow_clone_that_lost_its_reflog(helpers: Any, bench: Any, sandbox: Any) -> None:
    for n in range(3):
        bench.commit(f"n{n}", a_dot_txt=f"{n}\n")
    box = sandbox("shallow", "--depth", "1")
    box.git("reflog", "expire", "--expire=all", "--all")
    box.write("c.txt", "c\n")
    done = helpers.export(box, to=box.folder.parent / "o")
    assert (done.based, done.base) == ("shallow", bench.git("rev-parse", "HEAD"))


def test_read_only_git_folder(bench: Any, history: History, sandbox: Any, tmp_path: Path) -> None:
    """Root may write anywhere, so what is asserted is that nothing in .git changes but our own state folder."""
    box = sandbox()
    box.write("c.txt", "c\n")

    def listing() -> dict[str, bytes]:
        every = (p for p in (box.folder / ".git").rglob("*") if p.is_file() and "ecluse" not in p.parts)
        return {str(p): p.read_bytes() for p in every}

    before = listing()
    if os.geteuid() != 0:
        for path in [box.folder / ".git", *(box.folder / ".git").rglob("*")]:
            path.chmod(path.stat().st_mode & ~0o222)
    done = intake.export(box.repository, intake.ExportRequest(Agent("a"), to=tmp_path / "o"))
    again = intake.export(box.repository, intake.ExportRequest(Agent("a"), to=tmp_path / "o"))
    assert listing() == before
    assert (again.change_id, again.revision) == (done.change_id, done.revision + 1)
    for path in (box.folder / ".git").rglob("*"):
        path.chmod(path.stat().st_mode | 0o200)


def test_lineage_without_state_asks_the_earlier_exports(helpers: Any, sandbox: Any, tmp_path: Path) -> None:
    box = sandbox()
    box.write("c.txt", "c\n")
    one = helpers.export(box, to=tmp_path / "o")
    (box.folder / ".git/ecluse/exports.json").unlink()
    two = helpers.export(box, to=tmp_path / "o")
    assert (two.change_id, two.revision) == (one.change_id, 2)


def test_a_landed_change_is_followed_by_a_new_one(bench: Any, helpers: Any, sandbox: Any, tmp_path: Path) -> None:
    box = sandbox()
    head = box.commit("one", b_dot_txt="b\n")
    one = helpers.export(box, to=tmp_path / "o")
    box.commit("two", c_dot_txt="c\n")
    two = helpers.export(box, to=tmp_path / "o", base=head)
    assert one.change_id != two.change_id
    assert (two.base, two.revision) == (head, 1)


def test_head_rewound_behind_the_base(bench: Any, history: History, helpers: Any, sandbox: Any) -> None:
    first = bench.git("rev-parse", "HEAD")
    bench.commit("second", b_dot_txt="b\n")
    box = sandbox()
    box.git("reset", "-q", "--hard", first)
    box.commit("other way", c_dot_txt="c\n")
    done, change = round_trip(bench, history, helpers, box)
    assert done.base == first
    assert change.files == ("c.txt",)


def test_what_the_base_left_behind_is_not_held_against_a_rewound_head(
    bench: Any, helpers: Any, sandbox: Any, dice: Any
) -> None:
    bench.commit("a key, by mistake", settings_dot_py=f"access_key = {helpers.fake_secret(dice)!r}\n")
    first = bench.git("rev-parse", "HEAD")
    bench.commit("and away again", settings_dot_py="access_key = None\n")
    box = sandbox()
    box.git("reset", "-q", "--hard", first)
    box.commit("other way", c_dot_txt="c\n")
    done = helpers.export(box)
    assert (done.base, [one["path"] for one in done.files]) == (first, ["c.txt"])


def test_from_a_subdirectory(bench: Any, history: History, helpers: Any, sandbox: Any, tmp_path: Path) -> None:
    from ecluse.git import Repository

    box = sandbox()
    box.write("sub/in.txt", "in\n")
    box.write("out.txt", "out\n")
    inner = Repository.discover(box.folder / "sub")
    done = intake.export(inner, intake.ExportRequest(Agent("a"), to=tmp_path / "o"))
    (bench.folder / "elsewhere").mkdir()
    there = type("Inner", (), {"repository": Repository.discover(bench.folder / "elsewhere")})
    change = helpers.take_in(there, history, done.path)
    assert sorted(change.files) == ["out.txt", "sub/in.txt"]


def test_the_importers_dirty_checkout_is_not_touched(bench: Any, history: History, helpers: Any, sandbox: Any) -> None:
    box = sandbox()
    box.write("a.txt", "theirs\n")
    bench.write("a.txt", "mine\n")
    bench.write("mine.env", "x\n")
    before = (
        bench.git("status", "--porcelain"),
        (bench.folder / ".git/index").read_bytes(),
        bench.git("rev-parse", "main"),
    )
    round_trip(bench, history, helpers, box)
    assert before == (
        bench.git("status", "--porcelain"),
        (bench.folder / ".git/index").read_bytes(),
        bench.git("rev-parse", "main"),
    )
    assert (bench.folder / "a.txt").read_text() == "mine\n"


def test_instructions_name_files_digests_and_commands(helpers: Any, sandbox: Any, tmp_path: Path) -> None:
    box = sandbox()
    box.write("x.txt", "x")
    done = helpers.export(box, to=tmp_path / "o", note="left: the docs")
    text = next((tmp_path / "o").glob("INSTRUCTIONS_*.txt")).read_text()
    for one in done.payloads:
        assert one["name"] in text
        assert one["sha256"] in text
    assert f"ecluse import {done.path.name}" in text
    assert "left: the docs" in text
    bundle = tmp_path / "o" / done.payloads[0]["name"]
    box.git("bundle", "verify", str(bundle))


def test_submodule_pointer_is_carried_and_its_content_listed(
    bench: Any, history: History, helpers: Any, sandbox: Any, tmp_path: Path
) -> None:
    library = type(bench)(tmp_path / "library")
    library.commit("one", l_dot_txt="1\n")
    box = sandbox()
    box.git("-c", "protocol.file.allow=always", "submodule", "-q", "add", f"file://{library.folder}", "lib")
    text = (
        (box.folder / ".gitmodules").read_text().replace(f"file://{library.folder}", "https://example.invalid/lib.git")
    )
    box.write(".gitmodules", text)
    done = helpers.export(box, to=tmp_path / "o")
    assert ("lib", "160000") in {(f["path"], f["mode"]) for f in done.files}
    assert [(one["path"], one["reason"]) for one in done.omissions] == [("lib", "submodule")]
    change = helpers.take_in(bench, history, done.path)
    assert (change.state, change.verdict) == (ChangeState.QUARANTINED, Verdict.QUARANTINE)
    assert "submodule.changed" in {one.code for one in change.findings}
