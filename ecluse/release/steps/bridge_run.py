"""``bridge.run``: two stores are kept in step from their webhooks for a while."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import ecluse
from ecluse import clock, process
from ecluse.config import BridgeConfig
from ecluse.errors import Failed, Invalid
from ecluse.files import write_atomically
from ecluse.process import JobState, job_status
from ecluse.release import durations, vault
from ecluse.release.context import Context
from ecluse.release.deploy.carrier import effect
from ecluse.release.steps.shape import Again, Done, Outcome, Shape

POLL_S = 0.5


def run(context: Context) -> Outcome:
    """Start the bridge or find it again; over: what it carried. Raises :class:`Failed` when it could not listen."""
    name = context.argument("bridge")
    settings = context.trunk.config.bridges.get(name)
    if settings is None:
        known = ", ".join(sorted(context.trunk.config.bridges)) or "none"
        raise Invalid(
            "bridge.unknown",
            f"The trunk's policy has no bridge {name!r} (it has: {known}).",
            f"add [bridges.{name}] to ecluse.toml on the trunk",
        )
    window = _window(context.argument("for").strip())
    job = context.folder / context.effect(str(context.retries + 1))
    begun = effect(
        context,
        context.effect(f"start.{context.retries + 1}"),
        lambda: _begin(context, name, settings, job, window),
        lambda: job_status(job).state is not JobState.ABSENT,
        {"job": str(job), "bridge": name, "window_s": window},
    )
    del begun
    result = job / "result.json"
    if not result.is_file():
        if job_status(job).state is JobState.RUNNING:
            return Again(POLL_S, f"the bridge {name} is open")
        raise Failed(
            "bridge.lost", f"The bridge {name} was ended from outside.", f"ecluse release retry {context.release.id}"
        )
    said = json.loads(result.read_bytes())
    if said["why"]:
        raise Failed(
            "bridge.failed", f"The bridge {name} failed: {said['why']}.", f"look at listen in [bridges.{name}]"
        )
    counts = ", ".join(f"{word} {number}" for word, number in sorted(said["counts"].items())) or "no event"
    return Done(f"{name}: {counts}", {"counts": said["counts"]})


def _begin(context: Context, name: str, settings: BridgeConfig, job: Path, window: float) -> None:
    named = {settings.secret, settings.left.token, settings.right.token} - {""}
    secrets = {one: vault.value(context.repository, one) for one in sorted(named)}
    place = context.repository.state_dir / "bridges" / f"{name}.json"
    place.parent.mkdir(parents=True, exist_ok=True)
    job.mkdir(parents=True, exist_ok=True)
    request = {
        "settings": settings.table(),
        "secrets": sorted(secrets),
        "place": str(place),
        "until": clock.parse(clock.after(window)).timestamp(),
    }
    write_atomically(job / "bridge.json", json.dumps(request).encode(), mode=0o600)
    root = Path(ecluse.__file__).resolve().parent.parent
    env = {key: os.environ[key] for key in ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR") if key in os.environ}
    process.run_job(job, [sys.executable, "-m", "ecluse.release.bridge", str(job)], cwd=root, env={**env, **secrets})


def _window(text: str) -> float:
    """How long the bridge is open, in seconds. Raises :class:`Invalid` for what is no length of time."""
    window = durations.seconds(text) if text else 3600.0
    if not window:
        raise Invalid("bridge.window", f"for={text} is no length of time, such as 8 h.", "ecluse playbook lint")
    return window


SHAPE = Shape(
    "bridge.run",
    "keeps two stores in step both ways from their signed webhooks, once for each event, and drops the events that "
    "carry its own X-Bridge-Origin",
    run,
    keys={
        "bridge": "its name in [bridges.NAME] of ecluse.toml",
        "for": "how long, such as 8 h; one hour when not given",
    },
    kinds={"for": "time"},
    required=("bridge",),
    outputs={"counts": "events by what became of them: written, deleted, same, own, seen, failed"},
    effect="a detached job that writes to both stores",
    probe="the job's folder and lock",
)
