"""``ecluse validate``: the checks that need no workflow, on a tree and not on whatever lies in the checkout."""

from __future__ import annotations

import click

from ecluse.cli.frame import Frame, door
from ecluse.errors import ExitStatus


@click.command("validate")
@click.argument("revision", required=False)
@click.option("--level", default="minimal", metavar="LEVEL", help="none, minimal (default), standard or complete.")
@door()
def command(frame: Frame, revision: str | None, level: str) -> int:
    """Validate REVISION against what it is based on; without it, everything done here including uncommitted work.

    minimal: what git status says, the syntax of changed Python files, the build of package.json where there is one.
    standard: also pytest. complete: also ruff and mypy, and changed Dockerfiles. They run on a clean clone of exactly that tree, with the tools
    that the checkout has installed; what could not be checked says why. Of a change that nobody vouches for nothing is run.

    Exit: 0 good; 3 its code waits for somebody to vouch for it; 5 a check is red.
    """
    from ecluse import intake

    results = intake.validate(frame.repository, revision, level)
    rows = [f"{'check':<16} {'result':<8} {'duration':>13}"] if results else []
    for one in results:
        first, *more = str(one["detail"]).split("\n")
        rows.append(f"{one['name']:<16} {one['result']:<8} {one['duration_ms']:>10.1f} ms  {first}")
        rows += [f"    {line}" for line in more]
    if results:
        rows.append(f"tree {results[0]['tree']}")
    frame.emit({"results": results}, "\n".join(rows) or "Level none: nothing was checked.")
    return ExitStatus.RED if any(one["result"] == "failure" for one in results) else ExitStatus.DONE
