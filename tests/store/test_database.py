"""The writer thread: group commit, isolation of bad operations, locks, full disks, kill -9."""

from __future__ import annotations

import asyncio
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import event, select, text
from tests.support.at_once import at_once

from mailguard.adapters.database.engine import Database, location
from mailguard.adapters.database.tables import escape, policies, unescape
from mailguard.pipeline.ports import StoreError


def insert(connection, items):
    connection.execute(
        policies.insert(),
        [{"digest": item, "policy": b"{}", "stored_at": 1.0} for item in items],
    )
    return list(items)


def insert_each(connection, items):
    return [insert(connection, [item])[0] for item in items]


def _stored(database: Database) -> set[str]:
    wanted = select(policies.c.digest)
    return set(at_once(database.query(lambda c: c.execute(wanted).scalars().all())))


async def test_what_waits_together_is_committed_together(database: Database) -> None:
    commits = 0

    @event.listens_for(database._writer, "commit")
    def count(_connection) -> None:
        nonlocal commits
        commits += 1

    names = [f"n{number}" for number in range(300)]
    assert await asyncio.gather(*(database.commit(insert, name) for name in names)) == names
    assert _stored(database) == set(names)
    assert commits <= 30


async def test_an_answer_comes_only_after_the_commit(database: Database) -> None:
    async def one(number: int) -> None:
        await database.commit(insert, f"n{number}")
        assert f"n{number}" in await database.query(
            lambda c: set(c.execute(select(policies.c.digest)).scalars())
        )

    await asyncio.gather(*(one(number) for number in range(20)))


async def test_one_bad_operation_does_not_fail_its_neighbours(database: Database) -> None:
    await database.commit(insert, "twice")

    def bad(connection, items):
        insert(connection, [f"half-{item}" for item in items])
        raise LookupError("mine")

    jobs = [database.commit(insert, f"n{number}") for number in range(10)]
    jobs += [database.commit(insert, "twice"), database.commit(bad, "x")]
    results = await asyncio.gather(*jobs, return_exceptions=True)
    assert results[:10] == [f"n{number}" for number in range(10)]
    assert isinstance(results[10], StoreError) and not results[10].full
    assert isinstance(results[11], LookupError)
    assert _stored(database) == {"twice", *(f"n{number}" for number in range(10))}


async def test_a_cancelled_caller_changes_nothing_for_the_others(database: Database) -> None:
    cancelled = asyncio.ensure_future(database.commit(insert, "a"))
    other = asyncio.ensure_future(database.commit(insert, "b"))
    await asyncio.sleep(0)
    cancelled.cancel()
    assert await other == "b"
    assert "b" in _stored(database)


async def test_a_locked_database_is_trouble_after_a_bounded_wait_and_passes(
    database: Database, url: str
) -> None:
    if url.startswith("sqlite"):
        holder = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)
        holder.execute("BEGIN IMMEDIATE")
    else:
        holder = psycopg.connect(url.replace("+psycopg", ""))
        holder.execute("LOCK TABLE policies IN ACCESS EXCLUSIVE MODE")
    results = await asyncio.gather(
        *(database.commit(insert, f"n{number}") for number in range(5)), return_exceptions=True
    )
    assert all(isinstance(one, StoreError) and not one.full for one in results)
    holder.rollback() if not url.startswith("sqlite") else holder.execute("ROLLBACK")
    holder.close()
    assert await database.commit(insert, "after") == "after"
    assert _stored(database) == {"after"}


async def test_a_lost_connection_is_mended_before_anybody_hears_of_it(
    database: Database, url: str
) -> None:
    if url.startswith("sqlite"):
        pytest.skip("a file has no connection to lose")
    await database.commit(insert, "before")
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as other:
        other.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    assert await database.commit(insert, "after") == "after"


async def test_a_full_database_says_so_and_recovers_without_a_restart(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'full.db'}")
    database.upgrade()

    @event.listens_for(database._writer, "begin")
    def small(connection) -> None:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
        limit = pages if full else 1_000_000
        connection.exec_driver_sql(f"PRAGMA max_page_count = {limit}")

    try:
        full = True
        names = [f"{number:0>2000}" for number in range(200)]
        results = await asyncio.gather(
            *(database.commit(insert_each, name) for name in names), return_exceptions=True
        )
        refused = [one for one in results if isinstance(one, StoreError)]
        assert refused and all(one.full for one in refused)
        kept = {one for one in results if isinstance(one, str)}
        assert _stored(database) == kept  # what was refused is not there, what was not, is
        full = False
        assert await database.commit(insert, "after") == "after"
    finally:
        database.close()


_CHILD = """
import asyncio, sys
from mailguard.adapters.database.engine import Database
from mailguard.adapters.database.tables import policies

def insert(connection, items):
    rows = [{"digest": item, "policy": b"{}", "stored_at": 1.0} for item in items]
    connection.execute(policies.insert(), rows)
    return list(items)

async def main(url):
    database = Database(url)
    async def one(worker):
        number = 0
        while True:
            name = f"{worker}-{number}"
            await database.commit(insert, name)
            print(name, flush=True)
            number += 1
    await asyncio.gather(*(one(worker) for worker in range(8)))

asyncio.run(main(sys.argv[1]))
"""


def test_what_was_answered_outlives_kill_9(url: str) -> None:
    child = subprocess.Popen([sys.executable, "-c", _CHILD, url], stdout=subprocess.PIPE)
    assert child.stdout is not None
    answered = {child.stdout.readline().decode().strip() for _ in range(400)}
    child.send_signal(signal.SIGKILL)
    rest = child.stdout.read().decode()
    answered |= set(rest.splitlines() if rest.endswith("\n") else rest.splitlines()[:-1])
    child.stdout.close()
    child.wait()
    database = Database(url)
    try:
        assert len(answered) >= 400
        assert answered <= _stored(database)
    finally:
        database.close()


async def test_two_processes_lose_nothing_to_each_other(database: Database, url: str) -> None:
    other = Database(url, patience=10)
    try:
        jobs = [
            one.commit(insert, f"{place}-{number}")
            for number in range(100)
            for place, one in enumerate((database, other))
        ]
        assert len(set(await asyncio.gather(*jobs))) == 200
        assert len(_stored(database)) == 200
    finally:
        other.close()


async def test_ready_and_the_end(database: Database) -> None:
    await database.ready()
    with pytest.raises(StoreError):
        await database.query(lambda c: c.execute(text("DELETE FROM policies")))
    database.close()
    with pytest.raises(StoreError):
        await database.commit(insert, "late")


@pytest.mark.parametrize(
    "value",
    [
        "",
        "plain",
        "\\",
        "\\\\0",
        "a\0b",
        "\\0",
        "\udc80\udcff",
        "\\udc80",
        "naïve ✓ 🙂",
        "\r\n\x1b",
    ],
)
def test_escaping_is_lossless(value: str) -> None:
    assert unescape(escape(value)) == value
    escape(value).encode()
    assert "\0" not in escape(value)


def test_where_the_database_is(tmp_path: Path) -> None:
    assert location("", tmp_path) == f"sqlite:///{tmp_path}/mailguard.db"
    assert location("postgresql://a@h/d", tmp_path) == "postgresql+psycopg://a@h/d"
