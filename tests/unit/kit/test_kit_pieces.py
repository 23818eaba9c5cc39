"""What init would write into a work tree, looked at without git."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path

import pytest

from ecluse import config
from ecluse.kit import pieces
from ecluse.kit.report import ActionKind


def found(folder: Path, path: str) -> pieces.Piece:
    return next(piece for piece in pieces.look_at(folder, trust=None, solo=None) if piece.path == path)


def test_an_empty_folder_needs_every_piece(tmp_path: Path) -> None:
    planned = pieces.look_at(tmp_path, trust=None, solo=None)
    assert {piece.path for piece in planned} == {
        ".sync/patches",
        ".sync/logs",
        ".sync/scripts",
        ".sync/templates",
        ".sync/README.md",
        "ecluse.toml",
        ".gitignore",
        "AGENTS.md",
        *(f".sync/scripts/{name}" for name in (*pieces.EXPORTERS, *pieces.CALLERS)),
        *(f".sync/templates/{name}.md" for name in ("sync-session-summary", "agent-handoff", "checklist-pre-sync")),
    }
    assert all(piece.action.kind is ActionKind.CREATED for piece in planned)
    assert list(tmp_path.iterdir()) == []


def test_the_gitignore_section_has_the_four_specified_lines_and_keeps_other_reports(tmp_path: Path) -> None:
    data = found(tmp_path, ".gitignore").data
    assert data is not None
    assert data.startswith(
        b"# --- Sync multi-agents (patches temporaires)\n.sync/patches/*.patch\n.sync/logs/*.log\n"
        b".sync/sync_history.db\n.sync/sync_history.json\n"
    )
    lines = data.decode().splitlines()
    assert "/reports/report.json" in lines
    assert "reports/" not in lines  # a repository may have reports of its own, which must not stop being carried


def test_sections_are_added_once_behind_what_is_there(tmp_path: Path) -> None:
    target = tmp_path / ".gitignore"
    target.write_bytes(b"*.o")
    first = found(tmp_path, ".gitignore")
    assert first.action.kind is ActionKind.APPENDED
    assert first.data is not None
    assert first.data.startswith(b"*.o\n\n# --- Sync multi-agents")
    target.write_bytes(first.data)
    assert found(tmp_path, ".gitignore").action.kind is ActionKind.KEPT


def test_a_section_from_the_first_system_is_kept_and_only_the_rest_added(tmp_path: Path) -> None:
    mine = b"# --- Sync multi-agents (patches temporaires)\n.sync/patches/*.patch\n"
    (tmp_path / ".gitignore").write_bytes(mine)
    data = found(tmp_path, ".gitignore").data
    assert data is not None
    assert data.count(b"Sync multi-agents") == 1
    assert data.startswith(mine)
    assert b"/memory/session.log\n" in data


def test_line_ends_and_mode_of_the_file_are_kept(tmp_path: Path) -> None:
    target = tmp_path / "AGENTS.md"
    target.write_bytes(b"# Rules\r\n\r\nBe kind.\r\n")
    target.chmod(0o600)
    piece = found(tmp_path, "AGENTS.md")
    assert piece.data is not None
    assert piece.data.startswith(b"# Rules\r\n\r\nBe kind.\r\n\r\n<!-- ecluse:begin -->\r\n")
    assert piece.data.replace(b"\r\n", b"").count(b"\n") == 0
    assert piece.mode == 0o600 or os.name == "nt"


def test_the_agents_block_is_marked_and_names_the_command(tmp_path: Path) -> None:
    data = found(tmp_path, "AGENTS.md").data
    assert data is not None
    assert data.startswith(pieces.AGENTS_BEGIN.encode() + b"\n")
    assert data.endswith(b"<!-- ecluse:end -->\n")
    assert b"ecluse export --agent" in data


def test_a_text_in_another_encoding_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "AGENTS.md").write_bytes("# Règles\n".encode("utf-16"))
    piece = found(tmp_path, "AGENTS.md")
    assert (piece.action.kind, piece.data) == (ActionKind.SKIPPED, None)
    assert "UTF-8" in piece.action.why


def test_nothing_is_written_through_a_symbolic_link(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "AGENTS.md").write_text("# Somewhere else\n")
    work = tmp_path / "work"
    work.mkdir()
    (work / ".sync").symlink_to(outside)
    (work / "AGENTS.md").symlink_to(outside / "AGENTS.md")
    (work / "ecluse.toml").symlink_to(outside / "not-there.toml")
    planned = {piece.path: piece for piece in pieces.look_at(work, trust=None, solo=None)}
    for path in (".sync/patches", ".sync/README.md", "AGENTS.md", "ecluse.toml"):
        assert planned[path].action.kind is ActionKind.SKIPPED, path
        assert "symbolic link" in planned[path].action.why


def test_a_file_in_the_way_of_a_folder_is_said(tmp_path: Path) -> None:
    (tmp_path / ".sync").write_text("mine")
    piece = found(tmp_path, ".sync/patches")
    assert (piece.action.kind, piece.action.why) == (ActionKind.SKIPPED, ".sync is a file")
    (tmp_path / "AGENTS.md").mkdir()
    assert found(tmp_path, "AGENTS.md").action.why == "a folder has this name"


def test_hand_written_files_are_kept(tmp_path: Path) -> None:
    (tmp_path / "ecluse.toml").write_text("solo = true\n")
    (tmp_path / ".sync").mkdir()
    (tmp_path / ".sync/README.md").write_text("mine\n")
    for path in ("ecluse.toml", ".sync/README.md"):
        piece = found(tmp_path, path)
        assert (piece.action.kind, piece.data) == (ActionKind.KEPT, None)


def test_a_policy_in_pyproject_is_not_overridden_by_a_new_file(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool.other]\n")
    assert found(tmp_path, "ecluse.toml").action.kind is ActionKind.CREATED
    (tmp_path / "pyproject.toml").write_text('[tool.ecluse]\ntrust = "all"\n')
    piece = found(tmp_path, "ecluse.toml")
    assert (piece.action.kind, piece.data) == (ActionKind.KEPT, None)
    assert "pyproject.toml" in piece.action.why


@pytest.mark.parametrize(
    ("trust", "solo", "wanted"),
    [
        (None, None, {}),
        ("all", None, {"trust": "all"}),
        ("signed", True, {"trust": "signed", "solo": True}),
        (None, False, {"solo": False}),
    ],
)
def test_the_new_policy_sets_what_was_asked_and_nothing_else(
    trust: str | None, solo: bool | None, wanted: dict[str, object]
) -> None:
    text = pieces.policy_text(trust, solo)  # type: ignore[arg-type]
    assert tomllib.loads(text) == {**wanted, "documents": {"landing": True}}
    config.parse(text.encode())


def test_the_commented_examples_are_valid_settings() -> None:
    lines = pieces.policy_text(None, None).splitlines()
    live = [
        line.removeprefix("# ")
        for line in lines
        if line.startswith(("# [", "[", "landing")) or " = " in line.partition("#")[2][:20]
    ]
    parsed = config.parse("\n".join(live).encode())
    assert parsed.intake.protected == ("deploy/**",)
    assert parsed.environments["local"].health == "/health"
    assert (parsed.trust, parsed.solo) == ("signed", False)
    assert (parsed.language, parsed.export.every, parsed.sync.every) == ("en", "5m", "1m")
    assert (parsed.documents.landing, parsed.documents.export) == (True, True)
