"""``secrets.rotate``: every secret of the environment gets a new value, the service takes it, the old one is withdrawn."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ecluse.errors import Failed, Invalid
from ecluse.history import perform
from ecluse.history.journal import Probed
from ecluse.release import vault
from ecluse.release.context import Context
from ecluse.release.deploy.host import HERE, Host, hosts_of
from ecluse.release.steps.shape import Done, Shape
from ecluse.release.target import Target


def run(context: Context) -> Done:
    """Renew the named secrets, else all of the environment's. Raises :class:`Invalid` when there are none."""
    return rotate(context, context.effect, [one for one in context.argument("names").split(",") if one])


def rotate(context: Context, effect_name: Callable[[str], str], names: list[str] | None = None) -> Done:
    """Renew secrets in effects called ``effect_name(part)``. Values are never recorded, only that they changed."""
    target = context.target
    wanted = names or list(target.secrets)
    if not wanted:
        raise Invalid(
            "secrets.none",
            f"The environment {target.name} names no secrets, so there is nothing to renew.",
            f'add secrets = ["NAME"] to [environments.{target.name}] in ecluse.toml on the trunk',
        )
    for name in wanted:
        _rotate_one(context, target, name, effect_name)
    return Done(f"{', '.join(wanted)} renewed", {"secrets": wanted})


def _rotate_one(context: Context, target: Target, name: str, effect_name: Callable[[str], str]) -> None:
    repository = context.repository

    def make() -> None:
        vault.prepare(repository, name, _new_value(target, name))

    def take() -> None:
        new = vault.prepared(repository, name)
        if new is None:
            return
        for host in hosts_of(target):
            _give(target, host, "apply", name, new)

    def withdraw() -> None:
        old = _old_value(context, name)
        if old:
            _give(target, Host(HERE), "revoke", name, old)

    def is_prepared() -> bool:
        return vault.prepared(repository, name) is not None

    _effect(context, effect_name(f"{name}.make"), name, make, is_prepared)
    _effect(context, effect_name(f"{name}.apply"), name, take, lambda: False)
    _effect(context, effect_name(f"{name}.revoke"), name, withdraw, lambda: False)
    _effect(
        context,
        effect_name(f"{name}.enforce"),
        name,
        lambda: vault.enforce(repository, name),
        lambda: not is_prepared(),
    )


def _effect(context: Context, step: str, name: str, do: Callable[[], None], happened: Callable[[], bool]) -> None:
    def act(plan: dict[str, Any]) -> dict[str, Any]:
        do()
        return plan

    subject = context.release.subject
    perform(context.history, subject, step, act, probe=lambda p: Probed(happened(), p), plan={"secret": name})


def _new_value(target: Target, name: str) -> str:
    script = target.commands.get("rotate", "")
    if not script:
        return vault.generate()
    made = Host(HERE).text(script, variables={**target.variables, "ECLUSE_SECRET": name})
    if not made:
        raise Failed(
            "secrets.empty", f"commands.rotate of {target.name} printed nothing for {name}.", "edit ecluse.toml"
        )
    return made


def _old_value(context: Context, name: str) -> str:
    try:
        return vault.value(context.repository, name)
    except Invalid:
        return ""


def _give(target: Target, host: Host, command: str, name: str, value: str) -> None:
    """Hand a value to one of the environment's commands on its standard input. What it says is masked."""
    script = target.commands.get(command, "")
    if not script:
        return
    variables = {**target.variables, "ECLUSE_SECRET": name, "ECLUSE_ENVIRONMENT": target.name}
    done = host.run(script, variables=variables, stdin=f"{value}\n".encode(), check=False)
    if done.code != 0:
        said = vault.masker(value).mask(done.stderr.decode("utf-8", "replace").strip()[-600:])
        raise Failed(
            "secrets.command",
            f"commands.{command} of {target.name} ended with status {done.code} for {name} on {host.label}: {said}",
            "look at the command in ecluse.toml, then: ecluse release retry",
        )


SHAPE = Shape(
    "secrets.rotate",
    "gives every secret of the environment a new value (`commands.rotate`, or a random one), has `commands.apply` take it "
    "into use on the hosts, and `commands.revoke` withdraw the old one",
    run,
    keys={"names": "only these, separated by commas"},
    environment=True,
    irreversible=True,
    outputs={"secrets": "the names that were renewed"},
    effect="the secrets here and on the hosts; values go by standard input and are never recorded",
    probe="is a next value prepared? is it in force? Giving the same value to a command again must change nothing",
)
