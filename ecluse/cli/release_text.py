"""How a plan and a release are said to people."""

from __future__ import annotations

import shlex
from typing import Any

from ecluse.cli.frame import Frame


def word(state: str) -> str:
    return str(state).replace("_", " ")


def plan_text(plan: dict[str, Any], asked: list[str]) -> str:
    """A plan for people; ``asked`` are the options it was made with, which its start has to have too."""
    target = plan["target"] or {}
    lines = [
        f"Release {plan['version'] or 'without a version'} by {plan['path']}",
        f"  why      {plan['why'] or 'the playbook decides no version'}",
        f"  commit   {plan['commit'][:12]} on {plan['branch']}",
        f"  before   {plan['previous'] or 'nothing'}",
        f"  to       {plan['environment'] or 'no environment'} {target.get('url', '')} {target.get('root', '')}".rstrip(),
        f"  plan     {plan['digest'][:12]} (approvals hold for this plan only)",
        "",
        f"Commits since then: {plan['commit_count']}",
        *(f"  {commit['id'][:9]} {commit['title']}" for commit in plan["commits"][:20]),
        *([f"  ... and {plan['commit_count'] - 20} more"] if plan["commit_count"] > 20 else []),
        "",
        "Steps",
        *(f"  {step['number']:>2}  {step['title']} ({step['actor']}): {_does(step)}" for step in plan["steps"]),
        "",
        "Gates",
        *(
            f"  {gate['name']}: {gate['question']} {' / '.join(gate['answers'])}; asked of {', '.join(gate['who'])}; silence: {gate['silence']}"
            for gate in plan["gates"]
        ),
        "",
        f"Start it with: ecluse release start {shlex.join([plan['playbook'], *asked])}",
    ]
    return "\n".join(lines)


def _does(step: dict[str, Any]) -> str:
    return ", ".join(unit.get("uses") or f"gate {unit['gate']}" for unit in step["does"])


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
        reason = f"  {found['reason']}" if found["reason"] and found["state"] != "done" else ""
        lines.append(f"  {found['id']}  {found['version'] or '-':<10} {word(found['state'])}{reason}")
    return "\n".join(lines)
