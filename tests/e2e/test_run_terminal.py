"""``ecluse run`` at a real terminal: readable with fifty jobs, a shell at a failed step, plain where it is no terminal."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

FIFTY = """
on: push
jobs:
  first: {runs-on: ubuntu-latest, steps: [{run: echo "::group::one"; echo line; echo "::endgroup::"}]}
  many:
    needs: first
    runs-on: ubuntu-latest
    strategy: {fail-fast: false, matrix: {n: [N]}}
    steps:
      - name: Check
        run: |
          printf 'said by a job \\033[2J\\n'
          test ${{ matrix.n }} != 7 && test ${{ matrix.n }} != 9
""".replace("[N]", str(list(range(1, 50))))


class Terminal:
    """A process on a pseudo terminal of 100 columns and 30 rows."""

    def __init__(self, words: list[str], cwd: Path, env: dict[str, str]) -> None:
        master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))

        def take() -> None:
            signal.signal(signal.SIGINT, signal.SIG_DFL)  # a shell starts what runs in its background deaf to Ctrl-C
            os.setsid()
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)

        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", "ecluse", *words],
            cwd=cwd, env={**env, "TERM": "xterm-256color"}, stdin=slave, stdout=slave, stderr=slave, preexec_fn=take,
        )  # fmt: skip
        os.close(slave)
        self.master = master
        self.text = ""

    def read(self, until: Callable[[str], bool] | None = None) -> str:
        deadline = time.monotonic() + 60
        while until is None or not until(self.text):
            assert time.monotonic() < deadline, self.text
            if not select.select([self.master], [], [], 0.2)[0]:
                continue
            try:
                data = os.read(self.master, 65536)
            except OSError:
                break
            if not data:
                break
            self.text += data.decode("utf-8", "replace")
        return self.text

    def type(self, text: str) -> None:
        os.write(self.master, text.encode())

    def close(self) -> int:
        self.read()
        code = self.process.wait(timeout=30)
        os.close(self.master)
        return code


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / ".github" / "workflows").mkdir(parents=True)
    (tmp_path / ".github" / "workflows" / "ci.yml").write_text(FIFTY)
    return tmp_path


def visible(text: str) -> list[str]:
    """What stays on the screen: the lower part is repainted again and again, and gone at the end."""
    kept: list[str] = []
    for row in re.sub(r"\x1b\[\?25[lh]|\x1b\[[0-9;]*m", "", text).replace("\r\n", "\n").split("\n"):
        while found := re.match(r"\r\x1b\[K|(\x1b\[1A\x1b\[2K)", row):
            if found[1]:
                kept.pop()
            row = row[found.end() :]
        kept.append(row)
    return kept


def test_fifty_jobs_at_a_terminal(cli: Any, place: Path) -> None:
    terminal = Terminal(["run"], place, cli.env)
    assert terminal.close() == 5
    assert (
        "50 jobs done" in terminal.text and "\x1b[?25h" in terminal.text and not re.search(r"\x1b\[\d?J", terminal.text)
    )  # as tmux would keep each repainting
    rows = visible(terminal.text)
    assert not any("jobs done" in row for row in rows)
    assert all(len(row) <= 100 for row in rows), max(rows, key=len)
    text = "\n".join(rows)
    assert sum("━" in row for row in rows) == 50, text
    assert "many (7): Check, the last lines:" in text and "failed in 1 more: many (9)" in text
    assert text.count("said by a job") == 1
    assert re.search(r"red: 48 success, 2 failure  \S", text)
    assert "--rerun-failed" in text and "report: reports/report.json" in text and len(rows) < 90


def test_plain_where_it_is_no_terminal(cli: Any, place: Path) -> None:
    said = cli("run", "--job", "first", cwd=place)
    assert "\x1b" not in said.err and "\r" not in said.err
    assert "first: success" in said.err and "green: 1 success" in said.err
    loud = cli("run", "--job", "first", "-v", cwd=place, env={"PYTHONIOENCODING": "ascii"})
    assert "first | line" in loud.err and "first | one" in loud.err and loud.err.isascii()
    assert "[OK] " in loud.err and "###" in loud.err
    red = cli("run", cwd=place, expect=5)
    assert red.err.count("many (") < 70 and "many (7): Check" in red.err


def test_no_color_at_a_terminal(cli: Any, place: Path) -> None:
    terminal = Terminal(["run", "--job", "first"], place, {**cli.env, "NO_COLOR": "1"})
    assert terminal.close() == 0
    assert not re.search(r"\x1b\[[0-9;]*m", terminal.text) and "green" in terminal.text


def test_a_shell_at_the_failed_step(cli: Any, place: Path) -> None:
    (place / ".github" / "workflows" / "ci.yml").write_text(
        """
        on: push
        jobs:
          a:
            runs-on: ubuntu-latest
            env: {FROM_JOB: here}
            steps:
              - {name: Break it, run: mkdir sub; echo made > sub/f; exit 3}
              - {if: always(), run: test -e sub/by-hand}
        """
    )
    terminal = Terminal(["run", "--on-failure", "shell"], place, cli.env)
    terminal.read(lambda text: "[a] $ " in text)
    terminal.type('echo "got $FROM_JOB $(cat sub/f) $((40 + 2))"; touch sub/by-hand\n')
    terminal.read(lambda text: "got here made 42" in text)
    terminal.type("sleep 60\n")
    time.sleep(0.3)
    terminal.type("\x03")
    terminal.type("exit 9\n")
    assert terminal.close() == 5
    assert "Break it failed" in terminal.text and "status 9; the run goes on" in terminal.text
    assert terminal.text.count("[a] $ ") < 8 and re.search("red: 1 failure", terminal.text)


def test_a_shell_needs_a_terminal(cli: Any, place: Path) -> None:
    said = cli("run", "--on-failure", "shell", cwd=place, expect=2)
    assert "needs a terminal" in said.err


def test_an_interrupted_view_leaves_the_terminal_as_it_was(cli: Any, place: Path) -> None:
    (place / ".github" / "workflows" / "ci.yml").write_text(
        "on: push\njobs: {a: {runs-on: ubuntu-latest, steps: [{run: echo begun; sleep 60}]}}\n"
    )
    terminal = Terminal(["run"], place, cli.env)
    terminal.read(lambda text: "begun" in text)
    terminal.process.send_signal(signal.SIGINT)
    assert terminal.close() == 130
    assert terminal.text.rindex("\x1b[?25h") > terminal.text.rindex("\x1b[?25l")
