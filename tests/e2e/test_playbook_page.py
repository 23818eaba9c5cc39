"""The commands of docs/playbooks.md are run as they stand there, and its example is a page without fault."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

from ecluse.demo import template
from ecluse.release import compile_playbook

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "playbooks.md").read_text(encoding="utf-8")


def test_the_commands_of_the_page(cli: Any, tmp_path: Path) -> None:
    folder = tmp_path / "repo"
    template.write(folder)
    for words in (["init", "-q", "-b", "main"], ["add", "-A"], ["commit", "-q", "-m", "feat: first"]):
        subprocess.run(["git", "-C", str(folder), *words], check=True)
    (block,) = re.findall(r"^```sh\n(.*?)^```", PAGE, flags=re.M | re.S)
    for line in block.splitlines():
        said = cli(*line.split()[1:], cwd=folder)
        assert said.out.strip(), line
    for name in ("build-story", "sync-bidirec", "incident", "bump-deps"):
        cli("playbook", "add", name, cwd=folder)
        cli("playbook", "lint", f"playbooks/{name}.md", cwd=folder, expect=0 if name != "build-story" else 2)


def test_the_example_compiles() -> None:
    (example,) = re.findall(r"^```markdown\n(.*?)^```", PAGE, flags=re.M | re.S)
    playbook = compile_playbook(
        example + "\n## Human gates\n\n| Gate | If nobody answers |\n|---|---|\n| sign-off | abort |\n", "p.md"
    )
    assert len(playbook.steps) == 2 and playbook.checklist("sign-off") == ("log in", "enter hours")
