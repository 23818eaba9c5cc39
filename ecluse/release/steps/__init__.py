"""The step library: one module of one shape for each action, and the one table that names them."""

from __future__ import annotations

from importlib import import_module

from ecluse.release.steps.shape import Shape

ACTIONS: dict[str, str] = {
    "semver.decide": "semver_decide",
    "changelog.write": "changelog_write",
    "ci.green": "ci_green",
    "rollback.ready": "rollback_ready",
    "ask": "ask",
    "git.tag": "git_tag",
    "deploy.folder": "deploy_folder",
    "health.http": "health_http",
    "smoke": "smoke",
    "watch": "watch",
    "notify": "notify",
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
