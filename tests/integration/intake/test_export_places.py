"""Where exports go, what INSTRUCTIONS say, and who made the change: as typed, for the three exporters."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tarfile
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from ecluse.history import History

from .exporters import Exporter, accept


def code(done: Any) -> tuple[int, str]:
    return done.returncode, json.loads(done.stdout)["error"]["code"]


def typed(text: str, where: Path) -> None:
    """Type the plain-git way of INSTRUCTIONS in the folder."""
    commands = re.findall(r"^   ((?:git|tar) .*)$", text.partition("Without Ecluse")[2], re.MULTILINE)
    assert len(commands) >= 4
    for command in commands:
        subprocess.run(["sh", "-ec", command], cwd=where, check=True, capture_output=True)


def test_the_plain_git_way_works_for_every_revision(exporter: Exporter, bench: Any, sandbox: Any) -> None:
    box = sandbox()
    for words in ("one\n", "two\n"):
        box.write("b.txt", words)
        said = exporter.export(box, "--to", str(bench.folder))
        (page,) = bench.folder.glob(f"INSTRUCTIONS_{Path(said['path']).stem[11:]}.txt")
        bench.git("reset", "-q", "--hard", "HEAD~1" if words == "two\n" else "HEAD")
        typed(page.read_text(), bench.folder)
        assert bench.git("rev-parse", "HEAD") == said["head"]
        assert (bench.folder / "b.txt").read_text() == words


def test_places_that_are_none(exporter: Exporter, sandbox: Any, tmp_path: Path) -> None:
    box = sandbox()
    box.write("b.txt", "b\n")
    (tmp_path / "file").write_text("mine\n")
    for place in ("file", "x.tar.gz", "x.json", "x.bundle"):
        assert code(exporter.run(box, "--to", str(tmp_path / place))) == (2, "export.to"), place
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.startswith(("x", "file"))) == ["file"]


def test_a_stream_is_a_bundle(
    exporter: Exporter, bench: Any, history: History, helpers: Any, sandbox: Any, tmp_path: Path
) -> None:
    box = sandbox()
    box.write("b.txt", "b\n")
    argv = [*exporter.words, "--agent", "a1", "--to", "-"]
    done = subprocess.run(argv, cwd=box.folder, capture_output=True, check=False)
    if exporter.kind == "sh":
        assert (done.returncode, b"writes into a folder" in done.stderr) == (2, True)
        return
    assert done.returncode == 0, done.stderr.decode()
    (tmp_path / "got.tar").write_bytes(done.stdout)
    with tarfile.open(fileobj=BytesIO(done.stdout)) as whole:
        first = whole.getnames()[0]
        said = json.loads(whole.extractfile(first).read())  # type: ignore[union-attr]
    heads = {
        "path": str(tmp_path / "got.tar"),
        "change_id": said["change"]["id"],
        "revision": said["change"]["revision"],
    }
    accept(bench, history, helpers, {**heads, "head": said["head"]["commit"], "tree": said["head"]["tree"]})
    assert exporter.run(box, "--to", "-").returncode == 2, "both the bundle and --json want standard output"
    if exporter.kind == "ecluse":
        lone = subprocess.run([*exporter.words, "-"], cwd=box.folder, capture_output=True, check=True).stdout
        assert lone[:11] == b"sync_cloud_"
        assert exporter.run(box, "-", "--to", "x").returncode == exporter.run(box, "x").returncode == 2


def test_who_made_it_and_what_it_cost(exporter: Exporter, sandbox: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    box = sandbox()
    box.write("b.txt", "b\n")
    told = {"tool": "t", "model": "m", "session": "s-1", "task": "do it", "cost": "0.42 EUR"}
    for word, text in told.items():
        monkeypatch.setenv(f"ECLUSE_AGENT_{word.upper()}", text)
    said = exporter.export(box)
    assert json.loads(Path(said["path"]).read_bytes())["agent_details"] == told


def test_the_level_of_a_project(sandbox: Any) -> None:
    box = sandbox()
    box.write("ecluse.toml", '[export]\nvalidate = "none"\n')
    box.write("bad.py", "def (:\n")
    words = [sys.executable, "-m", "ecluse", "export", "--json"]
    said = subprocess.run(words, cwd=box.folder, capture_output=True, check=True).stdout
    assert json.loads(Path(json.loads(said)["path"]).read_bytes())["validations"] == []
    assert (
        subprocess.run([*words, "--validate", "minimal"], cwd=box.folder, capture_output=True, check=False).returncode
        == 5
    )


@pytest.mark.parametrize("room", [".handoff", "elsewhere"])
def test_another_folder_than_sync_holds_exports_and_logs(
    room: str, exporter: Exporter, sandbox: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    box = sandbox()
    box.write("b.txt", "b\n")
    place = tmp_path / room if room == "elsewhere" else box.folder / room
    monkeypatch.setenv("SYNC_DIR", str(place) if room == "elsewhere" else room)
    one, two = (json.loads(exporter.run(box).stdout) for _ in range(2))
    assert Path(one["path"]).parent == place / "patches"
    assert [[file["path"] for file in said["files"]] for said in (one, two)] == [["b.txt"]] * 2
    assert len(list((place / "logs").glob("export_*.log"))) == 2
    assert not (box.folder / ".sync").exists()


def test_quiet_says_why_it_is_not_done(sandbox: Any, tmp_path: Path) -> None:
    box = sandbox()
    box.write("b.txt", "b\n")
    box.write(".env", "A=1\n")
    words = [sys.executable, "-m", "ecluse", "export", "-q", "--to", str(tmp_path / "out")]
    done = subprocess.run(words, cwd=box.folder, capture_output=True, check=False)
    assert done.returncode == 3
    assert b".env (sensitive" in done.stderr
    assert b"--accept-omissions" in done.stderr
    assert b"revision" not in done.stderr
