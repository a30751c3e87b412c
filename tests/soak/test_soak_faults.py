"""The faults to survive, at length: `make soak`."""

from __future__ import annotations

import pytest
from tests import faults

pytestmark = pytest.mark.slow


async def test_killed_two_hundred_times() -> None:
    found, copies, due = await faults.killed_under_load(200, seed=1)
    print(found)
    assert found.sound
    assert found.acknowledged == found.forwarded
    assert copies == due
