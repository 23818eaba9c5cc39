"""Doors on the command line: one file per verb, loaded only when that verb is typed.

A door parses, makes one call and prints. ``frame`` carries what all doors share; ``group`` finds them.
"""

from __future__ import annotations


def entry() -> None:
    """The ``ecluse`` command."""
    import gc

    _occupy()
    gc.set_threshold(50_000, 20, 20)  # the usual 700 is felt where thousands of files are judged
    from ecluse.cli.group import main

    try:
        main()
    finally:
        gc.freeze()  # everything ends now: an ending interpreter would look through all of it twice more


def _occupy() -> None:
    """Let standard streams that whoever started us closed lead nowhere.

    A file that we open would otherwise get their number, and what is printed would land in it.
    """
    import os
    import sys

    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            os.dup2(os.open(os.devnull, os.O_RDWR), number)
            setattr(sys, name, os.fdopen(number, "r" if number == 0 else "w", encoding="utf-8"))
