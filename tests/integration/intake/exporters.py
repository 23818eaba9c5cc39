"""The three exporters as processes, and what a checkout and a landed revision hold, for the tests of all three."""

from __future__ import annotations

import json
import os
import random
import string
import subprocess
import sys
from pathlib import Path
from typing import Any

from ecluse.history import History
from ecluse.kit.pieces import script
from ecluse.model import Change, ChangeState

EXPORTERS = ("ecluse", "py", "sh")
POSIX = ("awk", "cat", "cp", "cut", "date", "dd", "env", "grep", "ls", "mkdir", "mv", "od", "printf", "pwd", "rm", "sed",
         "sh", "sort", "tail", "tr", "wc")  # fmt: skip


class Exporter:
    """One of the three, as a process; ``python`` runs the one file, ``prefix`` goes before the whole command."""

    def __init__(self, kind: str, folder: Path, python: str = sys.executable) -> None:
        self.kind = kind
        folder.mkdir(parents=True, exist_ok=True)
        self.words = [python, "-m", "ecluse", "export"]
        if kind != "ecluse":
            path = folder / f"cloud-export.{kind}"
            path.write_bytes(script(path.name))
            self.words = [*([python] if kind == "py" else ["sh"]), str(path)]

    def run(self, box: Any, *words: str, cwd: Path | None = None, env: dict[str, str] | None = None, stdin: str = ""):
        argv = [*self.words, "--agent", "a1", "--json", *words]
        return subprocess.run(
            argv, cwd=cwd or box.folder, input=stdin.encode(), capture_output=True, check=False, env=env
        )

    def export(self, box: Any, *words: str, status: int = 0, **options: Any) -> dict[str, Any]:
        """The document of an export that ends with ``status``, whose sandbox is untouched by it."""
        state = [box.git("status", "--porcelain", "--", ":!.sync", ":!out"), box.git("rev-parse", "HEAD")]
        index = (box.folder / ".git/index").read_bytes()
        to = [] if "--to" in words else ["--to", str(box.folder.parent / f"out-{box.folder.name}")]
        done = self.run(box, *to, *words, **options)
        assert done.returncode == status, done.stderr.decode()
        assert state == [box.git("status", "--porcelain", "--", ":!.sync", ":!out"), box.git("rev-parse", "HEAD")]
        assert index == (box.folder / ".git/index").read_bytes()
        found: dict[str, Any] = json.loads(done.stdout)
        return found


def lying_there(box: Any) -> dict[bytes, tuple[str, bytes]]:
    """What the checkout holds, tracked or not, as modes and bytes."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "-c", "-o", "--exclude-standard", "--deduplicate"],
        cwd=box.folder, capture_output=True, check=True,
    ).stdout  # fmt: skip
    found = {}
    for name in filter(None, listed.split(b"\0")):
        path = os.path.join(os.fsencode(box.folder), name)  # noqa: PTH118 - bytes
        if name.startswith(b".sync/") or not os.path.lexists(path):
            continue
        if os.path.islink(path):  # noqa: PTH114
            found[name] = ("120000", os.readlink(path))  # noqa: PTH115
        else:
            mode = "100755" if os.access(path, os.X_OK) else "100644"
            found[name] = (mode, Path(os.fsdecode(path)).read_bytes())
    return found


def landed(bench: Any, revision: str) -> dict[bytes, tuple[str, bytes]]:
    rows = subprocess.run(["git", "ls-tree", "-r", "-z", revision], cwd=bench.folder, capture_output=True, check=True)
    found = {}
    for row in filter(None, rows.stdout.split(b"\0")):
        facts, _, name = row.partition(b"\t")
        mode, _, oid = facts.decode().split(" ")
        data = subprocess.run(["git", "cat-file", "blob", oid], cwd=bench.folder, capture_output=True, check=True)
        found[name] = (mode, data.stdout)
    return found


def accept(bench: Any, history: History, helpers: Any, said: dict[str, Any]) -> Change:
    """Import what was said; it is let in, and is what the exporter said it is."""
    change: Change = helpers.take_in(bench, history, Path(said["path"]))
    assert change.state is ChangeState.READY, change.reason
    assert (change.method, change.head, change.tree) == ("bundle", said["head"], said["tree"])
    assert (change.id, change.revision, change.agent) == (said["change_id"], said["revision"], "a1")
    return change


def secret(dice: random.Random) -> str:
    return "gh" + "p_" + "".join(dice.choice(string.ascii_letters + string.digits) for _ in range(36))
