#!/usr/bin/env python3
"""What was exported and imported: `sync-tracker.py list [N] | stats | find PATCH | export [PATH]`."""

import shutil
import subprocess
import sys
from pathlib import Path


def call(words, stderr=None):
    """Run the installed Écluse with these words and return its exit status."""
    found = shutil.which("ecluse")
    if found is None and subprocess.call([sys.executable, "-c", "import ecluse"], stderr=subprocess.DEVNULL):
        if stderr is None:
            sys.stderr.write("[ERROR] Ecluse is not installed here.\n  next: python3 -m pip install ecluse (Python 3.11+)\n")
        return 1
    return subprocess.call([*([found] if found else [sys.executable, "-m", "ecluse"]), *words], stderr=stderr)


USAGE = "sync-tracker.py list [N] | stats | find PATCH | export [PATH]   (PATH ending in .csv: as a table)"


def translate(words):
    """The words of `ecluse` for the words of this script, or nothing when they are not understood."""
    verb, rest = (words[0], words[1:]) if words else ("list", [])
    if verb == "list" and not rest:
        return ["history", "list", "--syncs"]
    if verb == "list" and len(rest) == 1 and rest[0].isdigit():
        return ["history", "list", "--syncs", "-n", rest[0]]
    if verb == "stats" and not rest:
        return ["history", "stats"]
    if verb == "find" and len(rest) == 1:
        return ["history", "find", rest[0]]
    if verb == "export" and len(rest) <= 1:
        path = rest[0] if rest else str(Path(__file__).resolve().parents[1] / "sync_history.json")
        return ["history", "export", "--syncs", "--format", "csv" if path.endswith(".csv") else "json", "--to", path]
    return []


def main(words):
    if words in (["-h"], ["--help"]):
        print(USAGE)
        return 0
    translated = translate(words)
    if not translated:
        sys.stderr.write("[ERROR] This is not understood.\n  next: " + USAGE + "\n")
        return 2
    call(["history", "merge", "--quiet"], subprocess.DEVNULL)  # exports that were made without Écluse count too
    return call(translated)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
