"""Folders with spaces, accents and apostrophes: what the kit writes for them is typed by a real shell."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from ecluse.kit import InitOptions, init, kits
from ecluse.release import compile_playbook, lint

SERVICE = "from fastapi import FastAPI\n\napp = FastAPI()\n"
FILES = {
    "Été chaud/pyproject.toml": '[project]\nname = "ete"\nversion = "1"\n',
    "Été chaud/ete/__init__.py": "X = 1\n",
    "Été chaud/tests/test_x.py": "def test_x():\n    assert True\n",
    "l'autre $1/requirements.txt": "fastapi\n",
    "l'autre $1/main.py": SERVICE,
    "mon app/package.json": '{"name": "app", "scripts": {"start": "node server.js", "test": "ls server.js"}}',
    "mon app/server.js": "",
    "tests/e2e/test_all.py": "def test_all():\n    assert True\n",
}


@pytest.fixture
def place(bench) -> Path:
    for path, text in FILES.items():
        bench.write(path, text)
    bench.commit("grown")
    init(bench.repository, InitOptions(kits=kits.KITS))
    return bench.folder


def make(place: Path, *words: str) -> str:
    done = subprocess.run(["make", *words], cwd=place, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_target_goes_into_the_folder(place: Path) -> None:
    assert "server.js" in make(place, "test-mon-app-unit")
    line = next(one for one in make(place, "-n", "setup").splitlines() if "autre" in one)
    folder, _, _ = line.removeprefix("cd ").partition(" && ")
    said = subprocess.run(["sh", "-c", f"cd {folder} && ls"], cwd=place, capture_output=True, text=True, check=True)
    assert "main.py" in said.stdout


def test_the_tests_of_the_whole_have_an_environment_of_their_own(place: Path) -> None:
    assert "\n. .venv/bin/activate && python -m pip install pytest" in make(place, "-n", "setup")


def test_the_playbook_is_without_fault(place: Path) -> None:
    text = (place / "playbooks/release.md").read_text(encoding="utf-8")
    assert 'folder="mon app"' in text
    assert lint(compile_playbook(text, "release")) == []
