"""What a look at a repository finds, on the corner cases that real packages have."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ecluse.kit import docker, workflows
from ecluse.kit.found import Project, Survey
from ecluse.kit.survey import look

TEST = "def test_one():\n    assert True\n"
PACKAGE = '[project]\nname = "one"\n'


def lay(folder: Path, files: dict[str, str]) -> Survey:
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    return look(folder)


def only(folder: Path, files: dict[str, str]) -> Project:
    (project,) = lay(folder, files).projects
    return project


def words(project: Project) -> dict[str, str]:
    return {test.kind: test.words for test in project.tests}


@pytest.mark.parametrize(
    ("files", "wanted"),
    [
        ({"tests/test_a.py": TEST}, {"unit": "tests"}),
        ({"testing/test_a.py": TEST}, {"unit": "testing"}),
        ({"one/__init__.py": "", "one/tests/test_a.py": TEST}, {"unit": "one/tests"}),
        ({"src/one/__init__.py": "", "src/one/tests/a_test.py": TEST}, {"unit": "src/one/tests"}),
        ({"test.py": TEST, "one.py": ""}, {"unit": "test.py"}),
        ({"test_a.py": TEST, "b_test.py": TEST, "one.py": ""}, {"unit": "b_test.py test_a.py"}),
        ({"pytest.ini": "[pytest]\ntestpaths = checks\n", "checks/test_a.py": TEST}, {"unit": "checks"}),
        ({"tox.ini": "[pytest]\ntestpaths =\n    checks\n", "checks/test_a.py": TEST}, {"unit": "checks"}),
        ({"setup.cfg": "[tool:pytest]\ntestpaths = checks\n", "checks/test_a.py": TEST}, {"unit": "checks"}),
        ({"tests/unit/test_a.py": TEST, "tests/test_b.py": TEST}, {"unit": "tests/unit"}),
        (
            {"tests/test_a.py": TEST, "tests/integration/test_b.py": TEST, "tests/e2e/test_c.py": TEST},
            {"unit": "tests --ignore=tests/integration --ignore=tests/e2e", "integration": "tests/integration",
             "e2e": "tests/e2e"},
        ),
        ({"tests/integration/test_b.py": TEST}, {"integration": "tests/integration"}),
        ({"tests/node_modules/x/test_a.py": TEST, "one.py": ""}, {}),
        ({"docs/test_a.py": TEST, "one.py": ""}, {}),
    ],
)  # fmt: skip
def test_where_tests_of_python_lie(tmp_path: Path, files: dict[str, str], wanted: dict[str, str]) -> None:
    assert words(only(tmp_path, {"setup.py": "", **files})) == wanted


def test_a_configuration_that_names_a_folder_without_tests_is_not_believed(tmp_path: Path) -> None:
    text = PACKAGE + '[tool.pytest.ini_options]\ntestpaths = ["gone", "empty"]\n'
    assert words(only(tmp_path, {"pyproject.toml": text, "empty/a.py": "", "tests/test_a.py": TEST})) == {
        "unit": "tests"
    }


@pytest.mark.parametrize(
    ("files", "wanted"),
    [
        ({"pyproject.toml": PACKAGE + "[project.optional-dependencies]\ntest = []\ndocs = []\n"}, '-e ".[test]"'),
        ({"setup.py": "setup(extras_require={'testing': ['x'], 'docs': []})"}, '-e ".[testing]"'),
        ({"setup.py": "", "setup.cfg": "[options.extras_require]\ntests =\n    x\n"}, '-e ".[tests]"'),
        ({"pyproject.toml": PACKAGE + "[dependency-groups]\ntests = []\ndocs = []\n"}, "-e . --group tests"),
        ({"setup.py": "", "dev.requirements.txt": "x\n"}, "-e . -r dev.requirements.txt"),
        ({"setup.py": "", "requirements/testing.txt": "x\n"}, "-e . -r requirements/testing.txt"),
        ({"setup.py": "", "tests/requirements.txt": "x\n"}, "-e . -r tests/requirements.txt"),
        ({"requirements.txt": "x\n", "one.py": ""}, "-r requirements.txt"),
        (
            {"pyproject.toml": PACKAGE + '[tool.hatch.envs.test]\ndependencies = ["hypothesis>=6", "pytest"]\n'},
            '-e . "hypothesis>=6"',
        ),
        ({"pyproject.toml": PACKAGE + '[tool.pdm.dev-dependencies]\ntest = ["x"]\n'}, "-e . x"),
        ({"setup.py": "", "setup.cfg": "[options]\ntests_require =\n    x>=1\n"}, '-e . "x>=1"'),
        (
            {"setup.py": "", "tox.ini": "[testenv]\ndeps =\n  pytest\n  -r more.txt\n  py27: mock\n  {posargs}\n  x # y\n"},
            "-e . -r more.txt x",
        ),
        ({"setup.py": "", "requirements-dev.txt": "", "tox.ini": "[testenv]\ndeps = x\n"}, "-e . -r requirements-dev.txt"),
    ],
)  # fmt: skip
def test_what_pip_is_given(tmp_path: Path, files: dict[str, str], wanted: str) -> None:
    project = only(tmp_path, files)
    assert project.manager == "pip"
    assert project.install[-1] == f"python -m pip install {wanted} pytest pytest-cov"


def test_poetry_is_known_without_its_lock_file(tmp_path: Path) -> None:
    text = '[tool.poetry]\nname = "one"\n[tool.poetry.group.test]\noptional = true\n[build-system]\nrequires = []\n'
    project = only(tmp_path, {"pyproject.toml": text})
    assert (project.manager, project.install[1]) == ("poetry", "poetry install --all-extras --with test")


def test_a_member_of_a_workspace_of_uv_has_the_lock_file_of_the_root(tmp_path: Path) -> None:
    root = PACKAGE + '[tool.uv.workspace]\nmembers = ["libs/*"]\nexclude = ["libs/old"]\n'
    files = {"pyproject.toml": root, "uv.lock": ""}
    for name in ("new", "old"):
        files |= {f"libs/{name}/pyproject.toml": PACKAGE.replace("one", name)}
    seen = lay(tmp_path, files)
    found = {one.path: one for one in seen.projects}
    assert {path: one.manager for path, one in found.items()} == {".": "uv", "libs/new": "uv", "libs/old": "pip"}
    assert workflows.globs(found["libs/new"], seen) == ("libs/new/**", "uv.lock", ".github/workflows/**")


@pytest.mark.parametrize(
    ("asked", "wanted"),
    [
        (">=3.8", "3.11"),
        (">=3.12,<4", "3.12"),
        ("~=3.13", "3.13"),
        (">=3.7,<3.11", "3.10"),
        ("", "3.11"),
        (">3", "3.11"),
    ],
)
def test_the_version_of_python(tmp_path: Path, asked: str, wanted: str) -> None:
    assert only(tmp_path, {"pyproject.toml": PACKAGE + f'requires-python = "{asked}"\n'}).python == wanted
    old = {"setup.py": "", "setup.cfg": f"[options]\npython_requires = {asked}\n"}
    assert only(tmp_path / "old", old).python == wanted


@pytest.mark.parametrize(
    ("files", "wanted"),
    [
        ({"src/one/__init__.py": ""}, ("src",)),
        ({"src/one.py": ""}, ("src",)),
        ({"src/space/one/__init__.py": ""}, ("src",)),
        ({"space/one/__init__.py": ""}, ("space",)),
        ({"one/__init__.py": "", "scripts/x/__init__.py": "", "noxfile.py": "", "docs/__init__.py": ""}, ("one",)),
    ],
)
def test_where_code_lies(tmp_path: Path, files: dict[str, str], wanted: tuple[str, ...]) -> None:
    assert only(tmp_path, {"setup.py": "", **files}).sources == wanted


@pytest.mark.parametrize(
    ("path", "wanted"),
    [("app.py", "app:app"), ("src/shop/main.py", "shop.main:app"), ("shop/api/main.py", "shop.api.main:app")],
)
def test_an_application_is_found_where_packages_keep_it(tmp_path: Path, path: str, wanted: str) -> None:
    files = {path: "import fastapi\n\napp: fastapi.FastAPI = fastapi.FastAPI()\n"}
    if path.count("/"):
        files[f"{path.rsplit('/', 1)[0]}/__init__.py"] = ""
        files[f"{path.split('/')[0]}/__init__.py"] = ""
    assert only(tmp_path, {"setup.py": "", **files}).application == wanted


def test_the_versions_of_somebodys_hooks_are_used_and_those_of_the_kit_are_not(tmp_path: Path) -> None:
    hooks = """repos:
  - repo: https://github.com/astral-sh/ruff-pre-commit
    rev: v0.9.1 # pinned
    hooks: [{id: ruff}]
  - repo: "https://github.com/pre-commit/mirrors-mypy"
    rev: "v1.14.1"
"""
    text = PACKAGE + "[tool.mypy]\n[tool.ruff]\n"
    seen = lay(tmp_path, {"pyproject.toml": text, ".pre-commit-config.yaml": hooks})
    (bring, *_) = workflows.lint(seen.projects[0], seen)
    assert bring.lines[-1] == "python -m pip install ruff==0.9.1 mypy==1.14.1"
    from ecluse.kit.wanted import signed

    (tmp_path / ".pre-commit-config.yaml").write_text(signed(hooks))
    assert look(tmp_path).projects[0].pinned == ()


def test_what_the_type_checker_needs_is_brought_for_the_type_checker_only(tmp_path: Path) -> None:
    text = PACKAGE + "[tool.mypy]\n[dependency-groups]\ntyping = []\ntests = []\n"
    seen = lay(tmp_path, {"pyproject.toml": text, "tests/test_a.py": TEST})
    assert any("--group typing" in line for line in workflows.lint(seen.projects[0], seen)[0].lines)
    assert not any("--group typing" in line for line in workflows.smoke(seen.projects[0], seen)[0].lines)


def script(name: str = "pad", **more: Any) -> str:
    return json.dumps({"name": name, "scripts": {"test": "node --test"}, **more})


@pytest.mark.parametrize(
    ("files", "manager", "install", "pnpm"),
    [
        ({"package.json": script()}, "npm", "npm install --no-audit --no-fund", ""),
        ({"package.json": script(), "package-lock.json": ""}, "npm", "npm ci", ""),
        ({"package.json": script(), "pnpm-lock.yaml": "lockfileVersion: 5.4\n"}, "pnpm", "pnpm install --frozen-lockfile", "7"),
        ({"package.json": script(), "pnpm-lock.yaml": "lockfileVersion: '6.0'\n"}, "pnpm", "pnpm install --frozen-lockfile", "8"),
        ({"package.json": script(packageManager="pnpm@9.1.0+sha512.0")}, "pnpm", "pnpm install --no-frozen-lockfile", ""),
        ({"package.json": script(), "yarn.lock": ""}, "yarn", "npx --yes yarn@1.22.22 install --frozen-lockfile", ""),
        ({"package.json": script(), "yarn.lock": "", ".yarnrc.yml": ""}, "yarn",
         "npx --yes --package @yarnpkg/cli-dist@4 yarn install --immutable", ""),
        ({"package.json": script(packageManager="yarn@3.8.7+sha512.0"), "yarn.lock": ""}, "yarn",
         "npx --yes --package @yarnpkg/cli-dist@3.8.7 yarn install --immutable", ""),
        ({"package.json": script(packageManager="npm@10.0.0"), "yarn.lock": "", "package-lock.json": ""}, "npm", "npm ci", ""),
    ],
)  # fmt: skip
def test_the_package_manager_of_javascript(
    tmp_path: Path, files: dict[str, str], manager: str, install: str, pnpm: str
) -> None:
    project = only(tmp_path, files)
    assert (project.manager, project.install, project.pnpm) == (manager, (install,), pnpm)
    smoke = workflows.smoke(project, look(tmp_path))[-1].lines
    assert smoke == (f"{project.runner}test",) and project.runner.endswith("run ")


@pytest.mark.parametrize("listed", ["array", "object", "pnpm"])
def test_packages_of_a_workspace_have_the_lock_file_of_the_root(tmp_path: Path, listed: str) -> None:
    globs = ["packages/*", "./tools/one/", "!packages/old"]
    lock = "pnpm-lock.yaml" if listed == "pnpm" else "package-lock.json"
    files = {f"{path}/package.json": script(path[-3:]) for path in ("packages/new", "packages/old", "tools/one", "odd")}
    root: dict[str, Any] = {"name": "all", "scripts": {"test": "run all", "lint": "eslint ."}}
    if listed == "pnpm":
        files["pnpm-workspace.yaml"] = (
            "packages:\n  # ours\n  - 'packages/*'\n  - tools/one\n  - '!packages/old'\nx: 1\n"
        )
    else:
        root["workspaces"] = globs if listed == "array" else {"packages": globs}
    seen = lay(tmp_path, {**files, "package.json": json.dumps(root), lock: "lockfileVersion: '9.0'\n"})
    found = {one.path: one for one in seen.projects}
    manager = "pnpm" if listed == "pnpm" else "npm"
    assert {path: one.manager for path, one in found.items()} == {
        ".": manager, "packages/new": manager, "packages/old": "npm", "tools/one": manager, "odd": "npm",
    }  # fmt: skip
    assert found["packages/new"].install == found["."].install != found["odd"].install
    assert workflows.globs(found["packages/new"], seen) == (
        "packages/new/**", "package.json", lock, ".github/workflows/**",
    )  # fmt: skip
    assert found["."].tests == () and workflows.globs(found["."], seen) == ("**",)


def test_a_root_that_only_binds_a_workspace_together_is_no_project(tmp_path: Path) -> None:
    root = json.dumps({"workspaces": ["packages/*"], "scripts": {"build": "x"}})
    assert [
        one.path for one in lay(tmp_path, {"package.json": root, "packages/a/package.json": script()}).projects
    ] == ["packages/a"]


def test_a_root_whose_packages_have_no_tests_keeps_its_own(tmp_path: Path) -> None:
    root = json.dumps({"name": "all", "workspaces": ["packages/*"], "scripts": {"test": "vitest"}})
    seen = lay(tmp_path, {"package.json": root, "packages/a/package.json": '{"name": "a"}'})
    assert [(one.path, len(one.tests)) for one in seen.projects] == [(".", 1), ("packages/a", 0)]


@pytest.mark.parametrize(("asked", "wanted"), [("", "22"), (">=18", "22"), ("^24.1", "24"), ("20 || >=24", "22")])
def test_the_version_of_node(tmp_path: Path, asked: str, wanted: str) -> None:
    assert only(tmp_path, {"package.json": script(engines={"node": asked})}).node == wanted


def test_types_are_decided_by_the_compiler_that_the_project_brings(tmp_path: Path) -> None:
    def step(files: dict[str, str]) -> tuple[str, bool]:
        (tmp_path / "tsconfig.json").unlink(missing_ok=True)
        seen = lay(tmp_path, files)
        made = workflows.lint(seen.projects[0], seen)[-1]
        return made.lines[0], made.lenient

    brought = {"devDependencies": {"typescript": "5"}}
    assert step({"package.json": script(scripts={"typecheck": "tsc -p ."})}) == ("npm run typecheck", False)
    assert step({"package.json": script(), "tsconfig.json": "{}"})[1]
    assert step({"package.json": script(**brought), "tsconfig.json": "{}"}) == (
        "npx --yes --package typescript tsc --noEmit",
        False,
    )
    assert "tsc --build --noEmit" in step({"package.json": script(**brought), "tsconfig.json": '{"references": []}'})[0]


def test_what_is_installed_built_or_measured_is_no_project(tmp_path: Path) -> None:
    files = {f"{name}/package.json": script() for name in ("benchmark", "node_modules/x", "docs/site")}
    files |= {"mine/pyvenv.cfg": "", "mine/lib/pyproject.toml": PACKAGE, "one.py": "", "requirements.txt": ""}
    assert [one.path for one in lay(tmp_path, files).projects] == ["."]


def test_broken_files_are_no_reason_to_stop(tmp_path: Path) -> None:
    files = {
        "package.json": "{",
        "pyproject.toml": "[",
        "setup.cfg": "[a\n",
        "tox.ini": "x",
        "setup.py": "(",
        "a.py": "",
    }
    found = lay(tmp_path, {f"one/{path}": text for path, text in files.items()}).projects
    assert [one.language for one in found] == ["python"]


def test_a_package_of_a_workspace_gets_no_image_of_its_own(tmp_path: Path) -> None:
    """Its lock file lies outside of the folder that an image is built from."""
    start = {"test": "node --test", "start": "node ."}
    files = {"packages/a/package.json": script("a", scripts=start), "alone/package.json": script("b", scripts=start)}
    files |= {"package.json": '{"workspaces": ["packages/*"]}', "yarn.lock": ""}
    seen = lay(tmp_path, files)
    assert {one.path: docker.served(one) for one in seen.projects} == {"alone": True, "packages/a": False}


@pytest.mark.parametrize(
    ("files", "wanted"),
    [
        ({"pyproject.toml": PACKAGE}, 'pip-audit" .'),
        ({"requirements.txt": "x\n", "one.py": ""}, "-r requirements.txt"),
        ({"pyproject.toml": PACKAGE, "uv.lock": ""}, "--require-hashes --disable-pip"),
        ({"setup.py": ""}, '--path "$(python -c'),
        ({"pyproject.toml": "[build-system]\nrequires = []\n", "setup.py": ""}, '--path "$(python -c'),
        ({"pyproject.toml": "[tool.poetry]\n", "poetry.lock": "", "setup.py": ""}, '--path "$(poetry run python -c'),
    ],
)
def test_known_weaknesses_are_looked_for_in_what_the_project_uses(
    tmp_path: Path, files: dict[str, str], wanted: str
) -> None:
    seen = lay(tmp_path, files)
    last = workflows.audit(seen.projects[0], seen)[-1]
    assert wanted in last and not ("--local" in last and "--path" in last)  # pip refuses the two together


def test_weaknesses_of_javascript_are_asked_of_its_own_package_manager(tmp_path: Path) -> None:
    def asked(files: dict[str, str]) -> str:
        seen = lay(tmp_path / str(len(files)) / next(reversed(files)), files)
        return workflows.audit(seen.projects[0], seen)[0]

    assert asked({"package.json": script()}).startswith("npm install --no-fund && npm audit")
    assert asked({"package.json": script(), "package-lock.json": ""}) == "npm audit --audit-level=high"
    assert asked({"package.json": script(), "pnpm-lock.yaml": ""}) == "pnpm audit --audit-level=high"
    assert asked({"package.json": script(), "yarn.lock": ""}) == "npx --yes yarn@1.22.22 audit"
    assert asked({"package.json": script(), "yarn.lock": "", ".yarnrc.yml": ""}).endswith(" yarn npm audit")


@pytest.mark.parametrize(
    ("files", "wanted"),
    [
        ({}, "npm run test -- --run"),
        ({"pnpm-lock.yaml": ""}, "pnpm run test --run"),
        ({"yarn.lock": ""}, "npx --yes yarn@1.22.22 run test --run"),
    ],
)
def test_words_for_the_runner_of_tests_get_past_the_package_manager(
    tmp_path: Path, files: dict[str, str], wanted: str
) -> None:
    """pnpm and yarn hand on the sign ``--`` too, and no runner knows it."""
    seen = lay(tmp_path, {**files, "package.json": script(scripts={"test": "vitest"})})
    assert workflows.tests(seen.projects[0], seen)[-1].lines[0].startswith(wanted)


def test_tests_and_types_see_what_a_package_imports_when_it_is_there(tmp_path: Path) -> None:
    extras = "[project.optional-dependencies]\nstandard = []\ndocs = []\n"
    assert '-e ".[standard]"' in only(tmp_path, {"pyproject.toml": PACKAGE + extras}).install[-1]


@pytest.mark.parametrize(
    ("files", "wanted"),
    [
        ({"pyproject.toml": PACKAGE + '[tool.coverage.run]\nsource = ["one"]\n'}, "--cov "),
        ({"setup.py": "", ".coveragerc": "[report]\nfail_under = 100\n"}, "--cov=. --cov-fail-under=0 "),
        ({"setup.py": "", ".coveragerc": "[run]\nsource = one\n"}, "--cov "),
        ({"setup.py": ""}, "--cov=. "),
    ],
)
def test_what_is_measured_is_what_the_project_says(tmp_path: Path, files: dict[str, str], wanted: str) -> None:
    """A limit of the project holds for all its tests together, and each kind runs alone."""
    seen = lay(tmp_path, {**files, "tests/test_a.py": TEST})
    assert f" {wanted}--cov-report" in workflows.tests(seen.projects[0], seen)[-1].lines[-1]


def test_django_tests_itself_where_pytest_is_not_told_how(tmp_path: Path) -> None:
    lay(
        tmp_path,
        {
            "requirements.txt": "django\n",
            "manage.py": 'os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")\n',
            "shop/__init__.py": "",
            "shop/asgi.py": '"""See https://example.org/asgi/"""\napplication = get_asgi_application()\n',
            "orders/__init__.py": "",
            "orders/tests.py": "class Orders(TestCase):\n    def test_one(self): ...\n",
            "templates/base.html": "",
        },
    )
    (one,) = look(tmp_path).projects
    assert (one.manage, one.application, one.assets) == (True, "shop.asgi:application", ("templates",))
    assert [test.kind for test in one.tests] == ["unit"]
    lay(tmp_path, {"pytest.ini": "[pytest]\nDJANGO_SETTINGS_MODULE = shop.settings\n"})
    (one,) = look(tmp_path).projects
    assert not one.manage


def test_letters_lose_their_accents_in_names(tmp_path: Path) -> None:
    lay(tmp_path, {"Été chaud/requirements.txt": "", "Été chaud/main.py": "x = 1\n"})
    assert [one.name for one in look(tmp_path).projects] == ["ete-chaud"]


def test_a_folder_of_helpers_is_no_project_and_other_languages_are_named(tmp_path: Path) -> None:
    lay(
        tmp_path,
        {
            "ci/requirements.txt": "tox\n",
            "ci/bootstrap.py": "x = 1\n",
            "go.mod": "module x\n",
            "main.go": "package x\n",
        },
    )
    seen = look(tmp_path)
    assert seen.projects == ()
    assert [line.partition(",")[0] for line in seen.found] == ["go.mod: Go"]


def test_plugins_of_coverage_are_brought_where_nothing_else_names_them(tmp_path: Path) -> None:
    lay(
        tmp_path,
        {"setup.py": "", "x.py": "", "test_x.py": "", "setup.cfg": "[coverage:run]\nplugins = covdefaults\n"},
    )
    (one,) = look(tmp_path).projects
    assert "covdefaults" in one.install[0] and one.coverage.endswith("--cov-fail-under=0")


def test_a_dockerfile_that_somebody_wrote_says_the_port(tmp_path: Path) -> None:
    one = only(
        tmp_path, {"package.json": '{"scripts": {"start": "node ."}}', "Dockerfile": "FROM node\nEXPOSE 3000/tcp\n"}
    )
    assert one.port == 3000


def test_the_format_decides_where_somebody_asks_for_it(tmp_path: Path) -> None:
    files = {"one.py": "", "pyproject.toml": "[project]\nname='x'\n[tool.ruff]\nline-length = 100\n"}
    assert "format" not in only(tmp_path, files).configured
    hooks = "repos:\n  - repo: https://example.org/ruff-pre-commit\n    hooks:\n      - id: ruff-format\n"
    assert "format" in only(tmp_path, {".pre-commit-config.yaml": hooks}).configured
