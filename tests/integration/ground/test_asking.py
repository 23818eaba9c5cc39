"""One process of git that answers many questions, and the configuration read once: the same answers as git's own commands."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ecluse.errors import Refused
from ecluse.git import Repository
from ecluse.git.lookups import commits_beyond, resolve_all, upstream_of


@pytest.fixture
def repository(bench: Any) -> Repository:
    return Repository.discover(bench.folder)


NAMES = ("HEAD", "refs/heads/main", "HEAD~1", "nothing", "HEAD:README.md", "v1", "", " ", "main main", "a\nb", "--all")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", ["commit", "tree", "blob"])
def test_the_same_answer_either_way(bench: Any, repository: Repository, name: str, kind: str) -> None:
    bench.git("tag", "-a", "v1", "-m", "one")
    alone = repository.resolve(name, kind)
    with repository.asking():
        assert repository.resolve(name, kind) == alone
        assert repository.resolve(name, kind) == alone


def test_what_moves_while_it_runs_is_seen(bench: Any, repository: Repository) -> None:
    with repository.asking():
        first = repository.resolve("HEAD")
        assert repository.ref("refs/heads/later") == ""
        bench.git("commit", "-q", "--allow-empty", "-m", "feat: two")
        bench.git("branch", "later")
        second = repository.resolve("HEAD")
        assert second not in (None, first) and repository.ref("refs/heads/later") == second
        bench.git("repack", "-a", "-d", "-q")
        bench.git("pack-refs", "--all")
        assert repository.resolve("HEAD") == second and repository.ref("refs/heads/later") == second
        bench.git("branch", "-D", "later")
        assert repository.ref("refs/heads/later") == ""
    assert not repository.is_asking


def test_files_of_a_revision(bench: Any, repository: Repository) -> None:
    (bench.folder / "bytes.bin").write_bytes(bytes(range(256)) * 40)
    (bench.folder / "empty").write_bytes(b"")
    (bench.folder / "of two\nlines").write_bytes(b"x\n")
    bench.git("add", "-A")
    bench.git("commit", "-q", "-m", "feat: files")
    with repository.asking():
        assert repository.read("HEAD", "bytes.bin") == bytes(range(256)) * 40
        assert repository.read("HEAD", "empty") == b"" and repository.read("HEAD", "none") is None
        with pytest.raises(Refused) as refusal:
            repository.read("HEAD", "bytes.bin", cap=100)
        assert refusal.value.code == "limit.file_size"
        assert repository.read("HEAD", "empty") == b""
        tree = repository.tree_id("HEAD")
        assert repository.tree_of(repository.commit_id("HEAD")) == tree and repository.tree_of(tree) is None


def test_configuration_is_the_repositorys_own(bench: Any, repository: Repository, tmp_path: Path) -> None:
    (tmp_path / "more").write_text("[ecluse]\n\ttrunk = included\n")
    bench.git("config", "include.path", str(tmp_path / "more"))
    assert repository.config("ecluse.trunk") is None
    bench.git("config", "--global", "ecluse.base", "global")
    assert repository.config("ecluse.base") is None
    repository.set_config("Ecluse.Trunk", "one")
    assert repository.config("ecluse.trunk") == "one"
    bench.git("config", "ecluse.trunk", "two\nlines")
    assert repository.config("ecluse.trunk") == "two\nlines"
    bench.git("config", "--add", "branch.Feature/X.merge", "refs/heads/y")
    assert repository.config("branch.Feature/X.merge") == "refs/heads/y"
    assert repository.config("branch.feature/x.merge") is None


def test_a_configuration_that_git_cannot_read(bench: Any, repository: Repository) -> None:
    with (bench.folder / ".git" / "config").open("a") as file:
        file.write("[broken\n")
    assert repository.settings() is None and repository.identity() is None and repository.config("a.b") is None


def test_upstream(bench: Any, repository: Repository, tmp_path: Path) -> None:
    assert upstream_of(repository) == ""
    bench.git("clone", "-q", str(bench.folder), str(tmp_path / "box"))
    box = Repository.discover(tmp_path / "box")
    assert upstream_of(box) == "origin/main"
    bench.git("-C", str(tmp_path / "box"), "update-ref", "-d", "refs/remotes/origin/main")
    assert upstream_of(box) == ""


def test_resolving_several(repository: Repository) -> None:
    names = ["HEAD", "nothing", "refs/heads/main"]
    alone = resolve_all(repository, names)
    with repository.asking():
        assert resolve_all(repository, names) == alone


def test_where_two_histories_part(bench: Any, repository: Repository) -> None:
    def commit(word: str, *parents: str) -> str:
        return str(
            bench.git("commit-tree", "HEAD^{tree}", *(w for p in parents for w in ("-p", p)), "-m", word)
        ).strip()

    root = commit("root")
    tip = commit("tip", root)
    one, other = commit("one", root), commit("other", root)
    merge = commit("merge", one, tip)
    crossed = commit("crossed", other, commit("deep", commit("far", root)))
    lonely = commit("lonely")
    both = commit("both", lonely, root)
    for head in (root, tip, one, merge, crossed, lonely, both, commit("on", tip)):
        listed, base = commits_beyond(repository, head, tip, 100)
        assert base == repository.merge_base(tip, head), head
        assert sorted(listed) == sorted(bench.git("rev-list", head, f"^{tip}").split())
    assert commits_beyond(repository, commit("on", tip), tip, 1)[1] == tip
