"""Backups of an environment's data: make, find the newest, judge its age and size, restore, try the restoring.

The commands are the user's own (``[environments.NAME.backup]``) and run on the first host, or here. A backup is written
aside and renamed, so that a file of the right name is whole. Beside it lie ``FILE.sha256`` and ``FILE.counts`` (the
live rows when it was made), which the test of a restoring compares with what came back.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from ecluse import clock
from ecluse.errors import Failed, Invalid
from ecluse.release.context import Context
from ecluse.release.deploy.host import Host, hosts_of

LIST = """\
date +%s
cd "$1" 2>/dev/null || exit 0
for name in $2; do [ -f "$name" ] && stat -c '%Y %s %n' "$name" || true; done
"""
MAKE = """\
set -eu
umask 077
mkdir -p "$1"
cd "$1"
export ECLUSE_BACKUP="$1/.part-$2"
rm -f "$ECLUSE_BACKUP"
if [ -n "$4" ]; then sh -c "$4" > ".counts-$2"; fi
sh -c "$3"
if [ ! -s "$ECLUSE_BACKUP" ]; then echo "the command wrote nothing to \\$ECLUSE_BACKUP" >&2; exit 1; fi
sha256sum < "$ECLUSE_BACKUP" | cut -d' ' -f1 > "$2.sha256"
if [ -n "$4" ]; then mv ".counts-$2" "$2.counts"; fi
sync "$ECLUSE_BACKUP" 2>/dev/null || sync
mv "$ECLUSE_BACKUP" "$2"
"""
CHECK = """\
set -eu
cd "$1"
[ -f "$2" ] || { echo "there is no backup $1/$2" >&2; exit 1; }
if [ -f "$2.sha256" ] && [ "$(cat "$2.sha256")" != "$(sha256sum < "$2" | cut -d' ' -f1)" ]; then
  echo "$2 is not what it was when it was made: its SHA-256 differs" >&2; exit 1
fi
"""
RESTORE = CHECK + 'export ECLUSE_BACKUP="$1/$2"\nsh -c "$3" >&2\n'
TEST = (
    CHECK
    + """\
export ECLUSE_BACKUP="$1/$2"
export ECLUSE_SCRATCH=$(mktemp -d)
trap 'rm -rf "$ECLUSE_SCRATCH"' EXIT
cd "$ECLUSE_SCRATCH"
sh -c "$3"
"""
)
TIMEOUT_S = 6 * 3600.0


@dataclass(frozen=True, slots=True)
class Backup:
    """One file: its name, size in bytes, and age in seconds by the host's own clock."""

    name: str
    size: int
    age_s: float


@dataclass(frozen=True, slots=True)
class Store:
    """Where an environment's backups are and how they are made; ``variables`` is what its commands see."""

    host: Host
    settings: dict[str, Any]
    variables: dict[str, str]

    @property
    def folder(self) -> str:
        return str(self.settings["folder"])

    def command(self, key: str) -> str:
        """The user's command ``key``. Raises :class:`Invalid` when it is not set."""
        found = str(self.settings.get(key) or "")
        if not found:
            raise Invalid(
                "backup.command",
                f"The environment's section backup has no `{key}`.",
                f"add {key} to [environments.{self.variables['ECLUSE_ENVIRONMENT']}.backup] in ecluse.toml on the trunk",
            )
        return found

    def list(self) -> list[Backup]:
        """The backups that are there, newest first."""
        said = self.host.text(LIST, [self.folder, self.settings["files"]]).splitlines()
        now = int(said[0])
        found = []
        for line in said[1:]:
            moment, size, name = line.split(" ", 2)
            found.append(Backup(name, int(size), float(now - int(moment))))
        return sorted(found, key=lambda one: (one.age_s, [-ord(c) for c in one.name]))

    def newest(self) -> Backup:
        """The newest backup. Raises :class:`Failed` when there is none."""
        found = self.list()
        if not found:
            raise Failed(
                "backup.none",
                f"There is no backup {self.settings['files']} in {self.folder} on {self.host.label}.",
                "have one made: a step `uses: backup.make`",
            )
        return found[0]

    def new_name(self, version: str) -> str:
        """The name of a backup that is made now: the pattern with the moment and the version that is live."""
        moment = f"{clock.now():%Y%m%dT%H%M%S}"
        return str(self.settings["files"]).replace("*", f"{moment}-{version or 'first'}", 1)

    def make(self, name: str) -> None:
        """Make the backup ``name``; it appears whole or not at all."""
        words = [self.folder, name, self.command("make"), str(self.settings.get("count") or "")]
        self.host.run(MAKE, words, variables=self.variables, timeout_s=TIMEOUT_S)

    def is_there(self, name: str) -> bool:
        return any(one.name == name for one in self.list())

    def restore(self, name: str) -> str:
        """Replace the live data by the backup ``name``; return what the command said."""
        words = [self.folder, name, self.command("restore")]
        done = self.host.run(RESTORE, words, variables=self.variables, timeout_s=TIMEOUT_S)
        return done.stderr.decode("utf-8", "replace").strip()[-600:]

    def try_restoring(self, name: str) -> dict[str, int]:
        """Restore ``name`` into a scratch folder and return its rows by table."""
        words = [self.folder, name, self.command("test")]
        done = self.host.run(TEST, words, variables=self.variables, timeout_s=TIMEOUT_S)
        return rows_of(done.stdout.decode("utf-8", "replace"), "test")

    def rows_then(self, name: str) -> dict[str, int] | None:
        """The live rows when ``name`` was made, when they were counted."""
        said = self.host.text('cat "$1/$2.counts" 2>/dev/null || true', [self.folder, name])
        return rows_of(said, "count") if said else None

    def rows_now(self) -> dict[str, int]:
        """The live rows."""
        script = self.command("count")
        return rows_of(self.host.text('sh -c "$1"', [script], variables=self.variables), "count")


def store_of(context: Context) -> Store:
    """The backups of the release's environment. Raises :class:`Invalid` when its policy has no section ``backup``."""
    target = context.target
    if not target.backup:
        raise Invalid(
            "backup.not_configured",
            f"The environment {target.name} has no section backup, so there is nothing to keep or to look at.",
            f"add [environments.{target.name}.backup] to ecluse.toml on the trunk",
        )
    variables = {**target.variables, "ECLUSE_ENVIRONMENT": target.name, "ECLUSE_PATH": str(target.root)}
    return Store(hosts_of(target)[0], target.backup, variables)


def judge(found: list[Backup], settings: dict[str, Any], hours: float) -> list[str]:
    """What is wrong with the newest backup, in sentences; ``found`` is newest first and not empty."""
    newest = found[0]
    wrong = []
    if newest.age_s > hours * 3600:
        wrong.append(f"it is {newest.age_s / 3600:.1f} h old, and {hours:g} h are allowed")
    if newest.size < int(settings["min_bytes"]):
        wrong.append(f"it has {newest.size} bytes, and at least {settings['min_bytes']} are expected")
    ratio = float(settings["min_ratio"])
    if len(found) > 1 and newest.size < found[1].size * ratio:
        wrong.append(f"it has {newest.size} bytes, the one before ({found[1].name}) had {found[1].size}")
    return wrong


def compare(came_back: dict[str, int], expected: dict[str, int], tolerance: float) -> list[str]:
    """The tables that came back with fewer rows than ``expected`` less ``tolerance`` (a part of them), in sentences."""
    wrong = []
    for table, rows in sorted(expected.items()):
        there = came_back.get(table)
        if there is None:
            wrong.append(f"{table} did not come back")
        elif there < rows * (1 - tolerance) or (not tolerance and there != rows):
            wrong.append(f"{table} came back with {there} rows instead of {rows}")
    return wrong


def rows_of(text: str, command: str) -> dict[str, int]:
    """``table rows`` lines. Raises :class:`Failed` when there is none or one is something else."""
    rows = {}
    for line in text.splitlines():
        if not line.strip():
            continue
        said = re.match(r"(\S+)[\s|:=]+(\d+)\s*\Z", line.strip())
        if said is None:
            raise Failed(
                "backup.rows",
                f"`{command}` printed {line[:80]!r}, not `table rows`.",
                "look at the command in ecluse.toml",
            )
        rows[said[1]] = int(said[2])
    if not rows:
        raise Failed("backup.rows", f"`{command}` printed no `table rows` line.", "look at the command in ecluse.toml")
    return rows
