"""Changes as other tools and chat agents hand them over: real mails, patches, edits and archives of real git."""

from __future__ import annotations

import hashlib
import io
import json
import random
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pytest

from ecluse import intake
from ecluse.errors import Problem
from ecluse.history import History
from ecluse.model import ChangeState

from .given import piped


@pytest.fixture
def box(sandbox: Any) -> Any:
    """A sandbox with two commits of everything a patch can carry."""
    made = sandbox()
    made.git("config", "user.name", "Zoé Agent")
    made.git("config", "user.email", "zoe@agents.invalid")
    made.write("a.txt", "one\nTWO\nthree\n")
    made.write("crlf.txt", b"x\r\ny\r\n")
    made.write("bin.dat", bytes(range(256)) * 20)
    made.write("no-end.txt", "last line")
    made.git("add", "-A")
    made.git("commit", "-q", "-m", "feat: first half\n\nWith a body.\n\nAnd [more].")
    made.git("mv", "a.txt", "été.txt")
    made.write("bin.dat", bytes(range(256)) * 20 + b"tail")
    made.write("run.sh", "#!/bin/sh\n")
    (made.folder / "run.sh").chmod(0o755)
    (made.folder / "link").symlink_to("run.sh")
    made.git("rm", "-q", "no-end.txt")
    made.git("add", "-A")
    made.git("commit", "-q", "-m", "fix: [x] second half")
    return made


def tree(box: Any) -> str:
    return str(box.git("rev-parse", "HEAD^{tree}"))


PATCH = ("--binary", "--full-index", "main~2", "main")


def test_a_mail_box_keeps_authors_dates_and_messages(
    bench: Any, history: History, helpers: Any, box: Any, tmp_path: Path
) -> None:
    mails = box.folder.parent / "series.mbox"
    raw = subprocess.run(
        ["git", "format-patch", "--stdout", "--binary", "--full-index", "--cover-letter", "main~2"],
        cwd=box.folder, capture_output=True, check=True,
    ).stdout  # fmt: skip
    mails.write_bytes(raw)
    change = helpers.take_in(bench, history, mails)
    assert (change.state, change.method, change.tree) == (ChangeState.READY, "mail", tree(box)), change.findings
    form = "--format=%an|%ae|%at|%ai|%B"
    assert bench.git("log", form, f"main..{change.ref}") == box.git("log", form, "main~2..main")
    assert helpers.take_in(bench, history, mails) == change


def test_a_folder_of_patches_in_order(bench: Any, history: History, helpers: Any, box: Any, tmp_path: Path) -> None:
    box.git("format-patch", "-q", "-o", str(tmp_path / "p"), "--binary", "main~2")
    change = helpers.take_in(bench, history, tmp_path / "p")
    assert (change.state, change.tree, len(change.commits)) == (ChangeState.READY, tree(box), 2)
    next((tmp_path / "p").glob("0001*")).unlink()
    judgement = intake.examine(bench.repository, tmp_path / "p")[0]
    assert judgement.reason == "mail.count_mismatch"


@pytest.mark.parametrize(
    "words", [(), ("-M", "-C"), ("--no-prefix",), ("--src-prefix=i/", "--dst-prefix=w/"), ("-U0",)]
)
def test_git_diffs(
    bench: Any, history: History, helpers: Any, box: Any, tmp_path: Path, words: tuple[str, ...]
) -> None:
    box.git("diff", *words, *PATCH, f"--output={tmp_path / 'x.patch'}")
    change = helpers.take_in(bench, history, tmp_path / "x.patch")
    assert (change.state, change.method, change.tree) == (ChangeState.READY, "patch", tree(box)), change.findings


def test_a_plain_unified_diff_and_one_that_moved(bench: Any, history: History, helpers: Any, tmp_path: Path) -> None:
    text = "--- old/a.txt\t2024-01-01\n+++ new/a.txt\t2024-01-02\n@@ -1,3 +1,3 @@\n one\n-two\n+2\n three\n"
    (tmp_path / "x.diff").write_text("Here you are:\n\n" + text)
    change = helpers.take_in(bench, history, tmp_path / "x.diff")
    assert change.state is ChangeState.READY
    assert bench.git("show", f"{change.ref}:a.txt") == "one\n2\nthree"
    bench.commit("more above", a_dot_txt="zero\none\ntwo\nthree\n")
    judgement = intake.examine(bench.repository, piped(text.encode()))[0]
    assert (judgement.verdict, [one.code for one in judgement.findings]) == ("warn", ["patch.offset"])


def test_a_transport_that_puts_cr_on_every_line(bench: Any, history: History, helpers: Any, tmp_path: Path) -> None:
    text = b"diff --git a/a.txt b/a.txt\n--- a/a.txt\n+++ b/a.txt\n@@ -1,3 +1,3 @@\n one\n-two\n+2\n three\n"
    (tmp_path / "x.patch").write_bytes(text.replace(b"\n", b"\r\n"))
    change = helpers.take_in(bench, history, tmp_path / "x.patch")
    assert bench.git("show", f"{change.ref}:a.txt") == "one\n2\nthree"


@pytest.mark.parametrize("transport", ["every line", "lines without one"])
def test_new_files_and_crlf_files_over_such_a_transport(bench: Any, box: Any, tmp_path: Path, transport: str) -> None:
    """What the index line names is what comes out, whether a CR was put on lines that had one or not."""
    box.write("new-crlf.txt", b"a\r\nb\r\n")
    box.write("new.txt", "a\nb\n")
    box.git("add", "-A")
    box.git("commit", "-q", "-m", "more")
    for words in (("diff", "--binary", "main~3", "main"), ("format-patch", "--stdout", "main~3..main")):
        text = subprocess.run(["git", "-C", str(box.folder), *words], capture_output=True, check=True).stdout
        carried = re.sub(rb"\n" if transport == "every line" else rb"(?<!\r)\n", b"\r\n", text)
        judgement = intake.examine(bench.repository, piped(carried))[0]
        assert (judgement.tree, {one.code for one in judgement.findings} - {"mode.exec_added"}) == (
            tree(box),
            {"patch.crlf"},
        )


def test_a_patch_for_an_older_state_is_merged(bench: Any, history: History, helpers: Any, sandbox: Any, tmp_path: Path) -> None:  # fmt: skip
    box = sandbox()
    box.write("a.txt", "one\ntwo\nTHREE\n")
    box.git("diff", "--full-index", f"--output={tmp_path / 'x.patch'}")
    before = bench.git("rev-parse", "main")
    bench.commit("rewrites the surroundings", a_dot_txt="one\n2\nthree\n")
    change = helpers.take_in(bench, history, tmp_path / "x.patch")
    assert (change.state, change.base) == (ChangeState.CONFLICT, before)
    bench.commit("away", a_dot_txt="other\n")
    lone = b"--- a/a.txt\n+++ b/a.txt\n@@ -1 +1 @@\n-never there\n+x\n"
    assert intake.examine(bench.repository, piped(lone))[0].reason == "base.does_not_apply"


@pytest.mark.parametrize(
    ("edits", "verdict", "reason"),
    [
        ([{"path": "a.txt", "find": "two", "replace": "2"}, {"path": "n/b.txt", "content": "b\n"}], "accept", "ok"),
        ([{"path": "a.txt", "find": "e", "replace": "2"}], "quarantine", "base.does_not_apply"),
        ([{"path": "a.txt", "find": "four", "replace": "2"}], "quarantine", "base.does_not_apply"),
        ([{"path": "a.txt", "content": "1"}, {"path": "a.txt", "content": "2"}], "reject", "patch.duplicate_file"),
        ([{"path": "../a.txt", "content": "1"}], "reject", "path.dotdot"),
        ([{"path": ".git/config", "content": "1"}], "reject", "path.dotgit"),
        ([{"path": "a.txt/b", "content": "1"}], "quarantine", "base.does_not_apply"),
        ([{"path": "a.txt", "content": "1", "mode": "100755"}], "reject", "edits.shape"),
        ([{"path": "a.txt", "content": None}], "reject", "edits.shape"),
        ([{"path": "b.bin", "find": "\x02", "replace": "x"}], "reject", "edits.binary"),
        ([], "reject", "edits.shape"),
    ],
)
def test_edit_lists(bench: Any, edits: Any, verdict: str, reason: str) -> None:
    bench.write("b.bin", b"\x00\x01\x02")
    bench.git("add", "b.bin")
    bench.git("commit", "-q", "-m", "binary")
    judgement = intake.examine(bench.repository, piped(json.dumps(edits).encode()))[0]
    assert (judgement.verdict, judgement.reason) == (verdict, reason)


@pytest.mark.parametrize("suffix", ["zip", "tar", "tar.gz"])
def test_archives_of_an_export(
    bench: Any, history: History, helpers: Any, sandbox: Any, tmp_path: Path, suffix: str
) -> None:
    box = sandbox()
    box.write("b.txt", "b\n")
    done = helpers.export(box, to=tmp_path / "o")
    path = tmp_path / f"all.{suffix}"
    files = sorted(done.path.parent.iterdir())
    if suffix == "zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for one in files:
                archive.write(one, one.name)
    else:
        with tarfile.open(path, "w:gz" if suffix.endswith("gz") else "w") as tar:
            for one in files:
                tar.add(one, one.name)
    change = helpers.take_in(bench, history, path)
    assert (change.state, change.method, change.head) == (ChangeState.READY, "bundle", done.head)
    whole = shutil.make_archive(
        str(tmp_path / "folder"), {"tar.gz": "gztar"}.get(suffix, suffix), done.path.parent.parent, "o"
    )
    assert intake.examine(bench.repository, Path(whole))[0].head == done.head
    with zipfile.ZipFile(tmp_path / "outer.zip", "w") as outer:
        outer.write(path, path.name)
    assert refusal(bench, tmp_path / "outer.zip") == "archive.nested"


def refusal(bench: Any, source: Path) -> str:
    with pytest.raises(Problem) as caught:
        intake.examine(bench.repository, source)
    return caught.value.code


def test_hostile_archives(bench: Any, tmp_path: Path) -> None:
    def made(name: str, *members: tuple[str, bytes], kind: int = 0o100644) -> Path:
        with zipfile.ZipFile(tmp_path / name, "w", zipfile.ZIP_DEFLATED) as archive:
            for member, data in members:
                info = zipfile.ZipInfo(member)
                info.external_attr, info.compress_type = kind << 16, zipfile.ZIP_DEFLATED
                archive.writestr(info, data)
        return tmp_path / name

    assert refusal(bench, made("bomb.zip", ("a.patch", b"\0" * (3 << 20)))) == "limit.expanded"
    assert refusal(bench, made("case.zip", ("a.patch", b"x"), ("A.patch", b"x"))) == "archive.duplicate_name"
    assert refusal(bench, made("link.zip", ("a.patch", b"/etc"), kind=0o120777)) == "symlink.escapes"
    assert refusal(bench, made("fifo.zip", ("a.patch", b""), kind=0o010644)) == "archive.special_file"
    assert refusal(bench, made("win.zip", ("..\\a.patch", b"x"))) == "path.dotdot"
    plain = made("ok.zip", ("a.patch", b"x")).read_bytes()
    (tmp_path / "more.zip").write_bytes(plain + b"more")
    assert refusal(bench, tmp_path / "more.zip") == "bundle.corrupt"
    assert refusal(bench, made("two.zip", ("a/a.patch", b"x"), ("b/b.patch", b"x"))) == "path.payload"
    assert refusal(bench, made("dir.zip", ("a/", b""), ("b.patch", b"x"), kind=0o040755)) == "archive.special_file"
    (tmp_path / "tail.zip").write_bytes(plain[:-30])
    assert refusal(bench, tmp_path / "tail.zip") == "bundle.corrupt"
    header = tarfile.TarInfo("a.patch")
    header.type, header.size = tarfile.XHDTYPE, 200 << 20
    (tmp_path / "pax.tar").write_bytes(header.tobuf(tarfile.USTAR_FORMAT) + b"\0" * 1024)
    assert refusal(bench, tmp_path / "pax.tar") == "limit.expanded"
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        info = tarfile.TarInfo("a.patch")
        info.size = 4 << 20
        tar.addfile(info, io.BytesIO(b"\0" * info.size))
    (tmp_path / "bomb.tgz").write_bytes(packed.getvalue())
    assert refusal(bench, tmp_path / "bomb.tgz") == "limit.expanded"
    (tmp_path / "more.tgz").write_bytes(packed.getvalue() + b"more")
    assert refusal(bench, tmp_path / "more.tgz") in ("limit.expanded", "bundle.corrupt")


def test_random_edits_round_trip_through_git_diff(bench: Any, dice: random.Random, tmp_path: Path) -> None:
    """Whatever git writes as a patch becomes exactly the tree that it was made from, or is refused by a rule."""
    base = [f"line {n}" for n in range(60)]
    bench.commit("long", long_dot_txt="\n".join(base) + "\n")
    for number in range(12):
        lines = list(base)
        for _ in range(dice.randrange(1, 8)):
            at = dice.randrange(len(lines))
            lines[at : at + dice.randrange(3)] = [f"new {dice.random()}" for _ in range(dice.randrange(3))]
        end = dice.choice(["\n", "", "\r\n"])
        name = dice.choice(["long.txt", "ü ü.txt", "sp ace.txt", 'a"b.txt', "-x", "deep/er/f"])
        bench.write(name, ("\n".join(lines) + end).encode())
        bench.git("add", "-A")
        want = bench.git("write-tree")
        bench.git("diff", "--cached", "--binary", f"-U{dice.randrange(1, 4)}", f"--output={tmp_path / 'x.patch'}")
        bench.git("reset", "-q", "--hard")
        bench.git("clean", "-qfd")
        judgement = intake.examine(bench.repository, tmp_path / "x.patch")[0]
        assert judgement.tree == want, (number, name, judgement.findings)


@pytest.mark.parametrize("path", ["../x", "a/../../x", "/x", ".git/x", "a/.GIT/x", "git~1/x", "a//x", "a/./x", "x.", "a:b",
                                  "con", "a\\b", "n" * 256, "d/" * 70 + "x", ".git ./x", ".g\u200cit/x"])  # fmt: skip
@pytest.mark.parametrize("shape", ["add", "rename", "copy", "plain"])
def test_no_bad_path_gets_in_by_any_header(bench: Any, path: str, shape: str) -> None:
    add = f"diff --git a/{path} b/{path}\nnew file mode 100644\n--- /dev/null\n+++ b/{path}\n@@ -0,0 +1 @@\n+x\n"
    data = {
        "add": add,
        "rename": f"diff --git a/{path} b/ok\nsimilarity index 100%\nrename from {path}\nrename to ok\n",
        "copy": f"diff --git a/a.txt b/{path}\nsimilarity index 100%\ncopy from a.txt\ncopy to {path}\n",
        "plain": f"--- /dev/null\n+++ b/{path}\n@@ -0,0 +1 @@\n+x\n",
    }[shape]
    judgement = intake.examine(bench.repository, piped(data.encode()))[0]
    assert judgement.verdict == "reject", judgement.findings
    assert judgement.reason.startswith("path.")


def test_searching_has_an_end(bench: Any) -> None:
    bench.commit("long", long_dot_txt="same\n" * 40_000 + "end\n")
    hunks = "".join(f"@@ -{9 * n + 1},2 +{9 * n + 1},2 @@\n same\n-no {n}\n+x\n" for n in range(3))
    lone = f"--- a/long.txt\n+++ b/long.txt\n{hunks}".encode()
    assert intake.examine(bench.repository, piped(lone))[0].reason == "base.does_not_apply"
    bench.commit("large", large_dot_txt="x" * (8 << 20) + "y")
    edits = [{"path": "large.txt", "find": "y", "replace": "y"} for _ in range(400)]
    assert intake.examine(bench.repository, piped(json.dumps(edits).encode()))[0].reason == "limit.time"


def foreign(bench: Any, folder: Path, **changes: Any) -> Path:
    """A ``change/1`` hand-over that edits ``a.txt``."""
    folder.mkdir()
    patch = b"--- a/a.txt\n+++ b/a.txt\n@@ -1,3 +1,3 @@\n one\n-two\n+2\n three\n"
    (folder / "change.patch").write_bytes(patch)
    said = {
        "schema": "change/1", "change_id": "c-1", "base_sha": bench.git("rev-parse", "HEAD"), "agent": "a1",
        "title": "t", "created": "2024-01-01T00:00:00Z", "nonce": "0123456789abcdef", "payload": "change.patch",
        "payload_sha256": hashlib.sha256(patch).hexdigest(), **changes,
    }  # fmt: skip
    (folder / "meta.json").write_text(json.dumps({key: value for key, value in said.items() if value is not None}))
    return folder


@pytest.mark.parametrize(
    ("changes", "verdict", "reason"),
    [
        ({}, "accept", "ok"),
        ({"nonce": None, "priority": 3, "commits": 1}, "accept", "ok"),
        ({"commits": 2}, "reject", "mail.count_mismatch"),
        ({"priority": True}, "reject", "meta.type"),
        ({"commits": "1"}, "reject", "meta.type"),
        ({"created": "yesterday"}, "reject", "meta.date"),
        ({"nonce": "a b"}, "reject", "meta.nonce"),
        ({"base_sha": "HEAD"}, "reject", "meta.base"),
        ({"base_sha": "1" * 40}, "quarantine", "base.missing"),
        ({"payload": "../change.patch"}, "reject", "path.dotdot"),
        ({"payload_sha256": "1" * 64}, "reject", "meta.payload_sha"),
        ({"title": "<b onclick=x()>t</b>"}, "neutralise", "message.untrusted"),
        ({"approved": True}, "reject", "meta.unknown_field"),
    ],
)
def test_foreign_manifests(bench: Any, tmp_path: Path, changes: dict[str, Any], verdict: str, reason: str) -> None:
    judgement = intake.examine(bench.repository, foreign(bench, tmp_path / "f", **changes))[0]
    assert (judgement.verdict, judgement.reason) == (verdict, reason)


def test_a_payload_that_is_a_link(bench: Any, tmp_path: Path) -> None:
    folder = foreign(bench, tmp_path / "f")
    (folder / "change.patch").rename(tmp_path / "elsewhere")
    (folder / "change.patch").symlink_to(tmp_path / "elsewhere")
    assert refusal(bench, folder) == "symlink.escapes"


def test_one_nonce_is_one_delivery(bench: Any, history: History, helpers: Any, tmp_path: Path) -> None:
    first = foreign(bench, tmp_path / "f")
    change = helpers.take_in(bench, history, first)
    assert helpers.take_in(bench, history, first) == change
    with pytest.raises(Problem) as caught:
        helpers.take_in(bench, history, foreign(bench, tmp_path / "g", change_id="c-2"))
    assert caught.value.code == "replay.conflict"
    assert helpers.take_in(bench, history, foreign(bench, tmp_path / "h", change_id="c-2", nonce="new")).id == "c-2"


def test_edits_on_standard_input_land_and_are_taken_back(bench: Any, history: History) -> None:
    before = bench.commit("open", ecluse_dot_toml='trust = "all"\n')

    def ecluse(*words: str, stdin: bytes = b"") -> tuple[int, dict[str, Any]]:
        argv = [sys.executable, "-m", "ecluse", "import", *words, "--json"]
        done = subprocess.run(argv, cwd=bench.folder, input=stdin, capture_output=True, check=False)
        assert b"Traceback" not in done.stderr, done.stderr
        return done.returncode, json.loads(done.stdout)

    edits = json.dumps([{"path": "a.txt", "find": "two", "replace": "2"}]).encode()
    code, said = ecluse("-", "--land", stdin=edits)
    assert (code, said["verdict"], said["method"]) == (0, "accept", "edits")
    assert (bench.folder / "a.txt").read_text() == "one\n2\nthree\n"
    assert ecluse("-", "--land", "--undo")[0] == 2
    code, undone = ecluse("--undo", said["change_id"])
    assert (code, undone["state"], bench.git("rev-parse", "main")) == (0, "undone", before)
    assert (bench.folder / "a.txt").read_text() == "one\ntwo\nthree\n"


def test_a_trial_of_what_is_refused_unread_is_a_verdict(bench: Any, tmp_path: Path) -> None:
    (tmp_path / "x.zip").write_bytes(b"PK\x03\x04rest")
    argv = [sys.executable, "-m", "ecluse", "import", "--dry-run", "--json", str(tmp_path / "x.zip")]
    done = subprocess.run(argv, cwd=bench.folder, capture_output=True, check=False)
    assert done.returncode == 4
    assert (json.loads(done.stdout)["verdict"], json.loads(done.stdout)["reason"]) == ("reject", "bundle.corrupt")
    assert not bench.repository.state_dir.exists()
