"""Readers that were given up: a worker is nobody else's before it is done."""

from __future__ import annotations

import asyncio
import time
from collections import Counter

import pytest
from tests.support import made_files

from mailguard.adapters.workers import reader_pool
from mailguard.adapters.workers.reader_pool import PooledReader
from mailguard.core.decision.facts import Unavailable
from mailguard.core.mail import mime
from mailguard.core.text import reader
from mailguard.core.text.reading import Reading

RAW = b"Content-Type: text/plain\r\n\r\n"


async def test_a_worker_is_used_by_one_message_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Or one message would be judged by what another says."""
    busy: Counter[int] = Counter()
    most = 0

    def slow(self: reader_pool._Worker, raw: bytes, seconds: float) -> Unavailable:
        nonlocal most
        busy[id(self)] += 1
        most = max(most, busy[id(self)])
        time.sleep(0.6 if b"given up" in raw else 0.1)
        busy[id(self)] -= 1
        return Unavailable(raw.decode())

    monkeypatch.setattr(reader_pool._Worker, "read", slow)
    pool = PooledReader(workers=2, above=0, seconds=60.0, memory=1 << 30)
    given_up = asyncio.create_task(pool.read(mime.parse(RAW + b"given up")))
    await asyncio.sleep(0.05)
    given_up.cancel()
    others = [mime.parse(RAW + b"other %d" % n) for n in range(4)]
    answers = await asyncio.gather(*map(pool.read, others))
    assert answers == [Unavailable(other.raw.decode()) for other in others]
    assert most == 1
    await pool.close()


async def test_what_takes_long_to_unpack_goes_to_a_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever its size; what is quickly looked into stays here."""
    asked: list[bytes] = []

    def answered(self: reader_pool._Worker, raw: bytes, seconds: float) -> Unavailable:
        asked.append(raw)
        return Unavailable("from a worker")

    monkeypatch.setattr(reader_pool._Worker, "read", answered)
    pool = PooledReader(workers=1, above=131_072, seconds=60.0, memory=1 << 30)
    plain = await pool.read(mime.parse(made_files.message(made_files.zipped(("a", b"x")), "a.zip")))
    assert isinstance(plain, Reading)
    assert [file.kind for file in plain.files] == ["zip", "text"]
    inner = made_files.tarred(("zeros", bytes(3_000_000)))
    packed = mime.parse(made_files.message(made_files.gzipped(inner), "a.tgz"))
    assert len(packed.raw) < 10_000
    assert await pool.read(packed) == Unavailable("from a worker")
    assert asked == [packed.raw]
    await pool.close()


async def test_a_worker_and_this_process_read_the_same() -> None:
    packed = made_files.gzipped(made_files.tarred(("zeros", bytes(3_000_000)), ("b", b"MZ words")))
    message = mime.parse(made_files.message(packed, "a.tgz"))
    pool = PooledReader(workers=1, above=131_072, seconds=60.0, memory=1 << 30)
    assert await pool.read(message) == reader.read(message)
    await pool.close()
