"""From the options of ``ecluse run`` to the request that the engine takes, with what the repository says of itself."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ecluse.cli.frame import Frame
from ecluse.errors import Invalid

if TYPE_CHECKING:
    from ecluse.checks import RunRequest


def request_of(
    frame: Frame,
    *,
    workflows: tuple[str, ...],
    event: str,
    event_file: str | None,
    inputs: tuple[str, ...],
    secrets: tuple[str, ...],
    secret_file: str | None,
    secret_key: str | None,
    configured: tuple[str, ...],
    variables: tuple[str, ...],
    matrix: tuple[str, ...],
    jobs: tuple[str, ...],
    actor: str,
    ref: str,
    base: str,
    local_actions: tuple[str, ...],
    platforms: tuple[str, ...],
    actions_url: str,
    update_actions: bool,
    results: tuple[str, ...],
    steps: tuple[str, ...],
    dry_run: bool,
    logs: str | None,
) -> tuple[Path, RunRequest]:
    """The tree to run on and the request. Raises :class:`Invalid` for options that say nothing usable."""
    from ecluse.checks import RunRequest

    tree, facts = _surroundings(frame.folder, ref)
    here = frame.folder.resolve()
    guessed = facts.pop("base_branch", "")
    request = RunRequest(
        workflows=tuple(os.path.relpath(here / name, tree) for name in workflows),
        event=event,
        event_payload=_payload(event_file),
        inputs=dict(_pair(item, "=", "--input") for item in inputs),
        secrets=_filed(secret_file, secret_key) | dict(_secret(item) for item in secrets),
        vars=dict(_pair(item, "=", "--var") for item in configured),
        env=dict(_pair(item, "=", "--env") for item in variables),
        matrix=_combinations(matrix),
        jobs=jobs,
        actor=actor,
        base_branch=base or guessed,
        local_actions=dict(_action(item, here) for item in local_actions),
        platforms=_platforms(tree, dict(_pair(item, "=", "--platform") for item in platforms)),
        actions_url=actions_url or os.environ.get("ECLUSE_ACTIONS_URL", "") or _configured_url(tree),
        lock_actions=not dry_run,
        update_actions=update_actions,
        results=results,
        steps=steps,
        dry_run=dry_run,
        log_dir=_log_folder(logs),
        **facts,
    )
    return tree, request


def _combinations(matrix: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """The values that each key of a matrix is kept to."""
    keep: dict[str, tuple[str, ...]] = {}
    for item in matrix:
        key, value = _pair(item, ":", "--matrix")
        keep[key] = (*keep.get(key, ()), value)
    return keep


def _log_folder(name: str | None) -> Path | None:
    """Where ``--logs`` puts the logs, absolute; the folder need not be there yet."""
    if not name:
        return None
    path = Path(name).resolve()
    if path.exists() and not path.is_dir():
        raise Invalid("usage", f"{name} is a file, and --logs needs a folder.", "name a folder, or leave --logs out")
    return path


def _surroundings(folder: Path, named: str) -> tuple[Path, dict[str, Any]]:
    """The tree to run on, and what its repository says of it (only the ref that is ``named``, when it is none)."""
    from ecluse.git import Repository

    if not folder.is_dir():
        raise Invalid("file.missing", f"There is no folder {folder}.", "check the name with: ls")
    try:
        repository = Repository.discover(folder)
    except Invalid:
        return folder.resolve(), {"ref": _ref(None, named)} if named else {}
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
    if named:
        facts["ref"] = _ref(repository, named)
    facts["repository"] = _name(repository.config("remote.origin.url") or "", repository.work_tree)
    return repository.work_tree.resolve(), facts


def _ref(repository: Any, named: str) -> str:
    """A ref written whole, the tag of that name when only a tag has it, else the branch."""
    if named.startswith("refs/"):
        return named
    tag, branch = f"refs/tags/{named}", f"refs/heads/{named}"
    is_tag = repository is not None and repository.resolve(tag) and not repository.resolve(branch)
    return tag if is_tag else branch


def _platforms(tree: Path, told: dict[str, str]) -> dict[str, str]:
    """What was ``told`` of labels, then what ``ecluse.toml`` says; the file is validated only when it says something."""
    from ecluse.files import read_capped

    path = tree / "ecluse.toml"
    data = read_capped(path, 1 << 20) if path.is_file() else b""
    if b"platforms" not in data:
        return told
    from ecluse import config

    return told | {label: said for label, said in config.parse(data).checks.platforms.items() if label not in told}


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
        document = json.loads(sys.stdin.buffer.read(16 << 20) if name == "-" else read_capped(Path(name), 16 << 20))
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
    if not key.isascii() or not key.isidentifier():
        raise Invalid(
            "run.secret",
            f"'{key}' is no name of a secret: letters, digits and underscores, and no digit at the beginning.",
            "give it as: --secret NAME=VALUE",
        )
    if found:
        return key, value
    if key not in os.environ:
        raise Invalid(
            "run.secret", f"There is no variable {key} in the environment to take the secret from.", f"export {key}=..."
        )
    return key, os.environ[key]


def _filed(name: str | None, key: str | None) -> dict[str, str]:
    """The secrets of the encrypted file, when one is given."""
    if name is None:
        if key is not None:
            raise Invalid(
                "usage", "--secret-key says how to open a --secret-file, and there is none.", "ecluse run --help"
            )
        return {}
    from ecluse.secrets.vault import read

    return read(Path(name), Path(key) if key is not None else None)


def _action(text: str, here: Path) -> tuple[str, str]:
    """The action that a folder stands for, and that folder, which must be there."""
    name, folder = _pair(text, "=", "--local-action")
    if "/" not in name or "@" not in name:
        raise Invalid("usage", f"--local-action needs OWNER/REPO@REF=DIR, not {text!r}.", "ecluse run --help")
    if not (here / folder).is_dir():
        raise Invalid("file.missing", f"There is no folder {folder} to take {name} from.", "check the name with: ls")
    return name, str(here / folder)


def check_place(name: str) -> None:
    """See before a run that its report can be written. Raises :class:`Invalid`."""
    import tempfile

    path = Path(name)
    why = "it is a folder" if path.is_dir() else ""
    if not why:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=path.parent):
                pass
        except OSError as error:
            why = error.strerror or str(error)
    if why:
        hint = "name a file in a folder that you may write to, or leave --report out"
        raise Invalid("run.report", f"The report cannot be written to {name}: {why}.", hint)
