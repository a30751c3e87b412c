"""Which recipients a message went on to, by its Message-ID: what a reply to all is judged by."""

from __future__ import annotations

from dataclasses import replace

from tests.support.entries import entry

from mailguard.adapters.database.ledger import DatabaseLedger
from mailguard.core.decision.plan import State
from mailguard.core.decision.verdict import Disposition

ENDS = {
    "All-Oak@Example.org": (Disposition.FORWARD, State.FORWARDED, ""),
    "late@example.org": (Disposition.FORWARD, State.QUEUED, ""),
    "freed@example.org": (Disposition.HOLD, State.RELEASED, ""),
    "held@example.org": (Disposition.HOLD, State.HELD, "group-rights.needs-approval"),
    "refused@example.org": (Disposition.BOUNCE, State.REFUSED, "group-rights.outside"),
    "kept@example.org": (Disposition.QUARANTINE, State.QUARANTINED, "spam.blocked"),
}


async def test_only_what_went_on_counts(ledger: DatabaseLedger) -> None:
    recipients = list(ENDS)
    first = entry(1, envelope={"reverse_path": "a@example.org", "recipients": recipients})
    await ledger.record(replace(first, recipients=ENDS))
    await ledger.record(entry(2, message_id="<2@example.org>"))
    assert await ledger.groups_reached("<1@example.org>") == {
        "all-oak@example.org",
        "late@example.org",
        "freed@example.org",
    }
    assert await ledger.groups_reached("<2@example.org>") == {"bob@district.test"}
    assert await ledger.groups_reached("<3@example.org>") == frozenset()
    assert await ledger.groups_reached("\udcff") == frozenset()


async def test_the_longest_message_id_can_be_stored(ledger: DatabaseLedger) -> None:
    """It has an index, and PostgreSQL indexes at most 2,704 octets."""
    longest = "".join(chr(0x1F300 + n % 250) for n in range(500))
    await ledger.record(entry(1, message_id=longest))
    assert await ledger.groups_reached(longest) == {"bob@district.test"}
