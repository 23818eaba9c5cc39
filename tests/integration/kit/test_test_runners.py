"""Runners of JavaScript tests: how each is seen, and that ``node --test`` leaves results and coverage, really run."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from ecluse.kit import runners


@pytest.mark.parametrize(
    ("script", "name"),
    [
        ("vitest", "vitest"), ("vitest run --dir src", "vitest"), ("npx jest", "jest"), ("node --test test/", "node"),
        ("NODE_ENV=test jest --silent", "jest"), ("cross-env A=1 vitest run", "vitest"), ("tsc && vitest run", ""),
        ("node build.js", ""), ("mocha", ""), ("jest; echo", ""), ("", ""),
    ],
)  # fmt: skip
def test_a_runner_is_seen_where_it_can_take_more_words(script: str, name: str) -> None:
    assert runners.of({"scripts": {"test": script}}).name == name
    assert runners.of({}) == runners.NONE


def test_coverage_of_vitest_needs_its_package() -> None:
    script = {"scripts": {"test": "vitest run"}}
    bare, able = runners.of(script), runners.of({**script, "devDependencies": {"@vitest/coverage-v8": "^3"}})
    assert "--coverage" not in runners.with_results(bare)[0] and "--coverage" in runners.with_results(able)[0]
    assert all("reports/unit.xml" in runners.with_results(one)[0] for one in (bare, able))


def test_node_leaves_results_and_coverage(tmp_path: Path) -> None:
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        pytest.skip("node and npm are not on this machine")
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout
    if int(version.strip("v\n").partition(".")[0]) < 20:
        pytest.skip("node --test writes JUnit from version 20 on")
    package = {"name": "pad", "scripts": {"test": "node --test"}}
    (tmp_path / "package.json").write_text(json.dumps(package))
    (tmp_path / "pad.test.js").write_text("require('node:test')('pads', () => {});\n")
    lines = runners.with_results(runners.of(package))
    done = subprocess.run(
        ["bash", "-ec", "\n".join(lines)], cwd=tmp_path, env=dict(os.environ), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert 'testcase name="pads"' in (tmp_path / "reports/unit.xml").read_text()
    assert (tmp_path / "reports/lcov.info").is_file()
