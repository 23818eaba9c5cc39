"""Release notes go to GitHub, Forgejo and GitLab as their published schemas have it, and the token stays a secret."""

from __future__ import annotations

import json
import os
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote

import pytest

from ecluse import release
from ecluse.model import Deployment, DeploymentState, ReleaseState

TEXT, FLAG = (str,), (bool,)
CREATE: dict[str, dict[str, tuple[type, ...]]] = {
    "github": {
        "tag_name": TEXT,
        "target_commitish": TEXT,
        "name": TEXT,
        "body": TEXT,
        "draft": FLAG,
        "prerelease": FLAG,
        "discussion_category_name": TEXT,
        "generate_release_notes": FLAG,
        "make_latest": TEXT,
    },
    "forgejo": {
        "tag_name": TEXT,
        "target_commitish": TEXT,
        "name": TEXT,
        "body": TEXT,
        "draft": FLAG,
        "prerelease": FLAG,
        "hide_archive_links": FLAG,
    },
    "gitlab": {
        "tag_name": TEXT,
        "tag_message": TEXT,
        "ref": TEXT,
        "name": TEXT,
        "description": TEXT,
        "milestones": (list,),
        "assets": (dict,),
        "released_at": TEXT,
    },
}
"""The body's properties in the forges' published schemas; ``tag_name`` is required in each, and no other is allowed."""
CHANGE = {
    "github": CREATE["github"],
    "forgejo": CREATE["forgejo"],
    "gitlab": {k: v for k, v in CREATE["gitlab"].items() if k in ("name", "description", "milestones", "released_at")},
}
ROUTES = {
    "github": (
        r"/repos/team/app/releases",
        r"/repos/team/app/releases/tags/(.+)",
        r"/repos/team/app/releases/(\d+)",
        "PATCH",
    ),
    "forgejo": (
        r"/repos/team/app/releases",
        r"/repos/team/app/releases/tags/(.+)",
        r"/repos/team/app/releases/(\d+)",
        "PATCH",
    ),
    "gitlab": (
        r"/projects/team%2Fapp/releases",
        r"/projects/team%2Fapp/releases/(.+)",
        r"/projects/team%2Fapp/releases/(.+)",
        "PUT",
    ),
}


class Forge:
    """One forge's releases, kept in memory; every request is checked against the schema."""

    def __init__(self, kind: str, token: str) -> None:
        self.kind, self.token = kind, token
        self.kept: dict[str, dict[str, Any]] = {}
        self.requests: list[tuple[str, str]] = []
        self.faults: list[str] = []
        self.down = False
        forge = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                size = int(self.headers.get("Content-Length") or 0)
                status, document = forge.handle(self.command, self.path, dict(self.headers), self.rfile.read(size))
                data = json.dumps(document).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = do_PATCH = do_PUT = answer  # noqa: N815

            def log_message(self, *words: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def handle(self, method: str, path: str, headers: dict[str, str], body: bytes) -> tuple[int, dict[str, Any]]:
        self.requests.append((method, path))
        given = {"github": f"Bearer {self.token}", "forgejo": f"token {self.token}"}.get(self.kind)
        sent = (
            headers.get("Private-Token") or headers.get("PRIVATE-TOKEN")
            if self.kind == "gitlab"
            else headers.get("Authorization")
        )
        if sent != (given or self.token):
            return 401, {"message": f"wrong credentials: {sent}"}
        if self.down:
            return 503, {"message": f"down; you sent {sent}"}
        many, by_tag, by_id, change = ROUTES[self.kind]
        if method == "POST" and re.fullmatch(many, path):
            return self.create(self.checked(body, CREATE[self.kind], required=("tag_name",)))
        if method == "GET" and (found := re.fullmatch(by_tag, path)):
            made = self.kept.get(unquote(found[1]))
            return (200, made) if made else (404, {"message": "Not Found"})
        if method == change and (found := re.fullmatch(by_id, path)):
            key = unquote(found[1])
            made = next(m for tag, m in self.kept.items() if key in (tag, str(m.get("id"))))
            made.update(self.checked(body, CHANGE[self.kind]))
            return 200, made
        self.faults.append(f"{method} {path} is no route")
        return 404, {"message": "no route"}

    def create(self, document: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        tag = document["tag_name"]
        page = f"https://forge.example/team/app/releases/{tag}"
        extra = {"_links": {"self": page}} if self.kind == "gitlab" else {"id": 7 + len(self.kept), "html_url": page}
        self.kept[tag] = {**document, **extra}
        return 201, self.kept[tag]

    def checked(
        self, body: bytes, schema: dict[str, tuple[type, ...]], required: tuple[str, ...] = ()
    ) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(body)
        self.faults += [f"{name} is missing" for name in required if name not in document]
        for name, value in document.items():
            if name not in schema:
                self.faults.append(f"{name} is not in the schema")
            elif not isinstance(value, schema[name]):
                self.faults.append(f"{name} is a {type(value).__name__}")
        return document


@pytest.fixture(params=["github", "forgejo", "gitlab"])
def forge(request, yard, monkeypatch) -> Iterator[Forge]:
    token = f"t-{os.urandom(12).hex()}"
    made = Forge(request.param, token)
    monkeypatch.setenv("FORGE_TOKEN", token)
    policy = yard.policy().replace("environments.production", "environments.staging").replace("production = true", "")
    section = f'[forge]\nkind = "{made.kind}"\nurl = "{made.url}"\nproject = "team/app"\ntoken = "FORGE_TOKEN"\n'
    page = "---\nplaybook: notes\nformat: 1\nenvironment: staging\n---\n# n\n\n## Sequence\n\n"
    page += "### [1] V — by system\n\n- uses: semver.decide\n\n### [2] N — by system\n\n"
    page += '- uses: release.notes title="Version {version}" template=notes\n\n## Communications\n\n### notes\n\n'
    yard.commit("chore: forge", ecluse_dot_toml=policy + section, playbooks__notes_dot_md=page + "First: {why}\n")
    yield made
    made.server.shutdown()
    made.server.server_close()
    events = "".join(str(event) for event in yard.history.events(limit=10_000))
    assert token not in events, "the token is in the history"
    assert made.faults == []


def test_a_page_is_made_and_the_same_tag_gets_the_new_text(yard, forge):
    done = yard.drive(yard.start(playbook="notes"))
    assert done.state is ReleaseState.DONE, done.reason
    made = forge.kept["v0.1.0"]
    text = "description" if forge.kind == "gitlab" else "body"
    assert made["name"] == "Version 0.1.0" and made[text].startswith("First: 0.1.0 is the first release")
    assert "https://forge.example/team/app/releases/v0.1.0" in yard.texts(done.id)
    changed = (yard.folder / "playbooks/notes.md").read_text().replace("First:", "Second:")
    yard.commit("docs: better notes", playbooks__notes_dot_md=changed)
    again = yard.drive(yard.start(playbook="notes"))
    assert again.state is ReleaseState.DONE, again.reason
    assert made[text].startswith("Second:") and len(forge.kept) == 1


def test_a_forge_that_is_down_fails_the_step_and_names_no_token(yard, forge):
    forge.down = True
    over = yard.drive(yard.start(playbook="notes"))
    assert over.state is ReleaseState.FAILED and "was answered 503" in over.reason and "***" in over.reason
    assert forge.token not in over.reason


def test_a_death_after_publishing_does_not_publish_twice(yard, forge):
    import subprocess
    import sys
    from pathlib import Path

    release_id = yard.start(playbook="notes")
    driver = Path(__file__).with_name("driver.py")
    words = [sys.executable, str(driver), str(yard.folder), release_id, "done", "2.release.notes"]
    assert subprocess.run(words, capture_output=True, check=False).returncode == -9
    done = yard.drive(release_id)
    assert done.state is ReleaseState.DONE and [m for m, _ in forge.requests].count("POST") == 1


@pytest.mark.parametrize("forge", ["github"], indirect=True)
def test_notes_that_fail_leave_a_healthy_version_live_and_are_tried_again(yard, forge):
    page = (yard.folder / "playbooks/notes.md").read_text()
    live = "### [2] D — by system\n\n- uses: deploy.folder\n- then: health.http\n\n### [3] N"
    rows = "## Rollback\n\n| When | Do |\n|---|---|\n| deploy.folder | previous version |\n\n## Communications"
    page = page.replace("### [2] N", live).replace("## Communications", rows)
    yard.commit("docs: deploy, then tell", playbooks__notes_dot_md=page)
    forge.down = True
    over = yard.drive(yard.start(playbook="notes"))
    assert over.state is ReleaseState.FAILED and "was answered 503" in over.reason
    (made,) = yard.history.find(Deployment)
    assert made.state is DeploymentState.LIVE
    forge.down = False
    release.retry(yard.repository, yard.history, over.id, who="ada")
    again = yard.drive(over.id)
    assert again.state is ReleaseState.DONE and "v0.1.0" in forge.kept, again.reason
