"""The unblocked list: files before the database, expiry, other processes' changes, R37."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.support import cost

from mailguard.adapters.database.engine import Database
from mailguard.adapters.database.unblocked import UnblockedList
from mailguard.casework.unblocked_list import ListEntry
from mailguard.core.decision.facts import Unavailable, Unblocked
from mailguard.core.sheets import parents

PARENT = "parent@example.org"


async def _fresh(database: Database, **options) -> UnblockedList:
    made = UnblockedList(database, **options)
    await made.refresh()
    return made


async def test_an_entry_counts_until_it_expires_or_is_removed(database: Database) -> None:
    unblocked = await _fresh(database)
    await unblocked.add([ListEntry("Parent@Example.org", "case 1", "oak", "rev", 1.0, 100.0)])
    found = unblocked.look_up("PARENT@example.ORG", 99.0)
    assert found == Unblocked(PARENT, "case 1", "oak", 100.0, 1.0)
    assert unblocked.look_up(PARENT, 100.0) is None
    assert await unblocked.remove([PARENT, "nobody@example.org"], 5.0) == 1
    assert unblocked.look_up(PARENT, 5.0) is None
    assert await unblocked.entries() == []
    await unblocked.add([ListEntry(PARENT, "case 2")])
    assert unblocked.look_up(PARENT, 1e10) == Unblocked(PARENT, "case 2", added_at=0.0)
    assert await unblocked.find(PARENT, 1e10) == unblocked.look_up(PARENT, 1e10)


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
    assert await unblocked.entries() == []


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
        await other.refresh()
        assert other.look_up("second@example.org", 0.0) is not None
    finally:
        other_database.close()


async def test_an_import_is_undone_whole_and_leaves_what_was_there_before(
    database: Database,
) -> None:
    unblocked = await _fresh(database)
    await unblocked.add([ListEntry("p7@example.org", "case 3")])
    addresses = [f"p{n}@example.org" for n in range(50)]
    entries = tuple(parents.ParentEntry(one, "oak", "A1") for one in addresses)
    plan = parents.ImportPlan("p.xlsx", "import p.xlsx", 100.0, entries)
    await unblocked.take_in(plan, "b1", "wbirch", 10.0)
    await unblocked.take_in(replace(plan, expires_at=200.0, entries=entries[:1]), "b2", "x", 20.0)
    assert [(b.batch, b.entries, b.sites, b.added_by) for b in await unblocked.batches()] == [
        ("b2", 1, 1, "x"),
        ("b1", 50, 1, "wbirch"),
    ]
    assert unblocked.look_up("p0@example.org", 150.0).expires_at == 200.0
    assert unblocked.look_up("p1@example.org", 150.0) is None
    assert unblocked.look_up("p7@example.org", 150.0).origin == "case 3"
    assert await unblocked.undo("b1", 30.0) == 50
    assert await unblocked.undo("b1", 30.0) == 0
    for seen in (unblocked, await _fresh(database)):
        assert seen.look_up("p0@example.org", 50.0).expires_at == 200.0
        assert seen.look_up("p1@example.org", 50.0) is None
        assert seen.look_up("p7@example.org", 50.0).origin == "case 3"
    assert [one.address for one in await unblocked.entries()] == [
        "p0@example.org",
        "p7@example.org",
    ]
    assert [(b.entries, b.removed) for b in await unblocked.batches()] == [(1, 0), (0, 50)]
    assert await unblocked.remove(["p0@example.org", "P7@example.org"], 40.0) == 2
    assert await unblocked.entries() == []


async def test_a_waiver_is_kept_with_who_and_why_and_goes_before_an_entry_without(
    database: Database,
) -> None:
    unblocked = await _fresh(database)
    entry = ListEntry(PARENT, "case 4", waived_by="wbirch", waived_because="her host signs nothing")
    with pytest.raises(ValueError, match="who decided it and why"):
        await unblocked.add([replace(entry, waived_because="")])
    await unblocked.add([entry, ListEntry(PARENT, "import p.xlsx", batch="b1", expires_at=9e9)])
    other = await _fresh(database)
    found = other.look_up(PARENT, 1.0)
    assert (found.waived_by, found.waived_because) == ("wbirch", "her host signs nothing")


async def test_a_hundred_thousand_entries_come_and_go_without_holding_the_loop(
    database: Database,
) -> None:
    addresses = [f"p{n}@example{n % 50}.org" for n in range(100_000)]
    entries = tuple(parents.ParentEntry(one, f"site{len(one)}", "A1") for one in addresses)
    one, *others = [await _fresh(database) for _ in range(10)]
    plan = parents.ImportPlan("p.xlsx", "import p.xlsx", 9e9, entries)
    await one.take_in(plan, "b1", "wbirch", 1.0)
    other = others.pop()
    await cost.assert_loop_free(lambda: others.pop().refresh())
    await other.refresh()
    assert other.look_up(addresses[-1], 2.0) is not None
    grants = {id(grant) for grant in other._entries.values()}
    assert len(grants) < 100  # what entries share is kept once
    assert await one.undo("b1", 3.0) == 100_000
    await other.refresh()
    assert not other._entries


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
    empty, unblocked = await _fresh(database), await _fresh(database)
    await unblocked.add([ListEntry(f"p{n}@example.org") for n in range(2_000)])
    cost.assert_ratio(
        lambda: unblocked.look_up(PARENT, 0.0), lambda: empty.look_up(PARENT, 0.0), most=3
    )
