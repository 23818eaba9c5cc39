"""The version from real commits, compared with git-cliff, and the plan."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ecluse import release
from ecluse.cli.release_text import plan_text
from ecluse.errors import Invalid, Refused
from ecluse.release import changelog, version


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


def test_git_cliff_would_decide_the_same(bench, tmp_path, dice):
    """Random histories of conventional and other commits."""
    tool = shutil.which("git-cliff", path=str(Path(sys.executable).parent)) or shutil.which("git-cliff")
    if tool is None:
        pytest.skip("git-cliff is not on this machine")
    config = tmp_path / "cliff.toml"
    config.write_text(
        "[git]\nconventional_commits = true\nfilter_unconventional = false\n"
        '[bump]\nfeatures_always_bump_minor = true\nbreaking_always_bump_major = false\ninitial_tag = "v0.1.0"\n'
    )
    stream, cases = [], []
    for number in range(CLIFFS):
        start = f"v{dice.randrange(3)}.{dice.randint(1, 4)}.{dice.randrange(12)}"
        messages = [dice.choice(MESSAGES) for _ in range(dice.randint(1, 4))]
        cases.append((number, start, messages))
        for index, message in enumerate(["first", *messages]):
            stream.append(history(f"case{number}", message, new=index == 0))
            if index == 0:
                stream.append(f"reset refs/starts/{number}\nfrom refs/heads/case{number}\n")
    bench.git("fast-import", "--quiet", "--force", stdin="".join(stream).encode())
    for number, start, messages in cases:
        bench.git("update-ref", f"refs/tags/{start}", f"refs/starts/{number}")
        bench.git("symbolic-ref", "HEAD", f"refs/heads/case{number}")
        words = [tool, "--config", str(config), "--offline", "--bumped-version"]
        said = subprocess.run(words, cwd=bench.folder, capture_output=True, check=True, text=True).stdout.strip()
        assert f"v{decide(bench).version}" == said, (start, messages)
        bench.git("update-ref", "-d", f"refs/tags/{start}")


MESSAGES = (
    "feat: a",
    "fix: b",
    "chore: c",
    "docs(readme): d",
    "feat!: e",
    "refactor(core)!: f",
    "words without a form",
    "Feat: g",
    "feat(api): h\n\nBREAKING CHANGE: i",
    "fix: j\n\nBREAKING-CHANGE: k",
    "perf: l",
    "feature: m",
    "fix:no space",
)
CLIFFS = 40
"""How many histories; each costs a process."""


def history(branch: str, message: str, *, new: bool) -> str:
    """One commit for ``git fast-import``."""
    start = f"reset refs/heads/{branch}\n" if new else ""
    size = len(message.encode())
    return (
        f"{start}commit refs/heads/{branch}\ncommitter T <t@example.invalid> 1700000000 +0000\ndata {size}\n{message}\n"
    )


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ("patch", "1.2.4"),
        ("minor", "1.3.0"),
        ("major", "2.0.0"),
        ("rc", "1.3.0-rc.1"),
        ("1.3.0-beta.2", "1.3.0-beta.2"),
        ("v1.9.0", "1.9.0"),
    ],
)
def test_a_person_may_ask_for_a_bump_or_a_pre_release(bench, given, wanted):
    bench.git("tag", "v1.2.3")
    bench.commit("feat: a")
    decided = decide(bench, given)
    assert (decided.version, decided.previous, decided.bump) == (wanted, "1.2.3", "given")
    assert "by a person" in decided.why


def test_pre_releases_count_up_and_the_version_follows_them(bench):
    bench.git("tag", "v1.0.0")
    bench.commit("feat: a")
    assert decide(bench, "rc").version == "1.1.0-rc.1"
    bench.git("tag", "v1.1.0-rc.1")
    bench.commit("fix: b")
    assert decide(bench, "rc").version == "1.1.0-rc.2"
    final = decide(bench)
    assert final.version == "1.1.0" and len(final.commits) == 2, "everything since the last release, not the candidate"


def test_versions_are_ordered_as_semantic_versioning_says():
    listed = "1.0.0-alpha 1.0.0-alpha.1 1.0.0-alpha.beta 1.0.0-beta 1.0.0-beta.2 1.0.0-beta.11 1.0.0-rc.1 1.0.0 1.0.1"
    assert sorted(listed.split(), key=version.order) == listed.split()


def test_a_hotfix_of_an_older_line_is_a_patch(bench):
    bench.git("tag", "v1.2.4")
    bench.commit("feat: on main")
    bench.git("tag", "v1.3.0")
    bench.git("checkout", "-q", "-b", "hotfix/1.2.5", "v1.2.4")
    bench.commit("fix: burns")
    decided = decide(bench)
    assert (decided.version, decided.previous) == ("1.2.5", "1.2.4")
    bench.commit("feat: too much for a hotfix")
    with pytest.raises(Refused, match=r"v1\.3\.0 is on") as refused:
        decide(bench)
    assert refused.value.code == "release.version_taken"
    assert decide(bench, "patch").version == "1.2.5"


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


def test_the_plan_names_files_migrations_people_hosts_secrets_and_the_way_back(make_yard):
    yard = make_yard(solo=False, protection='reviewers = ["human"]\nsecrets = ["APP_TOKEN"]\nhosts = []')
    for name in ("ada", "bob"):
        yard.list_key(name=name)
    first = release.plan(yard.repository, yard.history, "release", {})
    assert first.file_count == len(yard.git("ls-files").splitlines()) and {one["how"] for one in first.files} == {"new"}
    yard.git("tag", "v0.1.0")
    yard.write("db/migrations/002_people.sql", "create table people (name text);\n")
    (yard.folder / "service.py").write_text("# later\n")
    yard.git("add", "-A")
    yard.git("commit", "-q", "--author=Bob <bob@example.invalid>", "-m", "feat: people")
    made = release.plan(yard.repository, yard.history, "release", {}).as_dict()
    assert (made["version"], made["previous"], made["commit_count"]) == ("0.2.0", "0.1.0", 1)
    assert "1 feature since v0.1.0" in made["why"]
    assert made["migrations"] == [{"path": "db/migrations/002_people.sql", "how": "new"}]
    assert [(one["how"], one["path"]) for one in made["files"]] == [
        ("new", "db/migrations/002_people.sql"),
        ("changed", "service.py"),
    ]
    assert made["secrets"] == [{"name": "APP_TOKEN", "for": "the service in production"}]
    (gate,) = made["gates"]
    assert (gate["may"], gate["own_work"], gate["guards"], gate["hours"]) == (["ada"], ["bob"], "production", 24.0)
    assert {rule["when"]: rule["text"] for rule in made["rollback"]}["watch"] == "previous version"
    marked = {unit["uses"] for step in made["steps"] for unit in step["does"] if unit.get("goes_live")}
    assert marked == {"deploy.folder"}
    said = plan_text(made, [])
    for part in ("feat: people", "db/migrations/002_people.sql", "may answer: ada; not bob, whose own work it is",
                 "APP_TOKEN for the service in production", "this machine (folder)", "(goes live)", "watch fails: previous version"):  # fmt: skip
        assert part in said, said


def test_only_the_plan_that_was_read_is_started(yard):
    read = release.plan(yard.repository, yard.history, "release", {}).digest
    yard.commit("feat: more")
    with pytest.raises(Refused, match="commits, policy, page or people have changed"):
        yard.start(digest=read[:12])
    now = release.plan(yard.repository, yard.history, "release", {}).digest
    assert yard.get(yard.start(digest=now[:12])).outputs["plan"]["digest"] == now


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


def test_what_was_taken_back_since_counts_for_nothing(bench):
    bench.git("tag", "v1.0.0")
    wanted, kept = bench.commit("feat: a door"), bench.commit("fix: the hinge")
    back = bench.commit(f'Revert "feat: a door"\n\nThis reverts commit {wanted}.')
    taken = decide(bench)
    assert (taken.version, taken.bump) == ("1.0.1", "patch") and "1 fix since" in taken.why
    entries, left_out = changelog.entries_of(taken.commits)
    assert entries == [("Fixed", "The hinge")] and left_out == [] and kept in [one.id for one in taken.commits]
    bench.commit(f'Reapply "feat: a door"\n\nThis reverts commit {back}.')
    assert decide(bench).version == "1.1.0"
