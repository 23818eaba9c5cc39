"""docs/steps.md is what the code says of its steps and settings."""

from __future__ import annotations

from pathlib import Path

from ecluse.config import EnvironmentConfig
from ecluse.release.steps import ACTIONS, manual

PAGE = Path(__file__).resolve().parents[3] / "docs" / "steps.md"


def test_the_page_is_the_one_made_from_the_code() -> None:
    made = manual.page()
    assert PAGE.read_text(encoding="utf-8") == made, "python -m ecluse.release.steps.manual > docs/steps.md"


def test_every_step_and_every_setting_has_a_line() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert all(f"\n## {name}\n" in text for name in ACTIONS)
    assert all(f"\n| `{name}` |" in text for name in EnvironmentConfig.settings())
