"""Readers that were given up: a worker is nobody else's before it is done."""

from __future__ import annotations

import asyncio
import time
from collections import Counter

import pytest

from mailguard.adapters import reader
from mailguard.adapters.reader import PooledReader
from mailguard.core import mime
from mailguard.core.facts import Unavailable

RAW = b"Content-Type: text/plain\r\n\r\n"


async def test_a_worker_is_used_by_one_message_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Or one message would be judged by what another says."""
    busy: Counter[int] = Counter()
    most = 0

    def slow(self: reader._Worker, raw: bytes, seconds: float) -> Unavailable:
        nonlocal most
        busy[id(self)] += 1
        most = max(most, busy[id(self)])
        time.sleep(0.6 if b"given up" in raw else 0.1)
        busy[id(self)] -= 1
        return Unavailable(raw.decode())

    monkeypatch.setattr(reader._Worker, "read", slow)
    pool = PooledReader(workers=2, above=0, seconds=5.0, memory=1 << 30)
    given_up = asyncio.create_task(pool.read(mime.parse(RAW + b"given up")))
    await asyncio.sleep(0.05)
    given_up.cancel()
    others = [mime.parse(RAW + b"other %d" % n) for n in range(4)]
    answers = await asyncio.gather(*map(pool.read, others))
    assert answers == [Unavailable(other.raw.decode()) for other in others]
    assert most == 1
    await pool.close()
