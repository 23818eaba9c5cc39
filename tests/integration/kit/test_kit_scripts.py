"""The scripts of ``.sync/scripts/``: installed once, kept when edited, shipped in the wheel, and calling what they say."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from ecluse.kit import ActionKind, InitOptions, init, pieces

ROOT = Path(__file__).resolve().parents[3]
NAMES = (*pieces.EXPORTERS, *pieces.CALLERS)


def test_init_installs_them_executable_and_never_overwrites(bench: Any) -> None:
    init(bench.repository, InitOptions())
    folder = bench.folder / ".sync/scripts"
    assert sorted(path.name for path in folder.iterdir()) == sorted(NAMES)
    for name in NAMES:
        assert (folder / name).read_bytes() == pieces.script(name)
        assert os.access(folder / name, os.X_OK)
    mine = folder / "local-import.sh"
    mine.write_text("#!/bin/sh\necho mine\n")
    (folder / "cloud-export.py").unlink()
    report = init(bench.repository, InitOptions())
    assert mine.read_text() == "#!/bin/sh\necho mine\n"
    by_name = {Path(action.what).name: action for action in report.actions}
    assert by_name["local-import.sh"].kind is ActionKind.KEPT
    assert "differs" in by_name["local-import.sh"].why
    assert by_name["cloud-export.py"].kind is ActionKind.CREATED
    assert by_name["sync-tracker.py"].why == ""


def test_they_survive_a_wheel(tmp_path: Path) -> None:
    pytest.importorskip("hatchling", reason="the build backend is not installed")
    source = tmp_path / "source"
    shutil.copytree(ROOT / "ecluse", source / "ecluse", ignore=shutil.ignore_patterns("__pycache__", "*.part"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source / name)
    words = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path / "dist")]
    subprocess.run(words, cwd=source, check=True, capture_output=True)
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        for name in NAMES:
            folder = "ecluse/intake/portable" if name in pieces.EXPORTERS else "ecluse/kit/files/scripts"
            assert archive.read(f"{folder}/{name}") == pieces.script(name)


@pytest.fixture
def fake(tmp_path: Path) -> dict[str, str]:
    """An environment in which ``ecluse`` only says what it was asked."""
    place = tmp_path / "bin"
    place.mkdir()
    (place / "ecluse").write_text(
        f"#!{sys.executable}\nimport json, sys\nprint(json.dumps(sys.argv[1:]))\nsys.exit(4)\n"
    )
    (place / "ecluse").chmod(0o755)
    return {**os.environ, "PATH": f"{place}{os.pathsep}{os.environ['PATH']}"}


@pytest.mark.parametrize(
    ("script", "words", "asked"),
    [
        ("local-import.py", ["a b", "--land"], ["import", "a b", "--land"]),
        ("local-import.sh", ["a b", "--land"], ["import", "a b", "--land"]),
        ("validate-before-sync.py", ["--level", "standard"], ["validate", "--level", "standard"]),
        ("init-sync-system.py", ["--dry-run"], ["init", "--dry-run"]),
        ("sync-tracker.py", [], ["history", "list", "--syncs"]),
        ("sync-tracker.py", ["list", "5"], ["history", "list", "--syncs", "-n", "5"]),
        ("sync-tracker.py", ["stats"], ["history", "stats"]),
        ("sync-tracker.py", ["find", "x.patch"], ["history", "find", "x.patch"]),
        (
            "sync-tracker.py",
            ["export"],
            ["history", "export", "--syncs", "--format", "json", "--to", "TOP/sync_history.json"],
        ),
        ("sync-tracker.py", ["export", "h.csv"], ["history", "export", "--syncs", "--format", "csv", "--to", "h.csv"]),
    ],
)
def test_callers_pass_words_and_status_on(
    script: str, words: list[str], asked: list[str], fake: dict[str, str], tmp_path: Path
) -> None:
    path = tmp_path / "scripts" / script
    path.parent.mkdir()
    path.write_bytes(pieces.script(script))
    asked = [word.replace("TOP", str(tmp_path)) for word in asked]
    starter = "sh" if script.endswith(".sh") else sys.executable
    done = subprocess.run([starter, str(path), *words], env=fake, capture_output=True, text=True, check=False)
    said = [json.loads(line) for line in done.stdout.splitlines()]
    merged = [["history", "merge", "--quiet"]] if script == "sync-tracker.py" else []
    assert (done.returncode, said) == (4, [*merged, asked])


def test_a_caller_without_ecluse_says_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "local-import.sh"
    path.write_bytes(pieces.script("local-import.sh"))
    done = subprocess.run(["/bin/sh", str(path), "x"], env={"PATH": ""}, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "not installed" in done.stderr


def test_the_tracker_refuses_what_it_does_not_understand(fake: dict[str, str], tmp_path: Path) -> None:
    path = tmp_path / "sync-tracker.py"
    path.write_bytes(pieces.script("sync-tracker.py"))
    words = [sys.executable, str(path), "list", "many"]
    assert subprocess.run(words, env=fake, capture_output=True, check=False).returncode == 2
