"""Every command that README.md and the pages of docs/ show is run, in the order in which a page shows them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from pages import reading, settings
from pages.typing_along import Reader

PAGES = {str(page.relative_to(reading.ROOT)): page for page in reading.pages()}


def shows_commands(page: Path) -> bool:
    """Whether a page has blocks of commands that do not say why they are not run."""
    return any(block.kind in reading.COMMANDS and "not run" not in block.words for block in reading.blocks(page))


@pytest.mark.parametrize("name", [name for name, page in PAGES.items() if shows_commands(page)])
def test_the_commands_of_a_page(name: str, own_home: Path, tmp_path: Path) -> None:
    setting = reading.setting(PAGES[name])
    assert setting, f"{name} shows commands and names no setting"
    need = settings.NEEDS.get(setting)
    if need and shutil.which(need) is None:
        pytest.skip(f"{need} is not on this machine")
    reader = Reader(tmp_path / "reader", setting)
    try:
        assert reader.read(PAGES[name]) >= 1 or reader.left_out
    finally:
        reader.leave()
    if reader.left_out:
        pytest.skip("; ".join(reader.left_out))
