"""``ecluse doctor``: real tools, real repositories, real damage."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ecluse import doctor, process, runs
from ecluse.doctor import Check, CheckState
from ecluse.errors import Invalid
from ecluse.files import FileLock
from ecluse.git import Repository
from ecluse.history import History
from ecluse.kit import InitOptions, init
from ecluse.model import Event, Run, RunState


def ecluse(folder: Path, *words: str, path: str | None = None) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, **({"PATH": path} if path is not None else {})}
    argv = [sys.executable, "-m", "ecluse", *words]
    return subprocess.run(argv, cwd=folder, capture_output=True, text=True, env=env, timeout=120)


def named(folder: Path, name: str) -> list[Check]:
    return [check for check in doctor.examine(folder) if check.name == name]


def only(folder: Path, name: str) -> Check:
    (check,) = named(folder, name)
    return check


@pytest.fixture
def ready(bench) -> Path:
    """A prepared repository whose files are committed."""
    init(bench.repository, InitOptions(trust="all"))
    bench.git("add", "-A")
    bench.git("commit", "-qm", "set up")
    return bench.folder


def test_a_prepared_repository_is_well(ready: Path) -> None:
    checks = doctor.examine(ready)
    assert not doctor.fails(checks)
    found = {check.name: check for check in checks}
    for name in ("python", "git", "disk", "repository", "identity", "remotes", "trunk", "policy", "history", "jobs"):
        assert found[name].state is CheckState.OK, found[name]
    assert "trust = all" in found["policy"].found
    assert "1 events" in found["history"].found


def test_the_door_says_all_and_exits_0(ready: Path) -> None:
    done = ecluse(ready, "doctor")
    assert done.returncode == 0, done.stdout
    assert "Nothing stops the line." in done.stdout
    document = json.loads(ecluse(ready, "doctor", "--json").stdout)
    assert document["ok"] is True
    assert document["schema_version"] == 1
    assert {"name", "state", "found", "hint"} == set(document["checks"][0])


def test_it_changes_nothing(ready: Path) -> None:
    before = {p: p.stat().st_mtime_ns for p in ready.rglob("*") if p.is_file() and not p.name.startswith("history.db-")}
    doctor.examine(ready)
    after = {p: p.stat().st_mtime_ns for p in ready.rglob("*") if p.is_file() and not p.name.startswith("history.db-")}
    assert after == before


def test_outside_a_repository_it_looks_at_the_machine(tmp_path: Path) -> None:
    done = ecluse(tmp_path, "doctor")
    assert done.returncode == 0
    assert "warn  repository" in done.stdout
    assert "git init" in done.stdout
    with pytest.raises(Invalid):
        doctor.examine(tmp_path / "absent")
    missing = ecluse(tmp_path, "doctor", "-C", str(tmp_path / "absent"))
    assert (missing.returncode, "There is no folder" in missing.stderr) == (2, True)


def test_a_machine_without_git(ready: Path, tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    done = ecluse(ready, "doctor", path=str(tmp_path / "bin"))
    assert done.returncode == 1
    assert "fail  git" in done.stdout
    assert "install git" in done.stdout
    assert "warn  ssh-keygen" in done.stdout
    assert "signed bundles and approvals" in done.stdout
    refused = ecluse(ready, "init", path=str(tmp_path / "bin"))
    assert (refused.returncode, "install git" in refused.stderr) == (1, True)


def test_an_old_git_is_refused(ready: Path, tmp_path: Path) -> None:
    tools = tmp_path / "bin"
    tools.mkdir()
    real = shutil.which("git")
    script = f'#!/bin/sh\nif [ "$1" = --version ]; then echo "git version 2.30.2"; else exec "{real}" "$@"; fi\n'
    (tools / "git").write_text(script)
    (tools / "git").chmod(0o755)
    path = f"{tools}{os.pathsep}{os.environ['PATH']}"
    done = ecluse(ready, "doctor", path=path)
    assert (done.returncode, "2.30.2 is too old" in done.stdout) == (1, True)
    refused = ecluse(ready, "init", path=path)
    assert (refused.returncode, "install git 2.38 or newer" in refused.stderr) == (1, True)


def test_a_tool_that_does_not_start_is_a_warning(ready: Path, tmp_path: Path) -> None:
    tools = tmp_path / "bin"
    tools.mkdir()
    (tools / "node").write_text("#!/bin/sh\necho broken >&2\nexit 3\n")
    (tools / "node").chmod(0o755)
    done = ecluse(ready, "doctor", path=f"{tools}{os.pathsep}{os.environ['PATH']}")
    assert done.returncode == 0
    assert "warn  node" in done.stdout
    assert "does not start" in done.stdout


def test_before_init_and_before_the_first_commit(tmp_path: Path) -> None:
    repository = Repository.create(tmp_path / "new")
    folder = repository.work_tree
    assert folder is not None
    assert only(folder, "commits").state is CheckState.WARN
    assert only(folder, "trunk").state is CheckState.WARN
    assert only(folder, "history").hint == "ecluse init"
    assert not doctor.fails(doctor.examine(folder))


def test_a_trunk_that_is_gone(bench, ready: Path) -> None:
    bench.git("checkout", "-q", "-b", "other")
    bench.git("branch", "-D", "main")
    check = only(ready, "trunk")
    assert (check.state, check.hint) == (CheckState.FAIL, "ecluse init --trunk BRANCH")


def test_a_wrong_policy_in_the_trunk_fails_and_in_the_checkout_warns(bench, ready: Path) -> None:
    bench.write("ecluse.toml", "trust = 'nobody'\n")
    here = [check for check in named(ready, "policy") if check.state is CheckState.WARN]
    assert len(here) == 1
    assert "trust" in here[0].found
    bench.git("commit", "-qam", "wrong")
    landed = [check for check in named(ready, "policy") if check.state is CheckState.FAIL]
    assert len(landed) == 1
    bench.write("ecluse.toml", "trust = 'all'\n")
    states = {check.state for check in named(ready, "policy")}
    assert states == {CheckState.FAIL, CheckState.WARN}  # repaired here, not on the trunk yet


def test_no_identity(ready: Path, own_home: Path) -> None:
    (own_home / ".gitconfig").write_text("")
    check = only(ready, "identity")
    assert (check.state, check.hint) == (
        CheckState.WARN,
        "git config user.name NAME && git config user.email MAIL",
    )


def test_a_damaged_history(ready: Path) -> None:
    path = Repository.discover(ready).state_dir / "history.db"
    for side in (path, path.with_name("history.db-wal"), path.with_name("history.db-shm")):
        side.unlink(missing_ok=True)
    path.write_bytes(b"not a database at all" * 400)
    done = ecluse(ready, "doctor")
    assert done.returncode == 1
    assert "fail  history" in done.stdout
    assert "is damaged" in done.stdout
    assert "backups" in done.stdout


def test_a_history_by_a_newer_version(ready: Path) -> None:
    import sqlite3

    path = Repository.discover(ready).state_dir / "history.db"
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 900")
    connection.close()
    check = only(ready, "history")
    assert (check.state, check.hint) == (CheckState.FAIL, "pip install --upgrade ecluse")


def test_a_lock_of_a_dead_git_is_named_and_a_fresh_one_is_not(ready: Path) -> None:
    lock = ready / ".git/index.lock"
    lock.touch()
    assert named(ready, "locks") == []
    old = time.time() - 600
    os.utime(lock, (old, old))
    branch = ready / ".git/refs/heads/main.lock"
    branch.touch()
    os.utime(branch, (old, old))
    found = named(ready, "locks")
    assert {check.state for check in found} == {CheckState.FAIL}
    assert sorted(check.hint.rpartition("rm ")[2] for check in found) == sorted([f"'{lock}'", f"'{branch}'"])


@pytest.mark.skipif(shutil.which("ps") is None, reason="ps is needed to find the process beside the job")
def test_a_run_whose_process_was_killed(ready: Path) -> None:
    repository = Repository.discover(ready)
    run = Run("run-1", "", RunState.RUNNING, "c" * 40, "d" * 40, "push", (), "2025", "2025")
    with History.open(repository.state_dir) as history:
        history.record(run, Event("run.started", run.subject, "started"))
    folder = runs.job_folder(repository, run)
    process.run_job(folder, [sys.executable, "-c", "import time; time.sleep(600)"])
    try:
        assert only(ready, "jobs").found == "1 running"
        record = json.loads((folder / "job.json").read_bytes())
        host = int(subprocess.check_output(["ps", "-o", "ppid=", "-p", str(record["pid"])]))
        os.kill(host, signal.SIGKILL)
    finally:
        process.cancel_job(folder)
    check = only(ready, "jobs")
    assert check.state is CheckState.WARN
    assert "run-1" in check.found
    assert check.hint == "ecluse serve"


def test_who_holds_the_line(ready: Path) -> None:
    lock = FileLock(Repository.discover(ready).state_dir / "line.lock")
    assert named(ready, "line") == []
    with lock.held():
        assert "another process" in only(ready, "line").found
    assert only(ready, "line").found == "free"


def test_optional_packages_are_missed_only_where_the_project_is_set_up_for_them(
    bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bare = tmp_path / "bin"
    bare.mkdir()
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(bench.folder / ".venv")], check=True)
    monkeypatch.setenv("PATH", os.pathsep.join([str(bare), "/usr/bin", "/bin"]))
    monkeypatch.delenv("VIRTUAL_ENV", raising=False)
    site = next((bench.folder / ".venv").glob("lib/python*/site-packages"))
    (site / "ruff.py").write_text("")
    bench.write("mypy.ini", "[mypy]\n")
    found = {one.name: one for one in doctor.examine(bench.folder)}
    assert (found["ruff"].state, found["ruff"].found) == (CheckState.OK, "in the checkout's .venv")
    assert "optional, for ecluse validate" in found["pytest"].found or found["pytest"].found.endswith("on PATH")
    if "mypy.ini sets it up" in found["mypy"].found:  # the system's Python may have it
        assert (found["mypy"].state, found["mypy"].hint.startswith("python3 -m venv")) == (CheckState.WARN, True)
