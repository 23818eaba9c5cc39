"""The pages of the kit: the release playbook, and what agents need to know about checking their work here."""

from __future__ import annotations

from pathlib import Path

from ecluse.files import read_capped
from ecluse.kit import docker, pieces
from ecluse.kit.report import Action, ActionKind
from ecluse.kit.survey import Survey
from ecluse.kit.wanted import Wanted, plain

PLAYBOOK = "playbooks/release.md"
_BEGIN = "<!-- ecluse kit:begin -->"


def playbook(work_tree: Path, survey: Survey) -> Wanted:
    """A release playbook that fits, to be made one's own: it has no foot, so it is never renewed.

    Services go live by their images; a package ends at its tag, from which the forge's workflow publishes it.
    """
    package = docker.published(survey)
    services = [one for one in survey.projects if docker.stays(one) and one.dockerfile]
    versions = package.versions if package else ()
    text = plain("release.md", services=services, package=package, versions=versions)
    page = work_tree / PLAYBOOK
    why = "" if not page.is_file() else "it is yours and stays; to compare: ecluse init --print " + PLAYBOOK
    return Wanted(PLAYBOOK, text, why=why)


def section(survey: Survey) -> str:
    """The part of AGENTS.md about checks: one command for each project and kind of test."""
    lines = [_BEGIN, "## Checking your work here", "", "    make setup", "    make lint"]
    for one in survey.projects:
        lines += [f"    make test-{one.name}-{test.kind}" for test in one.tests]
    lines += ["    ecluse run", "", "`ecluse run` is what decides: it runs the workflows of `.github/workflows/`."]
    return "\n".join([*lines, "<!-- ecluse kit:end -->"])


def for_agents(work_tree: Path, survey: Survey) -> pieces.Piece:
    """That part, added once to the AGENTS.md that init writes or finds."""
    why = pieces.obstacle(work_tree, "AGENTS.md")
    if why:
        return pieces.Piece(Action(ActionKind.SKIPPED, "AGENTS.md", why))
    target = work_tree / "AGENTS.md"
    mode, standing = 0o644, pieces.text("agents.md")
    if target.is_file():
        mode, standing = target.stat().st_mode & 0o777, read_capped(target, 8 << 20).decode("utf-8", "surrogateescape")
        if pieces.AGENTS_BEGIN not in standing:  # init's own section is added in the same go
            standing = standing.rstrip("\n") + "\n\n" + pieces.text("agents.md")
    if _BEGIN in standing:
        return pieces.Piece(Action(ActionKind.KEPT, "AGENTS.md"))
    data = (standing.rstrip("\n") + "\n\n" + section(survey) + "\n").encode("utf-8", "surrogateescape")
    return pieces.Piece(Action(ActionKind.APPENDED, "AGENTS.md", "how to check one's work here"), data, mode)
