"""``ecluse run --notify``: tell people when a branch's run fails, and when it is green again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ecluse.errors import Invalid

if TYPE_CHECKING:
    from ecluse.checks import RunRequest
    from ecluse.cli.frame import Frame
    from ecluse.config import NotifyConfig
    from ecluse.model import Report

_CAP = 1 << 20


def settings_of(tree: Path) -> NotifyConfig:
    """Who is to be told, from the folder's own policy. Raises :class:`Invalid` when that names nobody."""
    from ecluse import config
    from ecluse.files import read_capped

    path = tree / "ecluse.toml"
    found = config.parse(read_capped(path, _CAP)).notify if path.is_file() else config.NotifyConfig()
    if not (found.webhook or found.slack or found.telegram or found.mail):
        raise Invalid(
            "run.notify",
            f"--notify has nobody to tell: {path} names no webhook, Slack, Telegram or mail in [notify].",
            "docs/notify.md says how to write it; or leave --notify out",
        )
    return found


def tell(frame: Frame, settings: NotifyConfig, tree: Path, request: RunRequest, report: Report) -> None:
    """Send what is news: a failure always, a green run when the one before it on this branch was red.

    What the run came to is remembered in the cache, per folder, branch and choice of workflows. A way that fails is
    said and changes nothing.
    """
    from ecluse import notify
    from ecluse.checks import rerun
    from ecluse.files import write_atomically
    from ecluse.model import Result

    book = rerun.home(tree) / "told.json"
    known = _read(book)
    key = " ".join([request.ref, request.event, *request.workflows])
    before, known[key] = known.get(key), report.result.value
    write_atomically(book, json.dumps(known).encode(), mode=0o600)
    failed = report.result is not Result.SUCCESS
    if not failed and before != Result.FAILURE.value:
        return
    branch = request.ref.removeprefix("refs/heads/")
    text = f"The checks for {branch} {_failure(report) if failed else 'are green again'}\n{tree.name}"
    data = {"branch": branch, "commit": report.commit, "repository": request.repository}

    def said(way: str, why: str) -> None:
        if why:
            frame.say(f"nobody was told by {way}: {why}", "warn")
        else:
            frame.detail(f"told by {way}")

    kind = "checks.failed" if failed else "checks.recovered"
    notify.deliver(settings, notify.Message(kind, text, data), said)


def _failure(report: Report) -> str:
    jobs = [job.name for job in report.jobs if job.result.value == "failure"]
    tests = [one.name for one in report.tests.failures] if report.tests else []
    cause = f" (cause: {report.cause})" if report.cause else ""
    listed = f"\nfailed tests: {', '.join(tests[:5])}" + (f" and {len(tests) - 5} more" if len(tests) > 5 else "")
    return f"failed{cause}: {', '.join(jobs[:5]) or report.reason}" + (listed if tests else "")


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
