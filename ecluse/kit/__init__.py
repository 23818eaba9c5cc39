"""What ``ecluse init`` gives a repository: policy, folders, history, and what agents need to know.

``preparation`` carries it out, ``files`` (texts) and ``pieces`` say what is written where, ``report`` what was done.
"""

from __future__ import annotations

from ecluse.kit.preparation import InitOptions, init
from ecluse.kit.report import Action, ActionKind, InitReport

__all__ = ["Action", "ActionKind", "InitOptions", "InitReport", "init"]
