"""The table of verbs and the group that loads one of them when it is asked for."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import NoReturn

import click

from ecluse import __version__
from ecluse.cli.examples import as_epilog
from ecluse.cli.frame import printable, report_bug, report_problem
from ecluse.errors import ExitStatus, Invalid, Problem

VERBS: dict[str, tuple[str, str]] = {
    "init": ("init", "Prepare this repository: policy, folders, history, what agents need to know."),
    "doctor": ("doctor", "Look whether everything Écluse needs is here and well."),
    "demo": ("demo", "Run the whole line on a repository made for it: sandbox to release, in a minute."),
    "export": ("export", "Hand a change over: everything done here, in one verified bundle."),
    "import": ("import_", "Take a bundle in: verify, judge, apply in a temporary clone, keep."),
    "review": ("review", "Accept or reject, as a person, a change that waits for one."),
    "validate": ("validate", "Run the checks that need no workflow on a change's tree."),
    "sync": ("sync", "Give an agent the trunk it lacks, as one bundle; take such a bundle."),
    "overlap": ("overlap", "Show which pending changes get in each other's way, and an order to land them in."),
    "keys": ("keys", "Who is who: keys and roles of people and agents."),
    "run": ("run", "Run GitHub Actions workflows here, without Docker or GitHub."),
    "land": ("land", "Test a change on top of the trunk and land exactly what was tested."),
    "queue": ("queue", "Show what is waiting to land."),
    "status": ("status", "Show what stands in each lock and what waits for you."),
    "release": ("release", "Plan, start, approve, watch and roll back a release."),
    "freeze": ("freeze", "Keep everything as it is for a while: nothing goes live until then."),
    "playbook": ("playbook", "List, show and check release playbooks."),
    "history": ("history", "Read, search, count and export everything that happened."),
    "show": ("show", "Show one change, run, landing, release, gate or deployment."),
    "serve": ("serve", "Show the dashboard and keep the line moving in the background."),
    "help": ("help", "Explain a verb, or the exit codes."),
}
"""Verb -> (module below ecluse.cli, one line of help). The help of the group comes from here, without loading."""


class Verbs(click.Group):
    """A group whose commands are modules named in :data:`VERBS`, imported when used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in VERBS:
            return None
        command = import_module(f"ecluse.cli.{VERBS[cmd_name][0]}").command
        assert isinstance(command, click.Command)  # noqa: S101 - our own modules; a test loads them all
        command.epilog = as_epilog(cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Verbs"):
            formatter.write_dl([(verb, text) for verb, (_, text) in VERBS.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and not args[0].startswith("-") and args[0] not in VERBS:
            import difflib

            near = difflib.get_close_matches(args[0], VERBS, n=1)
            raise Invalid(
                "usage.verb",
                f"There is no verb `{args[0]}`.",
                f"did you mean `ecluse {near[0]}`? All verbs: ecluse --help" if near else "all verbs: ecluse --help",
            )
        return super().resolve_command(ctx, args)


@click.group(
    cls=Verbs,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit statuses: ecluse help exit-codes. A first look: ecluse demo",
)
@click.option("-C", "folder", default=".", metavar="DIR", help="Work as if started in DIR.")
@click.version_option(__version__, prog_name="ecluse")
@click.pass_context
def ecluse(ctx: click.Context, folder: str) -> None:
    """Carry a change from an agent's sandbox to a running release: intake, checks, landing, release."""
    ctx.ensure_object(dict)["folder"] = folder


def main(args: list[str] | None = None) -> NoReturn:
    """Run one command and end the process with its exit status. The only place that maps problems to statuses."""
    words = sys.argv[1:] if args is None else args
    as_json = "--json" in words
    try:
        status = ecluse.main(args=words, prog_name="ecluse", standalone_mode=False)
    except Problem as problem:
        status = report_problem(problem, as_json=as_json)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(printable(error.format_message(), sys.stderr), err=True)
        status = ExitStatus.INVALID
    except click.UsageError as error:
        status = report_problem(_usage_problem(error), as_json=as_json)
    except (KeyboardInterrupt, click.Abort):
        verb = "run" if words[:1] == ["run"] else "status"  # a run needs no repository of ours, a status does
        click.echo(f"\nInterrupted. What was recorded stays; go on with: ecluse {verb}", err=True)
        status = ExitStatus.INTERRUPTED
    except BrokenPipeError:
        sys.stderr.close()
        status = ExitStatus.DONE
    except Exception as bug:  # noqa: BLE001 - the door: a bug is logged whole and said in one sentence
        status = report_bug(bug, words, as_json=as_json)
    sys.exit(int(status or 0))


def _usage_problem(error: click.UsageError) -> Invalid:
    path = error.ctx.command_path if error.ctx else "ecluse"
    return Invalid("usage", error.format_message(), f"{path} --help")
