"""Backups of real databases: made, judged by age and size, restored into a scratch place, restored for real."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from ecluse import http
from ecluse.errors import Invalid
from ecluse.model import ReleaseState
from ecluse.release import backups

SQLITE = """\
import os, pathlib, sqlite3, sys
verb, live = sys.argv[1:]
copy = os.environ.get("ECLUSE_BACKUP", "")
def copied(source, target):
    with sqlite3.connect(source) as one, sqlite3.connect(target) as other:
        one.backup(other)
def count(path):
    with sqlite3.connect(path) as base:
        for (table,) in base.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name").fetchall():
            print(table, base.execute(f"SELECT count(*) FROM {table}").fetchone()[0])
if verb == "make": copied(live, copy)
if verb == "restore": copied(copy, live)
if verb == "count": count(live)
if verb == "test":
    scratch = str(pathlib.Path(os.environ["ECLUSE_SCRATCH"], "scratch.db"))
    copied(copy, scratch); count(scratch)
"""
PAGE = """\
---
playbook: {name}
format: 1
environment: staging
---

# {name}

## Sequence
{steps}
"""


def play(yard, *steps: str, name: str = "probe"):
    """Run a playbook of these actions to where it rests."""
    body = "".join(f"\n### [{n}] Step {n} — by system\n\n- uses: {step}\n" for n, step in enumerate(steps, 1))
    yard.commit(f"docs: {name}", **{f"playbooks__{name}_dot_md": PAGE.format(name=name, steps=body)})
    return yard.drive(yard.start(playbook=name))


def results(release) -> list[dict]:
    kept = release.outputs["steps"]
    return [kept[key]["result"] for key in sorted(kept, key=int)]


class Data:
    """A yard whose staging environment keeps its data in a SQLite file."""

    def __init__(self, yard, folder: Path) -> None:
        self.yard, self.folder = yard, folder
        self.live, self.backups, self.tool = folder / "live.db", folder / "backups", folder / "db.py"
        folder.mkdir()
        self.tool.write_text(SQLITE)
        with closing(sqlite3.connect(self.live)) as base:
            base.executescript("CREATE TABLE people (name); CREATE TABLE notes (text);")
            base.executemany("INSERT INTO people VALUES (?)", [(f"p{n}",) for n in range(50)])
            base.commit()
        self.policy()

    def policy(self, **more) -> None:
        words = f"{sys.executable} {self.tool}"
        backup = {verb: f"{words} {verb} {self.live}" for verb in ("make", "restore", "test", "count")}
        table({**backup, "folder": str(self.backups), "files": "app-*.db", **more}, self.yard)

    def rows(self) -> int:
        with closing(sqlite3.connect(self.live)) as base:
            return int(base.execute("SELECT count(*) FROM people").fetchone()[0])

    def add(self, count: int) -> None:
        with closing(sqlite3.connect(self.live)) as base:
            base.executemany("INSERT INTO people VALUES (?)", [("new",)] * count)
            base.commit()


def table(backup: dict, yard) -> None:
    """Give the trunk a policy whose staging environment has this section ``backup``."""
    lines = "\n".join(f"{key} = {json.dumps(value)}" for key, value in backup.items())
    text = f"""
solo = true
[environments.staging]
path = "../staging"
hosts = ["."]
url = "http://127.0.0.1:{yard.port}"
[environments.staging.backup]
{lines}
""".replace('"../staging"', json.dumps(str(yard.target)))
    yard.target.mkdir(exist_ok=True)
    yard.commit("chore: policy", ecluse_dot_toml=text)


@pytest.fixture
def data(yard, tmp_path) -> Data:
    return Data(yard, tmp_path / "data")


def test_a_backup_is_made_judged_tried_and_restored(data):
    done = play(data.yard, "backup.make", "backup.age hours=1", "backup.restore-test")
    assert done.state is ReleaseState.DONE, done.reason
    made, age, tried = results(done)
    file = data.backups / made["file"]
    assert file.stat().st_size == made["bytes"] and file.stat().st_mode & 0o077 == 0
    assert age["file"] == made["file"] and tried["rows"] == {"people": 50, "notes": 0} and tried["against"] == "then"
    data.add(7)
    again = play(data.yard, "backup.restore-test", f"backup.restore file={made['file']}", name="restore")
    assert again.state is ReleaseState.DONE, again.reason
    assert data.rows() == 50, "what came after the backup is gone"
    assert results(again)[1]["rows"] == {"people": 50, "notes": 0}
    assert sorted(p.name for p in data.backups.iterdir()) == sorted(
        [made["file"], f"{made['file']}.counts", f"{made['file']}.sha256"]
    )


@pytest.mark.parametrize("fault", ["none", "old", "small", "shrunken", "damaged", "rows", "empty", "uncounted"])
def test_a_backup_that_is_none_is_named(data, fault):
    steps, wanted = ["backup.age"], ""
    data.backups.mkdir()
    if fault != "none":
        made = play(data.yard, "backup.make", name="first")
        file = data.backups / results(made)[0]["file"]
    if fault == "none":
        wanted = "There is no backup"
    elif fault == "old":
        os.utime(file, (1_700_000_000, 1_700_000_000))
        wanted = "and 24 h are allowed"
    elif fault == "small":
        data.policy(min_bytes=10_000_000)
        wanted = "at least 10000000 are expected"
    elif fault == "shrunken":
        (data.backups / "app-before.db").write_bytes(b"x" * 1_000_000)
        os.utime(data.backups / "app-before.db", (1_700_000_000, 1_700_000_000))
        wanted = "the one before (app-before.db) had 1000000"
    elif fault == "damaged":
        held = bytearray(file.read_bytes())
        held[-1] ^= 1
        file.write_bytes(bytes(held))
        steps, wanted = ["backup.restore-test"], "its SHA-256 differs"
    elif fault == "rows":
        (data.backups / f"{file.name}.counts").write_text("people 50\nnotes 0\norders 3\n")
        steps, wanted = ["backup.restore-test"], "orders did not come back"
    elif fault == "uncounted":
        (data.backups / f"{file.name}.counts").unlink()
        data.add(100)
        steps, wanted = ["backup.restore-test"], "people came back with 50 rows instead of 150"
    else:
        data.policy(make="true")
        steps, wanted = ["backup.make"], "the command wrote nothing to $ECLUSE_BACKUP"
    over = play(data.yard, *steps)
    assert over.state is ReleaseState.FAILED and wanted in over.reason, over.reason
    assert not list(data.backups.glob(".part-*")) or fault == "empty"


def test_a_death_in_the_middle_makes_one_backup(data):
    """The file is there, the journal does not know it: it is found, not made again."""
    yard = data.yard
    body = "\n### [1] Keep — by system\n\n- uses: backup.make\n"
    yard.commit("docs: page", playbooks__keep_dot_md=PAGE.format(name="keep", steps=body))
    release_id = yard.start(playbook="keep")
    driver = Path(__file__).with_name("driver.py")
    words = [sys.executable, str(driver), str(yard.folder), release_id, "done", "1.backup.make"]
    died = subprocess.run(words, capture_output=True, check=False)
    assert died.returncode == -9, died.stderr.decode()
    assert len(list(data.backups.glob("app-*.db"))) == 1
    done = yard.drive(release_id)
    assert done.state is ReleaseState.DONE, done.reason
    assert len(list(data.backups.glob("app-*.db"))) == 1 and "already there" in yard.texts(release_id)


def test_without_a_section_backup_it_says_what_to_write(yard):
    yard.commit(
        "chore: staging",
        ecluse_dot_toml=yard.policy()
        .replace("environments.production", "environments.staging")
        .replace("production = true", ""),
    )
    with pytest.raises(Invalid, match=r"no section \[environments\.staging\.backup\]"):
        play(yard, "backup.age")


def test_rows_are_compared_with_and_without_tolerance():
    assert backups.compare({"a": 9}, {"a": 10}, 0.1) == []
    assert backups.compare({"a": 8}, {"a": 10}, 0.1) == ["a came back with 8 rows instead of 10"]
    assert backups.compare({"a": 11}, {"a": 10}, 0.0) == ["a came back with 11 rows instead of 10"]
    assert backups.rows_of("a 1\n b | 2 \nc=3\n", "test") == {"a": 1, "b": 2, "c": 3}


class Server:
    """A PostgreSQL server of the test's own, on a loopback port, with one database ``app``."""

    def __init__(self, folder: Path, tools: Path) -> None:
        self.folder, self.tools, self.port = folder, tools, http.free_port()
        self.user = next((u for u in ("postgres", "nobody") if os.getuid() == 0 and _is_user(u)), None)
        folder.mkdir(mode=0o755)
        if self.user:
            shutil.chown(folder, self.user)
        self.run("initdb", "-D", str(folder / "db"), "-U", "app", "--auth=trust", "-N", "-E", "UTF8")
        options = f"-c listen_addresses=127.0.0.1 -c port={self.port} -c unix_socket_directories='' -c fsync=off"
        self.run("pg_ctl", "-D", str(folder / "db"), "-l", str(folder / "log"), "-w", "-o", options, "start")

    def run(self, *words: str) -> str:
        done = subprocess.run(
            [str(self.tools / words[0]), *words[1:]],
            capture_output=True,
            text=True,
            user=self.user,
            cwd=self.folder,
            check=False,
        )
        assert done.returncode == 0, done.stderr + done.stdout
        return done.stdout

    def sql(self, text: str, base: str = "app") -> str:
        return self.run(
            "psql", "-XAt", "-h", "127.0.0.1", "-p", str(self.port), "-U", "app", "-d", base, "-c", text
        ).strip()

    def stop(self) -> None:
        self.run("pg_ctl", "-D", str(self.folder / "db"), "-m", "immediate", "stop")


def _is_user(name: str) -> bool:
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True


@pytest.fixture
def postgres() -> Iterator[Server]:
    import tempfile

    found = [
        *sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True),
        *map(Path, os.environ["PATH"].split(":")),
    ]
    tools = next((one for one in found if (one / "initdb").exists() and (one / "pg_dump").exists()), None)
    if tools is None:
        pytest.skip("PostgreSQL's server and tools are not on this machine")
    folder = Path(tempfile.mkdtemp(prefix="ecluse-pg-"))
    folder.chmod(0o755)
    server = Server(folder / "pg", tools)
    server.sql("CREATE DATABASE app", "postgres")
    yield server
    server.stop()
    shutil.rmtree(folder)


def test_postgresql_is_kept_tried_and_restored(yard, postgres, tmp_path):
    postgres.sql("CREATE TABLE people (name text); CREATE TABLE notes (text text)")
    postgres.sql("INSERT INTO people SELECT 'p' || n FROM generate_series(1, 500) n")
    tools, place = postgres.tools, f"-h 127.0.0.1 -p {postgres.port} -U app"
    psql = f"{tools}/psql -XAtq {place}"
    count = (
        "for t in people notes; do printf '%s ' $t; " + psql + ' -d "${BASE:-app}" -c "SELECT count(*) FROM $t"; done'
    )
    table(
        {
            "folder": str(tmp_path / "backups"),
            "files": "app-*.dump",
            "make": f'{tools}/pg_dump {place} -Fc -f "$ECLUSE_BACKUP" app',
            "restore": f'{tools}/pg_restore {place} --clean --if-exists -d app "$ECLUSE_BACKUP"',
            "count": count,
            "test": f'{psql} -d postgres -c "CREATE DATABASE scratch" && trap \'{psql} -d postgres -c "DROP DATABASE scratch"\' EXIT'
            f' && {tools}/pg_restore {place} -d scratch "$ECLUSE_BACKUP" && BASE=scratch && {count}',
        },
        yard,
    )
    done = play(yard, "backup.make", "backup.age", "backup.restore-test")
    assert done.state is ReleaseState.DONE, done.reason
    assert results(done)[2]["rows"] == {"people": 500, "notes": 0}
    assert postgres.sql("SELECT count(*) FROM pg_database WHERE datname = 'scratch'") == "0"
    postgres.sql("DELETE FROM people; ALTER TABLE notes ADD COLUMN broken int")
    back = play(yard, "backup.restore", name="restore")
    assert back.state is ReleaseState.DONE, back.reason
    assert postgres.sql("SELECT count(*) FROM people") == "500"
    assert postgres.sql("SELECT count(*) FROM information_schema.columns WHERE column_name = 'broken'") == "0"
