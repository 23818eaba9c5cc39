"""Lock 3: does it work together with everything landed before it?

``candidate`` builds what would land, ``policy`` says what must be green, ``mover`` moves the ref and the checkout,
``queue`` is the verbs and the order, ``advance`` the state machine. What was tested is what lands, byte for byte.
"""

from __future__ import annotations

from ecluse.landing.advance import advance
from ecluse.landing.queue import cancel, enqueue, standing
from ecluse.landing.undo import undo

__all__ = ["advance", "cancel", "enqueue", "standing", "undo"]
