"""The page on actions names every action that is known here, and where each stands."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from ecluse.checks.actions import BUILT_IN
from ecluse.checks.actions.not_run import REASONS, reason_for

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "actions.md").read_text(encoding="utf-8")


def test_every_known_action_is_on_the_page() -> None:
    for name in [*BUILT_IN, *REASONS]:
        assert f"`{name}`" in PAGE, name
    for reason in set(REASONS.values()):
        assert f"| {reason} |" in PAGE


def test_names_are_told_apart_and_in_lower_case() -> None:
    assert not set(BUILT_IN) & set(REASONS)
    assert all(name == name.lower() and name.count("/") >= 1 for name in [*BUILT_IN, *REASONS])
    for module in set(BUILT_IN.values()):
        assert callable(import_module(f"ecluse.checks.actions.{module}").run)


def test_reasons_hold_for_paths_below_and_not_beside() -> None:
    assert reason_for("GitHub/codeql-action/Analyze") and reason_for("snyk/actions/python")
    assert not reason_for("github/codeql-action-x/init") and not reason_for("actions/checkout")
