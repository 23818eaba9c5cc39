"""How a plan and a release are said to people."""

from __future__ import annotations

import shlex
from typing import Any

from ecluse.cli.frame import Frame


def word(state: str) -> str:
    return str(state).replace("_", " ")


SHOWN = 20
"""Commits, changes and files that a plan shows at a terminal; ``--json`` has up to 200."""

REASON = 120
"""Characters of a reason in the overview; the release itself says all of it."""


def plan_text(plan: dict[str, Any], asked: list[str]) -> str:
    """The plan for people: what, why, what is in it, what is done where, who is asked, and the way back.

    ``asked`` are the options it was made with, which its start has to have too.
    """
    lines = [
        *_head(plan),
        "",
        f"Commits since then: {plan['commit_count']}" if plan["previous"] else f"Commits: {plan['commit_count']}",
        *_listed([f"  {commit['id'][:9]} {commit['title']}" for commit in plan["commits"]], plan["commit_count"]),
        *_part("Changes that landed since then", [_change(one) for one in plan["changes"]]),
        f"Files touched: {plan['file_count']}{'' if plan['previous'] or not plan['version'] else ' (nothing was released before)'}",
        *_listed([f"  {one['how']:<8}{one['path']}" for one in plan["files"]], plan["file_count"]),
        f"Migrations touched: {len(plan['migrations']) or 'none'}",
        *(f"  {one['how']:<8}{one['path']}" for one in plan["migrations"]),
        "",
        "Steps",
        *(_step(step, plan["inputs"]) for step in plan["steps"]),
        "",
        "Gates",
        *([line for gate in plan["gates"] for line in _gate(gate)] or ["  none: nobody is asked"]),
        "",
        "Way back",
        *([f"  {_row(rule)}" for rule in plan["rollback"]] or ["  the previous version comes back"]),
        "",
        f"Start it with: ecluse release start {shlex.join([plan['playbook'], *asked])}",
    ]
    return "\n".join(lines)


def _head(plan: dict[str, Any]) -> list[str]:
    target = plan["target"] or {}
    where = f"{plan['environment'] or 'no environment'} {target.get('url', '')} {target.get('root', '')}".rstrip()
    hosts = ", ".join("this machine" if host == "." else host for host in target.get("hosts", ())) or "this machine"
    limits = [f"{'live' if target else 'over'} within {plan['deadline_hours']:g} h"] if plan["deadline_hours"] else []
    limits += [f"one at a time in the group {plan['concurrency']}"] if plan["concurrency"] else []
    given = [f"{name}={value}" for name, value in plan["inputs"].items() if value]
    return [
        f"Release {plan['version'] or 'without a version'} by {plan['path']}",
        f"  why      {plan['why'] or 'the playbook decides no version'}",
        f"  commit   {plan['commit'][:12]} on {plan['branch']}",
        f"  before   {plan['previous'] or 'nothing'}",
        f"  to       {where}",
        *([f"  hosts    {hosts} ({target.get('method', 'folder')})"] if target else []),
        f"  secrets  {'; '.join(_secret(one) for one in plan['secrets']) or 'none'}",
        *([f"  inputs   {', '.join(given)}"] if given else []),
        *([f"  limits   {', '.join(limits)}"] if limits else []),
        f"  plan     {plan['digest'][:12]} (approvals hold for this plan only)",
    ]


def _secret(one: dict[str, str]) -> str:
    return f"{one['name']} for {one['for']}"


def _change(one: dict[str, str]) -> str:
    return f"  {one['key']} {one['title']} ({one['agent']})"


def _listed(lines: list[str], count: int) -> list[str]:
    return [*lines[:SHOWN], *([f"  ... and {count - SHOWN} more (--json lists them)"] if count > SHOWN else [])]


def _part(title: str, lines: list[str]) -> list[str]:
    return [f"{title}: {len(lines) or 'none'}", *_listed(lines, len(lines))]


def _step(step: dict[str, Any], inputs: dict[str, str]) -> str:
    """A step in a line; one that these inputs leave out says so."""
    from ecluse.release import conditions

    words = {f"inputs.{name}": value for name, value in inputs.items()}
    decided = conditions.word_of(step["if"]) in words
    if decided and not conditions.holds(step["if"], words):
        return f"  {step['number']:>2}  {step['title']}: left out, not {step['if']}"
    condition = f", if {step['if']}" if step["if"] and not decided else ""
    return f"  {step['number']:>2}  {step['title']} ({step['actor']}{condition}): {', '.join(_does(unit) for unit in step['does'])}"


def _does(unit: dict[str, Any]) -> str:
    if "gate" in unit:
        return f"gate {unit['gate']}"
    words = " ".join([unit["uses"], *(f"{key}={shlex.quote(value)}" for key, value in unit["with"].items())])
    marks = [
        text for flag, text in (("goes_live", "goes live"), ("irreversible", "cannot be taken back")) if unit[flag]
    ]
    return f"{words} ({', '.join(marks)})" if marks else words


_LEADS = {"go": "go on", "abort": "end it", "rollback": "go back", "pause": "hold it up"}


def _gate(gate: dict[str, Any]) -> list[str]:
    """A gate in two or three lines: the question with its answers, who may answer, what silence means."""
    pairs = zip(gate["answers"], gate["targets"], strict=True)
    answers = ", ".join(f"{word} (to {_LEADS.get(target, target)})" for word, target in pairs)
    people = "1 person" if gate["needs"] == 1 else f"{gate['needs']} people"
    asked = f"{people} of {', '.join(gate['who'])}"
    asked += f" and of {', '.join(gate['reviewers'])}" if gate["reviewers"] else ""
    if gate["solo"]:
        who = "whoever is here may answer (solo = true)"
    elif gate["may"]:
        who = f"may answer: {', '.join(gate['may'])}"
    else:
        who = "NOBODY who is listed may answer (ecluse keys make NAME --role human; alone: solo = true in ecluse.toml)"
    own = f"; not {', '.join(gate['own_work'])}, whose own work it is" if gate["own_work"] else ""
    ticks = f"; {len(gate['checklist'])} things to try by hand first" if gate["checklist"] else ""
    lines = [
        f"  {gate['name']}: {gate['question']} {answers}",
        f"    {asked}; {who}{own}{ticks}",
        f"    open for {gate['hours']:g} h; silence means {gate['silence'] or 'abort'}",
    ]
    if gate["guards"] and not gate["solo"]:
        lines.append(
            f"    guards {gate['guards']}: not who starts it; one person more when the start is not proved (--starter-key)"
        )
    return lines


def _row(rule: dict[str, Any]) -> str:
    when = f"asked for by hand as {rule['when']}" if rule["by_hand"] else f"{rule['when']} fails"
    return f"{when}: {rule['text']}{' (people are asked first)' if rule['ask'] else ''}"


def status_text(document: dict[str, Any]) -> str:
    where = f" to {document['environment']}" if document["environment"] else ""
    lines = [f"{document['release']}  {document['version']}{where}  {word(document['state'])}"]
    if document["reason"]:
        lines.append(f"  {document['reason']}")
    for step in document["steps"]:
        said = step["said"] or step["does"]
        lines.append(f"  {step['number']:>2} {step['state']:<8} {step['title']}: {' '.join(said.split())}")
    for gate in document["gates"]:
        answer = f"{gate['answer']} by {gate['answered_by']} ({gate['how']})" if gate["answer"] else gate["state"]
        if gate["needs"] > 1 and not gate["answer"]:
            answer += f", {len(gate['votes'])} of {gate['needs']} people"
        lines.append(f"  gate {gate['name']}: {answer}")
        if gate["state"] == "open":
            lines += [f"    {number}. [ ] {item}" for number, item in enumerate(gate["checklist"], 1)]
    for made in document["deployments"]:
        lines.append(f"  deployment {made['version']} in {made['environment']}: {word(made['state'])}")
    lines += [f"  next: {text}" for text in document["next"]]
    return "\n".join(lines)


def show_page(frame: Frame, release_id: str) -> int:
    """Print the page of a release (the newest when none is named) with the run's state woven in."""
    from ecluse.errors import ExitStatus, Invalid
    from ecluse.history.records import plain
    from ecluse.model import Release as ReleaseNoun
    from ecluse.release import woven

    newest = frame.history.find(ReleaseNoun, newest_first=True, limit=1)
    if not release_id and not newest:
        raise Invalid("release.none", "There was no release yet.", "ecluse playbook show release")
    lines = woven.page(frame.history, release_id or newest[0].id)
    frame.emit({"page": [plain(line) for line in lines]}, woven.text_of(lines))
    return ExitStatus.DONE


def outcome_text(document: dict[str, Any]) -> str:
    head = f"{document['release']}: {document['version'] or document['playbook']} is {word(document['state'])}."
    lines = [head] if document["state"] == "done" else [head, f"  {document['reason']}"]
    return "\n".join([*lines, f"  next: ecluse release status {document['release']}"])


def overview(frame: Frame) -> dict[str, Any]:
    from ecluse.history.records import plain
    from ecluse.model import Deployment, DeploymentState
    from ecluse.model import Release as ReleaseNoun

    newest = frame.history.find(ReleaseNoun, newest_first=True, limit=10)
    names = ("id", "state", "version", "previous", "environment", "reason", "created_at")
    return {
        "live": [plain(d) for d in frame.history.find(Deployment, state=DeploymentState.LIVE)],
        "releases": [{name: plain(getattr(found, name)) for name in names} for found in newest],
    }


def overview_text(document: dict[str, Any]) -> str:
    if not document["releases"]:
        return "There was no release yet. What one would do: ecluse release plan"
    lines = [f"live in {made['environment']}: {made['version']} ({made['release']})" for made in document["live"]]
    lines = lines or ["nothing is live"]
    for found in document["releases"]:
        said = " ".join(str(found["reason"]).split())
        said = f"{said[: REASON - 1]}…" if len(said) > REASON else said
        reason = f"  {said}" if said and found["state"] != "done" else ""
        lines.append(f"  {found['id']}  {found['version'] or '-':<10} {word(found['state'])}{reason}")
    return "\n".join(lines)
