"""Any tree at all, with names and contents that hurt: it arrives as it was, commit and bytes, or is refused with a code."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, example, given, settings

from ecluse import intake
from ecluse.errors import Invalid, Problem, Refused
from ecluse.git import Repository
from ecluse.history import History
from ecluse.model import Agent, Change, ChangeState

ROOT = Path(__file__).resolve().parents[3]
CODES = set(re.findall(r"`([a-z]+\.[a-z_]+)`", (ROOT / "docs/security.md").read_text(encoding="utf-8")))

NAMES = [
    b".git", b".GIT", b"git~1", ".g\u200cit".encode(), b".git ", b".git.", b".git::$INDEX_ALLOCATION", b"..", b".",
    b".gitmodules", b".gitattributes", b".gitignore", b"CON", b"aux.txt", b"com1", b"NUL.py", b"-rf", b"--", b"-", b"a\nb",
    b"a\rb", b'quo"te', b"quo'te", b"tab\tin", "\u00e9".encode(), "e\u0301".encode(), b"\xff\xfe", b"caf\xe9", b"a" * 255,
    b"a" * 300, b"back\\slash", b"a:b", b"x ", b"x.", b" lead", "\u202egpj.exe".encode(), "\U0001f600".encode(), b"*", b"?",
    b"$(id)", b"`id`", b"a;b", b"%41", b"~", b"A.TXT", b"\x1b[31m", b"\x7f", b"{a,b}", b"=> b", b"a -> b", b"\\n", b"#",
]  # fmt: skip
CONTENTS = [b"", b"x\n", b"no end", b"a\r\nb\r\n", b"a\rb", bytes(range(256)), b"caf\xe9\n", b"\xff\xfea\x00", b"--- a/x\n+++ b/x\n",
            b"From x\n", b"<<<<<<< ours\n", "\u202e\n".encode(), b"\x00" * 5000, b"l" * 9000]  # fmt: skip
TARGETS = [b"a.txt", b"../out", b"/etc/passwd", b".git/config", b"x" * 300, b"."]

name = st.one_of(
    st.sampled_from(NAMES),
    st.binary(min_size=1, max_size=12).filter(lambda data: not {0, 0x2F} & set(data)),
    st.text(min_size=1, max_size=8)
    .map(lambda text: text.encode("utf-8", "replace"))
    .filter(lambda data: not {0, 0x2F} & set(data)),
)
odd = st.sampled_from(
    [b"-rf", b"--", b'quo"te', b"quo'te", "\u00e9".encode(), "e\u0301".encode(), b"caf\xe9", b" lead", b"$(id)", b"a;b", b"%41",
     "\U0001f600".encode(), b"{a,b}", b"#", b"a -> b", b"~x", b"a" * 255]
)  # fmt: skip
"""Names that hurt careless programs and are let in: these have to arrive as they are."""
plain = st.sampled_from([b"d", b"src", b"f.py", b"g.txt", b"README"])
path = st.lists(st.one_of(plain, plain, odd, odd, odd, name), min_size=1, max_size=3).map(tuple)
entry = st.one_of(
    st.tuples(st.sampled_from([b"100644", b"100644", b"100755"]), st.sampled_from(CONTENTS)),
    st.tuples(st.just(b"120000"), st.sampled_from(TARGETS)),
)
trees = st.dictionaries(path, entry, min_size=1, max_size=4)
Tree = dict[tuple[bytes, ...], tuple[bytes, bytes]]


class Forge:
    """Makes objects that git's own commands would not make, in a bare repository that borrows the workbench's."""

    def __init__(self, bench: Any, folder: Path) -> None:
        self.folder = folder
        self.base = bench.git("rev-parse", "main")
        self._call("clone", "-q", "--bare", "--shared", str(bench.folder), str(folder), cwd=folder.parent)
        self._call("config", "ecluse.base", self.base)

    def _call(self, *words: str, data: bytes = b"", cwd: Path | None = None) -> bytes:
        done = subprocess.run(["git", *words], cwd=cwd or self.folder, input=data, capture_output=True, check=True)
        return done.stdout

    def commit(self, tree: Tree) -> tuple[str, dict[bytes, tuple[bytes, bytes]]]:
        """A commit on the base with these entries beside what it holds; the commit and (path -> mode, id) of all."""
        nested: dict[bytes, Any] = {b"a.txt": (b"100644", self._call("rev-parse", f"{self.base}:a.txt").strip())}
        for parts, (mode, data) in tree.items():
            place = nested
            for part in parts[:-1]:
                if not isinstance(place.get(part), dict):
                    place[part] = {}
                place = place[part]
            oid = self._call("hash-object", "-w", "--stdin", data=data).strip()
            place[parts[-1]] = (mode, oid)
        flat: dict[bytes, tuple[bytes, bytes]] = {}
        top = self._tree(nested, b"", flat)
        made = self._call("commit-tree", "-p", self.base, "-m", "feat: whatever", top.decode()).decode().strip()
        self._call("update-ref", "refs/heads/main", made)
        return made, flat

    def _tree(self, nested: dict[bytes, Any], before: bytes, flat: dict[bytes, tuple[bytes, bytes]]) -> bytes:
        rows = []
        for key in sorted(nested, key=lambda one: one + (b"/" if isinstance(nested[one], dict) else b"")):
            value = nested[key]
            if isinstance(value, dict):
                oid, mode = self._tree(value, before + key + b"/", flat), b"40000"
            else:
                mode, oid = value
                flat[before + key] = value
            rows.append(mode + b" " + key + b"\0" + bytes.fromhex(oid.decode()))
        words = ("hash-object", "-t", "tree", "-w", "--stdin", "--literally")
        return self._call(*words, data=b"".join(rows)).strip()


def listed(repository: Path, revision: str) -> dict[bytes, tuple[bytes, bytes]]:
    done = subprocess.run(["git", "ls-tree", "-r", "-z", revision], cwd=repository, capture_output=True, check=True)
    rows = (row.partition(b"\t") for row in done.stdout.split(b"\0") if row)
    return {where: (facts.split(b" ")[0], facts.split(b" ")[2]) for facts, _, where in rows}


def is_repository(part: bytes) -> bool:
    """Whether some file system takes this name for ``.git``, told in other words than the rule's own."""
    text = part.decode("utf-8", "replace").replace("\u200c", "").lower()
    return text.split(":")[0].rstrip(" .") == ".git" or text.split(":")[0].rstrip(" .") == "git~1"


def has_code(reason: str) -> bool:
    code = reason.partition(":")[0]
    return code in CODES or code.startswith("object.")


def judged(bench: Any, history: History, where: Path) -> Change | None:
    """The change as it stands after the import; ``None`` when it was refused before it became one, with a code."""
    try:
        change = intake.receive(bench.repository, history, where, actor="tester")
    except (Refused, Invalid) as problem:
        assert problem.hint and (problem.code in CODES), problem.code
        return None
    intake.advance(bench.repository, history, change.key)
    return history.get(Change, change.key)


@pytest.fixture
def forge(bench: Any, tmp_path: Path) -> Forge:
    return Forge(bench, tmp_path / "forge.git")


MORE = 200 if os.environ.get("ECLUSE_HYPOTHESIS") == "wide" else 1
"""ECLUSE_HYPOTHESIS=wide: thousands of cases, others in each run (HYPOTHESIS prints how to repeat one that fails)."""

HURTS = settings(
    max_examples=12 * MORE, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


@HURTS
@given(tree=trees)
@example(
    tree={
        (b"\xff\xfe",): (b"100644", b"\xff"),
        ("e\u0301".encode(),): (b"100755", b"a\r\n"),
        (b"a\nb",): (b"100644", b""),
    }
)
@example(tree={(b"d", b".git", b"hooks"): (b"100755", b"x\n")})
@example(tree={(b"-rf",): (b"100644", b"--- a/x\n+++ b/x\n"), (b"$(id)", b"caf\xe9"): (b"120000", b"a.txt")})
def test_committed_trees_arrive_as_they_are_or_are_refused(
    tree: Tree, bench: Any, history: History, forge: Forge
) -> None:
    head, flat = forge.commit(tree)
    with tempfile.TemporaryDirectory() as out:
        try:
            done = intake.export(
                Repository.discover(forge.folder), intake.ExportRequest(Agent("a1"), to=Path(out), validate="none")
            )
        except Problem as problem:
            assert problem.hint, problem.code
            assert problem.code in ("secret.found", "process.failed", "export.empty"), problem.message
            return
        assert done.head == head
        change = judged(bench, history, Path(out))
    if change is None or change.state is ChangeState.REJECTED:
        assert change is None or has_code(change.reason), change.reason
        return
    assert change.state in (ChangeState.READY, ChangeState.QUARANTINED, ChangeState.CONFLICT)
    assert (change.head, change.method) == (head, "bundle"), "the commit keeps its id"
    assert listed(bench.folder, change.ref) == flat
    for where in flat:
        parts = where.split(b"/")
        assert not any(is_repository(part) or part in (b"..", b".", b"") for part in parts), where
        assert len(where) <= 1024 and all(len(part) <= 255 for part in parts)


on_disk = st.dictionaries(
    st.one_of(name, plain, odd, odd, odd).filter(
        lambda one: one not in (b".", b"..") and len(one) < 256 and not is_repository(one)
    ),
    st.sampled_from(CONTENTS),
    min_size=1,
    max_size=4,
)


@settings(HURTS, max_examples=8 * MORE)
@given(files=on_disk)
@example(files={b"\xff": b"\xff", b"a\nb": b"a\r\nb", b"--": b"", "\u00e9".encode(): b"x", "e\u0301".encode(): b"y"})
def test_files_as_they_lie_there_arrive_or_are_named(
    files: dict[bytes, bytes], bench: Any, history: History, sandbox: Any
) -> None:
    with tempfile.TemporaryDirectory() as place:
        box = sandbox(Path(place).name)
        top = os.fsencode(box.folder)
        for where, data in files.items():
            Path(os.fsdecode(top + b"/" + where)).write_bytes(data)
        ignored = subprocess.run(
            ["git", "check-ignore", "-z", "--stdin"], cwd=box.folder, input=b"\0".join(files), capture_output=True
        ).stdout.split(b"\0")
        try:
            done = intake.export(box.repository, intake.ExportRequest(Agent("a1"), to=Path(place), validate="none"))
        except Problem as problem:
            assert problem.hint and problem.code in ("secret.found", "export.empty"), problem.code
            return
        change = judged(bench, history, Path(place))
    left = {one["path"] for one in done.not_carried}
    if change is None or change.state is ChangeState.REJECTED:
        assert change is None or has_code(change.reason), change.reason
        return
    arrived = listed(bench.folder, change.ref)
    for where, data in files.items():
        if where in ignored or not arrived.get(where):
            assert left, f"{where!r} is neither carried nor listed"
            continue
        held = subprocess.run(
            ["git", "cat-file", "blob", arrived[where][1].decode()], cwd=bench.folder, capture_output=True
        )
        assert held.stdout == data, where
