"""No ring is lost, and rings that nobody heard yet are one."""

from __future__ import annotations

import asyncio

from tests.support.steps import finds
from tests.support.story import ANN, Ports, make_world, run

from mailguard.core.decision.verdict import Disposition
from mailguard.pipeline.bell import Bell

LONG = 60.0  # seconds that nobody waits here


async def heard(bell: Bell) -> bool:
    """Whether it was rung before."""
    listening = asyncio.create_task(bell.heard(LONG))
    for _ in range(5):
        await asyncio.sleep(0)
    done = listening.done()
    listening.cancel()
    return done


async def test_a_ring_before_anybody_listens_is_heard_once() -> None:
    bell = Bell()
    bell.ring()
    bell.ring()
    assert await heard(bell)
    assert not await heard(bell)


async def test_a_ring_wakes_who_listens() -> None:
    bell = Bell()
    listening = asyncio.create_task(bell.heard(LONG))
    await asyncio.sleep(0)
    bell.ring()
    async with asyncio.timeout(LONG / 2):
        await listening


async def test_nobody_waits_for_ever() -> None:
    await Bell().heard(0.01)


async def test_what_is_kept_rings_at_the_outbox_and_the_desk() -> None:
    for disposition in (Disposition.HOLD, Disposition.FORWARD):
        ports = Ports()
        world = make_world(ports)
        await run(ports, finds("a", "a.x", disposition, ANN), world=world)
        kept = disposition is Disposition.HOLD
        assert await heard(world.delivery.outbox) is kept
        assert await heard(world.delivery.desk) is kept
