"""Which functions and classes a change touches: Python by its syntax tree, other languages by git's own hunk headers.

Source of a stranger is parsed in a process of its own with limits, never run.
"""

from __future__ import annotations

import json
import os
import re
import sys
import tempfile
from collections.abc import Collection
from pathlib import Path

from ecluse import process
from ecluse.errors import Failed, Refused
from ecluse.git import Repository
from ecluse.patterns import expression

_FILES = 200
_DIFF_BYTES = 8 << 20
_SOURCE_BYTES = 2 << 20
_TIMEOUT_S = 30.0
_NAMES = 2_000

_DRIVERS = {
    "ada": "adb ads", "bash": "sh bash", "cpp": "c h cc cpp cxx hpp hh", "csharp": "cs", "css": "css scss",
    "elixir": "ex exs", "fortran": "f90 f95", "golang": "go", "html": "html htm", "java": "java", "kotlin": "kt kts",
    "markdown": "md", "objc": "m mm", "perl": "pl pm", "php": "php", "python": "py pyi", "ruby": "rb", "rust": "rs",
    "scheme": "scm", "script": "js mjs cjs jsx ts tsx mts cts", "sql": "sql",
}  # fmt: skip
"""Git's drivers by ending; ``script`` and ``sql`` are defined here, because git has none."""

_ENDINGS = frozenset(ending for endings in _DRIVERS.values() for ending in endings.split())

_OWN = (
    (
        r"diff.script.xfuncname=^[ \t]*((export[ \t]+)?(default[ \t]+)?(async[ \t]+)?(function|class|interface|enum|namespace)[ \t*].*|"
        r"(export[ \t]+)?(const|let|var)[ \t]+[A-Za-z_$][A-Za-z0-9_$]*[ \t]*=[ \t]*(async[ \t]*)?(\(|function).*)$"
    ),
    r"diff.sql.xfuncname=^[ \t]*(([Cc][Rr][Ee][Aa][Tt][Ee]|[Aa][Ll][Tt][Ee][Rr])[ \t].*)$",
)
_HUNK = expression(r"^@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@ ?(.*)$")

_CHILD = """
import ast, json, sys, warnings
try:
    import resource
    resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
    resource.setrlimit(resource.RLIMIT_CPU, (20, 25))
except (ImportError, ValueError, OSError):
    pass
warnings.simplefilter("ignore")
KINDS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
def symbols(tree):
    found, todo = [], [("", tree)]
    while todo:
        prefix, node = todo.pop()
        for child in ast.iter_child_nodes(node):
            if isinstance(child, KINDS):
                name = prefix + child.name
                first = min([child.lineno, *(one.lineno for one in child.decorator_list)])
                found.append([name, first, child.end_lineno])
                todo.append((name + ".", child))
            elif not isinstance(child, ast.expr):
                todo.append((prefix, child))
    return found
source = sys.stdin.buffer
while True:
    head = source.read(8)
    if len(head) < 8:
        break
    data = source.read(int.from_bytes(head, "big"))
    try:
        told = symbols(ast.parse(data))
    except (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError):
        told = None
    print(json.dumps(told), flush=True)
"""

Hunk = tuple[str, int, int, int, int, str]
"""Path, first old line and their number, first new line and their number, git's word for what stands above."""

Spans = list[tuple[str, int, int]]
"""Name, first and last line of each function and class of a file."""


def touched_symbols(room: Repository, base: str, head: str, paths: Collection[str]) -> frozenset[str]:
    """``path::name`` of every function and class in ``paths`` that differs between two commits.

    ``room`` is a throw-away repository: attributes that choose git's drivers are written into it.
    """
    wanted = sorted(path for path in paths if "\n" not in path)[:_FILES]
    if not wanted:
        return frozenset()
    _prepare(room)
    settings = [word for one in _OWN for word in ("-c", one)]
    done = room.run(
        *settings, "diff-tree", "-r", "-p", "-U0", "-z", "--no-renames", "--no-color", "--no-ext-diff", "--no-textconv",
        "--src-prefix=a/", "--dst-prefix=b/", base, head, "--", *wanted, extra_env={"GIT_LITERAL_PATHSPECS": "1"},
        check=False, timeout_s=_TIMEOUT_S,
    )  # fmt: skip
    if done.code or len(done.stdout) > _DIFF_BYTES:
        return frozenset()
    hunks = read_hunks(os.fsdecode(done.stdout))
    parsed = _parse_python(room, base, head, sorted({path for path, *_ in hunks if path.endswith((".py", ".pyi"))}))
    found: set[str] = set()
    for hunk in hunks:
        found |= {f"{hunk[0]}::{name}" for name in _names(hunk, parsed)}
    return frozenset(sorted(found)[:_NAMES])


def read_hunks(text: str) -> list[Hunk]:
    """The hunks of a diff without context. Lines are counted, so that content cannot pass for a header."""
    found: list[Hunk] = []
    old = new = ""
    left = 0
    for line in text.replace("\0", "\n").split("\n"):
        if left and line[:1] in ("+", "-"):
            left -= 1
        elif line.startswith("--- "):
            old = line[6:] if line.startswith("--- a/") else ""
        elif line.startswith("+++ "):
            new = line[6:] if line.startswith("+++ b/") else ""
        elif match := _HUNK.match(line):
            a, b, c, d = (int(match[n]) if match[n] is not None else 1 for n in (1, 2, 3, 4))
            left = b + d
            found.append(((new or old).rstrip("\t"), a, b, c, d, match[5]))
    return found


def _names(hunk: Hunk, parsed: dict[tuple[str, str], Spans | None]) -> set[str]:
    path, a, b, c, d, above = hunk
    before, after = parsed.get((path, "old")), parsed.get((path, "new"))
    if before is not None or after is not None:
        return _inside(before or [], a, b) | _inside(after or [], c, d)
    if path.rpartition(".")[2].lower() not in _ENDINGS:
        return set()  # what git shows above a hunk of prose names nothing
    word = re.split(r"[({:=]|\s+where\b", above.strip(), maxsplit=1)[0].strip() if above.strip() else ""
    word = re.sub(r"^(async )?(def|class) ", "", word) if path.endswith((".py", ".pyi")) else word
    return {"".join(c for c in word if c.isprintable())[:120]} - {""}


def _inside(spans: Spans, first: int, number: int) -> set[str]:
    """The innermost function or class of each of ``number`` lines from ``first``, without going line by line."""
    last = first + number - 1
    hit = [span for span in spans if number and span[1] <= last and span[2] >= first]
    outer = {
        name
        for name, start, end in hit
        for other, start2, end2 in hit
        if other.startswith(f"{name}.") and start2 <= max(first, start) and end2 >= min(last, end)
    }
    return {name for name, _, _ in hit} - outer


def _prepare(room: Repository) -> None:
    place = room.git_dir / "info" / "attributes"
    place.parent.mkdir(exist_ok=True)
    rows = [f"*.{ending} diff={driver}\n" for driver, endings in _DRIVERS.items() for ending in endings.split()]
    place.write_text("".join(rows), encoding="ascii")


def _source(room: Repository, commit: str, path: str) -> bytes | None:
    try:
        return room.read(commit, path, _SOURCE_BYTES)
    except Refused:  # larger than anybody reads
        return None


def _parse_python(room: Repository, base: str, head: str, paths: list[str]) -> dict[tuple[str, str], Spans | None]:
    """The functions and classes of both versions of each file; ``None`` for one that does not parse."""
    keys: list[tuple[str, str]] = []
    with tempfile.TemporaryFile() as fed:
        for path in paths:
            for side, commit in (("old", base), ("new", head)):
                data = _source(room, commit, path)
                if data is not None:
                    keys.append((path, side))
                    fed.write(len(data).to_bytes(8, "big") + data)
        if not keys:
            return {}
        fed.seek(0)
        try:
            words = [sys.executable, "-I", "-S", "-c", _CHILD]
            done = process.run(words, cwd=Path(tempfile.gettempdir()), stdin=fed, timeout_s=_TIMEOUT_S, check=False)
        except Failed:
            return {}
    told = [json.loads(line) for line in done.stdout.splitlines()]
    return {
        key: None if spans is None else [(str(n), int(a), int(b)) for n, a, b in spans]
        for key, spans in zip(keys, told, strict=False)
    }
