"""Entries of the ledger as rows, and back.

Owns how a LedgerEntry stands in `transactions` and `recipients`. Must not know when one is written.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, select

from mailguard.adapters.database.tables import policies, recipients, transactions
from mailguard.adapters.database.upsert import Upsert, all_but, replacing
from mailguard.core.decision.plan import State
from mailguard.core.decision.verdict import Disposition
from mailguard.pipeline.ports import LedgerEntry

SHORT = [column for column in transactions.c if column.name not in ("facts", "decision")]


_OF_RECIPIENT = ("transaction_id", "position")
_TRANSACTION = Upsert(transactions, "id", change=replacing(*all_but(transactions, "id")))
_RECIPIENT = Upsert(
    recipients,
    *_OF_RECIPIENT,
    change=replacing("recipient", "disposition", "state", "reason", "updated_at"),
    where=~recipients.c.settled_later,
)
_NEW_TRANSACTION = Upsert(transactions, "id")
_NEW_RECIPIENT = Upsert(recipients, *_OF_RECIPIENT)
NEW_POLICY = Upsert(policies, "digest")


def write(
    connection: Connection, items: Sequence[tuple[LedgerEntry, float]], replace: bool
) -> None:
    """Write entries, each with the time of writing; `replace` what stands there, or leave it."""
    rows = [_transaction_row(entry, now) for entry, now in items]
    ends = [row for entry, now in items for row in _recipient_rows(entry, now)]
    transaction = _TRANSACTION if replace else _NEW_TRANSACTION
    recipient = _RECIPIENT if replace else _NEW_RECIPIENT
    connection.execute(transaction.into(connection), rows)
    if ends:
        connection.execute(recipient.into(connection), ends)


def _transaction_row(entry: LedgerEntry, now: float) -> dict[str, Any]:
    return {
        "id": entry.id,
        "received_at": entry.received_at,
        "listener": entry.listener,
        "digest": entry.digest,
        "size": entry.size,
        "reverse_path": str(entry.envelope.get("reverse_path", "")),
        "envelope": dict(entry.envelope),
        "subject": entry.subject,
        "message_id": entry.message_id,
        "facts": entry.facts,
        "decision": entry.decision,
        "policy_digest": entry.policy_digest,
        "reply": entry.reply,
        "recorded_at": now,
    }


def _recipient_rows(entry: LedgerEntry, now: float) -> Iterator[dict[str, Any]]:
    # By the envelope, not by the mapping's order: `keep` and `record` must mean the same row.
    places = {one: place for place, one in enumerate(entry.envelope.get("recipients") or ())}
    others = len(places)
    for recipient, (disposition, state, reason) in entry.recipients.items():
        place = places.get(recipient)
        if place is None:
            place, others = others, others + 1
        yield {
            "transaction_id": entry.id,
            "position": place,
            "recipient": recipient,
            "disposition": int(disposition),
            "state": state.value,
            "reason": reason,
            "updated_at": now,
            "settled_later": False,
        }


def ends(
    connection: Connection, ids: Sequence[str]
) -> dict[str, dict[str, tuple[Disposition, State, str]]]:
    """Each recipient's disposition, state and reason, by transaction."""
    found: dict[str, dict[str, tuple[Disposition, State, str]]] = {one: {} for one in ids}
    wanted = (
        select(recipients)
        .where(recipients.c.transaction_id.in_(ids))
        .order_by(recipients.c.transaction_id, recipients.c.position)
    )
    for row in connection.execute(wanted).mappings() if ids else ():
        end = (Disposition(row["disposition"]), State(row["state"]), row["reason"])
        found[row["transaction_id"]][row["recipient"]] = end
    return found


def entry(row: Any, recipients_: Mapping[str, tuple[Disposition, State, str]]) -> LedgerEntry:
    """A row as a value; facts and decision only where it has them."""
    return LedgerEntry(
        **{column.name: row[column.name] for column in SHORT if column.name not in _OWN},
        facts=row.get("facts", b""),
        decision=row.get("decision", b""),
        recipients=recipients_,
    )


_OWN = ("reverse_path", "recorded_at")  # columns that an entry has not: in its envelope, or none
