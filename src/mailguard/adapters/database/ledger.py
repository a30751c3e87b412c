"""The ledger: what became of every message, what is kept, and the policies it was judged by.

Owns the rows of `transactions`, `recipients` and `policies`; `kept` has those of the kept
copies. Must not know policy or SMTP. Writing goes through the database's one writer, reading
through its threads; both are awaited.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from sqlalchemy import Connection, Select, func, select

from mailguard.adapters.archive.blobs import Blobs
from mailguard.adapters.database import kept as kept_copies
from mailguard.adapters.database import ledger_rows, tickets
from mailguard.adapters.database import outbox as outbox_store
from mailguard.adapters.database.engine import Database
from mailguard.adapters.database.tables import holds, policies, recipients, transactions
from mailguard.casework.quarantine import DISCARDED, RELEASED
from mailguard.casework.tickets import KeptCopy, Listing
from mailguard.core.decision.plan import Hold, InboundMail, State
from mailguard.core.decision.verdict import Disposition
from mailguard.core.mail.address import normalise
from mailguard.pipeline.ports import Clock, LedgerEntry, Outgoing, StoreError

INTERRUPTED = "interrupted"  # the reason of a transaction that a crash cut off
_PAGE = 500
_MOST_REACHED = 20_000  # recipients of messages with one Message-ID
_WENT_ON = tuple(s.value for s in (State.FORWARDED, State.QUEUED, State.RELEASED))


@dataclass(frozen=True, slots=True)
class _Keeping:
    entry: LedgerEntry
    holds: tuple[Hold, ...]
    outgoing: tuple[dict[str, Any], ...]
    now: float
    letters: tuple[InboundMail, ...] = ()


class DatabaseLedger:
    """The Ledger port. Writing methods are durable when they return, in one commit."""

    def __init__(
        self,
        database: Database,
        archive: Blobs,
        clock: Clock = time.time,
        outbox: outbox_store.OutboxStore | None = None,
    ) -> None:
        self._database = database
        self._archive = archive
        self._outbox = outbox or outbox_store.OutboxStore(database, archive)
        self._clock = clock

    async def keep(
        self,
        entry: LedgerEntry,
        holds: Sequence[Hold],
        outgoing: Sequence[Outgoing],
        letters: Sequence[InboundMail] = (),
    ) -> Mapping[str, int]:
        """Commit holds, outgoing mail, letters and the entry so far; the references of the holds
        that are new, by recipient. Known keys of a retry are left, but a hold that waits moves to
        this transaction: it is the one whose client is answered. What is no retry, because the
        earlier client was answered, is told of again, and kept again once decided. Raises
        StoreError, or AllowanceGone."""
        now = self._clock()
        with self._outbox.spending(outgoing):
            rows = await self._outbox.prepare(outgoing, now)
            keeping = _Keeping(entry, tuple(holds), rows, now, tuple(letters))
            return await self._database.commit(_keep, keeping)

    async def record(self, entry: LedgerEntry, outgoing: Sequence[Outgoing] = ()) -> None:
        """Commit the outcome, and copies put off, in place of what `keep` wrote; what outbox or
        review settled meanwhile stays. Raises StoreError."""
        now = self._clock()
        with self._outbox.spending(outgoing):
            rows = await self._outbox.prepare(outgoing, now)
            await self._database.commit(_record, _Keeping(entry, (), rows, now))

    async def decide_hold(
        self,
        references: Sequence[int],
        state: str,
        by: str,
        outgoing: Sequence[Outgoing] = (),
        listings: Sequence[Listing] = (),
    ) -> None:
        """Release or discard holds, all or none: their state, their recipients' states, the
        outgoing mail and entries of the unblocked list in one commit. Raises AlreadyDecided,
        ValueError for what is no single address, or StoreError."""
        if state not in (RELEASED, DISCARDED):
            raise ValueError(state)
        now = self._clock()
        with self._outbox.spending(outgoing):
            rows = await self._outbox.prepare(outgoing, now)
            deciding = kept_copies.Deciding(
                tuple(dict.fromkeys(references)), state, by, rows, now, tuple(listings)
            )
            await self._database.commit(kept_copies.decide, deciding)

    async def expire(self, before: float, octets: int, limit: int = 500) -> int:
        """End the wait of quarantined copies that nobody asked for: made before that moment, or
        the oldest beyond so many octets (0: any number); at most `limit` at once. How many. Never
        what is held for approval, nor what a ticket in progress needs. Raises StoreError."""
        expiring = kept_copies.Expiring(before, octets, limit, self._clock())
        return await self._database.commit(kept_copies.expire, expiring)

    async def store_policy(self, digest: str, policy: bytes) -> None:
        """Remember a policy's JSON, so that a decision can be explained by the policy of then."""
        row = {"digest": digest, "policy": policy, "stored_at": self._clock()}
        await self._database.commit(_store_policies, row)

    async def reconcile(self, now: float, days: float = 7.0) -> int:
        """Enter what a crash cut off: envelopes beside blobs whose transaction is not in the
        ledger, as deferred (their client heard no reply). How many there were.

        Looks back to an hour before the last time, `days` at most. A transaction that another
        process has under way may be entered too; its own `record` then replaces that.
        """
        since = max(self._archive.reconciled_at - 3_600.0, now - days * 86_400.0)
        found = 0
        envelopes = self._archive.iter_envelopes(since)
        while page := await asyncio.to_thread(_take, envelopes):
            found += await self._enter(page)
        self._archive.mark_reconciled(now)
        return found

    async def _enter(self, page: dict[str, tuple[str, dict[str, Any]]]) -> int:
        known = select(transactions.c.id).where(transactions.c.id.in_(list(page)))
        present = await self._database.query(lambda c: set(c.execute(known).scalars()))
        page = {name: value for name, value in page.items() if name not in present}
        lost = [page[name] for name in page if name]
        entries = await asyncio.to_thread(lambda: [self._interrupted(*one) for one in lost])
        for entry in entries:
            await self._database.commit(_enter, _Keeping(entry, (), (), self._clock()))
        return len(entries)

    def _interrupted(self, digest: str, envelope: dict[str, Any]) -> LedgerEntry:
        try:
            size = self._archive.size(digest)
        except (KeyError, StoreError):
            size = 0  # damaged: the entry must stand all the same
        ends = (Disposition.DEFER, State.DEFERRED, INTERRUPTED)
        beside = {"id", "received_at", "listener", "role"}
        return LedgerEntry(
            id=envelope["id"],
            received_at=float(envelope.get("received_at") or 0.0),
            listener=str(envelope.get("listener", "")),
            digest=digest,
            size=size,
            envelope={name: value for name, value in envelope.items() if name not in beside},
            subject="",
            message_id="",
            facts=b"",
            decision=b"",
            policy_digest="",
            reply="",
            recipients={str(one): ends for one in envelope.get("recipients") or ()},
        )

    async def groups_reached(self, message_id: str) -> frozenset[str]:
        """The recipients, normalised, whom messages with this Message-ID went on to. Raises
        StoreError."""
        return await groups_reached(self._database, message_id)

    async def find(self, transaction_id: str) -> LedgerEntry | None:
        """One entry, whole. Raises StoreError."""
        wanted = select(transactions).where(transactions.c.id == transaction_id)
        found = await self._database.query(lambda c: _entries(c, wanted))
        return found[0] if found else None

    async def entries(
        self,
        limit: int | None = None,
        since: float | None = None,
        state: State | None = None,
        acknowledged: bool = False,
        newest_first: bool = True,
    ) -> AsyncIterator[LedgerEntry]:
        """Entries in order of time, without facts and decision (`find` has them). `state`: some
        recipient is in it. `acknowledged`: the client heard 250. Reads page by page, so a long
        listing holds no database transaction open."""
        wanted = select(*ledger_rows.SHORT)
        if since is not None:
            wanted = wanted.where(transactions.c.received_at >= since)
        if state is not None:
            wanted = wanted.where(
                transactions.c.id.in_(
                    select(recipients.c.transaction_id).where(recipients.c.state == state.value)
                )
            )
        if acknowledged:
            wanted = wanted.where(transactions.c.reply.like("250%"))
        key = transactions.c.id
        wanted = wanted.order_by(key.desc() if newest_first else key.asc())
        last, left = None, limit
        while left is None or left > 0:
            page = wanted.limit(_PAGE if left is None else min(left, _PAGE))
            if last is not None:
                page = page.where(key < last if newest_first else key > last)
            found = await self._database.query(partial(_entries, wanted=page))
            if not found:
                return
            for entry in found:
                yield entry
            last = found[-1].id
            left = None if left is None else left - len(found)

    async def end_states(self, transaction_id: str) -> Mapping[str, tuple[Disposition, State, str]]:
        """Each recipient's disposition, state and reason; empty for an unknown transaction.
        Raises StoreError."""
        ends = await self._database.query(lambda c: ledger_rows.ends(c, [transaction_id]))
        return ends[transaction_id]

    async def holds(
        self,
        state: str | None = "waiting",
        recipient: str | None = None,
        reverse_path: str | None = None,
        transaction_id: str | None = None,
        limit: int | None = None,
    ) -> Sequence[KeptCopy]:
        """Kept copies, oldest first; None does not filter."""
        wanted = select(holds).order_by(holds.c.id)
        given = (
            (holds.c.state, state),
            (holds.c.recipient, recipient),
            (holds.c.reverse_path, reverse_path),
            (holds.c.transaction_id, transaction_id),
        )
        for column, value in given:
            if value is not None:
                wanted = wanted.where(column == value)
        rows = await self._database.query(lambda c: c.execute(wanted.limit(limit)).mappings().all())
        return [kept_copies.from_row(row) for row in rows]

    async def hold(self, reference: int) -> KeptCopy | None:
        wanted = select(holds).where(holds.c.id == reference)
        row = await self._database.query(lambda c: c.execute(wanted).mappings().first())
        return None if row is None else kept_copies.from_row(row)

    async def waiting(self) -> Mapping[Disposition, tuple[int, float]]:
        """How many copies wait for a person and since when the oldest does, by disposition."""
        wanted = (
            select(holds.c.disposition, func.count(), func.min(holds.c.created_at))
            .where(holds.c.state == "waiting")
            .group_by(holds.c.disposition)
        )
        rows = await self._database.query(lambda c: c.execute(wanted).all())
        return {Disposition(kind): (number, oldest) for kind, number, oldest in rows}

    async def policy(self, digest: str) -> bytes | None:
        """The JSON of a policy that was in force once. Raises StoreError."""
        wanted = select(policies.c.policy).where(policies.c.digest == digest)
        found: bytes | None = await self._database.query(lambda c: c.execute(wanted).scalar())
        return found


async def groups_reached(database: Database, message_id: str) -> frozenset[str]:
    """What `DatabaseLedger.groups_reached` says, of a database that is only read."""
    wanted = (
        select(recipients.c.recipient)
        .join(transactions, transactions.c.id == recipients.c.transaction_id)
        .where(transactions.c.message_id == message_id, recipients.c.state.in_(_WENT_ON))
        .limit(_MOST_REACHED)
    )
    found = await database.query(lambda c: c.execute(wanted).scalars().all())
    return frozenset(normalise(recipient) for recipient in found)


def _entries(connection: Connection, wanted: Select[Any]) -> list[LedgerEntry]:
    rows = connection.execute(wanted).mappings().all()
    ends = ledger_rows.ends(connection, [row["id"] for row in rows])
    return [ledger_rows.entry(row, ends[row["id"]]) for row in rows]


def _take(
    envelopes: Iterator[tuple[str, dict[str, Any]]],
) -> dict[str, tuple[str, dict[str, Any]]]:
    """The next page of envelopes by transaction; empty at the end."""
    return {
        str(envelope.get("id", "")): (digest, envelope)
        for digest, envelope in itertools.islice(envelopes, _PAGE)
    }


def _record(connection: Connection, items: Sequence[_Keeping]) -> Sequence[None]:
    ledger_rows.write(connection, [(item.entry, item.now) for item in items], replace=True)
    outbox_store.add(connection, [row for item in items for row in item.outgoing])
    return [None] * len(items)


def _enter(connection: Connection, items: Sequence[_Keeping]) -> Sequence[None]:
    ledger_rows.write(connection, [(item.entry, item.now) for item in items], replace=False)
    return [None] * len(items)


def _keep(connection: Connection, items: Sequence[_Keeping]) -> Sequence[dict[str, int]]:
    ledger_rows.write(connection, [(item.entry, item.now) for item in items], replace=True)
    references = []
    for item in items:
        fresh = kept_copies.keep(connection, item.entry, item.holds, item.now)
        outbox_store.free(connection, item.entry.id, item.outgoing, bool(fresh))
        outbox_store.add(connection, item.outgoing)
        tickets.put(connection, item.entry, item.letters, item.now)
        references.append(fresh)
    return references


def _store_policies(connection: Connection, items: Sequence[dict[str, Any]]) -> Sequence[None]:
    connection.execute(ledger_rows.NEW_POLICY.into(connection), items)
    return [None] * len(items)
