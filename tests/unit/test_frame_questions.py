"""A yes or a no at the terminal, as people say it in English and French."""

from __future__ import annotations

from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from ecluse.cli.frame import Frame


@pytest.mark.parametrize(
    ("typed", "said"),
    [("y", True), ("Yes", True), ("oui", True), ("o", True), ("", False), ("n", False), ("non", False),
     ("maybe\noui", True), ("maybe\n", False)],
)  # fmt: skip
def test_yes_and_no(tmp_path: Path, typed: str, said: bool) -> None:
    heard = []

    @click.command()
    def ask() -> None:
        flags = dict.fromkeys(("as_json", "quiet", "verbose", "yes", "no_input", "color"), False)
        heard.append(Frame(str(tmp_path), **flags).confirm("Go on?"))

    done = CliRunner().invoke(ask, input=f"{typed}\n")
    assert done.exit_code == 0 and heard == [said]
    assert ("neither yes" in done.output) == typed.startswith("maybe")
