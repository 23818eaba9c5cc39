"""Releases to a host over a real sshd: a folder there, switched by a link, with a service that a command starts."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ecluse.errors import Failed
from ecluse.model import Deployment, DeploymentState, ReleaseState
from ecluse.release.deploy import carrier_of
from ecluse.release.deploy.host import Host
from ecluse.release.target import target_of
from ecluse.trunk import open_trunk

RESTART = """\
#!/bin/sh
# Start the service of this folder in place of the one before, as the service manager of a host would.
set -e
[ ! -e ../../service.pid ] || kill "$(cat ../../service.pid)" 2>/dev/null || true
setsid PYTHON service.py PORT > ../../service.log 2>&1 < /dev/null &
echo $! > ../../service.pid
echo "$ECLUSE_VERSION" >> ../../restarts
"""


def environment(yard, host: str, config: Path | str, root: Path, **more) -> str:
    """The policy of an environment on a host."""
    commands = {
        "restart": "sh ./restart.sh",
        "stop": "kill $(cat service.pid); rm service.pid",
        **more.pop("commands", {}),
    }
    lines = {
        "path": str(root),
        "hosts": [host],
        "ssh_config": str(config),
        "url": f"http://127.0.0.1:{yard.port}",
        "health_timeout_s": yard.timeout,
        "production": True,
        "keep": 2,
        **more,
    }
    body = "\n".join(f"{key} = {json.dumps(value)}" for key, value in lines.items() if value is not None)
    table = "\n".join(f"{key} = {json.dumps(value)}" for key, value in commands.items())
    smoke = 'smoke = [{ request = "GET /", contains = "hello" }]'
    variables = f"[environments.production.variables]\nFLAG = {json.dumps(str(yard.flag))}"
    return f"solo = true\nplay = true\n[environments.production]\n{body}\n{smoke}\n[environments.production.commands]\n{table}\n{variables}\n"


def make(yard, host: str, config: Path | str, root: Path, **more) -> None:

    script = RESTART.replace("PYTHON", sys.executable).replace("PORT", str(yard.port))
    yard.commit(
        "chore: deploy to a host", ecluse_dot_toml=environment(yard, host, config, root, **more), restart_dot_sh=script
    )


@pytest.fixture
def hosted(request, yard, tmp_path):
    """A yard that deploys to a folder through a host's shell: one behind a real sshd, or this machine's own without it."""
    if shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin"):
        far = request.getfixturevalue("far")
        name, config, root = far.name, far.config, far.folder / "app"
    else:
        name, config, root = ".", "", tmp_path / "near" / "app"
    make(yard, name, config, root)
    yard.root = root
    yield yard
    stop(root)


def stop(root: Path) -> None:
    pid = root / "service.pid"
    if pid.exists():
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(pid.read_text()), signal.SIGTERM)


def test_a_version_goes_to_the_host_and_answers_there(hosted):
    done = hosted.release()
    assert done.state is ReleaseState.DONE, done.reason
    assert hosted.ask()[1]["version"] == "0.1.0"
    assert (hosted.root / "current").readlink() == Path(f"releases/0.1.0-{done.id}")
    assert (hosted.root / "restarts").read_text() == "0.1.0\n"
    assert oct((hosted.root / "current" / "service.py").stat().st_mode & 0o777) == "0o644"
    target = target_of(hosted.repository, open_trunk(hosted.repository).config, "production")
    assert carrier_of(target).running() == "0.1.0"


def test_only_what_the_host_lacks_is_sent(hosted):
    hosted.commit("chore: something large", large_dot_bin="x" * 300_000, deep__er__note_dot_txt="a\n")
    hosted.write("tool.sh", "#!/bin/sh\necho tool\n")
    (hosted.folder / "tool.sh").chmod(0o755)
    (hosted.folder / "link").symlink_to("deep/er")
    hosted.commit("chore: a tool and a link")
    hosted.release()
    hosted.commit("fix: say it better", deep__er__note_dot_txt="b\n")
    second = hosted.release()
    assert second.state is ReleaseState.DONE, second.reason
    found = [
        e for e in hosted.history.events(subject=second.subject, kind="effect.done", limit=1000) if "fill" in e.text
    ]
    assert found[0].data["sent"] == 3, "RELEASE, the changelog and the note"
    assert found[0].data["kept"] >= 5 and found[0].data["bytes"] < 60_000
    home = hosted.root / "current"
    assert (home / "deep/er/note.txt").read_text() == "b\n" and (home / "large.bin").stat().st_size == 300_000
    assert os.access(home / "tool.sh", os.X_OK) and (home / "link").readlink() == Path("deep/er")
    assert subprocess.run([home / "tool.sh"], capture_output=True, check=True).stdout == b"tool\n"
    assert not list((hosted.root / "releases").glob(".part-*"))


def test_a_version_that_is_ill_makes_room_for_the_one_before(hosted):
    first = hosted.release()
    service = (
        (hosted.folder / "service.py").read_text().replace("HEALTH, SAYING, FLAG = 200", "HEALTH, SAYING, FLAG = 503")
    )
    hosted.commit(
        "fix: make it ill",
        service_dot_py=service,
        ecluse_dot_toml=hosted.little_patience(),
    )
    second = hosted.release()
    assert second.state is ReleaseState.ROLLED_BACK, second.reason
    assert hosted.ask()[1]["version"] == "0.1.0", "the previous version answers over HTTP"
    assert (hosted.root / "current").readlink() == Path(f"releases/0.1.0-{first.id}")
    assert (hosted.root / "restarts").read_text().split() == ["0.1.0", "0.1.1", "0.1.0"]
    states = [d.state for d in hosted.history.find(Deployment)]
    assert states == [DeploymentState.LIVE, DeploymentState.ROLLED_BACK]


def test_the_first_version_that_is_ill_is_stopped(hosted):
    hosted.commit(
        "fix: ill",
        service_dot_py=(hosted.folder / "service.py").read_text().replace("FLAG = 200", "FLAG = 503"),
        ecluse_dot_toml=hosted.little_patience(),
    )
    over = hosted.release()
    assert over.state is ReleaseState.ROLLED_BACK and "is stopped" in over.reason
    assert not (hosted.root / "current").is_symlink() and not (hosted.root / "service.pid").exists()


def test_a_version_that_did_not_arrive_whole_changes_nothing_on_the_host(hosted):
    hosted.release()
    hosted.commit("fix: a name that cannot be sent", **{"bad\tname": "x"})
    over = hosted.release()
    assert over.state is ReleaseState.ROLLED_BACK and "holds a character that cannot be sent" in over.reason
    assert (hosted.root / "restarts").read_text() == "0.1.0\n", "what runs was not touched"
    assert hosted.ask()[1]["version"] == "0.1.0" and len(list((hosted.root / "releases").iterdir())) == 1


def test_a_host_that_nobody_answers_on_fails_the_release_with_what_to_type(yard, far, tmp_path):
    make(yard, far.name, far.config, far.folder / "app")
    far.stop()
    over = yard.drive(yard.start())
    assert over.state is ReleaseState.FAILED
    assert "ssh could not reach far" in over.reason
    assert yard.repository.resolve("refs/tags/v0.1.0") is None, "found before anything is tagged"
    far.process = far.start()


def test_a_command_on_a_host_gets_words_and_input_as_they_are(far):
    host = Host(far.name, str(far.config))
    awkward = "a 'quoted' $HOME \"word\" \\ * ü"
    assert host.text('printf %s "$1"', [awkward]) == awkward
    assert host.text('printf %s "$WORD"', variables={"WORD": awkward}) == awkward
    assert host.run("cat", stdin=b"\0bytes\xff").stdout == b"\0bytes\xff"
    with pytest.raises(Failed) as failed:
        host.run("echo no >&2; exit 7")
    assert failed.value.code == "host.command" and "status 7" in failed.value.message and "no" in failed.value.message


def test_a_host_with_another_key_is_not_trusted(far):
    (far.keys / "known").write_text((far.keys / "known").read_text().replace("AAAAI", "AAAAJ", 1))
    with pytest.raises(Failed) as failed:
        Host(far.name, str(far.config)).run("true")
    assert failed.value.code == "host.unreachable"


@pytest.mark.parametrize(
    ("moment", "effect"),
    [("done", "7.deploy.folder.fill.1"), ("done", "7.deploy.folder.start.1"), ("begun", "7.deploy.folder.switch.1")],
)
def test_a_death_on_the_way_to_the_host_does_everything_once(hosted, moment, effect):
    release_id = hosted.start()
    hosted.drive(release_id)
    hosted.approve(release_id)
    driver = Path(__file__).with_name("driver.py")
    words = [sys.executable, str(driver), str(hosted.folder), release_id, moment, effect]
    died = subprocess.run(words, capture_output=True, check=False)
    assert died.returncode == -signal.SIGKILL, died.stderr.decode()
    done = hosted.drive(release_id)
    assert done.state is ReleaseState.DONE, done.reason
    assert (hosted.root / "restarts").read_text() == "0.1.0\n", "started once"
    assert [p.name for p in (hosted.root / "releases").iterdir()] == [f"0.1.0-{release_id}"]
