"""Tickets: a step is one commit or nothing, and happens once whoever else acts at the same time."""

from __future__ import annotations

import asyncio
import dataclasses

import pytest
from sqlalchemy import text, update
from tests.store.tickets import ALICE, BOB, DESK, HELD, LETTER, NOTICE, NOW, SPAM, entry, step

from mailguard.adapters.archive.blobs import Blobs
from mailguard.adapters.database.engine import Database
from mailguard.adapters.database.ledger import DatabaseLedger
from mailguard.adapters.database.outbox import OutboxStore
from mailguard.adapters.database.tables import NoFrame, matters
from mailguard.adapters.database.tickets import TicketStore
from mailguard.adapters.database.unblocked import UnblockedList
from mailguard.casework.tickets import Conflict, Listing
from mailguard.core.decision.plan import State
from mailguard.core.decision.verdict import Disposition
from mailguard.pipeline.ports import Outgoing


@pytest.fixture
def outbox(database: Database, archive: Blobs) -> OutboxStore:
    return OutboxStore(database, archive)


@pytest.fixture
def store(database: Database, outbox: OutboxStore) -> TicketStore:
    return TicketStore(database, outbox, lambda: NOW)


async def test_a_ticket_is_opened_once(store: TicketStore) -> None:
    first = await store.new("approval", "one", NOW)
    assert (first.version, first.status, first.state) == (0, "new", b"")
    assert await store.new("approval", "one", NOW + 9) == first
    assert (await store.new("case", "one", NOW)).id != first.id
    assert await store.find("approval") == []  # nothing has happened yet
    await store.move([step(first)])
    found = await store.load(first.id)
    assert found is not None
    assert (found.version, found.status, found.state) == (1, "waiting", b'{"seats":1}')
    assert found.wakes_at == NOW + 60
    assert await store.find("approval") == [found]
    (line,) = await store.history(first.id)
    assert (line.by, line.what, len(line.detail)) == ("mailguard", "opened", 2_000)


async def test_two_steps_for_one_version_are_one(store: TicketStore) -> None:
    ticket = await store.new("approval", "one", NOW)
    results = await asyncio.gather(
        *(store.move([step(ticket, status=f"s{n}")]) for n in range(5)), return_exceptions=True
    )
    assert [type(result) for result in results].count(Conflict) == 4
    assert results.count(None) == 1
    assert len(await store.history(ticket.id)) == 1


async def test_what_is_due(store: TicketStore) -> None:
    tickets = [await store.new("approval", str(n), NOW) for n in range(3)]
    for n, ticket in enumerate(tickets):
        await store.move([step(ticket, wakes_at=NOW + 30 - 10 * n if n else None)])
    assert [m.id for m in await store.due("approval", NOW + 20)] == [tickets[2].id, tickets[1].id]
    assert await store.due("approval", NOW) == []
    assert await store.due("case", NOW + 99) == []


async def test_release_and_end_in_one_commit(
    store: TicketStore, ledger: DatabaseLedger, outbox: OutboxStore
) -> None:
    await ledger.keep(entry(), [HELD, SPAM], [])
    (held,) = await store.unclaimed(Disposition.HOLD)
    (spam,) = await store.unclaimed(Disposition.QUARANTINE)
    assert (held.recipient, held.matter_id) == (ALICE, None)
    ticket = await store.new("approval", held.digest, NOW)
    await store.move([step(ticket, claims=(held.id,))])
    assert await store.unclaimed(Disposition.HOLD) == []
    assert [h.id for h in await store.holds_of(ticket.id)] == [held.id]
    opened = await store.load(ticket.id)
    assert opened is not None

    release = Outgoing(
        f"release|{held.id}", "release", "", (ALICE,), b"raw", transaction_id=entry().id
    )
    last = step(
        opened,
        status="approved",
        releases=(held.id,),
        outgoing=(release, NOTICE),
        by="p",
        closes=True,
    )
    await store.move([last])
    closed = await store.load(ticket.id)
    assert closed is not None
    assert (closed.status, closed.closed_at, closed.wakes_at) == ("approved", NOW, None)
    assert await store.find("approval") == []
    assert await store.find("approval", open_only=False) == [closed]
    after = await store.hold(held.id)
    assert after is not None
    assert (after.state, after.decided_by) == ("released", "p")
    assert (await ledger.end_states(entry().id))[ALICE][1] is State.QUEUED
    assert await outbox.counts() == {("release", "waiting"): 1, ("notice", "waiting"): 1}
    with pytest.raises(Conflict):  # nothing moves a closed ticket
        await store.move([step(closed)])
    with pytest.raises(Conflict):  # nor is a hold decided twice
        await store.move([step(await store.new("x", "y", NOW), discards=(held.id, spam.id))])
    assert (await store.hold(spam.id)).state == "waiting"  # type: ignore[union-attr]


async def test_all_steps_or_none(
    store: TicketStore, ledger: DatabaseLedger, outbox: OutboxStore, database: Database
) -> None:
    await ledger.keep(entry(), [HELD], [], [LETTER])
    (held,) = await store.unclaimed(Disposition.HOLD)
    (letter,) = await store.waiting(9)
    approval, grant = await store.new("approval", "a", NOW), await store.new("grant", "g", NOW)
    await store.move([step(grant)])
    good = step(
        approval,
        claims=(held.id,),
        releases=(held.id,),
        outgoing=(NOTICE,),
        listings=(Listing("new@example.net", "case 1"),),
        letter=letter.id,
        closes=True,
    )
    with pytest.raises(Conflict):  # the grant has moved since
        await store.move([good, step(grant)])
    with pytest.raises(ValueError, match=r"example\.net"):
        pattern = Listing("*@example.net", "case 1")
        await store.move([dataclasses.replace(good, listings=(pattern,))])
    assert await store.load(approval.id) == approval
    assert await store.unclaimed(Disposition.HOLD) == [held]
    assert await outbox.counts() == {}
    assert len(await store.waiting(9)) == 1
    fresh = await store.load(grant.id)
    assert fresh is not None
    await store.move([good, step(fresh)])
    listed = UnblockedList(database)
    await listed.refresh()
    assert listed.look_up("NEW@example.net", NOW)
    assert await store.waiting(9) == []


async def test_a_hold_hangs_on_one_matter(store: TicketStore, ledger: DatabaseLedger) -> None:
    await ledger.keep(entry(), [HELD], [])
    (held,) = await store.unclaimed(Disposition.HOLD)
    one, two = await store.new("approval", "1", NOW), await store.new("approval", "2", NOW)
    results = await asyncio.gather(
        *(store.move([step(ticket, claims=(held.id,))]) for ticket in (one, two)),
        return_exceptions=True,
    )
    assert [type(result) for result in results].count(Conflict) == 1


async def test_letters(store: TicketStore, ledger: DatabaseLedger, outbox: OutboxStore) -> None:
    await ledger.keep(entry(), [], [], [LETTER])
    await ledger.keep(dataclasses.replace(entry(2), digest=entry().digest), [], [], [LETTER])
    (letter,) = await store.waiting(9)  # a client that came back
    assert (letter.desk, letter.transaction_id, letter.recipient) == ("approvals", entry().id, DESK)
    assert [one.attempts for one in await store.waiting(9)] == [2]
    assert (await store.unread())[0] == 1
    await store.settle(letter.id, "nothing in it", [NOTICE])
    assert await outbox.counts() == {("notice", "waiting"): 1}
    with pytest.raises(Conflict):
        await store.settle(letter.id, "again")
    assert await store.unread() == (0, None)


async def test_kept_copies_are_found(store: TicketStore, ledger: DatabaseLedger) -> None:
    for n in range(1, 4):
        await ledger.keep(entry(n, f"<{n}@example.org>"), [HELD, SPAM], [])
    assert [told["subject"] for _, told in await store.kept()] == ["hello 3", "hello 2", "hello 1"]
    ((one, told),) = await store.kept(message_id="<2@example.org>")
    assert (one.recipient, told["received_at"]) == (BOB, 1_002.0)
    assert [h.digest for h, _ in await store.kept(digest=entry(3).digest)] == [entry(3).digest]
    assert len(await store.kept(sender="sender@example.org", recipient=BOB, limit=2)) == 2
    assert await store.kept(sender="other@example.org") == []
    assert await store.kept(since=2e10) == []


async def test_octets_that_are_no_frame_hinder_nobody_and_stay_as_they_are(
    store: TicketStore, database: Database
) -> None:
    damaged, sound = [await store.new("approval", str(n), NOW) for n in range(2)]
    for ticket in (damaged, sound):
        await store.move([step(ticket)])
    with database.write() as connection:
        theirs = update(matters).where(matters.c.id == damaged.id)
        connection.execute(theirs.values(state=NoFrame(b'{"')))
    due = {one.id: one for one in await store.due("approval", NOW + 100)}
    assert due.keys() == {damaged.id, sound.id}
    assert due[sound.id].state == b'{"seats":1}'
    await store.move([step(due[damaged.id], state=due[damaged.id].state)])
    with database.write() as connection:
        kept = connection.execute(text(f"SELECT state FROM matters WHERE id = {damaged.id}"))
        assert bytes(kept.scalar_one()) == b'{"'
