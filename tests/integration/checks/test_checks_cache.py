"""The cache: what is kept, what is found again and by whom, and what happens when it is damaged or full."""

from __future__ import annotations

import shutil
import textwrap
from pathlib import Path
from typing import Any

import pytest

from ecluse.checks import RunRequest, run
from ecluse.checks.cachepaths import CachePaths
from ecluse.checks.cachestore import CacheStore
from ecluse.errors import Failed
from ecluse.model import Job


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "tree"


def play(tree: Path, steps: str, **request: Any) -> Job:
    path = tree / ".github" / "workflows" / "ci.yml"
    path.parent.mkdir(parents=True, exist_ok=True)
    body = textwrap.indent(textwrap.dedent(steps), "      ")
    path.write_text(f"on: push\njobs:\n  a:\n    runs-on: ubuntu-latest\n    steps:\n{body}")
    return run(tree, RunRequest(**request)).jobs[0]


FILL = """
- {id: c, uses: actions/cache@v4, with: {path: deps, key: KEY, restore-keys: "lib-"}}
- run: |
    test "${{ steps.c.outputs.cache-hit }}" = ""
    mkdir -p deps/deep
    printf built > deps/deep/x
    ln -s deep deps/link
    chmod 700 deps/deep/x
"""


def look(key: str, hit: str, files: str, more: str = "") -> str:
    return f"""
- {{id: c, uses: actions/cache@v4, with: {{path: deps, key: {key}, restore-keys: "lib-"{more}}}}}
- run: test "${{{{ steps.c.outputs.cache-hit }}}}" = "{hit}" && {files}
"""


THERE = "test -x deps/deep/x && test -L deps/link && test $(cat deps/link/x) = built"


def test_a_key_is_found_again_with_all_its_files(tree: Path) -> None:
    assert play(tree, FILL.replace("KEY", "lib-1")).result == "success"
    assert play(tree, look("lib-1", "true", THERE)).result == "success"
    assert play(tree, look("lib-2", "false", THERE)).result == "success"
    assert play(tree, look("other", "", "test ! -e deps").replace('"lib-"', '"no-"')).result == "success"


def test_a_failed_job_keeps_nothing(tree: Path) -> None:
    assert play(tree, FILL.replace("KEY", "lib-1") + "- run: exit 1\n").result == "failure"
    assert play(tree, look("lib-1", "", "test ! -e deps")).result == "success"


def test_a_branch_reads_the_default_branch_and_not_another_one(tree: Path) -> None:
    play(tree, FILL.replace("KEY", "lib-1"), ref="refs/heads/side")
    assert play(tree, look("lib-1", "", "true"), ref="refs/heads/main", base_branch="main").result == "success"
    play(tree, FILL.replace("KEY", "lib-9"), ref="refs/heads/main", base_branch="main")
    found = play(tree, look("lib-9", "true", THERE), ref="refs/heads/topic", base_branch="main")
    assert found.result == "success"
    other = play(tree, look("lib-9", "", "true"), ref="refs/heads/main", repository="some/other")
    assert other.result == "success"


def test_restore_and_save_apart(tree: Path) -> None:
    job = play(
        tree,
        """
        - {id: r, uses: actions/cache/restore@v4, with: {path: deps, key: k}}
        - run: test "${{ steps.r.outputs.cache-matched-key }},${{ steps.r.outputs.cache-primary-key }}" = ",k"
        - run: mkdir deps && echo 1 > deps/x
        - {uses: actions/cache/save@v4, with: {path: deps, key: k}}
        - run: rm -r deps
        - {id: l, uses: actions/cache/restore@v4, with: {path: deps, key: k, lookup-only: true}}
        - run: test "${{ steps.l.outputs.cache-hit }}" = true && test ! -e deps
        - {uses: actions/cache/restore@v4, with: {path: deps, key: k}}
        - run: test -e deps/x
        - {uses: actions/cache/save@v4, with: {path: deps, key: k}}
        - {uses: actions/cache/restore@v4, with: {path: deps, key: missing, fail-on-cache-miss: true}}
        """,
    )
    assert [step.outcome.value for step in job.steps] == ["success"] * 10 + ["failure"]
    assert "kept already" in job.steps[9].reason


def test_a_damaged_cache_is_a_miss(tree: Path, tmp_path: Path) -> None:
    play(tree, FILL.replace("KEY", "lib-1"))
    for blob in (tmp_path / "cache").rglob("blobs/*/*"):
        blob.chmod(0o600)
        blob.write_bytes(b"other")
    assert play(tree, look("lib-1", "", "test ! -e deps")).result == "success"
    for manifest in (tmp_path / "cache").rglob("manifests/*.json"):
        manifest.write_text("{")
    assert play(tree, FILL.replace("KEY", "lib-1")).result == "success"
    for manifest in (tmp_path / "cache").rglob("manifests/*.json"):
        manifest.write_text("{")
    assert play(tree, FILL.replace("KEY", "lib-1")).result == "success"
    assert play(tree, look("lib-1", "true", THERE)).result == "success"


def test_restoring_does_not_follow_links_out_of_the_workspace(tree: Path, tmp_path: Path) -> None:
    play(tree, FILL.replace("KEY", "lib-1"))
    outside = tmp_path / "outside"
    outside.mkdir()
    steps = f"- run: ln -s {outside} deps\n" + look("lib-1", "true", THERE).lstrip()
    assert play(tree, steps).result == "success"
    assert list(outside.iterdir()) == []


OUTSIDE = """
- {id: c, uses: actions/cache@v4, with: {key: KEY, path: "PATHS"}}
- run: test "${{ steps.c.outputs.cache-hit }}" = "HIT" && WORK
"""


def outside(paths: str, work: str, hit: str = "", key: str = "k") -> str:
    return OUTSIDE.replace("PATHS", paths).replace("HIT", hit).replace("WORK", work).replace("KEY", key)


def test_a_path_of_the_home_comes_back_and_nothing_beside_it(tree: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    (home / ".cache" / "tool").mkdir(parents=True)
    (home / ".netrc").write_text("mine")
    env = {"HOME": str(home)}
    paths = f"~/.cache/tool\\n!~/.cache/tool/**/*.tmp\\n{tmp_path}/lib*/keep"
    fill = "cd ~/.cache/tool && mkdir empty && echo 1 > a && echo 2 > b.tmp && touch -d 2001-01-01 a"
    there = f"mkdir -p {tmp_path}/lib1/keep && echo 3 > {tmp_path}/lib1/keep/c"
    assert play(tree, outside(paths, f"{fill} && {there}"), env=env).steps[-1].reason == "saved 3 files under 'k'"
    for place in (home / ".cache", tmp_path / "lib1"):
        shutil.rmtree(place)
    look = "ls -A ~/.cache/tool | xargs && test $(date -r ~/.cache/tool/a +%Y) = 2001"
    assert play(tree, outside(paths, look, "true"), env=env).result == "success"
    assert sorted(one.name for one in (home / ".cache" / "tool").iterdir()) == ["a", "empty"]
    assert (tmp_path / "lib1" / "keep" / "c").read_text() == "3\n"
    assert (home / ".netrc").read_text() == "mine"
    assert play(tree, outside("~/.cache/other", "true"), env=env).result == "success", "other paths, another cache"


def test_a_run_that_is_set_apart_reaches_nothing_outside_its_own_folder(tree: Path, tmp_path: Path) -> None:
    env = {"HOME": str(tmp_path)}
    fill = "mkdir -p ~/tool && echo good > ~/tool/x"
    assert play(tree, outside("~/tool", fill), env=env).result == "success"
    shutil.rmtree(tmp_path / "tool")
    job = play(tree, outside("~/tool", "test ! -e ~/tool && " + fill), env=env, cache_scope="change c1")
    assert job.result == "success"
    assert "set apart" in job.steps[-1].reason
    (tmp_path / "tool" / "x").write_text("bad")
    assert play(tree, outside("~/tool", "grep good ~/tool/x", "true"), env=env).result == "success"


def test_folders_of_the_job_are_the_same_place_in_every_run(tree: Path) -> None:
    paths = "${{ runner.temp }}/made\\n../side\\n.venv"
    fill = "mkdir -p $RUNNER_TEMP/made ../side .venv && echo 1 > $RUNNER_TEMP/made/x && ln -s $PWD/.venv ../side/link"
    fill += " && printf '#!%s/.venv/python' $PWD > .venv/tool && chmod 755 .venv/tool"
    assert play(tree, outside(paths, fill)).result == "success"
    found = "test -e $RUNNER_TEMP/made/x && test $(readlink ../side/link) = $PWD/.venv && test -x .venv/tool"
    found += ' && test "$(cat .venv/tool)" = "#!$PWD/.venv/python"'
    assert play(tree, outside(paths, found, "true")).result == "success"


def test_a_forged_name_in_a_cache_leads_nowhere(tmp_path: Path) -> None:
    (tmp_path / "job" / "work").mkdir(parents=True)
    paths = CachePaths(
        ["~/.cache", "in", f"{tmp_path}/*.txt", "# no"],
        workspace=tmp_path / "job" / "work",
        home=tmp_path / "home",
        job=tmp_path / "job",
        without=tmp_path / "home" / ".cache" / "own",
    )
    assert paths.place("home:.cache/a/b") == (tmp_path / "home" / ".cache", "a/b")
    assert paths.place("job:work/in/x") == (tmp_path / "job", "work/in/x")
    assert paths.place("root:" + str(tmp_path / "a.txt")[1:]) == (tmp_path, "a.txt")
    wrong = ["home:.ssh/x", "home:../.cache/x", "home:.cache/../.ssh/x", "job:../x", "job:work/x", "root:etc/passwd"]
    wrong += ["home:.cache/own/x", "other:.cache/x", "home:/etc/x", ""]
    assert [paths.place(name) for name in wrong] == [None] * len(wrong)


def test_a_link_of_the_machine_is_followed_and_one_below_is_not(tree: Path, tmp_path: Path) -> None:
    env = {"HOME": str(tmp_path)}
    (tmp_path / "disk").mkdir()
    (tmp_path / "tool").symlink_to("disk")
    play(tree, outside("~/tool", "mkdir ~/tool/in && echo 1 > ~/tool/in/x"), env=env)
    shutil.rmtree(tmp_path / "disk" / "in")
    (tmp_path / "victim").mkdir()
    (tmp_path / "disk" / "in").symlink_to(tmp_path / "victim")
    assert play(tree, outside("~/tool", "test -e ~/tool/in/x", "true"), env=env).result == "success"
    assert (tmp_path / "tool").is_symlink() and (tmp_path / "disk" / "in" / "x").is_file()
    assert list((tmp_path / "victim").iterdir()) == []


def test_what_cannot_be_saved_or_restored_is_told_and_fails_nothing(tree: Path, tmp_path: Path) -> None:
    env = {"HOME": str(tmp_path)}
    assert play(tree, outside("~/tool", "mkdir ~/tool && echo 1 > ~/tool/x"), env=env).result == "success"
    (tmp_path / "tool" / "x").unlink()
    (tmp_path / "tool" / "x").mkdir()
    job = play(tree, outside("~/tool", "true"), env=env)
    assert job.result == "success"
    assert "kept already" in job.steps[-1].reason


def test_the_longest_unused_go_when_it_is_full(tmp_path: Path) -> None:
    store = CacheStore(tmp_path / "root", "a/b", max_bytes=2500)
    for name in ("one", "two", "three"):
        (tmp_path / name).write_bytes(name.encode() * (1000 // len(name)))
        assert store.save("main", "v", name, tmp_path, [(name, tmp_path / name)])
    assert store.find(["main"], "v", "one", []) is None
    assert store.find(["main"], "v", "two", []) and store.find(["main"], "v", "three", [])
    assert len(list((tmp_path / "root").rglob("blobs/*/*"))) == 2
    assert not store.save("main", "v", "two", tmp_path, [])
    (tmp_path / "four").write_bytes(b"4" * 3000)
    with pytest.raises(Failed, match="MiB"):
        store.save("main", "v", "four", tmp_path, [("four", tmp_path / "four")])


def test_repositories_of_one_name_have_caches_of_their_own(tree: Path, tmp_path: Path) -> None:
    play(tree, FILL.replace("KEY", "lib-1"))
    assert play(tmp_path / "elsewhere", look("lib-1", "", "true")).result == "success"
    assert play(tree, look("lib-1", "", "true"), identity="another").result == "success"
    assert play(tree, look("lib-1", "true", THERE)).result == "success"


def test_clones_of_one_repository_share_their_caches(tree: Path, tmp_path: Path) -> None:
    import subprocess

    def git(*words: str) -> None:
        subprocess.run(["git", *words], cwd=tree, check=True, capture_output=True)

    play(tree, FILL.replace("KEY", "lib-1"))
    git("init", "-q", "-b", "main", ".")
    git("add", "-A")
    git("commit", "-q", "-m", "first")
    assert play(tree, FILL.replace("KEY", "lib-1")).result == "success"
    clone = tmp_path / "clone"
    git("clone", "-q", ".", str(clone))
    assert play(clone, look("lib-1", "true", THERE)).result == "success"


def test_what_an_untrusted_run_keeps_reaches_no_other(tree: Path) -> None:
    play(tree, FILL.replace("KEY", "lib-1"), cache_scope="change c1")
    assert play(tree, look("lib-1", "true", THERE), cache_scope="change c1").result == "success"
    assert play(tree, look("lib-1", "", "true"), cache_scope="change c2").result == "success"
    assert play(tree, FILL.replace("KEY", "lib-1")).result == "success"
    assert play(tree, look("lib-1", "true", THERE), cache_scope="change c2").result == "success"


def test_the_saving_is_a_step_after_the_others(tree: Path) -> None:
    job = play(tree, FILL.replace("KEY", "lib-1"))
    assert (job.steps[-1].name, job.steps[-1].reason) == ("Post Run actions/cache@v4", "saved 2 files under 'lib-1'")
    job = play(tree, look("lib-1", "true", THERE))
    assert "is not saved again" in job.steps[-1].reason
    job = play(tree, FILL.replace("KEY", "lib-2").replace('"lib-"', '"no-", save-always: true') + "- run: exit 1\n")
    assert "saved" in job.steps[-1].reason
    keys = "\\n".join(f"k{number}" for number in range(10))
    job = play(tree, f'- {{uses: actions/cache@v4, with: {{path: deps, key: k, restore-keys: "{keys}"}}}}\n')
    assert "at most 10 keys" in job.steps[0].reason
