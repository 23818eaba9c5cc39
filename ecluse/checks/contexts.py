"""The contexts that expressions read, and the variables every step finds in its environment."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ecluse.checks.labels import system_here
from ecluse.checks.request import RunRequest
from ecluse.checks.values import to_text
from ecluse.checks.workflow import Workflow

NO_COMMIT = "0" * 40
SERVER = "https://github.com"

_INHERITED = frozenset(
    {
        "PATH", "HOME", "LANG", "LANGUAGE", "TMPDIR", "TZ", "USER", "LOGNAME", "SHELL",
        "http_proxy", "https_proxy", "no_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY",
        "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS",
        "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_TRUSTED_HOST", "PIP_CERT", "PIP_CONFIG_FILE", "PIP_CACHE_DIR",
        "UV_INDEX_URL", "UV_DEFAULT_INDEX", "UV_CACHE_DIR", "XDG_CACHE_HOME",
        "SYSTEMROOT", "COMSPEC", "PATHEXT", "TEMP", "TMP", "USERPROFILE", "APPDATA", "LOCALAPPDATA",
    }
)  # fmt: skip
"""Variables of this process that steps see; everything else (GIT_*, PYTHON*, tokens, virtualenvs) stays out."""


def inherited_environment(source: Mapping[str, str] | None = None) -> dict[str, str]:
    """What a step inherits from the machine: enough to find programs and the network, nothing that steers them."""
    source = os.environ if source is None else source
    env = {name: value for name, value in source.items() if name in _INHERITED or name.startswith("LC_")}
    own = source.get("VIRTUAL_ENV")
    path = env.get("PATH", os.defpath)
    if own:
        inside = str(Path(own) / ("Scripts" if os.name == "nt" else "bin"))
        path = os.pathsep.join(part for part in path.split(os.pathsep) if part.rstrip("/") != inside)
    env["PATH"] = path
    return env


def runner_os() -> str:
    return system_here()


def runner_architecture() -> str:
    machine = platform.machine().lower()
    return {"x86_64": "X64", "amd64": "X64", "aarch64": "ARM64", "arm64": "ARM64"}.get(machine, machine.upper())


def event_payload(request: RunRequest, workflow: Workflow) -> dict[str, Any]:
    """The event's document: the given one, completed by what the request itself says."""
    owner, _, name = request.repository.partition("/")
    commit = request.commit or NO_COMMIT
    branch = request.ref.removeprefix("refs/heads/")
    base = request.base_branch or "main"
    payload: dict[str, Any] = {
        "repository": {
            "name": name or owner,
            "full_name": request.repository,
            "owner": {"login": owner, "name": owner},
            "default_branch": base,
            "private": False,
            "html_url": f"{SERVER}/{request.repository}",
        },
        "sender": {"login": request.actor},
    }
    if request.event == "push":
        payload |= {"ref": request.ref, "before": request.base_commit or NO_COMMIT, "after": commit}
        payload |= {"created": not request.base_commit, "deleted": False, "forced": False, "base_ref": None}
        payload["head_commit"] = {"id": commit, "tree_id": request.tree, "message": ""}
        payload |= {"commits": [payload["head_commit"]], "pusher": {"name": request.actor}}
    elif request.event.startswith("pull_request"):
        payload |= {"action": "synchronize", "number": 1}
        payload["pull_request"] = {
            "number": 1,
            "draft": False,
            "merged": False,
            "title": "",
            "body": "",
            "state": "open",
            "merged_by": None,
            "html_url": f"{SERVER}/{request.repository}/pull/1",
            "labels": [],
            "user": {"login": request.actor},
            "head": {"ref": branch, "sha": commit, "repo": {"full_name": request.repository, "fork": False}},
            "base": {"ref": base, "sha": request.base_commit or NO_COMMIT, "repo": {"full_name": request.repository}},
        }
    elif request.event == "workflow_dispatch":
        payload |= {"ref": request.ref, "inputs": {}}
    elif request.event == "schedule":
        times = (workflow.triggers.get("schedule") or {}).get("entries") or []
        payload["schedule"] = next((str(entry.get("cron")) for entry in times), "")
    given = dict(request.event_payload)
    if (
        isinstance(given.get("pull_request"), dict) and "pull_request" in payload
    ):  # its branches stay, if none are given
        given["pull_request"] = payload["pull_request"] | given["pull_request"]
    return payload | given


def github_context(request: RunRequest, workflow: Workflow, payload: dict[str, Any]) -> dict[str, Any]:
    """The ``github`` context as far as it is the same for all jobs of a workflow."""
    pull = payload.get("pull_request") if request.event.startswith("pull_request") else None
    pull = pull if isinstance(pull, dict) else {}
    ref = f"refs/pull/{pull.get('number') or payload.get('number') or 1}/merge" if pull else request.ref
    ref = request.ref if request.event == "pull_request_target" else ref
    is_tag = ref.startswith("refs/tags/")
    return {
        "actor": request.actor,
        "actor_id": "0",
        "api_url": "https://api.github.com",
        "base_ref": str((pull.get("base") or {}).get("ref") or "") if pull else "",
        "event": payload,
        "event_name": request.event,
        "graphql_url": "https://api.github.com/graphql",
        "head_ref": str((pull.get("head") or {}).get("ref") or "") if pull else "",
        "ref": ref,
        "ref_name": ref.removeprefix("refs/heads/").removeprefix("refs/tags/").removeprefix("refs/pull/"),
        "ref_protected": False,
        "ref_type": "tag" if is_tag else "branch",
        "repository": request.repository,
        "repositoryUrl": f"git://github.com/{request.repository}.git",
        "repository_id": "0",
        "repository_owner": request.repository.partition("/")[0],
        "repository_owner_id": "0",
        "retention_days": "90",
        "run_attempt": str(request.attempt),
        "run_id": request.run_id or "1",
        "run_number": str(request.numbers.get(workflow.path, 1)),
        "secret_source": "Actions" if request.secrets else "None",
        "server_url": SERVER,
        "sha": request.commit or NO_COMMIT,
        "token": request.secrets.get("GITHUB_TOKEN", ""),
        "triggering_actor": request.actor,
        "workflow": workflow.name,
        "workflow_ref": f"{request.repository}/{workflow.path}@{ref}",
        "workflow_sha": request.commit or NO_COMMIT,
    }


_AS_VARIABLES = (
    "action", "actor", "actor_id", "api_url", "base_ref", "event_name", "graphql_url", "head_ref", "job", "ref",
    "ref_name", "ref_type", "repository", "repository_id", "repository_owner", "repository_owner_id",
    "retention_days", "run_attempt", "run_id", "run_number", "server_url", "sha", "triggering_actor", "workflow",
    "workflow_ref", "workflow_sha", "workspace", "event_path", "action_path", "action_repository", "action_ref",
)  # fmt: skip


def github_variables(github: Mapping[str, Any]) -> dict[str, str]:
    """The ``GITHUB_*`` variables that repeat the context."""
    found = {f"GITHUB_{name.upper()}": to_text(github[name]) for name in _AS_VARIABLES if name in github}
    found["GITHUB_REF_PROTECTED"] = "false"
    return found


def wants_debug(request: RunRequest) -> bool:
    """Whether steps are to say more: ``ACTIONS_STEP_DEBUG`` is ``true`` as a secret, or without one as a variable."""
    name = "ACTIONS_STEP_DEBUG"
    return request.secrets.get(name, request.vars.get(name, "")).lower() == "true"


def fixed_variables() -> dict[str, str]:
    """Variables with which programs recognise where they run.

    ``ACT`` is the one that existing workflows already test to know that they do not run on GitHub itself. pip is told
    to install into environments only, so that a job without setup-python does not change this machine's Python.
    """
    flags = dict.fromkeys(("CI", "GITHUB_ACTIONS", "ACT", "ECLUSE"), "true")
    return {**flags, "PIP_REQUIRE_VIRTUALENV": "true", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
