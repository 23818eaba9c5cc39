"""``ecluse init --kit`` on repositories of several kinds."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ecluse import config, dockerfiles, yaml12
from ecluse.errors import Invalid
from ecluse.kit import ActionKind, InitOptions, docker, init, kits, survey
from ecluse.release import compile_playbook, lint
from ecluse.release.deploy.compose import variable_of

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
    "command": {
        "pyproject.toml": '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n'
        '[project]\nname = "saw"\nversion = "1.0"\ndependencies = ["click"]\n[project.scripts]\nsaw = "saw:main"\n',
        "saw/__init__.py": '__version__ = "1.0"\n\n\ndef main() -> None:\n    print(__version__)\n',
        "Makefile": ".PHONY: lint\nlint test-saw-unit:\n\t@echo mine\n\ninclude kit.mk\n",
        "tests/integration/test_one.py": "def test_one():\n    assert True\n",
        "tests/unit/test_two.py": "def test_two():\n    assert True\n",
    },
    "empty": {"notes.txt": "nothing here\n"},
}


def loaded(path: Path) -> Any:
    return yaml12.plain(yaml12.parse(path.read_bytes()))


def grow(bench, kind: str) -> Path:
    for path, text in KINDS[kind].items():
        bench.write(path, text)
    bench.commit("grown")
    return bench.folder


def brought(bench, *names: str) -> None:
    """The kit's own files, written without what else init looks at and does."""
    for piece in kits.plan(bench.folder, survey.look(bench.folder), names or kits.KITS):
        if piece.data is not None:
            bench.write(piece.path, piece.data)


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
    brought(bench)
    bench.commit("kit")
    done = cli_run("run", "--dry-run", ".github/workflows")
    assert done.returncode == 0, done.stdout + done.stderr
    zizmor = shutil.which("zizmor")
    if zizmor and kind != "elaborate":  # that one's own workflow is not ours to judge
        subprocess.run([zizmor, "--offline", "-q", ".github"], cwd=bench.folder, check=True)
    actionlint = shutil.which("actionlint")
    if actionlint and kind != "elaborate":
        pages = sorted(str(path) for path in bench.folder.glob(".github/workflows/*.yml"))
        said = subprocess.run([actionlint, *pages], cwd=bench.folder, capture_output=True, text=True)
        assert said.returncode == 0, said.stdout


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
    brought(bench, "ci")
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
    brought(bench, "ci")
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
    brought(bench, "docker", "staging")
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


def test_compose_builds_the_stage_that_a_dockerfile_of_ones_own_has(bench) -> None:
    grow(bench, "monorepo")
    bench.write("services/worker/Dockerfile", "FROM python:3.11-slim AS Production\nUSER nobody\n")
    bench.commit("a stage of that name")
    brought(bench, "docker", "staging")
    local = loaded(bench.folder / "compose.yml")["services"]
    assert local["api"]["build"] == {"context": "services/api"}, "its Dockerfile has one stage without a name"
    assert local["worker"]["build"]["target"] == "production"
    for path in ("compose.yml", "compose.prod.yml", "docker-compose.staging.yml"):
        assert list(loaded(bench.folder / path)) == ["services"], "what every compose reads, old ones too"


def test_a_command_gets_an_image_a_package_and_a_playbook_and_nothing_that_stays_running(bench) -> None:
    grow(bench, "command")
    report = init(bench.repository, InitOptions(kits=kits.KITS))
    said = {action.what: action for action in report.actions}
    assert said["compose.yml"].kind is ActionKind.SKIPPED and "stays running" in said["compose.yml"].why
    assert 'ENTRYPOINT ["saw"]' in (bench.folder / "Dockerfile").read_text()
    jobs = loaded(bench.folder / ".github/workflows/test_and_deploy.yml")["jobs"]
    assert (
        jobs["publish"]["permissions"] == {"id-token": "write"} and jobs["publish"]["if"] == "github.ref_type == 'tag'"
    )
    assert set(jobs["publish"]["needs"]) == {"package", "scan", "test-saw"}
    steps = loaded(bench.folder / ".github/workflows/package.yml")["jobs"]["package"]["steps"]
    assert any("alone/bin/saw" in step.get("run", "") for step in steps)
    page = (bench.folder / "playbooks/release.md").read_text()
    assert 'versions="pyproject.toml saw/__init__.py"' in page and "deploy" not in page.split("## Human gates")[1]
    assert lint(compile_playbook(page, "playbooks/release.md")) == []
    assert config.parse((bench.folder / "ecluse.toml").read_bytes()).environments == {}


def test_the_image_that_was_scanned_is_pushed_and_its_digest_is_what_goes_live(bench) -> None:
    grow(bench, "fastapi")
    brought(bench)
    jobs = loaded(bench.folder / ".github/workflows/test_and_deploy.yml")["jobs"]
    uses = [str(step.get("uses", "")) for step in jobs["image-backend"]["steps"]]
    assert sum("build-push-action" in one for one in uses) == 1, "a second build could be another image"
    push = next(step for step in jobs["image-backend"]["steps"] if step.get("id") == "push")
    scan = next(step for step in jobs["image-backend"]["steps"] if step.get("name") == "scan")
    assert "docker tag candidate:ci" in push["run"] and scan["with"]["image-ref"] == "candidate:ci"
    for place, file in (("staging", "docker-compose.staging.yml"), ("production", "compose.prod.yml")):
        called = jobs[f"deploy-{place}"]
        assert called["with"] == {"backend": "${{ needs.image-backend.outputs.image }}"}
        deploy = loaded(bench.folder / called["uses"])["jobs"]["deploy"]
        assert deploy["env"]["BACKEND_IMAGE"] == "${{ inputs.backend }}"
        assert "${BACKEND_IMAGE:?" in (bench.folder / file).read_text()
    page = (bench.folder / "playbooks/release.md").read_text()
    assert "image.push name={inputs.registry}/backend:{version}" in page
    assert variable_of("registry.example/team/backend:1.0") == "BACKEND_IMAGE"
    assert lint(compile_playbook(page, "playbooks/release.md")) == []


def test_environments_are_added_once_and_refused_until_they_are_filled_in(bench, cli_run) -> None:
    grow(bench, "fastapi")
    bench.write("backend/app/more.py", 'PATH = "/healthz"\n')
    init(bench.repository, InitOptions(kits=("docker", "staging", "release")))
    bench.commit("kit")
    policy = config.parse((bench.folder / "ecluse.toml").read_bytes())
    assert set(policy.environments) == {"staging", "production"}
    production = policy.environments["production"]
    assert (production.production, production.reviewers, production.branches) == (
        True,
        ("human",),
        ("main", "hotfix/*"),
    )
    assert (production.health, production.compose) == ("/healthz", ("compose.prod.yml",))
    planned = cli_run("release", "plan", "--input", "registry=registry.example/team")
    assert planned.returncode == 2 and "deploy@production.example.invalid" in planned.stderr
    assert "deploy@staging.example.invalid" in cli_run("doctor").stdout
    text = (bench.folder / "ecluse.toml").read_text().replace("example.invalid", "example.com")
    bench.write("ecluse.toml", text)
    bench.commit("filled in")
    planned = cli_run("release", "plan", "--input", "registry=registry.example/team")
    assert planned.returncode == 0, planned.stderr
    assert init(bench.repository, InitOptions(kits=("staging", "release"))).changed is False
    assert (bench.folder / "ecluse.toml").read_text() == text


def test_environments_of_ones_own_stay(bench) -> None:
    own = 'solo = true\n\n[environments.live]\nproduction = true\npath = "/srv"\nurl = "http://127.0.0.1:1"\ncommand = ["true"]'
    grow(bench, "fastapi")
    bench.write("ecluse.toml", own)
    init(bench.repository, InitOptions(kits=("staging",)))
    text = (bench.folder / "ecluse.toml").read_text()
    assert text.startswith(own + "\n") and set(config.parse(text.encode()).environments) == {"live", "staging"}
    (bench.folder / "ecluse.toml").unlink()
    bench.write("pyproject.toml", "[tool.ecluse]\nsolo = true\n")
    report = init(bench.repository, InitOptions(kits=("staging",)))
    (proposed,) = (action for action in report.actions if action.what == "pyproject.toml")
    assert proposed.kind is ActionKind.PROPOSED and "[tool.ecluse.environments.production]" in proposed.diff


def test_what_the_look_cannot_see_is_said_in_the_policy(bench) -> None:
    grow(bench, "untested")
    said = '[kit.projects.work]\nstart = ["python", "tool.py"]\nport = 9000\nhealth = "/up"\npackages = ["git"]\n'
    bench.write("ecluse.toml", said)
    brought(bench, "docker", "staging")
    page = (bench.folder / "Dockerfile").read_text()
    assert (
        'CMD ["python", "tool.py"]' in page
        and "127.0.0.1:9000/up" in page
        and "install --no-install-recommends -y git" in page
    )
    assert dockerfiles.lint(page) == []
    assert loaded(bench.folder / "compose.yml")["services"]["work"]["ports"] == ["127.0.0.1:8000:9000"]


def test_a_makefile_of_ones_own_stays_and_can_include_what_it_lacks(bench) -> None:
    grow(bench, "command")
    brought(bench, "ci")
    words = ["make", "-n", "lint", "test-saw-unit", "test-saw-integration"]
    done = subprocess.run(words, cwd=bench.folder, capture_output=True, text=True, check=True)
    assert done.stdout.count("echo mine") == 2 and "pytest -q tests/integration" in done.stdout and done.stderr == ""
    bench.write("Makefile", "lint:\n\t@echo mine\n")
    report = init(bench.repository, InitOptions(kits=("ci",)))
    assert "include kit.mk" in next(action.why for action in report.actions if action.what == "Makefile")


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "monorepo"])  # that one's Dockerfile is its own
def test_every_dockerfile_of_the_kit_is_without_fault(bench, kind: str) -> None:
    grow(bench, kind)
    seen = kits.foreseen(survey.look(bench.folder), kits.KITS)
    for one in seen.projects:
        assert dockerfiles.lint(docker.text_of(one)) == []


def test_changed_dockerfiles_are_judged(bench, cli_run) -> None:
    bench.commit("image", Dockerfile='FROM python:3.12-slim\nADD . /app\nUSER 1\nCMD ["a"]\n')
    done = cli_run("validate", "--level", "complete")
    assert done.returncode == 5 and "Dockerfile:2: DL3020 error" in done.stdout
    assert "Dockerfile:2: DL3020 error" in cli_run("doctor").stdout


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


def test_a_plan_says_what_would_be_done_and_each_reason_once(bench, cli_run) -> None:
    grow(bench, "single")
    said = cli_run("init", "--kit", "all", "--dry-run").stdout
    assert "\n  create    Makefile\n" in said and "created" not in said.partition("Would do:")[2]
    assert said.count("nothing here stays running") == 1
