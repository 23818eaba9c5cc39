#!/usr/bin/env python3
"""Prepare this repository: `init-sync-system.py [options]` is `ecluse init [options]`."""

import shutil
import subprocess
import sys


def call(words):
    """Run the installed Écluse with these words and return its exit status."""
    found = shutil.which("ecluse")
    if found is None and subprocess.call([sys.executable, "-c", "import ecluse"], stderr=subprocess.DEVNULL):
        sys.stderr.write("[ERROR] Ecluse is not installed here.\n  next: python3 -m pip install ecluse (Python 3.11+)\n")
        return 1
    return subprocess.call([*([found] if found else [sys.executable, "-m", "ecluse"]), *words])


def main(words):
    return call(["init", *words])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
