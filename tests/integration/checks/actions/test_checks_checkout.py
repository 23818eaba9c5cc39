"""Checkout: other commits, other repositories, history, parts of the tree and submodules, on real repositories."""

from __future__ import annotations

from typing import Any

import pytest

from ecluse.model import Result


@pytest.fixture
def tree(play: Any) -> Any:
    """Three commits on main with a tag, and a branch beside."""
    for number in (1, 2, 3):
        play.write("a.txt", f"{number}\n")
        play.write(f"src/deep/{number}.py", "x\n")
        play.write("docs/guide.md", "x\n")
        play.write("src/lib/x.py", "x\n")
        play.commit(f"commit {number}")
        if number == 2:
            play.git("tag", "v2")
            play.git("branch", "side")
    return play


def good(play: Any, steps: str, **request: Any) -> None:
    job = play.job(steps, **request)
    assert job.result is Result.SUCCESS, "\n".join(play.lines)


def test_history_is_as_deep_as_asked(tree: Any) -> None:
    good(
        tree,
        """
        - uses: actions/checkout@v4
        - run: |
            test "$(git log --format=%s)" = 'commit 3' && test -z "$(git tag)"
            test "$(git rev-parse --is-shallow-repository)" = true && test -z "$(git status --porcelain -uno)"
        - {uses: actions/checkout@v4, with: {path: two, fetch-depth: 2, fetch-tags: true}}
        - run: cd two && test "$(git rev-list --count HEAD)" = 2 && test "$(git tag)" = v2
        - {uses: actions/checkout@v4, with: {path: all, fetch-depth: 0}}
        - run: |
            cd all && test "$(git rev-list --count HEAD)" = 3 && test "$(git describe --tags)" != ''
            git diff --quiet origin/side v2 && git rev-parse origin/main
        """,
    )
    assert "must be a number" in tree.job("- {uses: actions/checkout@v4, with: {fetch-depth: x}}\n").steps[0].reason


def test_another_commit_of_the_same_repository(tree: Any) -> None:
    tree.write("a.txt", "not committed\n")
    first = tree.git("rev-parse", "HEAD~2")
    good(
        tree,
        f"""
        - {{id: c, uses: actions/checkout@v4, with: {{ref: side}}}}
        - run: test "$(cat a.txt)" = 2 && test ! -e src/deep/3.py && test "$(git branch --show-current)" = side
        - {{uses: actions/checkout@v4, with: {{ref: v2, path: tag}}}}
        - run: cd tag && test "$(cat a.txt)" = 2 && test -z "$(git branch --show-current)" && git diff --quiet
        - {{uses: actions/checkout@v4, with: {{ref: {first}, path: old}}}}
        - run: test "$(cat old/a.txt)" = 1 && test "${{{{ steps.c.outputs.ref }}}}" = side
        - {{uses: actions/checkout@v4, with: {{clean: false}}}}
        - run: test "$(cat a.txt)" = 'not committed' && test -e old
        """,
    )
    assert tree.git("status", "--porcelain", "-uno") == "M a.txt"
    assert (
        "no such branch, tag or commit" in tree.job("- {uses: actions/checkout@v4, with: {ref: no}}\n").steps[0].reason
    )


def test_parts_of_the_tree(tree: Any) -> None:
    tree.write("src/deep/new.py", "x\n")
    good(
        tree,
        """
        - uses: actions/checkout@v4
          with: {sparse-checkout: "src/deep\\ndocs"}
        - run: |
            test -e a.txt && test -e src/deep/3.py && test -e src/deep/new.py && test -e docs/guide.md
            test ! -e src/lib && git status --porcelain -uno | { ! grep .; }
        - uses: actions/checkout@v4
          with: {path: p, sparse-checkout: "*.py\\n!/src/lib/x.py\\n", sparse-checkout-cone-mode: false}
        - run: cd p && test -e src/deep/1.py && test ! -e a.txt && test ! -e src/lib && test ! -e docs
        - {uses: actions/checkout@v4, with: {path: q, ref: v2, sparse-checkout: docs}}
        - run: cd q && test -e docs/guide.md && test -e a.txt && test ! -e src && git diff --quiet
        """,
    )


def test_another_repository(tree: Any, forge: Any) -> None:
    forge.put("them/lib", {"x.txt": "one"}, tag="v1")
    commit = forge.put("them/lib", {"x.txt": "two"})
    good(
        tree,
        f"""
        - {{uses: actions/checkout@v4, with: {{repository: them/lib, path: lib, lfs: true}}}}
        - run: test "$(cat lib/x.txt)" = two && test "$(git -C lib rev-list --count HEAD)" = 1
        - {{uses: actions/checkout@v4, with: {{repository: them/lib, ref: v1, path: old, fetch-depth: 0}}}}
        - run: test "$(cat old/x.txt)" = one && git -C old rev-parse origin/main
        - {{id: c, uses: actions/checkout@v4, with: {{repository: them/lib, ref: {commit}, path: third}}}}
        - run: test "${{{{ steps.c.outputs.commit }}}}" = {commit} && git -C third diff --quiet
        """,
    )
    assert any("the input lfs has no effect" in line for line in tree.lines)
    gone = "- {uses: actions/checkout@v4, with: {repository: them/lib, ref: v9}}\n"
    assert "has no ref 'v9'" in tree.job(gone).steps[0].reason
    gone = "- {uses: actions/checkout@v4, with: {repository: them/none}}\n"
    assert "checkout of another repository (them/none) did not work" in tree.job(gone).steps[0].reason


def test_submodules_from_the_tree_and_from_elsewhere(tree: Any, forge: Any) -> None:
    forge.put("them/inner", {"deep.txt": "deep"})
    forge.put("them/lib", {"x.txt": "one"})
    forge.git("them/lib", "-c", "protocol.file.allow=always", "submodule", "add", "-q", f"{forge.url}/them/inner", "in")
    forge.put("them/lib", {})
    for path in ("here", "away"):
        tree.git("-c", "protocol.file.allow=always", "submodule", "add", "-q", f"{forge.url}/them/lib", path)
    tree.commit("modules")
    tree.git("submodule", "deinit", "-q", "-f", "away")
    tree.write("here/x.txt", "changed here\n")
    good(
        tree,
        """
        - uses: actions/checkout@v4
        - run: test ! -e here/x.txt && test ! -e away/x.txt
        - {uses: actions/checkout@v4, with: {submodules: true}}
        - run: test "$(git -C here status --porcelain)" = ' M x.txt'
        - run: test "$(cat here/x.txt)" = 'changed here' && test "$(cat away/x.txt)" = one && test ! -e away/in/deep.txt
        - {uses: actions/checkout@v4, with: {submodules: recursive, path: all}}
        - run: test "$(cat all/away/in/deep.txt)" = deep && git -C all/away rev-parse HEAD
        """,
    )


def test_files_of_the_tree_do_not_choose_folders_of_this_machine(tree: Any, forge: Any, tmp_path: Any) -> None:
    forge.put("them/lib", {"x.txt": "one"})
    for server in ("file:///tmp/elsewhere", f"{forge.url}/../other", "ssh://host"):
        steps = f"- {{uses: actions/checkout@v4, with: {{repository: them/lib, github-server-url: '{server}'}}}}\n"
        assert "is not asked from here" in tree.job(steps).steps[0].reason
    tree.git("-c", "protocol.file.allow=always", "submodule", "add", "-q", f"{forge.url}/them/lib", "lib")
    tree.write(".gitmodules", f'[submodule "lib"]\n\tpath = lib\n\turl = file://{tmp_path}/other\n')
    tree.commit("modules")
    tree.git("submodule", "deinit", "-q", "-f", "lib")
    job = tree.job("- {uses: actions/checkout@v4, with: {submodules: true}}\n")
    assert "is not asked from here" in job.steps[0].reason
    tree.write(".gitmodules", '[submodule "lib"]\n\tpath = ../out\n\turl = https://h.example/x\n')
    assert "lies outside" in tree.job("- {uses: actions/checkout@v4, with: {submodules: true}}\n").steps[0].reason


def test_a_step_that_writes_into_its_files_does_not_change_the_tree(tree: Any) -> None:
    good(tree, "- uses: actions/checkout@v4\n- run: for f in $(git ls-files); do echo more >> $f; done\n")
    assert tree.git("status", "--porcelain", "-uno") == ""
