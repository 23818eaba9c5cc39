"""Copies the live data to a backup and back, and counts them: what an operator would write for a SQLite file."""

import os
import sqlite3
import sys


def copied(source: str, target: str) -> None:
    with sqlite3.connect(source) as one, sqlite3.connect(target) as other:
        one.backup(other)


def count(path: str) -> None:
    with sqlite3.connect(path) as base:
        print("people", base.execute("SELECT count(*) FROM people").fetchone()[0])


verb, live = sys.argv[1:]
backup = os.environ.get("ECLUSE_BACKUP", "")
scratch = f"{os.environ.get('ECLUSE_SCRATCH', '')}/scratch.db"
if verb == "make":
    copied(live, backup)
elif verb == "restore":
    copied(backup, live)
elif verb == "test":
    copied(backup, scratch)
count(scratch if verb == "test" else live)
