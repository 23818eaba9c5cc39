"""``ecluse run``: run GitHub Actions workflows here, in any folder, with no state and no server."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ecluse.cli.frame import Frame, door
from ecluse.errors import ExitStatus, Invalid, Problem

if TYPE_CHECKING:
    from collections.abc import Callable

    from ecluse.checks import RunRequest
    from ecluse.cli.run_view import RunView
    from ecluse.model import Report


@click.command("run")
@click.argument("workflows", nargs=-1)
@click.option("--event", default="push", show_default=True, help="The event that starts the workflows.")
@click.option("--event-file", metavar="FILE", help="JSON document of the event (- is standard input).")
@click.option("--input", "inputs", multiple=True, metavar="K=V", help="An input of workflow_dispatch.")
@click.option(
    "--secret", "secrets", multiple=True, metavar="K[=V]", help="A secret; K alone takes it from the environment."
)
@click.option("--var", "configured", multiple=True, metavar="K=V", help="A configuration variable (vars.K).")
@click.option("--secret-file", metavar="FILE", help="Secrets from a file encrypted with GnuPG or age.")
@click.option("--secret-key", metavar="FILE", help="The passphrase (GnuPG) or identity (age) for --secret-file.")
@click.option("--env", "variables", multiple=True, metavar="K=V", help="A variable for every step.")
@click.option("--matrix", multiple=True, metavar="K:V", help="Run only combinations with this value.")
@click.option("--job", "jobs", multiple=True, metavar="ID", help="Run only this job and what it needs.")
@click.option(
    "--step", "steps", multiple=True, metavar="STEP", help="Run only this step (id, name or number) of its job."
)
@click.option("--actor", default="ecluse", show_default=True, help="Who acts (github.actor).")
@click.option("--ref", metavar="REF", default="", help="The branch or tag that the event is of [the one checked out].")
@click.option("--base", default="", metavar="BRANCH", help="The branch a pull_request goes to.")
@click.option(
    "--local-action", "local_actions", multiple=True, metavar="ACTION=DIR", help="Take OWNER/REPO@REF from DIR."
)
@click.option(
    "--platform",
    "platforms",
    multiple=True,
    metavar="LABEL=here|skip|fail",
    help="What becomes of jobs with this runs-on label (a pattern); also [checks] platforms in ecluse.toml.",
)
@click.option("--actions-url", metavar="URL", default="", help="Where OWNER/REPO of actions is fetched from [GitHub].")
@click.option("--update-actions", is_flag=True, help="Look up anew what the refs of actions are at.")
@click.option("--dry-run", is_flag=True, help="Say what would run, run nothing.")
@click.option(
    "--results", multiple=True, metavar="GLOB", help="Files with test results and coverage, in the workspace."
)
@click.option("--rerun-failed", is_flag=True, help="Take over what succeeded in the run before, run the rest again.")
@click.option("--on-failure", type=click.Choice(["shell"]), help="Open a shell at the place of each failed step.")
@click.option("--notify", is_flag=True, help="Tell of failure and recovery as [notify] of ecluse.toml says.")
@click.option("--report", "report_file", metavar="FILE", help="Write the report here instead of reports/ and memory/.")
@click.option("--logs", metavar="DIR", help="Keep one log per job in this folder.")
@click.option("--events", is_flag=True, help="Stream one JSON object a line on standard output.")
@door()
def command(
    frame: Frame,
    /,
    report_file: str | None,
    events: bool,
    rerun_failed: bool,
    on_failure: str | None,
    notify: bool,
    **options: Any,
) -> int:
    """Run WORKFLOWS (files or folders; without any, those of .github/workflows that the event starts).

    Exit: 0 green; 2 a workflow is wrong, with every fault; 5 red.
    """
    from dataclasses import replace

    from ecluse import checks
    from ecluse.checks import report as papers
    from ecluse.checks import rerun
    from ecluse.cli.run_notify import settings_of, tell
    from ecluse.cli.run_request import check_place, request_of
    from ecluse.cli.run_view import RunView
    from ecluse.model import Result

    tree, request = request_of(frame, **options)
    if events and request.dry_run:
        raise Invalid("usage", "--dry-run runs nothing, so there are no --events.", "ecluse run --dry-run --json")
    if report_file:
        check_place(report_file)
    view = RunView(frame, stream=events)
    before = None
    if rerun_failed:
        request, before = rerun.recall(tree, request)
    if request.dry_run:
        view.show_plan(checks.plan(tree, request))
    else:
        request = replace(request, keep=rerun.place_of(tree, request), counters=rerun.counters(tree))
    look = _look(frame, view) if on_failure else None
    settings = settings_of(tree) if notify and not request.dry_run else None
    _end_tidily()
    with view:
        report = checks.run(tree, request, view.hear, before=before, on_failure=look)
    kept, unwritten = "", None
    try:
        kept = _keep(report, request, tree, report_file)
    except Problem as problem:  # what the run came to is said all the same
        unwritten = problem
    if not request.dry_run:
        view.finish(report, kept=kept)
    if settings is not None:
        tell(frame, settings, tree, request, report)
    if not events and frame.as_json:
        frame.emit(papers.to_json(report))
    if unwritten is not None:
        if report.result is Result.SUCCESS:
            raise unwritten
        frame.say(unwritten.message, "error", always=True)
    return ExitStatus.DONE if report.result is Result.SUCCESS else ExitStatus.RED


def _end_tidily() -> None:
    """Take being asked to end for Ctrl-C: steps are ended first and their folders go, as they are ours alone."""
    import signal

    from ecluse import process

    process.pass_interrupts_on()
    for number in (getattr(signal, name, None) for name in ("SIGTERM", "SIGHUP")):
        if number is not None and signal.getsignal(number) is signal.SIG_DFL:  # nohup has it ignored
            signal.signal(number, signal.default_int_handler)


def _keep(report: Report, request: RunRequest, tree: Path, report_file: str | None) -> str:
    """Write the report where it belongs and return that place; a dry run writes only where it was told to."""
    from ecluse.checks import report as papers
    from ecluse.files import write_atomically

    if report_file:
        write_atomically(Path(report_file), papers.to_bytes(report))
        return report_file
    if request.dry_run:
        return ""
    papers.write(report, tree)
    path, here = tree / "reports" / "report.json", Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


def _look(frame: Frame, view: RunView) -> Callable[[Any], None]:
    """What opens a shell at a failed step. Raises :class:`Invalid` where there is no terminal to type at."""
    import sys

    from ecluse.cli.run_shell import open_shell

    if frame.as_json or view.stream or not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise Invalid(
            "run.no_terminal",
            "--on-failure shell needs a terminal to type at, and standard input or error is none here.",
            "type it at a terminal, without --json and --events",
        )
    return lambda step: open_shell(view, step)
