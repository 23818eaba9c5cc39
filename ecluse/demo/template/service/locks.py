"""How many chambers a boat passes between two water levels, and what each one does.

Pure arithmetic, no input or output. Levels are metres above the sea, times are minutes.
"""

import math
from typing import Dict, List, Union

RISE = 2.5
"""The most a chamber can raise or lower a boat, in metres: the height of its walls."""

SPEED = 0.5
"""How fast the water of a chamber rises or falls, in metres a minute."""

Chamber = Dict[str, Union[int, float, str]]


def plan(start: float, end: float) -> List[Chamber]:
    """The chambers a boat passes from level ``start`` to level ``end``, in order.

    The difference is shared evenly, so that no chamber works harder than another.
    """
    height = abs(end - start)
    if height == 0:
        return []
    count = math.ceil(height / RISE)
    step = (end - start) / count
    return [
        {
            "chamber": number + 1,
            "action": "fill" if step > 0 else "empty",
            "from": round(start + number * step, 2),
            "to": round(start + (number + 1) * step, 2),
        }
        for number in range(count)
    ]


def duration(chambers: List[Chamber]) -> float:
    """How long the water needs to rise or fall in all the chambers, in minutes."""
    metres = sum(abs(float(chamber["to"]) - float(chamber["from"])) for chamber in chambers)
    return round(metres / SPEED, 1)
