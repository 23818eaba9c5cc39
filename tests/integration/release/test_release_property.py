"""Whatever people, commits, policies, clocks and deaths do: nothing reaches production without a valid approval.

A machine of random steps plays on a real repository, history and keys. Beside it runs a model that knows nothing of the
code: who may approve is decided here once more, from what the steps did. ``make property`` plays 10,000 steps;
``make test`` a share of them.
"""

from __future__ import annotations

import functools
import importlib.util
import os
import shutil
import sys
import tempfile
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest import mock

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from ecluse import clock, release, signing
from ecluse.errors import Problem
from ecluse.git import Repository
from ecluse.history import History, wakes
from ecluse.model import Deployment, DeploymentState, Gate, GateState, Release, ReleaseState, Role
from ecluse.release import holds

STEPS = int(os.environ.get("ECLUSE_PROPERTY_STEPS", "500"))
STEPS_EACH = 50
PEOPLE = ("ada", "bob", "cleo")
APPROVAL_HOURS = 10
TAKEN: dict[str, int] = {"steps": 0, "deployed": 0}

pytestmark = [
    pytest.mark.property,
    pytest.mark.skipif(not signing.available(), reason="ssh-keygen is not on this machine"),
]


@functools.cache
def desk_class() -> Any:
    """The desk of the folder's conftest, which is no module that can be imported by name."""
    spec = importlib.util.spec_from_file_location("release_conftest", Path(__file__).with_name("conftest.py"))
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module.Desk


@functools.cache
def prepared() -> Path:
    """A desk with everybody's keys, made once and copied for each play."""
    folder = Path(tempfile.mkdtemp(prefix="ecluse-property-"))
    desk = desk_class()(folder / "desk", solo=False)
    desk.release_policy = f"approval_hours = {APPROVAL_HOURS}\ngate_hours = 1000"
    desk.make_first()
    for name in PEOPLE:
        desk.list_key(name=name)
    desk.close()
    return folder


@dataclass
class Vote:
    """What the model remembers of one answer: who, when (the model's hours), and under which policy and keys."""

    person: str
    hour: float
    policy: str


@dataclass
class Run:
    """What the model knows of one release. ``at`` is how many commits people had pushed when it started."""

    starter: str
    at: int
    votes: list[Vote] = field(default_factory=list)


class Play(RuleBasedStateMachine):
    """The steps. ``hour`` is the model's clock, which moves only when a step says so."""

    started = Bundle("started")

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="ecluse-play-", dir=prepared()))
        shutil.copytree(prepared() / "desk", self.folder / "desk", symlinks=True)
        self.desk = desk_class().__new__(desk_class())
        self.desk.__dict__.update(
            folder=self.folder / "desk" / "work", target=self.folder / "desk" / "target", solo=False, play=False,
            key=self.folder / "desk" / "keys" / "ada", port=1, production=True, extra="", protection="",
            release_policy=f"approval_hours = {APPROVAL_HOURS}\ngate_hours = 1000",
        )  # fmt: skip
        self.start_clock = clock.now()
        self.hour = 0.0
        self.patch = mock.patch.object(clock, "now", lambda: self.start_clock + timedelta(hours=self.hour))
        self.patch.start()
        self.needs = 1
        self.policy = self.desk.policy()
        self.authors: list[str] = []
        self.runs: dict[str, Run] = {}
        self.seen: list[str] = []
        self.frozen = False
        self.open()
        self.desk.commit("chore: own folder", ecluse_dot_toml=self.policy)

    def open(self) -> None:
        """A process begins: nothing is known but what is stored."""
        self.desk.repository = Repository.discover(self.desk.folder)
        self.desk.history = History.open(self.desk.repository.state_dir)
        self.desk.history.execute("PRAGMA synchronous = OFF")  # the play dies by reopening, not by power failure
        wakes.reclaim(self.desk.history)

    def teardown(self) -> None:
        self.patch.stop()
        self.desk.history.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    # -- what people do ----------------------------------------------------------------------------------------

    @initialize()
    def begin(self) -> None:
        TAKEN["steps"] += 1

    @rule(author=st.sampled_from(("somebody", "ada", "bob")))
    def push(self, author: str) -> None:
        TAKEN["steps"] += 1
        self.desk.git(
            "commit", "-q", "--allow-empty", f"--author={author.title()} <x@example.invalid>", "-m", "feat: x"
        )
        self.authors.append(author)

    @rule(word=st.integers(0, 3))
    def edit_playbook(self, word: int) -> None:
        TAKEN["steps"] += 1
        self.desk.commit("docs: page", playbooks__release_dot_md=f"{self.desk.page}\n## Notes\n\nNote {word}.\n")

    @rule(needs=st.sampled_from((1, 2)), word=st.integers(0, 1))
    def change_policy(self, needs: int, word: int) -> None:
        TAKEN["steps"] += 1
        self.needs = needs
        self.desk.protection = f"approvals = {needs}\n# {word}"
        self.policy = self.desk.policy()
        self.desk.commit("chore: policy", ecluse_dot_toml=self.policy)

    @rule(target=started, starter=st.sampled_from(("starter", "ada", "bob", "")))
    def start(self, starter: str) -> str:
        TAKEN["steps"] += 1
        key = self.desk.key.with_name(starter) if starter else None
        try:
            made = release.start(self.desk.repository, self.desk.history, starter="Anybody", starter_key=key)
        except Problem:
            return ""
        self.runs[made.id] = Run(starter, len(self.authors))
        return made.id

    @rule(person=st.sampled_from(PEOPLE), word=st.sampled_from(("approve",) * 9 + ("reject",)))
    def answer(self, person: str, word: str) -> None:
        TAKEN["steps"] += 1
        for gate in self.desk.history.find(Gate, state=GateState.OPEN):
            try:
                release.answer(
                    self.desk.repository, self.desk.history, gate.release, gate.name, word, who="x", how="key",
                    key=self.desk.key.with_name(person),
                )  # fmt: skip
            except Problem:
                continue
            if word == "approve":
                self.runs[gate.release].votes.append(Vote(person, self.hour, self.policy))

    @rule(name=started, verb=st.sampled_from(("abort", "pause", "resume", "retry")))
    def order(self, name: str, verb: str) -> None:
        TAKEN["steps"] += 1
        history = self.desk.history
        try:
            if verb == "abort":
                release.abort(history, name, who="x", why="x")
            elif verb == "pause":
                release.pause(history, name, who="x", why="x")
            elif verb == "resume":
                release.resume(history, name, who="x")
            else:
                release.retry(self.desk.repository, history, name, who="x")
        except Problem:
            pass

    @rule()
    def freeze_or_lift(self) -> None:
        TAKEN["steps"] += 1
        if self.frozen:
            holds.lift(self.desk.history, None, who="x", why="x")
        else:
            holds.freeze(self.desk.history, "production", until=holds.FOREVER, who="x", why="x")
        self.frozen = not self.frozen

    @rule(hours=st.sampled_from((0.1, 1.0, 7.0)))
    def pass_time(self, hours: float) -> None:
        TAKEN["steps"] += 1
        self.hour += hours

    @rule()
    def restart(self) -> None:
        TAKEN["steps"] += 1
        self.desk.history.close()
        self.open()

    @rule(steps=st.integers(1, 4))
    def drive(self, steps: int) -> None:
        TAKEN["steps"] += 1
        for _ in range(steps):
            if not self.desk.step():
                break
            self.judge()

    @rule(
        people=st.permutations(PEOPLE),
        between=st.sampled_from(
            ("nothing", "nothing", "push", "policy", "playbook", "freeze", "time", "restart", "pause")
        ),
        late=st.booleans(),
    )
    def usual(self, people: list[str], between: str, late: bool) -> None:
        """A release as it goes on most days, with something in between: before people answer, or after."""
        self.start("starter")
        self.drive(3)
        meddle = {
            "nothing": lambda: None,
            "push": lambda: self.push(people[0]),
            "policy": lambda: self.change_policy(self.needs, self.needs - 1),
            "playbook": lambda: self.edit_playbook(7),
            "freeze": self.freeze_or_lift,
            "time": lambda: self.pass_time(7.0),
            "restart": self.restart,
            "pause": lambda: self.order(next(iter(self.runs), ""), "pause"),
        }[between]
        if late:
            self.answer(people[0], "approve")
            meddle()
        else:
            meddle()
            self.answer(people[0], "approve")
        self.answer(people[1], "approve")
        self.drive(4)

    # -- what must hold ----------------------------------------------------------------------------------------

    def judge(self) -> None:
        """Every release that has reached production since the last look was let in by people who may."""
        deployed = self.desk.deployed()
        assert deployed[: len(self.seen)] == self.seen
        for name in deployed[len(self.seen) :]:
            assert self.desk.deployed().count(name) == 1, f"{name} was deployed twice"
            assert not self.frozen, f"{name} went live in a freeze"
            run = self.runs[name]
            live = self.desk.history.find(Deployment, state=DeploymentState.LIVE)
            wrote = self.authors[self.runs[live[-1].release].at if live else 0 : run.at]
            counted = {
                vote.person
                for vote in run.votes
                if vote.policy == self.policy
                and self.hour - vote.hour <= APPROVAL_HOURS
                and vote.person != run.starter
                and vote.person not in wrote
            }
            needed = self.needs + (0 if run.starter else 1)
            assert len(counted) >= needed, f"{name}: {counted} are not {needed} people who may; votes {run.votes}"
            TAKEN["deployed"] += 1
        self.seen = deployed
        unfinished = [r for r in self.desk.history.find(Release) if not r.state.is_terminal]
        assert len(unfinished) <= 1
        held = holds.lock_of(self.desk.history, "production")
        assert held is None or held.holder in {one.id for one in unfinished}, "the lock outlived its release"
        assert all(one.state is not ReleaseState.ROLLING_BACK for one in unfinished)


def test_nothing_reaches_production_without_a_valid_approval() -> None:
    assert Role.HUMAN
    plays = max(1, -(-STEPS // STEPS_EACH))
    wanted = settings(
        max_examples=plays, stateful_step_count=STEPS_EACH, deadline=None, derandomize=True, database=None,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    try:
        run_state_machine_as_test(Play, settings=wanted)  # type: ignore[no-untyped-call]
    finally:
        shutil.rmtree(prepared(), ignore_errors=True)
        prepared.cache_clear()
    print(f"{TAKEN['steps']} steps, {TAKEN['deployed']} releases reached production")
    assert TAKEN["deployed"] > 0, "the play never came as far as production"
