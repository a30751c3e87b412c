"""The ledger: every text is stored, keys are idempotent, a review is one commit."""

from __future__ import annotations

import asyncio
import dataclasses
import time

import pytest
from tests.support.entries import ALICE, BOB, HELD, NOTICE, entry

from mailguard.adapters.archive.blobs import Blobs
from mailguard.adapters.database import outbox
from mailguard.adapters.database.ledger import INTERRUPTED, DatabaseLedger
from mailguard.casework.quarantine import AlreadyDecided
from mailguard.core.decision.plan import Hold, State
from mailguard.core.decision.verdict import Disposition
from mailguard.pipeline.ports import Outgoing


async def test_an_entry_comes_back_equal(ledger: DatabaseLedger) -> None:
    await ledger.record(entry())
    assert await ledger.find(entry().id) == entry()
    assert list(await ledger.end_states(entry().id)) == [ALICE, BOB]
    assert await ledger.find("none") is None
    assert await ledger.end_states("none") == {}


async def test_no_text_fails_to_be_stored(ledger: DatabaseLedger) -> None:
    nasty = "\udcff\0\\0\\\r\n\x1b'; DROP TABLE holds; -- \u202e🙂 %s :x ?"
    recipient = nasty + "x" * 5_000
    wanted = entry(
        envelope={"reverse_path": nasty, "recipients": [recipient], "helo": nasty},
        subject=nasty * 100,
        message_id=nasty,
        listener=nasty,
        reply=nasty,
        recipients={recipient: (Disposition.HOLD, State.HELD, nasty)},
    )
    hold = Hold(recipient, Disposition.HOLD, nasty, nasty)
    out = Outgoing(nasty * 50, "notice", nasty, (recipient,), b"raw", transaction_id=wanted.id)
    held = await ledger.keep(wanted, [hold], [out])
    assert await ledger.find(wanted.id) == wanted
    found = await ledger.hold(held[recipient])
    assert found is not None
    assert (found.recipient, found.reverse_path, found.reason) == (recipient, nasty, nasty)
    assert await ledger.holds(recipient=recipient) == [found]


async def test_keep_then_record(ledger: DatabaseLedger) -> None:
    so_far = entry(reply="", recipients={BOB: (Disposition.FORWARD, State.DEFERRED, "")})
    assert await ledger.keep(so_far, [HELD], [NOTICE]) == {ALICE: 1}
    await ledger.record(entry())
    assert await ledger.find(entry().id) == entry()
    (held,) = await ledger.holds()
    assert (held.id, held.recipient, held.digest, held.state) == (
        1, ALICE, entry().digest, "waiting",
    )  # fmt: skip


async def test_a_client_that_comes_back_makes_nothing_new(
    ledger: DatabaseLedger, database, archive: Blobs
) -> None:
    await ledger.keep(entry(1, reply="451 4.3.0 later"), [HELD], [NOTICE])
    again = entry(2, digest=entry(1).digest)
    assert await ledger.keep(again, [HELD], [NOTICE]) == {}
    assert await outbox.OutboxStore(database, archive).counts() == {("notice", "waiting"): 1}
    (held,) = await ledger.holds()
    assert held.transaction_id == again.id  # the one that will be answered
    other = dataclasses.replace(HELD, recipient=BOB)
    assert list(await ledger.keep(again, [HELD, other], [])) == [BOB]


async def test_many_at_once(ledger: DatabaseLedger) -> None:
    async def one(number: int) -> None:
        hold = dataclasses.replace(HELD, recipient=f"r{number}@district.test")
        kept = await ledger.keep(entry(number), [hold], [])
        assert list(kept) == [hold.recipient]
        await ledger.record(entry(number))

    await asyncio.gather(*(one(number) for number in range(100)))
    assert len([one async for one in ledger.entries()]) == 100
    assert len({held.id for held in await ledger.holds()}) == 100


async def test_a_release_is_one_commit_and_happens_once(
    ledger: DatabaseLedger, database, archive: Blobs
) -> None:
    kept = await ledger.keep(entry(), [HELD], [])
    await ledger.record(entry())
    store = outbox.OutboxStore(database, archive)
    out = Outgoing("r|1", "release", "", (ALICE,), b"raw", transaction_id=entry().id)
    with pytest.raises(AlreadyDecided) as caught:
        await ledger.decide_hold([kept[ALICE], 99], "released", "rev", [out])
    assert caught.value.references == (99,)
    assert await store.counts() == {}
    decisions = [ledger.decide_hold([kept[ALICE]], "released", f"r{n}", [out]) for n in range(4)]
    results = await asyncio.gather(*decisions, return_exceptions=True)
    assert [type(one) for one in results].count(AlreadyDecided) == 3
    held = await ledger.hold(kept[ALICE])
    assert held is not None and held.state == "released" and held.decided_at is not None
    assert (await ledger.end_states(entry().id))[ALICE][1] is State.QUEUED
    assert await store.counts() == {("release", "waiting"): 1}
    assert await ledger.holds() == [] and await ledger.holds(state=None) == [held]
    (leased,) = await store.lease("me", time.time() + 1, 60, 10)
    await store.sent(leased.id, "250 ok", time.time())
    assert (await ledger.end_states(entry().id))[ALICE][1] is State.RELEASED
    await ledger.record(entry())  # a story that was slow does not undo it
    assert (await ledger.end_states(entry().id))[ALICE][1] is State.RELEASED


async def test_a_discard(ledger: DatabaseLedger) -> None:
    kept = await ledger.keep(entry(), [HELD], [])
    assert (await ledger.waiting())[Disposition.QUARANTINE][0] == 1
    await ledger.decide_hold(list(kept.values()), "discarded", "rev")
    assert (await ledger.end_states(entry().id))[ALICE][1] is State.DISCARDED
    assert await ledger.waiting() == {}
    with pytest.raises(ValueError, match="gone"):
        await ledger.decide_hold([1], "gone", "rev")


async def test_listing(ledger: DatabaseLedger) -> None:
    for number in range(5):
        await ledger.record(entry(number, reply="250 Ok" if number % 2 else "550 no"))
    ids = [one.id async for one in ledger.entries(newest_first=False)]
    assert ids == [entry(number).id for number in range(5)]
    assert [one.id async for one in ledger.entries(limit=2)] == ids[:2:-1]
    assert [one.id async for one in ledger.entries(acknowledged=True)] == [ids[3], ids[1]]
    assert [one.id async for one in ledger.entries(since=1_003.0)] == [ids[4], ids[3]]
    assert [one.id async for one in ledger.entries(state=State.HELD)] == []
    short = await anext(ledger.entries(state=State.FORWARDED))
    assert short == entry(4, reply="550 no", facts=b"", decision=b"")


async def test_a_long_listing_is_read_page_by_page(
    ledger: DatabaseLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mailguard.adapters.database.ledger._PAGE", 7)
    await asyncio.gather(*(ledger.record(entry(number)) for number in range(50)))
    ids = [entry(number).id for number in range(50)]
    assert [one.id async for one in ledger.entries(newest_first=False)] == ids
    assert [one.id async for one in ledger.entries(limit=20)] == ids[:29:-1]


async def test_policies(ledger: DatabaseLedger) -> None:
    await asyncio.gather(*(ledger.store_policy("p1", b'{"steps":[]}') for _ in range(3)))
    assert await ledger.policy("p1") == b'{"steps":[]}'
    assert await ledger.policy("p2") is None


async def test_what_a_crash_cut_off_is_entered_as_deferred(
    ledger: DatabaseLedger, archive: Blobs
) -> None:
    beside = {"id": entry(1).id, "received_at": 5.0, "listener": "mx", **entry(1).envelope}
    lost = await archive.store(b"lost", beside)
    await archive.store(b"known", beside | {"id": entry(2).id})
    await archive.store(b"a notice", None)
    await ledger.record(entry(2))
    assert await ledger.reconcile(time.time()) == 1
    found = await ledger.find(entry(1).id)
    assert found is not None
    assert (found.digest, found.size, found.reply, found.received_at) == (lost, 4, "", 5.0)
    assert found.envelope == entry(1).envelope
    assert dict(found.recipients) == dict.fromkeys(
        (ALICE, BOB), (Disposition.DEFER, State.DEFERRED, INTERRUPTED)
    )
    assert await ledger.find(entry(2).id) == entry(2)
    assert await ledger.reconcile(time.time()) == 0
    await ledger.record(entry(1))  # it was under way in another process after all
    assert await ledger.find(entry(1).id) == entry(1)
