"""The keys of an ARC chain: each asked for once, and not waited for past the deadline."""

from __future__ import annotations

import asyncio

import pytest
from tests.support.arc_vectors import KEYS, NOW, RAW, chain

from mailguard.adapters.authentication.arc import verify_arc
from mailguard.core.authentication.dns_answers import Answer, NxDomain
from mailguard.core.decision.facts import Arc, Unavailable
from mailguard.core.mail import mime


class Table:
    def __init__(self, delay: float = 0.0) -> None:
        self.delay = delay
        self.asked: list[str] = []

    async def look_up(self, name: str, record_type: str) -> Answer:
        self.asked.append(name)
        await asyncio.sleep(self.delay)
        return KEYS.get(name, NxDomain())


@pytest.mark.parametrize("size", [0, 200_000])
async def test_keys_are_fetched_once_each(size: int) -> None:
    resolver = Table()
    message = mime.parse(chain(6, RAW + b"x" * size))
    deadline = asyncio.get_running_loop().time() + 120
    found = await verify_arc(resolver, message, now=NOW, deadline=deadline)
    assert isinstance(found, Arc)
    assert found.cv == "pass"
    assert len(resolver.asked) == 2


async def test_no_chain_asks_nothing_and_the_deadline_holds() -> None:
    loop, resolver = asyncio.get_running_loop(), Table(delay=9)
    plain = await verify_arc(resolver, mime.parse(RAW), now=NOW, deadline=loop.time() + 120)
    assert (plain, resolver.asked) == (Arc(), [])
    message = mime.parse(chain(1))
    late = await verify_arc(resolver, message, now=NOW, deadline=loop.time() + 0.05)
    assert isinstance(late, Unavailable)
