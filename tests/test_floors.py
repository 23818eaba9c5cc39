"""The house's floors: the table in docs/architecture.md is the law, the imports are the facts."""

from __future__ import annotations

import ast
import functools
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "ecluse"
LOCKS = {"intake", "checks", "landing", "release"}
NOT_FOR_CHECKS = {"history", "trunk", "notify"}

ONE_DOOR = {
    "subprocess": {"process"},
    "sqlite3": {"history"},
    "socket": {"http", "web"},
    "urllib.request": {"http"},
    "http.client": {"http"},
    "pty": set(),
    "shelve": set(),
    "pickle": set(),
}
"""Module of the standard library -> the only rooms that may import it."""


def floors() -> dict[str, int]:
    """Room -> floor, from the table that readers see."""
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\d) \| ([^|]+) \|", text, flags=re.M)
    return {room.strip(): int(floor) for floor, rooms in rows for room in rooms.split(",")}


def modules() -> list[tuple[Path, str]]:
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        if parts[:2] == ("demo", "template") and len(parts) > 2:
            continue
        if parts[:2] == ("intake", "portable") or parts[:3] == ("kit", "files", "scripts"):
            continue  # programs that are copied into other repositories and import nothing of ours
        found.append((path, parts[0]))
    return found


@functools.cache
def imports(path: Path) -> list[tuple[str, int]]:
    """Every module that a file imports, anywhere in it, with the line."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found += [(alias.name, node.lineno) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: relative import"
            assert node.module
            if node.module == "ecluse":
                found += [
                    (f"ecluse.{alias.name}", node.lineno) for alias in node.names if not alias.name.startswith("__")
                ]
            else:
                found.append((node.module, node.lineno))
    return found


def edges() -> dict[tuple[str, str], list[str]]:
    """(room, imported room) -> the places where."""
    found: dict[tuple[str, str], list[str]] = {}
    for path, room in modules():
        for name, line in imports(path):
            parts = name.split(".")
            if parts[0] == "ecluse" and len(parts) > 1 and parts[1] != room and room != "__init__":
                found.setdefault((room, parts[1]), []).append(f"{path.relative_to(ROOT)}:{line}")
    return found


def test_every_room_has_a_floor() -> None:
    rooms = {room for _, room in modules()} - {"__init__"}
    assert rooms - set(floors()) == set(), "rooms missing from docs/architecture.md"


def test_table_names_only_rooms_that_exist() -> None:
    assert set(floors()) - {room for _, room in modules()} == set()


def test_imports_go_down() -> None:
    floor = floors()
    up = {
        f"{a} (floor {floor[a]}) imports {b} (floor {floor[b]})": places
        for (a, b), places in edges().items()
        if floor[b] > floor[a]
    }
    assert up == {}


def test_locks_never_import_each_other() -> None:
    sideways = {pair: places for pair, places in edges().items() if set(pair) <= LOCKS}
    assert sideways == {}


def test_checks_needs_no_state() -> None:
    stateful = {pair: places for pair, places in edges().items() if pair[0] == "checks" and pair[1] in NOT_FOR_CHECKS}
    assert stateful == {}


def test_no_circles_between_rooms() -> None:
    graph: dict[str, set[str]] = {}
    for a, b in edges():
        graph.setdefault(a, set()).add(b)
    done: set[str] = set()

    def visit(room: str, trail: tuple[str, ...]) -> None:
        assert room not in trail, f"circle: {' -> '.join((*trail, room))}"
        if room in done:
            return
        for below in sorted(graph.get(room, ())):
            visit(below, (*trail, room))
        done.add(room)

    for room in sorted(graph):
        visit(room, ())


def test_each_outside_thing_has_one_door() -> None:
    wrong = []
    for path, room in modules():
        for name, line in imports(path):
            for outside, allowed in ONE_DOOR.items():
                if (name == outside or name.startswith(f"{outside}.")) and room not in allowed:
                    wrong.append(f"{path.relative_to(ROOT)}:{line} imports {name}")
    assert wrong == []


def test_git_and_the_wall_clock_have_one_door() -> None:
    wrong = []
    for path, room in modules():
        text = path.read_text(encoding="utf-8")
        if room != "git" and re.search(r"(run|stream|open_pipe|run_job)\(\s*\[\s*[\"']git[\"']", text):
            wrong.append(f"{path.relative_to(ROOT)} starts git")
        if room != "clock" and re.search(r"datetime\.(now|utcnow)\(|\btime\.time(_ns)?\(|date\.today\(", text):
            wrong.append(f"{path.relative_to(ROOT)} reads the wall clock")
        if room not in ("process", "checks") and re.search(r"\bos\.(system|popen|fork|exec\w*|spawn\w*)\(", text):
            wrong.append(f"{path.relative_to(ROOT)} starts a process")
    assert wrong == []
