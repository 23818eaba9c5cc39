"""Runs of checks as detached jobs: prepare a clean tree, start, look, store the report, wake who waits.

A run's folder is ``<state>/jobs/<run id>/<attempt>``; its tree is a clone that borrows the repository's objects and
is removed when the run is over. A job that dies without a report (a kill, a reboot) is started again in a new folder.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

from ecluse import process
from ecluse.clock import instant, now, parse
from ecluse.errors import Failed, Invalid, Problem
from ecluse.files import write_atomically
from ecluse.git import Repository
from ecluse.history import History
from ecluse.history.wakes import wake, wake_in
from ecluse.model import Change, Event, Landing, Release, ReleaseState, Run, RunState
from ecluse.patterns import expression
from ecluse.secrets.source import from_environment
from ecluse.trunk import open_trunk

LOOK_EVERY_S = 0.1
MAX_ATTEMPTS = 3
"""How often a run is started before its deaths are called an error."""


def log_folder(run_id: str) -> Path:
    """Where the logs of a run lie: below the user's cache, they may be deleted at any time."""
    cache = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(cache) / "ecluse" / "runs" / run_id


def job_folder(repository: Repository, run: Run) -> Path:
    """The folder of the run's present attempt."""
    return repository.state_dir / "jobs" / run.id / str(run.attempt)


def advance(repository: Repository, history: History, run_id: str) -> None:
    """Do the next thing for a run: start its job, look at it, or store what it came to."""
    run = history.get(Run, run_id)
    if run is None or run.state.is_terminal:
        return
    if _is_let_go(history, run):
        cancel(repository, history, run.id, actor="", why=f"{run.parent.partition('/')[2]} was stopped")
    elif run.state is RunState.QUEUED:
        _begin(repository, history, run)
    else:
        _look(repository, history, run)


def _is_let_go(history: History, run: Run) -> bool:
    """Whether the release that asked for this run is over, or has turned round since."""
    kind, _, key = run.parent.partition("/")
    release = history.get(Release, key) if kind == "release" else None
    if release is None or release.state.is_terminal:
        return release is not None
    began = str(release.outputs.get("rollback", {}).get("began", ""))
    return release.state is ReleaseState.ROLLING_BACK and run.created_at < began


def cancel(repository: Repository, history: History, run_id: str, *, actor: str, why: str) -> None:
    """End a run that is not over, with everything it started."""
    run = history.get(Run, run_id)
    if run is None or run.state.is_terminal:
        return
    process.cancel_job(job_folder(repository, run))
    _end(repository, history, run, RunState.CANCELLED, why, {}, actor)


def _begin(repository: Repository, history: History, run: Run) -> None:
    folder = job_folder(repository, run)
    if process.job_status(folder).state is process.JobState.ABSENT:
        tree = _prepare_tree(repository, run, folder)
        workflows = _workflows(repository, history, run, tree)
        if not workflows:
            _end(repository, history, run, RunState.GREEN, "no workflow applies to this change", {}, "")
            return
        run = dataclasses.replace(run, workflows=workflows)
        _write_request(repository, history, run, folder, tree)
    started = dataclasses.replace(run, state=RunState.RUNNING, updated_at=instant())
    with history.transaction():
        text = f"run of {', '.join(run.workflows)} on {run.commit[:12]} started"
        history.record(started, Event("run.started", run.subject, text, data={"attempt": run.attempt}))
        wake(history, run.subject, "started")


def _prepare_tree(repository: Repository, run: Run, folder: Path) -> Path:
    tree = folder / "tree"
    shutil.rmtree(tree, ignore_errors=True)
    clone = repository.borrow(tree)
    clone.check_out(run.commit)
    return tree


def _workflows(repository: Repository, history: History, run: Run, tree: Path) -> tuple[str, ...]:
    """What runs: what the request names, else what the policy requires, else what the change triggers."""
    from ecluse import checks

    if run.workflows:
        return run.workflows
    required = open_trunk(repository).config.checks.required
    if required:
        return required
    branch, changed = _scope(repository, history, run)
    return checks.select(tree, event="pull_request", branch=branch, changed=changed) or checks.select(
        tree, event="push", branch=branch, changed=changed
    )


def _scope(repository: Repository, history: History, run: Run) -> tuple[str, list[str]]:
    """The branch a run is for and the paths its commit changes against it."""
    landing = history.get(Landing, run.parent.partition("/")[2])
    if landing is None:
        return open_trunk(repository).branch, []
    changed = [change.path for change in repository.changed_paths(landing.base, run.commit)]
    return landing.target.removeprefix("refs/heads/"), changed


def _write_request(repository: Repository, history: History, run: Run, folder: Path, tree: Path) -> None:
    from ecluse.checks import RunRequest

    branch, changed = _scope(repository, history, run)
    request = RunRequest(
        workflows=run.workflows,
        event=run.event,
        ref=f"refs/heads/{branch}",
        base_branch=branch,
        base_commit=_base_commit(history, run),
        commit=run.commit,
        tree=run.tree,
        repository=f"local/{(repository.work_tree or repository.common_dir).name}",
        changed=tuple(changed),
        platforms=dict(open_trunk(repository).config.checks.platforms),
        log_dir=log_folder(run.id) / str(run.attempt),
        results=open_trunk(repository).config.checks.results,
        actions_url=open_trunk(repository).config.checks.actions_url,
        identity=str(repository.common_dir),
        cache_scope=_cache_scope(history, run),
        run_id=str(int(hashlib.sha256(run.id.encode()).hexdigest()[:11], 16)),
        attempt=run.attempt,
        counters=log_folder("numbers") / f"{hashlib.sha256(os.fsencode(repository.common_dir)).hexdigest()[:20]}.json",
    )
    document: dict[str, Any] = {"tree": str(tree), "request": request.to_json()}
    if sealed := _sealed(repository, history, run, folder):
        document["secrets"] = sealed
    write_atomically(folder / "check.json", json.dumps(document).encode(), mode=0o600)


def _base_commit(history: History, run: Run) -> str:
    """The commit that a run's candidate was built on; empty when the run is for none."""
    landing = history.get(Landing, run.parent.partition("/")[2])
    return landing.base if landing is not None else ""


def _cache_scope(history: History, run: Run) -> str:
    """Where a run keeps its caches: with the target's, unless a person had to let the change in."""
    landing = history.get(Landing, run.parent.partition("/")[2])
    change = history.get(Change, landing.change) if landing is not None else None
    if change is not None and change.trusted_by.startswith(("key ", "policy: ", "release ")):
        return ""
    return f"change {change.id}" if change is not None else run.parent


SECRETS = "secrets.sealed"


def _sealed(repository: Repository, history: History, run: Run, folder: Path) -> dict[str, str] | None:
    """Put the trunk's encrypted secrets into the run's folder, when a person answers for the code that it runs.

    That is a change signed by a person, accepted by one, or made by a release. A change that only policy or an agent's
    key lets in runs without secrets: nobody has read it. Raises :class:`Invalid` when the policy names no such file.
    """
    trunk = open_trunk(repository)
    settings = trunk.config.checks
    if not settings.secret_file or not may_have_secrets(history, run):
        return None
    data = trunk.read(settings.secret_file)
    if data is None:
        raise Invalid(
            "run.secret_file",
            f"The policy names {settings.secret_file} as the file with secrets, and the trunk has no such file.",
            "commit it, or take checks.secret_file out of ecluse.toml",
        )
    key = from_environment(settings.secret_key) if settings.secret_key else ""
    write_atomically(folder / SECRETS, data, mode=0o600)
    return {"file": SECRETS, "key": str(Path(key).expanduser()) if key else ""}


_BY_PEOPLE = expression(r"person |release |key .* \((?:human|admin)\)$")


def may_have_secrets(history: History, run: Run) -> bool:
    """Whether the change that a run tests was signed or accepted by a person, or made by a release."""
    landing = history.get(Landing, run.parent.partition("/")[2])
    change = history.get(Change, landing.change) if landing is not None else None
    return change is not None and is_answered_for(change.trusted_by)


def is_answered_for(trusted_by: str) -> bool:
    """Whether a person stands behind what makes a change trusted (``Change.trusted_by``), not only policy or a bot."""
    return _BY_PEOPLE.match(trusted_by) is not None


def _look(repository: Repository, history: History, run: Run) -> None:
    folder = job_folder(repository, run)
    status = process.job_status(folder)
    if status.state is process.JobState.ABSENT:
        root = str(Path(__file__).resolve().parent.parent)
        code = f"import sys; sys.path.insert(0, {root!r}); from ecluse.checks.__main__ import main; sys.exit(main(sys.argv[1:]))"
        process.run_job(folder, [sys.executable, "-I", "-c", code, str(folder)])
        wake_in(history, run.subject, LOOK_EVERY_S, "looking")
    elif status.state is process.JobState.RUNNING:
        _watch_time(repository, history, run, folder)
    else:
        _collect(repository, history, run, folder, status)


def _watch_time(repository: Repository, history: History, run: Run, folder: Path) -> None:
    minutes = open_trunk(repository).config.checks.timeout_minutes
    if (now() - parse(run.updated_at)).total_seconds() > minutes * 60:
        process.cancel_job(folder)
        _end(repository, history, run, RunState.ERROR, f"no end within {minutes:g} minutes", {}, "")
        return
    wake_in(history, run.subject, LOOK_EVERY_S, "looking")


def _collect(repository: Repository, history: History, run: Run, folder: Path, status: process.JobStatus) -> None:
    report = _read_report(folder)
    if report is None:
        _start_again(repository, history, run, folder, status)
        return
    if "problem" in report:
        problem = report["problem"]
        why = f"{problem.get('message', '')} ({problem.get('code', '')})"
        _end(repository, history, run, RunState.ERROR if status.code == 1 else RunState.RED, why, report, "")
        return
    green = report.get("result") == "success"
    text = _summary(report)
    _end(repository, history, run, RunState.GREEN if green else RunState.RED, text, report, "")


def _start_again(repository: Repository, history: History, run: Run, folder: Path, status: process.JobStatus) -> None:
    said = f"with status {status.code}" if status.code is not None else "without a status"
    tail = _tail(folder / "output.log")
    why = f"its process ended {said} and left no report{': ' + tail if tail else ''}"
    if run.attempt + 1 >= MAX_ATTEMPTS:
        _end(repository, history, run, RunState.ERROR, why, {}, "")
        return
    shutil.rmtree(folder / "tree", ignore_errors=True)
    again = dataclasses.replace(run, state=RunState.QUEUED, attempt=run.attempt + 1, updated_at=instant())
    with history.transaction():
        history.record(again, Event("run.lost", run.subject, f"run starts again: {why}"))
        wake(history, run.subject, "lost")


def _end(
    repository: Repository, history: History, run: Run, state: RunState, why: str, report: dict[str, Any], actor: str
) -> None:
    took = float(report.get("duration_ms", 0.0))
    over = dataclasses.replace(run, state=state, reason=why, report=report, duration_ms=took, updated_at=instant())
    with history.transaction():
        text = f"run on {run.commit[:12]} is {state}: {why}"
        data = {"duration_ms": took, "workflows": list(run.workflows), "parent": run.parent}
        history.record(over, Event(f"run.{state}", run.subject, text, actor, data))
        if run.parent:
            wake(history, run.parent, f"{run.id} is {state}")
    _tell(repository, history, over)
    shutil.rmtree(job_folder(repository, run) / "tree", ignore_errors=True)


def _tell(repository: Repository, history: History, run: Run) -> None:
    """Send out that the checks of a branch failed, or that they are green again; what cannot be sent is recorded."""
    from ecluse import notify
    from ecluse.history.outcomes import last_decided
    from ecluse.landing.policy import failed_tests

    landing = history.get(Landing, run.parent.partition("/")[2])
    if landing is None or run.state not in (RunState.GREEN, RunState.RED, RunState.ERROR):
        return
    branch = landing.target.removeprefix("refs/heads/")
    failed = run.state is not RunState.GREEN
    if not failed and last_decided(history, landing.target, before=run.id) is not RunState.RED:
        return
    tests = failed_tests(run.report, run.report.get("jobs", []))
    cause = f" (cause: {run.report['cause']})" if run.report.get("cause") else ""
    said = f"failed{cause}: {run.reason}" + (f"\n{tests}" if tests else "") if failed else "are green again"
    text = f"The checks for {branch} {said}\n{landing.change}, {run.id}"
    facts = {"run": run.id, "landing": landing.id, "change": landing.change, "branch": branch, "commit": run.commit}
    try:
        settings = open_trunk(repository).config.notify
        notify.send(history, settings, "checks.failed" if failed else "checks.recovered", text, facts)
    except Problem as problem:
        history.note(Event("notify.failed", run.subject, f"nobody was told: {problem.message}"))


def _read_report(folder: Path) -> dict[str, Any] | None:
    try:
        report = json.loads((folder / "report.json").read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise Failed("run.report", f"The report in {folder} cannot be read: {error}.", "ecluse doctor") from error
    return report if isinstance(report, dict) else None


def _tail(path: Path) -> str:
    with contextlib.suppress(OSError):
        return path.read_bytes()[-400:].decode("utf-8", "replace").strip()
    return ""


def _summary(report: dict[str, Any]) -> str:
    jobs = report.get("jobs", [])
    outcomes = [(str(job.get("name") or job.get("id")), job.get("outcome", job.get("result"))) for job in jobs]
    green = sum(1 for _, outcome in outcomes if outcome == "success")
    bad = [name for name, outcome in outcomes if outcome not in ("success", "skipped")]
    return f"{green} of {len(jobs)} jobs green" + (f", not green: {', '.join(bad)}" if bad else "")
