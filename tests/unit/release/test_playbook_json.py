"""The JSON form of a playbook: the shipped schema is the code's, and what a page says is all in it."""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path

import pytest
from pydantic import ValidationError

import ecluse.release
from ecluse.release import compile_playbook, published

TEMPLATE = resources.files("ecluse.demo").joinpath("template/playbooks/release.md").read_text(encoding="utf-8")


def test_the_shipped_schema_is_that_of_the_code():
    shipped = Path(ecluse.release.__file__).with_name(published.SCHEMA_FILE).read_text("utf-8")
    assert json.loads(shipped) == published.schema()


def test_a_page_and_its_form_say_the_same():
    playbook = compile_playbook(TEMPLATE, "playbooks/release.md")
    form = json.loads(json.dumps(published.document(playbook)))
    again = published.PlaybookForm.model_validate(form)
    assert (again.playbook, again.digest, again.environment) == ("release", playbook.digest, "production")
    assert [step.number for step in again.steps] == list(range(1, 13))
    assert form["steps"][5]["does"][0] == {
        "uses": "git.tag",
        "arguments": {"message": "Release v{version}"},
        "line": playbook.steps[5].units[0].line,
        "column": playbook.steps[5].units[0].column,
    }
    assert form["steps"][4]["does"][0]["gate"] == "go-live" and form["steps"][4]["if"] == ""
    assert form["gates"][0]["answers"] == [
        {"answer": "approve", "target": "go"},
        {"answer": "reject", "target": "abort"},
    ]
    assert {row["when"] for row in form["rollback"]} == {"deploy.folder", "health.http", "smoke", "watch"}
    assert "Not on a Friday evening" in form["sections"]["Notes"]


@pytest.mark.parametrize("key", ["playbook", "steps", "rollback", "digest"])
def test_a_form_without_a_part_does_not_fit(key):
    form = published.document(compile_playbook(TEMPLATE, "p.md"))
    del form[key]
    with pytest.raises(ValidationError, match=key):
        published.PlaybookForm.model_validate(form)
    with pytest.raises(ValidationError, match="wibble"):
        published.PlaybookForm.model_validate({**form, key: [], "wibble": 1})
