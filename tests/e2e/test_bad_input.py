"""What a person gets for a mistake: one sentence, the next command, the right exit status, never a traceback."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ecluse.cli.group import VERBS

IN_A_REPOSITORY = [
    ["export"],
    ["import", "x.tar"],
    ["land", "c-1"],
    ["queue"],
    ["status"],
    ["history", "list"],
    ["history", "search", "x"],
    ["show", "c-1"],
    ["release", "plan"],
    ["release", "start"],
    ["release", "status"],
    ["playbook", "list"],
    ["review", "c-1", "--accept", "--why", "x"],
    ["init"],
    ["serve"],
]


@pytest.mark.parametrize("words", IN_A_REPOSITORY, ids=" ".join)
def test_outside_a_repository(cli: Any, tmp_path: Path, words: list[str]) -> None:
    said = cli(*words, cwd=tmp_path, expect=2)
    assert "is not inside a git repository" in said.err
    assert "next: " in said.err and "git init" in said.err


@pytest.mark.parametrize(
    "words", [w for w in IN_A_REPOSITORY if w[0] not in ("export", "init", "playbook")], ids=" ".join
)
def test_before_init(cli: Any, bench: Any, words: list[str]) -> None:
    said = cli(*words, cwd=bench.folder, expect=2)
    assert "ecluse init" in said.err


@pytest.mark.parametrize("words", [["export"], ["release", "plan"]], ids=" ".join)
def test_no_commits(cli: Any, tmp_path: Path, words: list[str]) -> None:
    subprocess.run(["git", "init", "-q", str(tmp_path / "r")], check=True)
    cli("init", cwd=tmp_path / "r")
    said = cli(*words, cwd=tmp_path / "r", expect=2)
    assert "no commits yet" in said.err
    assert "git commit" in said.err


def test_no_git(cli: Any, bench: Any, tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    said = cli("export", cwd=bench.folder, expect=1, env={"PATH": str(tmp_path / "bin")})
    assert "`git` was not found" in said.err
    assert "install git" in said.err


def test_missing_file_and_folder(cli: Any, bench: Any, tmp_path: Path) -> None:
    cli("init", cwd=bench.folder)
    said = cli("import", "no-such-bundle.tar", cwd=bench.folder, expect=2)
    assert "no-such-bundle.tar" in said.err and "next: " in said.err
    said = cli("-C", str(tmp_path / "absent"), "status", cwd=tmp_path, expect=2)
    assert "no folder" in said.err


@pytest.mark.parametrize("keep", [0, 1, 60, 511, 2000], ids=lambda n: f"{n} bytes")
def test_truncated_bundle(cli: Any, bench: Any, tmp_path: Path, keep: int) -> None:
    cli("init", "--trust", "all", cwd=bench.folder)
    sandbox = clone(bench, tmp_path)
    (sandbox / "new.txt").write_text("work\n")
    cli("export", "--to", str(tmp_path / "whole.tar"), cwd=sandbox)
    cut = tmp_path / "cut.tar"
    cut.write_bytes((tmp_path / "whole.tar").read_bytes()[:keep])
    said = cli("import", str(cut), cwd=bench.folder, expect=None)
    assert said.code in (2, 4), str(said)
    assert "next: " in said.out + said.err
    assert bench.git("status", "--porcelain", "--untracked-files=no") == ""
    cli("import", str(tmp_path / "whole.tar"), cwd=bench.folder)


def test_truncated_git_bundle(cli: Any, bench: Any, tmp_path: Path) -> None:
    cli("init", cwd=bench.folder)
    bench.git("checkout", "-q", "-b", "side")
    bench.commit("feat: side", b_dot_txt="b" * 5000)
    bench.git("bundle", "create", "-q", str(tmp_path / "whole.bundle"), "main..side")
    bench.git("checkout", "-q", "main")
    cut = tmp_path / "cut.bundle"
    cut.write_bytes((tmp_path / "whole.bundle").read_bytes()[:-30])
    said = cli("import", str(cut), cwd=bench.folder, expect=4)
    assert "cut short" in said.err
    assert "next: " in said.out + said.err


def test_unknown_ids(cli: Any, bench: Any) -> None:
    cli("init", cwd=bench.folder)
    for words in (["show", "nothing-like-it"], ["land", "nothing-like-it"], ["release", "approve", "nothing-like-it"]):
        said = cli(*words, cwd=bench.folder, expect=2)
        assert "nothing-like-it" in said.err
        assert "next: " in said.err


def test_json_problems_are_one_document(cli: Any, bench: Any) -> None:
    cli("init", cwd=bench.folder)
    said = cli("show", "nothing-like-it", "--json", cwd=bench.folder, expect=2)
    assert set(said.json["error"]) >= {"code", "message", "hint"}
    said = cli("land", "--json", cwd=bench.folder, expect=2)
    assert said.json["error"]["code"] == "usage"


def test_unknown_verb_and_option_name_what_was_meant(cli: Any, tmp_path: Path) -> None:
    assert "ecluse history" in cli("hitsory", cwd=tmp_path, expect=2).err
    assert "ecluse land --help" in cli("land", "--now", cwd=tmp_path, expect=2).err


@pytest.mark.parametrize("verb", list(VERBS))
def test_every_verb_has_help(cli: Any, tmp_path: Path, verb: str) -> None:
    said = cli(verb, "--help", cwd=tmp_path)
    assert "Usage: ecluse" in said.out


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write everywhere")
def test_read_only_folder_as_a_user(cli: Any, bench: Any) -> None:
    read_only(bench.folder / ".git")
    try:
        said = cli("init", cwd=bench.folder, expect=1)
        assert "No permission" in said.err or "cannot be written" in said.err
        assert "next: " in said.err
    finally:
        (bench.folder / ".git").chmod(0o755)


def read_only(folder: Path) -> None:
    folder.chmod(0o555)


IN_A_MOUNT = "mount -t tmpfs -o {options} none '{at}' && "


def unshared(script: str, **options: Any) -> subprocess.CompletedProcess[bytes]:
    """Run a shell script in a mount namespace of its own."""
    return subprocess.run(["unshare", "-rm", "sh", "-c", script], capture_output=True, check=False, **options)


def can_mount(tmp_path: Path) -> bool:
    (tmp_path / "probe").mkdir()
    return (
        shutil.which("unshare") is not None
        and unshared(IN_A_MOUNT.format(options="size=64k", at=tmp_path / "probe") + "true").returncode == 0
    )


def test_full_disk(cli: Any, bench: Any, tmp_path: Path) -> None:
    """The repository lies on a real file system that is really full: what was there stays, and the message says so."""
    if not can_mount(tmp_path):
        pytest.skip("no mount namespace here, so no small disk to fill")
    at = tmp_path / "small"
    at.mkdir()
    ecluse = f"'{sys.executable}' -P -m ecluse"
    script = (
        IN_A_MOUNT.format(options="size=8m", at=at)
        + f"""
        cp -r '{bench.folder}' '{at}/r' && cd '{at}/r' && {ecluse} init >/dev/null 2>&1 || exit 90
        head -c 900000 /dev/urandom > new.bin
        dd if=/dev/zero of='{at}/filler' bs=4k >/dev/null 2>&1
        {ecluse} export; echo "code $?"
        git --no-optional-locks status --porcelain
        rm '{at}/filler'
        {ecluse} export >/dev/null 2>&1; echo "code $?"
    """
    )
    done = unshared(script, env=cli.env)
    out, err = done.stdout.decode(), done.stderr.decode()
    assert "Traceback" not in err, err
    assert "code 1\n" in out, out + err
    assert "disk is full" in err, err
    assert "next: " in err and "df -h" in err
    assert "?? new.bin" in out
    assert out.rstrip().endswith("code 0"), "with space again, the same command works: " + out


def test_read_only_file_system(cli: Any, bench: Any, tmp_path: Path) -> None:
    if not can_mount(tmp_path):
        pytest.skip("no mount namespace here")
    at = tmp_path / "frozen"
    at.mkdir()
    ecluse = f"'{sys.executable}' -P -m ecluse"
    script = (
        IN_A_MOUNT.format(options="size=8m", at=at)
        + f"""
        cp -r '{bench.folder}' '{at}/r' && mount --bind '{at}' '{at}' && mount -o remount,bind,ro '{at}' && cd '{at}/r' || exit 90
        {ecluse} init; echo "code $?"
    """
    )
    done = unshared(script, env=cli.env)
    assert done.stdout.decode().rstrip().endswith("code 1"), done.stdout.decode() + done.stderr.decode()
    assert "next: " in done.stderr.decode()
    assert "Traceback" not in done.stderr.decode()


def clone(bench: Any, tmp_path: Path) -> Path:
    """A sandbox: a clone without remote."""
    sandbox = tmp_path / "sandbox"
    subprocess.run(["git", "clone", "-q", str(bench.folder), str(sandbox)], check=True)
    subprocess.run(["git", "-C", str(sandbox), "remote", "remove", "origin"], check=True)
    return sandbox
