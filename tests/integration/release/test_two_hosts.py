"""One environment on two hosts: both get a version, both are asked what runs there, both go back."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ecluse import http
from ecluse.errors import Failed
from ecluse.model import ReleaseState
from ecluse.release import environments

ROOT = "/dev/fd/9/app"
"""The environment's path on both hosts: each login opens its own machine's folder as descriptor 9."""

RESTART = """\
#!/bin/sh
set -e
[ ! -e ../../broken ] || [ "$(cat ../../broken)" != "$ECLUSE_VERSION" ] || { echo "no room left here" >&2; exit 1; }
[ ! -e ../../service.pid ] || kill "$(cat ../../service.pid)" 2>/dev/null || true
setsid PYTHON service.py "$(cat ../../port)" > ../../service.log 2>&1 < /dev/null 9<&- &
echo $! > ../../service.pid
"""


class Machine:
    """The far side of one login: a folder and a port of its own."""

    def __init__(self, far: Any, name: str) -> None:
        self.name, self.root, self.port = name, far.folder / name / "app", http.free_port()
        self.root.mkdir(parents=True)
        (self.root / "port").write_text(str(self.port))
        key = far.keys / name
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
        forced = f'exec 9<{self.root.parent}; exec sh -c \\"$SSH_ORIGINAL_COMMAND\\"'
        with (far.keys / "authorized").open("a") as authorized:
            authorized.write(f'command="{forced}" {key.with_suffix(".pub").read_text()}')
        with far.config.open("a") as config:
            one = far.config.read_text().split("Host ")[1].replace(str(far.keys / "user"), str(key))
            config.write(f"Host {one.replace(far.name, name, 1)}")

    def version(self) -> str:
        """What the service here says; the environment's own health check only waits for the first machine's."""
        deadline = time.monotonic() + 60
        while True:
            try:
                return str(json.loads(http.request(f"http://127.0.0.1:{self.port}/health").body)["version"])
            except Failed:
                assert time.monotonic() < deadline, (self.root / "service.log").read_text()
                time.sleep(0.05)

    def close(self) -> None:
        if (self.root / "service.pid").exists():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int((self.root / "service.pid").read_text()), signal.SIGTERM)


@pytest.fixture
def two(yard: Any, far: Any) -> Iterator[tuple[Machine, Machine]]:
    """A yard whose production is two hosts behind a real sshd."""
    if not Path("/dev/fd").exists():
        pytest.skip("this system has no /dev/fd")
    made = Machine(far, "left"), Machine(far, "right")
    policy = f"""
solo = true
play = true
[environments.production]
path = "{ROOT}"
hosts = ["left", "right"]
ssh_config = "{far.config}"
url = "http://127.0.0.1:{made[0].port}"
health_timeout_s = 5.0
production = true
[environments.production.commands]
restart = "sh ./restart.sh"
stop = "kill $(cat service.pid); rm service.pid"
"""
    page = yard.short_page("deploy.folder", "semver.decide")
    restart = RESTART.replace("PYTHON", sys.executable)
    yard.commit("chore: two", ecluse_dot_toml=policy, restart_dot_sh=restart, playbooks__release_dot_md=page)
    yield made
    for machine in made:
        machine.close()


def test_both_hosts_get_a_version_go_back_together_and_are_asked(
    yard: Any, two: tuple[Machine, Machine], far: Any
) -> None:
    left, right = two
    first = yard.release()
    assert first.state is ReleaseState.DONE, first.reason
    assert [machine.version() for machine in two] == ["0.1.0", "0.1.0"]
    # what fails on the second host goes back on both
    (right.root / "broken").write_text("0.1.1")
    yard.commit("fix: better")
    over = yard.release()
    assert over.state is ReleaseState.ROLLED_BACK and "no room left here" in over.reason, over.reason
    assert [machine.version() for machine in two] == ["0.1.0", "0.1.0"]
    # drift: every host is asked
    seen = environments.look(yard.repository, yard.history, "production")
    assert seen.as_recorded and seen.running == "0.1.0" and len(seen.answers) == 3, seen
    (right.root / "current").unlink()  # somebody goes on by hand, on one host
    (right.root / "current").symlink_to(f"releases/0.1.1-{over.id}")
    seen = environments.look(yard.repository, yard.history, "production")
    assert not seen.as_recorded and seen.said == "the history says 0.1.0, there is 0.1.1 on right", seen
    (left.root / "current").unlink()
    assert "nothing on left; 0.1.1 on right" in environments.look(yard.repository, yard.history, "production").said
    far.stop()
    seen = environments.look(yard.repository, yard.history, "production")
    assert not seen.as_recorded and "no answer from left; no answer from right" in seen.said, seen
    far.process = far.start()
