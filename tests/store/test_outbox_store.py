"""The outbox's rows: leases exclude each other, progress is kept for each recipient."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.at_once import at_once
from tests.support.entries import entry

from mailguard.adapters.archive.blobs import Blobs
from mailguard.adapters.database.ledger import DatabaseLedger
from mailguard.adapters.database.outbox import OutboxStore
from mailguard.core.decision.plan import State
from mailguard.core.decision.verdict import Disposition
from mailguard.pipeline.ports import LedgerEntry, Outgoing

A, B, C = (f"{name}@district.test" for name in "abc")


@pytest.fixture
def store(database, archive: Blobs) -> OutboxStore:
    return OutboxStore(database, archive)


def outgoing(key: str = "k", kind: str = "relay") -> Outgoing:
    return Outgoing(key, kind, "s@example.org", (A, B, C), b"raw", "8BITMIME", True, "t1")


async def _recorded(ledger: DatabaseLedger, *out: Outgoing) -> None:
    queued = (Disposition.FORWARD, State.QUEUED, "")
    envelope = {"reverse_path": "s@example.org", "recipients": [A, B, C]}
    await ledger.record(
        LedgerEntry("t1", 1.0, "mx", "d", 3, envelope, "", "", b"", b"", "", "250 Ok",
                    dict.fromkeys((A, B, C), queued)),
        out,
    )  # fmt: skip


def _states(ledger: DatabaseLedger) -> list[str]:
    return [state.value for _, state, _ in at_once(ledger.end_states("t1")).values()]


async def test_a_lease_has_everything_but_the_bytes(store: OutboxStore, archive: Blobs) -> None:
    await store.put([outgoing()], 10.0)
    assert await store.lease("me", 9.0, 60, 10) == []
    (entry,) = await store.lease("me", 10.0, 60, 10)
    assert (entry.kind, entry.reverse_path, entry.recipients) == (
        "relay",
        "s@example.org",
        (A, B, C),
    )
    assert (entry.body, entry.smtputf8, entry.attempts) == ("8BITMIME", True, 1)
    assert await archive.fetch(entry.digest) == b"raw"
    assert await store.find(entry.id) == entry


async def test_a_key_is_stored_once(store: OutboxStore) -> None:
    await store.put([outgoing("k"), outgoing("k"), outgoing("l")], 10.0)
    await store.put([outgoing("k")], 11.0)
    assert await store.counts() == {("relay", "waiting"): 2}
    assert await store.oldest() == 10.0


async def test_a_lease_runs_out_and_every_one_counts(store: OutboxStore) -> None:
    await store.put([outgoing()], 10.0)
    assert len(await store.lease("a", 10.0, 60, 10)) == 1
    assert await store.lease("b", 69.0, 60, 10) == []
    (again,) = await store.lease("b", 70.0, 60, 10)
    assert again.attempts == 2


async def test_the_most_urgent_first(store: OutboxStore) -> None:
    await store.put([outgoing("late")], 20.0)
    await store.put([outgoing("early")], 10.0)
    leased = await store.lease("a", 30.0, 60, 1)
    assert [one.created_at for one in leased] == [10.0]


async def test_only_those_left_are_tried_again(store: OutboxStore, ledger: DatabaseLedger) -> None:
    await _recorded(ledger, outgoing())
    (entry,) = await store.lease("me", 1e10, 60, 10)
    await store.retry(entry.id, 2e10, "451 busy", [C], 1.0, refused=[B])
    assert _states(ledger) == ["forwarded", "refused", "queued"]
    assert await store.lease("me", 1.9e10, 60, 10) == []
    (entry,) = await store.lease("me", 2e10, 60, 10)
    assert (entry.recipients, entry.last_reply, entry.attempts) == ((C,), "451 busy", 2)
    await store.sent(entry.id, "250 ok", 1.0)
    assert _states(ledger) == ["forwarded", "refused", "forwarded"]
    assert await store.counts() == {("relay", "sent"): 1}
    await store.retry(entry.id, 3e10, "late report", [C], 1.0)  # from a lease that ran out
    assert await store.lease("me", 4e10, 60, 10) == []
    assert await store.oldest() is None


async def test_giving_up_tells_the_sender_in_the_same_commit(
    store: OutboxStore, ledger: DatabaseLedger
) -> None:
    await _recorded(ledger, outgoing())
    (entry,) = await store.lease("me", 1e10, 60, 10)
    await store.failed(entry.id, "451 busy", 1.0, [outgoing("n", "notice")])
    assert _states(ledger) == ["refused"] * 3
    assert await store.counts() == {("relay", "failed"): 1, ("notice", "waiting"): 1}


async def test_a_notice_changes_no_recipient(store: OutboxStore, ledger: DatabaseLedger) -> None:
    await _recorded(ledger, outgoing("n", "notice"))
    (entry,) = await store.lease("me", 1e10, 60, 10)
    await store.sent(entry.id, "250 ok", 1.0)
    assert _states(ledger) == ["queued"] * 3


async def test_a_copy_that_goes_elsewhere_settles_the_envelopes_recipient(
    store: OutboxStore, ledger: DatabaseLedger
) -> None:
    boss = "boss@district.test"  # the same mailbox for two, one of whom it refuses
    two = Outgoing("k", "relay", "s@example.org", (B, C), b"raw", transaction_id="t1")
    await _recorded(ledger, *two.redirected(boss))
    first, second = await store.lease("me", 1e10, 60, 10)
    assert [(e.recipients, e.serves) for e in (first, second)] == [((boss,), B), ((boss,), C)]
    await store.retry(first.id, 2e10, "451 busy", [boss], 1.0)
    assert _states(ledger) == ["queued"] * 3
    await store.failed(second.id, "550 no", 1.0)
    assert _states(ledger) == ["queued", "queued", "refused"]
    (first,) = await store.lease("me", 2e10, 60, 10)
    await store.sent(first.id, "250 ok", 1.0)
    assert _states(ledger) == ["queued", "forwarded", "refused"]


async def test_a_redirected_release_is_its_recipients(
    store: OutboxStore, ledger: DatabaseLedger
) -> None:
    one = Outgoing("k", "release", "s@example.org", (A,), b"raw", transaction_id="t1")
    await _recorded(ledger, *one.redirected("boss@district.test"))
    (entry,) = await store.lease("me", 1e10, 60, 10)
    await store.sent(entry.id, "250 ok", 1.0)
    assert _states(ledger) == ["released", "queued", "queued"]


async def test_a_report_is_sent_once_whatever_its_transaction_was_answered(
    store: OutboxStore, ledger: DatabaseLedger
) -> None:
    """A notice's key is let go when its client was answered; a day's report is the day's."""
    report = Outgoing("routed|x|day", "report", "", ("d@district.test",), b"raw")
    for number in (1, 2):
        kept = entry(number)
        await ledger.keep(kept, (), [dataclasses.replace(report, transaction_id=kept.id)])
        await ledger.record(kept)
    assert await store.counts() == {("report", "waiting"): 1}


_CHILD = """
import asyncio, json, sys
from pathlib import Path
from mailguard.adapters.archive.blobs import Blobs
from mailguard.adapters.database.engine import Database
from mailguard.adapters.database.outbox import OutboxStore

async def main(url, directory, holder):
    database = Database(url, patience=20)
    store = OutboxStore(database, Blobs(Path(directory)))
    sys.stdin.readline()
    taken = []
    while leased := await store.lease(holder, 100.0, 60, 3):
        taken += [entry.id for entry in leased]
    print(json.dumps(taken))
    database.close()

asyncio.run(main(*sys.argv[1:]))
"""


async def test_two_processes_never_lease_the_same(
    store: OutboxStore, url: str, tmp_path: Path
) -> None:
    await store.put([outgoing(f"k{number}") for number in range(200)], 10.0)
    children = [
        subprocess.Popen(
            [sys.executable, "-c", _CHILD, url, str(tmp_path / "blobs"), holder],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        for holder in ("one", "two")
    ]
    for child in children:  # both at once
        child.stdin.write(b"\n")
        child.stdin.flush()
    answers = [child.communicate(timeout=60)[0] for child in children]
    one, two = (json.loads(answer) for answer in answers)
    assert len(one) + len(two) == 200
    assert not set(one) & set(two)


async def test_a_lease_is_renewed_by_its_holder_alone(store: OutboxStore) -> None:
    await store.put([outgoing()], 10.0)
    (entry,) = await store.lease("a", 10.0, 20, 10)
    await store.renew("b", [entry.id], 500.0)
    await store.renew("a", [entry.id], 60.0)
    assert await store.lease("b", 59.0, 20, 10) == []
    assert len(await store.lease("b", 60.0, 20, 10)) == 1
    await store.renew("a", [entry.id], 500.0)  # too late: it is b's now
    assert len(await store.lease("c", 80.0, 20, 10)) == 1
