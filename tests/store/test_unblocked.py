"""The unblocked list: files before the database, expiry, other processes' changes, R37."""

from __future__ import annotations

import timeit

import pytest

from mailguard.adapters.database import Database
from mailguard.adapters.unblocked import ListEntry, UnblockedList
from mailguard.core.facts import Unavailable, Unblocked

PARENT = "parent@example.org"


async def _fresh(database: Database, **options) -> UnblockedList:
    made = UnblockedList(database, **options)
    await made.refresh()
    return made


async def test_an_entry_counts_until_it_expires_or_is_removed(database: Database) -> None:
    unblocked = await _fresh(database)
    await unblocked.add([ListEntry("Parent@Example.org", "case 1", "oak", "rev", 1.0, 100.0)])
    found = unblocked.look_up("PARENT@example.ORG", 99.0)
    assert found == Unblocked(PARENT, "case 1", "oak", 100.0)
    assert unblocked.look_up(PARENT, 100.0) is None
    assert await unblocked.remove([PARENT, "nobody@example.org"], 5.0) == 1
    assert unblocked.look_up(PARENT, 5.0) is None
    assert unblocked.entries() == []
    await unblocked.add([ListEntry(PARENT, "case 2")])
    assert unblocked.look_up(PARENT, 1e10) == Unblocked(PARENT, "case 2")


async def test_files_come_first_but_only_while_they_count(database: Database) -> None:
    files = {PARENT: Unblocked(PARENT, "allowlist.d/a.txt:1", expires_at=50.0)}
    unblocked = await _fresh(database, files=lambda: files)
    await unblocked.add([ListEntry(PARENT, "case 1")])
    assert unblocked.look_up(PARENT, 49.0).origin == "allowlist.d/a.txt:1"
    assert unblocked.look_up(PARENT, 51.0).origin == "case 1"


@pytest.mark.parametrize(
    "address",
    ["@example.org", "*@example.org", "example.org", "a*@example.org", "a@*.org", "a@b@c.org",
     "a%@example.org", "", "a b@example.org", "a@example.org,b@example.org", "\0@example.org"],
)  # fmt: skip
async def test_no_domain_or_pattern_gets_in_and_nothing_with_it(
    database: Database, address: str
) -> None:
    unblocked = await _fresh(database)
    with pytest.raises(ValueError):
        await unblocked.add([ListEntry(PARENT), ListEntry(address)])
    assert unblocked.entries() == []


async def test_another_process_notices(database: Database, url: str) -> None:
    other_database = Database(url)
    try:
        one, other = await _fresh(database), await _fresh(other_database)
        await one.add([ListEntry(PARENT)])
        await other.refresh()
        assert other.look_up(PARENT, 0.0) is not None
        await other.remove([PARENT], 1.0)
        await one.refresh()
        assert one.look_up(PARENT, 0.0) is None
        await one.add([ListEntry("second@example.org")])
        other.refresh_now()
        assert other.look_up("second@example.org", 0.0) is not None
    finally:
        other_database.close()


async def test_an_import_is_undone_whole_without_what_was_changed_since(
    database: Database,
) -> None:
    unblocked = await _fresh(database)
    await unblocked.add([ListEntry(f"p{n}@example.org", batch="b1") for n in range(50)])
    await unblocked.add([ListEntry("p7@example.org", origin="case 3")])
    assert len(unblocked.entries(batch="b1")) == 49
    assert await unblocked.remove_batch("b1", 1.0) == 49
    assert [one.address for one in unblocked.entries()] == ["p7@example.org"]


async def test_without_the_database_the_answer_is_that_there_is_none(database: Database) -> None:
    now = [0.0]
    files = {PARENT: Unblocked(PARENT, "allowlist.d/a.txt:1")}
    unblocked = UnblockedList(database, lambda: files, lambda: now[0])
    assert isinstance(unblocked.look_up("x@example.org", 0.0), Unavailable)
    assert isinstance(unblocked.look_up(PARENT, 0.0), Unblocked)
    await unblocked.refresh()
    assert unblocked.look_up("x@example.org", 0.0) is None
    now[0] = 61.0  # nobody could refresh for a minute: a removal may have been missed
    assert isinstance(unblocked.look_up("x@example.org", 0.0), Unavailable)


async def test_a_look_up_is_quick(database: Database) -> None:
    unblocked = await _fresh(database)
    await unblocked.add([ListEntry(f"p{n}@example.org") for n in range(2_000)])
    took = min(timeit.repeat(lambda: unblocked.look_up(PARENT, 0.0), number=1_000, repeat=5))
    assert took / 1_000 < 20e-6  # 1 µs measured; slack for a busy machine
