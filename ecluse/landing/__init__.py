"""Lock 3: does it work together with everything landed before it?

``candidate`` builds what would land, ``policy`` says what must be green, ``mover`` moves the ref and the checkout,
``queue`` is the verbs and the order, ``advance`` the state machine, ``branches`` makes backups and review branches,
``publish`` pushes what moved. What was tested is what lands, byte for byte.
"""

from __future__ import annotations

from ecluse.landing.advance import advance
from ecluse.landing.branches import Branched, drop_branches, make_branch
from ecluse.landing.publish import (
    advance_push,
    landed_subject,
    push_back,
    push_branch,
    push_landed,
    under_the_lock,
    wants_push,
)
from ecluse.landing.queue import cancel, enqueue, standing
from ecluse.landing.revert import make_revert, settle_revert
from ecluse.landing.undo import undo

__all__ = [
    "Branched", "advance", "advance_push", "cancel", "drop_branches", "enqueue", "landed_subject", "make_branch", "make_revert", "push_back",
    "push_branch", "push_landed", "settle_revert", "standing", "under_the_lock", "undo", "wants_push",
]  # fmt: skip
