"""The reference cases of approvals, each played on a real release or named as belonging elsewhere."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ecluse import release, signing
from ecluse.errors import ExitStatus, Problem, Refused
from ecluse.history import History, wakes
from ecluse.model import Gate, GateState, ReleaseState, Role

pytestmark = pytest.mark.skipif(not signing.available(), reason="ssh-keygen is not on this machine")

ROUNDS = 200 if int(os.environ.get("ECLUSE_PROPERTY_STEPS", "0")) >= 10_000 else 12
ELSEWHERE = {
    "csrf-get": "tests/integration/web/test_answers_by_web.py",
    "csrf-json-text-plain": "tests/integration/web/test_answers_by_web.py",
    "host-header": "tests/integration/web/test_answers_by_web.py",
    "token-in-url": "tests/integration/web/test_answers_by_web.py",
    "mass-assignment": "tests/integration/web/test_answers_by_web.py",
    "log-xss": "tests/integration/web/test_pages.py",
    "session-fixation": "nobody logs in to the dashboard",
    "logout-reuse": "nobody logs in to the dashboard",
    "token-timing": "the dashboard takes no tokens",
    "download-html": "the dashboard serves no artifacts",
    "idor": "the dashboard knows no accounts and shows whoever sits at this machine everything",
    "audit-tamper": "history",
    "audit-fork": "history",
    "mcp-confused-deputy": "no such door is there yet",
}
"""Case -> where it is played, or why there is nothing to play: the dashboard takes no answers."""


def waiting(desk, **words: Any) -> str:
    release_id = desk.start(**words)
    assert desk.drive(release_id).state is ReleaseState.WAITING
    return release_id


def say(desk, release_id: str, key: Path | None, signature: str = "") -> Gate:
    """Answer by the function that every door calls, or by typing the command."""
    if not desk.by_command:
        words: dict[str, Any] = {"who": "x", "how": "key", "key": key, "signature": signature}
        return release.answer(desk.repository, desk.history, release_id, None, "approve", **words)
    given = ["--key", str(key)]
    if signature:
        place = desk.folder.parent / "signature"
        place.write_text(signature)
        given = ["--signature", str(place)]
    words_ = ["release", "approve", release_id, *given, "--no-wait", "--no-input", "--json"]
    typed = [sys.executable, "-P", "-m", "ecluse", *words_]
    done = subprocess.run(typed, cwd=desk.folder, capture_output=True, check=False)
    document = json.loads(done.stdout or done.stderr)
    problem = document.get("error", document)
    if done.returncode == ExitStatus.REFUSED:
        raise Refused(problem["code"], problem["message"], problem["hint"])
    assert done.returncode in (ExitStatus.DONE, ExitStatus.WAITS), done.stderr.decode()
    return desk.history.find(Gate, release=release_id)[-1]


def refused(code: str, act: Callable[[], object]) -> None:
    with pytest.raises(Refused) as problem:
        act()
    assert problem.value.code == code


def author_approves_self(make_desk) -> None:
    desk = make_desk(solo=False)
    ada = desk.list_key(name="ada")
    desk.git("commit", "-q", "--allow-empty", "--author=ada <a@example.invalid>", "-m", "feat: mine")
    refused("gate.own_work", lambda: say(desk, waiting(desk), ada))


def author_alias(make_desk) -> None:
    """The person wrote under the agent's name; the policy knows that the agent's name and key are theirs."""
    people = '[people.ada]\nkeys = ["ada", "agent-7"]\n'
    desk = make_desk(solo=False, extra=people)
    ada = desk.list_key(name="ada")
    desk.git("commit", "-q", "--allow-empty", "--author=agent-7 <a@example.invalid>", "-m", "feat: mine")
    refused("gate.own_work", lambda: say(desk, waiting(desk), ada))


def agent_approves_agent(make_desk) -> None:
    desk = make_desk(solo=False)
    desk.list_key(name="ada")
    bot = desk.list_key(Role.AGENT, "bot")
    refused("signature.invalid", lambda: say(desk, waiting(desk), bot))


def approve_race(make_desk) -> None:
    """An answer and a new policy in one instant: what goes live was approved under the policy it went live with."""
    desk = make_desk()
    for number in range(ROUNDS):
        release_id = waiting(desk)
        text = f"{desk.policy()}# {number}\n"
        go = threading.Barrier(2)

        def approve(release_id: str = release_id, go: threading.Barrier = go) -> None:
            with History.open(desk.repository.state_dir) as own:
                go.wait()
                try:
                    release.answer(desk.repository, own, release_id, None, "approve", who="Ada", how="typed")
                except Problem:
                    return

        other = threading.Thread(target=approve)
        other.start()
        go.wait()
        desk.commit("chore: policy", ecluse_dot_toml=text)
        other.join()
        wakes.wake(desk.history, f"release/{release_id}")
        over = desk.drive(release_id)
        assert release_id not in desk.deployed(), f"round {number}: let in by an answer to an older policy"
        if not over.state.is_terminal:
            release.abort(desk.history, release_id, who="x", why="next round")
            desk.drive(release_id, until=lambda r: r.state.is_terminal)


def approval_replay(make_desk) -> None:
    desk = make_desk(solo=False)
    ada = desk.list_key(name="ada")
    first = waiting(desk)
    gate = say(desk, first, ada)
    desk.drive(first)
    desk.commit("fix: more")
    second = waiting(desk)
    refused("signature.invalid", lambda: say(desk, second, None, signature=gate.signature))


def double_approve(make_desk) -> None:
    desk = make_desk(solo=False, protection="approvals = 2")
    ada = desk.list_key(name="ada")
    release_id = waiting(desk)
    say(desk, release_id, ada)
    refused("gate.counted", lambda: say(desk, release_id, ada))
    (gate,) = desk.history.find(Gate)
    assert len(gate.votes) == 1 and gate.state is GateState.OPEN


def expired_approval(make_desk, hands) -> None:
    desk = make_desk(solo=False, release_policy="approval_hours = 1")
    ada = desk.list_key(name="ada")
    release_id = waiting(desk)
    say(desk, release_id, ada)
    hands.forward(hours=2)
    over = desk.drive(release_id)
    assert over.state is ReleaseState.FAILED and "has expired" in over.reason and desk.deployed() == []


HERE: dict[str, Callable[..., None]] = {
    "author-approves-self": author_approves_self,
    "author-alias": author_alias,
    "agent-approves-agent": agent_approves_agent,
    "approve-race": approve_race,
    "approval-replay": approval_replay,
    "double-approve": double_approve,
    "expired-approval": expired_approval,
}


BY_COMMAND = ("author-approves-self", "author-alias", "agent-approves-agent", "approval-replay", "double-approve")
"""The cases that are one answer each: typed as well. The others are about the moment, which no command can choose."""


@pytest.mark.parametrize(
    ("case", "by_command"), [*((case, False) for case in HERE), *((case, True) for case in BY_COMMAND)]
)
def test_case(case: str, by_command: bool, make_desk, request: pytest.FixtureRequest) -> None:
    def make(**words: Any) -> Any:
        desk = make_desk(**words)
        desk.by_command = by_command
        return desk

    wants_clock = case == "expired-approval"
    HERE[case](make, *([request.getfixturevalue("hands")] if wants_clock else []))


def test_every_case_of_the_reference_is_here_or_named(shared: Path) -> None:
    listed = {entry["id"] for entry in json.loads((shared / "vectors" / "approval_cases.json").read_text())}
    assert listed == set(HERE) | set(ELSEWHERE)
