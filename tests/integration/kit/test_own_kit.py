"""Écluse's own files of delivery are those that the kit writes for it."""

from __future__ import annotations

from pathlib import Path

from ecluse import config
from ecluse.kit import kits, pins, survey
from ecluse.release import compile_playbook, lint

ROOT = Path(__file__).resolve().parents[3]


def test_the_files_here_are_what_the_kit_writes() -> None:
    """Workflows, hooks, image, targets and playbook: written anew, they are the same; a service's are not for us."""
    seen = kits.foreseen(survey.look(ROOT), kits.KITS)
    written = set()
    for one in kits.files(ROOT, seen, kits.KITS):
        if one.why and not one.path.startswith("playbooks/"):
            continue
        assert (ROOT / one.path).read_text(encoding="utf-8") == one.text, f"renew it: ecluse init --print {one.path}"
        written.add(one.path)
    assert written == {
        ".pre-commit-config.yaml", ".github/workflows/ci.yml", ".github/workflows/test_and_deploy.yml",
        ".github/workflows/package.yml", "kit.mk", "Dockerfile", ".dockerignore", "playbooks/release.md",
    }  # fmt: skip


def test_the_policy_here_is_the_kits_with_what_is_our_own_behind_it() -> None:
    text = (ROOT / "ecluse.toml").read_text(encoding="utf-8")
    assert text.startswith(kits.one_file(ROOT, "ecluse.toml") + "\n# -- what is Écluse's own;")
    policy = config.parse(text.encode())
    assert policy.environments == {}, "nothing of Écluse stays running anywhere"
    assert set(policy.checks.required) == {".github/workflows/ci.yml"}


def test_the_playbook_here_is_without_fault() -> None:
    assert lint(compile_playbook((ROOT / "playbooks/release.md").read_text(encoding="utf-8"), "release")) == []


def test_the_kit_names_the_tools_that_this_repository_uses() -> None:
    locked = (ROOT / "requirements" / "dev.txt").read_text(encoding="utf-8")
    assert f"\nruff=={pins.RUFF} " in locked
    assert f"\nmypy=={pins.MYPY} " in locked
    assert f"\npytest=={pins.PYTEST} " in locked
