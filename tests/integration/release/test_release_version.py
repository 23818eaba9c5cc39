"""The version from real commits by the real git-cliff, and the plan."""

from __future__ import annotations

import os

import pytest

from ecluse import release
from ecluse.errors import Invalid
from ecluse.release import version


def decide(bench, given=""):
    return version.decide(bench.repository, bench.git("rev-parse", "HEAD"), given)


def test_the_first_release_is_0_1_0(bench):
    decided = decide(bench)
    assert (decided.version, decided.previous, decided.bump) == ("0.1.0", "", "initial")


@pytest.mark.parametrize(
    ("start", "messages", "wanted", "bump"),
    [
        ("v1.2.3", ["fix: a"], "1.2.4", "patch"),
        ("v1.2.3", ["fix: a", "feat: b"], "1.3.0", "minor"),
        ("v1.2.3", ["feat!: b"], "2.0.0", "major"),
        ("v1.2.3", ["fix: a\n\nBREAKING CHANGE: b"], "2.0.0", "major"),
        ("v1.2.3", ["words without a form"], "1.2.4", "patch"),
        ("v0.1.0", ["feat!: b"], "0.2.0", "minor"),
        ("2.2.0", ["feat: b"], "2.3.0", "minor"),
    ],
)
def test_the_commits_decide(bench, start, messages, wanted, bump):
    bench.git("tag", start)
    for message in messages:
        bench.commit(message)
    decided = decide(bench)
    assert (decided.version, decided.previous, decided.bump) == (wanted, start.removeprefix("v"), bump)
    assert start in decided.why


def test_only_versions_before_the_commit_count_and_the_highest_wins(bench):
    bench.git("tag", "v0.9.0")
    bench.git("tag", "v0.10.0")
    bench.git("tag", "v0.11.0-rc.1")
    bench.git("tag", "nightly")
    bench.git("checkout", "-q", "-b", "side")
    bench.commit("feat: elsewhere")
    bench.git("tag", "v9.0.0")
    bench.git("checkout", "-q", "main")
    bench.commit("fix: here")
    assert decide(bench).version == "0.10.1"


def test_no_configuration_of_the_user_or_the_repository_is_read(bench, own_home, monkeypatch):
    (own_home / ".config/git-cliff").mkdir(parents=True)
    broken = "this is = not toml ["
    (own_home / ".config/git-cliff/cliff.toml").write_text(broken)
    monkeypatch.setenv("GIT_CLIFF_CONFIG", str(own_home / "nowhere.toml"))
    bench.commit("feat: x", cliff_dot_toml=broken)
    monkeypatch.chdir(bench.folder)
    assert decide(bench).version == "0.1.0"
    assert "GIT_CLIFF_CONFIG" in os.environ


def test_a_person_may_know_better(bench):
    bench.git("tag", "v1.0.0")
    bench.commit("fix: a")
    decided = decide(bench, "v1.5.0")
    assert (decided.version, decided.bump) == ("1.5.0", "given") and "given by a person" in decided.why
    for wrong in ("1.0.0", "0.9.0", "one", "1.5"):
        with pytest.raises(Invalid, match="not"):
            decide(bench, wrong)


def test_nothing_to_release(bench):
    bench.git("tag", "v1.0.0")
    with pytest.raises(Invalid, match="nothing to release"):
        decide(bench)


def test_the_plan_says_everything_and_changes_nothing(yard):
    before = yard.git("for-each-ref"), yard.history.last_event()
    plan = release.plan(yard.repository, yard.history, "release", {})
    assert (plan.version, plan.environment, plan.commit) == ("0.1.0", "production", yard.git("rev-parse", "main"))
    assert [step["number"] for step in plan.steps] == list(range(1, 13))
    assert plan.commits[0]["title"] == "feat: say hello"
    assert plan.gates[0]["name"] == "go-live" and plan.target and plan.target["production"] is True
    assert before == (yard.git("for-each-ref"), yard.history.last_event())
    assert release.plan(yard.repository, yard.history, "release", {}).digest == plan.digest
    assert release.plan(yard.repository, yard.history, "release", {"version": "3.0.0"}).digest != plan.digest


def test_a_version_of_ones_own_is_released_and_recorded(yard):
    done = yard.release(inputs={"version": "3.0.0"})
    assert done.version == "3.0.0" and yard.git("tag") == "v3.0.0"
    assert "given by a person" in yard.texts(done.id)


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ({"playbook": "nothing"}, "playbook.unknown"),
        ({"playbook": "../release"}, "playbook.unknown"),
        ({"inputs": {"wibble": "1"}}, "release.input"),
        ({"environment": "moon"}, "environment.unknown"),
    ],
)
def test_what_is_not_there_is_named(yard, words, code):
    with pytest.raises(Invalid) as invalid:
        yard.start(**words)
    assert invalid.value.code == code and invalid.value.hint


def test_a_faulty_playbook_on_the_trunk_is_refused_with_its_faults(yard):
    text = (yard.folder / "playbooks/release.md").read_text().replace("- uses: smoke", "- uses: smoked")
    yard.commit("docs: break the page", playbooks__release_dot_md=text)
    with pytest.raises(Invalid, match="there is no action `smoked`"):
        yard.start()


def test_the_playbook_is_read_from_the_trunk_and_kept_with_the_release(yard):
    yard.write("playbooks/release.md", "changed in the checkout only")
    release_id = yard.start()
    yard.git("checkout", "-q", "--", ".")
    yard.drive(release_id)
    text = (yard.folder / "playbooks/release.md").read_text()
    yard.commit("docs: another page", playbooks__release_dot_md=text.replace("- uses: smoke\n", "- uses: ci.green\n"))
    yard.approve(release_id)
    yard.drive(release_id)
    steps = release.status(yard.history, release_id)["steps"]
    assert steps[8]["does"] == "smoke" and steps[8]["state"] == "done"
