"""Reading a playbook's page: what it says, and every fault with its line and column."""

from __future__ import annotations

from importlib import resources

import pytest

from ecluse.errors import Invalid
from ecluse.release import compile_playbook, lint
from ecluse.release.playbook import Action, GateCall
from ecluse.release.steps import ACTIONS, shape_of

TEMPLATE = resources.files("ecluse.demo").joinpath("template/playbooks/release.md").read_text(encoding="utf-8")


def faults_of(text: str) -> list[tuple[str, int, int]]:
    """Every fault of a page as (code, line, column), from the compiler or else from the linter."""
    try:
        return [(f.code, f.line, f.column) for f in lint(compile_playbook(text, "p.md"))]
    except Invalid as invalid:
        found = invalid.details["faults"]
        assert isinstance(found, list)
        return [(f["code"], f["line"], f["column"]) for f in found]


def line_of(text: str, piece: str) -> int:
    return text[: text.index(piece)].count("\n") + 1


def test_the_template_is_read_whole_and_is_without_fault():
    playbook = compile_playbook(TEMPLATE, "playbooks/release.md")
    assert lint(playbook) == []
    assert (playbook.name, playbook.title, playbook.environment) == ("release", "Release", "production")
    assert [step.number for step in playbook.steps] == list(range(1, 13))
    watch = playbook.steps[9]
    assert (watch.title, watch.actor, watch.output) == ("Watch", "system", "watch")
    assert watch.units == (
        Action("watch", {"window": "3", "every": "0.5"}, watch.units[0].line, watch.units[0].column),
    )
    assert watch.prose.startswith("Keeps looking for a while.")
    assert isinstance(playbook.steps[4].units[0], GateCall)
    gate = playbook.gate("go-live")
    assert gate is not None and gate.who == ("human",) and gate.answers == ("approve", "reject")
    assert {rule.when for rule in playbook.rollback} == {"deploy.folder", "health.http", "smoke", "watch"}
    assert playbook.templates["announcement"] == "{version} is live in {environment}.\n\n{section}"
    assert playbook.actors == ("system", "human")
    assert [rule.name for rule in playbook.inputs] == ["version"]
    assert "Not on a Friday evening" in playbook.sections["Notes"]


def test_quoted_arguments_and_positions():
    playbook = compile_playbook(TEMPLATE, "p.md")
    (tag,) = playbook.steps[5].units
    assert isinstance(tag, Action) and tag.arguments == {"message": "Release v{version}"}
    line = TEMPLATE.split("\n")[tag.line - 1]
    assert line[tag.column - 1 :].startswith("git.tag")


def test_french_headings_are_understood():
    french = (
        TEMPLATE.replace("## Sequence", "## Séquence")
        .replace("## Human gates", "## Gates humains")
        .replace("## Actors", "## Acteurs")
        .replace("— by ", "— par ")
        .replace(
            "| Gate | Question | Who | Needs | Answers | If nobody answers |",
            "| Gate | Question | Qui | Besoin | Réponses | Sans réponse |",
        )
        .replace("| When | Do | Ask first |", "| Quand | Action | Demander |")
    )
    playbook = compile_playbook(french, "p.md")
    assert (
        lint(playbook) == [] and len(playbook.steps) == 12 and len(playbook.gates) == 1 and len(playbook.rollback) == 4
    )


@pytest.mark.parametrize(
    ("old", "new", "code", "where"),
    [
        ("format: 1", "format: 2", "playbook.format", "format: 2"),
        ("playbook: release", "playbook: Re lease", "playbook.name", "playbook: Re"),
        ("environment: production", "deadline: soon", "playbook.deadline", "deadline: soon"),
        ("environment: production", "wibble: 3h", "playbook.key", "wibble: 3h"),
        ("environment: production", "environment: [a", "playbook.front_matter", None),
        ("## Sequence", "## Something", "playbook.no_sequence", None),
        ("### [6] Tag — by system", "### 6 Tag", "step.heading", "### 6 Tag"),
        ("### [6] Tag", "### [7] Tag", "step.number", "### [7] Tag"),
        ("### [2] Write", "### [1] Write", "step.number", "### [1] Write"),
        ("- uses: smoke", "- uses: smoked", "action.unknown", "- uses: smoked"),
        ("window=3", "windows=3", "action.key", "- uses: watch"),
        ("window=3", "window", "action.argument", "- uses: watch"),
        ("window=3", "every=3", "action.argument_twice", "- uses: watch"),
        ('message="Release v{version}"', 'message="Release v{version}', "action.quotes", "- uses: git.tag"),
        ("- uses: smoke\n", "\n", "step.idle", "### [9]"),
        ("- uses: smoke\n", "- uses:\n", "step.empty", "- uses:\n"),
        ("- output: tag\n", "- output: tag\n- output: tog\n", "step.twice", "- output: tog"),
        ("- gate: go-live", "- gate: go-alive", "gate.undefined", "- gate: go-alive"),
        ("| go-live | May", "| go-alive | May", "gate.unused", "| go-alive"),
        ("| human | 1 |", "| human | some |", "gate.needs", "| go-live | May"),
        ("approve / reject |", "approve / reject → mars |", "gate.target", "| go-live | May"),
        ("| abort |", "| abort after a while |", "gate.deadline", "| go-live | May"),
        ("| approve / reject |", "| approve |", "gate.answers", "| go-live | May"),
        ("| abort |", "| shrug |", "gate.silence", "| go-live | May"),
        (
            "| go-live | May",
            "| go-live | Twice? | human | 1 | a / b | abort |\n| go-live | May",
            "gate.twice",
            "| go-live | May",
        ),
        ("| watch | previous", "| backup.make | previous", "rollback.unreachable", "| backup.make"),
        ("| watch | previous version", "| watch | dance", "rollback.do", "| watch | dance"),
        ("| watch | previous version | no", "| watch | previous version | maybe", "rollback.ask", "| watch | previous"),
        ("template=announcement", "template=ann", "template.unknown", "- uses: notify template=ann"),
        ("{version} is live", "{vershun} is live", "template.word", None),
        ("— by human", "— by nobody", "actor.unknown", "### [5]"),
        ("- gate: go-live", "- gate: go-live\n- if: wibble", "step.condition", "### [5]"),
        ("- gate: go-live", "- uses: ask", "action.missing", "- uses: ask"),
        ("## Rollback", "## Sequence", "playbook.section_twice", None),
    ],
)
def test_a_fault_is_found_at_its_place(old, new, code, where):
    assert old in TEMPLATE
    text = TEMPLATE.replace(old, new, 1)
    found = faults_of(text)
    assert code in [fault[0] for fault in found]
    if where is not None:
        assert line_of(text, where) in [line for kind, line, _ in found if kind == code]


def test_all_faults_are_listed_in_one_problem_with_line_and_column():
    text = TEMPLATE.replace("format: 1", "format: 7").replace("| human | 1 |", "| human | 0 |")
    with pytest.raises(Invalid) as invalid:
        compile_playbook(text, "playbooks/release.md")
    assert invalid.value.code == "playbook.invalid"
    assert "2 faults" in invalid.value.message and "playbooks/release.md:3:9:" in invalid.value.message
    row = text.split("\n")[line_of(text, "| human | 0 |") - 1]
    assert f":{row.index('0') + 1}: the gate `go-live` needs a number" in invalid.value.message


@pytest.mark.parametrize(
    "text", ["", "# Nothing", "---\nplaybook: x\n", "---\n---\n", "---\n- a\n---\n", "\x00", "---\nplaybook: [\n---"]
)
def test_pages_that_are_none_are_refused_not_crashed_on(text):
    with pytest.raises(Invalid):
        compile_playbook(text, "p.md")


def test_a_deploy_without_a_gate_is_a_fault_for_production_only():
    step = TEMPLATE.index("### [5]")
    text = TEMPLATE[:step] + TEMPLATE[TEMPLATE.index("### [6]") :]
    for number in range(6, 13):
        text = text.replace(f"### [{number}]", f"### [{number - 1}]")
    text = text.replace(text[text.index("## Human gates") : text.index("## Rollback")], "")
    playbook = compile_playbook(text, "p.md")
    assert [fault.code for fault in lint(playbook)] == ["deploy.ungated"]
    assert lint(playbook, production=False) == []


def test_a_gate_before_the_commit_is_settled_does_not_count():
    text = TEMPLATE.replace("- gate: go-live\n", "- uses: semver.decide\n").replace(
        "- uses: semver.decide\n", "- uses: semver.decide\n- gate: go-live\n", 1
    )
    assert [fault.code for fault in lint(compile_playbook(text, "p.md"))] == ["deploy.ungated"]


def test_code_fences_are_prose():
    text = TEMPLATE.replace("- uses: smoke\n", "```\n- uses: nonsense\n### [77] No\n```\n- uses: smoke\n")
    assert faults_of(text) == []


def test_every_action_of_the_table_has_its_module_and_shape():
    for name in ACTIONS:
        shape = shape_of(name)
        assert shape is not None and shape.name == name and shape.summary
        assert set(shape.required) <= set(shape.keys)
    assert shape_of("wibble") is None
