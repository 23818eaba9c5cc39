"""One process of git that answers many small questions about a repository, where each would start one of its own.

It sees refs that move and objects that are added while it runs, as any process of git does.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable

from ecluse.errors import Failed
from ecluse.process import Pipe


class Asker:
    """A long-lived ``git cat-file --batch-command``, started by ``start`` at the first question; for many threads."""

    def __init__(self, start: Callable[[], Pipe]) -> None:
        self._start = start
        self._process: Pipe | None = None
        self._lock = threading.Lock()

    @staticmethod
    def takes(name: str) -> bool:
        """Whether an object can be asked for by this name: a question is one line."""
        return "\n" not in name and "\0" not in name

    def info(self, name: str) -> tuple[str, str, int] | None:
        """(id, kind, bytes) of the object that ``name`` stands for, or ``None``."""
        with self._lock:
            return self._head("info", name)

    def contents(self, name: str) -> bytes | None:
        """The bytes of the object that ``name`` stands for, or ``None``. Ask for its size first."""
        with self._lock:
            found = self._head("contents", name)
            if found is None:
                return None
            assert self._process and self._process.stdout  # noqa: S101 - started by _head
            data = self._process.stdout.read(found[2] + 1)
        if len(data) != found[2] + 1:
            raise _died()
        return data[:-1]

    def close(self) -> None:
        """End the process, if one was started."""
        with self._lock:
            if self._process is None:
                return
            assert self._process.stdin and self._process.stdout  # noqa: S101 - open_pipe always makes pipes
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.close()
            self._process.stdout.close()
            self._process.wait()
            self._process = None

    def _head(self, word: str, name: str) -> tuple[str, str, int] | None:
        if self._process is None:
            self._process = self._start()
        assert self._process.stdin and self._process.stdout  # noqa: S101 - open_pipe always makes pipes
        try:
            self._process.stdin.write(os.fsencode(f"{word} {name}\n"))
            self._process.stdin.flush()
        except BrokenPipeError:
            raise _died() from None
        line = self._process.stdout.readline()
        if not line:
            raise _died()
        words = line.split(b" ")
        if len(words) != 3 or not words[2].rstrip().isdigit():
            return None
        return words[0].decode("ascii", "replace"), words[1].decode("ascii", "replace"), int(words[2])


def _died() -> Failed:
    return Failed("git.died", "git ended in the middle of an answer.", "type the same command again")
