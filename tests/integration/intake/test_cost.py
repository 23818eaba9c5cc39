"""What export, import and start-up cost, in things that can be counted on a busy machine: processes and modules."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

MOST_FOR_EXPORT, MOST_FOR_IMPORT = 16, 15
"""How many times git may be started, counting what git starts itself."""

HEAVY = (
    "rich",
    "pydantic",
    "fastapi",
    "asyncio",
    "ssl",
    "http",
    "email",
    "tarfile",
    "zipfile",
    "unittest",
    "dataclasses",
)


@pytest.fixture
def counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Puts a git on the path that notes each start, and says how many there were since it was last asked."""
    real = subprocess.run(["sh", "-c", "command -v git"], capture_output=True, check=True, text=True).stdout.strip()
    folder, notes = tmp_path / "bin", tmp_path / "starts"
    folder.mkdir()
    (folder / "git").write_text(f'#!/bin/sh\nprintf "%s\\n" "$*" >>"{notes}"\nexec "{real}" "$@"\n')
    (folder / "git").chmod(stat.S_IRWXU)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")

    def asked() -> list[str]:
        said = notes.read_text().splitlines() if notes.exists() else []
        notes.unlink(missing_ok=True)
        return said

    return asked


def ecluse(folder: Path, *words: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "ecluse", *words], cwd=folder, capture_output=True, check=True, text=True
    )
    return done.stdout


def test_processes_of_export_and_import(bench: Any, counted: Any, tmp_path: Path) -> None:
    ecluse(bench.folder, "init", "-q", "--trust", "all")
    bench.git("add", "-A")
    bench.git("commit", "-q", "-m", "chore: carry changes")
    bench.git("clone", "-q", str(bench.folder), str(tmp_path / "box"))
    box = tmp_path / "box"
    for number in range(3):
        (box / f"file{number}.txt").write_text(f"{number}\n")
        bench.git("-C", str(box), "add", "-A")
        bench.git("-C", str(box), "commit", "-q", "-m", f"feat: {number}")
    counted()
    said = json.loads(
        ecluse(box, "export", "--json", "--agent", "a", "--validate", "none", "--to", str(tmp_path / "out"))
    )
    exported = counted()
    assert len(exported) <= MOST_FOR_EXPORT, "\n".join(exported)
    ecluse(bench.folder, "import", said["path"], "--no-input", "--json")
    imported = counted()
    assert len(imported) <= MOST_FOR_IMPORT, "\n".join(imported)


@pytest.mark.parametrize(("words", "most"), [(["--help"], 115), (["status"], 135), (["history", "list"], 135)])
def test_modules_at_start(bench: Any, words: list[str], most: int) -> None:
    ecluse(bench.folder, "init", "-q", "--trust", "all")
    program = (
        "import sys\nfrom ecluse.cli.group import main\ntry: main()\n"
        "except SystemExit: pass\nprint('\\n'.join(sys.modules), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *words], cwd=bench.folder, capture_output=True, check=True, text=True
    )
    loaded = done.stderr.split()
    assert not {name for name in loaded if name.partition(".")[0] in HEAVY}
    assert "subprocess" not in loaded
    assert len(loaded) <= most, "\n".join(loaded)
