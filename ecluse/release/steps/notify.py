"""``notify``: an announcement from a template of the playbook, into the history and to the webhook."""

from __future__ import annotations

from typing import Any

from ecluse import notify
from ecluse.history import perform
from ecluse.history.journal import Probed
from ecluse.release.conditions import fill
from ecluse.release.context import Context
from ecluse.release.steps.shape import Done, Shape

KIND = "release.announced"


def run(context: Context) -> Done:
    """Announce once. Cut short while the webhook was being called, it asks: a sent message cannot be seen."""
    name = context.argument("template")
    template = context.playbook.templates.get(name) or "{playbook} {version} is live in {environment}."
    text = fill(template, context.words)
    settings = context.trunk.config.notify

    def do(plan: dict[str, Any]) -> dict[str, Any]:
        facts = {"release": context.release.id, "version": context.release.version, "template": name}
        delivery = notify.send(context.history, settings, KIND, plan["text"], facts, always=True)
        return {**plan, "sent": delivery.sent, "why": delivery.why}

    result = perform(
        context.history,
        context.release.subject,
        context.effect(),
        do,
        probe=lambda plan: Probed(None if plan["outside"] else False),
        plan={"text": text, "template": name, "outside": notify.reaches_out(settings)},
    )
    kept = "" if result.get("sent", True) else f"\n(kept in the history only: {result.get('why', '')})"
    return Done(f"{result['text']}{kept}", result)


SHAPE = Shape(
    "notify",
    "announces with a template of Communications, in the history and to whoever [notify] of the policy names",
    run,
    keys={"template": "the template's name in Communications"},
    outputs={"text": "what was said", "sent": "whether the webhook took it", "why": "why not"},
    effect="a message",
    probe="without a webhook nothing leaves the history; a message that was being sent cannot be seen: a person is asked",
    aside=True,
)
