"""Lock 4: may it go live, and does it stay healthy there? Playbooks with human gates, watch and rollback.

``playbook`` compiles a page, ``plans`` says what would happen, ``orders`` are the verbs, ``course`` is the state
machine, ``retreat`` the way back, ``steps`` the library of actions.
"""

from __future__ import annotations

from ecluse.release.answers import answer, asked, overridable, override, statement
from ecluse.release.course import advance
from ecluse.release.lint import lint
from ecluse.release.orders import abort, pause, resume, retry, rollback, settle, start
from ecluse.release.plans import ReleasePlan, plan
from ecluse.release.playbook import Playbook, compile_playbook
from ecluse.release.status import status

__all__ = [
    "Playbook",
    "ReleasePlan",
    "abort",
    "advance",
    "answer",
    "asked",
    "compile_playbook",
    "lint",
    "overridable",
    "override",
    "pause",
    "plan",
    "resume",
    "retry",
    "rollback",
    "settle",
    "start",
    "statement",
    "status",
]
