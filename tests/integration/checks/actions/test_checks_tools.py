"""Setup actions: the tools of the machine, others brought by its package clients, and what is said without them."""

from __future__ import annotations

import os
import shutil
import stat
import sys
from pathlib import Path
from typing import Any

import pytest

from ecluse.checks import tools
from ecluse.model import Result

node = pytest.mark.skipif(shutil.which("node") is None, reason="Node is not on this machine")


@pytest.fixture
def bare_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A PATH with the shells and git only."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("sh", "bash", "git", "cat", "test", "printf", "mkdir", "chmod"):
        if found := shutil.which(name):
            (folder / name).symlink_to(found)
    monkeypatch.setenv("PATH", str(folder))
    return folder


def program(folder: Path, name: str, text: str) -> None:
    (folder / name).write_text(f"#!/bin/sh\n{text}\n")
    (folder / name).chmod(0o755)


@node
def test_the_node_of_the_machine(play: Any) -> None:
    play.write("package.json", '{"volta": {"node": ">=4"}}')
    job = play.job("""
        - uses: actions/checkout@v4
        - {id: n, uses: actions/setup-node@v4, with: {node-version-file: package.json, registry-url: 'https://r.example/x'}}
        - run: |
            test "${{ steps.n.outputs.node-version }}" = "$(node --version)"
            grep -q '^//r.example/x/:_authToken=${NODE_AUTH_TOKEN}$' "$NPM_CONFIG_USERCONFIG"
        - {uses: actions/setup-node@v4, with: {node-version: 'lts/*'}}
    """)
    assert job.steps[2].outcome is Result.SUCCESS, play.lines


@node
def test_the_places_where_a_package_says_its_node(play: Any) -> None:
    play.write("base/package.json", '{"volta": {"node": ">=4"}, "engines": {"node": "3"}}')
    play.write("app/package.json", '{"volta": {"extends": "../base/package.json"}}')
    play.write("own/package.json", '{"devEngines": {"runtime": [{"name": "bun"}, {"name": "node", "version": "3"}]}}')
    play.write("odd/package.json", '{"engines": "4", "volta": {"extends": "package.json"}}')
    job = play.job("""
        - uses: actions/checkout@v4
        - {uses: actions/setup-node@v6, with: {node-version-file: app/package.json}}
        - {uses: actions/setup-node@v6, with: {node-version-file: odd/package.json}}
        - {uses: actions/setup-node@v6, with: {node-version-file: own/package.json}}
    """)
    assert [step.outcome for step in job.steps[1:4]] == [Result.SUCCESS, Result.SUCCESS, Result.FAILURE], play.lines
    assert "Node 3 is not on this machine" in job.steps[3].reason


@node
def test_another_node_is_used_from_where_it_is_kept(play: Any) -> None:
    kind = f"node-{tools._system()}"
    folder = tools.tools_folder(kind) / "16.20.2" / "node_modules" / ".bin"
    folder.mkdir(parents=True)
    program(folder, "node", "echo v16.20.2")
    job = play.job("""
        - {id: n, uses: actions/setup-node@v4, with: {node-version: lts/gallium}}
        - run: test "$(node --version)" = v16.20.2 && test "${{ steps.n.outputs.node-version }}" = v16.20.2
    """)
    assert job.result is Result.SUCCESS, play.lines


def test_without_npm_or_node_it_is_said(play: Any, bare_path: Path) -> None:
    assert "Node is not on this machine" in play.job("- uses: actions/setup-node@v4\n").steps[0].reason
    program(bare_path, "node", "echo v3.0.0")
    reason = play.job("- {uses: actions/setup-node@v4, with: {node-version: '16'}}\n").steps[0].reason
    assert "Node 16 is not on this machine (here is 3.0.0), and npm did not bring it" in reason
    play.write("act/action.yml", "runs: {using: node20, main: x.js}\n")
    play.write("act/x.js", "")
    (bare_path / "node").unlink()
    reason = play.job("- uses: $/act\n").steps[0].reason
    assert "written in JavaScript, and Node is not on this machine" in reason


def test_pnpm_of_the_machine_by_input_and_by_package(play: Any, bare_path: Path) -> None:
    program(bare_path, "pnpm", 'if [ "$1" = --version ]; then echo 9.1.4; else echo "pnpm $*"; fi')
    play.write("package.json", '{"packageManager": "pnpm@9.1.4+sha512.aa"}')
    job = play.job("""
        - uses: actions/checkout@v4
        - {id: p, uses: pnpm/action-setup@v4, with: {run_install: "- args: [--frozen-lockfile]\\n  recursive: true"}}
        - run: test "${{ steps.p.outputs.bin_dest }}" = "$PNPM_HOME"
        - {uses: pnpm/action-setup@v4, with: {version: 8}}
    """)
    assert [step.outcome.value for step in job.steps] == ["success", "success", "success", "failure"]
    assert "pnpm recursive install --frozen-lockfile" in play.lines
    assert "npm did not bring it" in job.steps[3].reason
    assert "No pnpm version" in play.job("- uses: pnpm/action-setup@v4\n").steps[0].reason


def test_uv_of_the_machine(play: Any, bare_path: Path) -> None:
    program(
        bare_path,
        "uv",
        'if [ "$1" = --version ]; then echo "uv 0.5.9 (x)"; else mkdir -p "$3/bin"; fi',
    )
    play.write("pyproject.toml", '[tool.uv]\nrequired-version = ">=0.5,<0.6"\n')
    job = play.job("""
        - uses: actions/checkout@v4
        - {id: u, uses: astral-sh/setup-uv@v6, with: {python-version: '3.12', activate-environment: true}}
        - run: |
            test "${{ steps.u.outputs.uv-version }} $UV_PYTHON" = '0.5.9 3.12'
            test -d "$VIRTUAL_ENV/bin" && test "${{ steps.u.outputs.venv }}" = "$VIRTUAL_ENV"
    """)
    assert job.result is Result.SUCCESS, play.lines


def test_setup_python_without_touching_the_environment(play: Any) -> None:
    minor = f"{sys.version_info[0]}.{sys.version_info[1]}"
    job = play.job(f"""
        - {{id: p, uses: actions/setup-python@v5, with: {{python-version: '{minor}', update-environment: false}}}}
        - run: |
            test -z "$pythonLocation" && "${{{{ steps.p.outputs.python-path }}}}" -c 'import sys; assert sys.prefix != sys.base_prefix'
    """)
    assert job.result is Result.SUCCESS, play.lines


@pytest.mark.skipif(shutil.which("pre-commit") is None, reason="pre-commit is not on this machine")
def test_pre_commit_runs_the_hooks_of_the_repository(play: Any) -> None:
    hook = "{id: no-x, name: no x, entry: sh -c '! grep -n bad \"$@\"' --, language: system, files: txt$}"
    play.write(".pre-commit-config.yaml", f"repos:\n- repo: local\n  hooks:\n  - {hook}\n")
    play.write("a.txt", "good\n")
    play.commit()
    steps = "- uses: actions/checkout@v4\n- uses: pre-commit/action@v3.0.1\n"
    job = play.job(steps)
    assert job.result is Result.SUCCESS, play.lines
    assert any("Passed" in line for line in play.lines)
    play.write("b.txt", "bad\n")
    play.commit()
    job = play.job(steps)
    assert job.steps[1].exit_code == 1
    assert any("1:bad" in line for line in play.lines), play.lines
    more = "- {uses: pre-commit/action@v3.0.1, with: {extra_args: --files a.txt}}\n"
    assert play.job(steps.partition("\n")[0] + "\n" + more).result is Result.SUCCESS


@pytest.mark.registry
@node
def test_other_versions_come_by_npm_and_pip(play: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    if not os.environ.get("ECLUSE_REGISTRY"):
        pytest.skip("needs a package index; allow it with ECLUSE_REGISTRY=1")
    for name in (".npmrc",):
        home = Path(os.environ.get("ECLUSE_REGISTRY_HOME", "/nowhere"))
        if (home / name).is_file():
            shutil.copy(home / name, Path(os.environ["HOME"]) / name)
    job = play.job("""
        - {uses: actions/setup-node@v4, with: {node-version: 16}}
        - run: node --version | grep '^v16' && npm --version | grep '^8'
        - {uses: pnpm/action-setup@v4, with: {version: 8}}
        - run: pnpm --version | grep '^8'
        - {uses: astral-sh/setup-uv@v6, with: {version: 0.5.x}}
        - run: uv --version | grep 'uv 0.5'
    """)
    assert job.result is Result.SUCCESS, play.lines
    kept = tools.tools_folder("uv")
    assert not [entry for entry in kept.iterdir() if entry.name.startswith(".new-")]
    assert kept.stat().st_mode & stat.S_IRWXU
