"""`ecluse run` with actions of other repositories: where the base address comes from, and the lock file."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

WORKFLOW = """
on: push
jobs:
  a:
    runs-on: ubuntu-latest
    steps: [{id: x, uses: them/says@v1}, {run: 'echo "said ${{ steps.x.outputs.word }}"'}]
"""


def put(folder: Path, word: str) -> None:
    """A repository whose action says ``word``, under the tag v1."""
    folder.mkdir(parents=True, exist_ok=True)
    step = f"{{id: s, shell: bash, run: 'echo word={word} >> $GITHUB_OUTPUT'}}"
    (folder / "action.yml").write_text(
        f"outputs: {{word: {{value: '${{{{ steps.s.outputs.word }}}}'}}}}\nruns: {{using: composite, steps: [{step}]}}\n"
    )
    for words in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", word], ["tag", "-f", "v1"]):
        subprocess.run(["git", *words], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def forges(tmp_path: Path, bench: Any) -> dict[str, str]:
    bench.commit("workflow", _dot_github__workflows__ci_dot_yml=WORKFLOW)
    for word in ("flag", "variable", "policy"):
        put(tmp_path / word / "them" / "says", word)
    return {word: f"file://{tmp_path / word}" for word in ("flag", "variable", "policy")}


def test_flag_before_variable_before_policy(cli: Any, bench: Any, forges: dict[str, str]) -> None:
    lock = bench.folder / ".github" / "ecluse-actions.lock"
    bench.write("ecluse.toml", f'[checks]\nactions_url = "{forges["policy"]}"\n')
    cli.env["ECLUSE_ACTIONS_URL"] = forges["variable"]
    for words, expected in ((["--actions-url", forges["flag"]], "flag"), ([], "variable")):
        lock.unlink(missing_ok=True)
        said = cli("run", "-v", *words, cwd=bench.folder)
        assert f"said {expected}" in said.out + said.err
    del cli.env["ECLUSE_ACTIONS_URL"]
    lock.unlink()
    assert "said policy" in (said := cli("run", "-v", cwd=bench.folder)).out + said.err


def test_the_lock_file_holds_a_tag_where_it_was(cli: Any, bench: Any, forges: dict[str, str], tmp_path: Path) -> None:
    words = ["run", "-v", "--actions-url", forges["flag"]]
    cli(*words, "--dry-run", cwd=bench.folder)
    lock = bench.folder / ".github" / "ecluse-actions.lock"
    assert not lock.exists()
    cli(*words, cwd=bench.folder)
    first = lock.read_text()
    assert "them/says@v1 " in first and first.startswith("# ")
    put(tmp_path / "flag" / "them" / "says", "moved")
    assert "said flag" in (said := cli(*words, cwd=bench.folder)).out + said.err
    said = cli(*words, "--update-actions", cwd=bench.folder)
    assert "said moved" in said.out + said.err and "them/says@v1 moved from" in said.out + said.err
    assert lock.read_text() != first
