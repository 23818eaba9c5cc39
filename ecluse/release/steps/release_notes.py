"""``release.notes``: the version's page on GitHub, Forgejo or GitLab, with its section of the changelog."""

from __future__ import annotations

from ecluse.errors import Invalid
from ecluse.history import perform
from ecluse.history.journal import Probed
from ecluse.release import forge
from ecluse.release.conditions import fill
from ecluse.release.context import Context
from ecluse.release.steps.shape import Done, Shape


def run(context: Context) -> Done:
    """Publish once; a page for the tag that is there already gets the new text."""
    settings = context.trunk.config.forge
    if settings is None:
        raise Invalid(
            "notes.no_forge",
            "The trunk's policy has no section [forge], so it is not known where release notes are published.",
            "add [forge] with kind, url, project and token to ecluse.toml on the trunk",
        )
    release = context.release
    if not release.version:
        raise Invalid("notes.no_version", "Release notes need a version.", "put semver.decide first")
    template = context.playbook.templates.get(context.argument("template")) or "{section}"
    notes = forge.Notes(
        tag=f"v{release.version}",
        commit=release.commit,
        title=context.argument("title", "v{version}"),
        body=fill(template, context.words),
        prerelease="-" in release.version,
    )
    client = forge.Forge(settings, context.repository)

    def do(plan: dict[str, object]) -> dict[str, object]:
        return {**plan, "url": client.publish(notes)}

    made = perform(
        context.history,
        release.subject,
        context.effect(),
        do,
        probe=lambda plan: Probed(client.has(notes), {**plan, "url": client.address_of(notes)}),
        plan={"tag": notes.tag, "forge": settings.kind, "project": settings.project},
    )
    return Done(f"the notes of {notes.tag} are at {made['url'] or settings.project}", dict(made))


SHAPE = Shape(
    "release.notes",
    "publishes the version's notes on the forge that the policy names (GitHub, Forgejo, GitLab)",
    run,
    keys={
        "template": "a template of Communications; the changelog's section when not given",
        "title": "the page's title; v{version} when not given",
    },
    outputs={"url": "the page's address", "tag": "the tag", "forge": "its kind", "project": "owner/name"},
    effect="a release on the forge",
    probe="the forge is asked for the release of that tag, and whether it has this text",
    aside=True,
)
