"""Doors on the command line: one file per verb, loaded only when that verb is typed.

A door parses, makes one call and prints. ``frame`` carries what all doors share; ``group`` finds them.
"""

from __future__ import annotations


def entry() -> None:
    """The ``ecluse`` command."""
    import gc

    gc.set_threshold(50_000, 20, 20)  # the usual 700 is felt where thousands of files are judged
    from ecluse.cli.group import main

    try:
        main()
    finally:
        gc.freeze()  # everything ends now: an ending interpreter would look through all of it twice more
