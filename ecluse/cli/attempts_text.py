"""How several attempts at one task are shown side by side."""

from __future__ import annotations

from ecluse.cli.words import count
from ecluse.intake.attempts import Attempt, Task


def attempts_text(task: Task) -> str:
    """A block for each attempt: who, what it is, its size, its checks and findings; then how to pick one."""
    lines = [f"task {_line(task.name)}: {count(len(task.attempts), 'attempt')}"]
    for one in task.attempts:
        lines += _block(one)
    if task.is_open:
        lines.append("  pick one (the others are superseded): ecluse review CHANGE --pick --why TEXT")
    return "\n".join(lines)


def _block(one: Attempt) -> list[str]:
    checks = ", ".join(f"{name} {result}" for name, result in one.checks.items()) or "none"
    findings = ", ".join(f"{code} ({number})" if number > 1 else code for code, number in one.findings.items())
    tests = f"touches {count(len(one.tests), 'test file')}" if one.tests else "touches no tests"
    size = f"{count(one.commits, 'commit')}, {count(one.files, 'file')}, +{one.added} -{one.removed} lines"
    return [
        f"  {one.change}  {one.state}  by {_line(one.agent) or 'nobody'}: {_line(one.title)}",
        f"    {size}, {one.size_bytes:,} bytes as it came; {tests}",
        f"    checks: {checks}; findings: {findings or 'none'}",
    ]


def _line(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in text)
