"""The demo's template and what its agents do to it: real tests, a real service, a real wheel."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from ecluse.checks import workflow
from ecluse.demo import changes, template
from ecluse.errors import Failed, Invalid
from ecluse.secrets import scan

ROOT = Path(__file__).resolve().parents[3]


def commit(folder: Path, work: changes.Work) -> None:
    for step in work.commits:
        changes.write_files(folder, step.files)


def git(folder: Path, *words: str) -> str:
    return subprocess.run(["git", *words], cwd=folder, capture_output=True, text=True, check=True).stdout


def test_the_template_is_whole(copy) -> None:
    assert ".github/workflows/ci.yml" in copy.paths
    assert ".gitignore" in copy.paths
    assert {"service/app.py", "tests/test_app.py", "CHANGELOG.md", "README.md"} <= set(copy.paths)
    on_disk = {str(p.relative_to(copy.folder)) for p in copy.folder.rglob("*") if p.is_file()}
    assert on_disk == set(copy.paths)
    assert "## [Unreleased]" in (copy.folder / "CHANGELOG.md").read_text()


def test_it_is_not_written_over_other_files(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("x")
    with pytest.raises(Invalid) as caught:
        template.write(tmp_path)
    assert caught.value.code == "demo.folder_not_empty"
    assert [entry.name for entry in tmp_path.iterdir()] == ["mine.txt"]


def test_its_own_tests_are_green(copy) -> None:
    done = copy.run_tests()
    assert done.returncode == 0, done.stderr
    assert "test_health_says_ok_and_the_version" in done.stderr


def test_the_service_answers_and_says_its_version(copy) -> None:
    (copy.folder / "RELEASE").write_text("1.4.0\n")
    with copy.started() as service:
        status, body = service.get("/health")
        assert (status, json.loads(body)) == (200, {"status": "ok", "version": "1.4.0"})
        (copy.folder / "RELEASE").write_text("1.5.0\n")
        assert json.loads(service.get("/health")[1])["version"] == "1.4.0"
        assert json.loads(service.get("/locks?from=3&to=7")[1])["minutes"] == 8


def test_the_good_change_is_two_commits_and_a_loose_file_and_is_green(copy) -> None:
    with copy.started() as service, pytest.raises(OSError):
        service.get("/locks?from=3&to=inf")  # the fault that the second commit repairs
    work = changes.good_change(copy.folder)
    assert [step.message.partition("(")[0] for step in work.commits] == ["feat", "fix"]
    assert list(work.untracked) == ["docs/boats.md"]
    for step in work.commits:
        changes.write_files(copy.folder, step.files)
        assert copy.failing() == []
    changes.write_files(copy.folder, work.untracked)
    assert (copy.folder / "docs/boats.md").is_file()
    with copy.started() as service:
        assert service.get("/health")[0] == 200
        assert service.get("/locks?from=3&to=inf")[0] == 400
        assert json.loads(service.get("/locks?from=0&to=10&boats=3")[1])["minutes"] == 40


def test_the_breaking_change_fails_exactly_one_test(copy) -> None:
    commit(copy.folder, changes.breaking_change(copy.folder))
    assert copy.failing() == ["test_no_chamber_rises_above_its_walls"]


def test_the_leaking_change_holds_new_keys_every_time(copy) -> None:
    one, other = (changes.leaking_change(copy.folder).commits[0].files["config/archive.ini"] for _ in range(2))
    assert one != other
    key = next(line for line in one.splitlines() if line.startswith("aws_access_key_id"))
    assert len(key.partition(" = ")[2]) == 20
    commit(copy.folder, changes.leaking_change(copy.folder))
    assert copy.failing() == []


def test_the_unhealthy_change_is_green_and_ill_when_started(copy) -> None:
    commit(copy.folder, changes.good_change(copy.folder))
    commit(copy.folder, changes.unhealthy_change(copy.folder))
    done = copy.run_tests()
    assert done.returncode == 0, done.stderr
    (copy.folder / "RELEASE").write_text("0.2.0\n")
    with copy.started() as service:
        status, body = service.get("/health")
        assert status == 503
        assert json.loads(body)["version"] == "0.2.0"
        assert "journal" in json.loads(body)["error"]
        (copy.folder / "var/journal").mkdir(parents=True)
        assert service.get("/health")[0] == 200


def test_the_changes_merge_with_what_landed_before_them(copy) -> None:
    folder = copy.folder
    git(folder, "init", "-q", "-b", "main")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "first")
    for name in ("good_change", "breaking_change", "unhealthy_change"):
        git(folder, "checkout", "-q", "-b", name, "main")
        commit(folder, getattr(changes, name)(folder))
        git(folder, "add", "-A")
        git(folder, "commit", "-qm", name)
    git(folder, "checkout", "-q", "good_change")
    git(folder, "merge", "-q", "unhealthy_change", "-m", "both")
    assert copy.failing() == []
    git(folder, "merge", "-q", "breaking_change", "-m", "three")
    assert copy.failing() == ["test_no_chamber_rises_above_its_walls"]


def test_an_edited_template_is_said_to_be_so(copy) -> None:
    (copy.folder / "service/locks.py").write_text("RISE = 3\n")
    with pytest.raises(Failed) as caught:
        changes.breaking_change(copy.folder)
    assert caught.value.code == "demo.template_edited"
    assert "service/locks.py" in caught.value.message


def test_the_template_survives_a_wheel(tmp_path: Path) -> None:
    pytest.importorskip("hatchling", reason="the build backend is not installed")
    source = tmp_path / "source"
    shutil.copytree(ROOT / "ecluse", source / "ecluse", ignore=shutil.ignore_patterns("__pycache__", "*.part"))
    for name in ("pyproject.toml", "README.md", "LICENSE", ".gitignore"):
        if (ROOT / name).exists():
            shutil.copy(ROOT / name, source / name)
    words = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path / "dist")]
    subprocess.run(words, cwd=source, check=True, capture_output=True)
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    zipfile.ZipFile(wheel).extractall(tmp_path / "site")
    script = (
        "import sys; from pathlib import Path; from ecluse.demo import template; from ecluse.kit import pieces;"
        "assert Path(template.__file__).is_relative_to(sys.argv[2]), template.__file__;"
        "pieces.text('agents.md'); print('\\n'.join(template.write(Path(sys.argv[1]))))"
    )
    env = {**os.environ, "PYTHONPATH": str(tmp_path / "site"), "PYTHONDONTWRITEBYTECODE": "1"}
    words = [sys.executable, "-c", script, str(tmp_path / "copy"), str(tmp_path / "site")]
    said = subprocess.run(words, cwd=tmp_path, env=env, check=True, capture_output=True, text=True).stdout.split("\n")
    here = template.write(tmp_path / "direct")
    assert said[:-1] == here
    assert ".github/workflows/ci.yml" in said


def test_only_the_leaking_change_looks_like_a_leak(copy) -> None:
    def hits(files: dict[str, str]) -> list[str]:
        return [path for path, text in files.items() if scan.scan(text.encode(), path) or scan.sensitive_path(path)]

    works = {name: getattr(changes, name)(copy.folder) for name in ("good_change", "breaking_change")}
    works["unhealthy_change"] = changes.unhealthy_change(copy.folder)
    for name, work in works.items():
        assert [hit for step in work.commits for hit in hits(step.files)] == [], name
        assert hits(work.untracked) == []
    assert hits(changes.leaking_change(copy.folder).commits[0].files) == ["config/archive.ini"]
    assert hits({path: (copy.folder / path).read_text() for path in copy.paths}) == []


def test_its_workflow_is_valid_and_tests_after_linting(copy) -> None:
    read = workflow.load(copy.folder, ".github/workflows/ci.yml")
    assert {job.id: tuple(job.needs) for job in read.jobs} == {"lint": (), "test": ("lint",)}
