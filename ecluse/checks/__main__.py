"""The entry of a detached run: ``python -m ecluse.checks JOB_FOLDER``.

The folder holds ``check.json`` (``{"tree": path, "request": document}``, and ``"secrets": {"file": name, "key": path}``
when the run may have those of the encrypted file beside it: they are opened here and never written). It receives ``events.jsonl`` as things
happen and, by rename at the end, ``report.json``: the report, or ``{"problem": {code, message, hint}}``. The exit
status is 0 when all is green, 5 when red, 2 when the workflow or the request is wrong, 1 when the machine failed.
"""

from __future__ import annotations

import json
import signal
import sys
from dataclasses import replace
from pathlib import Path

from ecluse import process
from ecluse.errors import ExitStatus, Failed, Invalid, Problem
from ecluse.files import read_capped, write_atomically

_CAP = 64 << 20


def main(arguments: list[str]) -> int:
    """Run the job of one folder; see the module's description."""
    if len(arguments) != 1:
        print("usage: python -m ecluse.checks JOB_FOLDER", file=sys.stderr)  # noqa: T201 - a program's own usage
        return ExitStatus.INVALID
    folder = Path(arguments[0])
    # Being asked to end means ending the steps first: they run in sessions of their own.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    process.pass_interrupts_on()
    try:
        report = _run(folder)
    except Problem as problem:
        document = {"problem": problem.as_dict()}
        write_atomically(folder / "report.json", json.dumps(document, ensure_ascii=False).encode())
        return problem.exit_status
    except KeyboardInterrupt:
        return ExitStatus.INTERRUPTED
    write_atomically(folder / "report.json", report[1])
    return ExitStatus.DONE if report[0] else ExitStatus.RED


def _run(folder: Path) -> tuple[bool, bytes]:
    from ecluse.checks.report import to_bytes
    from ecluse.checks.request import RunRequest
    from ecluse.checks.runner import run
    from ecluse.model import Result

    try:
        document = json.loads(read_capped(folder / "check.json", _CAP))
        tree, request = Path(document["tree"]), RunRequest.from_json(document["request"])
        sealed = document.get("secrets")
    except (ValueError, KeyError, TypeError) as error:
        why = f"{folder / 'check.json'} is no request for checks: {error}."
        raise Invalid("request.invalid", why, "ecluse run, which writes no such file") from error
    if sealed is not None:
        request = replace(request, secrets=_opened(folder / sealed["file"], sealed["key"]))
    with (folder / "events.jsonl").open("a", encoding="utf-8", errors="replace") as events:

        def keep(event: dict[str, object]) -> None:
            events.write(json.dumps(event, ensure_ascii=False) + "\n")
            events.flush()

        report = run(tree, request, keep)
    return report.result is Result.SUCCESS, to_bytes(report)


def _opened(path: Path, key: str) -> dict[str, str]:
    """The run's secrets. What keeps them shut is this machine's fault, not the change's: :class:`Failed`."""
    from ecluse.secrets.vault import read

    try:
        return read(path, Path(key) if key else None)
    except Invalid as problem:
        raise Failed(problem.code, problem.message, problem.hint) from problem


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
