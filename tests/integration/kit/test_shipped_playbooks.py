"""The shipped playbook in a stranger's repository: added once, never over a page of one's own, and free of faults."""

from __future__ import annotations

from typing import Any

import pytest

from ecluse.errors import Invalid, Refused
from ecluse.kit import playbooks
from ecluse.release import compile_playbook, lint


@pytest.mark.parametrize("name", playbooks.SHIPPED)
def test_added_once_and_without_fault(bench: Any, name: str) -> None:
    target = playbooks.add(bench.repository, name)
    assert target == bench.folder / "playbooks" / f"{name}.md"
    assert lint(compile_playbook(target.read_text(), f"playbooks/{name}.md"), production=name == "release") == []
    target.write_text("mine")
    with pytest.raises(Refused):
        playbooks.add(bench.repository, name)
    assert target.read_text() == "mine"


def test_the_folder_has_an_index_with_the_common_conventions(bench: Any) -> None:
    for name in playbooks.SHIPPED:
        playbooks.add(bench.repository, name)
    readme = bench.folder / "playbooks" / "README.md"
    text = readme.read_text()
    assert [line.split("]")[0][3:] for line in text.splitlines() if line.startswith("| [")] == sorted(playbooks.SHIPPED)
    assert "| [release](release.md) | Release | production | go-live | `version` |" in text
    assert "## Conventions that all pages share" in text
    readme.write_text(text.replace("# Playbooks", "# How we work", 1) + "\nOurs.\n")
    (bench.folder / "playbooks" / "broken.md").write_text("no page\n")
    (bench.folder / "playbooks" / "incident.md").unlink()
    playbooks.index(readme.parent)
    again = readme.read_text()
    assert again.startswith("# How we work") and again.endswith("\nOurs.\n"), "what people wrote stays"
    assert "faulty: `ecluse playbook lint broken`" in again and "incident.md" not in again
    readme.write_text("mine\n")
    with pytest.raises(Refused, match="somebody's own"):
        playbooks.index(readme.parent)
    (bench.folder / "playbooks" / "release.md").unlink()
    playbooks.add(bench.repository, "release")
    assert readme.read_text() == "mine\n"


@pytest.mark.parametrize("name", playbooks.SHIPPED)
def test_the_command_finds_no_fault_before_the_policy_knows_the_environment(
    bench: Any, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from click.testing import CliRunner

    from ecluse.cli.group import ecluse

    bench.commit("feat: first")
    playbooks.add(bench.repository, name)
    bench.commit("docs: page")
    monkeypatch.chdir(bench.folder)
    for page in (name, f"playbooks/{name}.md"):
        said = CliRunner().invoke(ecluse, ["playbook", "lint", page])
        assert said.exit_code == 0 and "without fault" in said.output, said.output


def test_unknown_name_and_bare_repository(bench: Any) -> None:
    with pytest.raises(Invalid, match="it has: release"):
        playbooks.add(bench.repository, "nothing")
    bench.git("clone", "-q", "--bare", ".", "../bare.git")
    from ecluse.git import Repository

    with pytest.raises(Invalid, match="bare"):
        playbooks.add(Repository.discover(bench.folder.parent / "bare.git"), "release")
