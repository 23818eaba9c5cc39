"""A machine without POSIX modules and a console that prints only ASCII: export, import and history all the same."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ecluse.kit.pieces import script

BLOCKED = ("fcntl", "pwd", "grp", "resource", "termios", "tty", "pty", "syslog")
_BLOCKER = f"""
import os, sys
for name in {BLOCKED!r}:
    sys.modules[name] = None
for name in ("fork", "getuid", "geteuid", "getgid", "getegid", "setsid", "getpgid", "chown", "fchmod", "uname", "mkfifo"):
    if hasattr(os, name):
        delattr(os, name)
"""


@pytest.fixture
def plain(cli: Any, tmp_path: Path) -> Any:
    """The command, in a Python in which POSIX's modules cannot be imported, in it and in every Python it starts."""
    (tmp_path / "blocker").mkdir()
    (tmp_path / "blocker" / "sitecustomize.py").write_text(_BLOCKER)
    cli.env["PYTHONPATH"] = str(tmp_path / "blocker")
    check = "import sys; print(all(sys.modules.get(name, 0) is None for name in sys.argv[1:]))"
    done = subprocess.run([sys.executable, "-c", check, *BLOCKED], env=cli.env, capture_output=True, check=True)
    assert done.stdout.decode().strip() == "True", "the blocker is in force"
    return cli


@pytest.mark.parametrize("exporter", ["ecluse", "cloud-export.py"])
def test_export_import_and_history_without_posix_modules(exporter: str, plain: Any, bench: Any, tmp_path: Path) -> None:
    plain("init", "--trust", "all", cwd=bench.folder)
    bench.git("add", "-A")
    bench.git("commit", "-qm", "chore: ecluse")
    sandbox, out = tmp_path / "sandbox", tmp_path / "out"
    subprocess.run(["git", "clone", "-q", str(bench.folder), str(sandbox)], check=True)
    (sandbox / "new.py").write_text("x = 1\n")
    if exporter == "ecluse":
        plain("export", "--agent", "a1", "--to", str(out), cwd=sandbox)
    else:
        tool = tmp_path / exporter
        tool.write_bytes(script(exporter))
        words = [sys.executable, str(tool), "--agent", "a1", "--to", str(out)]
        subprocess.run(words, cwd=sandbox, env=plain.env, check=True, capture_output=True)
    said = plain("import", str(out), "--no-input", "--land", "--json", cwd=bench.folder).json
    assert said["verdict"] == "accept"
    assert bench.git("show", "main:new.py") == "x = 1"
    listed = plain("history", "list", "--json", cwd=bench.folder).json
    assert any(one["kind"] == "landing.landed" for one in listed["events"])
    found = plain("history", "find", said["change_id"], "--json", cwd=bench.folder).json
    assert json.dumps(found).count(said["change_id"]) >= 1
    plain("sync", "a1", "--to", str(tmp_path / "t.bundle"), cwd=bench.folder)
    plain("sync", "--take", str(tmp_path / "t.bundle"), cwd=sandbox)
    for words in (["overlap"], ["history", "stats"], ["history", "list", "--syncs"], ["history", "export", "--syncs"],
                  ["sync", "a1", "--folder", str(out)]):  # fmt: skip
        plain(*words, cwd=bench.folder)


# -- a console that prints only ASCII ----------------------------------------------------------------------------------


@pytest.fixture
def ascii_cli(cli: Any) -> Any:
    cli.env |= {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0", "LC_ALL": "C", "PYTHONCOERCECLOCALE": "0"}
    return cli


def plain_text(said: Any) -> str:
    """What was said: ASCII throughout, and of our own words nothing as an escape (a step's own name may be one)."""
    text = str(said.out) + str(said.err)
    assert text.isascii()
    for escape in ("v\\xe9rifier", "\\xe9t\\xe9"):
        text = text.replace(escape, "")
    for escape in ("\\u", "\\x", "\ufffd"):
        assert escape not in text, said
    return text


def test_marks_and_words_are_ascii_on_every_door(ascii_cli: Any, bench: Any, tmp_path: Path) -> None:
    run, at = ascii_cli, bench.folder
    bench.write(".github/workflows/ci.yml", "on: [push, pull_request]\njobs:\n  t:\n    runs-on: ubuntu-latest\n"
                "    steps:\n      - name: vérifier\n        run: echo \"été\"\n")  # fmt: skip
    plain_text(run("init", "--trust", "all", cwd=at))
    bench.git("add", "-A")
    bench.git("commit", "-qm", "chore: begin")
    sandbox, out = tmp_path / "sandbox", tmp_path / "out"
    subprocess.run(["git", "clone", "-q", str(at), str(sandbox)], check=True)
    (sandbox / "new.txt").write_text("x\n")
    (sandbox / ".env").write_text("A=1\n")
    left_out = plain_text(run("export", "--agent", "a1", "--to", str(out), cwd=sandbox, expect=3))
    assert "[OK] " in left_out and "[!] " in left_out and "... " in left_out
    refused = plain_text(run("import", "nowhere", cwd=at, expect=2))
    assert refused.startswith("[ERROR] ")
    landed = plain_text(run("import", str(out), "--land", "--no-input", cwd=at))
    assert "[OK] " in landed
    for words in (["status"], ["queue"], ["doctor"], ["history", "list"], ["history", "stats"], ["history", "show", "1"],
                  ["run"], ["run", "--dry-run"], ["run", "--events"], ["validate"], ["overlap"], ["playbook", "list"], ["help", "exit-codes"], ["keys", "list"],
                  ["release", "status"], ["sync", "a1", "--to", str(tmp_path / "t.bundle")]):  # fmt: skip
        plain_text(run(*words, cwd=at, expect=None))


def test_every_help_is_ascii_there(ascii_cli: Any, tmp_path: Path) -> None:
    from ecluse.cli.group import VERBS

    program = (
        "import contextlib, io, sys\nfrom click.testing import CliRunner\n"
        "from ecluse.cli.group import VERBS, main\n"
        "for verb in ['', *VERBS]:\n"
        "    with contextlib.suppress(SystemExit):\n"
        "        main([*([verb] if verb else []), '--help'])\n"
    )
    done = subprocess.run([sys.executable, "-c", program], env=ascii_cli.env, cwd=tmp_path, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
    assert done.stdout.isascii() and done.stdout.count(b"Usage: ") == len(VERBS) + 1
    assert b"\\x" not in done.stdout and b"\\u" not in done.stdout and b"?cluse" not in done.stdout


def test_the_portable_exporters_print_ascii_everywhere(bench: Any, own_home: Path, tmp_path: Path) -> None:
    bench.git("config", "ecluse.base", "HEAD")
    bench.write("été.txt", "x\n")
    env = {**os.environ, "PYTHONIOENCODING": "ascii", "LC_ALL": "C", "HOME": str(own_home)}
    for name, start in (("cloud-export.py", [sys.executable]), ("cloud-export.sh", ["sh"])):
        (tmp_path / name).write_bytes(script(name))
        words = [*start, str(tmp_path / name), "--agent", "a1"]
        done = subprocess.run([*words, "--to", str(tmp_path / "o")], cwd=bench.folder, env=env, capture_output=True)
        assert done.returncode == 0, done.stderr.decode()
        assert done.stderr.startswith(b"[OK] ") and (done.stderr + done.stdout).isascii()
        bad = subprocess.run([*words, "--base", "nowhere"], cwd=bench.folder, env=env, capture_output=True)
        assert bad.returncode == 2 and b"[ERROR] " in bad.stderr
