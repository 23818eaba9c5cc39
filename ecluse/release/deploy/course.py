"""The way of a version to its environment, the same for every method: check, make room, record, bring."""

from __future__ import annotations

from ecluse.errors import Invalid, Refused
from ecluse.release import deployments
from ecluse.release.context import Context
from ecluse.release.deploy.carrier import carrier_of
from ecluse.release.gates import approval_for
from ecluse.release.steps.shape import Done


def bring(context: Context, step: str) -> Done:
    """Bring the release to its environment; every part is done once and probed after a death.

    Raises :class:`Refused` for production without an approval that holds for exactly this commit and plan, and
    :class:`Invalid` when the environment's method is another one than ``step`` carries out.
    """
    carrier = carrier_of(context.target)
    if carrier.step != step:
        raise Invalid(
            "deploy.method",
            f"The environment {context.target.name} has the method {context.target.method}, which is {carrier.step}, not {step}.",
            f"write `uses: {carrier.step}` in the playbook, or change the method in ecluse.toml",
        )
    if context.deployment is None:
        _check(context)
        carrier.prune(context)
    made = deployments.begin(context)
    said = carrier.bring(context, made)
    facts = {"deployment": made.id, "location": made.location, "previous": made.previous}
    service = carrier.service(context)
    return Done(said, {**facts, **({"service": service} if service else {})})


def _check(context: Context) -> None:
    release = context.release
    tagged = context.repository.resolve(f"refs/tags/v{release.version}") if release.version else None
    if tagged is not None and tagged != release.commit:
        raise Refused(
            "deploy.tag_elsewhere",
            f"v{release.version} is on {tagged[:12]}, this release is of {release.commit[:12]}; nothing was deployed.",
            f"git show v{release.version}",
        )
    if context.target.production and approval_for(context) is None:
        raise Refused(
            "deploy.not_approved",
            f"No approval holds for commit {release.commit[:12]} in {release.environment}: it was never given, or commit, plan or policy have changed since.",
            f"start again, so that people are asked about what is there now: ecluse release start {release.playbook}",
        )
