"""An event loop's clock that a test moves on, so that nobody waits for a limit to pass.

What is limited then has a limit that no machine reaches by being slow, and still passes it at once.
"""

from __future__ import annotations

import asyncio

_TURNS = 5  # of the loop: a timer fires, a task hears of it, and says so


class Clock:
    """The running loop's clock from now on: real time, and what was added."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._real = loop.time
        self._ahead = 0.0
        loop.time = self._now  # type: ignore[method-assign]

    def _now(self) -> float:
        return self._real() + self._ahead

    async def advance(self, seconds: float) -> None:
        """So many seconds pass, and what was due has begun."""
        self._ahead += seconds
        for _ in range(_TURNS):
            await asyncio.sleep(0)
