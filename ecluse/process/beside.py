"""Work beside other work, in one process: for commands that take their time."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import TypeVar

Result = TypeVar("Result")


@contextlib.contextmanager
def background(work: Callable[[], Result]) -> Iterator[Callable[[], Result]]:
    """Do ``work`` (commands that take their time) beside the block; at its end it is over. Gives what fetches its result.

    What fetches the result raises what the work raised.
    """
    done: list[Result] = []
    failed: list[BaseException] = []

    def body() -> None:
        try:
            done.append(work())
        except BaseException as error:  # noqa: BLE001 - raised again where the result is fetched
            failed.append(error)

    def fetch() -> Result:
        thread.join()
        if failed:
            raise failed[0]
        return done[0]

    thread = threading.Thread(target=body)
    thread.start()
    try:
        yield fetch
    finally:
        thread.join()
