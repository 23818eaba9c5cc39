"""``ci.yml`` and ``test_and_deploy.yml``, fitted to what lies in the repository."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ecluse.kit import docker, pins, runners
from ecluse.kit.survey import Project, Survey
from ecluse.kit.wanted import Wanted, environment, fill, untouched

CI = ".github/workflows/ci.yml"
DEPLOY = ".github/workflows/test_and_deploy.yml"
PACKAGE = ".github/workflows/package.yml"
PLACES = {"staging": ".github/workflows/deploy-staging.yml", "production": ".github/workflows/deploy-prod.yml"}
_TOOLS = {"ruff": pins.RUFF, "mypy": pins.MYPY}


@dataclass(frozen=True, slots=True)
class Step:
    """A step of a job: its name and the lines of its script."""

    name: str
    lines: tuple[str, ...]
    lenient: bool = False
    keys: bool = False


@dataclass(frozen=True, slots=True)
class Image:
    """An image to build, and the projects whose tests come first."""

    name: str
    file: str
    context: str
    needs: tuple[str, ...]
    command: str = ""


def wanted(work_tree: Path, survey: Survey) -> list[Wanted]:
    """Both workflows. The second needs the first to be callable, also when the first is somebody's own."""
    context = _context(survey)
    ci = fill("ci.yml", lint_steps=lambda one: lint(one, survey), smoke_steps=lambda one: smoke(one, survey), **context)
    return [Wanted(CI, ci), Wanted(DEPLOY, fill("test_and_deploy.yml", **context), why=_uncallable(work_tree))]


def package(survey: Survey) -> list[Wanted]:
    """The workflow that builds and tries what a package index gets; none for what is no package."""
    one = docker.published(survey)
    if one is None:
        return []
    context = {"one": one, "versions": pins, "scm": "scm" in one.configured, "hashed": "hashed" in one.configured}
    return [Wanted(PACKAGE, fill("package.yml", **context))]


def _uncallable(work_tree: Path) -> str:
    try:
        text = (work_tree / CI).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""
    if untouched(text) or "workflow_call" in text:
        return ""
    return f"it calls {CI}, which is yours and has no workflow_call; add that to its triggers first"


def _context(survey: Survey) -> dict[str, Any]:
    projects = survey.projects
    context: dict[str, Any] = {
        "many": survey.many,
        "projects": projects,
        "filters": {one.name: globs(one, survey) for one in projects},
        "key": f"{survey.name.upper().replace('-', '_')}_KEY",
        "images": images(survey),
        "scanned": scanned(projects),
        "test_steps": lambda one: tests(one, survey),
        "audit_lines": lambda one: audit(one, survey),
        "place": lambda one: "" if one.path == "." else f"{one.path}/",
        "results": lambda one: bool(one.tests and (one.language == "python" or one.runner_of_tests.name)),
        "package": PACKAGE in survey.workflows,
        "deployed": [one for one in projects if docker.stays(one) and one.dockerfile],
        **{place: path in survey.workflows for place, path in PLACES.items()},
        "cached": cached,
        "detect_secrets": pins.DETECT_SECRETS,
    }
    parts = (
        environment()
        .get_template("parts.yml")
        .make_module({"pins": pins.ACTIONS, "cached": cached, "versions": _versions})
    )
    context |= {name: _lines(getattr(parts, name)) for name in ("changed", "tools")}
    return context


def _versions(projects: tuple[Project, ...]) -> list[str]:
    """The one version of Python for a job: the newest that a project needs."""
    return sorted((one.python for one in projects if one.language == "python"), key=lambda v: int(v[2:]))[-1:]


def _lines(macro: Any) -> Any:
    return lambda *words: str(macro(*words)).strip("\n")


def scanned(projects: tuple[Project, ...]) -> tuple[Project, ...]:
    """The scan itself is written in Python: a repository without it still gets one set up."""
    if any(one.language == "python" for one in projects):
        return projects
    return (*projects, Project("scan", ".", "python", "pip", ()))


def cached(projects: tuple[Project, ...], language: str) -> list[str]:
    """The files whose change makes a cache of packages stale."""
    named = [one for one in projects if one.language == language and one.lock]
    return [one.lock if one.path == "." else f"{one.path}/{one.lock}" for one in named] or [CI]


def globs(project: Project, survey: Survey) -> tuple[str, ...]:
    """The paths that a project consists of; the workflows belong to each."""
    if project.whole or not survey.many:
        return ("**",)
    if project.path != ".":
        return (f"{project.path}/**", *project.shared, ".github/workflows/**")
    others = [one.path for one in survey.projects if one.path != "."]
    if not others:  # two languages in one folder: who can tell which file is whose
        return ("**",)
    # the filter joins its patterns by "or", so what is the root's is named instead
    tops = dict.fromkeys(path.partition("/")[0] for test in project.tests for path in test.paths)
    return (*(f"{source}/**" if "." not in source else source for source in project.sources),
            *(top if "." in top else f"{top}/**" for top in tops), *_root_files(project),
            ".github/workflows/**")  # fmt: skip


def _root_files(project: Project) -> tuple[str, ...]:
    """The files beside each other in the root that decide how it is installed and tested."""
    if project.language == "python":
        return ("*.toml", "*.cfg", "*.ini", "*.py", "requirements*", "requirements/**", "*.lock")
    return ("*.json", "*.js", "*.mjs", "*.cjs", "*.ts", "*.yaml", "*.lock", "src/**", "lib/**", "test/**", "tests/**")


def images(survey: Survey) -> tuple[Image, ...]:
    """One for each Dockerfile; the root's needs every project, as it may take from all of them."""
    found = {one.dockerfile: one for one in survey.projects if one.dockerfile}
    made = []
    for file, one in sorted(found.items()):
        needs = (one.name,) if one.path != "." else tuple(project.name for project in survey.projects)
        made.append(Image(one.name, file, one.path, needs, docker.entry(one)))
    return tuple(made)


def lint(project: Project, survey: Survey) -> tuple[Step, ...]:
    """What is configured decides whole; what is not shows only errors that no taste is needed for."""
    return tuple(_python_lint(project, survey) if project.language == "python" else _javascript_lint(project))


def _python_lint(project: Project, survey: Survey) -> list[Step]:
    run, sources = project.runner, shlex.join(project.sources) or "."
    typed = "mypy" in project.configured
    bring = _install(project, survey, "ruff", "mypy", also=project.checking if typed else ())
    check, again = f"{run}ruff check --extend-exclude .sync", _enter(project, survey)
    steps = [Step("bring what it needs", bring)]
    if "ruff" in project.configured:
        form = [f"{run}ruff format --check --extend-exclude .sync ."] if "format" in project.configured else []
        steps.append(Step("ruff", (*again, f"{check} .", *form)))
        if "format-shown" in project.configured:
            words = f"{run}ruff format --check --extend-exclude .sync ."
            steps.append(Step("ruff: the format", (*again, words), lenient=True))
    else:  # names that only some versions of Python have look undefined: who has not chosen the rules is told, not stopped
        steps.append(Step("ruff: every file can be read", (*again, f"{check} --select E9 .")))
        steps.append(Step("ruff: undefined names", (*again, f"{check} --select F63,F7,F82 ."), lenient=True))
    mypy = f"{run}mypy" if "mypy-paths" in project.configured else f"{run}mypy {sources}"
    mypy += "" if typed else " --ignore-missing-imports"
    return [*steps, Step("mypy", (*again, mypy), lenient=not typed)]


def _javascript_lint(project: Project) -> list[Step]:
    steps = [Step("bring what it needs", project.install)]
    if "lint" in project.scripts:
        steps.append(Step("lint", (f"{project.runner}lint",)))
    else:
        level = "" if "biome" in project.configured else " --only=correctness/noUndeclaredVariables"
        words = f"npx --yes @biomejs/biome@{pins.BIOME} lint{level} ."
        steps.append(Step("biome", (words,), lenient="biome" not in project.configured))
    own = next((one.removeprefix("script-") for one in project.configured if one.startswith("script-")), "")
    if own:
        steps.append(Step("types", (f"{project.runner}{own}",)))
    elif "types" in project.configured:
        known = "has-typescript" in project.configured  # else nobody says which version it is written for
        build = " --build" if "references" in project.configured else ""
        steps.append(Step("types", (f"npx --yes --package typescript tsc{build} --noEmit",), lenient=not known))
    return steps


def smoke(project: Project, survey: Survey) -> tuple[Step, ...]:
    """The unit tests, ending at the third failure; without any, that every file can be read by the language."""
    if project.language == "javascript":
        check = (
            (f"{project.runner}test",)
            if project.tests
            else ("git ls-files '*.js' '*.mjs' '*.cjs' | xargs -r -n1 node --check",)
        )
        return (Step("bring what it needs", project.install), Step("smoke", check))
    enter = _enter(project, survey)
    unit = next((one for one in project.tests if one.kind == "unit"), None)
    if unit is None:
        files = shlex.join(project.sources) or "."
        return (Step("smoke: no unit tests, so every file is compiled", ("python -m compileall -q " + files,)),)
    words = "manage.py test --failfast" if project.manage else f"-m pytest -q --maxfail=3 {unit.words}"
    return (
        Step("bring what it needs", _install(project, survey)),
        Step("smoke", (*enter, f"{project.runner}python {words}")),
    )


def tests(project: Project, survey: Survey) -> tuple[Step, ...]:
    """Every kind of a project's tests, with results and coverage where the runner writes them."""
    if not project.tests:
        return smoke(project, survey)
    if project.language == "javascript":
        lines = runners.with_results(project.runner_of_tests, project.runner)
        return (Step("bring what it needs", project.install), Step("tests", lines, keys=True))
    steps = [Step("bring what it needs", _install(project, survey))]
    if project.manage:
        python = f"{project.runner}python -m coverage"
        lines = (f"{python} run manage.py test", f"{python} xml -o reports/coverage-unit.xml")
        return (*steps, Step("unit tests", (*_enter(project, survey), *lines), keys=True))
    for kind in project.tests:
        words = f"{project.runner}python -m pytest -q {kind.words} --junitxml=reports/{kind.kind}.xml"
        words += f" {project.coverage} --cov-report=xml:reports/coverage-{kind.kind}.xml"
        steps.append(Step(f"{kind.kind} tests", (*_enter(project, survey), words), keys=True))
    return tuple(steps)


def audit(project: Project, survey: Survey) -> tuple[str, ...]:
    """The commands that look for known weaknesses of a project's dependencies."""
    if project.language == "javascript":
        manager = project.runner.removesuffix(" run ")
        if project.manager == "yarn":
            return (f"{manager} {'npm ' if 'cli-dist' in manager else ''}audit",)
        if project.manager == "npm" and not (project.lock or project.shared):
            return ("npm install --no-fund && npm audit --audit-level=high",)
        return (f"{manager} audit --audit-level=high",)
    bring = (
        'python -m venv "$RUNNER_TEMP/audit"',
        f'"$RUNNER_TEMP/audit/bin/pip" install --quiet pip-audit=={pins.PIP_AUDIT}',
    )
    return (*bring, *_python_audit(project, survey, '"$RUNNER_TEMP/audit/bin/pip-audit"'))


def _python_audit(project: Project, survey: Survey, tool: str) -> tuple[str, ...]:
    """What is locked is looked up as locked, what is declared as it resolves now, and else what gets installed."""
    if project.manager == "uv":
        listed = '"$RUNNER_TEMP/locked.txt"'
        return (
            "python -m pip install --quiet uv",
            f"uv export --quiet --no-emit-workspace --output-file {listed}",
            f"{tool} --require-hashes --disable-pip --requirement {listed}",
        )
    if project.lock == "requirements.txt":
        return (f"{tool} -r requirements.txt",)
    if project.lock == "pyproject.toml" and "metadata" in project.configured:
        return (f"{tool} .",)
    place = f"{project.runner}python -c 'import sysconfig; print(sysconfig.get_path(\"purelib\"))'"
    return (*_install(project, survey), f'{tool} --path "$({place})"')


def _enter(project: Project, survey: Survey) -> tuple[str, ...]:
    """Projects of a monorepo have an environment each: what one brings cannot hide what another lacks."""
    return (f'. "$RUNNER_TEMP/{project.name}/bin/activate"',) if survey.many else ()


def _install(project: Project, survey: Survey, *tools: str, also: tuple[str, ...] = ()) -> tuple[str, ...]:
    made = (f'python -m venv "$RUNNER_TEMP/{project.name}"',) if survey.many else ()
    return (*made, *_enter(project, survey), *project.install, *also, *_tools(project, tools))


def _tools(project: Project, tools: tuple[str, ...]) -> tuple[str, ...]:
    """Tools in the version that the project names; one that it brings itself is taken as it came."""
    named = " ".join(
        tool if f"names-{tool}" in project.configured else f"{tool}=={project.version_of(tool, _TOOLS[tool])}"
        for tool in tools
        if f"has-{tool}" not in project.configured
    )
    if not named:
        return ()
    pip = {"uv": "env -u VIRTUAL_ENV uv pip install"}.get(project.manager, f"{project.runner}python -m pip install")
    return (f"{pip} {named}",)
