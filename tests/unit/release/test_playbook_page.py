"""The example of docs/playbooks.md is a page without fault."""

from __future__ import annotations

from ecluse.release import compile_playbook
from pages import reading


def test_the_example_compiles() -> None:
    (example,) = [one.text for one in reading.blocks(reading.DOCS / "playbooks.md") if one.kind == "markdown"]
    playbook = compile_playbook(
        example + "\n## Human gates\n\n| Gate | If nobody answers |\n|---|---|\n| sign-off | abort |\n", "p.md"
    )
    assert len(playbook.steps) == 2 and playbook.checklist("sign-off") == ("log in", "enter hours")
