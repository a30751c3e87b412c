"""Reads are awaited, with a deadline, and hold nobody up: neither the event loop nor each other."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from sqlalchemy import Connection, text
from tests.support.waiting import patiently

from mailguard.adapters.database.engine import Database
from mailguard.pipeline.ports import StoreError

_ENDLESS = {
    "sqlite": "WITH RECURSIVE n(i) AS (VALUES(1) UNION ALL SELECT 1 FROM n) SELECT max(i) FROM n",
    "postgresql": "SELECT pg_sleep(3600)",
}


def endless(connection: Connection) -> Any:
    return connection.execute(text(_ENDLESS[connection.dialect.name])).scalar()


def one(connection: Connection) -> Any:
    return connection.execute(text("SELECT 1")).scalar()


def driver(connection: Connection) -> Any:
    return connection.connection.driver_connection


async def test_a_read_that_overruns_is_our_own_trouble_and_holds_nobody(
    database: Database,
) -> None:
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            await asyncio.sleep(0)
            ticks += 1

    ticking = asyncio.create_task(tick())
    with pytest.raises(StoreError, match="no answer within"):
        await database.query(endless, 0.2)
    ticking.cancel()
    assert ticks > 10
    assert await database.query(one) == 1


async def test_reads_that_overrun_leave_every_thread_to_the_next(database: Database) -> None:
    for _ in range(3):
        ended = await asyncio.gather(
            *(database.query(endless, 0.1) for _ in range(8)), return_exceptions=True
        )
        assert all(isinstance(error, StoreError) for error in ended), ended
    assert await asyncio.gather(*(database.query(one) for _ in range(20))) == [1] * 20


async def test_a_read_that_waits_for_a_thread_has_its_deadline_too(database: Database) -> None:
    begun: list[int] = []
    holding = [asyncio.create_task(database.query(endless, 60)) for _ in range(4)]
    await asyncio.sleep(0.2)
    with pytest.raises(StoreError):
        await database.query(lambda c: begun.append(1), 0.1)
    for task in holding:
        task.cancel()
    await asyncio.gather(*holding, return_exceptions=True)
    assert await database.query(one) == 1
    assert not begun


async def test_a_connection_that_was_cut_off_is_not_used_again(database: Database) -> None:
    seen: list[Any] = []

    def remembered(connection: Connection) -> Any:
        seen.append(driver(connection))
        return endless(connection)

    with pytest.raises(StoreError):
        await database.query(remembered, 0.1)
    used = await asyncio.gather(*(database.query(driver) for _ in range(30)))
    assert not any(one is seen[0] for one in used)


async def test_who_stops_waiting_cuts_the_read_off(database: Database) -> None:
    reads = [asyncio.create_task(database.query(endless, 3_600)) for _ in range(4)]
    await asyncio.sleep(0.2)
    for read in reads:
        read.cancel()
    assert all(
        isinstance(e, asyncio.CancelledError)
        for e in await asyncio.gather(*reads, return_exceptions=True)
    )
    async with patiently("a free reader; an hour, had they gone on"):
        assert await database.query(one) == 1


async def test_the_end_cuts_off_what_is_still_read(database: Database) -> None:
    reading = asyncio.create_task(database.query(endless, 3_600))
    await asyncio.sleep(0.2)
    await asyncio.to_thread(database.close)
    with pytest.raises(StoreError):
        await reading
    with pytest.raises(StoreError, match="closed"):
        await database.query(one)


async def test_what_a_read_raises_reaches_who_asked(database: Database) -> None:
    def wrong(connection: Connection) -> None:
        raise TimeoutError("its own")

    with pytest.raises(TimeoutError, match="its own"):
        await database.query(wrong)
    with pytest.raises(StoreError, match="nowhere"):
        await database.query(lambda c: c.execute(text("SELECT * FROM nowhere")))
