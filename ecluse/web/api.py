"""The same facts as JSON, for programs and agents. Reading only."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field

from ecluse.git import Repository
from ecluse.history import search
from ecluse.model import Change, Deployment, Event, Gate, Landing, Release, Run
from ecluse.web import nouns
from ecluse.web.answers import SCHEMA_VERSION, Document
from ecluse.web.overview import overview
from ecluse.web.pages import opened


class _Answer(BaseModel):
    schema_version: int = SCHEMA_VERSION


class ProblemAnswer(BaseModel):
    """What went wrong, why, and what to type next."""

    code: str = Field(description="dotted and stable")
    message: str
    hint: str = Field(description="the next command to type")


class Found(BaseModel):
    """One event that holds every word of the query."""

    number: int
    at: str = Field(description="ISO 8601, UTC")
    kind: str
    subject: str
    text: str
    actor: str


class Memory(_Answer):
    query: str
    results: list[Found] = Field(description="best first")


class ChangeAnswer(_Answer):
    change: Change
    landings: list[Landing] = Field(description="of this revision, newest first")
    events: list[Event]


class RunAnswer(_Answer):
    run: Run
    events: list[Event]


class LandingAnswer(_Answer):
    landing: Landing
    events: list[Event]


class ReleaseAnswer(_Answer):
    release: Release
    gates: list[Gate]
    deployments: list[Deployment]
    events: list[Event]


class EventsAnswer(_Answer):
    events: list[Event] = Field(description="oldest first")
    last: int = Field(description="give this as `after` to get what comes next")


class LineAnswer(_Answer):
    locks: list[dict[str, Any]] = Field(description="each lock's name and the counts of what is in it now")
    waiting: list[dict[str, Any]] = Field(description="what waits for a person, with the commands to type")


def _errors() -> dict[int | str, dict[str, Any]]:
    return {404: {"model": ProblemAnswer}, 400: {"model": ProblemAnswer}}


def api(repository: Repository) -> APIRouter:
    """The JSON routes of ``repository``."""
    router = APIRouter(responses=_errors())
    _add_memory(router, repository)
    _add_events(router, repository)
    _add_changes(router, repository)
    _add_nouns(router, repository)
    return router


def _add_memory(router: APIRouter, repository: Repository) -> None:
    @router.get(
        "/memory/query",
        tags=["memory"],
        operation_id="query_memory",
        summary="Search everything that happened",
        response_model=Memory,
    )
    def query(
        q: Annotated[str, Query(max_length=1000, description="words; beginnings count, accents and case do not")],
        limit: Annotated[int, Query(ge=1, le=500)] = 50,
    ) -> Response:
        """Events that hold every word, best first: the same search as `ecluse history search`."""
        with opened(repository) as history:
            found = search.find(history, q, limit)
        results = [{name: getattr(event, name) for name in Found.model_fields} for event in found]
        return Document({"query": q, "results": results})


def _add_events(router: APIRouter, repository: Repository) -> None:
    @router.get(
        "/api/events",
        tags=["history"],
        operation_id="list_events",
        summary="Events after a number, oldest first",
        response_model=EventsAnswer,
    )
    def events(
        after: Annotated[int, Query(ge=0, le=2**62)] = 0,
        subject: Annotated[str, Query(max_length=300, description="exact, or everything below it")] = "",
        kind: Annotated[str, Query(max_length=100, description="`landing`, or `landing.red`")] = "",
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    ) -> Response:
        """Follow the history: ask again with `after` set to the `last` you got."""
        with opened(repository) as history:
            found = history.events(after=after, subject=subject, kind=kind, limit=limit)
        return Document({"events": found, "last": found[-1].number if found else after})

    @router.get(
        "/api/line",
        tags=["history"],
        operation_id="show_line",
        summary="What stands in each lock and what waits for a person",
        response_model=LineAnswer,
    )
    def line() -> Response:
        with opened(repository) as history:
            found = overview(history)
        locks = [{"name": lock.name.lower(), "counts": lock.counts} for lock in found.locks]
        return Document({"locks": locks, "waiting": found.waiting})


def _add_changes(router: APIRouter, repository: Repository) -> None:
    def change_document(id: str, revision: int | None) -> Response:
        with opened(repository) as history:
            record = nouns.change_record(history, id, revision)
        return Document({"change": record.change, "landings": record.landings, "events": record.events})

    @router.get(
        "/api/changes/{id}",
        tags=["change"],
        operation_id="show_change",
        summary="The newest revision of a change",
        response_model=ChangeAnswer,
    )
    def change(id: str) -> Response:
        return change_document(id, None)

    @router.get(
        "/api/changes/{id}/{revision}",
        tags=["change"],
        operation_id="show_change_revision",
        summary="One revision of a change",
        response_model=ChangeAnswer,
    )
    def change_revision(id: str, revision: int) -> Response:
        return change_document(id, revision)


def _add_nouns(router: APIRouter, repository: Repository) -> None:
    @router.get(
        "/api/runs/{id}",
        tags=["run"],
        operation_id="show_run",
        summary="One run of checks with its report",
        response_model=RunAnswer,
    )
    def run(id: str) -> Response:
        with opened(repository) as history:
            record = nouns.run_record(history, id)
        return Document({"run": record.run, "events": record.events})

    @router.get(
        "/api/landings/{id}",
        tags=["landing"],
        operation_id="show_landing",
        summary="One landing",
        response_model=LandingAnswer,
    )
    def landing(id: str) -> Response:
        with opened(repository) as history:
            record = nouns.landing_record(history, id)
        return Document({"landing": record.landing, "events": record.events})

    @router.get(
        "/api/releases/{id}",
        tags=["release"],
        operation_id="show_release",
        summary="One release with its gates and deployments",
        response_model=ReleaseAnswer,
    )
    def release(id: str) -> Response:
        with opened(repository) as history:
            found = nouns.release_record(history, id)
        return Document(
            {
                "release": found.release,
                "gates": found.gates,
                "deployments": found.deployments,
                "events": found.events,
            }
        )
