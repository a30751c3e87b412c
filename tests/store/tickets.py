"""A message with two copies held, and a step of its ticket."""

from __future__ import annotations

import dataclasses

from mailguard.casework.tickets import Ticket, TicketEvent, TicketUpdate
from mailguard.core.decision.plan import Hold, InboundMail, State
from mailguard.core.decision.verdict import Disposition
from mailguard.pipeline.ports import LedgerEntry, Outgoing

ALICE, BOB, DESK = "alice@district.test", "bob@district.test", "approvals@district.test"
NOW = 5_000.0


def entry(number: int = 1, message_id: str = "<1@example.org>") -> LedgerEntry:
    return LedgerEntry(
        id=f"{number:026}",
        received_at=1_000.0 + number,
        listener="mx",
        digest=f"{number:064x}",
        size=12,
        envelope={"reverse_path": "sender@example.org", "recipients": [ALICE, BOB, DESK]},
        subject=f"hello {number}",
        message_id=message_id,
        facts=b"{}",
        decision=b"{}",
        policy_digest="p1",
        reply="250 2.0.0 Ok",
        recipients={
            ALICE: (Disposition.HOLD, State.HELD, "group-rights.needs-approval"),
            BOB: (Disposition.QUARANTINE, State.QUARANTINED, "spam.blocked"),
            DESK: (Disposition.FORWARD, State.TAKEN, ""),
        },
    )


HELD = Hold(ALICE, Disposition.HOLD, "group-rights.needs-approval", "not aligned")
SPAM = Hold(BOB, Disposition.QUARANTINE, "spam.blocked", "scored 9")
NOTICE = Outgoing("told|1", "notice", "", ("sender@example.org",), b"a notice")
LETTER = InboundMail(DESK, "approvals")


def step(ticket: Ticket, **changes: object) -> TicketUpdate:
    made = TicketUpdate(
        ticket.id,
        ticket.version,
        "waiting",
        b'{"seats":1}',
        wakes_at=NOW + 60,
        history=(TicketEvent(NOW, "mailguard", "opened", "x" * 5_000),),
    )
    return dataclasses.replace(made, **changes)  # type: ignore[arg-type]
