"""The one caller of git, on real repositories."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ecluse.errors import Failed, Invalid, Waits
from ecluse.git import RefMoved, Repository, list_work_files
from ecluse.git.following import follow, overlapping
from ecluse.git.resolving import merge_many


def test_outside_a_repository_names_the_next_command(tmp_path: Path) -> None:
    with pytest.raises(Invalid) as caught:
        Repository.discover(tmp_path)
    assert caught.value.code == "repo.none"
    assert "git init" in caught.value.hint


def test_no_commits_yet(tmp_path: Path) -> None:
    repository = Repository.create(tmp_path / "r")
    assert repository.resolve("HEAD") is None
    with pytest.raises(Invalid) as caught:
        repository.commit_id("HEAD")
    assert caught.value.code == "repo.empty"


def test_inherited_git_variables_do_not_steer_us(bench, monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(tmp_path / "index"))
    assert Repository.discover(bench.folder).commit_id("HEAD")


def test_hostile_user_configuration_is_not_read(bench, own_home: Path) -> None:
    (own_home / ".gitconfig").write_text(
        "[color]\nui=always\n[diff]\nnoprefix=true\nexternal=false\n[core]\nquotePath=true\n"
    )
    first = bench.git("rev-parse", "HEAD")
    bench.write("é.txt", "x")
    bench.git("add", "-A")
    bench.git("-c", "user.name=x", "-c", "user.email=x@example.invalid", "commit", "-q", "-m", "second")
    changes = bench.repository.changed_paths(first, "HEAD")
    assert [(c.status, c.path) for c in changes] == [("A", "é.txt")]


def test_move_ref_is_compare_and_swap(bench) -> None:
    first = bench.git("rev-parse", "HEAD")
    second = bench.commit("second", b_dot_txt="b")
    repository = bench.repository
    repository.move_ref("refs/heads/other", second, "", "made")
    with pytest.raises(RefMoved) as caught:
        repository.move_ref("refs/heads/other", first, first, "stale")
    assert caught.value.found == second
    assert repository.refs("refs/heads/other") == {"refs/heads/other": second}
    repository.move_ref("refs/heads/other", first, second, "right")
    repository.move_ref("refs/heads/other", first, second, "again: already there is success")
    with pytest.raises(RefMoved):
        repository.move_ref("refs/heads/other", second, "", "exists already")


def test_merge_in_memory_names_conflicts_and_touches_nothing(bench) -> None:
    base = bench.git("rev-parse", "HEAD")
    ours = bench.commit("ours", a_dot_txt="ONE\ntwo\nthree\n")
    bench.git("checkout", "-q", "-b", "side", base)
    clean = bench.commit("clean", b_dot_txt="b")
    bench.git("checkout", "-q", "-b", "clash", base)
    clash = bench.commit("clash", a_dot_txt="uno\ntwo\nthree\n")
    repository = bench.repository
    assert repository.merge(ours, clean).conflicts == ()
    assert repository.merge(ours, clash).conflicts == ("a.txt",)
    pairs = [(ours, clean), (ours, clash), (clean, clash), (clash, ours)]
    assert merge_many(repository, pairs) == [repository.merge(*pair) for pair in pairs]
    assert merge_many(repository, []) == []
    with pytest.raises(Failed, match="could not merge"):  # git stops there, and is asked for the rest one by one
        merge_many(repository, [(ours, clean), (ours, "0" * 40), (ours, clash)])
    assert repository.status() == []


def test_follow_keeps_uncommitted_work_elsewhere(bench) -> None:
    old = bench.commit("old", b_dot_txt="b", c_dot_txt="c")
    bench.git("checkout", "-q", "-b", "next")
    new = bench.commit("new", a_dot_txt="changed\n", d__deep_dot_txt="deep")
    bench.git("rm", "-q", "c.txt")
    bench.git("commit", "-q", "-m", "without c")
    new = bench.git("rev-parse", "HEAD")
    bench.git("checkout", "-q", "main")
    bench.write("b.txt", "my work")
    bench.write("untracked.txt", "mine too")
    repository = bench.repository
    assert overlapping(repository, old, new) == ()
    follow(repository, old, new)
    repository.move_ref("refs/heads/main", new, old, "test")
    assert (bench.folder / "a.txt").read_text() == "changed\n"
    assert (bench.folder / "d" / "deep.txt").read_text() == "deep"
    assert not (bench.folder / "c.txt").exists()
    assert (bench.folder / "b.txt").read_text() == "my work"
    assert bench.git("status", "--porcelain").split("\n") == ["M b.txt", "?? untracked.txt"]


@pytest.mark.parametrize("mine", ["a.txt", "d", "d/deep.txt"])
def test_overlapping_names_the_users_paths_and_follow_refuses(bench, mine: str) -> None:
    old = bench.git("rev-parse", "HEAD")
    bench.git("checkout", "-q", "-b", "next")
    new = bench.commit("new", a_dot_txt="changed\n", d__deep_dot_txt="deep")
    bench.git("checkout", "-q", "main")
    bench.write(mine, "precious")
    repository = bench.repository
    assert overlapping(repository, old, new) == (mine,)
    with pytest.raises(Waits):
        follow(repository, old, new)
    assert (bench.folder / mine).read_text() == "precious"
    assert repository.commit_id("HEAD") == old


def test_follow_goes_on_after_dying_half_way(bench) -> None:
    old = bench.commit("old", gone_dot_txt="g", x_dot_sh="x")
    bench.git("checkout", "-q", "-b", "next")
    bench.git("rm", "-q", "gone.txt")
    (bench.folder / "x.sh").chmod(0o755)
    new = bench.commit("new", a_dot_txt="changed\n", n_dot_txt="n")
    bench.git("checkout", "-q", "main")
    (bench.folder / "gone.txt").unlink()  # a checkout cut short: some files are already as they are to be
    bench.write("a.txt", "changed\n")
    bench.write("n.txt", "n")
    repository = bench.repository
    assert overlapping(repository, old, new) == ()
    follow(repository, old, new)
    follow(repository, old, new)
    repository.move_ref("refs/heads/main", new, old, "test")
    assert bench.git("status", "--porcelain") == ""
    assert os.access(bench.folder / "x.sh", os.X_OK)


def test_dead_lock_is_removed_and_a_living_one_is_left(bench) -> None:
    repository = bench.repository
    (repository.git_dir / "index.lock").write_text("")
    assert repository.clear_dead_locks("index", patience_s=0.1) == ("index.lock",)
    assert not (repository.git_dir / "index.lock").exists()


def test_temporary_clone_borrows_and_leaves_no_trace(bench) -> None:
    with bench.repository.temporary_clone(bare=False) as clone:
        folder = clone.git_dir
        clone.check_out(bench.git("rev-parse", "HEAD"))
        assert clone.work_tree is not None
        assert (clone.work_tree / "a.txt").read_text() == "one\ntwo\nthree\n"
        assert clone.status() == []
    assert not folder.exists()


def test_adopt_brings_exactly_the_objects(bench, tmp_path: Path) -> None:
    base = bench.git("rev-parse", "HEAD")
    with bench.repository.temporary_clone() as clone:
        blob = clone.run("hash-object", "-w", "--stdin", stdin=b"new").stdout.decode().strip()
        tree = clone.run("mktree", stdin=f"100644 blob {blob}\tn\n".encode()).stdout.decode().strip()
        from ecluse.git import Identity
        from ecluse.git.packs import adopt

        commit = clone.commit_tree(tree, [base], "n", Identity("A", "a@example.invalid"), "2026-01-01T00:00:00Z")
        assert bench.repository.resolve(commit) is None
        adopt(bench.repository, clone, commit, [base])
    assert bench.repository.read(commit, "n") == b"new"


def test_commits_keep_multi_line_messages_and_odd_bytes(bench) -> None:
    base = bench.git("rev-parse", "HEAD")
    bench.git("commit", "-q", "--allow-empty", "-m", "title\n\nbody one\n\nbody two")
    (found,) = bench.repository.commits("HEAD", f"^{base}")
    assert found.title == "title"
    assert found.message == "title\n\nbody one\n\nbody two"
    assert found.parents == (base,)


def test_work_files_are_tracked_and_untracked_without_ignored(bench) -> None:
    bench.commit("ignore", _dot_gitignore="*.log\n")
    bench.write("new.txt", "n")
    bench.write("x.log", "l")
    (bench.folder / "a.txt").unlink()
    assert sorted(list_work_files(bench.folder) or []) == [".gitignore", "new.txt"]
    assert list_work_files(bench.folder.parent) is None


def test_locating_agrees_with_git(bench, tmp_path: Path) -> None:
    from ecluse.git.locate import common_folder

    deep = bench.folder / "x" / "y"
    deep.mkdir(parents=True)
    bench.git("worktree", "add", "-q", str(tmp_path / "linked"), "-b", "linked")
    bench.git("clone", "-q", "--bare", ".", str(tmp_path / "bare.git"))
    for place in (bench.folder, deep, tmp_path / "linked", tmp_path / "bare.git"):
        assert common_folder(place) == Repository.discover(place).common_dir, place
    assert common_folder(tmp_path) is None
    assert common_folder(tmp_path / "absent") is None
