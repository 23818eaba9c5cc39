"""What only the two exporters do that need nothing installed: their journal, sudden death, every shell and Python."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from ecluse.git import Repository
from ecluse.history import History
from ecluse.model import ChangeState

from .exporters import POSIX, Exporter, accept, landed, lying_there
from .test_three_exporters import commits_and_dirty, names_and_links


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
    """The oldest and the newest Python from 3.8 on that pyenv keeps here."""
    root = Path(os.environ.get("PYENV_ROOT", str(Path("~/.pyenv").expanduser())))
    try:
        found = [path for path in root.glob("versions/3.*/bin/python") if int(path.parents[1].name.split(".")[1]) >= 8]
    except OSError:  # somebody else's folder
        return []
    found.sort(key=lambda path: int(path.parents[1].name.split(".")[1]))
    return sorted({str(path) for path in (*found[:1], *found[-1:])})


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


@pytest.mark.parametrize("kind", ["ecluse", "py"])
def test_what_the_dead_left_among_temporary_files_goes(
    kind: str, sandbox: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = tmp_path / "temporary"
    for name in ("ecluse-clone-old", "ecluse-clone-new", "something-else"):
        (room / name / "r").mkdir(parents=True)
    for name in ("ecluse-clone-old", "something-else"):
        os.utime(room / name, (1_000_000_000, 1_000_000_000))
    monkeypatch.setenv("TMPDIR", str(room))
    box = sandbox()
    box.write("b.txt", "b\n")
    Exporter(kind, tmp_path / "tool").export(box)
    assert {path.name for path in room.iterdir()} == {"ecluse-clone-new", "something-else"}
