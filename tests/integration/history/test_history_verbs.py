"""``ecluse history stats|find|show`` as whole processes over a real hand-over."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ecluse.history import History
from ecluse.model import Event


def ecluse(cwd: Path, *words: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "ecluse", *words], cwd=cwd, capture_output=True, text=True, check=False, env=os.environ
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done


def test_what_was_imported_is_counted_found_and_shown(bench: Any, history: History, tmp_path: Path) -> None:
    box = tmp_path / "box"
    subprocess.run(["git", "clone", "-q", str(bench.folder), str(box)], check=True)
    (box / "new.txt").write_text("new\n")
    out = json.loads(ecluse(box, "export", "--agent", "ada", "--to", str(tmp_path / "out"), "--json").stdout)
    ecluse(bench.folder, "import", str(tmp_path / "out"))
    told = json.loads(ecluse(bench.folder, "history", "stats", "--json").stdout)
    assert (told["agents"][0]["agent"], told["methods"], told["verdicts"]) == ("ada", {"bundle": 1}, {"accept": 1})
    assert "agent,ada,changes,1" in ecluse(bench.folder, "history", "stats", "--format", "csv").stdout.splitlines()
    patch = next((tmp_path / "out").glob("*.patch")).name
    for word in (patch, out["change_id"][:12], "new.txt"):
        found = ecluse(bench.folder, "history", "find", word, "--json")
        assert found.returncode == 0
        assert [one["id"] for one in json.loads(found.stdout)["changes"]] == [out["change_id"]]
    assert ecluse(bench.folder, "history", "find", "never-seen").returncode == 1
    shown = ecluse(bench.folder, "history", "show", out["change_id"])
    assert "What happened:" in shown.stdout
    assert json.loads(ecluse(bench.folder, "history", "show", "1", "--json").stdout)["event"]["number"] == 1
    assert ecluse(bench.folder, "history", "show", "99999").returncode == 2


def test_hand_overs_are_listed_and_exported_with_the_fields_of_the_specification(
    bench: Any, history: History, tmp_path: Path
) -> None:
    history.note(Event("export.refused", "export/x.1", "=why é", "=HYPERLINK(1)", {"patch_name": "p.patch"}))
    listed = ecluse(bench.folder, "history", "list", "--syncs").stdout
    assert "export  failed   =HYPERLINK(1)  p.patch" in listed
    (row,) = json.loads(
        ecluse(bench.folder, "history", "list", "--syncs", "--json", "--agent", "=HYPERLINK(1)").stdout
    )["syncs"]
    assert (row["agent"], row["status"], row["error_message"]) == ("=HYPERLINK(1)", "failed", "=why é")
    assert row["metadata"] == {"patch_name": "p.patch"}
    assert ecluse(bench.folder, "history", "list", "--syncs", "--status", "success").stdout == (
        "Nothing was handed over yet that fits.\n"
    )
    (bench.folder / "deep").mkdir()
    assert ecluse(tmp_path, "history", "export", "--syncs", "--to", "all.json", "-C", str(bench.folder)).returncode == 0
    assert json.loads((bench.folder / "all.json").read_bytes())["syncs"] == [row]
    for words in (["list", "--format", "csv"], ["list", "--syncs", "--format", "csv"], ["export", "--format", "csv"]):
        table = ecluse(bench.folder, "history", *words).stdout
        assert "'=HYPERLINK(1)" in table
        assert ",=" not in table
    for words in (["--syncs", "--brief"], ["--agent", "ada"]):
        assert ecluse(bench.folder, "history", "list", *words).returncode == 2


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "utf-8"])
def test_data_is_whole_on_every_console(bench: Any, history: History, encoding: str) -> None:
    name = "Équipe 水"
    history.note(Event("export.refused", "export/x.1", "refusé", name, {"patch_name": "é.patch"}))

    def said(*words: str) -> bytes:
        done = subprocess.run(
            [sys.executable, "-m", "ecluse", "history", *words],
            cwd=bench.folder, capture_output=True, check=True, env={**os.environ, "PYTHONIOENCODING": encoding},
        )  # fmt: skip
        return done.stdout

    assert json.loads(said("list", "--syncs", "--json").decode(encoding))["syncs"][0]["agent"] == name
    assert json.loads(said("export", "--syncs"))["syncs"][0]["agent"] == name
    assert f",{name}," in said("export", "--format", "csv").decode()
    shown = said("list", "--syncs").decode(encoding)
    assert (name in shown) == (encoding == "utf-8")
    assert ("é.patch" in shown) == (encoding != "ascii")


def test_journals_are_merged_from_a_folder_that_is_there(bench: Any, history: History, tmp_path: Path) -> None:
    assert ecluse(bench.folder, "history", "merge").returncode == 0
    missing = ecluse(bench.folder, "history", "merge", "nowhere", "--json")
    assert (missing.returncode, json.loads(missing.stdout)["error"]["code"]) == (2, "file.missing")
    row = {"action": "export", "status": "success", "agent": "jules", "patch": "p.patch", "message": "feat"}
    (tmp_path / "export_1.log").write_text(f"{json.dumps(row)}\nno json\n")
    (tmp_path / "export_2.log").write_bytes(b"\0" * 70_000)
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "export_3.log").write_text(json.dumps({**row, "patch": "q.patch"}))
    words = [sys.executable, "-m", "ecluse", "history", "merge", "--json"]
    named = subprocess.run(words, cwd=bench.folder, capture_output=True, env={**os.environ, "SYNC_DIR": str(tmp_path)})
    assert json.loads(named.stdout)["new"] == 1
    for new in (1, 0):
        assert json.loads(ecluse(bench.folder, "history", "merge", str(tmp_path), "--json").stdout)["new"] == new


def test_an_event_is_shown_with_every_fact_on_its_line(bench: Any, history: History) -> None:
    facts = {"names": ["a.patch", "é\x1b[31m"], "kind": "of data", "size": 3, "none": ""}
    number = history.note(Event("change.note", "change/c-1", "said", "ada", facts))
    shown = ecluse(bench.folder, "history", "show", str(number)).stdout
    lines = [line.split(maxsplit=1) for line in shown.splitlines()]
    assert dict(line for line in lines if len(line) == 2) == {
        "number": str(number), "at": lines[1][1], "kind": "change.note", "subject": "change/c-1", "text": "said",
        "actor": "ada", "names": '["a.patch", "é\\u001b[31m"]', "data.kind": "of data", "size": "3",
    }  # fmt: skip
