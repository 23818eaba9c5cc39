"""What arrives damaged, or says of itself what is not so, is kept and refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ecluse import intake
from ecluse.errors import Problem
from ecluse.history import History
from ecluse.model import ChangeState, Verdict

from .given import assert_rejected, edit_manifest, payload


def test_tampered_payload_and_then_the_whole_one(bench: Any, history: History, helpers: Any, exported: Any) -> None:
    whole = payload(exported).read_bytes()
    payload(exported).write_bytes(whole[:-30])
    assert_rejected(helpers.take_in(bench, history, exported.path), "meta.payload_sha")
    payload(exported).write_bytes(whole)
    assert helpers.take_in(bench, history, exported.path).state is ChangeState.READY


@pytest.mark.parametrize("cut", [10, 60, 200, 0.5, 0.99])
def test_truncated_plain_bundle(
    bench: Any, history: History, helpers: Any, exported: Any, tmp_path: Path, cut: float
) -> None:
    data = payload(exported).read_bytes()
    path = tmp_path / "cut.bundle"
    path.write_bytes(data[: int(len(data) * cut) if cut < 1 else int(cut)])
    try:
        change = helpers.take_in(bench, history, path)
    except Problem as problem:
        assert problem.code == "intake.unknown"
    else:
        assert_rejected(change, "bundle.corrupt")


def test_every_flipped_byte_is_refused(bench: Any, exported: Any, tmp_path: Path, dice: Any) -> None:
    data = payload(exported).read_bytes()
    start = data.index(b"\n\n")
    for _ in range(12):
        at = dice.randrange(start + 2, len(data))
        path = tmp_path / "flip.bundle"
        path.write_bytes(data[:at] + bytes([data[at] ^ (1 << dice.randrange(8))]) + data[at + 1 :])
        assert intake.examine(bench.repository, path)[0].verdict is Verdict.REJECT


@pytest.mark.parametrize(
    ("edit", "code"),
    [
        (lambda m: m["head"].update(tree="0" * 40), "meta.tree_mismatch"),
        (lambda m: m["head"].update(commit="1" * 40), "meta.head_mismatch"),
        (lambda m: m.update(files=[]), "meta.files_mismatch"),
        (lambda m: m.update(role="admin"), "meta.unknown_field"),
        (lambda m: m["payloads"][0].update(size=1), "meta.payload_sha"),
        (lambda m: m["change"].update(title="x\u001b[1A"), "text.control_chars"),
    ],
)
def test_manifest_that_lies(bench: Any, history: History, helpers: Any, exported: Any, edit: Any, code: str) -> None:
    edit_manifest(exported, edit)
    assert_rejected(helpers.take_in(bench, history, exported.path), code)


@pytest.mark.parametrize("text", [b"{", b'{"schema": "ecluse-change/1", "schema": "x"}', b'{"a": NaN}', b"{}"])
def test_bad_json_is_kept_and_refused(bench: Any, history: History, helpers: Any, exported: Any, text: bytes) -> None:
    exported.path.write_bytes(text)
    change = helpers.take_in(bench, history, exported.path)
    assert change.state is ChangeState.REJECTED
    assert change.reason.startswith("meta.")
    assert (bench.repository.state_dir / "inbox" / change.digest / payload(exported).name).exists()


def test_unrelated_history(bench: Any, history: History, helpers: Any, tmp_path: Path) -> None:
    stranger = type(bench)(tmp_path / "stranger")
    stranger.commit("other root", a_dot_txt="x\n")
    stranger.git("bundle", "create", "-q", str(tmp_path / "s.bundle"), "main")
    assert_rejected(helpers.take_in(bench, history, tmp_path / "s.bundle"), "base.unrelated")
