"""The three exporters where work hides or cannot be stored: nothing is left out without being named."""

from __future__ import annotations

import functools
import json
import os
import random
import shutil
import subprocess
import tempfile
import threading
from pathlib import Path
from typing import Any

import pytest

from ecluse.history import History

from .exporters import Exporter, accept, landed


def left(said: dict[str, Any]) -> dict[str, str]:
    return {one["path"]: one["reason"] for one in said["not_carried"] if not one["path"].startswith(".sync/")}


def test_work_that_git_does_not_show(
    exporter: Exporter, bench: Any, history: History, helpers: Any, sandbox: Any
) -> None:
    """Skip-worktree and assume-unchanged, a folder that became a link, settings of the repository that stop git."""
    bench.commit("more", b_dot_txt="b\n", d__x="x\n", d__y="y\n", e_dot_txt="e\n", c_dot_txt="c\n")
    box = sandbox()
    for words in (
        ("core.autocrlf", "true"), ("core.safecrlf", "true"), ("core.splitIndex", "true"),
        ("diff.external", "false"), ("status.showUntrackedFiles", "no"),
    ):  # fmt: skip
        box.git("config", *words)
    box.git("update-index", "--split-index")
    box.git("update-index", "--skip-worktree", "a.txt", "e.txt")
    box.git("update-index", "--assume-unchanged", "b.txt", "a.txt")
    box.write("a.txt", "hidden\n")
    box.write("b.txt", "hidden too\n")
    (box.folder / "e.txt").unlink()  # as a sparse checkout leaves it: not deleted by anybody
    (box.folder / "d").rename(box.folder / "moved")
    (box.folder / "d").symlink_to("moved")
    before = {path.name for path in (box.folder / ".git").iterdir()} | {"ecluse"}
    said = exporter.export(box)
    assert not left(said)
    assert {path.name for path in (box.folder / ".git").iterdir()} <= before
    found = landed(bench, accept(bench, history, helpers, said).ref)
    assert (found[b"a.txt"][1], found[b"b.txt"][1], found[b"e.txt"][1]) == (b"hidden\n", b"hidden too\n", b"e\n")
    assert found[b"d"] == ("120000", b"moved")
    assert found[b"moved/x"][1] == b"x\n"
    assert b"d/x" not in found


def test_what_cannot_be_stored_takes_nothing_with_it(
    exporter: Exporter, bench: Any, history: History, helpers: Any, sandbox: Any
) -> None:
    box = sandbox()
    box.git("config", "filter.gone.clean", "/nowhere/filter")
    box.git("config", "filter.gone.required", "true")
    box.write(".git/info/attributes", "*.odd filter=gone\n")
    for name in ("f.odd", "g.odd", "g.txt", "h.odd", "i.txt"):
        box.write(name, f"{name}\n")
    box.write("big.bin", b"\0" * (21 << 20))
    box.git("add", "big.bin")
    box.write(".envrc", "export A=1\n")
    box.write(".env-production", "A=1\n")
    box.write("out/.export-x/whole", "what a death left behind\n")
    said = exporter.export(box, status=3)
    assert left(said) == {
        "f.odd": "not storable", "g.odd": "not storable", "h.odd": "not storable", "big.bin": "too large",
        ".envrc": "sensitive", ".env-production": "sensitive", "out/.export-x/whole": "own",
    }  # fmt: skip
    assert next(one for one in said["not_carried"] if one["path"] == "big.bin")["detail"] == (
        "22,020,096 bytes, the cap is 20,971,520"
    )
    assert [(one["path"], one["origin"]) for one in said["files"]] == [("g.txt", "untracked"), ("i.txt", "untracked")]
    accept(bench, history, helpers, said)


def test_unfinished_work_is_named(exporter: Exporter, sandbox: Any) -> None:
    box = sandbox()
    box.git("checkout", "-q", "-b", "side")
    box.commit("side", a_dot_txt="SIDE\n", b_dot_txt="b\n")
    box.git("checkout", "-q", "main")
    box.commit("main", a_dot_txt="MAIN\n")
    subprocess.run(["git", "merge", "-q", "side"], cwd=box.folder, capture_output=True, check=False)
    box.write("a.txt", "BOTH\n")
    box.git("add", "a.txt")
    said = exporter.export(box, status=3)
    assert left(said) == {"MERGE_HEAD": "unfinished merge"}
    assert {one["path"]: one["origin"] for one in said["files"]} == {"a.txt": "staged", "b.txt": "staged"}
    box.git("reset", "-q", "--hard")
    subprocess.run(["git", "rebase", "-q", "side"], cwd=box.folder, capture_output=True, check=False)
    said = exporter.export(box, status=3)
    assert left(said) == {"a.txt": "unmerged", "rebase-merge": "unfinished rebase"}


def test_a_pointer_that_was_committed_is_not_its_content(exporter: Exporter, bench: Any, sandbox: Any) -> None:
    box = sandbox()
    oid = bench.git("rev-parse", "HEAD")
    box.git("update-index", "--add", "--cacheinfo", f"160000,{oid},sub")
    (box.folder / "sub").mkdir()
    box.git("commit", "-qm", "a pointer")
    said = exporter.export(box, status=3)
    assert left(said) == {"sub": "submodule"}
    done = exporter.run(box, "--to", str(box.folder.parent / "out"), "--accept-omissions")
    assert done.returncode == 0
    assert b"A sub  (committed)" in done.stderr, "the contents are listed"


def test_a_partial_clone_that_lost_its_remote(
    exporter: Exporter, bench: Any, history: History, helpers: Any, sandbox: Any
) -> None:
    bench.commit("more", d__x="x\n", d__y="y\n", s__z="z\n")
    bench.git("config", "uploadpack.allowFilter", "true")
    box = sandbox("partial", "--filter=blob:none", "--sparse")
    box.git("rm", "-q", "--cached", "--sparse", "d/x")
    box.write("b.txt", "b\n")
    said = exporter.export(box)
    assert [one["kind"] for one in said["payloads"]] == ["bundle"]
    manifest = json.loads(Path(said["path"]).read_bytes())
    assert manifest["omitted_payloads"] == [{"kind": "patch", "reason": "objects missing", "size": 0}]
    found = landed(bench, accept(bench, history, helpers, said).ref)
    assert b"d/x" not in found
    assert found[b"b.txt"][1] == b"b\n"


@pytest.mark.parametrize("name", ["", " . ", "<>"])
def test_a_name_that_git_takes_for_none(name: str, exporter: Exporter, sandbox: Any, own_home: Path) -> None:
    box = sandbox()
    (own_home / ".gitconfig").write_text(f'[user]\n name = "{name}"\n email = a@example.invalid\n')
    box.write("b.txt", "b\n")
    done = exporter.run(box, "--agent", "...", "--to", str(box.folder.parent / "out"))
    assert done.returncode == 0, done.stderr.decode()
    bundle = Path(json.loads(done.stdout)["path"]).with_suffix(".bundle")
    box.git("fetch", "-q", str(bundle), "refs/heads/change:refs/heads/got")
    assert box.git("log", "-1", "--format=%an <%ae>", "got") == "agent <agent@localhost>"


def test_a_repository_of_another_kind(exporter: Exporter, bench: Any, tmp_path: Path) -> None:
    folder = tmp_path / "sha256"
    subprocess.run(["git", "init", "-q", "--object-format=sha256", str(folder)], check=True)
    box = type(bench)(folder)
    box.commit("first", a_dot_txt="a\n")
    done = exporter.run(box)
    assert (done.returncode, json.loads(done.stdout)["error"]["code"]) == (2, "repo.format")
    (folder / ".git" / "index").write_bytes(b"not an index")
    box = type(bench)(tmp_path / "broken")
    box.commit("first", a_dot_txt="a\n")
    (box.folder / ".git" / "index").write_bytes(b"not an index")
    broken = exporter.run(box)
    assert broken.returncode == 1
    assert json.loads(broken.stdout)["error"]["code"].endswith(".failed")


def test_the_answer_is_json_on_a_console_that_knows_only_ascii(exporter: Exporter, sandbox: Any) -> None:
    box = sandbox()
    box.write("été.txt", "x\n")
    env = {**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": "ascii"}
    assert exporter.export(box, env=env)["files"][0]["path"] == "été.txt"


def test_a_history_that_may_not_be_written_stops_no_export(bench: Any, sandbox: Any, tmp_path: Path) -> None:
    box = sandbox()
    state = box.repository.state_dir
    History.open(state, create=True).close()
    whole = bytearray((state / "history.db").read_bytes())
    whole[18] = 3  # the format's mark of what this SQLite may read and not write: it holds for root too
    (state / "history.db").write_bytes(whole)
    box.write("b.txt", "b\n")
    said = Exporter("ecluse", tmp_path / "tool").export(box)
    (log,) = (state / "logs").glob("export_*.log")
    assert json.loads(log.read_bytes())["change_id"] == said["change_id"]


def test_where_there_is_no_work_tree_nothing_is_said_to_be_complete(exporter: Exporter, sandbox: Any) -> None:
    box = sandbox()
    box.commit("more", b_dot_txt="b\n")
    inside = exporter.run(box, "-C", ".git", "--to", str(box.folder.parent / "out"))
    nowhere = exporter.run(box, "-C", "nowhere")
    assert [json.loads(one.stdout)["error"]["code"] for one in (inside, nowhere)] == [
        "export.bare" if exporter.kind == "ecluse" else "repo.none", "file.missing",
    ]  # fmt: skip
    env = {**os.environ, "TMPDIR": "/nonexistent"}
    assert exporter.run(box, "--to", str(box.folder.parent / "out"), env=env).returncode == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become somebody else here")
def test_folders_and_files_that_may_not_be_read_are_named(
    portable: Exporter, sandbox: Any, request: pytest.FixtureRequest
) -> None:
    python = shutil.which("python3", path="/usr/bin:/usr/local/bin")
    if (portable.kind == "py" and python is None) or shutil.which("setpriv") is None:
        pytest.skip("no Python that somebody else may run, or no setpriv to become somebody else")
    request.addfinalizer(functools.partial(os.umask, os.umask(0o022)))  # somebody else is to read the rest
    box = sandbox()
    for name in ("closed/x.txt", "b.txt", "c.txt"):
        box.write(name, "x\n")
    for path in (box.folder / "closed", box.folder / "b.txt", box.folder / "a.txt"):
        path.chmod(0)
    room = Path(tempfile.mkdtemp(prefix="ecluse-states-"))
    try:
        box.folder.rename(room / "box")
        script = Path(shutil.copy(portable.words[-1], room))
        script.chmod(0o644)
        room.chmod(0o777)
        words = [
            "setpriv",
            "--reuid=12345",
            "--regid=12345",
            "--clear-groups",
            python if portable.kind == "py" else "sh",
        ]
        done = subprocess.run(
            [*words, str(script), "--json", "--to", str(room / "out")], cwd=room / "box", capture_output=True, check=False
        )  # fmt: skip
        assert done.returncode == 3, done.stderr.decode()
        assert left(json.loads(done.stdout)) == {"closed/": "unreadable", "b.txt": "unreadable", "a.txt": "unreadable"}
    finally:
        shutil.rmtree(room)


@pytest.mark.parametrize("full", ["TMPDIR", "--to"])
def test_a_full_disk_is_said_and_leaves_nothing(full: str, exporter: Exporter, sandbox: Any, tmp_path: Path) -> None:
    box = sandbox()
    box.write("big.bin", random.Random(7).randbytes(300_000))
    at = tmp_path / "small"
    at.mkdir()
    size = "size=60k"
    place = f"--to '{tmp_path}/out'" if full == "TMPDIR" else f"--to '{at}/out'"
    words = " ".join(f"'{word}'" for word in exporter.words)
    script = (
        f"mount -t tmpfs -o {size} none '{at}' || exit 90; {f'TMPDIR={at}' if full == 'TMPDIR' else ''} "
        f"{words} --json {place}; code=$?; find '{at}' -type f ! -name .gitignore >&2; exit $code"
    )
    if shutil.which("unshare") is None:
        pytest.skip("no unshare here")
    argv = ["unshare", "-rm", "sh", "-c", script]
    done = subprocess.run(argv, cwd=box.folder, capture_output=True, check=False)
    if done.returncode in (90, 1) and not done.stdout:
        pytest.skip("no mount namespace here, so no small disk to fill")
    assert done.returncode == 1, done.stderr.decode()
    assert json.loads(done.stdout)["error"]["code"] in ("disk.full", "storage")
    assert str(at).encode() not in done.stderr.splitlines()[-1]
    assert not list(tmp_path.glob("out/sync_cloud_*"))


def at_once(kinds: list[str], box: Any, folder: Path) -> list[tuple[str, int]]:
    """The change and number of each of several exports that run beside each other."""
    tools = [Exporter(kind, folder / "tool") for kind in kinds]
    several = [
        subprocess.Popen(
            [*tool.words, "--to", str(folder / "out"), "--agent", "a1"],
            cwd=box.folder, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
        for tool in tools
    ]  # fmt: skip
    assert [one.wait() for one in several] == [0] * len(kinds)
    changes = [json.loads(path.read_bytes())["change"] for path in folder.glob("out/*.json")]
    return sorted((change["id"], change["revision"]) for change in changes)


def test_no_number_comes_twice(sandbox: Any, tmp_path: Path) -> None:
    box = sandbox()
    box.write("b.txt", "b\n")
    found = at_once(["ecluse", "py", "sh"] * 3, box, tmp_path)
    assert found == [(found[0][0], number) for number in range(1, 10)]
    assert not (box.folder / ".git/ecluse/exports.busy").exists()


@pytest.mark.parametrize("left", [[], ["by.dead", "heir.1"]], ids=["nobody", "a holder and an heir"])
def test_an_export_that_died_in_its_turn_holds_nobody_up_for_long(
    left: list[str], sandbox: Any, tmp_path: Path
) -> None:
    box = sandbox()
    box.write("b.txt", "b\n")
    for name in ["", *left]:
        (box.folder / ".git/ecluse/exports.busy" / name).mkdir(parents=True, exist_ok=True)
    found = at_once(["ecluse", "py", "sh"], box, tmp_path)
    assert found == [(found[0][0], number) for number in range(1, 4)]
    assert not (box.folder / ".git/ecluse/exports.busy").exists()


def test_files_that_come_and_go_meanwhile_stop_nothing(exporter: Exporter, sandbox: Any, tmp_path: Path) -> None:
    box = sandbox()
    box.write("b.txt", "b\n")
    room = box.folder / "build"
    room.mkdir()
    done = threading.Event()

    def churn() -> None:
        number = 0
        while not done.is_set():
            number += 1
            path = room / f"{number % 300}.tmp"
            path.unlink() if path.exists() else path.write_bytes(b"x" * 40_000)

    worker = threading.Thread(target=churn)
    worker.start()
    try:
        said = exporter.run(box, "--to", str(tmp_path / "out"))
    finally:
        done.set()
        worker.join()
    assert said.returncode == 0, said.stderr.decode()
    assert "b.txt" in {one["path"] for one in json.loads(said.stdout)["files"]}


def test_files_of_the_future_and_files_called_like_revisions(
    exporter: Exporter, bench: Any, history: History, helpers: Any, sandbox: Any
) -> None:
    box = sandbox()
    for name in ("HEAD", "refs", "@"):
        box.write(name, f"{name}\n")
    os.utime(box.folder / "HEAD", (4_000_000_000, 4_000_000_000))
    os.utime(box.folder / "@", (-4_000_000, -4_000_000))
    said = exporter.export(box)
    assert said["base"] == bench.git("rev-parse", "HEAD")
    assert sorted(accept(bench, history, helpers, said).files) == ["@", "HEAD", "refs"]
