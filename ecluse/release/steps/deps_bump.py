"""``deps.bump``: pinned dependencies are brought to their newest versions, as a change that goes through intake."""

from __future__ import annotations

import sys
from pathlib import Path

from ecluse.config import AgentConfig
from ecluse.errors import Failed, Invalid
from ecluse.process import JobState, job_status
from ecluse.release import agents
from ecluse.release.bump.newest import LEVELS
from ecluse.release.context import Context
from ecluse.release.deploy.carrier import effect
from ecluse.release.steps.intake_import import take_in
from ecluse.release.steps.shape import Again, Done, Outcome, Shape

NAME = "bump-deps"
POLL_S = 0.5
NOTHING = "nothing"


def run(context: Context) -> Outcome:
    """Start the job or find it again; over: have its bundle taken in. Raises :class:`Failed` when nothing could be asked."""
    level = context.argument("level") or "minor"
    if level not in LEVELS:
        raise Invalid("bump.level", f"level={level} is not patch, minor or major.", "ecluse playbook lint")
    names = context.argument("names").replace(",", " ").split()
    job = context.folder / context.effect(str(context.retries + 1))
    effect(
        context,
        context.effect(f"start.{context.retries + 1}"),
        lambda: agents.begin(context, NAME, _settings(level, names), "", job),
        lambda: job_status(job).state is not JobState.ABSENT,
        {"job": str(job), "level": level, "commit": context.release.commit},
    )
    result = agents.result_of(job)
    if result is None:
        if job_status(job).state is JobState.RUNNING:
            return Again(POLL_S, "newest versions are looked up")
        raise Failed("agent.lost", "The look-up was ended from outside; its log is kept.", f"less {job / 'agent.log'}")
    return _over(context, result, job)


def _settings(level: str, names: list[str]) -> AgentConfig:
    words = (sys.executable, "-m", "ecluse.release.bump", level, *names)
    return AgentConfig(
        command=words,
        minutes=30,
        variables=("PIP_INDEX_URL", "PIP_CONFIG_FILE", "PIP_TRUSTED_HOST", "NPM_CONFIG_REGISTRY", "NPM_CONFIG_USERCONFIG",
                   "SSL_CERT_FILE", "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY"),
    )  # fmt: skip


def _over(context: Context, result: agents.Result, job: Path) -> Outcome:
    log = job / "agent.log"
    said = log.read_text("utf-8", "replace").splitlines() if log.exists() else []
    if result.why:
        why = next((line for line in reversed(said) if line.startswith("not asked:")), result.why)
        raise Failed("bump.failed", f"Nothing could be looked up: {why}", f"less {log}")
    bumped = [line.removeprefix("bumped: ") for line in said if line.startswith("bumped: ")]
    majors = [line.removeprefix("major: ") for line in said if line.startswith("major: ")]
    kept = [line for line in said if line.startswith(("left alone: ", "not asked: "))]
    facts = {"bumped": bumped, "majors": majors, "left": kept, "log": str(log)}
    if not result.bundle:
        return Done(NOTHING, facts)
    taken = take_in(context, context.effect(f"import.{context.retries + 1}"), result.bundle)
    if not isinstance(taken, Done):
        return taken
    return Done("; ".join(bumped) or "files changed", {**facts, **taken.result})


SHAPE = Shape(
    "deps.bump",
    "looks at every exact version in requirement files, pyproject.toml, package.json, Dockerfiles and compose files, and "
    "brings what has a newer one up to date, one commit each; the change goes through intake like any other. Newer "
    "majors are listed, and taken only with `level=major`",
    run,
    keys={
        "level": "patch, minor or major: how far a bump may go; minor when not given",
        "names": "only these dependencies, separated by commas",
    },
    kinds={"level": "patch|minor|major"},
    outputs={
        "change": "the key of the change; absent when everything is new",
        "bumped": "a line for each dependency: name, versions, files",
        "majors": "newer versions beyond the level",
        "left": "what was left alone or could not be asked, and why",
    },
    effect="a detached job on a clone; then as intake.import",
    probe="the job's folder and lock; the journal of the import",
)
