"""The levels standard and complete with the real tools, on the change's tree and not on what lies in the checkout."""

from __future__ import annotations

import json
import random
import string
import sys
from pathlib import Path
from typing import Any

import pytest

from ecluse import intake, process
from ecluse.errors import Waits
from ecluse.history import History
from ecluse.intake.project import read_project
from ecluse.model import Agent, ChangeState


@pytest.fixture(autouse=True)
def tools_of_this_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIRTUAL_ENV", sys.prefix)


def by_name(results: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {one["name"]: one for one in results}


def test_all_tools_on_a_good_tree_and_on_a_bad_one(bench: Any) -> None:
    bench.write("mod.py", "def double(x: int) -> int:\n    return 2 * x\n")
    bench.write("test_mod.py", "from mod import double\n\n\ndef test_it() -> None:\n    assert double(2) == 4\n")
    bench.write("pyproject.toml", '[tool.mypy]\nstrict = true\nfiles = ["mod.py"]\n')
    good = intake.validate(bench.repository, None, "complete")
    assert {name: one["result"] for name, one in by_name(good).items()} == {
        "python-syntax": "success", "git-status": "success", "build": "skipped", "pytest": "success", "ruff": "success",
        "mypy": "success",
    }  # fmt: skip
    assert len({one["tree"] for one in good}) == 1
    assert "1 passed" in by_name(good)["pytest"]["detail"]
    assert bench.git("status", "--porcelain").split() == ["??", "mod.py", "??", "pyproject.toml", "??", "test_mod.py"]
    bench.write("mod.py", "import os\n\n\ndef double(x: int) -> str:\n    return 3 * x\n")
    bad = by_name(intake.validate(bench.repository, None, "complete"))
    assert [bad[name]["result"] for name in ("python-syntax", "pytest", "ruff", "mypy")] == [
        "success",
        *3 * ["failure"],
    ]
    assert "F401" in bad["ruff"]["detail"]
    assert bad["pytest"]["tree"] != good[0]["tree"]


def test_a_revision_is_judged_on_its_own_tree(bench: Any) -> None:
    bench.commit("red", test_a_dot_py="def test_a():\n    assert False\n")
    bench.write("test_a.py", "def test_a():\n    assert True\n")
    assert by_name(intake.validate(bench.repository, "HEAD", "standard"))["pytest"]["result"] == "failure"
    assert by_name(intake.validate(bench.repository, None, "standard"))["pytest"]["result"] == "success"


def test_what_cannot_be_checked_says_why(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    nothing = by_name(intake.validate(bench.repository, None, "complete"))
    assert nothing.pop("git-status")["detail"] == "clean"
    assert {one["result"] for one in nothing.values()} == {"skipped"}
    bench.write("test_a.py", "")
    bench.write("uv.lock", "")
    monkeypatch.setattr("ecluse.intake.toolchecks.find_python", lambda *_: ("", "python3 on PATH"))
    found = by_name(intake.validate(bench.repository, None, "standard"))
    assert found["pytest"]["result"] == "skipped"
    assert "uv sync" in found["pytest"]["detail"]


@pytest.mark.skipif(process.which("npm") is None, reason="npm is not on this machine")
def test_the_build_of_a_package_is_part_of_the_lowest_level(bench: Any) -> None:
    assert "build" not in by_name(intake.validate(bench.repository, None, "minimal")), "there is no package.json"
    bench.write("package.json", json.dumps({"scripts": {"build": "exit 3"}}))
    assert by_name(intake.validate(bench.repository, None, "minimal"))["build"]["result"] == "failure"
    bench.write("package.json", json.dumps({"scripts": {"build": "node -e \"require('fs').statSync('a.txt')\""}}))
    done = by_name(intake.validate(bench.repository, None, "minimal"))["build"]
    assert (done["result"], done["level"]) == ("success", "minimal"), done["detail"]
    (bench.folder / "package.json").unlink()
    bench.commit(
        "feat: package", package_dot_json=json.dumps({"scripts": {"build": "exit 0"}, "dependencies": {"x": "1"}})
    )
    needs = by_name(intake.validate(bench.repository, None, "standard"))["build"]
    assert (needs["result"], "npm ci" in needs["detail"]) == ("skipped", True)
    bench.write("package.json", "{")
    assert by_name(intake.validate(bench.repository, None, "minimal"))["build"]["result"] == "failure"


@pytest.mark.skipif(process.which("npm") is None, reason="npm is not on this machine")
def test_the_build_runs_on_the_trees_clone_and_not_on_what_lies_there(bench: Any) -> None:
    bench.write(".gitignore", "ignored.txt\n")
    bench.write("ignored.txt", "only here\n")
    script = "node -e \"require('fs').writeFileSync('out.txt', ''); process.exit(require('fs').existsSync('ignored.txt') ? 1 : 0)\""
    bench.commit("feat: package", package_dot_json=json.dumps({"scripts": {"build": script}}))
    assert by_name(intake.validate(bench.repository, "HEAD", "minimal"))["build"]["result"] == "success"
    assert not (bench.folder / "out.txt").exists()


def test_the_table_is_in_the_manifest_bound_to_the_tree(sandbox: Any, helpers: Any, tmp_path: Path) -> None:
    box = sandbox()
    box.write("package.json", json.dumps({"name": "x", "packageManager": "yarn@4"}))
    box.write("ok.py", "x = 1\n")
    done = helpers.export(box, to=tmp_path / "o")
    rows = json.loads(done.path.read_bytes())["validations"]
    assert [one["name"] for one in rows] == ["python-syntax", "git-status", "build"]
    assert {one["tree"] for one in rows} == {done.tree}
    assert all(one["duration_ms"] >= 0 for one in rows)
    assert by_name(rows)["git-status"]["detail"] == "2 untracked"
    assert by_name(rows)["build"]["detail"] == "package.json names no script `build`"


@pytest.mark.parametrize(
    ("files", "python", "script"),
    [
        ({}, "pip", "npm"),
        ({"uv.lock": "", "pnpm-lock.yaml": ""}, "uv", "pnpm"),
        ({"poetry.lock": "", "yarn.lock": ""}, "poetry", "yarn"),
        ({"pyproject.toml": "[tool.poetry]\n", "package-lock.json": "{}"}, "poetry", "npm"),
        ({"pyproject.toml": "[tool.uv]\n", "package.json": '{"packageManager": "pnpm@9.1"}'}, "uv", "pnpm"),
        ({"package.json": '{"packageManager": "uv@1"}'}, "pip", "npm"),
        ({"pyproject.toml": "no toml", "package.json": '{"packageManager": "pip"}'}, "pip", "npm"),
    ],
)
def test_who_installs_is_seen_from_the_files(files: dict[str, str], python: str, script: str, tmp_path: Path) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    found = read_project(tmp_path)
    assert (found.python_manager, found.js_manager) == (python, script)


def test_a_secret_in_a_tools_output_is_not_kept(bench: Any, dice: random.Random) -> None:
    token = "gh" + "p_" + "".join(dice.choice(string.ascii_letters + string.digits) for _ in range(36))
    bench.write("test_a.py", f"def test_a():\n    print({token[:9]!r} + {token[9:]!r})\n    assert False\n")
    found = by_name(intake.validate(bench.repository, None, "standard"))["pytest"]
    assert found["result"] == "failure"
    assert token not in found["detail"]
    assert "looks like a secret" in found["detail"]


def test_code_of_a_change_runs_only_when_somebody_vouches(
    bench: Any, history: History, sandbox: Any, helpers: Any, tmp_path: Path
) -> None:
    mark = tmp_path / "ran"
    box = sandbox()
    box.commit("feat: x", test_x_dot_py=f"open({str(mark)!r}, 'w')\n\n\ndef test_x():\n    pass\n")
    done = helpers.export(box, to=tmp_path / "o")
    change = helpers.take_in(bench, history, tmp_path / "o")
    assert (change.state, change.trusted_by) == (ChangeState.READY, "")
    with pytest.raises(Waits) as caught:
        intake.validate(bench.repository, done.head, "standard")
    assert caught.value.code == "validate.trust"
    assert change.key in caught.value.hint
    assert not mark.exists()
    assert by_name(intake.validate(bench.repository, done.head, "minimal"))["python-syntax"]["result"] == "success"
    box.commit("feat: y", package_dot_json=json.dumps({"scripts": {"build": f"touch {mark}"}}))
    second = helpers.export(box, to=tmp_path / "o2", validate="none")
    helpers.take_in(bench, history, tmp_path / "o2")
    build = by_name(intake.validate(bench.repository, second.head, "minimal"))["build"]
    assert (build["result"], "it runs code of the change" in build["detail"]) == ("skipped", True)
    assert not mark.exists()
    bench.git("branch", "mine", done.head)
    assert by_name(intake.validate(bench.repository, done.head, "standard"))["pytest"]["result"] == "success"
    assert mark.exists()


def test_import_lists_what_it_did_not_run(
    bench: Any, history: History, sandbox: Any, helpers: Any, tmp_path: Path
) -> None:
    bench.commit("policy", ecluse_dot_toml='trust = "all"\n[intake]\nvalidation = "complete"\n')
    mark = tmp_path / "ran"
    box = sandbox()
    box.commit("feat: x", test_x_dot_py=f"open({str(mark)!r}, 'w')\n")
    helpers.export(box, to=tmp_path / "o", validate="minimal")
    change = helpers.take_in(bench, history, tmp_path / "o")
    assert [one["name"] for one in change.validations] == ["python-syntax", "build", "pytest", "ruff", "mypy"]
    assert {one["result"] for one in change.validations[1:]} == {"skipped"}
    assert not mark.exists()


def test_the_tree_that_is_validated_is_the_one_that_is_exported(bench: Any) -> None:
    bench.write("large.bin", random.Random(3).randbytes(5 << 20))
    (row, *_) = intake.validate(bench.repository, None, "minimal")
    assert row["tree"] == intake.export(bench.repository, intake.ExportRequest(Agent("a1"), validate="none")).tree
