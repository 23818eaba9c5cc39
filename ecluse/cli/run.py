"""``ecluse run``: run GitHub Actions workflows here, in any folder, with no state and no server."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ecluse.cli.frame import Frame, door
from ecluse.errors import ExitStatus, Invalid

if TYPE_CHECKING:
    from ecluse.checks import RunRequest


@click.command("run")
@click.argument("workflows", nargs=-1)
@click.option("--event", default="push", show_default=True, help="The event that starts the workflows.")
@click.option("--event-file", metavar="FILE", help="JSON document of the event.")
@click.option("--input", "inputs", multiple=True, metavar="K=V", help="An input of workflow_dispatch.")
@click.option(
    "--secret", "secrets", multiple=True, metavar="K[=V]", help="A secret; K alone takes it from the environment."
)
@click.option("--env", "variables", multiple=True, metavar="K=V", help="A variable for every step.")
@click.option("--matrix", multiple=True, metavar="K:V", help="Run only combinations with this value.")
@click.option("--job", "jobs", multiple=True, metavar="ID", help="Run only this job and what it needs.")
@click.option("--actor", default="ecluse", show_default=True, help="Who acts (github.actor).")
@click.option("--base", default="", metavar="BRANCH", help="The branch a pull_request goes to.")
@click.option(
    "--local-action", "local_actions", multiple=True, metavar="ACTION=DIR", help="Take OWNER/REPO@REF from DIR."
)
@click.option("--actions-url", metavar="URL", default="", help="Where OWNER/REPO of actions is fetched from [GitHub].")
@click.option("--update-actions", is_flag=True, help="Look up anew what the refs of actions are at.")
@click.option("--dry-run", is_flag=True, help="Say what would run, run nothing.")
@click.option("--report", "report_file", metavar="FILE", help="Write the report here instead of reports/ and memory/.")
@click.option("--logs", metavar="DIR", help="Keep one log per job in this folder.")
@click.option("--events", is_flag=True, help="Stream one JSON object a line on standard output.")
@door()
def command(frame: Frame, /, report_file: str | None, events: bool, **options: Any) -> int:
    """Run WORKFLOWS (files or folders; without any, those of .github/workflows that the event starts).

    Exit: 0 green; 2 a workflow is wrong, with every fault; 5 red.
    """
    from ecluse import checks
    from ecluse.checks import report as papers
    from ecluse.cli.run_view import RunView
    from ecluse.model import Result

    tree, request = _request(frame, **options)
    view = RunView(frame, stream=events)
    if request.dry_run:
        view.show_plan(checks.plan(tree, request))
    report = checks.run(tree, request, view.hear)
    document = papers.to_json(report)
    if report_file:
        _write(Path(report_file), papers.to_bytes(report))
    elif not request.dry_run:
        papers.write(report, tree)
    if not request.dry_run:
        view.finish(report)
    if not events and frame.as_json:
        frame.emit(document)
    return ExitStatus.DONE if report.result is Result.SUCCESS else ExitStatus.RED


def _write(path: Path, data: bytes) -> None:
    from ecluse.files import write_atomically

    write_atomically(path, data)


def _request(
    frame: Frame,
    *,
    workflows: tuple[str, ...],
    event: str,
    event_file: str | None,
    inputs: tuple[str, ...],
    secrets: tuple[str, ...],
    variables: tuple[str, ...],
    matrix: tuple[str, ...],
    jobs: tuple[str, ...],
    actor: str,
    base: str,
    local_actions: tuple[str, ...],
    actions_url: str,
    update_actions: bool,
    dry_run: bool,
    logs: str | None,
) -> tuple[Path, RunRequest]:
    from ecluse.checks import RunRequest

    tree, facts = _surroundings(frame.folder)
    keep: dict[str, tuple[str, ...]] = {}
    for item in matrix:
        key, value = _pair(item, ":", "--matrix")
        keep[key] = (*keep.get(key, ()), value)
    here = frame.folder.resolve()
    request = RunRequest(
        workflows=tuple(os.path.relpath(here / name, tree) for name in workflows),
        event=event,
        event_payload=_payload(event_file),
        inputs=dict(_pair(item, "=", "--input") for item in inputs),
        secrets=dict(_secret(item) for item in secrets),
        env=dict(_pair(item, "=", "--env") for item in variables),
        matrix=keep,
        jobs=jobs,
        actor=actor,
        base_branch=base or facts.pop("base_branch", ""),
        local_actions={name: str(here / folder) for name, folder in (_action(item) for item in local_actions)},
        actions_url=actions_url or os.environ.get("ECLUSE_ACTIONS_URL", "") or _configured_url(tree),
        lock_actions=not dry_run,
        update_actions=update_actions,
        dry_run=dry_run,
        log_dir=Path(logs).resolve() if logs else None,
        **facts,
    )
    return tree, request


def _configured_url(tree: Path) -> str:
    """``actions_url`` of the folder's own ``ecluse.toml``, read without the rest of the policy."""
    path = tree / "ecluse.toml"
    if not path.is_file():
        return ""
    import tomllib

    try:
        table = tomllib.loads(path.read_text(encoding="utf-8")).get("checks", {})
    except (ValueError, OSError):  # who needs the policy says what is wrong with it
        return ""
    return str(table.get("actions_url", "")) if isinstance(table, dict) else ""


def _surroundings(folder: Path) -> tuple[Path, dict[str, Any]]:
    """The tree to run on, and what its repository says of it (nothing, when it is none)."""
    from ecluse.git import Repository

    if not folder.is_dir():
        raise Invalid("file.missing", f"There is no folder {folder}.", "check the name with: ls")
    try:
        repository = Repository.discover(folder)
    except Invalid:
        return folder.resolve(), {}
    if repository.work_tree is None:
        raise Invalid("run.bare", f"{folder} is a bare repository; workflows run on files.", "cd to a checkout")
    facts: dict[str, Any] = {}
    commit = repository.resolve("HEAD")
    if commit:
        facts |= {"commit": commit, "tree": repository.tree_id(commit)}
    branch = repository.branch()
    if branch:
        facts["ref"] = branch if branch.startswith("refs/") else f"refs/heads/{branch}"
        facts["base_branch"] = _base(repository, facts["ref"].removeprefix("refs/heads/"))
    facts["repository"] = _name(repository.config("remote.origin.url") or "", repository.work_tree)
    return repository.work_tree.resolve(), facts


def _base(repository: Any, branch: str) -> str:
    usual = [name for name in ("main", "master") if repository.resolve(f"refs/heads/{name}")]
    return branch if branch in usual or not usual else usual[0]


def _name(url: str, folder: Path) -> str:
    """Owner and name of the repository, from its origin's address, else from its folder."""
    words = url.removesuffix("/").removesuffix(".git").replace(":", "/").split("/")
    if len(words) > 2 and all(words[-2:]):
        return "/".join(words[-2:])
    return f"local/{folder.name}"


def _payload(name: str | None) -> dict[str, Any]:
    from ecluse.files import read_capped

    if not name:
        return {}
    try:
        document = json.loads(read_capped(Path(name), 16 << 20))
    except ValueError as error:
        raise Invalid(
            "run.event_file", f"{name} is not JSON: {error}.", "correct it, or leave --event-file out"
        ) from error
    if not isinstance(document, dict):
        raise Invalid("run.event_file", f"{name} is not a JSON object.", "correct it, or leave --event-file out")
    return document


def _pair(text: str, separator: str, option: str) -> tuple[str, str]:
    key, found, value = text.partition(separator)
    if not found or not key:
        raise Invalid("usage", f"{option} needs NAME{separator}VALUE, not {text!r}.", "ecluse run --help")
    return key, value


def _secret(text: str) -> tuple[str, str]:
    key, found, value = text.partition("=")
    if found:
        return key, value
    if key not in os.environ:
        raise Invalid(
            "run.secret", f"There is no variable {key} in the environment to take the secret from.", f"export {key}=..."
        )
    return key, os.environ[key]


def _action(text: str) -> tuple[str, str]:
    return _pair(text, "=", "--local-action")
