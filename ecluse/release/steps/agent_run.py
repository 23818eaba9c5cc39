"""``agent.run``: a coding agent works on a clone; what it made comes back as a change bundle through intake."""

from __future__ import annotations

from pathlib import Path

from ecluse.config import AgentConfig
from ecluse.errors import Failed, Invalid
from ecluse.process import JobState, job_status
from ecluse.release import agents
from ecluse.release.conditions import fill
from ecluse.release.context import Context
from ecluse.release.deploy.carrier import effect
from ecluse.release.steps.intake_import import take_in
from ecluse.release.steps.shape import Again, Done, Outcome, Shape

POLL_S = 1.0


def run(context: Context) -> Outcome:
    """Start the agent or find it again; over: have its bundle taken in. Raises :class:`Failed` when it made none."""
    name = context.argument("agent")
    settings = context.trunk.config.agents.get(name)
    if settings is None:
        known = ", ".join(sorted(context.trunk.config.agents)) or "none"
        raise Invalid(
            "agent.unknown",
            f"The trunk's policy has no agent {name!r} (it has: {known}).",
            f"add [agents.{name}] with its command to ecluse.toml on the trunk",
        )
    job = context.folder / context.effect(str(context.retries + 1))
    effect(
        context,
        context.effect(f"start.{context.retries + 1}"),
        lambda: agents.begin(context, name, settings, brief_of(context), job),
        lambda: job_status(job).state is not JobState.ABSENT,
        {"job": str(job), "agent": name, "commit": context.release.commit},
    )
    result = agents.result_of(job)
    if result is None:
        if job_status(job).state is JobState.RUNNING:
            return Again(POLL_S, f"{name} works")
        raise Failed("agent.lost", f"{name} was ended from outside; its log is kept.", f"less {job / 'agent.log'}")
    return _over(context, name, settings, result, job)


def _over(context: Context, name: str, settings: AgentConfig, result: agents.Result, job: Path) -> Outcome:
    log = job / "agent.log"
    if result.why:
        raise Failed("agent.failed", f"{name} {result.why}", f"less {log}")
    facts = {"agent": name, "log": str(log), "cost": result.cost, "seconds": round(result.seconds, 1)}
    spent = f" for {result.cost:g}" if result.cost else ""
    if not result.bundle:
        return Done(f"{name} worked {result.seconds:.0f} s{spent} and changed nothing", facts)
    taken = take_in(context, context.effect(f"import.{context.retries + 1}"), result.bundle)
    if not isinstance(taken, Done):
        return taken
    return Done(f"{name} worked {result.seconds:.0f} s{spent}; {taken.said}", {**facts, **taken.result})


def brief_of(context: Context) -> str:
    """What the agent reads: the brief of the step (a file of the commit, or a template), then the step as written."""
    template = context.argument("template")
    path = context.argument("brief")
    if path:
        data = context.repository.read(context.release.commit, path)
        if data is None:
            raise Invalid(
                "agent.brief", f"There is no file {path} in {context.release.commit[:12]}.", "ecluse playbook lint"
            )
        text = data.decode("utf-8", "replace")
    elif template:
        text = context.playbook.templates.get(template, "")
    else:
        text = f"# {context.step.title}\n\n{context.step.prose}"
    return fill(text, context.words).strip() + "\n"


SHAPE = Shape(
    "agent.run",
    "starts a configured coding agent on a clone, with a brief on its standard input and limits of time and cost; what "
    "it changed comes back as a bundle and goes through intake",
    run,
    keys={
        "agent": "its name in [agents.NAME] of ecluse.toml",
        "brief": "a file of the commit that is the brief",
        "template": "or a template of Communications; the step's own prose when neither is given",
    },
    required=("agent",),
    outputs={
        "change": "the key of the change it made; absent when it changed nothing",
        "log": "the file with everything it said",
        "cost": "what it cost, when it said so",
        "seconds": "how long it worked",
    },
    effect="a detached job on a clone; then as intake.import",
    probe="the job's folder and lock; the journal of the import",
)
