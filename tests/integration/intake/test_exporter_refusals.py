"""What the three exporters do not carry, or refuse: secrets, red checks, nothing, wrong words."""

from __future__ import annotations

import json
import random
import string
from pathlib import Path
from typing import Any

import pytest

from ecluse.history import History
from ecluse.model import Verdict

from .exporters import Exporter, accept, secret


def test_untracked_secrets_stay_here(
    exporter: Exporter, bench: Any, history: History, helpers: Any, sandbox: Any, dice: random.Random
) -> None:
    box = sandbox()
    box.write(".env", "A=1\n")
    box.write(".env.example", "A=\n")
    box.write("secrets/db.txt", "x\n")
    box.write("tökens.py", f"x = 1\nT = '{secret(dice)}'\n")
    box.write("fine.txt", "fine\n")
    box.write("big.bin", b"\0" * (21 << 20))
    said = exporter.export(box, status=3)
    left = {one["path"]: one["reason"] for one in said["not_carried"]}
    assert left == {
        ".env": "sensitive",
        "secrets/db.txt": "sensitive",
        "tökens.py": "sensitive",
        "big.bin": "too large",
    }
    change = accept(bench, history, helpers, said)
    assert sorted(change.files) == [".env.example", "fine.txt"]
    assert exporter.export(box, "--accept-omissions")["revision"] == 2


@pytest.mark.parametrize("place", ["committed", "in history", "staged", "message", "env file", "key"])
def test_committed_secrets_stop_the_export(
    place: str, exporter: Exporter, bench: Any, sandbox: Any, dice: random.Random
) -> None:
    box, value = sandbox(), secret(dice)
    if place == "env file":
        box.commit("settings", _dot_env="A=1\n")
    elif place == "message":
        box.commit(f"use {value}", b_dot_txt="b\n")
    elif place == "key":
        body = "".join(dice.choice(string.ascii_letters) for _ in range(64))
        value = body
        box.commit("key", k_dot_txt=f"-----BEGIN OPENSSH {'PRIVATE'} KEY-----\n{body}\n")
    else:
        box.write("a.txt", f"one\ntoken: {value}\n")
        box.git("add", "a.txt")
        if place != "staged":
            box.commit("leak")
        if place == "in history":
            box.commit("take it out", a_dot_txt="one\n")
    to = box.folder.parent / "out"
    done = exporter.run(box, "--to", str(to))
    assert done.returncode == 4, done.stderr.decode()
    assert json.loads(done.stdout)["error"]["code"] == "secret.found"
    assert value.encode() not in done.stdout + done.stderr
    assert not to.exists() or not list(to.iterdir())
    for log in (box.folder / ".sync").rglob("*.log"):
        assert value not in log.read_text()


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be", "utf-32-be"])
def test_secrets_in_characters_of_several_bytes_are_seen(
    encoding: str, exporter: Exporter, bench: Any, history: History, helpers: Any, sandbox: Any, dice: random.Random
) -> None:
    """The same verdict from all three, and from the import where somebody left an exporter out."""
    box, value = sandbox(), secret(dice)
    table = b"\0".join((b"\x7fELF\1", b"gh" + b"p_", *(value[at : at + 9].encode() for at in range(0, 40, 9)), b""))
    (box.folder / "tables.so").write_bytes(table)
    (box.folder / "k.reg").write_bytes(f"\u6731 one\r\nkey={value}\r\n".encode(encoding))
    said = exporter.export(box, status=3)
    assert [(one["path"], one["reason"]) for one in said["not_carried"]] == [("k.reg", "sensitive")]
    accept(bench, history, helpers, said)
    box.git("add", "k.reg")
    box.commit("leak")
    done = exporter.run(box, "--to", str(box.folder.parent / "out"))
    assert done.returncode == 4, done.stderr.decode()
    error = json.loads(done.stdout)["error"]
    assert error["code"] == "secret.found" and "k.reg line 2" in error["message"] and "tables" not in error["message"]
    plain = box.folder.parent / "plain.bundle"
    box.git("bundle", "create", "-q", str(plain), "main~1..main")
    change = helpers.take_in(bench, history, plain)
    assert (change.verdict, change.reason.partition(":")[0]) == (Verdict.REJECT, "secret.found")


def test_a_token_that_was_there_before_is_not_the_change_s_doing(
    exporter: Exporter, bench: Any, sandbox: Any, dice: random.Random
) -> None:
    value = secret(dice)
    bench.commit("old sin", a_dot_txt=f"one\nt = {value}\nthree\n")
    box = sandbox()
    box.write("a.txt", f"one\nt  =  {value}\nthree\n")
    assert exporter.export(box)["files"][0]["path"] == "a.txt"


def test_what_the_shell_exporter_does_not_know_the_import_refuses(
    bench: Any, history: History, helpers: Any, sandbox: Any, dice: random.Random, tmp_path: Path
) -> None:
    box = sandbox()
    value = "".join(dice.choice(string.ascii_letters + string.digits) for _ in range(40)) + "7q"
    box.commit("assign", a_dot_txt=f"api_token = '{value}'\n")
    said = Exporter("sh", tmp_path / "tool").export(box)
    rows = json.loads(Path(said["path"]).read_bytes())["validations"]
    assert "judged at import" in next(one["detail"] for one in rows if one["name"] == "secrets")
    assert helpers.take_in(bench, history, Path(said["path"])).verdict is Verdict.REJECT


def test_red_empty_and_wrong_words(exporter: Exporter, bench: Any, sandbox: Any) -> None:
    box = sandbox()
    nothing = exporter.run(box)
    assert (nothing.returncode, json.loads(nothing.stdout)["error"]["code"]) == (2, "export.empty")
    assert exporter.run(box, "--base", "nowhere").returncode == 2
    assert exporter.run(box, "--validate", "everything").returncode == 2
    box.write("bad.py", "def (:\n")
    red = exporter.run(box)
    assert (red.returncode, json.loads(red.stdout)["error"]["code"]) == (5, "export.red")
    assert "bad.py" in json.loads(red.stdout)["error"]["message"]
    said = exporter.export(box, "--allow-red")
    rows = json.loads(Path(said["path"]).read_bytes())["validations"]
    assert next(one for one in rows if one["name"] == "python-syntax")["result"] == "failure"
    assert exporter.export(box, "--validate", "none")["files"][0]["path"] == "bad.py"
