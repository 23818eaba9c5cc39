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


def test_unknown_name_and_bare_repository(bench: Any) -> None:
    with pytest.raises(Invalid, match="it has: release"):
        playbooks.add(bench.repository, "nothing")
    bench.git("clone", "-q", "--bare", ".", "../bare.git")
    from ecluse.git import Repository

    with pytest.raises(Invalid, match="bare"):
        playbooks.add(Repository.discover(bench.folder.parent / "bare.git"), "release")
