"""The application: routes, what errors become, and the line behind it. ``server`` runs it."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.staticfiles import StaticFiles
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from ecluse import __version__
from ecluse.errors import Failed, Invalid, Problem
from ecluse.git import Repository
from ecluse.web import render
from ecluse.web.answers import Unknown, problem_answer
from ecluse.web.api import api
from ecluse.web.driver import Background, Driver, DriverState
from ecluse.web.guard import Guard
from ecluse.web.pages import pages

_DESCRIPTION = """What happens to the changes of coding agents on their way to a running release, as JSON.
Everything here only reads. Instants are ISO 8601 in UTC, durations milliseconds, sizes bytes."""


def create_app(repository: Repository, background: Background | None = None, *, host: str = "") -> Guard:
    """The dashboard and API of ``repository`` as an ASGI application.

    ``background`` drives the line in a thread from start to end of the application (``None``: the application only
    shows). ``host`` is the address it is bound to, accepted as a Host beside the names of this machine.
    """
    driver = Driver(background)

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        driver.start()
        try:
            yield
        finally:
            await run_in_threadpool(driver.stop)

    app = FastAPI(
        title="Écluse",
        version=__version__,
        description=_DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=lifespan,
    )
    _add_health(app, driver)
    app.include_router(api(repository))
    app.include_router(pages(repository, driver))
    app.mount("/static", StaticFiles(directory=Path(__file__).parent / "static"), name="static")
    _add_errors(app)
    render.environment()
    return Guard(app, host)


def _add_health(app: FastAPI, driver: Driver) -> None:
    @app.get("/healthz", tags=["history"], operation_id="health", summary="Whether this answers and the line is driven")
    async def health() -> Response:
        """`status` is ok, or failed (HTTP 503) when the line behind it has stopped."""
        well = driver.state in (DriverState.OFF, DriverState.DRIVING)
        document = {"status": "ok" if well else "failed", "line": driver.state.value, "problem": driver.problem}
        return JSONResponse(document, 200 if well else 503)


def _add_errors(app: FastAPI) -> None:
    @app.exception_handler(Problem)
    async def problem(request: Request, raised: Exception) -> Response:
        assert isinstance(raised, Problem)  # noqa: S101 - registered for this class
        return problem_answer(raised, request.scope)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, raised: Exception) -> Response:
        assert isinstance(raised, RequestValidationError)  # noqa: S101 - registered for this class
        wrong = "; ".join(f"{'.'.join(str(part) for part in e['loc'][1:])}: {e['msg']}" for e in raised.errors())
        if request.scope["path"].startswith(("/changes/", "/runs/", "/api/changes/")) and "path" in _places(raised):
            return problem_answer(Unknown("page.unknown", "There is nothing at this address.", "open /"), request.scope)
        return problem_answer(Invalid("request.invalid", f"The request is wrong: {wrong}.", "open /"), request.scope)

    @app.exception_handler(HTTPException)
    async def http_problem(request: Request, raised: Exception) -> Response:
        assert isinstance(raised, HTTPException)  # noqa: S101 - registered for this class
        if raised.status_code == 404:
            found: Problem = Unknown("page.unknown", "There is nothing at this address.", "open /")
        else:
            found = Invalid("request.invalid", f"The request is wrong: {raised.detail}.", "open /")
        return problem_answer(found, request.scope, status=raised.status_code, headers=raised.headers)

    @app.exception_handler(Exception)
    async def bug(request: Request, raised: Exception) -> Response:
        text = f"This is a fault of Écluse, not of yours: {type(raised).__name__}. The server's terminal has it whole."
        return problem_answer(Failed("bug", text, "ecluse doctor"), request.scope, status=500)


def _places(raised: RequestValidationError) -> set[str]:
    return {str(error["loc"][0]) for error in raised.errors() if error["loc"]}
