"""``ecluse init --kit`` on repositories of several kinds."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ecluse import yaml12
from ecluse.errors import Invalid
from ecluse.kit import ActionKind, InitOptions, init, kits, survey

FILES = {
    "pyproject.toml": '[project]\nname = "solo"\nversion = "1"\n[project.optional-dependencies]\ntest = []\n',
    "solo/__init__.py": "",
    "tests/test_one.py": "def test_one():\n    assert True\n",
    "tests/test_base.py": "import sqlalchemy\n",
}
KINDS: dict[str, dict[str, str]] = {
    "single": FILES,
    "monorepo": {
        f"services/{name}/{path}": text.replace("solo", name)
        for name in ("api", "worker")
        for path, text in {**FILES, "Dockerfile": "FROM python:3.11-slim\nUSER nobody\n"}.items()
    },
    "fastapi": {
        "backend/requirements.txt": "fastapi\n",
        "backend/app/__init__.py": "",
        "backend/app/main.py": "from fastapi import FastAPI\n\napp = FastAPI()\n",
        "frontend/package.json": '{"name": "front", "scripts": {"test": "node --test", "lint": "true"}}',
        "frontend/pnpm-lock.yaml": "",
    },
    "javascript": {"package.json": '{"name": "@me/pad"}', "index.js": "module.exports = 1\n"},
    "untested": {"tool.py": "print('ok')\n", "requirements.txt": ""},
    "elaborate": {**FILES, ".github/workflows/ci.yml": "on: push\njobs: {a: {runs-on: x, steps: [{run: ls}]}}\n"},
    "empty": {"notes.txt": "nothing here\n"},
}


def loaded(path: Path) -> Any:
    return yaml12.plain(yaml12.parse(path.read_bytes()))


def grow(bench, kind: str) -> Path:
    for path, text in KINDS[kind].items():
        bench.write(path, text)
    bench.commit("grown")
    return bench.folder


@pytest.mark.parametrize("kind", KINDS)
def test_a_second_time_gives_no_diff_and_what_is_there_stays(bench, kind: str) -> None:
    grow(bench, kind)
    options = InitOptions(kits=kits.KITS)
    report = init(bench.repository, options)
    assert report.found and report.after
    bench.commit("kit")
    again = init(bench.repository, options)
    assert bench.git("status", "--porcelain") == ""
    assert [action for action in again.actions if action.kind.changes] == []
    for path, text in KINDS[kind].items():
        assert (bench.folder / path).read_text() == text


@pytest.mark.parametrize("kind", KINDS)
def test_every_workflow_is_one_that_the_checks_can_plan(bench, cli_run, kind: str) -> None:
    grow(bench, kind)
    init(bench.repository, InitOptions(kits=kits.KITS))
    bench.commit("kit")
    done = cli_run("run", "--dry-run", ".github/workflows")
    assert done.returncode == 0, done.stdout + done.stderr
    zizmor = shutil.which("zizmor")
    if zizmor and kind != "elaborate":  # that one's own workflow is not ours to judge
        subprocess.run([zizmor, "--offline", "-q", ".github"], cwd=bench.folder, check=True)


def test_what_is_found(bench) -> None:
    seen = {one.path: one for one in survey.look(grow(bench, "fastapi")).projects}
    assert (seen["backend"].application, seen["backend"].manager) == ("app.main:app", "pip")
    assert (seen["frontend"].manager, seen["frontend"].install) == ("pnpm", ("pnpm install --frozen-lockfile",))


def test_somebodys_own_file_stays_and_gets_a_proposal(bench) -> None:
    grow(bench, "elaborate")
    report = init(bench.repository, InitOptions(kits=("ci",)))
    said = {action.what: action for action in report.actions}
    own = said[".github/workflows/ci.yml"]
    assert own.kind is ActionKind.PROPOSED
    assert "+  workflow_call:" in own.diff and "-jobs: {a" in own.diff
    assert said[".github/workflows/test_and_deploy.yml"].kind is ActionKind.SKIPPED
    moves = said["tests"].diff
    assert "git mv tests/test_base.py tests/integration/test_base.py" in moves
    assert (bench.folder / "tests/test_base.py").exists()


def test_a_file_that_nobody_edited_follows_the_repository(bench) -> None:
    grow(bench, "single")
    init(bench.repository, InitOptions(kits=("ci",)))
    page = bench.folder / ".github/workflows/ci.yml"
    first = page.read_text()
    bench.write("web/package.json", '{"name": "web"}')
    report = init(bench.repository, InitOptions(kits=("ci",)))
    assert ActionKind.RENEWED in {action.kind for action in report.actions}
    assert "web" in page.read_text() and page.read_text() != first
    page.write_text(page.read_text().replace("timeout-minutes: 20", "timeout-minutes: 25"))
    bench.write("web/package.json", '{"name": "web", "scripts": {"lint": "true"}}')
    edited = page.read_text()
    init(bench.repository, InitOptions(kits=("ci",)))
    assert page.read_text() == edited


def test_a_dry_run_and_a_print_write_nothing(bench, cli_run) -> None:
    grow(bench, "single")
    before = sorted(bench.folder.rglob("*"))
    assert init(bench.repository, InitOptions(kits=("ci",), dry_run=True)).changed
    shown = cli_run("init", "--print", "Makefile")
    assert shown.stdout == kits.one_file(bench.folder, "Makefile")
    assert sorted(bench.folder.rglob("*")) == before


def test_unknown_names_are_errors_that_say_what_there_is(bench) -> None:
    with pytest.raises(Invalid, match=r"no kit 'moon' \(there is: ci, hooks"):
        kits.chosen("ci,moon")
    with pytest.raises(Invalid, match="Makefile"):
        kits.one_file(bench.folder, "moon.yml")
    assert kits.chosen("all") == kits.KITS


def test_every_target_of_the_makefile_is_one_that_make_can_read(bench) -> None:
    grow(bench, "monorepo")
    init(bench.repository, InitOptions(kits=("ci",)))
    targets = ["setup", "lint", "test-all", "test-e2e", "test-api-unit", "test-worker-unit"]
    done = subprocess.run(["make", "-n", *targets], cwd=bench.folder, capture_output=True, text=True, check=True)
    assert "cd services/api && . .venv/bin/activate && python -m pytest -q tests" in done.stdout
    assert "pre-commit install" in done.stdout


def changes(bench, cli_run) -> tuple[dict[str, str], str]:
    """What the job ``changes`` gives out for the pull request of the branch that is checked out, and what it says."""
    done = cli_run(
        "run", "--event", "pull_request", "--base", "main", "--job", "changes", "--json",
        "--logs", str(bench.folder.parent / "logs"), ".github/workflows/test_and_deploy.yml",
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    log = (bench.folder.parent / "logs" / "changes.log").read_text()
    return {name: log for name in ("api", "worker") if f"{name}: checked, because of" in log}, log


def test_a_change_of_one_service_runs_only_its_jobs_and_says_why(bench, cli_run) -> None:
    grow(bench, "monorepo")
    init(bench.repository, InitOptions(kits=("ci",)))
    bench.commit("kit")
    bench.git("switch", "-q", "-c", "one")
    bench.commit("one", services__api__api__more_dot_py="x = 1\n")
    checked, log = changes(bench, cli_run)
    assert set(checked) == {"api"}
    assert "api: checked, because of services/api/api/more.py" in log
    assert "worker: not checked, nothing of it changed" in log
    page = loaded(bench.folder / ".github/workflows/test_and_deploy.yml")
    for name in ("api", "worker"):
        assert page["jobs"][f"test-{name}"]["if"] == f"needs.changes.outputs.{name} == 'true'"
    lint = loaded(bench.folder / ".github/workflows/ci.yml")["jobs"]["lint"]["steps"]
    gated = [step for step in lint if step.get("name", "").startswith("worker:")]
    assert gated and all(step["if"] == "steps.changed.outputs.worker == 'true'" for step in gated)


def test_images_and_deployments_are_for_what_can_be_started(bench) -> None:
    grow(bench, "fastapi")
    init(bench.repository, InitOptions(kits=("docker", "staging")))
    page = (bench.folder / "backend/Dockerfile").read_text()
    assert [line.split()[-1] for line in page.splitlines() if line.startswith("FROM")] == [
        "dependencies",
        "builder",
        "test",
        "production",
    ]
    last = page.split("AS production")[1]
    assert "USER 10001" in last and "tests" not in last and "app.main:app" in last
    assert ".git\n" in (bench.folder / "backend/.dockerignore").read_text()
    assert not (bench.folder / "frontend/Dockerfile").exists()
    prod = loaded(bench.folder / ".github/workflows/deploy-prod.yml")
    assert prod["jobs"]["deploy"]["environment"] == "production"
    assert set(prod["on"]["workflow_call"]["inputs"]) == {"backend"}
    services = loaded(bench.folder / "compose.prod.yml")["services"]
    assert services["backend"]["image"].startswith("${BACKEND_IMAGE:?") and "build" not in services["backend"]


def test_a_dockerfile_of_ones_own_stays(bench) -> None:
    grow(bench, "monorepo")
    report = init(bench.repository, InitOptions(kits=("docker", "staging")))
    own = next(action for action in report.actions if action.what == "services/api/Dockerfile")
    assert (own.kind, own.diff) == (ActionKind.SKIPPED, "")
    assert (bench.folder / "services/api/Dockerfile").read_text() == "FROM python:3.11-slim\nUSER nobody\n"


def test_what_others_use_of_this_repository_names_commands_that_exist(bench, cli_run) -> None:
    root = Path(__file__).resolve().parents[3]
    action = loaded(root / "action.yml")
    assert action["runs"]["using"] == "composite"
    (hook,) = loaded(root / ".pre-commit-hooks.yaml")
    assert (hook["id"], hook["entry"]) == ("ecluse-validate", "ecluse validate")
    assert cli_run("validate", "--help").returncode == 0


def test_what_init_itself_brings_is_not_judged_by_the_projects_rules(bench) -> None:
    bench.write("pyproject.toml", FILES["pyproject.toml"] + '[tool.ruff.lint]\nselect = ["UP", "T20"]\n')
    bench.write("solo/__init__.py", '"""Solo."""\n')
    init(bench.repository, InitOptions(kits=("ci", "hooks")))
    steps = loaded(bench.folder / ".github/workflows/ci.yml")["jobs"]["lint"]["steps"]
    (script,) = (step["run"] for step in steps if step.get("name") == "solo: ruff")
    ruff = f"{sys.executable} -m ruff"
    done = subprocess.run(
        ["bash", "-ec", script.replace("ruff check", f"{ruff} check")], cwd=bench.folder, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout
