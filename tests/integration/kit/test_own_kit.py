"""Écluse's own files of delivery are those that the kit writes for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from ecluse.kit import kits, pins, wanted

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize("path", [".github/workflows/ci.yml", ".pre-commit-config.yaml"])
def test_the_files_here_are_what_the_kit_writes(path: str) -> None:
    text = (ROOT / path).read_text(encoding="utf-8")
    assert wanted.untouched(text)
    assert text == kits.one_file(ROOT, path), f"renew it with: ecluse init --print {path}"


def test_the_kit_names_the_tools_that_this_repository_uses() -> None:
    locked = (ROOT / "requirements" / "dev.txt").read_text(encoding="utf-8")
    assert f"\nruff=={pins.RUFF} " in locked
    assert f"\nmypy=={pins.MYPY} " in locked
