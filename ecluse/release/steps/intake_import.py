"""``intake.import``: a change bundle is taken in and judged like any other."""

from __future__ import annotations

from ecluse.errors import Invalid, Problem
from ecluse.history.requests import request_import
from ecluse.model import Change
from ecluse.release.context import Context
from ecluse.release.steps import following
from ecluse.release.steps.shape import Again, Done, Outcome, Shape


def run(context: Context) -> Outcome:
    """Ask for the import, then wait for the judgement. Raises what intake said when the bundle was not taken in."""
    path = context.argument("bundle")
    if not path or "{" in path:
        raise Invalid("import.bundle", f"bundle={path} names no file.", "ecluse playbook lint")
    return take_in(context, context.effect(), path)


def take_in(context: Context, step: str, path: str) -> Outcome:
    """Follow the bundle at ``path`` through intake, as the effect ``step``."""
    actor = f"release {context.release.id}"
    asked = request_import(
        context.history, parent=context.release.subject, step=step, path=path, actor=actor, land=False
    )
    if not asked.done_at:
        return Again(following.POLL_S, f"import of {path}")
    problem = asked.result.get("problem")
    if problem:
        raise Problem(problem["code"], problem["message"], problem["hint"])
    change = context.history.get(Change, asked.result["change"])
    if change is None:
        raise Invalid("import.gone", f"The change {asked.result['change']} is gone.", "ecluse doctor")
    waits = following.judged(context, change)
    if waits is not None:
        return waits
    said = f"{change.key} is let in: {len(change.files)} files, {change.verdict or 'accept'}"
    return Done(said, {"change": change.key, "files": list(change.files)})


SHAPE = Shape(
    "intake.import",
    "takes a change bundle in; it is judged by the rules of intake and waits for a person where they say so",
    run,
    keys={"bundle": "the file; may hold words such as {inputs.bundle}"},
    required=("bundle",),
    outputs={"change": "the change's key", "files": "the paths it touches"},
    effect="a change in the history and its objects under a ref of its own",
    probe="the same bundle again is the same change",
)
