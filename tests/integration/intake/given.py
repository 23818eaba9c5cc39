"""What tests of this folder give to intake, and what they ask of its answer."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ecluse import intake
from ecluse.intake.sources import Piped
from ecluse.model import Change, ChangeState, Verdict


def piped(data: bytes) -> Piped:
    """``data`` in a file of the test's own home, as the door of ``import -`` leaves it."""
    path = Path(tempfile.mkdtemp(dir=Path.home()), "input.bin")
    path.write_bytes(data)
    return Piped(path)


def edit_manifest(done: intake.Exported, edit: Callable[[dict[str, Any]], None]) -> None:
    said = json.loads(done.path.read_bytes())
    edit(said)
    done.path.write_text(json.dumps(said))


def payload(done: intake.Exported, kind: str = "bundle") -> Path:
    return done.path.parent / next(one["name"] for one in done.payloads if one["kind"] == kind)


def assert_rejected(change: Change, code: str) -> None:
    assert (change.state, change.verdict) == (ChangeState.REJECTED, Verdict.REJECT)
    assert change.reason.startswith(f"{code}:"), change.reason
