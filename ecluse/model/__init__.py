"""The nouns of Écluse and their states. Imports nothing of ours but the nouns of measurements.

All nouns are frozen; a new state is a new value (``dataclasses.replace``) stored together with the event that made
it. Instants are text as :func:`ecluse.clock.instant` writes them; durations are milliseconds; commit and tree ids are
full lower-case hex object ids; sizes are bytes.
"""

from ecluse.model.changes import Agent, Change, ChangeState, Finding, Role, Verdict
from ecluse.model.events import Event, Instant
from ecluse.model.landings import Landing, LandingState
from ecluse.model.releases import (
    Deployment,
    DeploymentState,
    Gate,
    GateState,
    Hold,
    HoldKind,
    HoldState,
    Release,
    ReleaseState,
)
from ecluse.model.runs import Annotation, Artifact, Cause, Job, NotRunHere, Report, Result, Run, RunState, Step

__all__ = [
    "Agent",
    "Annotation",
    "Artifact",
    "Cause",
    "Change",
    "ChangeState",
    "Deployment",
    "DeploymentState",
    "Event",
    "Finding",
    "Gate",
    "GateState",
    "Hold",
    "HoldKind",
    "HoldState",
    "Instant",
    "Job",
    "Landing",
    "LandingState",
    "NotRunHere",
    "Release",
    "ReleaseState",
    "Report",
    "Result",
    "Role",
    "Run",
    "RunState",
    "Step",
    "Verdict",
]
