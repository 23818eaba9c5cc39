"""A real history for the tests of this folder."""

from __future__ import annotations

from typing import Any

import pytest

from ecluse.history import History


@pytest.fixture
def history(bench: Any) -> History:
    """The workbench's own history, empty."""
    return History.open(bench.repository.state_dir, create=True)
