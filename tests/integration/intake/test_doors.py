"""The verbs as whole processes: what they print, their JSON, their exit statuses."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ecluse.history import History
from ecluse.model import Change, ChangeState


def ecluse(
    cwd: Path, *words: str, stdin: bytes | None = None, **environment: str
) -> subprocess.CompletedProcess[bytes]:
    done = subprocess.run(
        [sys.executable, "-m", "ecluse", *words], cwd=cwd, input=stdin, capture_output=True, check=False,
        env={**os.environ, **environment},
    )  # fmt: skip
    assert b"Traceback" not in done.stderr, done.stderr.decode()
    return done


@pytest.fixture
def ready(bench: Any, history: History) -> Any:
    """The receiving repository, open to everybody."""
    bench.commit("open", ecluse_dot_toml='trust = "all"\n')
    return bench


def test_export_then_import_and_land(ready: Any, sandbox: Any, tmp_path: Path) -> None:
    box = sandbox()
    box.commit("feat: b", b_dot_txt="b\n")
    box.write("c.txt", "c\n")
    out = ecluse(box.folder, "export", "--agent", "a1", "--to", str(tmp_path / "x.tar"), "--json")
    assert out.returncode == 0, out.stderr
    said = json.loads(out.stdout)
    assert set(said) == {
        "schema_version",
        "change_id",
        "revision",
        "path",
        "base",
        "head",
        "tree",
        "files",
        "not_carried",
        "payloads",
    }
    trial = ecluse(ready.folder, "import", str(tmp_path / "x.tar"), "--dry-run", "--json")
    assert (trial.returncode, json.loads(trial.stdout)["tree"]) == (0, said["tree"])
    done = ecluse(ready.folder, "import", str(tmp_path / "x.tar"), "--land", "--no-input", "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert {
        "change_id",
        "revision",
        "verdict",
        "reason",
        "findings",
        "method",
        "ref",
        "tree",
        "commits",
        "receipt",
    } <= set(told)
    assert (told["verdict"], told["method"], told["tree"]) == ("accept", "bundle", said["tree"])
    assert told["landing"]["state"] == "landed"
    assert Path(told["receipt"]).exists()
    assert ready.git("rev-parse", "main") == said["head"]
    assert (ready.folder / "c.txt").read_text() == "c\n"
    again = ecluse(ready.folder, "import", str(tmp_path / "x.tar"), "--json")
    assert (again.returncode, json.loads(again.stdout)["commits"]) == (0, told["commits"])


def test_words_for_people(ready: Any, sandbox: Any) -> None:
    box = sandbox()
    box.write("c.txt", "c\n")
    box.write(".env", "X=1\n")
    out = ecluse(box.folder, "export", "--note", "-", stdin="left: nothing é".encode())
    assert out.returncode == 3
    assert b"NOT carried: .env (sensitive: env-file)" in out.stderr
    assert b"ecluse import " in out.stdout
    accepted = ecluse(box.folder, "export", "--accept-omissions")
    assert accepted.returncode == 0
    name = next((box.folder / ".sync/patches").glob("*.json"))
    done = ecluse(ready.folder, "import", str(name))
    assert done.returncode == 0, done.stderr
    assert b"next: ecluse land" in done.stdout
    status = ecluse(ready.folder, "status")
    assert b"Nothing waits for a person." in status.stdout
    assert b"Can land:" in status.stdout
    assert b"next: ecluse land chg-" in status.stdout


def test_pipe(ready: Any, sandbox: Any) -> None:
    box = sandbox()
    box.write("c.txt", "c\n")
    out = ecluse(box.folder, "export", "--to", "-")
    assert out.returncode == 0
    done = ecluse(ready.folder, "import", "-", "--json", stdin=out.stdout)
    assert (done.returncode, json.loads(done.stdout)["verdict"]) == (0, "accept")


def test_an_ascii_console_and_names_that_are_not(ready: Any, sandbox: Any, tmp_path: Path) -> None:
    box = sandbox()
    box.write("été/日本.txt", "x\n")
    plain = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": ""}
    out = ecluse(box.folder, "export", "--agent", "é", "--to", str(tmp_path / "x.tar"), **plain)
    assert out.returncode == 0, out.stderr
    done = ecluse(ready.folder, "import", str(tmp_path / "x.tar"), "--land", "--no-input", **plain)
    assert done.returncode == 0, done.stderr
    assert (ready.folder / "été/日本.txt").read_text() == "x\n"


def test_secret(ready: Any, sandbox: Any, helpers: Any, dice: Any, tmp_path: Path) -> None:
    box = sandbox()
    secret = helpers.fake_secret(dice)
    box.commit("leak", k_dot_txt=f"{secret}\n")
    out = ecluse(box.folder, "export", "--json")
    assert (out.returncode, json.loads(out.stdout)["error"]["code"]) == (4, "secret.found")
    assert secret.encode() not in out.stdout + out.stderr
    box.git("bundle", "create", "-q", str(tmp_path / "l.bundle"), "main~1..main")
    done = ecluse(ready.folder, "import", str(tmp_path / "l.bundle"), "--no-input")
    assert done.returncode == 4
    assert b"secret.found" in done.stderr
    assert secret.encode() not in done.stdout + done.stderr


def test_quarantine_waits_and_is_reviewed_with_a_key(ready: Any, sandbox: Any, tmp_path: Path) -> None:
    made = ecluse(ready.folder, "keys", "make", "ann", "--role", "human", "--key", str(tmp_path / "ann"))
    assert made.returncode == 0, made.stderr
    ready.commit("keys")
    listed = json.loads(ecluse(ready.folder, "keys", "list", "--json").stdout)["keys"]
    assert [(one["name"], one["role"], one["on_trunk"]) for one in listed] == [("ann", "human", True)]
    box = sandbox()
    box.commit("ci", _dot_github__workflows__ci_dot_yml="on: push\n")
    ecluse(box.folder, "export", "--to", str(tmp_path / "o"))
    waits = ecluse(ready.folder, "import", str(tmp_path / "o"), "--land", "--no-input", "--yes")
    assert waits.returncode == 3
    assert b"ecluse review" in waits.stdout
    with History.open(ready.repository.state_dir) as history:
        key = history.find(Change)[0].key
    alone = ecluse(ready.folder, "review", key, "--accept", "--why", "ok", "--yes")
    assert alone.returncode == 4
    both = ecluse(ready.folder, "review", key, "--accept", "--reject", "--why", "ok")
    assert both.returncode == 2
    done = ecluse(ready.folder, "review", key, "--accept", "--why", "ok", "--key", str(tmp_path / "ann"))
    assert done.returncode == 0, done.stderr
    with History.open(ready.repository.state_dir) as history:
        assert history.find(Change)[0].state is ChangeState.READY


def test_untrusted_change_with_land_waits(bench: Any, history: History, sandbox: Any, tmp_path: Path) -> None:
    box = sandbox()
    box.write("c.txt", "c\n")
    ecluse(box.folder, "export", "--to", str(tmp_path / "o"))
    done = ecluse(bench.folder, "import", str(tmp_path / "o"), "--land", "--no-input")
    assert done.returncode == 3
    assert b"ecluse review" in done.stdout
    assert ecluse(bench.folder, "import", str(tmp_path / "o")).returncode == 0


def test_validate(bench: Any) -> None:
    bench.write("a.py", "x = 1\n")
    good = ecluse(bench.folder, "validate", "--json")
    assert (good.returncode, json.loads(good.stdout)["results"][0]["result"]) == (0, "success")
    bench.write("a.py", "x = = 1\n")
    assert ecluse(bench.folder, "validate").returncode == 5
    level = ecluse(bench.folder, "validate", "--level", "thorough", "--json")
    assert (level.returncode, json.loads(level.stdout)["error"]["code"]) == (2, "validate.level")


@pytest.mark.parametrize(
    ("words", "status", "code"),
    [
        (("export",), 2, "export.empty"),
        (("export", "--to", "-", "--json"), 2, "usage"),
        (("export", "--note", "nowhere"), 2, "file.missing"),
        (("import", "nowhere"), 2, "file.missing"),
        (("import", "a.txt"), 2, "intake.unknown"),
        (("import", "-"), 2, "bundle.empty"),
        (("review", "nobody", "--accept", "--why", "x"), 2, "id.unknown"),
        (("keys", "add", "x", "--role", "human", "--key", "nowhere"), 2, "file.missing"),
        (("keys", "make", "x", "--role", "king"), 2, "usage"),
    ],
)
def test_mistakes_have_a_code_a_status_and_a_next_command(
    bench: Any, history: History, words: tuple[str, ...], status: int, code: str
) -> None:
    bench.git("config", "ecluse.base", "HEAD")
    done = ecluse(bench.folder, *words, *(() if "--json" in words else ("--json",)), stdin=b"")
    assert done.returncode == status, done.stderr
    error = json.loads(done.stdout)["error"]
    assert error["code"] == code
    assert error["hint"]


def test_before_init(bench: Any, sandbox: Any, tmp_path: Path) -> None:
    box = sandbox()
    box.write("c.txt", "c\n")
    assert ecluse(box.folder, "export", "--to", str(tmp_path / "o")).returncode == 0
    done = ecluse(bench.folder, "import", str(tmp_path / "o"), "--json")
    assert (done.returncode, json.loads(done.stdout)["error"]["code"]) == (2, "history.none")
    assert ecluse(bench.folder, "import", str(tmp_path / "o"), "--dry-run").returncode == 0
    assert ecluse(tmp_path, "export", "--json").returncode == 2
