"""Answers that are not pages: JSON documents, and problems said as a page to people and as JSON to programs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from fastapi.responses import HTMLResponse, JSONResponse, Response
from starlette.datastructures import Headers

from ecluse.errors import Invalid, Problem, Refused, Waits
from ecluse.history.records import plain, storable

SCHEMA_VERSION = 1
_MACHINE_PATHS = ("/api/", "/memory/", "/healthz", "/openapi.json")


class Document(JSONResponse):
    """``{schema_version, ...}``; undecodable file names are written as escapes, so that every parser reads it."""

    def render(self, content: Any) -> bytes:
        document = {"schema_version": SCHEMA_VERSION, **_storable(plain(content))}
        return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode("utf-8")


def _storable(value: Any) -> Any:
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, list):
        return [_storable(item) for item in value]
    if isinstance(value, dict):
        return {storable(key): _storable(item) for key, item in value.items()}
    return value


class Unknown(Invalid):
    """There is nothing at this address. HTTP status 404."""


def status_of(problem: Problem) -> int:
    """The HTTP status that says what kind of problem it is."""
    if isinstance(problem, Unknown):
        return 404
    if isinstance(problem, Refused):
        return 403
    if isinstance(problem, Waits):
        return 409
    if isinstance(problem, Invalid) and not problem.code.startswith("history."):
        return 400
    return 503


def problem_answer(
    problem: Problem, scope: Mapping[str, Any], *, status: int = 0, headers: Mapping[str, str] | None = None
) -> Response:
    """Say ``problem`` in the form that the asker reads: ``{code, message, hint}`` or a page."""
    status = status or status_of(problem)
    if _wants_json(scope):
        return JSONResponse(_storable(problem.as_dict()), status, dict(headers or {}))
    from ecluse.web.render import page

    answer: HTMLResponse = page("problem.html", status=status, problem=problem, here="")
    answer.headers.update(headers or {})
    return answer


def _wants_json(scope: Mapping[str, Any]) -> bool:
    if str(scope["path"]).startswith(_MACHINE_PATHS):
        return True
    accepted = Headers(raw=scope["headers"]).get("accept", "")
    return "application/json" in accepted and "text/html" not in accepted
