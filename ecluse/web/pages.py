"""The pages. Each reads what it shows with a history of its own and fills one template."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import FileResponse, RedirectResponse, Response

from ecluse.git import Repository
from ecluse.history import History, search, stats, waiting
from ecluse.model import (
    Change,
    ChangeState,
    Deployment,
    Gate,
    Landing,
    LandingState,
    Release,
    ReleaseState,
    Run,
    RunState,
)
from ecluse.release import woven
from ecluse.web import logs, nouns
from ecluse.web.answers import Unknown
from ecluse.web.driver import Driver
from ecluse.web.outline import outline
from ecluse.web.overview import overview
from ecluse.web.render import page
from ecluse.web.words import path_of

PAGE_SIZE = 50
LINE_REFRESH_S = 15
RUN_REFRESH_S = 5

PageNumber = Annotated[int, Query(ge=1, le=100_000)]
Word = Annotated[str, Query(max_length=200)]


def pages(repository: Repository, driver: Driver) -> APIRouter:
    """The routes of every page of ``repository``'s dashboard; the first one says when ``driver`` has a problem."""
    router = APIRouter(include_in_schema=False)
    _add_line(router, repository, driver)
    _add_change(router, repository)
    _add_run(router, repository)
    _add_landing(router, repository)
    _add_release(router, repository)
    _add_lists(router, repository)
    _add_search(router, repository)
    return router


def opened(repository: Repository) -> History:
    """A history for one request: its connection belongs to the thread that opened it."""
    return History.open(repository.state_dir)


def _add_line(router: APIRouter, repository: Repository, driver: Driver) -> None:
    @router.get("/")
    def line() -> Response:
        with opened(repository) as history:
            found = overview(history)
        refresh_s = LINE_REFRESH_S if found.moves else 0
        return page("line.html", refresh_s=refresh_s, here="/", overview=found, driver=driver)

    @router.get("/stats")
    def statistics() -> Response:
        with opened(repository) as history:
            found = stats.gather(history)
        return page("stats.html", here="/stats", stats=found)


def _add_change(router: APIRouter, repository: Repository) -> None:
    def change(id: str, revision: int | None = None) -> Response:
        with opened(repository) as history:
            record = nouns.change_record(history, id, revision)
        return page("change.html", here="/changes", record=record, waiting=waiting.of_change(record.change))

    router.add_api_route("/changes/{id}", change, methods=["GET"])
    router.add_api_route("/changes/{id}/{revision}", change, methods=["GET"])


def _add_run(router: APIRouter, repository: Repository) -> None:
    @router.get("/runs/{id}")
    def run(id: str) -> Response:
        with opened(repository) as history:
            record = nouns.run_record(history, id)
        jobs = logs.jobs_of(repository, record.run)
        return page(
            "run.html",
            refresh_s=0 if record.run.state.is_terminal else RUN_REFRESH_S,
            here="/runs",
            record=record,
            jobs=[(job, logs.tail_of(job.log) if job.log else None) for job in jobs],
            annotations=logs.annotations_of(record.run),
        )

    @router.get("/runs/{id}/jobs/{index}/log")
    def log(id: str, index: int) -> Response:
        with opened(repository) as history:
            found = nouns.fetch(history, Run, id)
        jobs = logs.jobs_of(repository, found)
        file = jobs[index].log if 0 <= index < len(jobs) else None
        if file is None:
            raise Unknown("log.unknown", f"Job {index} of {id} has no log here (any more).", f"ecluse show {id}")
        name = "".join(
            c if c.isascii() and (c.isalnum() or c in "-_.") else "_" for c in f"{id}-{index}-{jobs[index].id}"
        )
        return FileResponse(file, media_type="text/plain; charset=utf-8", filename=f"{name[:120]}.log")


def _add_landing(router: APIRouter, repository: Repository) -> None:
    @router.get("/landings/{id}")
    def landing(id: str) -> Response:
        with opened(repository) as history:
            record = nouns.landing_record(history, id)
        blocked = record.landing.state.waits_for_person
        return page(
            "landing.html",
            here="/landings",
            record=record,
            waiting=[waiting.of_landing(record.landing, record.change)] if blocked else [],
        )


def _add_release(router: APIRouter, repository: Repository) -> None:
    @router.get("/releases/{id}")
    def release(id: str) -> Response:
        with opened(repository) as history:
            record = nouns.release_record(history, id)
            asked = [
                one
                for gate in record.gates
                if not gate.state.is_terminal
                for one in waiting.of_gate(gate, record.release)
            ]
            asked += waiting.of_waiting(history, record.release)
            if record.release.state is ReleaseState.ASKING:
                asked.append(waiting.of_asking(history, record.release))
            steps = outline(history, record.release)
            lines = woven.page(history, record.release.id)
        moving = not record.release.state.is_terminal and not record.release.state.waits_for_person
        refresh_s = RUN_REFRESH_S if moving else 0
        return page(
            "release.html",
            refresh_s=refresh_s,
            here="/releases",
            record=record,
            outline=steps,
            waiting=asked,
            woven=lines,
        )

    @router.get("/gates/{id}")
    def gate(id: str) -> Response:
        with opened(repository) as history:
            found = nouns.fetch(history, Gate, id)
        return RedirectResponse(path_of("releases", found.release) + "#gates", 303)

    @router.get("/deployments/{id}")
    def deployment(id: str) -> Response:
        with opened(repository) as history:
            found = nouns.fetch(history, Deployment, id)
        return RedirectResponse(path_of("releases", found.release) + "#deployments", 303)


def _add_lists(router: APIRouter, repository: Repository) -> None:
    def add(path: str, title: str, noun: type[Any], states: type[Any]) -> None:
        def listed(page: PageNumber = 1, state: Word = "", agent: Word = "") -> Response:
            return _list(repository, path, title, noun, [one.value for one in states], page, state, agent)

        router.add_api_route(path, listed, methods=["GET"])

    add("/changes", "Changes", Change, ChangeState)
    add("/runs", "Runs", Run, RunState)
    add("/landings", "Landings", Landing, LandingState)
    add("/releases", "Releases", Release, ReleaseState)


def _list(
    repository: Repository,
    path: str,
    title: str,
    noun: type[Any],
    states: list[str],
    number: int,
    state: str,
    agent: str,
) -> Response:
    equal = {"state": state} if state in states else {}
    if agent and noun in (Change, Landing):
        equal["agent"] = agent
    with opened(repository) as history:
        total = history.count(noun, **equal)
        offset = (number - 1) * PAGE_SIZE
        found = history.find(noun, limit=PAGE_SIZE, offset=offset, newest_first=True, **equal)
        titles = {}
        if noun is Landing:
            changes = {one.change: history.get(Change, one.change) for one in found}
            titles = {key: change.title for key, change in changes.items() if change is not None}
    return page(
        "list.html",
        here=path,
        title=title,
        records=found,
        titles=titles,
        states=states,
        chosen=equal,
        number=number,
        total=total,
        last=max(1, -(-total // PAGE_SIZE)),
    )


def _add_search(router: APIRouter, repository: Repository) -> None:
    @router.get("/search")
    def find(q: Word = "") -> Response:
        with opened(repository) as history:
            found = search.find(history, q, 100) if q.strip() else []
        return page("search.html", here="/search", query=q, events=found)
