"""The same octets again: a retry makes nothing new, a message sent once more is never lost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from tests.support.at_once import at_once
from tests.support.steps import DISTRICT, finds
from tests.support.story import LATE, Ports, World, make_world

from mailguard.adapters.archive.blobs import Blobs
from mailguard.adapters.database import outbox
from mailguard.adapters.database.engine import Database
from mailguard.adapters.database.ledger import DatabaseLedger
from mailguard.config.notices import TEMPLATES
from mailguard.core.decision.facts import Spf, Unavailable
from mailguard.core.decision.plan import State
from mailguard.core.decision.policy import Policy, PolicyStep
from mailguard.core.decision.verdict import Disposition
from mailguard.core.mail import mime
from mailguard.core.mail.reply import Reply
from mailguard.core.mail.transaction import Envelope, Listener, Role, Transaction
from mailguard.core.people.directory import Directory
from mailguard.pipeline.ports import Authentication
from mailguard.pipeline.snapshot import Snapshot

FORWARD, QUARANTINE, HOLD, BOUNCE, DEFER = Disposition
ANN, BOB, CARA, DAN = (f"{name}@example.org" for name in ("ann", "bob", "cara", "dan"))
RAW = b"From: x@example.com\r\nSubject: s\r\n\r\nhello\r\n"


class Proven(Ports):
    """SPF passes for the reverse-path's domain, so the sender may be answered."""

    async def authenticate(self, transaction: Transaction) -> Authentication:
        none = Unavailable("not looked up")
        return Authentication(Spf("pass", "example.com"), none, none, none)


@pytest.fixture
def world(ledger: DatabaseLedger, archive: Blobs) -> World:
    return make_world(Proven()).but(ledger=ledger, archive=archive)


async def send(
    world: World, number: int, recipients: Sequence[str], *steps: PolicyStep, **replies: Reply
) -> Reply:
    answers = {f"{name}@example.org": reply for name, reply in replies.items()}
    world.delivery.next_hop.replies = answers  # type: ignore[attr-defined]  # the recording ports' own
    texts = {name: template.text for name, template in TEMPLATES.items()}
    snapshot = Snapshot(DISTRICT, Policy(steps, "p"), Directory(), {}, texts, "d")
    envelope = Envelope("x@example.com", tuple(recipients), client_address="192.0.2.1", helo="h")
    listener = Listener("mx", Role.MX)
    one = Transaction(f"{number:026}", float(number), listener, envelope, mime.parse(RAW))
    return await world.accept(one, snapshot)


def ends(ledger: DatabaseLedger, number: int) -> dict[str, State]:
    return {r: state for r, (_, state, _) in at_once(ledger.end_states(f"{number:026}")).items()}


def waiting(database: Database, archive: Blobs) -> Mapping[str, int]:
    counts = at_once(outbox.OutboxStore(database, archive).counts())
    return {kind: number for (kind, _), number in counts.items()}


async def test_each_part_of_a_message_sent_in_two_transactions_is_told_of(
    world: World, database: Database, archive: Blobs
) -> None:
    bounced = finds("a", "a.x", BOUNCE, BOB, DAN)
    assert (await send(world, 1, [ANN, BOB], bounced)).code == 250
    assert (await send(world, 2, [CARA, DAN], bounced)).code == 250
    assert waiting(database, archive) == {"notice": 2}


async def test_a_retry_is_told_of_once(world: World, database: Database, archive: Blobs) -> None:
    bounced = finds("a", "a.x", BOUNCE, BOB)
    assert (await send(world, 1, [ANN, BOB], bounced, ann=LATE)).code == 451
    assert (await send(world, 2, [ANN, BOB], bounced)).code == 250
    assert waiting(database, archive) == {"notice": 1}


async def test_what_was_answered_and_comes_again_is_told_of_again(
    world: World, database: Database, archive: Blobs
) -> None:
    bounced = finds("a", "a.x", BOUNCE, BOB)
    for number in (1, 2):
        assert (await send(world, number, [ANN, BOB], bounced)).code == 250
    assert waiting(database, archive) == {"notice": 2}


@pytest.mark.parametrize("decided", ["released", "discarded"])
async def test_what_was_decided_and_comes_again_is_kept_again(
    world: World, ledger: DatabaseLedger, database: Database, archive: Blobs, decided: str
) -> None:
    step = finds("a", "a.x", QUARANTINE, BOB)
    assert (await send(world, 1, [ANN, BOB], step)).code == 250
    (first,) = await ledger.holds()
    await ledger.decide_hold([first.id], decided, "rev")
    assert (await send(world, 2, [ANN, BOB], step)).code == 250
    (second,) = await ledger.holds()
    assert second.id != first.id
    assert second.transaction_id == f"{2:026}"
    assert waiting(database, archive)["copy"] == 2
    after = await ledger.hold(first.id)
    assert after is not None
    assert after.state == decided


@pytest.mark.parametrize(
    ("decided", "end"), [("released", State.RELEASED), ("discarded", State.DISCARDED)]
)
async def test_what_was_decided_between_a_451_and_the_retry_stays_decided(
    world: World, ledger: DatabaseLedger, decided: str, end: State
) -> None:
    step = finds("a", "a.x", QUARANTINE, BOB)
    assert (await send(world, 1, [ANN, BOB], step, ann=LATE)).code == 451
    (first,) = await ledger.holds()
    await ledger.decide_hold([first.id], decided, "rev")
    assert (await send(world, 2, [ANN, BOB], step)).code == 250
    assert await ledger.holds() == []
    assert ends(ledger, 2) == {ANN: State.FORWARDED, BOB: end}


async def test_copies_put_off_are_in_the_ledger_as_soon_as_in_the_outbox(
    world: World, ledger: DatabaseLedger, database: Database, archive: Blobs
) -> None:
    """The outbox may be quicker than the record, which may have to wait for a locked database."""
    store = outbox.OutboxStore(database, archive)
    seen: list[dict[str, State]] = []

    class Slow:
        async def keep(self, *args: Any) -> Mapping[str, int]:
            kept = await ledger.keep(*args)
            (entry,) = await store.lease("me", 1e10, 60, 10)
            await store.sent(entry.id, "250 ok", 1.0)
            seen.append(ends(ledger, 1))
            return kept

        async def record(self, *args: Any) -> None:
            await ledger.record(*args)

    assert (await send(world.but(ledger=Slow()), 1, [ANN, BOB], bob=LATE)).code == 250
    assert seen == [{ANN: State.FORWARDED, BOB: State.FORWARDED}]
    assert ends(ledger, 1) == {ANN: State.FORWARDED, BOB: State.FORWARDED}


async def test_a_message_set_aside_unread_is_acknowledged_in_the_ledger(
    world: World, ledger: DatabaseLedger
) -> None:
    world.delivery.next_hop.failing["relay"] = RuntimeError("bug")  # type: ignore[attr-defined]  # ditto
    codes = [(await send(world, number, [ANN, BOB])).code for number in (1, 2, 3)]
    assert codes == [451, 451, 250]
    (entry,) = [one async for one in ledger.entries(acknowledged=True)]
    assert entry.id == f"{3:026}"
    assert {state for _, state, _ in entry.recipients.values()} == {State.QUARANTINED}


async def test_giving_up_leaves_what_was_taken_in_the_last_try(
    ledger: DatabaseLedger, database: Database, archive: Blobs, world: World
) -> None:
    assert (await send(world, 1, [ANN, BOB, CARA], bob=LATE, cara=LATE)).code == 250
    store = outbox.OutboxStore(database, archive)
    (entry,) = await store.lease("me", 1e10, 60, 10)
    await store.failed(entry.id, "451 busy", 1.0, served=[CARA])
    assert ends(ledger, 1) == {ANN: State.FORWARDED, BOB: State.REFUSED, CARA: State.FORWARDED}
