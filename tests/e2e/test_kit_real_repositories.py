"""The delivery kit on repositories made of published packages, one of each kind, with ``init`` and ``run`` as installed.

The whole list, with both workflows of each, is ``make kit-real``.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench import kit_real
from bench.real_sources import KINDS, RECIPES, Recipe, Unreachable, commit, git
from ecluse.kit.survey import look

pytestmark = [
    pytest.mark.registry,
    pytest.mark.skipif(
        not os.environ.get("ECLUSE_REGISTRY"), reason="needs package indexes; allow them with ECLUSE_REGISTRY=1"
    ),
]


@pytest.fixture
def kept(tmp_path_factory: pytest.TempPathFactory, own_home: Path) -> Iterator[Path]:
    """The folder of what was fetched; the home gets what npm needs to know of its index."""
    settings = Path(os.environ.get("ECLUSE_REGISTRY_HOME", "/nowhere"), ".npmrc")
    if settings.is_file():
        shutil.copy(settings, own_home / ".npmrc")
    yield Path(os.environ.get("ECLUSE_KIT_KEPT") or tmp_path_factory.getbasetemp() / "kept")


def made(recipe: Recipe, folder: Path, kept: Path) -> tuple[kit_real.Result, Path]:
    for name in {source.index for source in recipe.sources} | ({recipe.lock} if recipe.lock else set()):
        if shutil.which("npm") is None and name != "pip":
            pytest.skip("there is no npm here")
    result = kit_real.Result(recipe)
    try:
        return result, kit_real.prepare(result, folder / recipe.sources[0].name, kept)
    except Unreachable as why:
        pytest.skip(f"a package index does not answer: {why}")


@pytest.mark.parametrize("kind", KINDS)
def test_init_settles_at_once_and_what_it_writes_is_green(kind: str, tmp_path: Path, kept: Path) -> None:
    recipe = next(one for one in RECIPES if one.kind == kind)
    result, place = made(recipe, tmp_path, kept)
    assert result.settled == ""
    assert look(place).projects, "nothing was found"
    planned = kit_real.ecluse(place, "run", "--dry-run", ".github/workflows")
    assert planned.returncode == 0, planned.stdout + planned.stderr
    if kit_real.CI in kit_real.ours(place):
        kit_real.run(result, place, kit_real.CI, "--job", "test-smoke")
        assert result.met, result.reds
    if kind == "elaborate":
        assert all(git(place, "show", f"HEAD~1:{path}") for path in kit_real.own_workflows(place, "HEAD~1"))


def test_a_change_of_one_service_runs_only_that_services_jobs_and_says_why(tmp_path: Path, kept: Path) -> None:
    recipe = next(one for one in RECIPES if one.kind == "monorepo")
    result, place = made(recipe, tmp_path, kept)
    git(place, "switch", "-q", "-c", "one")
    changed = "services/parse/parse/__init__.py"
    (place / changed).write_text((place / changed).read_text() + "\n# one line more\n")
    commit(place, "one service")
    words = [
        "--event",
        "pull_request",
        "--base",
        "main",
        "--job",
        "test-parse",
        "--job",
        "test-cache",
        "--job",
        "test-sort",
    ]
    report = kit_real.run(result, place, kit_real.DEPLOY, *words)
    ended = {job["key"]: job["outcome"] for job in report["jobs"]}
    assert {name: ended[f"test-{name}"] for name in ("parse", "cache", "sort")} == {
        "parse": "success", "cache": "skipped", "sort": "skipped",
    }, result.reds  # fmt: skip
    said = next(
        step["summary"] for job in report["jobs"] if job["key"] == "changes" for step in job["steps"] if step["summary"]
    )
    assert f"parse: checked, because of {changed}" in said
    assert "cache: not checked, nothing of it changed" in said
    (smoke,) = (job for job in report["jobs"] if job["key"] == "ci.test-smoke")
    ran = {step["name"].partition(":")[0] for step in smoke["steps"] if step["outcome"] == "success"}
    assert "parse" in ran and not {"cache", "sort"} & ran
