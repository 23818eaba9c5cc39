"""Every test runs with a home, a git configuration and caches of its own; the real ones are never read or written."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

_GIT_KEEP = {"GIT_EXEC_PATH", "GIT_SSL_CAINFO"}


@pytest.fixture(autouse=True)
def own_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A fresh HOME and XDG folders, and no inherited GIT_* variables."""
    home = tmp_path_factory.mktemp("home")
    for name in [key for key in os.environ if key.startswith("GIT_") and key not in _GIT_KEEP]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_CACHE_HOME", str(home / ".cache"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / ".config"))
    monkeypatch.setenv("XDG_STATE_HOME", str(home / ".state"))
    monkeypatch.setenv("ECLUSE_HOME", str(home / ".ecluse"))
    monkeypatch.delenv("NO_COLOR", raising=False)
    (home / ".gitconfig").write_text(
        "[user]\n\tname = Test Person\n\temail = person@example.invalid\n[init]\n\tdefaultBranch = main\n"
    )
    return home


@pytest.fixture
def dice(request: pytest.FixtureRequest) -> random.Random:
    """A random source with a printed, fixed seed per test."""
    seed = int(os.environ.get("ECLUSE_TEST_SEED", "20251110"))
    print(f"seed {seed} for {request.node.name}")
    return random.Random(f"{seed}:{request.node.name}")


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with reference data (conformance, hostile changes); tests that need it skip where it is absent."""
    named = os.environ.get("ECLUSE_SHARED")
    folder = Path(named) if named else Path(__file__).resolve().parents[2] / "shared"
    if not (folder / "conformance").is_dir():
        pytest.skip("the reference data folder is absent (set ECLUSE_SHARED)")
    return folder
