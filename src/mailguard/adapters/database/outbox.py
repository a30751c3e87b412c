"""The outbox in the database: what waits to be sent, who is sending it, how it went.

Owns the rows of `outbox`, and of `recipients` what sending changes. Must not know SMTP, nor when
to try again: the outbox of the pipeline says so. Raw bytes are blobs, stored before the row.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, bindparam, func, or_, select, update

from mailguard.adapters.archive.blobs import Blobs
from mailguard.adapters.database.engine import Database
from mailguard.adapters.database.tables import outbox, recipients, transactions
from mailguard.adapters.database.upsert import Upsert
from mailguard.core.decision.plan import State
from mailguard.pipeline.counters import NoticeAllowance
from mailguard.pipeline.ports import AllowanceGone, NoticeWindow, Outgoing

_SERVING = ("relay", "release")  # kinds whose recipients are the ledger's
_RELEVANT = (State.QUEUED.value, State.HELD.value, State.QUARANTINED.value)


@dataclass(frozen=True, slots=True)
class OutboxEntry:
    """One message of the outbox, without its bytes: `Blobs.fetch(digest)` has them."""

    id: int
    kind: str
    transaction_id: str
    reverse_path: str
    recipients: tuple[str, ...]  # those still to be served
    digest: str
    body: str
    smtputf8: bool
    state: str  # "waiting", "sent", "failed", "withdrawn"
    attempts: int  # this one included, where leased
    next_attempt_at: float
    created_at: float
    last_reply: str
    serves: str = ""  # the envelope's recipient, where its copy goes to another mailbox


@dataclass(frozen=True, slots=True)
class _Lease:
    holder: str
    now: float
    seconds: float
    limit: int


@dataclass(frozen=True, slots=True)
class _Renewal:
    holder: str
    entries: tuple[int, ...]
    until: float


@dataclass(frozen=True, slots=True)
class _Outcome:
    id: int
    state: str
    reply: str
    now: float
    at: float | None = None
    remaining: tuple[str, ...] = ()
    refused: frozenset[str] = frozenset()
    served: frozenset[str] = frozenset()  # where the rest is given up
    rows: tuple[dict[str, Any], ...] = ()


class OutboxStore:
    """Every writing method is durable when it returns, in one commit, and raises StoreError; those
    that take `outgoing` raise AllowanceGone."""

    def __init__(
        self, database: Database, archive: Blobs, notices: NoticeWindow | None = None
    ) -> None:
        self._database = database
        self._archive = archive
        self._notices = NoticeAllowance() if notices is None else notices

    @contextmanager
    def spending(self, outgoing: Iterable[Outgoing]) -> Iterator[None]:
        """Around the commit that carries this mail: what it spends is taken, and refunded where
        nothing was written. Raises AllowanceGone before anything is."""
        spends = {one.spends for one in outgoing if one.spends is not None}
        if not self._notices.take(spends):
            raise AllowanceGone
        try:
            yield
        except Exception:  # a commit that is not awaited to its end may well have been made
            self._notices.refund(spends)
            raise

    async def prepare(self, outgoing: Sequence[Outgoing], now: float) -> tuple[dict[str, Any], ...]:
        """Make the bytes durable; the rows that `add` takes within somebody's commit."""
        return tuple([_row(one, await self._archive.store(one.raw, None), now) for one in outgoing])

    async def put(self, outgoing: Sequence[Outgoing], now: float) -> None:
        """Put messages into the outbox by themselves; known keys are left as they are."""
        with self.spending(outgoing):
            await self._database.commit(_put, await self.prepare(outgoing, now))

    async def lease(
        self, holder: str, now: float, seconds: float, limit: int
    ) -> Sequence[OutboxEntry]:
        """Take up to `limit` entries that are due, for so many seconds: no other holder gets them
        before that. Each lease counts as an attempt, so what crashes us shows."""
        return await self._database.commit(_lease, _Lease(holder, now, seconds, limit))

    async def renew(self, holder: str, entries: Sequence[int], until: float) -> None:
        """Keep leases that are still the holder's until then."""
        await self._database.commit(_renew, _Renewal(holder, tuple(entries), until))

    async def sent(self, entry: int, reply: str, now: float, refused: Iterable[str] = ()) -> None:
        """The next hop took it for every recipient left, but for those it refused for good."""
        await self._database.commit(
            _settle, _Outcome(entry, "sent", reply, now, refused=frozenset(refused))
        )

    async def retry(
        self,
        entry: int,
        at: float,
        reply: str,
        remaining: Sequence[str],
        now: float,
        refused: Iterable[str] = (),
    ) -> None:
        """Try again for `remaining` at that time; the others were taken, or refused for good."""
        outcome = _Outcome(
            entry, "waiting", reply, now, at, tuple(remaining), refused=frozenset(refused)
        )
        await self._database.commit(_settle, outcome)

    async def failed(
        self,
        entry: int,
        reply: str,
        now: float,
        outgoing: Sequence[Outgoing] = (),
        served: Iterable[str] = (),
    ) -> None:
        """Given up for every recipient left but those `served` in this last try; `outgoing` tells
        the sender, in the same commit."""
        with self.spending(outgoing):
            rows = await self.prepare(outgoing, now)
            outcome = _Outcome(entry, "failed", reply, now, served=frozenset(served), rows=rows)
            await self._database.commit(_settle, outcome)

    async def find(self, entry: int) -> OutboxEntry | None:
        wanted = select(outbox).where(outbox.c.id == entry)
        row = await self._database.query(lambda c: c.execute(wanted).mappings().first())
        return None if row is None else _entry(row)

    async def counts(self) -> dict[tuple[str, str], int]:
        """How many entries there are, by kind and state."""
        kinds = select(outbox.c.kind, outbox.c.state, func.count()).group_by(
            outbox.c.kind, outbox.c.state
        )
        rows = await self._database.query(lambda c: c.execute(kinds).all())
        return {(kind, state): number for kind, state, number in rows}

    async def oldest(self) -> float | None:
        """When the oldest entry that waits was made; None when nothing waits."""
        oldest = select(func.min(outbox.c.created_at)).where(outbox.c.state == "waiting")
        found: float | None = await self._database.query(lambda c: c.execute(oldest).scalar())
        return found


def leaving(connection: Connection, transaction_id: str, now: float) -> list[OutboxEntry]:
    """Copies of a transaction that wait here, and that nobody is sending at this moment."""
    wanted = select(outbox).where(
        outbox.c.transaction_id == transaction_id,
        outbox.c.kind.in_(_SERVING),
        outbox.c.state == "waiting",
        or_(outbox.c.lease_holder == "", outbox.c.lease_until <= now),
    )
    return [_entry(row) for row in connection.execute(wanted.order_by(outbox.c.id)).mappings()]


def withdraw(connection: Connection, entries: Sequence[int], now: float) -> bool:
    """Take copies back that wait here (R21); whether all of them still could be. Their recipients'
    copies end as discarded."""
    waiting = (
        outbox.c.id.in_(entries),
        outbox.c.kind.in_(_SERVING),
        outbox.c.state == "waiting",
        or_(outbox.c.lease_holder == "", outbox.c.lease_until <= now),
    )
    rows = connection.execute(select(outbox).where(*waiting).with_for_update()).mappings().all()
    if len(rows) != len(set(entries)):
        return False
    connection.execute(update(outbox).where(outbox.c.id.in_(entries)).values(state="withdrawn"))
    for row in rows:
        ends = {row["serves"] or r: State.DISCARDED for r in row["recipients"]}
        settle_recipients(connection, row["transaction_id"], ends, now)
    return True


def free(
    connection: Connection, transaction_id: str, rows: Sequence[dict[str, Any]], fresh: bool
) -> None:
    """Let keys go that an earlier transaction has and a new message needs. A retry finds its mail
    by its key; but where the earlier client was answered 2xx this is no retry, so its sender is
    told again. `fresh`: something is kept anew, so spammail@ gets its copy."""
    keys = {row["key"] for row in rows if row["kind"] == "notice"}
    copies = {row["key"] for row in rows if row["kind"] == "copy" and fresh}
    if not keys | copies:
        return
    answered = select(transactions.c.id).where(transactions.c.reply.like("2%"))
    old = select(outbox.c.id, outbox.c.key).where(
        outbox.c.transaction_id != transaction_id,
        or_(
            outbox.c.key.in_(copies),
            outbox.c.key.in_(keys) & outbox.c.transaction_id.in_(answered),
        ),
    )
    for number, key in connection.execute(old).all():
        renamed = update(outbox).where(outbox.c.id == number).values(key=f"{key}|{number}")
        connection.execute(renamed)


def add(connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
    """Add rows of `OutboxStore.prepare`; those with a known key are left as they are."""
    if rows:
        connection.execute(_ROW.into(connection), rows)


_ROW = Upsert(outbox, "key")


def _row(outgoing: Outgoing, digest: str, now: float) -> dict[str, Any]:
    key = hashlib.sha256(outgoing.key.encode("utf-8", "surrogatepass")).hexdigest()
    return {
        "key": key,
        "kind": outgoing.kind,
        "transaction_id": outgoing.transaction_id,
        "reverse_path": outgoing.reverse_path,
        "recipients": list(outgoing.recipients),
        "digest": digest,
        "body": outgoing.body,
        "smtputf8": outgoing.smtputf8,
        "state": "waiting",
        "attempts": 0,
        "next_attempt_at": now,
        "created_at": now,
        "lease_until": 0.0,
        "lease_holder": "",
        "last_reply": "",
        "serves": outgoing.serves,
    }


def _put(connection: Connection, items: Sequence[tuple[dict[str, Any], ...]]) -> Sequence[None]:
    add(connection, [row for rows in items for row in rows])
    return [None] * len(items)


def _lease(connection: Connection, items: Sequence[_Lease]) -> Sequence[list[OutboxEntry]]:
    return [_lease_one(connection, item) for item in items]


def _lease_one(connection: Connection, item: _Lease) -> list[OutboxEntry]:
    due = (
        select(outbox.c.id)
        .where(
            outbox.c.state == "waiting",
            outbox.c.next_attempt_at <= item.now,
            or_(outbox.c.lease_holder == "", outbox.c.lease_until <= item.now),
        )
        .order_by(outbox.c.next_attempt_at, outbox.c.id)
        .limit(item.limit)
        # SQLite has one writer and leaves this out.
        .with_for_update(skip_locked=True)
    )
    chosen = list(connection.execute(due).scalars())
    if not chosen:
        return []
    taken = (
        update(outbox)
        .where(outbox.c.id.in_(chosen))
        .values(
            lease_holder=item.holder,
            lease_until=item.now + item.seconds,
            attempts=outbox.c.attempts + 1,
        )
    )
    connection.execute(taken)
    rows = connection.execute(select(outbox).where(outbox.c.id.in_(chosen))).mappings()
    order = {number: place for place, number in enumerate(chosen)}
    return sorted((_entry(row) for row in rows), key=lambda entry: order[entry.id])


def _renew(connection: Connection, items: Sequence[_Renewal]) -> Sequence[None]:
    for item in items:
        theirs = outbox.c.id.in_(item.entries) & (outbox.c.lease_holder == item.holder)
        connection.execute(update(outbox).where(theirs).values(lease_until=item.until))
    return [None] * len(items)


def _settle(connection: Connection, items: Sequence[_Outcome]) -> Sequence[None]:
    for item in items:
        _settle_one(connection, item)
    return [None] * len(items)


def _settle_one(connection: Connection, item: _Outcome) -> None:
    row = (
        connection.execute(select(outbox).where(outbox.c.id == item.id).with_for_update())
        .mappings()
        .first()
    )
    # Somebody whose lease ran out may report late: what is settled stays so.
    if row is None or row["state"] != "waiting":
        return
    left = item.remaining if item.state == "waiting" else ()
    values: dict[str, Any] = {
        "state": item.state,
        "last_reply": item.reply,
        "lease_holder": "",
        "lease_until": 0.0,
    }
    if item.state == "waiting":
        values |= {"next_attempt_at": item.at, "recipients": list(left)}
    connection.execute(update(outbox).where(outbox.c.id == item.id).values(values))
    add(connection, item.rows)
    if row["kind"] in _SERVING and row["transaction_id"]:
        ends = {
            row["serves"] or recipient: State.REFUSED
            if recipient in item.refused
            or (item.state == "failed" and recipient not in item.served)
            else (State.RELEASED if row["kind"] == "release" else State.FORWARDED)
            for recipient in row["recipients"]
            if recipient not in left
        }
        settle_recipients(connection, row["transaction_id"], ends, item.now)


_settle_recipient = (
    update(recipients)
    .where(
        recipients.c.transaction_id == bindparam("of"),
        recipients.c.recipient == bindparam("whose"),
        # Not in_(): SQLAlchemy expands that for one execution only, and this runs for many rows.
        or_(*(recipients.c.state == state for state in _RELEVANT)),
    )
    .values(state=bindparam("now_in"), updated_at=bindparam("at"), settled_later=True)
)


def settle_recipients(
    connection: Connection, transaction_id: str, ends: dict[str, State], now: float
) -> None:
    """Give copies that wait their end state; `Ledger.record` leaves them so."""
    rows = [
        {"of": transaction_id, "whose": recipient, "now_in": state.value, "at": now}
        for recipient, state in ends.items()
    ]
    if rows:
        connection.execute(_settle_recipient, rows)


def _entry(row: Any) -> OutboxEntry:
    fields = {name: row[name] for name in OutboxEntry.__slots__}
    return OutboxEntry(**fields | {"recipients": tuple(row["recipients"])})
