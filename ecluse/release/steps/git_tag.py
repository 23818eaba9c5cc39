"""``git.tag``: an annotated tag vX.Y.Z on the release's commit."""

from __future__ import annotations

from typing import Any

from ecluse.clock import instant
from ecluse.errors import Invalid, Refused
from ecluse.git.nouns import FALLBACK_IDENTITY
from ecluse.history import perform
from ecluse.history.journal import Probed
from ecluse.release import tags
from ecluse.release.context import Context
from ecluse.release.deploy.carrier import effect
from ecluse.release.steps.shape import Done, Shape


def run(context: Context) -> Done:
    """Make the tag once, sign it when there is a key, push it when asked to.

    Raises :class:`Refused` when the name is taken by another commit, here or at the remote.
    """
    release = context.release
    if not release.version:
        raise Invalid("tag.no_version", "A tag needs a version, and none was decided.", "put semver.decide first")
    name = f"v{release.version}"
    message = context.argument("message", "Release v{version}")
    plan = {"tag": name, "commit": release.commit, "message": message, "when": instant()[:19] + "+0000"}
    key = tags.signing_key(context.repository, context.argument("key"))
    result = perform(
        context.history,
        release.subject,
        context.effect(),
        lambda kept: _make(context, kept, key),
        probe=lambda kept: _probe(context, kept),
        plan=plan,
    )
    said = (
        f"{name} is on {release.commit[:12]}, {'signed' if tags.is_signed(context.repository, name) else 'not signed'}"
    )
    remote = context.argument("push")
    if remote:
        effect(
            context,
            context.effect("push"),
            lambda: tags.push(context.repository, remote, name),
            lambda: tags.is_pushed(context.repository, remote, name),
            {"tag": name, "remote": remote},
        )
        said += f", pushed to {remote}"
    return Done(said, result)


def _probe(context: Context, plan: dict[str, Any]) -> Probed:
    """Is the tag there, and on that commit? Raises :class:`Refused` when it is on another one."""
    ref = f"refs/tags/{plan['tag']}"
    at = context.repository.resolve(ref)
    if at is None:
        return Probed(False)
    if at != plan["commit"]:
        raise Refused(
            "tag.elsewhere",
            f"The tag {plan['tag']} is on {at[:12]} already, not on {plan['commit'][:12]}; it was left alone.",
            f"git show {plan['tag']}, then release another version: ecluse release start --input version=X.Y.Z",
        )
    return Probed(True, {"tag": plan["tag"], "commit": at, "object": context.repository.refs(ref).get(ref, "")})


def _make(context: Context, plan: dict[str, Any], key: tags.Key | None) -> dict[str, Any]:
    repository = context.repository
    if not _probe(context, plan).happened:
        repository.clear_dead_locks(f"refs/tags/{plan['tag']}")
        who = repository.identity() or FALLBACK_IDENTITY
        env = {"GIT_COMMITTER_NAME": who.name, "GIT_COMMITTER_EMAIL": who.email, "GIT_COMMITTER_DATE": plan["when"]}
        tags.make(repository, plan["tag"], plan["commit"], plan["message"], env, key)
    return _probe(context, plan).result


SHAPE = Shape(
    "git.tag",
    "puts the annotated tag vX.Y.Z on the release's commit, signed when git has a key, and pushes it when asked to",
    run,
    keys={
        "message": "the tag's message",
        "key": "the private key (a file) that signs; git's own `user.signingkey` when not given",
        "push": "the remote that gets the tag; nothing is pushed when not given, or when the input that it names is empty",
    },
    irreversible=True,
    outputs={"tag": "its name", "commit": "what it is on", "object": "the tag's own id"},
    effect="a tag in this repository and, with push=, at the remote",
    probe="is the tag there, and on that commit? does the remote list it?",
)
