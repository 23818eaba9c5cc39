"""`ecluse import` at a real terminal and without one: every question, every no, Ctrl-C, and what is told afterwards."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from ecluse.history import History
from ecluse.model import Change, ChangeState, Landing

TEST_FILE = "def test_b():\n    import pathlib\n    assert pathlib.Path('b.txt').read_text() == 'b\\n'\n"


class Terminal:
    """One ``ecluse`` command on a terminal of its own; prompts are awaited, answers typed."""

    def __init__(self, cwd: Path, *words: str, **environment: str) -> None:
        self.screen = ""
        self.pid, self.file = pty.fork()
        if self.pid == 0:
            os.chdir(cwd)
            signal.signal(signal.SIGINT, signal.SIG_DFL)  # a shell starts what runs in its background deaf to Ctrl-C
            env = {**os.environ, "TERM": "dumb", **environment}
            os.execve(sys.executable, [sys.executable, "-m", "ecluse", *words], env)

    def expect(self, text: str) -> None:
        """Read until ``text`` is on the screen beyond what was matched before."""
        deadline = time.monotonic() + 60
        while text not in self.screen[self.seen :]:
            assert time.monotonic() < deadline and self._read(), f"never saw {text!r}:\n{self.screen}"
        self.seen = self.screen.index(text, self.seen) + len(text)

    seen = 0

    def answer(self, question: str, typed: str) -> None:
        self.expect(question)
        self.expect("]: ")
        os.write(self.file, typed.encode() + b"\r")

    def interrupt(self, question: str) -> None:
        """Ctrl-C at a question. One that comes just before the interpreter waits is lost to it: then once more."""
        self.expect(question)
        self.expect("]: ")
        for _ in range(10):
            os.write(self.file, b"\x03")
            deadline = time.monotonic() + 3
            while time.monotonic() < deadline:
                if "next: ecluse" in self.screen or "go on with" in self.screen or not self._read(0.2):
                    return

    def end(self) -> int:
        while self._read():
            pass
        os.close(self.file)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

    def _read(self, patience: float = 60) -> bool:
        """Read once; ``False`` at the end. Nothing within ``patience`` seconds is not the end."""
        try:
            ready, _, _ = select.select([self.file], [], [], patience)
            if not ready and patience < 60:
                return True
            data = os.read(self.file, 1 << 16) if ready else b""
        except OSError:
            return False
        self.screen += re.sub(r"\x1b\[[0-9;]*m", "", data.decode("utf-8", "replace"))
        return bool(data)


def ecluse(cwd: Path, *words: str, expect: int = 0, **environment: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "ecluse", *words], cwd=cwd, capture_output=True, text=True, env={**os.environ, **environment}
    )  # fmt: skip
    assert "Traceback" not in done.stderr, done.stderr
    assert done.returncode == expect, (done.stdout, done.stderr)
    return done


@pytest.fixture
def ready(bench: Any, history: History) -> Any:
    """The receiving repository: trusting, with a test of its own."""
    bench.commit("open", ecluse_dot_toml='trust = "all"\n')
    return bench


@pytest.fixture
def dirty(ready: Any, sandbox: Any, tmp_path: Path) -> Path:
    """A bundle of uncommitted work with a test, made from a sandbox."""
    box = sandbox()
    box.write("b.txt", "b\n")
    box.write("test_b.py", TEST_FILE)
    ecluse(box.folder, "export", "--agent", "a1", "--note", "-", "--to", str(tmp_path / "d.tar"))
    return tmp_path / "d.tar"


def only(bench: Any) -> Change:
    with History.open(bench.repository.state_dir) as history:
        (change,) = history.find(Change)
    return change


def test_every_question_answered_with_yes(ready: Any, dirty: Path, tmp_path: Path) -> None:
    remote = tmp_path / "remote.git"
    subprocess.run(["git", "init", "-q", "--bare", str(remote)], check=True)
    ready.git("remote", "add", "origin", str(remote))
    editor = tmp_path / "editor"
    editor.write_text("#!/bin/sh\nprintf 'feat: b\\n\\nbody\\n# not this\\n' >\"$1\"\n")
    editor.chmod(0o755)
    at = Terminal(ready.folder, "import", str(dirty), GIT_EDITOR=str(editor))
    at.expect("verdict accept")
    at.expect("2 files")
    at.expect("test_b.py")
    at.answer("Keep this change?", "")
    at.answer("Run its tests", "y")
    at.expect("pytest: success")
    at.answer("Commit it with this message?", "e")
    at.expect("feat: b")
    at.answer("land it on main?", "")
    at.answer("Push main to origin", "y")
    assert at.end() == 0, at.screen
    assert "read back" in at.screen
    assert ready.git("log", "-1", "--format=%B%an", "main") == "feat: b\n\nbody\nTest Person"
    assert (ready.folder / "b.txt").read_text() == "b\n"
    assert subprocess.run(
        ["git", "-C", str(remote), "rev-parse", "main"], capture_output=True, text=True
    ).stdout.strip() == ready.git("rev-parse", "main")
    change = only(ready)
    assert change.state is ChangeState.LANDED
    assert list(change.commits.values()) == [change.head]
    assert {one["name"]: one["result"] for one in change.validations}["pytest"] == "success"
    again = json.loads(ecluse(ready.folder, "import", str(dirty), "--json").stdout)
    assert again["commits"] == change.commits


def test_no_at_each_question_leaves_a_told_state(ready: Any, dirty: Path) -> None:
    before = ready.git("for-each-ref")
    at = Terminal(ready.folder, "import", str(dirty))
    at.answer("Keep this change?", "n")
    assert at.end() == 3
    assert "Nothing was kept" in at.screen
    assert f"next: ecluse import {dirty}" in at.screen
    assert ready.git("for-each-ref") == before
    at = Terminal(ready.folder, "import", str(dirty))
    at.answer("Keep this change?", "y")
    at.answer("Run its tests", "n")
    at.answer("Commit it with this message?", "n")
    assert at.end() == 0
    assert "its uncommitted work is not committed" in at.screen
    assert (only(ready).state, ready.git("rev-parse", "main")) == (ChangeState.READY, before.split()[0])
    at = Terminal(ready.folder, "import", str(dirty))
    at.answer("Run its tests", "n")
    at.answer("Commit it with this message?", "y")
    at.answer("land it on main?", "n")
    assert at.end() == 0
    assert f"next: ecluse land {only(ready).key}" in at.screen
    assert ready.git("rev-parse", "main") == before.split()[0]


@pytest.mark.parametrize("question", ["Keep this change?", "Run its tests", "land it on main?"])
def test_interrupted_at_each_question(ready: Any, dirty: Path, question: str) -> None:
    main = ready.git("rev-parse", "main")
    at = Terminal(ready.folder, "import", str(dirty))
    for text, typed in {"Keep this change?": "y", "Run its tests": "n", "Commit it with": "y"}.items():
        if text == question:
            break
        at.answer(text, typed)
    at.interrupt(question)
    assert at.end() == 130, at.screen
    assert "next: ecluse" in at.screen or "go on with: ecluse" in at.screen
    assert ready.git("rev-parse", "main") == main
    assert ready.git("status", "--porcelain") == ""
    with History.open(ready.repository.state_dir) as history:
        kept = history.find(Change)
    assert [one.state for one in kept] == ([] if question.startswith("Keep") else [ChangeState.READY])


def test_a_trial_leaves_no_byte(ready: Any, history: History, dirty: Path) -> None:
    history.close()  # the last to close it takes the write-ahead log away

    def everything() -> dict[Path, bytes]:
        return {path: path.read_bytes() for path in ready.folder.rglob("*") if path.is_file()}

    before = everything()
    assert not any(path.name.endswith("-wal") for path in before)
    for words in ((), ("--json",), ("--land",), ("--branch", "x")):
        ecluse(ready.folder, "import", str(dirty), "--dry-run", *words)
    assert everything() == before


def test_u_leaves_it_uncommitted(ready: Any, sandbox: Any, tmp_path: Path) -> None:
    """Nonsense is asked again, whole words are answers; who stops at the last question has all that was answered before."""
    remote = tmp_path / "remote.git"
    ready.git("init", "-q", "--bare", str(remote))
    ready.git("remote", "add", "origin", str(remote))
    box = sandbox()
    box.commit("feat: b", b_dot_txt="b\n")
    box.write("c.txt", "c\n")
    bundle = tmp_path / "m.tar"
    ecluse(box.folder, "export", "--to", str(bundle))
    at = Terminal(ready.folder, "import", str(bundle))
    at.answer("Keep this change?", "perhaps")
    at.expect("'perhaps' is none of y, n")
    at.answer("Keep this change?", "YES")
    at.answer("Commit it with this message?", "u")
    at.expect("without its uncommitted work: 1 commit")
    at.answer("Test its commits and land them on main?", "n")
    assert at.end() == 3  # the commits beneath it are not here
    at = Terminal(ready.folder, "import", str(bundle))
    at.answer("Test its commits and land them on main?", "y")
    at.expect("landed on")
    at.interrupt("Push main to origin")
    assert at.end() == 130, at.screen
    assert (only(ready).state, ready.git("status", "--porcelain")) == (ChangeState.LANDED, "?? c.txt")
    undone = ecluse(ready.folder, "import", "--undo", only(ready).id).stdout
    assert "is undone" in undone and f"is out of {ready.folder} again." in undone
    assert ready.git("status", "--porcelain") == ""
    assert "is undone" in ecluse(ready.folder, "import", "--undo", only(ready).id).stdout  # twice is once


def test_several_patches_are_one_series(ready: Any, sandbox: Any, tmp_path: Path) -> None:
    box = sandbox()
    box.commit("one", b_dot_txt="b\n")
    box.commit("two", b_dot_txt="c\n")
    box.git("format-patch", "-q", "-o", str(tmp_path), "main~2..main")
    first, second = sorted(map(str, tmp_path.glob("*.patch")))
    said = json.loads(ecluse(ready.folder, "import", first, second, "--json").stdout)
    assert (said["method"], len(said["commits"])) == ("mail", 2)
    assert "whole series" in ecluse(ready.folder, "import", second, first, "--dry-run", expect=4).stderr
    assert "missing.patch is no file" in ecluse(ready.folder, "import", first, "missing.patch", expect=2).stderr
    assert "is none of .patch" in ecluse(ready.folder, "import", first, str(ready.folder / "a.txt"), expect=2).stderr


def test_an_editor_that_fails_commits_nothing(ready: Any, dirty: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").write_text('#!/bin/sh\n: >"$1"\n')
    (tmp_path / "empty").chmod(0o755)
    editors = {
        "no-such-editor": "was not found",
        "false": "ended with status 1",
        str(tmp_path / "empty"): "message is empty",
    }
    for number, (editor, words) in enumerate(editors.items()):
        at = Terminal(ready.folder, "import", str(dirty), GIT_EDITOR=editor)
        if number == 0:
            at.answer("Keep this change?", "y")
        at.answer("Run its tests", "n")
        at.answer("Commit it with", "edit")
        at.expect(words)
        at.expect(f"next: ecluse import {dirty} (asks again)")
        assert at.end() == 0, at.screen
    assert only(ready).state is ChangeState.READY


def test_red_tests_stop_it_and_an_inline_message(ready: Any, sandbox: Any, tmp_path: Path) -> None:
    box = sandbox()
    box.write("test_b.py", TEST_FILE)
    ecluse(box.folder, "export", "--to", str(tmp_path / "r.tar"))
    main = ready.git("rev-parse", "main")
    done = ecluse(ready.folder, "import", str(tmp_path / "r.tar"), "--land", "--yes", expect=5)
    assert "pytest is red" in done.stdout
    assert ready.git("rev-parse", "main") == main
    box.write("b.txt", "b\n")
    ecluse(box.folder, "export", "--to", str(tmp_path / "g.tar"))
    at = Terminal(ready.folder, "import", str(tmp_path / "g.tar"), "--land", GIT_EDITOR="", EDITOR="", VISUAL="")
    at.answer("Keep this change?", "y")
    at.answer("Run its tests", "n")
    at.answer("Commit it with", "e")
    at.answer("Message", "feat: typed here")
    assert at.end() == 0, at.screen
    assert ready.git("log", "-1", "--format=%s", "main") == "feat: typed here"


def test_yes_completes_without_questions_and_publishes_nothing(ready: Any, dirty: Path, tmp_path: Path) -> None:
    remote = tmp_path / "remote.git"
    subprocess.run(["git", "init", "-q", "--bare", str(remote)], check=True)
    ready.git("remote", "add", "origin", str(remote))
    said = json.loads(ecluse(ready.folder, "import", str(dirty), "--yes", "--json").stdout)
    assert said["landing"]["state"] == "landed"
    assert ready.git("log", "-1", "--format=%s", "main") == "Uncommitted work"
    assert ready.git("ls-remote", "origin") == ""
    pushed = json.loads(ecluse(ready.folder, "land", said["change_id"], "--push", "--json").stdout)
    assert (
        pushed["push"]["new"] == ready.git("rev-parse", "main") == ready.git("ls-remote", "origin", "main").split()[0]
    )


def test_no_input_keeps_only_and_a_message_by_flag(ready: Any, dirty: Path) -> None:
    main = ready.git("rev-parse", "main")
    ecluse(ready.folder, "import", str(dirty), "--no-input")
    assert (only(ready).state, ready.git("rev-parse", "main")) == (ChangeState.READY, main)
    ecluse(ready.folder, "import", str(dirty), "--land", "--message", "feat: by flag", "--no-input")
    assert ready.git("log", "-1", "--format=%s", "main") == "feat: by flag"


def test_yes_never_answers_a_quarantine_and_nobody_is_asked_about_one(ready: Any, sandbox: Any, tmp_path: Path) -> None:
    box = sandbox()
    box.commit("ci", _dot_github__workflows__ci_dot_yml="on: push\n")
    ecluse(box.folder, "export", "--to", str(tmp_path / "q.tar"))
    at = Terminal(ready.folder, "import", str(tmp_path / "q.tar"))
    at.expect("quarantine: policy.ci_changed")
    at.answer("Keep this change?", "y")
    assert at.end() == 3
    assert "ecluse review" in at.screen
    ecluse(ready.folder, "import", str(tmp_path / "q.tar"), "--yes", "--land", expect=3)
    ecluse(ready.folder, "import", str(tmp_path / "q.tar"), "--branch", "look", expect=3)
    assert "look" not in ready.git("branch")


def test_a_review_branch_follows_its_re_roll_and_is_taken_back(ready: Any, sandbox: Any, tmp_path: Path) -> None:
    box = sandbox()
    box.commit("feat: one", b_dot_txt="b\n")
    ecluse(box.folder, "export", "--to", str(tmp_path / "1.tar"))
    said = json.loads(ecluse(ready.folder, "import", str(tmp_path / "1.tar"), "--branch", "review/b", "--json").stdout)
    assert said["branch"]["new"] == ready.git("rev-parse", "review/b") == box.git("rev-parse", "HEAD")
    ecluse(ready.folder, "import", str(tmp_path / "1.tar"), "--branch", "review/b")
    for name, code in (("main", 4), ("a..b", 2), ("review", 2)):
        ecluse(ready.folder, "import", str(tmp_path / "1.tar"), "--branch", name, expect=code)
    box.commit("feat: two", b_dot_txt="B\n")
    ecluse(box.folder, "export", "--to", str(tmp_path / "2.tar"))
    ecluse(ready.folder, "import", str(tmp_path / "2.tar"), "--branch", "review/b")
    assert ready.git("rev-parse", "review/b") == box.git("rev-parse", "HEAD")
    ready.git("branch", "mine", "main")
    ecluse(ready.folder, "import", str(tmp_path / "2.tar"), "--branch", "mine", expect=2)
    ecluse(ready.folder, "import", "--undo", said["change_id"])
    assert "review/b" not in ready.git("branch")
    with History.open(ready.repository.state_dir) as history:
        assert history.find(Landing) == []
    ecluse(ready.folder, "import", str(tmp_path / "2.tar"), "--branch", "review/b")
    assert ready.git("rev-parse", "review/b") == box.git("rev-parse", "HEAD")


def test_undo_of_what_others_built_on_lands_a_revert(ready: Any, dirty: Path) -> None:
    said = json.loads(ecluse(ready.folder, "import", str(dirty), "--land", "--json").stdout)
    ready.commit("later", c_dot_txt="c\n")
    told = json.loads(ecluse(ready.folder, "import", "--undo", said["change_id"], "--json").stdout)
    assert told["landing"]["state"] == "landed"
    assert sorted(ready.git("ls-tree", "--name-only", "main").split()) == ["a.txt", "c.txt", "ecluse.toml"]
    assert ready.git("status", "--porcelain") == ""
    with History.open(ready.repository.state_dir) as history:
        assert {one.state for one in history.find(Change, id=said["change_id"])} == {ChangeState.UNDONE}
