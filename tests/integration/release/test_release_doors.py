"""The doors as whole processes: what is typed, what is printed, the exit status."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
import time

import pytest

from ecluse import signing
from ecluse.model import Gate, GateState, Release

needs_keys = pytest.mark.skipif(not signing.available(), reason="ssh-keygen is not on this machine")


def ecluse(yard, *words: str, expect: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "ecluse", *words],
        cwd=yard.folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == expect, (words, done.returncode, done.stdout, done.stderr)
    assert "Traceback" not in done.stderr
    return done


@needs_keys
def test_plan_start_play_status_rollback(make_yard):
    yard = make_yard(solo=False)
    key = yard.list_key()
    assert "There was no release yet" in ecluse(yard, "release", "status").stdout
    plan = ecluse(yard, "release", "plan").stdout
    assert "Release 0.1.0 by playbooks/release.md" in plan and "12  Hand over to operations" in plan
    assert json.loads(ecluse(yard, "release", "plan", "--json").stdout)["plan"]["version"] == "0.1.0"

    done = ecluse(yard, "release", "start", "--play", "ada", "--key", str(key), *yard.proof)
    assert "0.1.0 is done" in done.stdout
    assert "[7] Deploy" in done.stderr and "approve by ada (played with a key)" in done.stderr
    assert yard.ask()[1]["version"] == "0.1.0"

    yard.commit("fix: more")
    ecluse(yard, "release", "start", "--play", "ada", "--key", str(key), "-q", *yard.proof)
    overview = ecluse(yard, "release", "status").stdout
    assert "live in production: 0.1.1" in overview
    newest = yard.history.find(Release, newest_first=True)[0]
    document = json.loads(ecluse(yard, "release", "status", newest.id, "--json").stdout)
    assert document["schema_version"] == 1 and document["state"] == "done" and document["played"] is True
    assert "Ask how it is" in ecluse(yard, "release", "status", newest.id).stdout

    ecluse(yard, "release", "rollback", "--why", "no good")
    assert yard.ask()[1]["version"] == "0.1.0"
    again = ecluse(yard, "release", "rollback", newest.id, "--why", "again", expect=2)
    assert "nothing live to leave" in again.stderr


@needs_keys
def test_without_input_it_waits_and_a_second_terminal_approves(make_yard):
    yard = make_yard(solo=False)
    key = yard.list_key()
    waits = ecluse(yard, "release", "start", "--no-input", *yard.proof, expect=3)
    found = yard.history.find(Release)[0]
    assert f"ecluse release approve {found.id} --gate go-live --key FILE" in waits.stderr
    refused = ecluse(yard, "release", "approve", "--yes", expect=4)
    assert "typed by a person at a terminal" in refused.stderr
    assert yard.history.find(Gate)[0].state is GateState.OPEN
    busy = ecluse(yard, "release", "start", "--json", expect=4)
    assert json.loads(busy.stdout)["error"]["code"] == "release.busy"
    done = ecluse(yard, "release", "approve", "--key", str(key), "--why", "tried it")
    assert "go-live: approve by ada (key)" in done.stderr and "0.1.0 is done" in done.stdout


@needs_keys
def test_start_waits_in_the_foreground_until_another_terminal_answers(make_yard):
    yard = make_yard(solo=False)
    key = yard.list_key()
    words = [sys.executable, "-m", "ecluse", "release", "start", *yard.proof]
    first = subprocess.Popen(
        words, cwd=yard.folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 60
    while not yard.history.find(Gate):
        assert time.monotonic() < deadline and first.poll() is None
        time.sleep(0.05)
    ecluse(yard, "release", "approve", "--key", str(key), "--no-wait")
    out, err = first.communicate(timeout=60)
    assert first.returncode == 0 and "0.1.0 is done" in out and "From another terminal" in err


def test_a_typed_answer_at_a_real_terminal_in_a_one_person_team(yard):
    from ecluse.cli import entry

    assert callable(entry)
    words = [sys.executable, "-m", "ecluse", "release", "start"]
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(yard.folder)
        os.execv(sys.executable, words)
    seen = b""
    while b"your answer" not in seen:
        seen += os.read(terminal, 4096)
    os.write(terminal, b"approve\n")
    while True:
        try:
            piece = os.read(terminal, 4096)
        except OSError:
            break
        if not piece:
            break
        seen += piece
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0, seen.decode()
    gate = yard.history.find(Gate)[0]
    assert (gate.answer, gate.how) == ("approve", "typed, solo")


def test_a_rolled_back_release_ends_with_status_1(make_yard):
    yard = make_yard()
    broken = (yard.folder / "service.py").read_text().replace("SAYING, FLAG = 200", "SAYING, FLAG = 503")
    yard.commit("feat: broken", service_dot_py=broken, ecluse_dot_toml=yard.little_patience())
    done = ecluse(yard, "release", "start", "--play", "ada", expect=1)
    assert "is rolled back" in done.stdout and "answered 503" in done.stdout


def test_abort_and_reject_by_typing_nothing(yard):
    waits = ecluse(yard, "release", "start", "--no-input", *yard.proof, expect=3)
    assert "--gate go-live, typed at a terminal" in waits.stderr  # alone: no key is needed
    wrong = ecluse(yard, "release", "approve", "--gate", "nope", expect=2)
    assert "open is go-live" in wrong.stderr and "--gate go-live" in wrong.stderr
    assert "it takes approve, reject" in ecluse(yard, "release", "approve", "--answer", "maybe", expect=2).stderr
    assert "Neither a freeze" in ecluse(yard, "release", "override", "--why", "x", expect=2).stderr
    done = ecluse(yard, "release", "abort", "--why", "not today")
    (over,) = yard.history.find(Release)
    assert "is aborted already" in ecluse(yard, "release", "approve", over.id, expect=2).stderr
    assert "is aborted" in done.stdout and "not today" in done.stdout
    assert "No release is unfinished" in ecluse(yard, "release", "abort", "--why", "x", expect=2).stderr


@needs_keys
def test_the_verbs_that_hold_up_and_let_through(make_desk):
    desk = make_desk(solo=False)
    ada, bob = desk.list_key(name="ada"), desk.list_key(name="bob")
    assert "Nothing is frozen or locked." in ecluse(desk, "freeze").stdout
    assert "needs a reason" in ecluse(desk, "freeze", "--until", "2h", expect=2).stderr
    assert "is no time" in ecluse(desk, "freeze", "--until", "monday", "--why", "x", expect=2).stderr
    frozen = ecluse(desk, "freeze", "--until", "2h", "--why", "the auditors are here")
    assert "every environment is frozen until 20" in frozen.stdout
    assert "the auditors are here" in ecluse(desk, "release", "plan").stderr
    assert json.loads(ecluse(desk, "freeze", "--json").stdout)["frozen"]["production"]["source"].startswith("hold-")

    ecluse(desk, "release", "start", "--no-input", *desk.proof, expect=3)
    (found,) = desk.history.find(Release)
    ecluse(desk, "release", "pause", "--why", "lunch")
    waits = ecluse(desk, "release", "status", found.id, "--follow", expect=3)
    assert f"ecluse release resume {found.id}" in waits.stderr
    ecluse(desk, "release", "resume", "--no-input", expect=3)
    kept = ecluse(desk, "release", "approve", "--key", str(ada), expect=3)
    assert "is frozen until" in kept.stderr and "ecluse release override" in kept.stderr
    assert "at a terminal" in ecluse(desk, "release", "override", "--why", "it burns", expect=4).stderr
    first = ecluse(desk, "release", "override", "--why", "it burns", "--key", str(ada), expect=3)
    assert "1 of 2 people" in first.stderr
    done = ecluse(desk, "release", "approve", "--gate", "override", "--key", str(bob))
    assert "is done" in done.stdout and desk.deployed() == [found.id]

    assert "lifted: the auditors" in ecluse(desk, "freeze", "--lift").stdout
    assert "No freeze" in ecluse(desk, "freeze", "--lift", expect=2).stderr
    assert "has no environment 'nowhere'" in ecluse(desk, "freeze", "--env", "nowhere", "--why", "x", expect=2).stderr
    assert "is locked by" in ecluse(desk, "release", "lock", "production", "--why", "a look").stdout
    assert "given back" in ecluse(desk, "release", "unlock", "production", "--why", "looked").stdout
    assert "Nobody has the lock" in ecluse(desk, "release", "unlock", "production", "--why", "x", expect=2).stderr
    assert "was not rolled back" in ecluse(desk, "release", "retry", found.id, expect=2).stderr


@needs_keys
def test_an_answer_that_is_signed_elsewhere(make_desk, tmp_path):
    desk = make_desk(solo=False)
    ada = desk.list_key(name="ada")
    ecluse(desk, "release", "start", "--no-input", *desk.proof, expect=3)
    statement = ecluse(desk, "release", "approve", "--statement").stdout.removesuffix("\n")
    signature = tmp_path / "answer.sig"
    signature.write_text(signing.sign(statement.encode(), ada, signing.APPROVAL))
    refused = ecluse(desk, "release", "reject", "--signature", str(signature), expect=4)
    assert "signature" in refused.stderr
    done = ecluse(desk, "release", "approve", "--signature", str(signature))
    assert "go-live: approve by ada (key)" in done.stderr and "is done" in done.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("release", "plan", "nothing"), "has no playbook 'nothing'"),
        (("release", "start", "--input", "x"), "is not NAME=VALUE"),
        (("release", "status", "rel-x"), "is no release here"),
        (("release", "settle", "rel-x", "y", "--happened", "yes"), "is no release here"),
        (("playbook", "show", "nothing"), "has no playbook"),
        (("playbook", "lint", "nothing.md"), "There is no file"),
    ],
)
def test_mistakes_have_a_message_and_a_next_command(yard, words, said):
    done = ecluse(yard, *words, expect=2)
    assert said in done.stderr and "next:" in done.stderr


def test_a_stranger_is_led_to_the_first_release(yard):
    (yard.folder / "playbooks/hotfix.md").write_text("# mine\n")
    for words, said, hint in [
        (("playbook", "show", "hotfix"), "lies in the checkout, and the trunk main does not have it", "git add"),
        (("playbook", "show", "relaese"), "it has: release", "ecluse playbook show release"),
        (("release", "approve"), "No release was started here yet", "ecluse release plan"),
        (("release", "rollback", "--why", "x"), "Nothing is live", "ecluse release status"),
    ]:
        done = ecluse(yard, *words, expect=2)
        assert said in done.stderr and hint in done.stderr, done.stderr
    plan = ecluse(yard, "release", "plan").stdout
    assert "Commits: 1\n" in plan and "before   nothing" in plan and "nothing was released before" in plan


def test_playbook_list_show_and_lint(yard):
    assert "release          Release, 12 steps" in ecluse(yard, "playbook", "list").stdout
    assert ecluse(yard, "playbook", "show").stdout == (yard.folder / "playbooks/release.md").read_text()
    compiled = json.loads(ecluse(yard, "playbook", "show", "--json").stdout)["playbook"]
    assert len(compiled["steps"]) == 12
    assert "without fault" in ecluse(yard, "playbook", "lint").stdout
    text = (yard.folder / "playbooks/release.md").read_text()
    yard.write("mine.md", text.replace("- uses: smoke", "- uses: smoked").replace("- gate: go-live", "- gate: gone"))
    done = ecluse(yard, "playbook", "lint", "mine.md", "--json", expect=2)
    faults = json.loads(done.stdout)["error"]["details"]["faults"]
    assert {"action.unknown", "gate.undefined", "gate.unused"} <= {fault["code"] for fault in faults}
    assert all(fault["line"] > 1 and fault["column"] >= 1 for fault in faults)
