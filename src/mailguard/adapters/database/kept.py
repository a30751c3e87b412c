"""Copies that are kept for a person, and what the person made of them.

Owns the rows of `holds`, written within the ledger's and the tickets' commits. Must not know who
reviews, nor how a release is sent.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, func, select, update

from mailguard.adapters.database import outbox, unblocked
from mailguard.adapters.database.tables import holds, matters, transactions
from mailguard.adapters.database.upsert import Upsert
from mailguard.casework.quarantine import DISCARDED, EXPIRED, RELEASED, AlreadyDecided
from mailguard.casework.tickets import KeptCopy, Listing
from mailguard.core.decision.plan import Hold, State
from mailguard.core.decision.verdict import Disposition
from mailguard.pipeline.ports import LedgerEntry


@dataclass(frozen=True, slots=True)
class Deciding:
    """What a person said of some holds, with the rows for the outbox that carry it out."""

    references: tuple[int, ...]
    state: str
    by: str
    outgoing: tuple[dict[str, Any], ...]
    now: float
    listings: tuple[Listing, ...] = ()  # for the unblocked list, in the same commit


@dataclass(frozen=True, slots=True)
class Expiring:
    """Which quarantined copies have waited long enough."""

    before: float  # made before this moment
    octets: int  # of the copies that may stay, the newest; 0 for any number
    limit: int  # copies at once
    now: float


def hold_key(digest: str, reverse_path: str, recipient: str) -> str:
    """What makes a hold the same one when a client comes back after a 451."""
    text = f"{digest}\0{reverse_path}\0{recipient}"
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def keep(
    connection: Connection, entry: LedgerEntry, kept: Sequence[Hold], now: float
) -> dict[str, int]:
    """Add what is not there yet; the new references by recipient. A known hold that waits moves to
    this transaction, since it is the one whose client is answered; see `_found_again`."""
    fresh = {}
    reverse_path = str(entry.envelope.get("reverse_path", ""))
    for hold in kept:
        key = hold_key(entry.digest, reverse_path, hold.recipient)
        row = {
            "hold_key": key,
            "transaction_id": entry.id,
            "digest": entry.digest,
            "reverse_path": reverse_path,
            "recipient": hold.recipient,
            "disposition": int(hold.disposition),
            "reason": hold.reason,
            "evidence": hold.evidence,
            "state": "waiting",
            "created_at": now,
        }
        insert = _HOLD.into(connection)
        reference = connection.execute(insert, row).scalar()
        if reference is None and not _found_again(connection, entry.id, row, now):
            reference = connection.execute(insert, row).scalar()
        if reference is not None:
            fresh[hold.recipient] = int(reference)
    return fresh


def _found_again(
    connection: Connection, transaction_id: str, row: dict[str, Any], now: float
) -> bool:
    """Whether the hold with this key stands for this message too: while it waits, and when a
    retry finds it decided. Else its client was answered and this is another message, which the
    decision does not concern: the key is let go."""
    same = holds.c.hold_key == row["hold_key"]
    wanted = select(holds.c.id, holds.c.state, transactions.c.id, transactions.c.reply)
    wanted = wanted.join(transactions, transactions.c.id == holds.c.transaction_id).where(same)
    number, state, earlier, reply = connection.execute(wanted.with_for_update(of=holds)).one()
    if state == "waiting":
        connection.execute(update(holds).where(same).values(transaction_id=transaction_id))
        return True
    if earlier != transaction_id and reply[:1] in ("2", "5"):
        connection.execute(update(holds).where(same).values(hold_key=f"{row['hold_key']}|{number}"))
        return False
    end = _ENDS[state]
    outbox.settle_recipients(connection, transaction_id, {row["recipient"]: end}, now)
    return True


def decide(connection: Connection, items: Sequence[Deciding]) -> Sequence[None]:
    for item in items:
        wanted = select(holds).where(holds.c.id.in_(item.references), holds.c.state == "waiting")
        rows = connection.execute(wanted.with_for_update()).mappings().all()
        missing = set(item.references) - {row["id"] for row in rows}
        if missing:
            raise AlreadyDecided(sorted(missing))
        connection.execute(
            update(holds)
            .where(holds.c.id.in_(item.references))
            .values(state=item.state, decided_at=item.now, decided_by=item.by)
        )
        becomes = State.QUEUED if item.state == RELEASED else State.DISCARDED
        for row in rows:
            outbox.settle_recipients(
                connection, row["transaction_id"], {row["recipient"]: becomes}, item.now
            )
        outbox.add(connection, item.outgoing)
        if item.listings:
            unblocked.enter(connection, item.listings)
    return [None] * len(items)


def expire(connection: Connection, items: Sequence[Expiring]) -> Sequence[int]:
    """End the wait of quarantined copies that no ticket in progress needs: those from before a
    moment, and the oldest beyond a number of octets. How many."""
    return [_expire_one(connection, item) for item in items]


def _expire_one(connection: Connection, item: Expiring) -> int:
    in_progress = select(matters.c.id).where(matters.c.closed_at.is_(None))
    free = (
        select(
            holds.c.id,
            holds.c.transaction_id,
            holds.c.recipient,
            holds.c.created_at,
            func.sum(transactions.c.size).over(order_by=holds.c.id.desc()).label("octets"),
        )
        .join(transactions, transactions.c.id == holds.c.transaction_id)
        .where(
            holds.c.state == "waiting",
            holds.c.disposition == int(Disposition.QUARANTINE),
            holds.c.matter_id.is_(None) | holds.c.matter_id.not_in(in_progress),
        )
        .subquery()
    )
    over = free.c.created_at < item.before
    if item.octets:  # the newest stay as long as there is room
        over |= free.c.octets > item.octets
    rows = connection.execute(select(free).where(over).order_by(free.c.id).limit(item.limit)).all()
    for row in rows:
        connection.execute(
            update(holds)
            .where(holds.c.id == row.id)
            .values(state=EXPIRED, decided_at=item.now, decided_by="retention")
        )
        ends = {row.recipient: State.EXPIRED}
        outbox.settle_recipients(connection, row.transaction_id, ends, item.now)
    return len(rows)


_ENDS = {RELEASED: State.RELEASED, DISCARDED: State.DISCARDED, EXPIRED: State.EXPIRED}


_HOLD = Upsert(holds, "hold_key", returning=holds.c.id)


def from_row(row: Any) -> KeptCopy:
    """A row of `holds` as a value."""
    fields = {name: row[name] for name in KeptCopy.__slots__}
    return KeptCopy(**fields | {"disposition": Disposition(row["disposition"])})
