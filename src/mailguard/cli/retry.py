"""What a command does to tickets that a running server may act on at the same time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

from mailguard.cli.loading import opened
from mailguard.terminal import fail

if TYPE_CHECKING:
    from mailguard.adapters.state import StateDirectory
    from mailguard.config.load import Loaded
    from mailguard.pipeline.replay import Replaying

T = TypeVar("T")
_TRIES = 3


def carried_out(loaded: Loaded, work: Callable[[StateDirectory, Replaying], Awaitable[T]]) -> T:
    """Run one piece of work on the configuration's state. A step that the server was quicker with
    is thought out again; trouble of our own ends the command with 2, and nothing was changed."""
    from mailguard.core.record.formats import NewerFormat
    from mailguard.pipeline.ports import StoreError

    with opened(loaded) as state:
        try:
            return asyncio.run(_again(loaded, state, work))
        except (StoreError, NewerFormat) as error:
            fail(f"nothing was changed: {error}", 2)


async def _again(
    loaded: Loaded, state: StateDirectory, work: Callable[[StateDirectory, Replaying], Awaitable[T]]
) -> T:
    from mailguard.casework.tickets import Conflict
    from mailguard.server.wiring import replaying

    async with replaying(loaded.settings) as again:
        tries = _TRIES
        while True:
            try:
                return await work(state, again)
            except Conflict:
                tries -= 1
                if not tries:
                    fail("somebody else acts on it at the same time; please try again")
