"""A page that names what this repository does not have is refused by the plan, line by line, before anything begins."""

from __future__ import annotations

import pytest

from ecluse import release
from ecluse.errors import Invalid
from ecluse.model import Release

PAGE = """\
---
playbook: odd
format: 1
environment: staging
inputs:
  loud: ""
---
# odd

## Sequence

### [1] One — by system

- if: inputs.loud
- uses: freeze.begin for="1 h" environment=prodution

### [2] Two — by system

- uses: semver.decide
- then: ci.job workflow=none.yml
- then: agent.run agent=nobody
- then: backup.make
- then: deploy.compose
- then: smoke script=none.sh
- then: release.notes

## Rollback

| When | Do | Ask first |
|---|---|---|
| deploy.compose | previous version | no |
| by hand: keys | `secrets.rotate`, then same version | yes |
"""


@pytest.fixture
def odd(yard):
    policy = yard.policy().replace("environments.production", "environments.staging").replace("production = true", "")
    yard.commit("docs: an odd page", ecluse_dot_toml=policy, playbooks__odd_dot_md=PAGE)
    return yard


def faults(yard, **inputs: str) -> list[tuple[str, int, int]]:
    with pytest.raises(Invalid) as refused:
        release.plan(yard.repository, yard.history, "odd", inputs)
    assert refused.value.code == "release.needs" and "playbooks/odd.md:" in refused.value.message
    found = refused.value.details["faults"]
    assert isinstance(found, list)
    return [(one["code"], one["line"], one["column"]) for one in found]


def test_everything_that_is_missing_is_named_at_once_and_at_its_place(odd):
    found = faults(odd, loud="yes")
    assert ("needs.environment", 15, 32) in found and len(found) == 8
    for code, line, word in [
        ("needs.file", 20, "workflow="),
        ("needs.agent", 21, "agent="),
        ("needs.backup", 22, "backup.make"),
        ("needs.method", 23, "deploy.compose"),
        ("needs.file", 24, "script="),
        ("needs.forge", 25, "release.notes"),
        ("needs.secrets", 32, "secrets.rotate"),
    ]:
        assert (code, line, PAGE.splitlines()[line - 1].index(word) + 1) in found, (code, found)
    assert odd.history.find(Release) == []


def test_a_step_that_is_left_out_needs_nothing(odd):
    assert "needs.environment" not in [code for code, _, _ in faults(odd)]
