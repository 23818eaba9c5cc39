"""Variants of hostile changes beyond the reference set, each beside a harmless control."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from ecluse import intake
from ecluse.errors import Problem

PERSON = "A Person <person@example.invalid> 1700000000 +0000"


@pytest.fixture
def judge(bench: Any, tmp_path: Path) -> Any:
    """Judge a commit made of these files (path to text), written as git's own commands would not always write it."""

    def judged(files: dict[str, str], *, author: str = PERSON, message: str = "a change\n", ref: str = "") -> Any:
        stream = f"commit refs/heads/made\nauthor {author}\ncommitter {author}\n"
        stream += f"data {len(message.encode())}\n{message}from refs/heads/main\n"
        for path, text in files.items():
            stream += f"M 644 inline {path}\ndata {len(text.encode())}\n{text}\n"
        bench.git("fast-import", "--quiet", "--force", stdin=stream.encode())
        bundle = tmp_path / "change.bundle"
        bench.git("bundle", "create", "-q", str(bundle), "main..made")
        if ref:
            bundle.write_bytes(bundle.read_bytes().replace(b" refs/heads/made\n", f" {ref}\n".encode()))
        found, _, _ = intake.examine(bench.repository, bundle)
        return found.verdict.value, {one.code for one in found.findings}

    return judged


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("agents.md", "policy.instructions_changed"), ("docs/CoDeOwNeRs", "policy.owners_changed"),
        (".GitHub/Workflows/x.yml", "policy.ci_changed"), (".zed/tasks.json", "toolconfig.autorun"),
        (".mvn/extensions.xml", "toolconfig.autorun"), (".lfsconfig", "toolconfig.autorun"), ("mise.toml", "toolconfig.autorun"),
    ],
)  # fmt: skip
def test_files_that_steer_something(judge: Any, path: str, code: str) -> None:
    verdict, codes = judge({path: "on: push\n"})
    assert (verdict, code in codes) == ("quarantine", True)


def test_gitmodules_alone(judge: Any) -> None:
    section = '[submodule "s"]\n\tpath = s\n\turl = https://example.invalid/s.git\n'
    assert judge({".gitmodules": section}) == ("quarantine", {"submodule.changed"})


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("# a\u2028x = 1\n", "quarantine"), ("# a\u0085x = 1\n", "quarantine"), ("x = '\u009b31m'\n", "quarantine"),
        ("x = 'a\U000e0101b'\n", "quarantine"), ("pass\u200dword = 1\n", "quarantine"),
        ("print('\U0001f469\u200d\U0001f4bb \U0001f642')\n", "accept"), ("# l\u2019\u00e9t\u00e9 \u00ab ok \u00bb\n", "accept"),
    ],
)  # fmt: skip
def test_characters_in_code(judge: Any, text: str, verdict: str) -> None:
    assert judge({"new.py": text})[0] == verdict


@pytest.mark.parametrize(
    ("author", "code"),
    [
        ("dependabot[bot] <1+dependabot[bot]@users.noreply.github.com> 1700000000 +0000", "author.mismatch"),
        ("renovate[bot] <bot@example.invalid> 1700000000 +0000", "author.mismatch"),
        ("web-flow <x@example.invalid> 1700000000 +0000", "author.mismatch"),
        ("A Per\u200bson <person@example.invalid> 1700000000 +0000", "author.invalid"),
        ("GitHub Actions <actions@github.com> 1700000000 +0000", "author.mismatch"),
    ],
)
def test_people_who_are_not_who_they_say(judge: Any, author: str, code: str) -> None:
    assert judge({"x.txt": "x\n"}, author=author) == ("reject", {code})


def test_words_and_names(judge: Any) -> None:
    assert judge({"x.txt": "x\n"}, message="seen\rhidden\n")[1] == {"message.control_chars"}
    assert judge({"x.txt": "x\n"}, message="a\r\nb\n") == ("accept", set())
    assert judge({'"a\\342\\200\\250b"': "x\n"}) == ("reject", {"path.control_chars"})
    assert judge({"x.txt": "x\n"}, ref="refs/heads/\u202ex") == ("reject", {"ref.invalid"})
    assert judge({"x.txt": "x\n"}, author="G\u0456tHub <a@example.invalid> 1700000000 +0000") == (
        "quarantine",
        {"text.homoglyph"},
    )


@pytest.mark.parametrize(
    ("ref", "verdict", "code"),
    [("refs/heads/-x", "reject", "ref.invalid"), ("refs/heads/HEAD", "reject", "ref.invalid"), ("refs/heads/MAIN", "reject", "ref.conflict"),
     ("refs/heads/" + "1" * 40, "reject", "ref.invalid"), ("refs/heads/$(id)", "warn", "ref.shell_meta"), ("refs/heads/main", "accept", "")],
)  # fmt: skip
def test_names_of_refs(judge: Any, ref: str, verdict: str, code: str) -> None:
    assert judge({"x.txt": "x\n"}, ref=ref) == (verdict, {code} - {""})


def test_a_commit_with_two_committers(bench: Any, tmp_path: Path) -> None:
    tree, base = bench.git("rev-parse", "main^{tree}"), bench.git("rev-parse", "main")
    raw = f"tree {tree}\nparent {base}\nauthor {PERSON}\ncommitter {PERSON}\ncommitter {PERSON}\n\nx\n"
    commit = bench.git("hash-object", "-t", "commit", "-w", "--literally", "--stdin", stdin=raw.encode())
    bench.git("update-ref", "refs/heads/made", commit.strip())
    bench.git("bundle", "create", "-q", str(tmp_path / "x.bundle"), "main..made")
    found, _, _ = intake.examine(bench.repository, tmp_path / "x.bundle")
    assert (found.verdict.value, found.reason) == ("reject", "commit.malformed")


def test_a_manifest_beside_its_list_of_edits(bench: Any, tmp_path: Path) -> None:
    edits = json.dumps([{"path": "a.txt", "find": "two", "replace": "2"}]).encode()
    said = {"schema": "change/1", "change_id": "c", "base_sha": bench.git("rev-parse", "main"), "payload": "edits.json"}
    (tmp_path / "edits.json").write_bytes(edits)
    (tmp_path / "meta.json").write_text(json.dumps({**said, "payload_sha256": hashlib.sha256(edits).hexdigest()}))
    found, _, _ = intake.examine(bench.repository, tmp_path)
    assert (found.verdict.value, found.method) == ("accept", "edits")


@pytest.mark.parametrize(
    ("field", "verdict", "code"),
    [
        ({}, "accept", "ok"), ({"created": "2999-01-01T00:00:00Z"}, "reject", "meta.date"),
        ({"created": "2023-02-30T00:00:00Z"}, "reject", "meta.date"), ({"head_sha": "1" * 40}, "reject", "meta.head_mismatch"),
        ({"change_id": "a..b"}, "reject", "meta.id"), ({"change_id": "a.lock"}, "reject", "meta.id"),
    ],
)  # fmt: skip
def test_what_a_manifest_says(bench: Any, tmp_path: Path, field: dict[str, str], verdict: str, code: str) -> None:
    patch = b"--- a/a.txt\n+++ b/a.txt\n@@ -1,3 +1,3 @@\n one\n-two\n+2\n three\n"
    said = {"schema": "change/1", "change_id": "c", "base_sha": bench.git("rev-parse", "main"), "payload": "c.patch"}
    said |= {"payload_sha256": hashlib.sha256(patch).hexdigest(), "created": "2023-11-14T22:13:20Z", **field}
    (tmp_path / "case").mkdir()
    (tmp_path / "case" / "c.patch").write_bytes(patch)
    (tmp_path / "case" / "meta.json").write_text(json.dumps(said))
    try:
        found, _, _ = intake.examine(bench.repository, tmp_path / "case")
        assert (found.verdict.value, found.reason) == (verdict, code)
    except Problem as problem:
        assert ("reject", problem.code) == (verdict, code)
