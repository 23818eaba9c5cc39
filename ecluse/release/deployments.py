"""The records of what was brought where: one for each attempt, and exactly one live in an environment."""

from __future__ import annotations

import dataclasses

from ecluse import clock
from ecluse.history import History
from ecluse.model import Deployment, DeploymentState, Event
from ecluse.release.context import Context
from ecluse.release.deploy.carrier import carrier_of


def begin(context: Context) -> Deployment:
    """The record of this release's attempt, made on the first call.

    Where no version was decided (a deployment to staging), the beginning of the commit stands for it: that is what the
    service and its hosts are asked for.
    """
    standing = context.deployment
    if standing is not None:
        return standing
    release, live, moment = context.release, context.live, clock.instant()
    version = release.version or release.commit[:12]
    made = Deployment(
        id=clock.new_id("dep"),
        release=release.id,
        environment=release.environment,
        version=version,
        commit=release.commit,
        state=DeploymentState.BEGUN,
        location=carrier_of(context.target).location(version, release.id),
        created_at=moment,
        updated_at=moment,
        previous=live.id if live else "",
    )
    after = f" after {live.version}" if live else ", the first one there"
    text = f"deployment of {made.version} to {made.environment} begun{after}"
    data = {"release": release.id, "version": made.version, "location": made.location, "previous": made.previous}
    context.history.record(made, Event("deployment.begun", made.subject, text, data=data))
    return made


def mark_live(context: Context) -> None:
    """This release's deployment is live from now on, and the one before it is replaced."""
    made = context.deployment
    if made is None or made.state is not DeploymentState.BEGUN:
        return
    with context.history.transaction():
        for other in context.history.find(
            Deployment, environment=made.environment, state=DeploymentState.LIVE, newest_first=True
        ):
            change(context.history, other, DeploymentState.REPLACED, f"replaced by {made.version}")
        change(context.history, made, DeploymentState.LIVE, "")


def change(history: History, deployment: Deployment, state: DeploymentState, reason: str) -> None:
    """Store a deployment's new state with its event."""
    if deployment.state is state:
        return
    changed = dataclasses.replace(deployment, state=state, reason=reason, updated_at=clock.instant())
    text = f"{deployment.version} in {deployment.environment} is {state.replace('_', ' ')}"
    data = {"release": deployment.release, "reason": reason}
    history.record(changed, Event(f"deployment.{state}", deployment.subject, text, data=data))
