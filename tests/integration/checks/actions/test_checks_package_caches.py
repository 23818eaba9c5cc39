"""The ``cache`` inputs of setup actions: what a package manager downloaded is there again in the next run."""

from __future__ import annotations

import shutil
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from ecluse import process
from ecluse.model import Job

PYTHON = f"{sys.version_info[0]}.{sys.version_info[1]}"


def make_wheel(folder: Path) -> Path:
    """A wheel with one module, made here."""
    path = folder / "thing-1.0-py3-none-any.whl"
    files = {
        "thing.py": "print('installed')\n",
        "thing-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: thing\nVersion: 1.0\n",
        "thing-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
        archive.writestr("thing-1.0.dist-info/RECORD", "".join(f"{name},,\n" for name in files))
    return path


def python_job(play: Any, check: str, **request: object) -> Job:
    return play.job(
        f"""
        - uses: actions/checkout@v4
        - {{id: py, uses: actions/setup-python@v5, with: {{python-version: "{PYTHON}", cache: pip}}}}
        - run: {check}
        - run: test "$(pip cache dir)" = "$PIP_CACHE_DIR" && mkdir -p $PIP_CACHE_DIR/x && echo 1 > $PIP_CACHE_DIR/x/y
        """,
        **request,
    )


def test_what_pip_keeps_returns_until_the_requirements_change(play: Any) -> None:
    play.write("requirements.txt", "thing==1\n")
    first = python_job(play, 'test "${{ steps.py.outputs.cache-hit }}" = false && test ! -e $PIP_CACHE_DIR/x/y')
    assert first.result == "success"
    assert "saved 1 files under" in first.steps[-1].reason
    again = python_job(play, 'test "${{ steps.py.outputs.cache-hit }}" = true && test -e $PIP_CACHE_DIR/x/y')
    assert again.result == "success"
    assert "not saved again" in again.steps[-1].reason
    play.write("requirements.txt", "thing==2\n")
    near = python_job(play, 'test "${{ steps.py.outputs.cache-hit }}" = false && test -e $PIP_CACHE_DIR/x/y')
    assert near.result == "success", "a cache of the same Python is better than none"


def test_a_cache_input_that_cannot_be_kept_says_why(play: Any) -> None:
    job = play.job(f"- {{uses: actions/setup-python@v5, with: {{python-version: '{PYTHON}', cache: pip}}}}\n")
    assert "matched to [**/requirements.txt]" in job.steps[0].reason


def test_poetry_and_pipenv_keep_what_they_download(play: Any) -> None:
    play.write("poetry.lock", "1\n")
    play.write("a/Pipfile.lock", "1\n")
    job = play.job(f"""
        - uses: actions/checkout@v4
        - {{uses: actions/setup-python@v5, with: {{python-version: "{PYTHON}", cache: poetry}}}}
        - run: mkdir -p $POETRY_CACHE_DIR/virtualenvs && echo 1 | tee $POETRY_CACHE_DIR/virtualenvs/v > $POETRY_CACHE_DIR/x
        - {{uses: actions/setup-python@v5, with: {{python-version: "{PYTHON}", cache: pipenv}}}}
        - run: mkdir -p $PIP_CACHE_DIR && echo 1 | tee $PIP_CACHE_DIR/x > $PIP_CACHE_DIR/y
        """)
    assert [step.reason.partition(" files")[0] for step in job.steps[5:]] == ["saved 2", "saved 1"]


@pytest.mark.skipif(shutil.which("npm") is None, reason="npm is not on this machine")
def test_npm_installs_from_what_was_kept(play: Any) -> None:
    play.write("lib/package.json", '{"name": "lib", "version": "1.0.0"}')
    play.write("package.json", '{"name": "app", "version": "1.0.0"}')
    play.write("package-lock.json", '{"name": "app", "lockfileVersion": 3, "packages": {}}')
    steps = """
        - uses: actions/checkout@v4
        - {id: node, uses: actions/setup-node@v4, with: {cache: npm}}
        - run: test "${{ steps.node.outputs.cache-hit }}" = HIT
        - run: npm cache add "file:$PWD/$(cd lib && npm pack --silent | sed s:^:lib/:)"
        - run: test "$(npm config get cache)" = "$npm_config_cache" && test -d "$npm_config_cache/_cacache"
        """
    first = play.job(steps.replace("HIT", "false"))
    assert first.result == "success", play.lines
    assert "saved" in first.steps[-1].reason
    there = 'true && test -n "$(find $npm_config_cache/_cacache/content-v2 -type f)"'
    assert play.job(steps.replace("HIT", there)).result == "success"
    job = play.job("- {uses: actions/setup-node@v4, with: {cache: npm}}\n")
    assert "Dependencies lock file is not found" in job.steps[0].reason
    job = play.job("- {uses: actions/setup-node@v4, with: {cache: npm, cache-dependency-path: no/x.json}}\n")
    assert "Some specified paths were not resolved" in job.steps[0].reason


def test_a_cache_that_nobody_asked_for_since_version_5(play: Any) -> None:
    play.write("package-lock.json", "{}")

    def caches(package: str, version: str, more: str = "") -> bool | str:
        play.write("package.json", package)
        job = play.job(f"- uses: actions/checkout@v4\n- {{uses: 'actions/setup-node@{version}'{more}}}\n")
        return job.steps[1].reason or any(step.name.startswith("Post") and "saved" in step.reason for step in job.steps)

    npm = '{"packageManager": "npm@11.0.0"}'
    assert caches(npm, "v4") is False and caches(npm, "v5") is True and caches(npm, "v6.1.0") is True
    assert caches(npm, "v5", ", with: {package-manager-cache: false}") is False
    assert caches('{"packageManager": "pnpm@10.1.0"}', "v6") is False, "only npm since version 6"
    assert "pnpm-lock.yaml" in str(caches('{"packageManager": "pnpm@10.1.0"}', "v5")), (
        "as there: a lock file is asked for"
    )
    assert caches('{"devEngines": {"packageManager": [{"name": "yarn"}, {"name": "npm"}]}}', "v6") is True
    assert caches('{"packageManager": "npmx@1"}', "v6") is False and caches("[]", "v6") is False
    commit = "49933ea5288caeca8642d1e84afbd3f7d6820020"
    assert caches(npm, commit) is True
    (play.tree / "package-lock.json").unlink()
    assert caches(npm, commit) is False, "it may be an older version: nothing is asked for that nobody wanted"


def test_uv_prunes_when_it_is_told_to(play: Any, tmp_path: Path) -> None:
    if process.which("uv") is None:
        pytest.skip("uv is not on this machine")
    make_wheel(tmp_path)
    steps = f"""
        - uses: actions/checkout@v4
        - {{id: uv, uses: astral-sh/setup-uv@v7, with: {{enable-cache: true, prune-cache: true}}}}
        - run: test "${{{{ steps.uv.outputs.cache-hit }}}}" = HIT
        - run: uv venv -q && uv pip install -q --no-index --find-links {tmp_path} thing && .venv/bin/python -m thing
        """
    assert play.job(steps.replace("HIT", "false")).result == "success", play.lines
    there = 'true && test -z "$(find $UV_CACHE_DIR -name thing.py)"'
    assert play.job(steps.replace("HIT", there)).result == "success", play.lines


def test_uv_keeps_its_own(play: Any, tmp_path: Path) -> None:
    if process.which("uv") is None:
        pytest.skip("uv is not on this machine")
    make_wheel(tmp_path)
    play.write("pyproject.toml", "[project]\nname = 'a'\nversion = '1'\n")
    steps = f"""
        - uses: actions/checkout@v4
        - {{id: uv, uses: astral-sh/setup-uv@v6, with: {{enable-cache: true, cache-suffix: s}}}}
        - run: test "${{{{ steps.uv.outputs.cache-hit }}}}" = HIT
        - run: uv venv -q && uv pip install -q --no-index --find-links {tmp_path} thing && .venv/bin/python -m thing
        """
    assert play.job(steps.replace("HIT", "false")).result == "success", play.lines
    there = 'true && test -n "$(find $UV_CACHE_DIR -name thing.py)"'
    assert play.job(steps.replace("HIT", there)).result == "success", play.lines
    assert play.lines.count("installed") == 1
