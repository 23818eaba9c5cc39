"""The pages that init ships say all that the specification lists, and name only commands that exist."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from ecluse.cli.group import VERBS, ecluse
from ecluse.kit import pieces

README = pieces.text("sync_readme.md")
AGENTS = pieces.text("agents.md")

FOUR_LINES = """# --- Sync multi-agents (patches temporaires)
.sync/patches/*.patch
.sync/logs/*.log
.sync/sync_history.db
.sync/sync_history.json
"""


def test_the_four_lines_of_the_specification_stand_verbatim(tmp_path: Path) -> None:
    (piece,) = (one for one in pieces.look_at(tmp_path, trust=None, solo=None) if one.path == ".gitignore")
    assert piece.data is not None
    assert piece.data.decode().startswith(FOUR_LINES)


@pytest.mark.parametrize(
    "wanted",
    ["patches/", "logs/", "scripts/", "templates/", "sync_history.db", "Claude Code", "Codex", "Jules", "Aider",
     "cat .sync/logs/export_*.log .sync/logs/import_*.log", "ecluse history find", "sync-tracker.py find",
     "ecluse import --undo", "rm -rf .sync", "ecluse init", "backup/before-sync-*", "AGENT_SYNC.md", "docs/passation.md",
     "--level minimal", "SYNC_DIR", "sync-export", "sync-status", "INSTRUCTIONS", "Security"],
)  # fmt: skip
def test_the_page_covers_what_the_specification_lists(wanted: str) -> None:
    assert wanted in README


def test_every_script_has_its_row() -> None:
    for name in (*pieces.EXPORTERS, *pieces.CALLERS):
        assert re.search(rf"^\|[^|]*`{re.escape(name)}", README.replace("`, `", "` |\n| `"), flags=re.M), name


@pytest.mark.parametrize("page", [README, AGENTS], ids=["readme", "agents"])
def test_commands_and_their_flags_exist(page: str) -> None:
    context = click.Context(ecluse)
    found = re.findall(r"(?:^ {4,}|`)ecluse ([a-z]+)((?: [^`#\n]*)?)", page, flags=re.M)
    assert len(found) >= 2
    for verb, rest in found:
        assert verb in VERBS, verb
        command = ecluse.get_command(context, verb)
        assert command is not None
        known = {flag for one in command.params for flag in (*one.opts, *one.secondary_opts)} | {"--help"}
        if not isinstance(command, click.Group):
            assert set(re.findall(r"(?<=\s)--[a-z-]+", rest)) <= known, (verb, rest)


def test_agents_are_taught_two_commands() -> None:
    assert "ecluse export --agent" in AGENTS and "ecluse sync --take" in AGENTS
    assert re.findall(r"^(\d)\. ", AGENTS, flags=re.M) == ["1", "2"]
