"""Bytes as they come by standard input, for the tests of this folder."""

from __future__ import annotations

import tempfile
from pathlib import Path

from ecluse.intake.sources import Piped


def piped(data: bytes) -> Piped:
    """``data`` in a file of the test's own home, as the door of ``import -`` leaves it."""
    path = Path(tempfile.mkdtemp(dir=Path.home()), "input.bin")
    path.write_bytes(data)
    return Piped(path)
