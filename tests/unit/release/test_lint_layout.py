"""The linter and what people do to a page: slips in its layout, each found at its place, and what is only another style.

The faults stand in English and in French pages alike; a style changes nothing of what a page compiles to.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from typing import Any

import pytest

from ecluse.errors import Invalid
from ecluse.kit.playbooks import SHIPPED, page_of
from ecluse.release import compile_playbook, lint

FRENCH = [
    ("## Trigger", "## Déclencheur"), ("## Actors", "## Acteurs"), ("## Prerequisites", "## Pré-requis"),
    ("## Sequence", "## Séquence"), ("## Human gates", "## Gates humains"), ("## Outputs", "## Sorties"),
    ("| Gate | Question | Who | Needs | Answers | If nobody answers |",
     "| Porte | Question | Qui | Besoin | Réponses | Si personne ne répond |"),
    ("| When | Do | Ask first |", "| Quand | Action | Demander |"), ("— by ", "— par "), ("- if:", "- si:"),
    ("previous version", "version précédente"), ("| no |", "| non |"), ("- output:", "- sortie:"),
    (" after ", " après "), ("→ abort", "→ abandon"),
]  # fmt: skip


def french(text: str) -> str:
    for english, word in FRENCH:
        text = text.replace(english, word)
    return text


def faults_of(text: str, *, production: bool) -> list[dict[str, Any]]:
    try:
        found = lint(compile_playbook(text, "p.md"), production=production)
        return [{"line": f.line, "column": f.column, "code": f.code, "message": f.message} for f in found]
    except Invalid as invalid:
        faults = invalid.details["faults"]
        assert isinstance(faults, list)
        return faults


# page, what is there, what stands there instead, the code, the piece it is at, what the message offers
SLIPS: list[tuple[str, str, str, str, str, str]] = [
    ("release", "## Sequence", "## Sequnece", "playbook.section_near", "Sequnece", "sequence"),
    ("release", "## Actors", "## Actros", "playbook.section_near", "Actros", "actors"),
    ("release", "## Rollback", "## Rolback", "playbook.section_near", "Rolback", "rollback"),
    ("release", "## Communications", "### Communications", "playbook.section_level", "### Comm", "## Communications"),
    ("release", "## Outputs", "##Outputs", "playbook.section_level", "##Outputs", "## Outputs"),
    ("release", "### [3] Make", "#### [3] Make", "step.level", "#### [3]", "### [3]"),
    ("release", "### [3] Make", "###[3] Make", "step.level", "###[3]", "### [3]"),
    ("release", "### [3] Make sure it was tested — by", "**[3] Make** — by", "step.level", "**[3]", "### [3]"),
    ("release", "tested — by system", "tested by system", "step.actor", "system\n", "— by system"),
    ("release", "| Needs |", "| Need |", "table.column", "Need |", "needs"),
    ("release", "| Needs |", "| Approvals |", "table.column", "Approvals", "known"),
    ("release", "| Ask first |", "| Do |", "table.column_twice", "Do |\n", "second"),
    ("release", "|---|---|---|\n| deploy", "| deploy", "table.rule", "| When | Do | Ask first |", "|---|"),
    ("release", "no |\n| watch", "no |\n\n| watch", "table.second", "| watch", "belong"),
    ("release", "| watch | previous version | no |", "| watch | previous version |", "table.cells", "previous version |\n", "2 cells"),
    ("release", "- uses: ci.green", "- **uses:** ci.green", "step.line", "uses:** ci", "uses:"),
    ("release", "- uses: ci.green", "- uses ci.green", "step.line", "uses ci", "uses:"),
    ("release", "- uses: ci.green", "- utilise: ci.green", "step.line", "utilise", "uses:"),
    ("release", "- gate: go-live", "- porte : go-live", "step.line", "porte", "gate:"),
    ("release", "- output: checks", "- outputs: checks", "step.line", "outputs", "output:"),
    ("release", " window=", "\n  window=", "action.loose", "window=", "own line"),
    ("release", "window=", "windwo=", "action.key", "windwo", "window"),
    ("release", "template=announcement", "template=anouncement", "template.unknown", "template=anounc", "announcement"),
    ("release", "- gate: go-live", "- gate: go-life", "gate.undefined", "go-life", "go-live"),
    ("release", "| human | 1 |", "| humam | 1 |", "actor.unknown", "humam", "human"),
    ("release", "| smoke | previous", "| smokes | previous", "rollback.unreachable", "smokes |", "smoke"),
    ("release", "{version} is live", "{Version} is live", "word.odd", "{Version}", "{version}"),
    ("release", "{version} is live", "{{version}} is live", "word.odd", "{{version}}", "{version}"),
    ("release", "{version} is live", "{versoin} is live", "template.word", "{versoin}", "version"),
    ("release", "- uses: ci.green", "```\n- uses: ci.green", "page.fence", "```\n- uses", "never closed"),
    ("release", "| go-live |", "| rollback-now |", "gate.reserved", "rollback-now", "cannot be called"),
    ("bump-deps", "level == major", "level = major", "step.condition", "inputs.level = major", "WORD == VALUE"),
    ("bump-deps", "names={inputs.names}", "names={inputs.nmes}", "input.undefined", "{inputs.nmes}", "names"),
    ("bump-deps", "abort after 2 days", "abort 2 days", "gate.silence", "abort 2 days", "after 2 days"),
    ("bump-deps", "deadline: 3 days", "dedline: 3 days", "playbook.key", "dedline", "deadline"),
    ("bump-deps", "description: how", "descripton: how", "input.key", "descripton", "description"),
    ("incident", "- **timeline**:", "- **timelines**:", "output.undefined", "timelines", "timeline"),
    ("build-story", "| review | Is this code ours from now on?", "| review | Is {storyy} ours?", "gate.word", "{storyy}", "known"),
]  # fmt: skip


def told() -> list[tuple[str, ...]]:
    """The slips in English, and in French those whose words are there."""
    abroad = [(name, *map(french, (old, new)), code, french(where), "") for name, old, new, code, where, _ in SLIPS]
    return [*SLIPS, *(slip for slip in abroad if slip[1] in french(page_of(slip[0])))]


@pytest.mark.parametrize(("name", "old", "new", "code", "where", "offered"), told())
def test_a_slip_is_found_at_its_place_and_the_way_out_is_named(
    name: str, old: str, new: str, code: str, where: str, offered: str
) -> None:
    page = page_of(name) if offered else french(page_of(name))
    text = page.replace(old, new, 1)
    at = text.index(where, max(0, page.index(old) - 200))
    line, column = text[:at].count("\n") + 1, at - text.rfind("\n", 0, at)
    found = faults_of(text, production=name == "release")
    here = [one for one in found if (one["line"], one["column"]) == (line, column) and one["code"] == code]
    assert here, ((line, column), found)
    assert offered in here[0]["message"]


def in_cells(change: Callable[[str], str]) -> Callable[[str], str]:
    def changed(text: str) -> str:
        lines = []
        for line in text.split("\n"):
            if line.startswith("|") and "---" not in line:
                cells = (cell.strip() for cell in line.strip("|").split("|"))
                line = f"| {' | '.join(change(cell) if cell else cell for cell in cells)} |"
            lines.append(line)
        return "\n".join(lines)

    return changed


def reordered(text: str) -> str:
    head, *rest = re.split(r"(?m)^(?=## )", text)
    return head + "".join(f"{part.strip()}\n\n" for part in reversed(rest))


PROSE = """
> a quote with - uses: nothing.here

Some prose: then: it is over, see [the table](#human-gates) and `uses: x`.

1. one
   - two
     - three

| a | table | of prose |
|---|---|---|
| 1 | 2 | 3 |

````md
```
### [99] An example — by nobody
- uses: no.such
```
| Gate | Question |
````

<!-- a comment
over two lines -->
"""

STYLES: dict[str, Callable[[str], str]] = {
    "sections in another order": reordered,
    "lines that end as on Windows": lambda text: "\ufeff" + text.replace("\n", "\r\n"),
    "lines that end as long ago": lambda text: text.replace("\n", "\r"),
    "a separator of Unicode, and a form feed": lambda text: text.replace("## Actors", "\u2028\x0c\n## Actors"),
    "short dashes": lambda text: text.replace("—", "–"),
    "hyphens for dashes": lambda text: text.replace(" — ", " - "),
    "accents of their own": lambda text: unicodedata.normalize("NFD", text),
    "spaces that do not break": lambda text: text.replace("— ", "—\u00a0").replace("## ", "##\u00a0"),
    "tabs": lambda text: re.sub(r"(?m)^- ", "-\t", text),
    "spaces at the ends": lambda text: re.sub(r"(?m)(?<=[^-\n])$", "  ", text),
    "underlined headings": lambda text: re.sub(r"(?m)^## (.+)$", r"\1\n------", text),
    "an underlined title": lambda text: re.sub(r"(?m)^# (.+)$", r"\1\n====", text, count=1),
    "closed headings": lambda text: re.sub(r"(?m)^(#+) (.*)$", r"\1 \2 \1", text),
    "headings in bold": lambda text: re.sub(r"(?m)^## (.+)$", r"## **\1**", text),
    "headings in capitals": lambda text: re.sub(r"(?m)^## (.+)$", lambda said: f"## {said[1].upper()}", text),
    "headings with words in brackets": lambda text: re.sub(r"(?m)^## ([^(\n]+)$", r"## \1 (see below)", text),
    "headings with a comment": lambda text: re.sub(r"(?m)^## (.+)$", r"## \1 <!-- omit in toc -->", text),
    "stars for items": lambda text: re.sub(r"(?m)^- ", "* ", text),
    "plus signs for items": lambda text: re.sub(r"(?m)^- ", "+ ", text),
    "items further in": lambda text: re.sub(r"(?m)^- ", "  - ", text),
    "bold cells": in_cells(lambda cell: f"**{cell}**"),
    "italic cells": in_cells(lambda cell: f"*{cell}*"),
    "wide cells": in_cells(lambda cell: f"   {cell}   "),
    "links in cells": in_cells(lambda cell: f"[{cell}](#there)" if re.fullmatch(r"[a-z][a-z-]+", cell) else cell),
    "tables without outer bars": lambda text: re.sub(r"(?m)^\| (.*) \|$", r"\1", text),
    "aligned columns": lambda text: text.replace("|---|", "|:---|").replace("---|---", "---:|:---:"),
    "a legend before the table": lambda text: text.replace("| Gate |", "| word | so |\n|---|---|\n| a | b |\n\n| Gate |"),
    "comments behind lines": lambda text: re.sub(r"(?m)^- (uses|then|gate)(.*)$", r"- \1\2 <!-- why -->", text),
    "prose, examples and comments in every step": lambda text: re.sub(r"(?m)^(### \[.*)$", rf"\1\n{PROSE}", text),
    "sections of their own": lambda text: f"{text}\n## Follow-up\n\n- a\n\n## Stages\n\n## Actions after\n\n## Outlook\n",
    "rules between sections": lambda text: re.sub(r"(?m)^(## .*)$", r"---\n\n\1", text),
    "no line end at the end": lambda text: text.rstrip("\n"),
}  # fmt: skip


def meaning(text: str) -> str:
    """What a page compiles to, without where it stands."""
    book = compile_playbook(text, "p.md")
    steps = [(s.number, s.title, s.actor, s.output, s.condition, s.checklist, s.units) for s in book.steps]
    gates = [(g.name, g.who, g.answers, g.targets, g.silence, g.needs, g.deadline_s) for g in book.gates]
    rows = [(rule.when, rule.moves, rule.ask, rule.by_hand) for rule in book.rollback]
    said = repr([book.name, book.title, steps, gates, rows, book.actors, sorted(book.templates), len(book.outputs)])
    return re.sub(r", line=\d+, column=\d+(, written=('[^']*'|\"[^\"]*\"))?", "", unicodedata.normalize("NFC", said))


@pytest.mark.parametrize("style", STYLES)
def test_another_style_means_the_same(style: str) -> None:
    for name in SHIPPED:
        for page in (page_of(name), french(page_of(name))):
            text = STYLES[style](page)
            assert faults_of(text, production=name == "release") == [], name
            assert meaning(text) == meaning(page), name
