"""``python -m ecluse``: the same as the ``ecluse`` command."""

from __future__ import annotations

from ecluse.cli import entry

if __name__ == "__main__":
    entry()
