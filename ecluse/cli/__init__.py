"""Doors on the command line: one file per verb, loaded only when that verb is typed.

A door parses, makes one call and prints. ``frame`` carries what all doors share; ``group`` finds them.
"""

from __future__ import annotations


def entry() -> None:
    """The ``ecluse`` command."""
    from ecluse.cli.group import main

    main()
