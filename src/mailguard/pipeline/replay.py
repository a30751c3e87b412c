"""A recorded transaction taken up again: for `explain`, releases and late notices.

Owns how a ledger entry and its blob become a judged message once more. No effects but reading.
Must not know why it is taken up.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mailguard.core.mail import mime
from mailguard.core.mail.transaction import Envelope, Listener, Role, Transaction
from mailguard.core.record.stored import facts_from_json
from mailguard.pipeline.judge import decided
from mailguard.pipeline.judged_message import JudgedMessage
from mailguard.pipeline.off_loop import off_loop_if_large, weight
from mailguard.pipeline.ports import LedgerEntry, OutboundTerms, Reader
from mailguard.pipeline.snapshot import Snapshot


@dataclass(frozen=True)
class Replaying:
    """What it takes to decide a recorded message again: nobody is asked anything."""

    reader: Reader
    terms: OutboundTerms


async def replay(
    entry: LedgerEntry, raw: bytes, snapshot: Snapshot, replaying: Replaying
) -> JudgedMessage:
    """Decide again from the stored facts: under the policy of then, the same decision.

    Raises NewerFormat when a newer version wrote the facts, or pydantic.ValidationError when they
    are damaged.
    """
    transaction = await off_loop_if_large(len(raw), transaction_of, entry, raw)
    reading = await replaying.reader.read(transaction.message)
    size = max(weight(transaction), len(entry.facts))
    facts = await off_loop_if_large(size, facts_from_json, entry.facts, reading, snapshot.link_keys)
    terms, digest = replaying.terms, entry.digest
    return await off_loop_if_large(size, decided, transaction, snapshot, terms, facts, digest)


def transaction_of(entry: LedgerEntry, raw: bytes) -> Transaction:
    """The Transaction as it was when it arrived."""
    said = entry.envelope
    return Transaction(
        id=entry.id,
        received_at=entry.received_at,
        listener=Listener(entry.listener, Role(said["role"])),
        envelope=envelope_of(said),
        message=mime.parse(raw),
    )


def envelope_of(said: Mapping[str, Any]) -> Envelope:
    """The inverse of `ports.envelope_json`."""
    names = Envelope.__dataclass_fields__
    values = {name: said[name] for name in names if name in said}
    return Envelope(**{**values, "recipients": tuple(said["recipients"])})
