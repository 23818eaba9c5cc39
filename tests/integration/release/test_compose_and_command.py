"""Deployment with compose and by a command of one's own; with a real engine: test_real_engine.py."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ecluse.errors import Invalid
from ecluse.model import ReleaseState
from ecluse.release.deploy import carrier_of
from ecluse.release.target import target_of
from ecluse.trunk import open_trunk

ENGINE = """\
#!/bin/sh
# What the far side has in place of a container engine in these tests: it keeps what it was told, and `up` starts the
# service of the folder that it is called in. The tests are about the way there and back, not about containers.
set -e
echo "$* | $ECLUSE_VERSION $ECLUSE_IMAGE" >> ROOT/said
case " $* " in
*" up "*)
  [ ! -e ROOT/pid ] || kill "$(cat ROOT/pid)" 2>/dev/null || true
  echo "$ECLUSE_VERSION" > RELEASE
  setsid PYTHON service.py PORT > ROOT/log 2>&1 < /dev/null &
  echo $! > ROOT/pid ;;
*" stop "*) kill "$(cat ROOT/pid)" ;;
esac
"""


class Far:
    """The far side: a folder, a stand-in for the engine, and the policy that leads there."""

    def __init__(self, yard, root: Path, host: str, config: Path | str) -> None:
        self.yard, self.root, self.host, self.config = yard, root, host, config
        self.box = root.parent / "engine"
        self.box.mkdir(parents=True)
        self.engine = self.box / "engine"
        script = ENGINE.replace("ROOT", str(self.box)).replace("PYTHON", sys.executable)
        self.engine.write_text(script.replace("PORT", str(yard.port)))
        self.engine.chmod(0o755)

    def policy(self, **lines) -> None:
        values = {
            "production": True,
            "method": "compose",
            "path": str(self.root),
            "hosts": [self.host],
            "ssh_config": str(self.config),
            "engine": [str(self.engine)],
            "compose": ["compose.yml", "compose.prod.yml"],
            "url": f"http://127.0.0.1:{self.yard.port}",
            "health_timeout_s": 5.0,
            **lines,
        }
        body = "\n".join(f"{key} = {json.dumps(value)}" for key, value in values.items() if not isinstance(value, dict))
        tables = "\n".join(
            f"[environments.production.{key}]\n" + "\n".join(f"{k} = {json.dumps(v)}" for k, v in value.items())
            for key, value in values.items()
            if isinstance(value, dict)
        )
        page = (
            (self.yard.folder / "playbooks/release.md")
            .read_text()
            .replace("deploy.folder", f"deploy.{values['method']}")
        )
        self.yard.commit(
            "chore: compose",
            ecluse_dot_toml=f"solo = true\nplay = true\n[environments.production]\n{body}\n{tables}\n",
            playbooks__release_dot_md=page,
            compose_dot_yml="services: {}\n",
            compose_dot_prod_dot_yml="services: {}\n",
        )

    def said(self) -> list[str]:
        return (self.box / "said").read_text().splitlines()

    def carrier(self):
        return carrier_of(target_of(self.yard.repository, open_trunk(self.yard.repository).config, "production"))

    def close(self) -> None:
        if (self.box / "pid").exists():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int((self.box / "pid").read_text()), signal.SIGTERM)


@pytest.fixture
def side(request, yard, tmp_path) -> Iterator[Far]:
    if shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin"):
        far = request.getfixturevalue("far")
        made = Far(yard, far.folder / "my.app", far.name, far.config)
    else:
        made = Far(yard, tmp_path / "near" / "my.app", ".", "")
    yield made
    made.close()


ILL = "FLAG = 503"


def make_ill(yard) -> None:
    yard.commit("fix: ill", service_dot_py=(yard.folder / "service.py").read_text().replace("FLAG = 200", ILL))


def test_compose_goes_up_with_the_files_of_the_commit_and_back_with_those_before(side):
    side.policy(health_timeout_s=2.0)
    done = side.yard.release()
    assert done.state is ReleaseState.DONE, done.reason
    words = "compose -p my-app -f compose.yml -f compose.prod.yml"
    assert side.said() == [f"{words} pull --ignore-buildable | 0.1.0 ", f"{words} up -d --remove-orphans | 0.1.0 "]
    assert (side.root / "current" / "compose.prod.yml").exists() and side.carrier().running() == "0.1.0"
    make_ill(side.yard)
    over = side.yard.release()
    assert over.state is ReleaseState.ROLLED_BACK, over.reason
    assert side.said()[-1].endswith("up -d --remove-orphans | 0.1.0 "), "back with the version that ran"
    assert side.yard.ask()[1]["version"] == "0.1.0"


def test_a_clone_on_the_host_checks_the_tag_out_and_records_what_was_there(side, tmp_path):
    origin, yard = tmp_path / "origin.git", side.yard
    subprocess.run(["git", "init", "-q", "--bare", str(origin)], check=True)
    yard.git("remote", "add", "origin", str(origin))
    side.policy(source="git", health_timeout_s=2.0)
    page = (
        (yard.folder / "playbooks/release.md")
        .read_text()
        .replace('uses: git.tag message="Release v{version}"', "uses: git.tag push=origin")
    )
    yard.commit("docs: push the tag", playbooks__release_dot_md=page)
    yard.git("push", "-q", "origin", "main")
    subprocess.run(["git", "clone", "-q", str(origin), str(side.root)], check=True)
    before = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=side.root, capture_output=True, text=True, check=True
    ).stdout.strip()
    done = yard.release()
    assert done.state is ReleaseState.DONE, done.reason
    head = ["git", "rev-parse", "HEAD"]
    at = subprocess.run(head, cwd=side.root, capture_output=True, text=True, check=True).stdout.strip()
    assert at == done.commit and side.carrier().running() == "0.1.0"
    events = [
        e for e in yard.history.events(subject=done.subject, kind="effect.done", limit=1000) if "checkout" in e.text
    ]
    assert events[0].data["was"] == before, "the version before is recorded"
    make_ill(yard)
    over = yard.release()
    assert over.state is ReleaseState.ROLLED_BACK, over.reason
    assert subprocess.run(head, cwd=side.root, capture_output=True, text=True, check=True).stdout.strip() == done.commit
    assert yard.ask()[1]["version"] == "0.1.0"


def test_a_host_without_an_engine_fails_with_what_it_said(side):
    side.policy(engine=["no-such-engine"])
    over = side.yard.release()
    assert over.state is not ReleaseState.DONE and "no-such-engine" in side.yard.texts(over.id)
    assert list((side.root / "releases").glob("0.1.0-*/compose.yml")), "the files had come that far"


def test_a_step_for_another_method_is_refused(side):
    side.policy()
    page = (side.yard.folder / "playbooks/release.md").read_text().replace("deploy.compose", "deploy.folder")
    side.yard.commit("docs: wrong", playbooks__release_dot_md=page)
    with pytest.raises(Invalid, match=r"has the method compose: write `deploy.compose`"):
        side.yard.release()


def test_a_command_of_ones_own_brings_versions_and_goes_back_with_the_one_before(side):
    box = side.box
    deploy = f'echo "$ECLUSE_VERSION $ECLUSE_COMMIT" >> {box}/asked; echo $ECLUSE_VERSION > RELEASE; cp RELEASE {box}/running; {side.engine} up'
    side.root.mkdir()
    shutil.copy(side.yard.folder / "service.py", side.root / "service.py")
    commands = {"deploy": deploy, "running": f"cat {box}/running", "stop": f"kill $(cat {box}/pid)"}
    side.policy(method="command", commands=commands, health_timeout_s=2.0)
    first = side.yard.release()
    assert first.state is ReleaseState.DONE, first.reason
    assert side.carrier().running() == "0.1.0"
    (side.root / "service.py").write_text(
        (side.root / "service.py")
        .read_text()
        .replace("HEALTH, SAYING, FLAG = 200", 'HEALTH, SAYING, FLAG = 503 if VERSION == "0.1.1" else 200')
    )
    side.yard.commit("fix: next")
    over = side.yard.release()
    assert over.state is ReleaseState.ROLLED_BACK, over.reason
    asked = [entry.split() for entry in (box / "asked").read_text().splitlines()]
    assert [version for version, _ in asked] == ["0.1.0", "0.1.1", "0.1.0"] and asked[0] == asked[2]
    assert side.yard.ask()[1]["version"] == "0.1.0"


def test_a_command_that_was_cut_short_and_cannot_be_looked_at_asks_a_person(side):
    """Without hosts it runs here, in a checkout; without `commands.running` nobody can see whether it had ended."""
    yard, box = side.yard, side.box
    deploy = f"cat service.py > /dev/null && echo $ECLUSE_VERSION $(pwd) >> {box}/asked"
    side.policy(method="command", hosts=[], path=str(side.root), commands={"deploy": deploy})
    release_id = yard.start()
    yard.drive(release_id)
    yard.approve(release_id)
    driver = Path(__file__).with_name("driver.py")
    words = [sys.executable, str(driver), str(yard.folder), release_id, "done", "7.deploy.command.run.1"]
    assert subprocess.run(words, capture_output=True, check=False).returncode == -signal.SIGKILL
    asking = yard.drive(release_id)
    assert asking.state is ReleaseState.ASKING and "7.deploy.command.run.1 --happened yes|no" in asking.reason
    entries = (box / "asked").read_text().splitlines()
    assert len(entries) == 1 and entries[0].startswith("0.1.0 ") and not Path(entries[0].split()[1]).exists()
