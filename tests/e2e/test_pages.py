"""Every command that README.md and the pages of docs/ show is run, in the order in which a page shows them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from pages import reading, settings
from pages.typing_along import Reader

PAGES = {str(page.relative_to(reading.ROOT)): page for page in reading.pages()}


def shown(page: Path, *, run: bool) -> list[reading.Block]:
    """The blocks of commands of a page: those that are run, or those that say why not."""
    listed = [block for block in reading.blocks(page) if block.kind in reading.COMMANDS]
    return [block for block in listed if ("not run" in block.words) is not run]


@pytest.mark.parametrize("name", [name for name, page in PAGES.items() if shown(page, run=True)])
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
