"""The linter against faults put into good playbooks: each is found, with its code and at its line.

The pages are those that come with Écluse, and one of our users' own, converted by a few edits when it is at hand.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from ecluse.errors import Invalid
from ecluse.kit.playbooks import SHIPPED, page_of
from ecluse.release import compile_playbook, lint

Fault = tuple[str, int, int]


def faults_of(text: str, *, production: bool = True) -> list[Fault]:
    """Every fault of a page as (code, line, column), from the compiler or else from the linter."""
    try:
        return [(f.code, f.line, f.column) for f in lint(compile_playbook(text, "p.md"), production=production)]
    except Invalid as invalid:
        found = invalid.details["faults"]
        assert isinstance(found, list)
        return [(f["code"], f["line"], f["column"]) for f in found]


# page, what is there, what is put in its place, the code, a piece of the line it is at (empty: any line)
SEEDED: list[tuple[str, str, str, str, str]] = [
    ("release", "### [6] Tag", "### [9] Tag", "step.number", "### [9] Tag"),
    ("release", "### [3] Make", "### [2] Make", "step.number", "### [2] Make"),
    ("release", "- uses: git.tag", "- uses: git.tagg", "action.unknown", "git.tagg"),
    ("release", "- gate: go-live\n", "", "deploy.ungated", "uses: deploy.folder"),
    ("release", "- uses: deploy.folder", "- gate: golive\n- uses: deploy.folder", "gate.undefined", "gate: golive"),
    ("release", "| deploy.folder | previous version | no |\n", "", "rollback.missing", "uses: deploy.folder"),
    ("release", "| health.http | previous", "| backup.make | previous", "rollback.unreachable", "| backup.make"),
    ("release", "| smoke | previous version | no |", "| watch | stop | no |", "rollback.unreachable", "| watch | previous"),
    ("release", "approve / reject | abort |", "approve / reject | |", "gate.silence", "| go-live"),
    ("release", "| human | 1 | approve", "| system | 1 | approve", "gate.machine", "| go-live"),
    ("release", "- **tag**: an", "- tag, an", "output.unused", "- output: tag"),
    ("release", "{version} is live", "{outputs.nothing} is live", "output.undefined", "{outputs.nothing}"),
    ("release", 'message="Release v{version}"', 'message="{inputs.words}"', "input.undefined", "uses: git.tag"),
    ("release", "- uses: changelog.write", "- uses: git.tag\n- uses: changelog.write", "gate.late", "uses: git.tag\n- uses: ch"),
    ("bump-deps", "level={inputs.level}", "level={inputs.size}", "input.undefined", "deps.bump"),
    ("bump-deps", "- if: inputs.level == major", "- if: inputs.level is major", "step.condition", "- if: inputs.level is"),
    ("bump-deps", "- gate: major", "- gate: minor", "gate.undefined", "gate: minor"),
    ("bump-deps", "| abort after 2 days |", "| abort after a while |", "gate.deadline", "| major"),
    ("bump-deps", "deadline: 3 days", "deadline: later", "playbook.deadline", "deadline: later"),
    ("bump-deps", "- if: outputs.bumped", "- if: outputs.bunped", "output.undefined", "- if: outputs.bunped"),
    ("build-story", "— by tester", "— by nobody", "actor.unknown", "by nobody"),
    ("build-story", "| review | Is this code ours from now on? | human |", "| review | Ours? | developer, human |", "gate.author", "gate: review"),
    ("build-story", "back to fix → rollback", "back to fix → mars", "gate.target", "| sign-off"),
    ("build-story", "- uses: agent.run agent=developer", "- uses: agent.run", "action.missing", "agent.run template=develop"),
    ("build-story", "template=develop", "template=developp", "template.unknown", "developp"),
    ("build-story", "| review | Is", "| review (3) | Is", "gate.step", "| review (3)"),
    ("incident", "- gate: learned", "- gate: sev1", "gate.asked_twice", ""),
    ("incident", "| learned | Is the post-mortem complete? | human | 1 |", "| learned | Done? | human | none |", "gate.needs", "| learned"),
    ("incident", "| incident.post-mortem | stop | no |", "| incident.post-mortem | dance | no |", "rollback.do", "dance"),
    ("incident", "yes / give up → abort", "yes", "gate.answers", "| sev1"),
    ("incident", "choices: [SEV1, SEV2, SEV3]", "choices: SEV1", "playbook.choices", "choices: SEV1"),
    ("incident", "default: SEV2", "default: SEV4", "input.default", "severity:"),
    ("incident", "choices: [", "chioces: [", "input.key", "chioces"),
    ("incident", "- if: inputs.severity == SEV3", "- if: inputs.severity == SEV4", "input.choice", "- if: inputs.severity == SEV4"),
    ("release", "- uses: ci.green", "<!--\n- uses: backup.make\n-->\n- uses: ci.green", "page.hidden", "- uses: backup.make"),
    ("release", "| When | Do |", "<!--\n| When | Do |", "page.hidden", "| smoke | previous"),
    ("release", "- uses: ci.green", "- use: ci.green\n- uses: backup.age", "step.line", "- use: ci.green"),
    ("release", "- gate: go-live", "- gate: go-live\n- Gates: go-live", "step.line", "- Gates:"),
    ("release", "- uses: ci.green", "- uses: ci.green\n- [ ] look at it", "step.checklist", "### [3]"),
    ("release", "- uses: semver.decide\n- output: version", "- uses: ci.green\n- output: version", "action.early", "uses: changelog.write"),
    ("release", "- uses: ci.green", "- uses: landing.land", "action.early", "uses: landing.land"),
    ("release", "environment: production", "environment: [production]", "playbook.value", "environment: [production]"),
    ("release", "environment: production", "environment: production\nconcurrency: {a: 1}", "playbook.value", "concurrency: {a: 1}"),
    ("incident", "required: true", "required: yes", "input.required", "required: yes"),
    ("incident", "required: true", "required: true\n    default: x", "input.default", "required: true"),
    ("incident", "  lead:", "  the lead:", "input.name", "the lead:"),
    ("incident", "[SEV1, SEV2", "[SEV1, sev1, SEV2", "playbook.choices", "severity:"),
    ("release", 'watch window="15 min"', "watch window=soon", "action.value", "watch window=soon"),
    ("release", "watch window=", "watch failures=2.5 window=", "action.value", "failures=2.5"),
    ("release", "- uses: ci.green", "- uses: wait", "action.missing", "uses: wait"),
    ("release", "- uses: ci.green", "- uses: wait for=1d until=08:00", "action.missing", "uses: wait"),
    ("release", "- uses: ci.green", "- uses: wait until=25:00", "action.value", "until=25:00"),
    ("release", "- uses: ci.green", "- uses: audit.report days=-1", "action.value", "days=-1"),
    ("bump-deps", "level={inputs.level}", "level=huge", "action.value", "level=huge"),
    ("incident", 'freeze.begin for="12 h"', 'freeze.begin for="0 h"', "action.value", "0 h"),
    ("incident", 'freeze.begin for="12 h"', 'freeze.begin for="99999999 days"', "action.value", "99999999"),
    ("incident", "severity={inputs.severity} since", "severity=SEV4 since", "action.value", "severity=SEV4"),
    ("incident", '- uses: freeze.begin for="12 h" why', "- uses: freeze.begin why", "action.missing", "freeze.begin why"),
    ("sync-bidirec", "- uses: bridge.run", "- uses: bridge.walk", "action.unknown", "bridge.walk"),
    ("sync-bidirec", "## Sequence", "## Order", "playbook.no_sequence", ""),
]  # fmt: skip


@pytest.mark.parametrize(("name", "old", "new", "code", "where"), SEEDED)
def test_a_seeded_fault_is_found(name: str, old: str, new: str, code: str, where: str) -> None:
    page = page_of(name)
    assert old in page
    text = page.replace(old, new, 1)
    found = faults_of(text)
    assert code in [fault[0] for fault in found], found
    if where:
        line = text[: text.index(where)].count("\n") + 1
        assert line in [at for kind, at, _ in found if kind == code], (line, found)
    assert all(line >= 1 and column >= 1 for _, line, column in found)


@pytest.mark.parametrize("name", SHIPPED)
def test_no_false_alarm_on_what_comes_with_ecluse(name: str) -> None:
    assert faults_of(page_of(name), production=name == "release") == []


def test_as_many_faults_as_promised() -> None:
    assert len(SEEDED) >= 25 and {row[0] for row in SEEDED} == set(SHIPPED)


USES = {
    1: ["- uses: semver.decide", "- output: version"],
    2: ["- uses: changelog.write", "- output: changelog"],
    3: ["- uses: ci.job workflow=e2e.yml", "- output: e2e"],
    4: ["- gate: Validation manuelle staging"],
    5: ["- uses: backup.age", "- uses: rollback.ready", "- output: backup"],
    6: ["- gate: Tag semver", "- uses: git.tag", "- output: tag"],
    7: ["- gate: Approval prod"],
    8: ["- uses: deploy.compose", "- uses: health.http", "- output: prod"],
    9: ["- uses: smoke script=scripts/smoke-test.sh", "- output: smoke"],
    10: ["- uses: watch window=1800", "- gate: Watch period", "- output: watch"],
    11: ["- uses: notify template=annonce"],
    12: ["- uses: notify template=ops"],
}
ROWS = {
    "Healthcheck KO post-deploy": "| `health.http` échoue | version précédente | non |\n| `deploy.compose` échoue | version précédente | non |",
    "Bug critique": "| `watch` échoue | version précédente | non |",
    "Migration schema": "| à la main : migration | `backup.restore`, puis version précédente | oui |",
    "Compromission credentials": "| à la main : credentials | `secrets.rotate`, puis même version, puis `audit.report` | oui |",
}
SECTIONS = ("Trigger", "Acteurs", "Pre-requis", "Sequence", "Gates humains bloquants", "Rollback", "Outputs",
            "Convention semver", "Frequence de release", "Notes")  # fmt: skip


def converted(seed: str) -> str:
    """The users' page as Markdown again (the copy at hand lost its marks), with the edits that make it run."""
    body = seed[seed.index("Workflow : RELEASE PROD") :].replace("•", "-")
    lines: list[str] = ["---", "playbook: release", "format: 1", "environment: production", "---"]
    step = 0
    section = ""
    for line in body.splitlines():
        text = line.strip()
        heading = next((name for name in SECTIONS if text.startswith(name) and not line.startswith(" ")), "")
        title = re.match(r"\[(\d+)\] (.*)", text)
        if text.startswith("Workflow : "):
            lines.append(f"# {text}")
        elif heading:
            lines += USES.get(step, []) if section == "Sequence" else []
            section = heading
            lines += ["", f"## {text.replace('Sequence', 'Séquence').replace('Rollback (', 'Rollback (')}", ""]
            lines += _table_head(heading)
        elif section == "Sequence" and title:
            lines += [*USES.get(step, []), ""]
            step = int(title[1])
            lines.append(f"### [{title[1]}] {_named(title[2], step)}")
        elif section.startswith("Gates") or section == "Rollback":
            lines += _row(section, text)
        else:
            lines.append(line)
    lines += [
        "",
        "## Communications",
        "",
        "### annonce",
        "",
        "Released v{version}. {section}",
        "",
        "### ops",
        "",
        "v{version} est en ligne.",
    ]
    return "\n".join(lines).replace("## Outputs\n", f"## Outputs\n\n{_promises()}\n") + "\n"


def _named(title: str, step: int) -> str:
    """Edit: what the machine does is by the system; the rest keeps its actor as written."""
    plain, _, actor = title.partition(" (")
    return plain if step in (2, 12) or not actor else f"{plain} — par {actor.rstrip(')')}"


def _table_head(section: str) -> list[str]:
    if section.startswith("Gates"):
        return ["| Gate | Decision | Owner | Si personne ne répond |", "|---|---|---|---|"]
    return ["| Scenario | Action | Demander |", "|---|---|---|"] if section == "Rollback" else []


def _row(section: str, text: str) -> list[str]:
    if section == "Rollback":
        return next(([row] for start, row in ROWS.items() if text.startswith(start)), [])
    found = re.match(r"(.+? \(\d+\)) (.+?) ((?:Yan ou )?Corentin.*)", text)
    silence = "rollback" if text.startswith("Watch") else "abort"
    return [f"| {found[1]} | {found[2]} | {found[3]} | {silence} |"] if found else []


def _promises() -> str:
    outputs = [line.removeprefix("- output: ") for lines in USES.values() for line in lines if "output" in line]
    return "\n".join(f"- **{name}**: voir l'étape" for name in outputs)


@pytest.fixture
def seed(shared: Path) -> str:
    pages = [path.read_text("utf-8") for path in sorted((shared / "seeds").glob("*.txt"))]
    return next(text for text in pages if "Workflow : RELEASE PROD" in text)


def test_the_users_own_page_converted_has_no_fault(seed: str) -> None:
    text = converted(seed)
    assert faults_of(text) == []
    playbook = compile_playbook(text, "p.md")
    assert len(playbook.steps) == 12 and len(playbook.gates) == 4 and len(playbook.rollback) == 5
    watch = playbook.gate("Watch period")
    assert watch is not None and watch.answers == ("tout OK", "rollback") and watch.targets == ("go", "rollback")
    prod = playbook.gate("Approval prod")
    assert prod is not None and prod.who == ("Yan", "Corentin") and prod.step == 7
    assert "vendredi soir" in playbook.sections["Notes"] and any("MAJOR" in s for s in playbook.sections.values())


Mutation = Callable[[str], str]


@pytest.mark.parametrize(
    ("mutate", "code"),
    [
        (lambda text: text.replace("- gate: Approval prod\n", "- gate: Approval\n"), "gate.undefined"),
        (lambda text: text.replace("| abort |", "| |"), "gate.silence"),
        (lambda text: text.replace("### [5]", "### [6]"), "step.number"),
        (lambda text: text.replace("| Yan ou Corentin", "| Zoe ou Corentin"), "actor.unknown"),
    ],
)
def test_faults_in_the_users_own_page_are_found(seed: str, mutate: Mutation, code: str) -> None:
    assert code in [fault[0] for fault in faults_of(mutate(converted(seed)))]
