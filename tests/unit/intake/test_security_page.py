"""The page of rules and the code name the same reason codes."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
AREAS = (
    "archive|author|base|bundle|ci|commit|edits|inbox|intake|limit|mail|message|meta|mode|patch|path|policy|ref|replay"
    "|repository"
    "|secret|signature|submodule|supersede|symlink|text|toolconfig|tree"
)


def test_every_reason_code_stands_on_the_page() -> None:
    said = set(re.findall(rf"`((?:{AREAS})\.[a-z_]+)`", (ROOT / "docs" / "security.md").read_text("utf-8")))
    used: set[str] = set()
    for path in [*(ROOT / "ecluse" / "intake").glob("*.py"), ROOT / "ecluse" / "guarded.py"]:
        used |= set(re.findall(rf'"((?:{AREAS})\.[a-z_]+)"', path.read_text("utf-8")))
    assert len(used) > 100
    assert sorted(used - said) == []
    assert sorted(said - used) == []
