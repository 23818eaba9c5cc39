"""The questions of ``ecluse import``: asked one by one at a terminal, answered by ``--yes``, left out without either."""

from __future__ import annotations

import os
import shlex
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ecluse.cli.frame import Frame
from ecluse.cli.words import count
from ecluse.errors import Problem
from ecluse.model import Change, Verdict

if TYPE_CHECKING:
    from ecluse.intake.judgement import Judgement
    from ecluse.model import Finding

SHOWN = 20


class Asker:
    """Who answers: a person at the terminal, ``--yes``, or nobody (then nothing beyond what was named is done)."""

    def __init__(self, frame: Frame) -> None:
        self.frame = frame
        self.asks = frame.interactive and not frame.yes
        self.yes = frame.yes

    def confirm(self, question: str, *, default: bool = True) -> bool:
        """A yes or a no; ``False`` where nobody can be asked."""
        if not self.asks:
            return self.yes
        answer = self.frame.choose(question, {"y": "yes", "n": "no"}, "y" if default else "n")
        return answer == "y"

    def message(self, proposal: str) -> tuple[str, str]:
        """What is to become of uncommitted work: ``y`` with the words for it, ``n``, or ``u`` to leave it uncommitted.

        With ``--yes`` and where nobody can be asked the work keeps the message that it has: an empty text.
        """
        if not self.asks:
            return "y", ""
        self.frame.say(f"The uncommitted work would be committed as: {proposal.splitlines()[0]}", "step")
        answers = {"y": "yes", "e": "edit the message", "u": "leave it uncommitted in this checkout", "n": "no"}
        answer = self.frame.choose("Commit it with this message?", answers, "y")
        if answer in ("n", "u"):
            return answer, ""
        return "y", proposal if answer == "y" else edit(self.frame, proposal)

    def destination(self, target: str, *, apart: bool = False) -> str:
        """Where the change (``apart``: its commits alone) goes now: ``land``, ``branch`` or nowhere (an empty text)."""
        if not self.asks:
            return "land" if self.yes else ""
        answers = {"y": "yes", "b": "on a branch for review instead", "n": "no"}
        what = "Test its commits and land them" if apart else "Test it and land it"
        answer = self.frame.choose(f"{what} on {target}?", answers, "y")
        return {"y": "land", "b": "branch", "n": ""}[answer]

    def branch_name(self, proposal: str) -> str:
        """The name of the review branch."""
        return str(click.prompt("Name of the branch", default=proposal, err=True)).strip()


def edit(frame: Frame, text: str) -> str:
    """``text`` as the person leaves it in their editor, or types it on one line where no editor is set.

    Lines that begin with ``#`` are left out. An empty answer means that nothing is committed.
    """
    editor = _editor(frame)
    if not editor:
        return str(click.prompt("Message", default=text.splitlines()[0], err=True)).strip()
    from ecluse.process import run_at_terminal

    remark = "# The message of the uncommitted work. Lines that begin with # are left out; an empty message stops."
    with tempfile.TemporaryDirectory(prefix="ecluse-message-") as folder:
        file = Path(folder, "COMMIT_EDITMSG")
        file.write_text(f"{text}\n\n{remark}\n", encoding="utf-8")
        try:
            code = run_at_terminal([*shlex.split(editor), str(file)])
        except (Problem, ValueError) as problem:
            frame.say(f"{problem} Nothing is committed.", "warn")
            return ""
        if code:
            frame.say(f"The editor ended with status {code}; nothing is committed.", "warn")
            return ""
        lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
    words = "\n".join(line for line in lines if not line.startswith("#")).strip()
    if not words:
        frame.say("The message is empty; nothing is committed.", "warn")
    return words


def _editor(frame: Frame) -> str:
    asked = frame.repository.run("config", "--get", "core.editor", check=False, user_config=True)
    configured = asked.stdout.decode("utf-8", "replace").strip() if asked.code == 0 else ""
    environ = os.environ
    return environ.get("GIT_EDITOR") or configured or environ.get("VISUAL") or environ.get("EDITOR") or ""


# -- what is shown before the questions ---------------------------------------------------------------------------


def show_plan(frame: Frame, judgement: Judgement, key: str, into: str) -> None:
    """What would happen to a change: verdict, method, commits, files and findings."""
    target = into.removeprefix("refs/heads/")
    who = f" by {judgement.agent.name}" if judgement.agent.name else ""
    frame.say(f"{key}{who}: {_line(judgement.title)}", "step")
    method = judgement.method or "none"
    frame.say(f"  verdict {judgement.verdict} ({judgement.reason}), method {method}, for {target}")
    frame.say(f"  {count(len(judgement.commits), 'commit')}, {count(len(judgement.files), 'file')}:")
    for path in judgement.files[:SHOWN]:
        frame.say(f"    {_line(path)}")
    if len(judgement.files) > SHOWN:
        frame.say(f"    and {len(judgement.files) - SHOWN} more")
    if judgement.conflicts:
        frame.say(f"  it conflicts with {target} in {', '.join(map(_line, judgement.conflicts[:10]))}", "wait")
    show_resolved(frame, judgement.resolved)
    for check in judgement.validations:
        frame.say(f"  {check['name']}: {check['result']} ({_line(str(check['detail']))})")
    show_findings(frame, judgement.findings)
    if judgement.claims and judgement.claims.note:
        frame.say("  note: " + _line(judgement.claims.note)[:500])


def show_resolved(frame: Frame, resolved: Iterable[Mapping[str, str]]) -> None:
    """Which conflicts with the target rules resolved, where there were any; the result is tested before it lands."""
    from ecluse.git.resolving import told

    words = told(resolved)
    if words:
        frame.say(f"  conflicts resolved by rule, to be tested: {_line(words)}", "warn")


def show_findings(frame: Frame, findings: tuple[Finding, ...]) -> None:
    """Each finding on a line, with its verdict and code."""
    for one in findings[:SHOWN]:
        mark = {Verdict.REJECT: "error", Verdict.QUARANTINE: "wait"}.get(one.verdict, "warn")
        frame.say(f"  {one.verdict}: {one.code}: {_line(one.message)}", mark)
    if len(findings) > SHOWN:
        frame.say(f"  and {len(findings) - SHOWN} more")


def proposal_for(change: Change, standing: str) -> str:
    """A message for uncommitted work: the agent's own words where there are any, else the one it has."""
    words = change.note.strip().splitlines()
    return words[0].strip()[:72] if words and words[0].strip() else standing


def _line(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in text)
