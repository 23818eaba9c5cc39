"""The step library: one module of one shape for each action, and the one table that names them."""

from __future__ import annotations

from importlib import import_module

from ecluse.release.steps.shape import Shape

ACTIONS: dict[str, str] = {
    "semver.decide": "semver_decide",
    "changelog.write": "changelog_write",
    "ci.green": "ci_green",
    "ci.job": "ci_job",
    "rollback.ready": "rollback_ready",
    "ask": "ask",
    "wait": "wait",
    "freeze.begin": "freeze_begin",
    "freeze.lift": "freeze_lift",
    "git.tag": "git_tag",
    "git.branch": "git_branch",
    "backup.make": "backup_make",
    "backup.age": "backup_age",
    "backup.restore-test": "backup_restore_test",
    "backup.restore": "backup_restore",
    "image.build": "image_build",
    "image.push": "image_push",
    "deploy.folder": "deploy_folder",
    "deploy.compose": "deploy_compose",
    "deploy.command": "deploy_command",
    "health.http": "health_http",
    "smoke": "smoke",
    "watch": "watch",
    "notify": "notify",
    "release.notes": "release_notes",
    "secrets.rotate": "secrets_rotate",
    "audit.report": "audit_report",
    "agent.run": "agent_run",
    "bridge.run": "bridge_run",
    "deps.bump": "deps_bump",
    "incident.open": "incident_open",
    "incident.post-mortem": "incident_post_mortem",
    "intake.import": "intake_import",
    "landing.land": "landing_land",
}
"""Action -> module in this folder. ``uses:`` of a playbook names one of these."""


def shape_of(name: str) -> Shape | None:
    """The shape of the action ``name``, or ``None`` when there is no such action."""
    module = ACTIONS.get(name)
    if module is None:
        return None
    shape = import_module(f"ecluse.release.steps.{module}").SHAPE
    assert isinstance(shape, Shape)  # noqa: S101 - our own modules; a test loads them all
    return shape
