"""``ecluse init`` on real repositories, through the function and through the door."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from ecluse.errors import Invalid
from ecluse.git import Repository
from ecluse.history import History
from ecluse.kit import ActionKind, InitOptions, init
from ecluse.trunk import open_trunk

NOTHING_ASKED = InitOptions()


def ecluse(folder: Path, *words: str, prefix: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    argv = [*prefix, sys.executable, "-m", "ecluse", *words]
    return subprocess.run(argv, cwd=folder, capture_output=True, text=True, env=os.environ, timeout=120)


def snapshot(folder: Path) -> dict[str, bytes]:
    """Every file below ``folder``; of git's own folder only what init may touch."""
    kept = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and (not name.startswith(".git/") or name == ".git/config"):
            kept[name] = path.read_bytes()
    return kept


def test_a_fresh_repository_is_prepared_and_left_uncommitted(bench) -> None:
    tip = bench.git("rev-parse", "HEAD")
    report = init(bench.repository, NOTHING_ASKED)
    assert (report.trunk, report.changed, report.dry_run) == ("main", True, False)
    for path in (".sync/patches", ".sync/logs", ".sync/scripts", ".sync/templates"):
        assert (bench.folder / path).is_dir()
    assert "ecluse import" in (bench.folder / ".sync/README.md").read_text()
    assert bench.git("config", "ecluse.trunk") == "main"
    assert bench.git("config", "alias.sync-export") == "!ecluse export"
    assert bench.git("config", "alias.sync-status") == "!ecluse status"
    assert bench.git("rev-parse", "HEAD") == tip
    assert report.next[0] == (
        "git add .gitignore .sync/README.md .sync/scripts/cloud-export.py .sync/scripts/cloud-export.sh "
        ".sync/scripts/init-sync-system.py .sync/scripts/local-import.py .sync/scripts/local-import.sh "
        ".sync/scripts/sync-tracker.py .sync/scripts/validate-before-sync.py "
        ".sync/templates/agent-handoff.md .sync/templates/checklist-pre-sync.md "
        ".sync/templates/sync-session-summary.md AGENTS.md ecluse.toml "
        "&& git commit -m 'chore: set up ecluse'"
    )
    with History.open(bench.repository.state_dir) as history:
        (event,) = history.events()
    assert event.kind == "repository.prepared"
    assert event.data["trunk"] == "main"


def test_the_suggested_commit_works_and_leaves_a_clean_checkout(bench) -> None:
    report = init(bench.repository, InitOptions(trust="all", solo=True))
    (bench.folder / ".sync/patches/sync_cloud_20250101_000000.json").write_text("{}")
    (bench.folder / "memory").mkdir()
    (bench.folder / "memory/session.log").write_text("x\n")
    subprocess.run(["bash", "-c", report.next[0]], cwd=bench.folder, check=True, capture_output=True)
    assert bench.git("status", "--porcelain") == ""
    policy = open_trunk(bench.repository).config
    assert (policy.trust, policy.solo) == ("all", True)
    again = init(bench.repository, NOTHING_ASKED)
    assert not again.changed
    assert again.next[0] == "ecluse doctor"


def test_a_second_time_changes_nothing(bench) -> None:
    init(bench.repository, InitOptions(trust="all"))
    before = snapshot(bench.folder)
    report = init(bench.repository, InitOptions(trust="all"))
    assert not report.changed
    assert all(action.kind is ActionKind.KEPT for action in report.actions)
    assert snapshot(bench.folder) == before
    with History.open(bench.repository.state_dir) as history:
        assert len(history.events()) == 1


def test_dry_run_says_the_same_and_does_nothing(bench) -> None:
    before = snapshot(bench.folder)
    planned = init(bench.repository, InitOptions(dry_run=True))
    assert planned.changed
    assert planned.dry_run
    assert snapshot(bench.folder) == before
    assert not bench.repository.state_dir.exists()
    done = init(bench.repository, NOTHING_ASKED)
    assert done.actions == planned.actions


def test_what_was_deleted_comes_back(bench) -> None:
    init(bench.repository, NOTHING_ASKED)
    before = {path: data for path, data in snapshot(bench.folder).items() if path != ".sync/sync_history.db"}
    shutil.rmtree(bench.folder / ".sync")
    report = init(bench.repository, NOTHING_ASKED)
    assert {a.what for a in report.actions if a.kind.changes} >= {".sync/patches", ".sync/README.md"}
    after = {path: data for path, data in snapshot(bench.folder).items() if path != ".sync/sync_history.db"}
    assert after == before, "scripts, templates and pages are as they were"
    with sqlite3.connect(bench.folder / ".sync/sync_history.db") as copy:
        copy.execute("SELECT count(*) FROM sync_records")
    copy.close()


def test_hand_written_files_keep_every_byte(bench) -> None:
    mine = {"AGENTS.md": "# Mine\n", ".gitignore": "*.o\n", "ecluse.toml": "solo = true\n"}
    for name, text in mine.items():
        bench.write(name, text)
    bench.write(".sync/README.md", "mine too\n")
    bench.git("config", "alias.sync-status", "status --short")
    report = init(bench.repository, NOTHING_ASKED)
    assert (bench.folder / "ecluse.toml").read_text() == mine["ecluse.toml"]
    assert (bench.folder / ".sync/README.md").read_text() == "mine too\n"
    for name in ("AGENTS.md", ".gitignore"):
        assert (bench.folder / name).read_text().startswith(mine[name])
    assert bench.git("config", "alias.sync-status") == "status --short"
    skipped = next(a for a in report.actions if "sync-status" in a.what)
    assert (skipped.kind, skipped.why) == (ActionKind.SKIPPED, "it is yours already: status --short")


def test_asking_for_another_policy_than_the_one_there_is_an_error(bench) -> None:
    bench.write("ecluse.toml", "solo = true\n")
    before = snapshot(bench.folder)
    with pytest.raises(Invalid) as caught:
        init(bench.repository, InitOptions(trust="all"))
    assert caught.value.code == "init.policy_exists"
    assert 'trust = "signed"' in caught.value.message
    assert caught.value.hint == 'write trust = "all" into ecluse.toml yourself, then commit it'
    assert snapshot(bench.folder) == before
    assert not bench.repository.state_dir.exists()
    init(bench.repository, InitOptions(trust="signed", solo=True))  # agrees with what is there


def test_the_trunk_is_found_named_and_changed(bench) -> None:
    bench.git("branch", "develop")
    bench.git("checkout", "-q", "-b", "feature")
    assert init(bench.repository, NOTHING_ASKED).trunk == "main"
    assert init(bench.repository, InitOptions(trunk="develop")).trunk == "develop"
    assert init(bench.repository, NOTHING_ASKED).trunk == "develop"
    assert open_trunk(bench.repository).branch == "develop"
    with pytest.raises(Invalid) as caught:
        init(bench.repository, InitOptions(trunk="nowhere"))
    assert caught.value.code == "trunk.missing"
    assert "develop, feature, main" in caught.value.message
    for name in ("a..b", "-x", ""):
        with pytest.raises(Invalid) as caught:
            init(bench.repository, InitOptions(trunk=name))
        assert caught.value.code == "trunk.name"


def test_before_the_first_commit(tmp_path: Path) -> None:
    repository = Repository.create(tmp_path / "new")
    report = init(repository, NOTHING_ASKED)
    assert (report.trunk, report.changed) == ("main", True)
    assert report.next[0] == "git add -A && git commit -m 'first commit'"
    assert any(check.name == "commits" for check in report.checks)


def test_a_detached_head_without_a_main_branch_needs_the_name(bench) -> None:
    bench.git("checkout", "-q", "--detach")
    bench.git("branch", "-m", "main", "line")
    done = ecluse(bench.folder, "init")
    assert done.returncode == 2
    assert "HEAD is detached" in done.stderr
    assert "ecluse init --trunk BRANCH" in done.stderr
    assert ecluse(bench.folder, "init", "--trunk", "line").returncode == 0


def test_a_bare_repository_gets_a_history_and_no_files(bench, tmp_path: Path) -> None:
    bare = tmp_path / "bare.git"
    bench.git("clone", "-q", "--bare", ".", str(bare))
    before = {entry.name for entry in bare.iterdir()}
    report = init(Repository.discover(bare), NOTHING_ASKED)
    assert {entry.name for entry in bare.iterdir()} - before == {"ecluse"}
    assert any(a.kind is ActionKind.SKIPPED and "bare" in a.why for a in report.actions)
    assert not init(Repository.discover(bare), NOTHING_ASKED).changed
    with pytest.raises(Invalid) as caught:
        init(Repository.discover(bare), InitOptions(trust="all"))
    assert caught.value.code == "init.bare"


def test_a_linked_work_tree_shares_the_history(bench, tmp_path: Path) -> None:
    init(bench.repository, NOTHING_ASKED)
    bench.git("worktree", "add", "-q", "-b", "side", str(tmp_path / "side"))
    report = init(Repository.discover(tmp_path / "side"), NOTHING_ASKED)
    assert report.trunk == "main"
    changed = [action.what for action in report.actions if action.kind.changes]
    assert not any("/history.db" in what or "git config" in what for what in changed)


def test_an_older_sync_history_is_taken_in_once_and_kept(bench) -> None:
    path = bench.write(".sync/sync_history.db", b"")
    with sqlite3.connect(path) as old:
        old.execute("CREATE TABLE sync_records (id INTEGER PRIMARY KEY, agent TEXT, status TEXT, files_modified TEXT)")
        rows = [("a", "success", '["x", "y"]'), ("b", "failed", "3")]
        old.executemany("INSERT INTO sync_records (agent, status, files_modified) VALUES (?, ?, ?)", rows)
    old.close()
    before = path.read_bytes()
    planned = init(bench.repository, InitOptions(dry_run=True))
    assert path.read_bytes() == before
    report = init(bench.repository, NOTHING_ASKED)
    assert report.actions == planned.actions
    action = next(a for a in report.actions if a.what == ".sync/sync_history.db")
    assert action.kind is ActionKind.APPENDED
    assert "2 records" in action.why
    with sqlite3.connect(path) as new:
        found = new.execute("SELECT agent, status, files_modified FROM sync_records ORDER BY agent").fetchall()
    new.close()
    assert found == [("a", "success", 2), ("b", "failed", 3)]
    kept = list((bench.repository.state_dir / "backups").glob("sync_history-*.db"))
    assert [one.read_bytes() for one in kept] == [before]
    assert not init(bench.repository, NOTHING_ASKED).changed
    assert sorted(entry.name for entry in path.parent.iterdir() if entry.is_file()) == ["README.md", "sync_history.db"]


def test_files_that_a_rule_ignores_are_named(bench) -> None:
    bench.commit("rules", _dot_gitignore=".sync/\n")
    for _ in range(2):
        report = init(bench.repository, NOTHING_ASKED)
        (said,) = [action for action in report.actions if action.kind is ActionKind.SKIPPED]
        assert ".sync/scripts/cloud-export.py" in said.what and "ecluse.toml" not in said.what
        assert "git add -f" in said.why
    assert not report.changed
    bench.git("add", "-f", ".sync/README.md", ".sync/scripts", ".sync/templates")
    assert not [action for action in init(bench.repository, NOTHING_ASKED).actions if action.kind is ActionKind.SKIPPED]


def test_it_works_from_a_folder_inside_and_for_odd_names(tmp_path: Path) -> None:
    folder = tmp_path / "häfen & 'co'"
    Repository.create(folder)
    inside = folder / "deep/er"
    inside.mkdir(parents=True)
    done = ecluse(inside, "init", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["changed"] is True
    assert (folder / "AGENTS.md").is_file()


def test_the_door_prints_what_was_done_and_what_comes_next(bench) -> None:
    first = ecluse(bench.folder, "init", "--solo", "--trust", "all")
    assert first.returncode == 0, first.stderr
    assert "created   ecluse.toml" in first.stdout
    assert "git commit -m 'chore: set up ecluse'" in first.stdout
    second = ecluse(bench.folder, "init")
    assert second.returncode == 0
    assert "nothing: this repository is prepared, its trunk is main" in second.stdout
    assert "created" not in second.stdout
    usage = ecluse(bench.folder, "init", "--kit", "moon")
    assert usage.returncode == 2
    assert "--kit" in usage.stderr


def test_outside_a_repository(tmp_path: Path) -> None:
    done = ecluse(tmp_path, "init")
    assert done.returncode == 2
    assert "is not inside a git repository" in done.stderr
    assert "git init" in done.stderr


@pytest.mark.parametrize("frozen", [".git", "."])
def test_a_read_only_repository_is_said_to_be_so(bench, frozen: str) -> None:
    prefix = _without_root_rights()
    folder = bench.folder / frozen
    folder.chmod(0o555)
    try:
        done = ecluse(bench.folder, "init", prefix=prefix)
    finally:
        folder.chmod(0o755)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "No permission to write" in done.stderr
    assert "next: " in done.stderr
    again = ecluse(bench.folder, "init")
    assert again.returncode == 0
    assert (bench.folder / "AGENTS.md").is_file()


def _without_root_rights() -> tuple[str, ...]:
    """What to put before a command so that permissions count for it, also when the tests run as root."""
    if os.name == "nt" or os.geteuid() != 0:
        return ()
    prefix = ("setpriv", "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-dac_override,-dac_read_search")
    if shutil.which("setpriv") is None or subprocess.run([*prefix, "true"], check=False).returncode:
        pytest.skip("running as root, and setpriv cannot lay root's rights down")
    return prefix


@pytest.mark.parametrize(("typed", "policy"), [(b"y\n", "\nsolo = true\n"), (b"n\n", "\n# solo = false\n")])
def test_at_a_terminal_it_asks_whether_one_person_is_the_team(bench, typed: bytes, policy: str) -> None:
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(bench.folder)
        os.execv(sys.executable, [sys.executable, "-m", "ecluse", "init"])
    seen = b""
    while b"work alone" not in seen or not seen.rstrip().endswith(b":"):
        seen += os.read(terminal, 4096)
    os.write(terminal, typed)
    with contextlib.suppress(OSError):  # the terminal is gone when the command has ended
        while os.read(terminal, 4096):
            pass
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert policy in (bench.folder / "ecluse.toml").read_text()
