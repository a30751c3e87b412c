"""What nobody asked for does not wait for ever; what waits for a person does."""

from __future__ import annotations

import dataclasses

from tests.store.tickets import ALICE, BOB, HELD, NOW, SPAM, entry, step

from mailguard.adapters.archive.blobs import Blobs
from mailguard.adapters.database.engine import Database
from mailguard.adapters.database.ledger import DatabaseLedger
from mailguard.adapters.database.outbox import OutboxStore
from mailguard.adapters.database.tickets import TicketStore
from mailguard.adapters.database.unblocked import UnblockedList
from mailguard.casework.tickets import Listing
from mailguard.core.decision.plan import State


async def test_age(database: Database, archive: Blobs) -> None:
    ledger = DatabaseLedger(database, archive, clock=lambda: NOW)
    store = TicketStore(database, OutboxStore(database, archive), lambda: NOW)
    for n in range(1, 4):
        await ledger.keep(entry(n), [HELD, SPAM], [])
    first, second, _ = (h for h in await ledger.holds() if h.recipient == BOB)
    case, closed = await store.new("case", "1", NOW), await store.new("case", "2", NOW)
    await store.move([step(case, claims=(first.id,))])
    await store.move([step(closed, claims=(second.id,), closes=True)])
    assert await ledger.expire(NOW, 0) == 0  # from before that moment, not of it
    assert await ledger.expire(NOW + 1, 0, limit=1) == 1
    assert await ledger.expire(NOW + 1, 0) == 1
    assert await ledger.expire(NOW + 1, 0) == 0
    left = [(h.recipient, h.transaction_id) for h in await ledger.holds()]
    assert (BOB, entry(1).id) in left  # an open case needs it
    assert [r for r, _ in left].count(ALICE) == 3  # held for approval
    assert [r for r, _ in left].count(BOB) == 1
    assert (await ledger.end_states(entry(2).id))[BOB][1] is State.EXPIRED
    (gone,) = (h for h in await ledger.holds(state="expired", recipient=BOB) if h.id == second.id)
    assert gone.decided_by == "retention"


async def test_size_takes_the_oldest(database: Database, archive: Blobs) -> None:
    ledger = DatabaseLedger(database, archive, clock=lambda: NOW)
    for n in range(1, 5):
        await ledger.keep(dataclasses.replace(entry(n), size=100), [SPAM], [])
    assert await ledger.expire(0.0, 250) == 2
    assert [h.transaction_id for h in await ledger.holds()] == [entry(3).id, entry(4).id]
    assert await ledger.expire(0.0, 0) == 0


async def test_a_release_can_put_the_author_on_the_list(database: Database, archive: Blobs) -> None:
    ledger = DatabaseLedger(database, archive, clock=lambda: NOW)
    await ledger.keep(entry(), [SPAM], [])
    (hold,) = await ledger.holds()
    listing = Listing("Parent@example.net", "release 1", added_by="carl", added_at=NOW)
    await ledger.decide_hold([hold.id], "released", "carl", (), [listing])
    listed = UnblockedList(database)
    await listed.refresh()
    (row,) = await listed.entries()
    assert (row.address, row.origin, row.added_by) == ("parent@example.net", "release 1", "carl")
