"""Artifacts: which files, under which names, by the rules of each version; brought, joined and merged."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ecluse.model import Result

MAKE = """
- run: |
    mkdir -p out/deep .hid out/.h && echo 1 > out/a.txt && echo 2 > out/deep/b.txt && echo 3 > .hid/c.txt
    echo 4 > out/.h/d.txt && echo 5 > out/.e
"""


def good(play: Any, steps: str, **request: Any) -> None:
    job = play.job(MAKE + steps, **request)
    assert job.result is Result.SUCCESS, "\n".join(play.lines)


def listed(path: str, *names: str) -> str:
    wanted = " ".join(sorted(names))
    return f"- run: test \"$(cd {path} && find . -type f | sed 's,^./,,' | sort | tr '\\n' ' ')\" = '{wanted} '\n"


def test_the_root_is_what_the_paths_have_in_common(play: Any) -> None:
    good(
        play,
        """
        - {id: up, uses: actions/upload-artifact@v4, with: {name: one, path: out}}
        - {uses: actions/upload-artifact@v4, with: {name: two, path: "out/a.txt\\nout/deep/*.txt\\n!**/nothing"}}
        - {uses: actions/upload-artifact@v4, with: {name: file, path: out/deep/b.txt}}
        - {uses: actions/upload-artifact@v4, with: {name: wild, path: 'out/**/*.txt'}}
        - {uses: actions/upload-artifact@v4, with: {name: hidden, path: ., include-hidden-files: true}}
        - {uses: actions/upload-artifact@v4, with: {name: folder, path: .hid}}
        - {uses: actions/upload-artifact@v3.1.0, with: {name: old, path: out}}
        - run: test "${{ steps.up.outputs.artifact-id }}" = 1 && test "${#D}" = 64
          env: {D: "${{ steps.up.outputs.artifact-digest }}"}
        - {uses: actions/download-artifact@v4, with: {path: got}}
        """.replace("\n        ", "\n")
        + listed("got/one", "a.txt", "deep/b.txt")
        + listed("got/two", "a.txt", "deep/b.txt")
        + listed("got/file", "b.txt")
        + listed("got/wild", "a.txt", "deep/b.txt")
        + listed("got/hidden", ".hid/c.txt", "out/.e", "out/.h/d.txt", "out/a.txt", "out/deep/b.txt")
        + listed("got/old", ".e", ".h/d.txt", "a.txt", "deep/b.txt")
        + "- run: test ! -e got/folder\n",
    )


def test_names_are_used_once_from_version_4_and_joined_before(play: Any) -> None:
    job = play.job(
        MAKE
        + """
- {uses: actions/upload-artifact@v4, with: {name: n, path: out/a.txt}}
- {uses: actions/upload-artifact@v4, with: {name: n, path: out/deep}, continue-on-error: true}
- {id: again, uses: actions/upload-artifact@v4, with: {name: n, path: out/deep, overwrite: true}}
- {uses: actions/upload-artifact@v3, with: {name: m, path: out/a.txt}}
- {uses: actions/upload-artifact@v3, with: {name: m, path: out/deep}}
- {uses: actions/download-artifact@v3, with: {name: m, path: m}}
- {uses: actions/download-artifact@v4, with: {artifact-ids: "${{ steps.again.outputs.artifact-id }}", path: n}}
"""
        + listed("m", "a.txt", "b.txt")
        + listed("n/n", "b.txt")
    )
    assert job.result is Result.SUCCESS, play.lines
    assert "already exists" in job.steps[2].reason


def test_one_artifact_alone_has_no_folder_from_version_5(play: Any) -> None:
    good(
        play,
        """
- {uses: actions/upload-artifact@v4, with: {name: lib-a, path: out/a.txt}}
- {uses: actions/download-artifact@v5, with: {path: new, pattern: lib-*}}
- {uses: actions/download-artifact@v4.3.0, with: {path: old, pattern: lib-*}}
- {uses: actions/upload-artifact@v4, with: {name: lib-b, path: out/deep}}
- {uses: actions/download-artifact@v7, with: {path: both, pattern: lib-*}}
- {id: d, uses: actions/download-artifact@v7, with: {path: flat, merge-multiple: true}}
- run: test "${{ steps.d.outputs.download-path }}" = "$PWD/flat"
"""
        + listed("new", "a.txt")
        + listed("old/lib-a", "a.txt")
        + listed("both", "lib-a/a.txt", "lib-b/b.txt")
        + listed("flat", "a.txt", "b.txt"),
    )


def test_merging_and_a_single_file_as_it_is(play: Any) -> None:
    good(
        play,
        """
- {uses: actions/upload-artifact@v7, with: {name: unused, path: out/a.txt, archive: false}}
- {uses: actions/upload-artifact@v4, with: {name: lib-b, path: out/deep, retention-days: 3}}
- {uses: actions/upload-artifact@v4, with: {name: lib-c, path: out/a.txt}}
- {uses: actions/upload-artifact/merge@v4, with: {name: all, pattern: 'lib-*', delete-merged: true, separate-directories: true}}
- {uses: actions/download-artifact@v4, with: {path: got}}
"""
        + listed("got", "a.txt/a.txt", "all/lib-b/b.txt", "all/lib-c/a.txt"),
    )


def test_a_secret_in_a_name_is_not_kept_with_the_logs(play: Any, tmp_path: Path) -> None:
    steps = "- {uses: actions/upload-artifact@v4, with: {path: out, name: 'of-${{ secrets.S }}'}}\n"
    good(play, steps, secrets={"S": "shh-very-quiet"}, log_dir=tmp_path / "logs")
    assert [entry.name for entry in (tmp_path / "logs" / "artifacts").iterdir()] == ["of-***"]
    assert (tmp_path / "logs" / "artifacts" / "of-***" / "deep" / "b.txt").read_text() == "2\n"


def test_what_is_wrong_is_said(play: Any) -> None:
    for steps, words in (
        (
            "- {uses: actions/upload-artifact@v4, with: {path: none, if-no-files-found: error}}",
            "no files were found at none",
        ),
        ("- {uses: actions/upload-artifact@v4, with: {path: none, if-no-files-found: maybe}}", "must be warn, error"),
        ("- {uses: actions/upload-artifact@v4, with: {path: out, name: 'a/b'}}", "cannot be an artifact's name"),
        ("- {uses: actions/upload-artifact@v7, with: {path: out, archive: false}}", "exactly one file"),
        (
            "- {uses: actions/download-artifact@v4, with: {name: no}}",
            "there is no artifact 'no' in this run (there are: none)",
        ),
        ("- {uses: actions/download-artifact@v4, with: {artifact-ids: 9}}", "with the id 9"),
        ("- {uses: actions/download-artifact@v4, with: {artifact-ids: 9, name: x}}", "cannot be used together"),
        ("- {uses: actions/download-artifact@v4, with: {run-id: 9}}", "other runs or repositories"),
        ("- {uses: actions/upload-artifact/merge@v4}", "no artifact of this run is called *"),
    ):
        job = play.job(MAKE + steps + "\n")
        assert job.steps[1].outcome is Result.FAILURE and words in job.steps[1].reason, job.steps[1]
    bad = MAKE + "- run: touch 'out/a:b'\n- {uses: actions/upload-artifact@v4, with: {path: out}}\n"
    assert "cannot be part of an artifact" in play.job(bad).steps[2].reason
    warned = play.job(MAKE + "- {uses: actions/upload-artifact@v4, with: {path: none}}\n")
    assert warned.result is Result.SUCCESS and "no files were found" in play.report.annotations[0].message
