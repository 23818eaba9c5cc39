"""The three documents lie beside a real export, say what really happened, and are never part of the next one."""

from __future__ import annotations

import tarfile
from pathlib import Path
from typing import Any

import pytest

from ecluse.documents.session import NAMES
from ecluse.history import History

NOTE = "Done: the parser\n\n## Left\n- the docs\n"


def pages(folder: Path) -> dict[str, str]:
    return {path.name.rsplit("_", 2)[0]: path.read_text(encoding="utf-8") for path in folder.glob("*.md")}


def test_they_say_what_the_export_did(sandbox: Any, helpers: Any, tmp_path: Path) -> None:
    box = sandbox()
    box.commit("feat: parse it", parse_dot_py="x = 1\n")
    box.write("half.txt", "1\n2\n")
    box.write(".env", "A=1\n")
    done = helpers.export(box, to=tmp_path / "o", note=NOTE)
    found = pages(tmp_path / "o")
    assert set(found) == set(NAMES)
    summary, handoff, checklist = (found[name] for name in NAMES)
    assert "feat: parse it" in summary and "lines: +3 -0" in summary and "| python-syntax | success |" in summary
    assert "- the parser" in handoff and "- the docs" in handoff and "`.env` (sensitive)" in handoff
    assert done.head[:12] in handoff and done.change_id in handoff
    for one in done.payloads:
        assert one["sha256"] in checklist
    assert "- [ ] the manifest is not signed" in checklist


def test_the_language_and_the_switch_are_settings_of_the_checkout(
    sandbox: Any, helpers: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    box = sandbox()
    box.write("ecluse.toml", 'language = "fr"\n')
    helpers.export(box, to=tmp_path / "fr")
    assert "## Tâches" in pages(tmp_path / "fr")["agent-handoff"]
    box.write("ecluse.toml", "[documents]\nexport = false\n")
    helpers.export(box, to=tmp_path / "off")
    assert pages(tmp_path / "off") == {}
    (box.folder / "ecluse.toml").unlink()
    box.write("x", "x")
    monkeypatch.setenv("LC_ALL", "fr_FR.UTF-8")
    helpers.export(box, to=tmp_path / "locale")
    assert "## Tâches" in pages(tmp_path / "locale")["agent-handoff"]


def test_own_forms_are_used_but_not_through_links(sandbox: Any, helpers: Any, tmp_path: Path) -> None:
    box = sandbox()
    box.write(".sync/templates/agent-handoff.md", "Ours: ${title}\n")
    (box.folder / ".sync/templates/checklist-pre-sync.md").symlink_to("/etc/passwd")
    box.commit("feat: forms")
    helpers.export(box, to=tmp_path / "o")
    found = pages(tmp_path / "o")
    assert found["agent-handoff"] == "Ours: feat: forms\n"
    assert found["checklist-pre-sync"].startswith("# Checklist")


def test_they_travel_in_the_tar_and_do_not_count_as_work(
    bench: Any, history: History, sandbox: Any, helpers: Any, tmp_path: Path
) -> None:
    box = sandbox()
    box.write("new.txt", "1\n")
    helpers.export(box, to=box.folder / "out")
    done = helpers.export(box, to=tmp_path / "c.tar")
    assert [one["path"] for one in done.files] == ["new.txt"]
    assert done.omissions == ()
    with tarfile.open(done.path) as tar:
        assert {name.rsplit("_", 2)[0] for name in tar.getnames() if name.endswith(".md")} == set(NAMES)
    assert helpers.take_in(bench, history, done.path).files == ("new.txt",)
