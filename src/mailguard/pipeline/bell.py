"""One side puts something away for another, and rings.

Owns that no ring is lost: one that comes while nobody listens is heard at once by the next who
does. Must not know what was put where.
"""

from __future__ import annotations

import asyncio
import contextlib


class Bell:
    """Made before both sides, and handed to both. Rung and heard on one event loop."""

    def __init__(self) -> None:
        self._rung = asyncio.Event()

    def ring(self) -> None:
        """Something was put there: look at once."""
        self._rung.set()

    async def heard(self, seconds: float) -> None:
        """Return when it rings, or after so many seconds. Rings before that are one."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._rung.wait(), seconds)
        self._rung.clear()
