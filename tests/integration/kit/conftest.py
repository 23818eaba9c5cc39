"""Short words for what the tests of this folder do to a copy of the demo's template."""

from __future__ import annotations

import re
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from ecluse.demo import template


class Service:
    """The template's service, really started; ``get`` gives status and text of a path."""

    def __init__(self, address: str) -> None:
        self.address = address

    def get(self, path: str) -> tuple[int, str]:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(self.address + path, timeout=60) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()


class Copy:
    """A copy of the template in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.paths = template.write(folder)

    def run_tests(self) -> subprocess.CompletedProcess[str]:
        """The template's own tests, as its workflow runs them."""
        words = [sys.executable, "-B", "-m", "unittest", "discover", "-v"]
        return subprocess.run(words, cwd=self.folder, capture_output=True, text=True, timeout=120)

    def failing(self) -> list[str]:
        """The names of the tests that fail."""
        return re.findall(r"^(?:FAIL|ERROR): (\w+)", self.run_tests().stderr, flags=re.M)

    @contextmanager
    def started(self) -> Iterator[Service]:
        """The service as a deployment starts it, on a free port, stopped at the end."""
        words = [sys.executable, "-B", "-m", "service.app", "--port", "0"]
        with subprocess.Popen(
            words, cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        ) as process:
            try:
                assert process.stdout is not None
                address = re.search(r"http://\S+", process.stdout.readline())
                assert address, "the service did not say where it listens"
                yield Service(address.group())
            finally:
                process.terminate()
                process.wait(60)


@pytest.fixture
def copy(tmp_path: Path) -> Copy:
    return Copy(tmp_path / "locks")


@pytest.fixture
def cli_run(bench: Any) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs ``ecluse`` in the bench's folder."""

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        argv = [sys.executable, "-P", "-m", "ecluse", *words]
        return subprocess.run(argv, cwd=bench.folder, capture_output=True, text=True, timeout=120)

    return run
