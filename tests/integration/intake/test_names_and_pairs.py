"""What a name leads to: bare names in ``.sync/patches``, a patch with its JSON, a lone patch, the old JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ecluse.history import History
from ecluse.model import ChangeState


@pytest.fixture
def carried(bench: Any, sandbox: Any, helpers: Any) -> Path:
    """An export whose patch and JSON, without the bundle, were carried into the receiver's ``.sync/patches``."""
    box = sandbox()
    box.commit("feat: two", a_dot_txt="one\nTWO\nthree\n")
    done = helpers.export(box)
    place: Path = bench.folder / ".sync" / "patches"
    place.mkdir(parents=True)
    for suffix in (".json", ".patch"):
        (place / done.path.with_suffix(suffix).name).write_bytes(done.path.with_suffix(suffix).read_bytes())
    return place / done.path.name


@pytest.mark.parametrize("form", ["json", "patch", "stem", "stamp"])
def test_patch_and_json_suffice_under_any_of_their_names(
    bench: Any, history: History, helpers: Any, carried: Path, form: str
) -> None:
    stem = carried.stem
    name = {"json": f"{stem}.json", "patch": f"{stem}.patch", "stem": stem, "stamp": stem.removeprefix("sync_cloud_")}
    change = helpers.take_in(bench, history, Path(name[form]))
    assert (change.state, change.method, change.agent) == (ChangeState.READY, "patch", "a1")
    assert change.id.startswith("chg-")
    assert [one.code for one in change.findings] == ["bundle.replaced"]


def test_a_lone_patch_and_one_with_the_old_json_are_judged_as_unproven(
    bench: Any, history: History, helpers: Any, carried: Path
) -> None:
    patch = carried.with_suffix(".patch")
    old = {
        "export_timestamp": "20251010_123456",
        "agent": "cloud",
        "git": {"branch": "main"},
        "patch": {"filename": patch.name, "type": "commits", "size_bytes": patch.stat().st_size, "modified_files": []},
        "status": "exported",
    }
    carried.write_text(json.dumps(old))
    change = helpers.take_in(bench, history, Path(carried.name))
    assert (change.state, change.agent, change.trusted_by) == (ChangeState.READY, "Écluse", "")
    assert change.id.startswith("patch-")
    carried.unlink()
    assert helpers.take_in(bench, history, Path(patch.name)).key == change.key


def test_an_old_json_that_names_something_else_leads_nowhere(
    bench: Any, history: History, helpers: Any, carried: Path
) -> None:
    outside = bench.folder.parent / "aside.patch"
    outside.write_bytes(carried.with_suffix(".patch").read_bytes())
    carried.with_suffix(".patch").unlink()
    carried.write_text(json.dumps({"patch": {"filename": "../../../aside.patch"}}))
    change = helpers.take_in(bench, history, Path(carried.name))
    assert (change.state, change.reason.partition(":")[0]) == (ChangeState.REJECTED, "meta.schema")
