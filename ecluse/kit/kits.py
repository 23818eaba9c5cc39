"""Which files each part of the kit consists of."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path

from ecluse.errors import Invalid
from ecluse.kit import docker, environments, guide, hooks, makefile, pieces, staging, workflows
from ecluse.kit.report import Action, ActionKind
from ecluse.kit.survey import Survey, look
from ecluse.kit.wanted import Wanted, compare

KITS = ("ci", "hooks", "docker", "staging", "release", "agents")


def chosen(text: str) -> tuple[str, ...]:
    """The names in ``--kit``. Raises :class:`Invalid` for one that there is not."""
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    if names == ("all",):
        return KITS
    for name in names:
        if name not in KITS:
            raise Invalid(
                "kit.unknown",
                f"There is no kit {name!r} (there is: {', '.join(KITS)}; all is every one of them).",
                f"ecluse init --kit {KITS[0]}",
            )
    return names


def files(work_tree: Path, survey: Survey, kits: tuple[str, ...]) -> list[Wanted]:
    """The files of ``kits``, in the order in which a person would read them."""
    found: list[Wanted] = []
    if "hooks" in kits:
        found += hooks.wanted(survey)
    if "ci" in kits:
        found += [*workflows.wanted(work_tree, survey), *makefile.wanted(work_tree, survey)]
    elif {"staging", "release"} & set(kits) and (work_tree / workflows.DEPLOY).is_file():
        found += [one for one in workflows.wanted(work_tree, survey) if one.path == workflows.DEPLOY]
    if "docker" in kits:
        found += docker.wanted(work_tree, survey)
    if "staging" in kits:
        found += staging.wanted(survey, work_tree)
    if "release" in kits:
        found += [*workflows.package(survey), guide.playbook(work_tree, survey)]
    return found


def foreseen(survey: Survey, kits: tuple[str, ...]) -> Survey:
    """The survey as it will be once ``kits`` are written, so that a second time finds nothing new."""
    projects = survey.projects
    if "docker" in kits:
        projects = tuple(
            replace(one, dockerfile=one.dockerfile or f"{'' if one.path == '.' else one.path + '/'}Dockerfile")
            if docker.startable(one)
            else one
            for one in projects
        )
    survey = replace(survey, projects=projects)
    if "staging" in kits:
        made = {one.path for one in staging.wanted(survey) if not one.why}
        survey = replace(
            survey,
            compose=tuple(sorted({path for path in made if "compose" in path} | set(survey.compose))),
            workflows=tuple(sorted({path for path in made if path.startswith(".github/")} | set(survey.workflows))),
        )
    if "release" in kits:
        made = {one.path for one in workflows.package(survey)}
        survey = replace(survey, workflows=tuple(sorted(made | set(survey.workflows))))
    return survey


def plan(work_tree: Path, survey: Survey, kits: tuple[str, ...]) -> list[pieces.Piece]:
    """What is to be done about each file of ``kits``; moves of tests are proposed last."""
    survey = foreseen(survey, kits)
    planned = [compare(work_tree, one) for one in files(work_tree, survey, kits)]
    if "agents" in kits:
        planned.append(guide.for_agents(work_tree, survey))
    if "ci" in kits:
        planned += [_moves(one.path, one.moves) for one in survey.projects if one.moves]
    return planned


def one_file(work_tree: Path, path: str) -> str:
    """The text that the kit has for ``path``, whatever is there. Raises :class:`Invalid` when it has none."""
    survey = foreseen(look(work_tree), KITS)
    made = {one.path: one.text for one in files(work_tree, survey, KITS)}
    policy = pieces.policy_text(None, None) + "".join(
        f"\n{block}" for block in environments.blocks(survey, "main").values()
    )
    made |= {"ecluse.toml": policy, "AGENTS.md": pieces.text("agents.md")}
    if path not in made:
        raise Invalid(
            "kit.no_file", f"The kit has no file {path!r} (it has: {', '.join(sorted(made))}).", "ecluse init --dry-run"
        )
    return made[path]


def _moves(place: str, moves: tuple[tuple[str, str], ...]) -> pieces.Piece:
    folders = sorted({to.rpartition("/")[0] for _, to in moves})
    inside = "" if place == "." else f"cd {shlex.quote(place)} && "
    moved = " && ".join(shlex.join(["git", "mv", old, new]) for old, new in moves)
    command = f"{inside}mkdir -p {shlex.join(folders)} && {moved}"
    what = f"{'' if place == '.' else place + '/'}tests"
    return pieces.Piece(Action(ActionKind.PROPOSED, what, "folders by kind, so that each can run alone", command))
