"""What the ledger keeps of a message: an entry, a copy held, a notice."""

from __future__ import annotations

import dataclasses

from mailguard.core.decision.plan import Hold, State
from mailguard.core.decision.verdict import Disposition
from mailguard.pipeline.ports import LedgerEntry, Outgoing

ALICE, BOB = "alice@district.test", "bob@district.test"
HELD = Hold(ALICE, Disposition.QUARANTINE, "spam.blocked", "scored 9")
NOTICE = Outgoing("notice|1", "notice", "", ("sender@example.org",), b"a notice")


def entry(number: int = 1, reply: str = "250 2.0.0 Ok", **changes: object) -> LedgerEntry:
    made = LedgerEntry(
        id=f"{number:026}",
        received_at=1_000.0 + number,
        listener="mx",
        digest=f"{number:064x}",
        size=12,
        envelope={"reverse_path": "sender@example.org", "recipients": [ALICE, BOB]},
        subject="hello",
        message_id="<1@example.org>",
        facts=b'{"now":1}' * 20,
        decision=b"{}",
        policy_digest="p1",
        reply=reply,
        recipients={
            ALICE: (Disposition.QUARANTINE, State.QUARANTINED, "spam.blocked"),
            BOB: (Disposition.FORWARD, State.FORWARDED, ""),
        },
    )
    return dataclasses.replace(made, **changes)  # type: ignore[arg-type]
