"""Rules over files that are more than content, and over text that hides something."""

from __future__ import annotations

import pytest

from ecluse.git import ChangedPath
from ecluse.intake.textrules import judge_text
from ecluse.intake.toolrules import glob, judge_tools
from ecluse.model import Verdict

USUAL = b".".join((b"pypi", b"org"))


def judged(path: str, new: bytes = b"", old: bytes | None = None, protected: tuple[str, ...] = ()) -> list[str]:
    blobs = {"n": new, "o": old or b""}
    change = ChangedPath("A" if old is None else "M", "000000" if old is None else "100644", "100644", "o", "n", path)
    return sorted({one.code for one in judge_tools([change], blobs.__getitem__, "playbooks", protected)})


@pytest.mark.parametrize(
    ("path", "code"),
    [
        (".github/workflows/ci.yml", "policy.ci_changed"),
        (".github/ecluse-actions.lock", "policy.ci_changed"),
        ("sub/action.yml", "policy.ci_changed"),
        (".gitlab-ci.yml", "policy.ci_changed"),
        ("Jenkinsfile", "policy.ci_changed"),
        ("ecluse.toml", "policy.config_changed"),
        (".ecluse/allowed_signers", "policy.config_changed"),
        (".sync/scripts/local-import.py", "policy.importer_changed"),
        ("playbooks/release.md", "policy.release_changed"),
        ("AGENTS.md", "policy.instructions_changed"),
        (".cursor/rules/x.mdc", "policy.instructions_changed"),
        (".github/copilot-instructions.md", "policy.instructions_changed"),
        (".vscode/tasks.json", "toolconfig.autorun"),
        (".envrc", "toolconfig.autorun"),
        ("site/.npmrc", "toolconfig.autorun"),
        ("CODEOWNERS", "policy.owners_changed"),
    ],
)
def test_needs_a_person(path: str, code: str) -> None:
    assert judged(path) == [code]


@pytest.mark.parametrize(
    "path", ["src/app.py", "docs/workflows/ci.md", "playbooks.md", "tests/test_a.py", "package.json", "agents.py"]
)
def test_ordinary_files(path: str) -> None:
    assert judged(path, b"{}") == []


def test_package_scripts_that_run_by_themselves() -> None:
    assert judged("package.json", b'{"scripts": {"postinstall": "x"}}', b'{"scripts": {"test": "y"}}') == [
        "toolconfig.autorun"
    ]
    assert (
        judged("package.json", b'{"scripts": {"test": "z", "postinstall": "x"}}', b'{"scripts": {"postinstall": "x"}}')
        == []
    )


def test_workflows_that_read_two_ways_are_refused() -> None:
    assert "ci.yaml_duplicate" in judged(".github/workflows/a.yml", b"on: push\njobs: {}\njobs: {}\n")
    assert "ci.yaml_tag" in judged(".github/workflows/a.yml", b"on: !!python/object/apply:os.system [x]\n")
    assert "ci.unpinned_action" in judged(
        ".github/workflows/a.yml", b"on: push\njobs:\n  a:\n    steps:\n      - uses: some/action@main\n"
    )


def test_attributes() -> None:
    assert judged(".gitattributes", b"*.bin filter=evil\n") == ["toolconfig.filter"]
    assert judged(".gitattributes", b"*.bin filter=lfs diff=lfs merge=lfs -text\n*.py diff=python\n") == []
    assert judged(".gitattributes", b"a " + b"x" * 3000) == ["toolconfig.gitattributes"]


def test_policy_inside_pyproject() -> None:
    assert judged("pyproject.toml", b'[tool.ecluse]\ntrust = "all"\n', b"[project]\nname='a'\n") == [
        "policy.config_changed"
    ]
    assert judged("pyproject.toml", b"[project]\nname='b'\n", b"[project]\nname='a'\n") == []


def test_weaker_tests() -> None:
    old = b"def test_a():\n    assert f() == 1\n    assert g() == 2\n"
    assert judged("tests/test_a.py", b"def test_a():\n    assert f() == 1\n", old) == ["policy.tests_weakened"]
    assert judged("tests/test_a.py", b"def test_a():\n    assert True\n    assert True\n", old) == [
        "policy.tests_weakened"
    ]
    assert judged("tests/test_a.py", old + b"    assert h() == 3\n", old) == []
    assert judged("pytest.ini", b"[pytest]\naddopts = --ignore=tests\n") == ["policy.tests_weakened"]


def test_protected_paths_by_pattern() -> None:
    assert judged("db/migrations/1.sql", protected=("db/**",)) == ["policy.protected"]
    assert judged("db/migrations/1.sql", protected=("db/*",)) == []
    assert glob("legal/").fullmatch("legal/a/b.txt")


@pytest.mark.parametrize(
    ("path", "data", "code"),
    [
        ("a.py", b"x = 1\rimport os\n", "text.control_chars"),
        ("a.txt", b"\x1b[2Jgone\n", "text.control_chars"),
        ("a.py", "if ok: \u202e # no\n".encode(), "text.bidi"),
        ("a.py", "\u3164 = 1\n".encode(), "text.invisible"),
        ("a.py", "p\u0430ssword = 1\n".encode(), "text.homoglyph"),
    ],
)
def test_text_that_hides(path: str, data: bytes, code: str) -> None:
    assert [(one.code, one.verdict) for one in judge_text(path, data, b"")] == [(code, Verdict.QUARANTINE)]
    assert judge_text(path, data + b"more\n", data) == []


@pytest.mark.parametrize(
    ("path", "data"),
    [
        ("crlf.txt", b"a\r\nb\r\n"),
        ("a.py", "naïve = 'привет'\n".encode()),
        ("README.md", "family 👨\u200d👩\u200d👧\n".encode()),
        ("b.bin", b"\0\x1b[2J"),
    ],
)
def test_text_that_is_fine(path: str, data: bytes) -> None:
    assert judge_text(path, data, b"") == []


def test_minified_text_is_remarked() -> None:
    assert [one.code for one in judge_text("a.js", b"x" * 9000, b"")] == ["text.unreviewable"]


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("CLAUDE.local.md", "policy.instructions_changed"), (".clinerules/x.md", "policy.instructions_changed"),
        (".github/agents/x.md", "policy.instructions_changed"), (".junie/guidelines.md", "policy.instructions_changed"),
        (".github/dependabot.yaml", "policy.ci_changed"), (".cirrus.yml", "policy.ci_changed"),
        (".pre-commit-config.yml", "toolconfig.autorun"), ("lefthook-local.yml", "toolconfig.autorun"),
        ("binding.gyp", "toolconfig.autorun"), (".Rprofile", "toolconfig.autorun"), ("NuGet.config", "toolconfig.autorun"),
    ],
)  # fmt: skip
def test_more_that_needs_a_person(path: str, code: str) -> None:
    assert judged(path) == [code]


@pytest.mark.parametrize(
    ("folder", "code"),
    [(".github", "policy.ci_changed"), (".vscode", "toolconfig.autorun"), (".ecluse", "policy.config_changed"),
     (".sync", "policy.importer_changed"), ("playbooks", "policy.release_changed"), (".claude", "policy.instructions_changed")],
)  # fmt: skip
def test_a_link_in_place_of_a_folder_that_steers(folder: str, code: str) -> None:
    change = ChangedPath("A", "000000", "120000", "o", "n", folder)
    assert [one.code for one in judge_tools([change], {"n": b"docs"}.__getitem__, "playbooks", ())] == [code]
    assert judged("docs/.github", b"x\n") == []


@pytest.mark.parametrize(
    ("path", "text", "code"),
    [
        ("setup.py", b"import os\nos.system('x')\n", "toolconfig.autorun"), ("setup.py", b"setup(name='x')\n", ""),
        ("pyproject.toml", b'[build-system]\nbuild-backend = "own"\nbackend-path = ["."]\n', "toolconfig.autorun"),
        ("pyproject.toml", b'[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n', ""),
        ("composer.json", b'{"scripts": {"post-install-cmd": "x"}}', "toolconfig.autorun"),
        ("package-lock.json", b'{"a": {"resolved": "https://elsewhere.invalid/a.tgz"}}', "toolconfig.source"),
        ("package-lock.json", b'{"a": {"resolved": "https://x.%s/a.tgz", "funding": {"url": "https://a.invalid"}}}' % b".".join((b"npmjs", b"org")), ""),
        ("package-lock.json", b'{"a": {"resolved": "https://%s.elsewhere.invalid/a.tgz"}}' % b".".join((b"npmjs", b"org")), "toolconfig.source"),
        ("requirements.txt", b"--extra-index-url https://elsewhere.invalid/simple\nx==1\n", "toolconfig.source"),
        ("requirements.txt", b"# https://docs.invalid/\nx==1\n", ""),
        ("uv.lock", b'source = { registry = "https://elsewhere.invalid/simple" }\n', "toolconfig.source"),
        ("uv.lock", b'source = { registry = "https://elsewhere.invalid/x" }\nwheels = [{ url = "https://a.invalid/w" }]\n', "toolconfig.source"),
        ("uv.lock", b'[[package]]\nsource = { registry = "https://%s/simple" }\nwheels = [{ url = "https://files.invalid/w" }]\n' % USUAL, ""),
        ("uv.lock", b'[[package]]\nsource={registry="https://%s/simple"}\nwheels=[{url="https://a.invalid/w"}, {url="\\u0068ttps://b.invalid/w"}]\n' % USUAL, "toolconfig.source"),
        ("uv.lock", b'source = { registry = "https://%s/simple" }\nsdist = { url="https://files.invalid/w" }\n' % USUAL, "toolconfig.source"),
        ("poetry.lock", b'[package.source]\ntype = "legacy"\n"url"=\'HTTPS://elsewhere.invalid/simple\'\n', "toolconfig.source"),
        ("dev-requirements.txt", b"-i https://elsewhere.invalid/simple\nx\n", "toolconfig.source"),
        ("requirements/dev.txt", b"-i https://elsewhere.invalid/simple\nx\n", "toolconfig.source"),
        ("constraints.txt", b"x @ https://elsewhere.invalid/x.whl\n", "toolconfig.source"),
        ("uv.toml", b'index-url = "https://elsewhere.invalid/simple"\n', "toolconfig.source"),
        ("pyproject.toml", b'[[tool.uv.index]]\nurl = "https://elsewhere.invalid/simple"\n', "toolconfig.source"),
        ("pyproject.toml", b'[project]\ndependencies = ["x @ https://elsewhere.invalid/x.whl"]\n', "toolconfig.source"),
        ("pyproject.toml", b'[project]\ndependencies = ["x>=1"]\n[project.urls]\nhome = "https://docs.invalid/"\n', ""),
        ("pyproject.toml", b'[project]\ndependencies = "torn', ""),
        ("package.json", b'{"dependencies": {"x": "https://elsewhere.invalid/x.tgz"}, "scripts": {"test": "jest"}}', "toolconfig.source"),
        ("package.json", b'{"homepage": "https://docs.invalid/", "dependencies": {"x": "^1"}}', ""),
        (".hg/hgrc", b"[hooks]\n", "toolconfig.autorun"), ("docs/desktop.ini", b"x\n", "toolconfig.autorun"),
        ("poetry.lock", b'# https://docs.invalid/\n[[package]]\ndescription = "see https://docs.invalid/"\n', ""),
        ("package-lock.json", b'{"a": {"resolved" : "https:\\/\\/elsewhere.invalid/a.tgz"}}', "toolconfig.source"),
        ("package-lock.json", b'{"a": {"version": "https://elsewhere.invalid/a.tgz"}}', "toolconfig.source"),
        ("package-lock.json", b'{"a": "not JSON", "resolved": "https://elsewhere.invalid/a.tgz"', "toolconfig.source"),
        ("Cargo.lock", b'source = "registry+https://github.com/rust-lang/crates.io-index"\n', ""),
        ("package.json", b'{"scripts": {"test": "exit 0"}}', "policy.tests_weakened"),
        ("package.json", b'{"scripts": {"test": "jest || true"}}', "policy.tests_weakened"),
        ("package.json", b'{"scripts": {"test": "echo \\"Error: no test specified\\" && exit 1"}}', ""),
        ("Makefile", b"test:\n\tpytest || true\n", "policy.tests_weakened"), ("Makefile", b"clean:\n\t-rm -f x\n", ""),
        (".gitattributes", b"*.py -diff\n", "toolconfig.filter"), (".gitattributes", b"*.png binary\n", ""),
        (".gitattributes", b"*.py text working-tree-encoding=UTF-7\n", "toolconfig.filter"), (".gitattributes", b"*.lock -diff\n", ""),
        (".gitattributes", b"*.ps1 text working-tree-encoding=UTF-16LE eol=crlf\n", ""),
    ],
)  # fmt: skip
def test_what_runs_loads_and_hides(path: str, text: bytes, code: str) -> None:
    assert judged(path, text) == ([code] if code else [])


def test_tests_that_are_left_out() -> None:
    old = b"def test_a():\n    assert f() == 1\n"
    assert judged("tests/test_a.py", b"@pytest.mark.skip\n" + old, old) == ["policy.tests_weakened"]
    assert judged("tests/test_a.py", b"@pytest.mark.xfail\n" + old, old) == ["policy.tests_weakened"]
    assert judged("tests/test_a.py", b"@pytest.mark.skipif(sys.platform == 'win32', reason='x')\n" + old, old) == []
    assert judged("a.test.js", b"it.only('x', () => expect(1))\n", b"it('x', () => expect(1))\n") == [
        "policy.tests_weakened"
    ]


def test_an_action_in_flow_style_is_seen() -> None:
    flow = b"on: push\njobs: {x: {runs-on: u, steps: [{uses: some/action@main}]}}\n"
    assert judged(".github/workflows/x.yml", flow) == ["ci.unpinned_action", "policy.ci_changed"]


def test_most_files_of_an_index_say_where_they_are_at_home() -> None:
    package = (
        b'[[package]]\nsource = { registry = "https://'
        + USUAL
        + b'/simple" }\nwheels = [{ url = "https://%s.invalid/w" }]\n'
    )
    own = b'[[package]]\nsource = { registry = "https://own.invalid/simple" }\nsdist = { url = "https://own.invalid/s" }\n'
    many, one = package % b"files" * 9, package % b"elsewhere"
    assert judged("uv.lock", many) == []
    assert judged("uv.lock", many + one) == judged("uv.lock", one + many) == ["toolconfig.source"]
    assert judged("uv.lock", many + one + own, many + own) == ["toolconfig.source"]
    assert judged("uv.lock", many + own, own) == []
    assert judged("uv.lock", many * 2 + one, many + one) == []


def test_an_address_for_readers_is_no_place_that_was_known() -> None:
    page = b'{"a": {"funding": {"url": "https://elsewhere.invalid/"}}}'
    assert judged("package-lock.json", page.replace(b"funding", b"fund"), page) == []
    moved = b'{"a": {"resolved": "https://elsewhere.invalid/a.tgz"}}'
    assert judged("package-lock.json", moved, page) == ["toolconfig.source"]


def test_a_file_of_uv_from_a_new_place() -> None:
    line = b'wheels = [{ url = "https://%s.invalid/w" }]\n'
    held = {"o": line % b"files", "n": line % b"files" + line % b"elsewhere", "s": line % b"files" * 2}
    for blob, codes in (("n", ["toolconfig.source"]), ("s", [])):
        change = ChangedPath("M", "100644", "100644", "o", blob, "uv.lock")
        assert [one.code for one in judge_tools([change], held.__getitem__, "playbooks", ())] == codes
