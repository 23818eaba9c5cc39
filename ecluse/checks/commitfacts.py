"""What an event says of the commit under test, where the tree has one: message, people, times, paths."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from ecluse.checks.contexts import NO_COMMIT, SERVER
from ecluse.checks.request import RunRequest
from ecluse.errors import Problem

_FORMAT = "%H%n%T%n%an%n%ae%n%cn%n%ce%n%cI%n%P%n%B%x00"
_MOST_PATHS = 3000
"""How many changed paths a forge names in a push."""


def with_commit(tree: Path, request: RunRequest) -> RunRequest:
    """The same request; its payload has what git says of its commit, under what the payload says itself.

    Nothing is added outside a repository, or for other events than a push and a pull request.
    """
    payload = request.event_payload
    is_pull = request.event.startswith("pull_request")
    if not request.commit or "head_commit" in payload or not (is_pull or request.event == "push"):
        return request
    commit = read_commit(tree, request.commit)
    if commit is None:
        return request
    before = request.base_commit or next(iter(commit.pop("parents")), NO_COMMIT)
    first, _, rest = str(commit["message"]).partition("\n")
    if is_pull:
        pull = payload.get("pull_request")
        given = pull if isinstance(pull, dict) else {}
        said = {"title": first, "body": rest.strip(), "commits": 1} | given
        return replace(request, event_payload=payload | {"pull_request": said} if given or not pull else payload)
    url = f"{SERVER}/{request.repository}"
    found: dict[str, Any] = {
        "head_commit": {**commit, "url": f"{url}/commit/{commit['id']}"},
        "pusher": {name: commit["committer"][name] for name in ("name", "email")},
        "before": before,
        "created": before == NO_COMMIT,
        "compare": f"{url}/compare/{before[:12]}...{commit['id'][:12]}",
    }
    found["commits"] = [found["head_commit"]]
    return replace(request, event_payload=found | payload)


def read_commit(tree: Path, name: str) -> dict[str, Any] | None:
    """The commit as a push names it, with its parents; ``None`` when there is no repository, or no such commit in it."""
    from ecluse.git.invocation import git

    words = ["log", "-1", "-z", "--no-renames", "--name-status", f"--format={_FORMAT}", "--end-of-options", name, "--"]
    try:
        done = git(words, cwd=tree, check=False)
    except Problem:
        return None
    if done.code != 0:
        return None
    text, _, changed = done.stdout.decode("utf-8", "replace").partition("\0")
    commit, tree_id, author, author_mail, committer, committer_mail, when, parents, message = text.split("\n", 8)
    words = [word for word in changed.strip("\0\n").split("\0") if word]
    pairs = list(zip(words[::2], words[1::2], strict=False))[:_MOST_PATHS]
    return {
        "id": commit,
        "parents": parents.split(),
        "tree_id": tree_id,
        "distinct": True,
        "message": message.rstrip("\n"),
        "timestamp": when,
        "author": {"name": author, "email": author_mail, "username": author},
        "committer": {"name": committer, "email": committer_mail, "username": committer},
        "added": [path for status, path in pairs if status == "A"],
        "removed": [path for status, path in pairs if status == "D"],
        "modified": [path for status, path in pairs if status not in ("A", "D")],
    }
