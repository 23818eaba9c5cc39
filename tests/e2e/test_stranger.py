"""The same verbs on a stranger's repository: a real project's source with its own test suite."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest

from ecluse import http, process, signing
from pages import reading

PROJECT, VERSION, NEEDS = "itsdangerous", "2.2.0", "pytest freezegun"

WORKFLOW = f"""\
name: tests
on: [push, pull_request]
jobs:
  tests:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - uses: actions/setup-python@v5
        with:
          python-version: "3.x"
      - run: pip install --quiet . {NEEDS}
      - run: python -m pytest -q
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The project's source distribution, unpacked, as a git repository with its tests as a workflow."""
    fetched = subprocess.run(
        [
            sys.executable,
            "-m",
            "pip",
            "download",
            "--quiet",
            "--no-deps",
            "--no-binary",
            PROJECT,
            "-d",
            str(tmp_path),
            f"{PROJECT}=={VERSION}",
        ],
        capture_output=True,
        check=False,
    )
    if fetched.returncode:
        pytest.skip(f"no package index can be reached: {fetched.stderr.decode()[-200:]}")
    with tarfile.open(next(tmp_path.glob("*.tar.gz"))) as archive:
        archive.extractall(tmp_path)  # a known release of a known project
    folder = next(path for path in tmp_path.iterdir() if path.is_dir() and path.name.startswith(PROJECT))
    workflow = folder / ".github" / "workflows" / "tests.yml"
    workflow.parent.mkdir(parents=True, exist_ok=True)
    for old in workflow.parent.glob("*.y*ml"):
        old.unlink()
    workflow.write_text(WORKFLOW)
    for words in (["init", "-q", "-b", "main"], ["add", "-A"], ["commit", "-q", "-m", f"{PROJECT} {VERSION}"]):
        subprocess.run(["git", *words], cwd=folder, check=True)
    return folder


def begin(cli: Any, folder: Path) -> None:
    """Prepare the repository and put the policy on its trunk, by what the README shows first."""
    listed = reading.blocks(reading.ROOT / "README.md")
    (shown,) = [block for block in listed if block.kind == "sh" and block.text.startswith("ecluse init")]
    for command, _ in reading.commands(shown):
        words = shlex.split(command)
        if words[0] == "ecluse":
            cli(*words[1:], cwd=folder)
        else:
            subprocess.run(words, cwd=folder, check=True)


@pytest.mark.registry
def test_import_run_and_land_on_a_real_project(cli: Any, project: Path, tmp_path: Path) -> None:
    begin(cli, project)
    sandbox = tmp_path / "sandbox"
    subprocess.run(["git", "clone", "-q", str(project), str(sandbox)], check=True)
    subprocess.run(["git", "-C", str(sandbox), "remote", "remove", "origin"], check=True)
    source = sandbox / "src" / PROJECT / "encoding.py"
    source.write_text(
        source.read_text()
        + '\n\ndef is_base64(data: str | bytes) -> bool:\n    """Whether :func:`base64_decode` would take it."""\n    try:\n        base64_decode(data)\n    except BadData:\n        return False\n    return True\n'
    )
    (sandbox / "tests" / "test_is_base64.py").write_text(
        "from itsdangerous.encoding import is_base64\n\n\ndef test_is_base64():\n    assert is_base64('YQ')\n    assert not is_base64('12345')\n"
    )
    exported = cli("export", "--agent", "agent-1", "--to", str(tmp_path / "change.tar"), "--json", cwd=sandbox).json
    said = cli("import", str(tmp_path / "change.tar"), "--land", "--no-input", cwd=project)
    assert "landed" in said.err + said.out
    words = ["git", "diff", "--name-only", exported["head"], "main"]
    beyond = subprocess.run(words, cwd=project, capture_output=True, check=True, text=True).stdout.split()
    assert beyond == ["AGENT_SYNC.md", "docs/passation.md", "docs/passation/agent-1.md"], "and nothing else"
    words = ["git", "merge-base", "--is-ancestor", exported["head"], "main"]
    assert subprocess.run(words, cwd=project, check=False).returncode == 0, "its commits kept their ids"
    shown = cli("show", exported["change_id"], "--json", cwd=project).json
    assert shown["change"]["state"] == "landed"
    listed = cli("history", "list", "--kind", "run", cwd=project).out
    assert re.search(r"1 of 1 jobs green", listed), listed
    for words in (["status"], ["doctor"], ["history", "search", "landed"]):
        cli(*words, cwd=project)


def test_without_workflows_it_lands_on_its_validation_alone(cli: Any, bench: Any, tmp_path: Path) -> None:
    begin(cli, bench.folder)
    sandbox = tmp_path / "sandbox"
    subprocess.run(["git", "clone", "-q", str(bench.folder), str(sandbox)], check=True)
    (sandbox / "tool.py").write_text("print('hello')\n")
    cli("export", "--agent", "agent-1", "--to", str(tmp_path / "c.tar"), cwd=sandbox)
    said = cli("import", str(tmp_path / "c.tar"), "--land", "--json", cwd=bench.folder)
    assert bench.git("show", "main:tool.py") == "print('hello')"
    landings = cli("history", "list", "--kind", "landing.landed", "--json", cwd=bench.folder).json["events"]
    landing = cli("show", landings[0]["subject"], "--json", cwd=bench.folder).json["landing"]
    assert landing["basis"] == "validation", said.out
    assert "validation alone" in landing["reason"]


@pytest.mark.skipif(not signing.available(), reason="ssh-keygen is needed to answer the gate without a terminal")
def test_a_first_release_of_a_strangers_repository(cli: Any, bench: Any, tmp_path: Path) -> None:
    """By what the tool itself says: the playbook, where it goes, a key, the gate, and it is live."""
    at, key, target = bench.folder, tmp_path / "key", tmp_path / "production"
    starter = tmp_path / "starter"
    cli("init", cwd=at)
    assert "ecluse playbook add" in cli("release", "plan", cwd=at, expect=2).err
    cli("playbook", "add", cwd=at)
    page = at / "playbooks/release.md"
    assert "window=" in page.read_text()
    page.write_text(re.sub(r'window="[^"]*"', 'window="2 s"', page.read_text()))
    cli("keys", "make", "marie", "--role", "human", "--key", str(key), cwd=at)
    cli("keys", "make", "agent-1", "--role", "agent", "--key", str(starter), cwd=at)
    bench.git("add", "-A")
    bench.git("commit", "-q", "-m", "chore: releases")
    assert "[environments.production]" in cli("release", "plan", cwd=at, expect=2).err
    port = http.free_port()
    command = json.dumps([sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1"])
    with (at / "ecluse.toml").open("a") as policy:
        policy.write(
            f'\n[environments.production]\npath = "{target}"\ncommand = {command}\nurl = "http://127.0.0.1:{port}"\nhealth = "/a.txt"\nproduction = true\n'
        )
    bench.git("commit", "-q", "-am", "chore: where it goes live")
    assert "0.1.0 is the first release" in cli("release", "plan", cwd=at).out
    unproved = cli("release", "start", "--no-wait", cwd=at)
    assert "one person more (--starter-key FILE)" in unproved.err
    cli("release", "abort", "--why", "start it with a key", cwd=at)
    waiting = cli("release", "start", "--no-input", "--starter-key", str(starter), cwd=at, expect=3)
    assert "ecluse release approve" in waiting.err
    try:
        cli("release", "approve", "--key", str(key), "--no-input", cwd=at)
        assert http.request(f"http://127.0.0.1:{port}/a.txt").text() == "one\ntwo\nthree\n"
        assert bench.git("tag", "--list") == "v0.1.0"
        assert "## [0.1.0]" in (at / "CHANGELOG.md").read_text(), "the checkout followed"
        assert "0.1.0" in cli("release", "status", cwd=at).out
    finally:
        for folder in (target / "service").glob("*"):
            process.cancel_job(folder)
