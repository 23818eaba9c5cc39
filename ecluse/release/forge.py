"""Releases on a forge: GitHub, Forgejo (also Gitea) and GitLab, each as its REST API takes them.

The token is a secret by name, goes out in a header, and is never part of a message or of the history. The tag has to
be on the forge already (``git.tag push=REMOTE``); GitHub and Forgejo would make a missing one on the commit named.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from ecluse import http
from ecluse.errors import Failed, Problem
from ecluse.git import Repository
from ecluse.release import vault

if TYPE_CHECKING:
    from ecluse.config import ForgeConfig

TIMEOUT_S = 30.0


@dataclass(frozen=True, slots=True)
class Notes:
    """What is published for one tag."""

    tag: str
    commit: str
    title: str
    body: str
    prerelease: bool


class Forge:
    """One project on one forge."""

    def __init__(self, settings: ForgeConfig, repository: Repository) -> None:
        self.settings = settings
        self.repository = repository

    def publish(self, notes: Notes) -> str:
        """Make the tag's release, or give the one that is there this text; return its address for people."""
        there = self._find(notes)
        if there is None:
            return self._page(self._send("POST", self._releases(), self._document(notes), (200, 201)))
        method = "PUT" if self.settings.kind == "gitlab" else "PATCH"
        return self._page(self._send(method, self._one(notes, there), self._changes(notes), (200,)))

    def has(self, notes: Notes) -> bool:
        """Whether the forge has a release of this tag with this text."""
        there = self._find(notes)
        text = "description" if self.settings.kind == "gitlab" else "body"
        return there is not None and str(there.get(text) or "").strip() == notes.body.strip()

    def address_of(self, notes: Notes) -> str:
        """The page's address for people; empty when there is none."""
        there = self._find(notes)
        return self._page(there) if there else ""

    def _releases(self) -> str:
        base = self.settings.url.rstrip("/")
        if self.settings.kind == "gitlab":
            return f"{base}/projects/{quote(self.settings.project, safe='')}/releases"
        return f"{base}/repos/{self.settings.project}/releases"

    def _one(self, notes: Notes, there: dict[str, Any]) -> str:
        if self.settings.kind == "gitlab":
            return f"{self._releases()}/{quote(notes.tag, safe='')}"
        return f"{self._releases()}/{there['id']}"

    def _find(self, notes: Notes) -> dict[str, Any] | None:
        tag = quote(notes.tag, safe="")
        middle = "" if self.settings.kind == "gitlab" else "/tags"
        return self._send("GET", f"{self._releases()}{middle}/{tag}", None, (200, 404))

    def _document(self, notes: Notes) -> dict[str, Any]:
        """The body of a release that is made, as the forge's published schema has it."""
        if self.settings.kind == "gitlab":
            return {"tag_name": notes.tag, "ref": notes.commit, "name": notes.title, "description": notes.body}
        made = {"tag_name": notes.tag, "target_commitish": notes.commit, "name": notes.title, "body": notes.body}
        return {**made, "draft": False, "prerelease": notes.prerelease}

    def _changes(self, notes: Notes) -> dict[str, Any]:
        if self.settings.kind == "gitlab":
            return {"name": notes.title, "description": notes.body}
        return {"name": notes.title, "body": notes.body, "prerelease": notes.prerelease}

    def _headers(self, token: str) -> dict[str, str]:
        kind = {
            "github": {"Authorization": f"Bearer {token}", "X-GitHub-Api-Version": "2022-11-28"},
            "forgejo": {"Authorization": f"token {token}"},
            "gitlab": {"PRIVATE-TOKEN": token},
        }[self.settings.kind]
        accept = "application/vnd.github+json" if self.settings.kind == "github" else "application/json"
        return {"Accept": accept, "Content-Type": "application/json; charset=utf-8", **kind}

    def _send(self, method: str, url: str, body: dict[str, Any] | None, good: tuple[int, ...]) -> dict[str, Any] | None:
        token = vault.value(self.repository, self.settings.token)
        data = json.dumps(body).encode() if body is not None else None
        try:
            answer = http.request(url, method, headers=self._headers(token), body=data, timeout_s=TIMEOUT_S)
        except Problem as problem:
            said = vault.masker(token).mask(problem.message)
            raise Failed("notes.no_answer", f"The forge did not answer: {said}", f"curl -i {url}") from None
        if answer.status not in good:
            said = vault.masker(token).mask(" ".join(answer.text().split())[:300])
            raise Failed("notes.refused", f"{method} {url} was answered {answer.status}: {said}", self._way_out(answer))
        if answer.status == 404:
            return None
        try:
            document = json.loads(answer.body)
        except ValueError:
            document = None
        if not isinstance(document, dict):
            raise Failed(
                "notes.answer", f"{method} {url} was answered with something else than a document.", f"curl -i {url}"
            )
        return document

    def _way_out(self, answer: http.Answer) -> str:
        """What helps against a refusal: another token, another name, patience, or a look."""
        name, place = self.settings.token, vault.path_of(self.repository, self.settings.token)
        left, wait = answer.headers.get("x-ratelimit-remaining", ""), answer.headers.get("retry-after", "")
        again = "then: ecluse release retry"
        if answer.status == 429 or (answer.status == 403 and (left == "0" or wait)):
            return f"wait {f'{wait} s' if wait.isdigit() else 'until the forge takes requests again'}, {again}"
        if answer.status in (401, 403):
            return (
                f"put a token that may write releases of {self.settings.project} into {place} (secret {name}), {again}"
            )
        if answer.status == 404:
            return f"look at url and project in [forge], and whether the token {name} sees {self.settings.project}, {again}"
        if answer.status >= 500:
            return f"wait until the forge is well, {again}"
        return f"look whether the tag is on the forge (git.tag push=REMOTE), {again}"

    def _page(self, document: dict[str, Any] | None) -> str:
        if not document:
            return ""
        links = document.get("_links") if isinstance(document.get("_links"), dict) else {}
        return str(document.get("html_url") or (links or {}).get("self") or "")
