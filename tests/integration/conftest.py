"""A real history for the tests of this folder, and a real container engine where one answers."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import sysconfig
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ecluse.history import History


def _says(*words: str) -> bool:
    """Whether a program answers well."""
    try:
        return subprocess.run(words, capture_output=True, timeout=30, check=False).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


_UNWANTED = {
    "__pycache__",
    "test",
    "site-packages",
    "dist-packages",
    "ensurepip",
    "idlelib",
    "lib2to3",
    "pydoc_data",
    "tkinter",
}
"""What a service needs nothing of."""


def _own_python() -> bytes:
    """A tar with this machine's Python and what it is linked to, at the places where they lie here."""
    program = Path(getattr(sys, "_base_executable", sys.executable)).resolve()
    library = Path(sysconfig.get_paths()["stdlib"]).resolve()
    modules = [str(path) for path in (library / "lib-dynload").glob("*.so")]
    linked = subprocess.run(["ldd", str(program), *modules], capture_output=True, text=True, check=False).stdout
    files = {program, *(Path(word) for word in linked.split() if word.startswith("/") and not word.endswith(":"))}
    kept = io.BytesIO()
    with tarfile.open(fileobj=kept, mode="w") as tar:
        for path in sorted(files):
            tar.add(path.resolve(), arcname=str(path))
        for path in sorted(library.rglob("*")):
            if path.is_file() and not _UNWANTED & set(path.parts) and path.suffix != ".a":
                tar.add(path, arcname=str(path))
    return kept.getvalue()


@pytest.fixture(scope="session")
def engine() -> list[str]:
    """The words of the engine for compose; skipped where none answers."""
    if not _says("docker", "info"):
        pytest.skip("no docker engine answers on this machine")
    if _says("docker", "compose", "version"):
        return ["docker"]
    if _says("docker-compose", "version"):
        return ["docker-compose"]
    pytest.skip("docker answers, but has no compose (neither the plugin nor docker-compose)")


@pytest.fixture(scope="session")
def base_image(engine: list[str]) -> Iterator[str]:
    """A base image that was not downloaded."""
    if not sys.platform.startswith("linux"):
        pytest.skip("the base image is made of this machine's own Linux Python")
    name = f"ecluse-test-base-{os.getpid()}"
    subprocess.run(["docker", "import", "-", name], input=_own_python(), capture_output=True, check=True)
    yield name
    subprocess.run(["docker", "image", "rm", "-f", name], capture_output=True, check=False)


@pytest.fixture
def history(bench: Any) -> History:
    """The workbench's own history, empty."""
    return History.open(bench.repository.state_dir, create=True)
