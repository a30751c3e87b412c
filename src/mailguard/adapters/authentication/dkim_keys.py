"""The key records that DKIM and ARC signatures ask for, looked up all at once (RFC 6376 3.6).

Owns the waiting: keys are there, or known not to be, before anything is hashed. Must not know what
stands in them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection

from mailguard.adapters.authentication.dns import Resolver
from mailguard.core.authentication.dns_answers import Answer
from mailguard.core.authentication.key_records import Keys
from mailguard.core.decision.facts import Unavailable


async def fetch_keys(resolver: Resolver, names: Collection[str], deadline: float) -> Keys:
    """Look the names up at the same time, until `deadline` (the event loop's clock). What has not
    answered by then is Unavailable."""
    found: dict[str, Answer] = {}

    async def fetch(name: str) -> None:
        found[name] = await resolver.look_up(name, "TXT")

    try:
        async with asyncio.timeout_at(deadline):
            if len(names) == 1:
                await fetch(*names)
            else:
                await asyncio.gather(*map(fetch, names))
    except TimeoutError:
        pass
    return {name: found.get(name, Unavailable("no answer in time")) for name in names}
