"""Steps of the library on real parts: tags, branches, secrets, access reports, scripts, waiting, jobs, watches."""

from __future__ import annotations

import json
import os
import subprocess
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from ecluse import release, signing
from ecluse.errors import Invalid
from ecluse.history.journal import effects_of
from ecluse.model import ReleaseState
from ecluse.release.steps import ACTIONS, shape_of, wait

PAGE = """\
---
playbook: {name}
format: 1
environment: {environment}
inputs:
  version: ""
---

# {name}

## Sequence
{steps}

## Communications

### brief

Write {{version}} into the file made.txt.
"""


def play(yard, *steps: str, name: str = "probe", environment: str = "staging", **words):
    """Run a playbook of these actions to where it rests."""
    begin(yard, *steps, name=name, environment=environment)
    return yard.drive(yard.start(playbook=name, **words))


def begin(yard, *steps: str, name: str = "probe", environment: str = "staging") -> None:
    body = "".join(f"\n### [{n}] Step {n} — by system\n\n- uses: {step}\n" for n, step in enumerate(steps, 1))
    page = PAGE.format(name=name, steps=body, environment=environment)
    yard.commit(f"docs: {name}", **{f"playbooks__{name}_dot_md": page})


def results(release) -> list[dict]:
    kept = release.outputs["steps"]
    return [kept[key]["result"] for key in sorted(kept, key=int)]


def staging(yard, text: str = "", top: str = "", **lines) -> None:
    """A policy with an environment that needs no gate; ``text`` is further sections of it."""
    values = {"path": str(yard.target), "hosts": ["."], "url": f"http://127.0.0.1:{yard.port}", **lines}
    body = "\n".join(f"{key} = {json.dumps(value)}" for key, value in values.items())
    yard.target.mkdir(exist_ok=True)
    yard.commit("chore: policy", ecluse_dot_toml=f"solo = true\n{top}\n[environments.staging]\n{body}\n{text}\n")


def test_every_action_has_a_whole_shape():
    for name in ACTIONS:
        shape = shape_of(name)
        assert shape is not None and shape.name == name
        assert set(shape.required) <= set(shape.keys)
        assert bool(shape.effect) == bool(shape.probe), f"{name}: an effect has a probe, and nothing else has one"


# -- git -----------------------------------------------------------------------------------------------------


def test_a_tag_is_signed_with_gits_own_key_and_pushed(yard, own_home, tmp_path):
    staging(yard)
    key = tmp_path / "signer"
    public = signing.make_key(key, "signer")
    with (own_home / ".gitconfig").open("a") as config:
        config.write(f"[gpg]\n\tformat = ssh\n[user]\n\tsigningkey = {key}\n")
    subprocess.run(["git", "init", "-q", "--bare", str(tmp_path / "origin.git")], check=True)
    yard.git("remote", "add", "origin", str(tmp_path / "origin.git"))
    done = play(yard, "semver.decide", 'git.tag message="Version {version}" push=origin')
    assert done.state is ReleaseState.DONE, done.reason
    signers = tmp_path / "signers"
    signers.write_text(f"* {public}\n")
    said = subprocess.run(
        ["git", "-c", f"gpg.ssh.allowedSignersFile={signers}", "verify-tag", "v0.1.0"],
        cwd=yard.folder, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "Good" in said.stderr
    there = subprocess.run(
        ["git", "rev-parse", "v0.1.0"], cwd=tmp_path / "origin.git", capture_output=True, text=True, check=True
    )
    assert there.stdout.strip() == yard.git("rev-parse", "v0.1.0")
    assert "signed, pushed to origin" in yard.texts(done.id)


def test_a_key_that_cannot_sign_makes_no_tag(yard, own_home, tmp_path):
    staging(yard)
    (tmp_path / "broken").write_text("no key")
    over = play(yard, "semver.decide", f"git.tag key={tmp_path / 'broken'}")
    assert over.state is ReleaseState.FAILED and "could not make the tag" in over.reason
    assert yard.git("tag") == ""


def test_another_tag_at_the_remote_is_left_alone(yard, tmp_path):
    staging(yard)
    origin = tmp_path / "origin.git"
    subprocess.run(["git", "init", "-q", "--bare", str(origin)], check=True)
    yard.git("remote", "add", "origin", str(origin))
    yard.git("push", "-q", "origin", "main:main")
    subprocess.run(["git", "tag", "v0.1.0", "main"], cwd=origin, check=True)
    before = subprocess.run(["git", "rev-parse", "v0.1.0"], cwd=origin, capture_output=True, check=True).stdout
    over = play(yard, "semver.decide", "git.tag push=origin")
    assert over.state is ReleaseState.FAILED and "could not be pushed" in over.reason
    assert subprocess.run(["git", "rev-parse", "v0.1.0"], cwd=origin, capture_output=True, check=True).stdout == before


def test_a_hotfix_branch_begins_at_the_stable_tag(yard):
    staging(yard)
    yard.git("tag", "v1.2.4")
    at = yard.git("rev-parse", "HEAD")
    yard.commit("feat: later")
    done = play(yard, "semver.decide", "git.branch name=hotfix/1.2.5 from=v{previous}")
    assert done.state is ReleaseState.DONE, done.reason
    assert yard.git("rev-parse", "hotfix/1.2.5") == at
    over = play(yard, "git.branch name=hotfix/1.2.5", name="again")
    assert over.state is ReleaseState.FAILED and "it was left alone" in over.reason
    bad = play(yard, 'git.branch name="not a name"', name="bad")
    assert bad.state is ReleaseState.FAILED and "not a name that git takes" in bad.reason


def test_a_hotfix_branch_from_a_stable_tag_is_released_by_itself(make_yard):
    """main goes on to 0.2.0; a micro release 0.1.1 of the older line goes out, and its changelog lands on its branch."""
    yard = make_yard()
    assert yard.release().version == "0.1.0"
    yard.commit("feat: not ready for anybody")
    yard.git("tag", "v0.2.0")
    main = yard.git("rev-parse", "main")
    staging(yard)
    made = play(yard, "git.branch name=hotfix/0.1.1 from=v0.1.0")
    assert made.state is ReleaseState.DONE, made.reason
    yard.git("reset", "-q", "--hard", main)
    yard.git("checkout", "-q", "hotfix/0.1.1")
    yard.commit("fix: what burns", cure_dot_txt="cured\n")
    done = yard.release(branch="hotfix/0.1.1")
    assert done.state is ReleaseState.DONE and (done.version, done.previous) == ("0.1.1", "0.1.0"), done.reason
    assert yard.ask()[1]["version"] == "0.1.1"
    assert yard.git("rev-parse", "main") == main, "the trunk has not moved"
    assert "## [0.1.1]" in yard.git("show", "hotfix/0.1.1:CHANGELOG.md")
    assert yard.git("rev-parse", "v0.1.1^{commit}") == yard.git("rev-parse", "hotfix/0.1.1")


# -- secrets and access --------------------------------------------------------------------------------------


def test_secrets_are_renewed_taken_into_use_and_withdrawn(yard, tmp_path, monkeypatch):
    old = f"old-{os.urandom(8).hex()}"
    monkeypatch.setenv("APP_TOKEN", old)
    used, gone = tmp_path / "used", tmp_path / "gone"
    staging(
        yard,
        f"""
[environments.staging.commands]
apply = 'printf "%s=" "$ECLUSE_SECRET" >> {used}; cat >> {used}'
revoke = 'cat >> {gone}'
""",
        secrets=["APP_TOKEN", "DB_PASSWORD"],
    )
    done = play(yard, "secrets.rotate", "audit.report days=1")
    assert done.state is ReleaseState.DONE, done.reason
    lines = dict(line.split("=", 1) for line in used.read_text().splitlines())
    assert set(lines) == {"APP_TOKEN", "DB_PASSWORD"} and all(len(value) == 43 for value in lines.values())
    vault = yard.repository.state_dir / "secrets"
    assert (vault / "APP_TOKEN").read_text().strip() == lines["APP_TOKEN"] != old
    assert (vault / "APP_TOKEN").stat().st_mode & 0o077 == 0 and not list(vault.glob("*.next"))
    assert gone.read_text() == f"{old}\n", "the one there was is withdrawn; the other had no value before"
    kept = "".join(str(event) for event in yard.history.events(limit=10_000)) + str(yard.get(done.id))
    assert not any(value in kept for value in (*lines.values(), old)), "a value in the history"
    again = play(yard, "secrets.rotate names=APP_TOKEN", name="again")
    assert again.state is ReleaseState.DONE and gone.read_text().splitlines() == [old, lines["APP_TOKEN"]]


def test_what_a_command_says_of_a_secret_is_masked(yard):
    staging(
        yard,
        "[environments.staging.commands]\nrotate = 'printf topsecret-%s 4711'\napply = 'echo refused: $(cat) >&2; exit 3'\n",
        secrets=["APP_TOKEN"],
    )
    over = play(yard, "secrets.rotate")
    assert over.state is ReleaseState.FAILED and "status 3" in over.reason and "refused: ***" in over.reason
    assert "topsecret" not in yard.texts(over.id)
    assert not (yard.repository.state_dir / "secrets" / "APP_TOKEN").exists(), "not in force"


def test_the_access_report_tells_who_and_hides_values(yard, monkeypatch):
    value = f"value-{os.urandom(8).hex()}"
    monkeypatch.setenv("APP_TOKEN", value)
    yard.list_key(name="grace")
    listed = yard.folder / ".ecluse"
    script = f"echo login of root from 192.0.2.1; echo {value}; echo since $ECLUSE_FROM"
    staging(yard, f"[environments.staging.commands]\naccess = {json.dumps(script)}\n", secrets=["APP_TOKEN"])
    assert listed.is_dir()
    done = play(yard, "audit.report days=7")
    assert done.state is ReleaseState.DONE, done.reason
    path = Path(results(done)[0]["report"])
    text = path.read_text()
    assert "- grace: human" in text and "login of root from 192.0.2.1" in text and "***" in text and value not in text
    assert f"release/{done.id} by Test Person" in text and path.stat().st_mode & 0o077 == 0


# -- smoke and waiting ---------------------------------------------------------------------------------------


def test_a_script_of_the_repository_tries_the_service(yard):
    staging(yard)
    script = 'test "$URL" = "$1" && echo "3 of 3 at $1 are well"\n'
    yard.commit("test: smoke", scripts__smoke_dot_sh=script)
    done = play(yard, "smoke script=scripts/smoke.sh")
    assert done.state is ReleaseState.DONE, done.reason
    assert f"3 of 3 at http://127.0.0.1:{yard.port} are well" in yard.texts(done.id)
    yard.commit("test: ill", scripts__smoke_dot_sh="echo endpoint 2 says 500; exit 1\n")
    over = play(yard, "smoke script=scripts/smoke.sh", name="ill")
    assert over.state is ReleaseState.FAILED and "ended with status 1: endpoint 2 says 500" in over.reason
    for wrong in ("../up.sh", "nowhere.sh"):
        with pytest.raises(Invalid, match=f"there is no file {wrong}"):
            play(yard, f"smoke script={wrong}", name="wrong")


def test_waiting_is_over_when_its_time_has_come(yard):
    staging(yard)
    done = play(yard, "wait for=0.2s")
    assert done.state is ReleaseState.DONE and "waited until" in yard.texts(done.id)
    begin(yard, "wait for=2h", name="long")
    release_id = yard.start(playbook="long")
    for _ in range(2):
        yard.step()
    assert yard.get(release_id).state is ReleaseState.RUNNING
    assert release.abort(yard.history, release_id, who="Test Person", why="enough").id == release_id
    yard.drive(release_id)
    with pytest.raises(Invalid, match="`for=soon` of `wait` is not a length of time"):
        play(yard, "wait for=soon", name="soon")
    over = play(yard, "wait for={commit}", name="wrong")  # what words stand for is known only then
    assert over.state is ReleaseState.FAILED and "wait takes for=90s" in over.reason


def test_the_time_of_the_day_is_the_next_one():
    began = datetime(2026, 3, 4, 21, 30, tzinfo=UTC)
    assert wait.end_of(began, "", "22:15") == datetime(2026, 3, 4, 22, 15, tzinfo=UTC)
    assert wait.end_of(began, "", "06:00") == datetime(2026, 3, 5, 6, 0, tzinfo=UTC)
    assert wait.end_of(began, "1d", "") == datetime(2026, 3, 5, 21, 30, tzinfo=UTC)


# -- watching ------------------------------------------------------------------------------------------------


class Page:
    """A page on loopback: a service's health, or an external monitor; answers as it is told."""

    def __init__(self, answering: Any) -> None:
        self.status, self.text, self.delay_s = 200, "all is well", 0.0
        self.url: str = answering(self.say)

    def say(self, method: str, path: str, headers: object, body: bytes) -> tuple[int, bytes]:
        threading.Event().wait(self.delay_s)
        return self.status, self.text.encode()


@pytest.fixture
def page(answering: Any) -> Page:
    return Page(answering)


def watch(yard, page: Page, settings: str, logs: str = "", name: str = "watch", window: str = "'0.6 s'"):
    commands = f"[environments.staging.commands]\nlogs = {json.dumps(logs)}\n" if logs else ""
    staging(yard, f"{commands}[environments.staging.watch]\n{settings}\n", url=page.url)
    return play(yard, f"watch window={window} every=0.1", name=name)


def test_the_watch_keeps_figures_and_compares_response_times_with_the_one_before(yard, page):
    done = watch(yard, page, "slow_ms = 5000.0\nslow_ratio = 3.0")
    assert done.state is ReleaseState.DONE, done.reason
    figures = results(done)[0]
    assert figures["rounds"] >= 1 and 0 < figures["median_ms"] < 5000
    page.delay_s = max(0.3, 6 * figures["median_ms"] / 1000)
    over = watch(yard, page, "slow_ratio = 3.0", name="slow", window="20")
    assert over.state is ReleaseState.FAILED and "in the watch before" in over.reason


@pytest.mark.parametrize("fault", ["rate", "fatal", "monitor", "metric", "nothing"])
def test_what_the_watch_looks_at_ends_it_early(yard, page, answering, tmp_path, fault):
    log = tmp_path / "log"
    log.write_text(
        "GET / 200\n" * 18 + "GET /a 500 ERROR\n" * 2 + ("PANIC: out of memory\n" if fault == "fatal" else "")
    )
    monitor = Page(answering)
    monitor.text = "1 monitor is down" if fault == "monitor" else "up"
    settings = f"""
errors = "ERROR"
fatal = "PANIC"
max_error_rate = {5 if fault == "rate" else 50}
monitors = [{{ url = "{monitor.url}", contains = "up" }}]
"""
    if fault == "metric":  # entries by their second: many before the watch began, none since
        entries = tmp_path / "entries"
        entries.write_text("".join(f"{int(time.time()) - ago}\n" for ago in range(1, 21) for _ in range(30)))
        counter = f"awk -v a=$ECLUSE_FROM -v b=$ECLUSE_TO '$1 >= a && $1 < b' {entries} | wc -l"
        settings += f'[[environments.staging.watch.metrics]]\nname = "entries"\ncommand = {json.dumps(counter)}\nmin_ratio = 0.5\n'
    over = watch(yard, page, settings, logs=f"cat {log}", window="0.5" if fault == "nothing" else "20")
    if fault == "nothing":
        assert over.state is ReleaseState.DONE and results(over)[0]["error_rate"] == 10.0
        return
    wanted = {
        "rate": "2 of 20 log lines are errors (10.0 in 100, 5 are well)",
        "fatal": "the log says: PANIC: out of memory",
        "monitor": "does not hold 'up'",
        "metric": "entries is 0 a minute",
    }
    assert over.state is ReleaseState.FAILED and wanted[fault] in over.reason, over.reason
    if fault == "fatal":
        assert "after 1 looks" in over.reason, "at once"


# -- jobs ----------------------------------------------------------------------------------------------------


def test_a_workflow_is_run_on_the_release_commit(yard):
    staging(yard)
    yard.commit(
        "ci: e2e", _dot_github__workflows__e2e_dot_yml="on: push\njobs: {test: {runs-on: x, steps: [{run: true}]}}\n"
    )
    done = play(yard, "ci.job workflow=e2e.yml")
    assert done.state is ReleaseState.DONE, done.reason
    yard.commit("test: red", RED="")
    over = play(yard, "ci.job workflow=e2e.yml", name="red")
    assert over.state is ReleaseState.FAILED and "e2e.yml is red" in over.reason
    over = play(yard, "ci.job workflow=e2e.yml job=absent", name="absent")
    assert over.state is ReleaseState.FAILED and "ran no job 'absent' (it ran: test)" in over.reason
    steps = [effect.step for effect in effects_of(yard.history, over.subject)]
    assert steps == ["1.ci.job.1"], "asked for once"


def test_images_need_an_engine_and_say_so(yard, monkeypatch, tmp_path):
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("git", "sh", "env"):
        found = subprocess.run(["which", name], capture_output=True, text=True, check=True).stdout.strip()
        (tools / name).symlink_to(found)
    monkeypatch.setenv("PATH", str(tools))
    staging(yard)
    over = play(yard, "semver.decide", "image.build name=registry.example/app:{version}")
    assert over.state is ReleaseState.FAILED and "No container engine is on this machine" in over.reason
