"""The tables and lists of a playbook's page: gates, rollback, actors, message templates, outputs."""

from __future__ import annotations

import re

from ecluse.release import durations, page
from ecluse.release.page import Fault, Line, Part, Row
from ecluse.release.playbook import GateRule, Move, RollbackRule

COLUMNS: dict[str, str] = {
    "gate": "gate",
    "porte": "gate",
    "question": "question",
    "who": "who",
    "qui": "who",
    "owner": "who",
    "responsable": "who",
    "needs": "needs",
    "besoin": "needs",
    "combien": "needs",
    "answers": "answers",
    "réponses": "answers",
    "decision": "answers",
    "décision": "answers",
    "if nobody answers": "silence",
    "sans réponse": "silence",
    "si personne ne répond": "silence",
    "when": "when",
    "quand": "when",
    "scenario": "when",
    "scénario": "when",
    "do": "do",
    "action": "do",
    "faire": "do",
    "ask first": "ask",
    "demander": "ask",
    "demander d'abord": "ask",
}
"""Table header in lower case -> the column's meaning."""

BACK = ("rollback", "roll back", "retour arrière")
STOP = ("abort", "stop", "abandon", "abandonner", "arrêter")
_TARGETS = {**dict.fromkeys(BACK, "rollback"), **dict.fromkeys(STOP, "abort"), "go": "go", "pause": "pause"}
_ARROW = re.compile(r"\s*(?:→|->|=>)\s*")
_OF_STEP = re.compile(r"\s*\((\d+)\)\s*\Z")
_AFTER = re.compile(r"\s+(?:after|après)\s+")
_BY_HAND = re.compile(r"(?:by hand|à la main)\s*:\s*", re.IGNORECASE)
_FAILS = re.compile(r"\s+(?:fails|échoue)\Z", re.IGNORECASE)
_THEN = re.compile(r"\s*(?:,\s*then|,\s*puis|\bthen\b|\bpuis\b|\+|,)\s*(?=(?:[^`]*`[^`]*`)*[^`]*\Z)")
_OPTIONAL = re.compile(r"^\([^)]*\)\s*")
_YES = ("yes", "oui", "y", "o")
_NO = ("no", "non", "n", "")


def rows(part: Part | None, key: str) -> list[Row]:
    """The table of a section that has the column ``key``, with its columns under their meanings."""
    if part is None:
        return []
    return page.table(part.lines, lambda word: COLUMNS.get(page.key_of(word), ""), key)


def gates(part: Part | None, faults: list[Fault]) -> list[GateRule]:
    """The rows of the gates' table."""
    found: list[GateRule] = []
    for row in rows(part, "gate"):
        written = page.bare(row.cells.get("gate", ""))
        at = row.columns.get("gate", 1)
        of_step = _OF_STEP.search(written)
        name = page.bare(_OF_STEP.sub("", written))
        if not name:
            faults.append(Fault(row.line, at, "gate.unnamed", "a row of the gates' table names no gate"))
            continue
        if any(rule.name == name for rule in found):
            faults.append(Fault(row.line, at, "gate.twice", f"the gate `{name}` is in the table a second time"))
        answers, targets = _answers(row, name, faults)
        silence, deadline = _silence(row, name, faults)
        question = row.cells.get("question", "").strip() or f"May the step `{name}` go on?"
        found.append(
            GateRule(
                name=name,
                question=question,
                who=_who(row),
                answers=answers,
                silence=silence,
                line=row.line,
                targets=targets,
                needs=_needs(row, name, faults),
                deadline_s=deadline,
                step=int(of_step[1]) if of_step else None,
                columns=row.columns,
            )
        )
    return found


def _who(row: Row) -> tuple[str, ...]:
    said = page.bare(row.cells.get("who", "")) or "human"
    words = re.split(r",|/|\s+(?:or|ou)\s+", re.sub(r"\([^)]*\)", "", said))
    return tuple(page.bare(word) for word in words if page.bare(word))


def _needs(row: Row, name: str, faults: list[Fault]) -> int:
    said = page.bare(row.cells.get("needs", "")).lower() or "1"
    number = re.match(r"(\d+)(?:\s*(?:of|sur|/)\s*\d+)?\Z", {"one": "1", "un": "1", "une": "1"}.get(said, said))
    if number is None or int(number[1]) < 1:
        text = f"the gate `{name}` needs a number of people, such as `1` or `2`, not `{said}`"
        faults.append(Fault(row.line, row.columns["needs"], "gate.needs", text))
        return 1
    return int(number[1])


def _answers(row: Row, name: str, faults: list[Fault]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The answers and where each leads: as an arrow says, else the first goes on and the others stop."""
    at = row.columns.get("answers", 1)
    answers: list[str] = []
    targets: list[str] = []
    said = row.cells.get("answers") or "approve / reject"
    for index, word in enumerate(re.split(r"/|\s+(?:or|ou)\s+", said)):
        text, *arrow = _ARROW.split(word.strip(), maxsplit=1)
        answer = page.bare(text)
        plain = _TARGETS.get(answer.lower(), "go" if index == 0 else "abort")
        target = _TARGETS.get(page.bare(arrow[0]).lower(), "") if arrow else plain
        if not target:
            text = f"`{page.bare(arrow[0])}` is no place to go to: an answer leads to go, abort, rollback or pause"
            faults.append(Fault(row.line, at, "gate.target", text))
        answers.append(answer)
        targets.append(target or "abort")
    if len(answers) < 2 or not all(answers) or len({a.lower() for a in answers}) != len(answers):
        text = f"the gate `{name}` needs two different answers or more, such as `approve / reject`"
        faults.append(Fault(row.line, at, "gate.answers", text))
    elif targets[0] != "go":
        text = f"the first answer of the gate `{name}` must be the one that goes on"
        faults.append(Fault(row.line, at, "gate.answers", text))
    return tuple(answers), tuple(targets)


def _silence(row: Row, name: str, faults: list[Fault]) -> tuple[str, float | None]:
    """What silence means and from when on. An empty cell is left to the linter."""
    said = page.bare(row.cells.get("silence", "")).lower()
    word, *after = _AFTER.split(said, maxsplit=1)
    silence = _TARGETS.get(word.strip(), "")
    at = row.columns.get("silence", 1)
    if said and silence not in ("abort", "rollback"):
        text = f"if nobody answers, the gate `{name}` can `abort` or `rollback` (`abort after 2 days`), not `{word.strip()}`"
        faults.append(Fault(row.line, at, "gate.silence", text))
        silence = ""
    deadline = durations.seconds(after[0]) if after else None
    if after and not deadline:
        text = f"`{after[0]}` is no length of time: write `30 min`, `24 h` or `2 days`"
        faults.append(Fault(row.line, at, "gate.deadline", text))
    return silence, deadline


def rollback(part: Part | None, faults: list[Fault]) -> list[RollbackRule]:
    """The rows of the rollback table."""
    found = []
    for row in rows(part, "when"):
        when = page.bare(row.cells.get("when", ""))
        by_hand = _BY_HAND.match(when)
        when = page.bare(_FAILS.sub("", when[by_hand.end() :] if by_hand else when))
        written = row.cells.get("do", "")
        asked = page.bare(row.cells.get("ask", "")).lower()
        if asked not in (*_YES, *_NO):
            text = f"whether to ask first is `yes` or `no`, not `{asked}`"
            faults.append(Fault(row.line, row.columns["ask"], "rollback.ask", text))
        moves = _moves(row, written, faults)
        found.append(RollbackRule(when, moves, written, row.line, asked in _YES, by_hand is not None, row.columns))
    return found


def _moves(row: Row, written: str, faults: list[Fault]) -> tuple[Move, ...]:
    from ecluse.release.sequence import action

    column = row.columns.get("do", 1)
    found: list[Move] = []
    for piece in _THEN.split(written.strip("*_ ")):
        word = piece.strip().strip("*_")
        kind = _move(page.bare(word).lower())
        if not kind and len(word) > 2 and word.startswith("`") and word.endswith("`"):
            inside = column + max(written.find(word), 0) + 1
            called = action(word.strip("`"), Line(row.line, ""), inside, faults)
            found.extend([Move("action", called)] if called else [])
            continue
        if not kind:
            text = f"`{word}` is not `previous version`, `same version`, `stop` or an action such as `secrets.rotate`"
            faults.append(Fault(row.line, column, "rollback.do", text))
        found.append(Move(kind or "stop"))
    return tuple(found)


def _move(text: str) -> str:
    if text in ("previous version", "version précédente", "back to the previous version"):
        return "previous"
    if text in ("same version", "same version again", "même version"):
        return "same"
    return "stop" if text in STOP else ""


def actors(part: Part | None) -> list[str]:
    """The names at the beginning of the list's items: ``- **system**: ...``."""
    if part is None:
        return []
    found = []
    for _, text in page.items(part.lines):
        text = _OPTIONAL.sub("", text)
        for mark in (" — ", " – ", ": ", " ("):
            text = text.split(mark)[0]
        found.append(page.bare(text.rstrip(":").strip()).rstrip(":").lower())
    return found


def templates(part: Part | None) -> dict[str, str]:
    """The message templates: a heading of the third level names each."""
    if part is None:
        return {}
    found = {}
    for piece in page.parts(part.lines, 3):
        text = "\n".join(line.text.removeprefix(">").strip() for line in piece.lines)
        found[page.bare(piece.title)] = text.strip()
    return found


def template_lines(part: Part | None) -> dict[str, int]:
    """Where each message template begins."""
    return {page.bare(piece.title): piece.number for piece in page.parts(part.lines, 3)} if part is not None else {}


def outputs(part: Part | None) -> list[str]:
    """What the section Outputs promises, one item each."""
    return [text for _, text in page.items(part.lines)] if part is not None else []
