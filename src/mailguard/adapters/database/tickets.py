"""Tickets, their history and the letters to our desks, in the database.

Owns the rows of `matters`, `happenings` and `letters`, and the one commit of an update. Must not
know what any workflow means. Holds, outbox and list write their own rows within
that commit, but for the ticket that a hold hangs on.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    exists,
    func,
    insert,
    literal,
    or_,
    select,
    true,
    tuple_,
    update,
)

from mailguard.adapters.database import kept as kept_copies
from mailguard.adapters.database import outbox as outbox_store
from mailguard.adapters.database import unblocked
from mailguard.adapters.database.engine import Database
from mailguard.adapters.database.outbox import OutboxStore
from mailguard.adapters.database.tables import happenings, holds, letters, matters, transactions
from mailguard.adapters.database.upsert import Upsert
from mailguard.casework.quarantine import DISCARDED, RELEASED, AlreadyDecided
from mailguard.casework.tickets import (
    AtHand,
    Conflict,
    KeptCopy,
    Ticket,
    TicketEvent,
    TicketUpdate,
    UnreadMail,
)
from mailguard.core.decision.plan import InboundMail
from mailguard.core.decision.verdict import Disposition
from mailguard.pipeline.ports import Clock, LedgerEntry, Outgoing

_DETAIL = 2_000  # characters of a line of history
_TICKET = [matters.c[f.name] for f in fields(Ticket)]
_NEW_TICKET, _NEW_LETTER = Upsert(matters, "key"), Upsert(letters, "key")
_HOLD = [holds.c[f.name] for f in fields(KeptCopy)]


_THEIRS = exists().where(holds.c.matter_id == matters.c.id)
_OVERTAKEN = (
    matters.c.closed_at.is_(None),
    _THEIRS,
    ~_THEIRS.where(holds.c.state == "waiting"),
)


def _free(disposition: Disposition) -> tuple[ColumnElement[bool], ...]:
    """Copies that hang on no ticket."""
    return (
        holds.c.state == "waiting",
        holds.c.matter_id.is_(None),
        holds.c.disposition == int(disposition),
    )


@dataclass(frozen=True, slots=True)
class _Step:
    step: TicketUpdate
    rows: tuple[dict[str, Any], ...]  # for the outbox, their bytes durable
    now: float


@dataclass(frozen=True, slots=True)
class _Settling:
    letter: int
    outcome: str
    rows: tuple[dict[str, Any], ...]
    now: float


class TicketStore:
    """The Tickets port, and the Letters that the inbox reads."""

    def __init__(self, database: Database, outbox: OutboxStore, clock: Clock) -> None:
        self._database = database
        self._outbox = outbox
        self._clock = clock

    async def new(self, kind: str, key: str, now: float) -> Ticket:
        return await self._database.commit(_new, (kind, f"{kind}|{key}", now))

    async def move(self, steps: Sequence[TicketUpdate]) -> None:
        now = self._clock()
        with self._outbox.spending(one for step in steps for one in step.outgoing):
            prepared = [
                _Step(step, await self._outbox.prepare(step.outgoing, now), now) for step in steps
            ]
            await self._database.commit(_move, tuple(prepared))

    async def settle(self, letter: int, outcome: str, outgoing: Sequence[Outgoing] = ()) -> None:
        now = self._clock()
        with self._outbox.spending(outgoing):
            rows = await self._outbox.prepare(outgoing, now)
            await self._database.commit(_settle, _Settling(letter, outcome, rows, now))

    async def waiting(self, limit: int) -> Sequence[UnreadMail]:
        unread = select(letters.c.id).where(letters.c.state == "waiting").limit(1)
        if not await self._database.query(lambda c: c.execute(unread).first()):
            return []  # most looks find nothing, and leave the writer alone
        return await self._database.commit(_take, limit)

    async def unread(self) -> tuple[int, float | None]:
        """How many letters nobody has read, and since when the oldest waits."""
        counted = select(func.count(), func.min(letters.c.created_at))
        wanted = counted.where(letters.c.state == "waiting")
        number, since = await self._database.query(lambda c: c.execute(wanted).one())
        return number, since

    async def load(self, ticket: int) -> Ticket | None:
        found = await self._tickets(select(*_TICKET).where(matters.c.id == ticket))
        return next(iter(found), None)

    async def find(
        self, kind: str, *, open_only: bool = True, limit: int | None = None
    ) -> Sequence[Ticket]:
        wanted = select(*_TICKET).where(matters.c.kind == kind, matters.c.version > 0)
        if open_only:
            wanted = wanted.where(matters.c.closed_at.is_(None))
        return await self._tickets(wanted.order_by(matters.c.id).limit(limit))

    async def at_hand(self, kinds: Sequence[str], now: float) -> AtHand:
        ours = matters.c.kind.in_(kinds)
        wanted = select(
            exists().where(letters.c.state == "waiting"),
            or_(
                exists().where(ours, matters.c.wakes_at <= now, matters.c.closed_at.is_(None)),
                exists().where(ours, *_OVERTAKEN),
            ),
            exists().where(*_free(Disposition.HOLD)),
        )
        return await self._database.query(lambda c: AtHand(*map(bool, c.execute(wanted).one())))

    async def due(
        self, kind: str, now: float, limit: int = 100, after: Ticket | None = None
    ) -> Sequence[Ticket]:
        wanted = select(*_TICKET).where(
            matters.c.kind == kind, matters.c.wakes_at <= now, matters.c.closed_at.is_(None)
        )
        if after is not None:
            behind = tuple_(matters.c.wakes_at, matters.c.id)
            wanted = wanted.where(behind > tuple_(literal(after.wakes_at), literal(after.id)))
        return await self._tickets(wanted.order_by(matters.c.wakes_at, matters.c.id).limit(limit))

    async def history(self, ticket: int) -> Sequence[TicketEvent]:
        wanted = select(*(happenings.c[f.name] for f in fields(TicketEvent)))
        wanted = wanted.where(happenings.c.matter_id == ticket).order_by(happenings.c.id)
        return await self._database.query(
            lambda c: [TicketEvent(**row) for row in c.execute(wanted).mappings()]
        )

    async def holds_of(self, ticket: int) -> Sequence[KeptCopy]:
        return await self._holds(
            select(*_HOLD).where(holds.c.matter_id == ticket).order_by(holds.c.id)
        )

    async def overtaken(
        self, kind: str, limit: int | None = None, after: Ticket | None = None
    ) -> Sequence[Ticket]:
        wanted = select(*_TICKET).where(
            matters.c.kind == kind,
            *_OVERTAKEN,
            matters.c.id > (after.id if after is not None else 0),
        )
        return await self._tickets(wanted.order_by(matters.c.id).limit(limit))

    async def leaving(self, transaction_id: str) -> Sequence[tuple[int, tuple[str, ...]]]:
        now = self._clock()
        found = await self._database.query(lambda c: outbox_store.leaving(c, transaction_id, now))
        return [(e.id, (e.serves,) if e.serves else e.recipients) for e in found]

    async def tickets_of(self, transaction_id: str) -> Sequence[int]:
        wanted = select(holds.c.matter_id).where(
            holds.c.transaction_id == transaction_id, holds.c.matter_id.is_not(None)
        )
        return await self._database.query(lambda c: c.execute(wanted.distinct()).scalars().all())

    async def sent_as(self, message_id: str, since: float) -> Sequence[str]:
        wanted = select(transactions.c.id).where(
            transactions.c.message_id == message_id, transactions.c.received_at >= since
        )
        newest = wanted.order_by(transactions.c.id.desc()).limit(50)
        return await self._database.query(lambda c: c.execute(newest).scalars().all())

    async def unclaimed(
        self, disposition: Disposition, limit: int = 100, after: int = 0
    ) -> Sequence[KeptCopy]:
        free, first = _free(disposition), func.min(holds.c.id)
        messages = select(holds.c.digest).where(*free).group_by(holds.c.digest)
        oldest = messages.having(first > after).order_by(first).limit(limit).subquery()
        wanted = select(*_HOLD).where(*free, holds.c.digest.in_(select(oldest.c.digest)))
        return await self._holds(wanted.order_by(holds.c.id))

    async def kept(
        self,
        *,
        message_id: str = "",
        digest: str = "",
        sender: str = "",
        recipient: str = "",
        since: float = 0.0,
        limit: int = 100,
    ) -> Sequence[tuple[KeptCopy, Mapping[str, Any]]]:
        told = (transactions.c.subject, transactions.c.message_id, transactions.c.received_at)
        wanted = select(*_HOLD, *told).join(
            transactions, transactions.c.id == holds.c.transaction_id
        )
        wanted = wanted.where(
            holds.c.state == "waiting",
            holds.c.disposition == int(Disposition.QUARANTINE),
            holds.c.created_at >= since,
        )
        given = (
            (transactions.c.message_id, message_id),
            (holds.c.digest, digest),
            (holds.c.reverse_path, sender),
            (holds.c.recipient, recipient),
        )
        for column, value in given:
            if value:
                wanted = wanted.where(column == value)
        newest = wanted.order_by(holds.c.id.desc()).limit(limit)
        return await self._database.query(
            lambda c: [
                (kept_copies.from_row(row), {column.name: row[column.name] for column in told})
                for row in c.execute(newest).mappings()
            ]
        )

    async def hold(self, number: int) -> KeptCopy | None:
        return next(iter(await self._holds(select(*_HOLD).where(holds.c.id == number))), None)

    async def _tickets(self, wanted: Select[Any]) -> list[Ticket]:
        return await self._database.query(
            lambda c: [Ticket(**row) for row in c.execute(wanted).mappings()]
        )

    async def _holds(self, wanted: Select[Any]) -> list[KeptCopy]:
        return await self._database.query(
            lambda c: [kept_copies.from_row(row) for row in c.execute(wanted).mappings()]
        )


def put(
    connection: Connection, entry: LedgerEntry, arrived: Sequence[InboundMail], now: float
) -> None:
    """Add letters within the ledger's commit. One that a client brings again is known by what
    makes a hold the same one, and is not read twice."""
    reverse_path = str(entry.envelope.get("reverse_path", ""))
    rows = [
        {
            "key": kept_copies.hold_key(entry.digest, reverse_path, letter.recipient),
            "desk": letter.desk,
            "transaction_id": entry.id,
            "recipient": letter.recipient,
            "state": "waiting",
            "attempts": 0,
            "created_at": now,
            "outcome": "",
        }
        for letter in arrived
    ]
    if rows:
        connection.execute(_NEW_LETTER.into(connection), rows)


def _new(connection: Connection, items: Sequence[tuple[str, str, float]]) -> Sequence[Ticket]:
    found = []
    for kind, key, now in items:
        hashed = hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
        row = {"kind": kind, "key": hashed, "version": 0, "status": "new", "state": b""}
        connection.execute(_NEW_TICKET.into(connection), row | {"opened_at": now})
        wanted = select(*_TICKET).where(matters.c.key == hashed)
        found.append(Ticket(**connection.execute(wanted).mappings().one()))
    return found


def _move(connection: Connection, items: Sequence[tuple[_Step, ...]]) -> Sequence[None]:
    for steps in items:
        for one in steps:
            _step(connection, one)
    return [None] * len(items)


def _step(connection: Connection, one: _Step) -> None:
    step, now = one.step, one.now
    moved = connection.execute(
        update(matters)
        .where(
            matters.c.id == step.ticket,
            matters.c.version == step.version,
            true() if step.closes else matters.c.closed_at.is_(None),
        )
        .values(
            version=step.version + 1,
            status=step.status,
            state=step.state,
            wakes_at=None if step.closes else step.wakes_at,
            closed_at=now if step.closes else None,
        )
    )
    if moved.rowcount != 1:
        raise Conflict(f"ticket {step.ticket} is not at version {step.version} any more")
    if step.letter is not None:
        _done(connection, step.letter, f"ticket {step.ticket}", now)
    if step.claims:
        _claim(connection, step)
    _decide(connection, step, now)
    if step.withdraws and not outbox_store.withdraw(connection, step.withdraws, now):
        raise Conflict(f"some of the copies {step.withdraws} have left the outbox")
    if step.listings:
        unblocked.enter(connection, step.listings)
    if step.history:
        connection.execute(
            insert(happenings),
            [
                {
                    "matter_id": step.ticket,
                    "at": line.at,
                    "by": line.by,
                    "what": line.what,
                    "detail": line.detail[:_DETAIL],
                }
                for line in step.history
            ],
        )
    outbox_store.add(connection, one.rows)


def _claim(connection: Connection, step: TicketUpdate) -> None:
    over = select(matters.c.id).where(matters.c.closed_at.is_not(None))
    claimed = connection.execute(
        update(holds)
        .where(
            holds.c.id.in_(step.claims),
            holds.c.state == "waiting",
            holds.c.matter_id.is_(None)
            | (holds.c.matter_id == step.ticket)
            | holds.c.matter_id.in_(over),  # it ended, and left the copy where it was
        )
        .values(matter_id=step.ticket)
    )
    if claimed.rowcount != len(set(step.claims)):
        raise Conflict(f"some of the holds {step.claims} hang on another ticket, or are decided")


def _decide(connection: Connection, step: TicketUpdate, now: float) -> None:
    ends = ((step.releases, RELEASED), (step.discards, DISCARDED))
    for references, state in ends:
        if references:
            deciding = kept_copies.Deciding(references, state, step.by, (), now)
            try:
                kept_copies.decide(connection, [deciding])
            except AlreadyDecided as decided:
                raise Conflict(f"holds {decided} are decided already") from decided


def _settle(connection: Connection, items: Sequence[_Settling]) -> Sequence[None]:
    for item in items:
        _done(connection, item.letter, item.outcome, item.now)
        outbox_store.add(connection, item.rows)
    return [None] * len(items)


def _done(connection: Connection, letter: int, outcome: str, now: float) -> None:
    settled = connection.execute(
        update(letters)
        .where(letters.c.id == letter, letters.c.state == "waiting")
        .values(state="done", outcome=outcome[:_DETAIL], done_at=now)
    )
    if settled.rowcount != 1:
        raise Conflict(f"letter {letter} was read before")


_FAILED = 5  # tries after which a letter waits behind the others


def _take(connection: Connection, items: Sequence[int]) -> Sequence[list[UnreadMail]]:
    names = [letters.c[f.name] for f in fields(UnreadMail)]
    taken = []
    for limit in items:
        wanted = select(*names).where(letters.c.state == "waiting")
        wanted = wanted.order_by(letters.c.attempts > _FAILED, letters.c.id)
        rows = connection.execute(wanted.limit(limit)).mappings().all()
        if rows:
            tried = update(letters).where(letters.c.id.in_([row["id"] for row in rows]))
            connection.execute(tried.values(attempts=letters.c.attempts + 1))
        taken.append([UnreadMail(**{**row, "attempts": row["attempts"] + 1}) for row in rows])
    return taken
