"""Grants as a workflow: nobody is asked, messages use them up, and the clock ends them (R18).

Owns which grants cover a message, and that the use of one is part of the commit that the message's
release is. Must not know what a grant is worth in an approval.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import partial
from typing import ClassVar
from zoneinfo import ZoneInfo

from mailguard.casework.beforehand import Beforehand
from mailguard.casework.grants.life import GRANT, PreApproval, covers, used
from mailguard.casework.stored_state import readable
from mailguard.casework.tickets import Ticket, TicketEvent, TicketUpdate
from mailguard.casework.workflow import Change, Outfit, Work, Workflow
from mailguard.core.people.model import Person


@dataclass(frozen=True)
class Grants(Workflow[PreApproval]):
    """Approvals given beforehand. Fulfils `beforehand.GivenBeforehand`."""

    work: Work

    kind: ClassVar[str] = "grant"
    desk: ClassVar[str] = ""
    listing: ClassVar[str] = "approvals grants"
    stored = GRANT

    @classmethod
    def made(cls, outfit: Outfit) -> Grants:
        return cls(outfit.work)

    async def covering(
        self,
        codes: Collection[str],
        grantable: Collection[str],
        person: Person | None,
        mailbox: str,
        recipients: Collection[str],
        today: date,
    ) -> Sequence[Beforehand]:
        """Those that cannot be read cover nothing, and hold up nobody."""
        found = readable(self.stored, await self.work.tickets.find(self.kind))
        return [
            Beforehand(
                *(ticket.id, grant.group, grant.last, grant.giver),
                *(grant.giver_name, grant.reference),
                partial(_use, ticket, grant),
            )
            for ticket, grant in found
            if covers(grant, codes, grantable, person, mailbox, recipients, today)
        ]

    def due(self, ticket: Ticket, state: PreApproval, now: float) -> Change[PreApproval]:
        """Its last day is over."""
        return Change(state, "expired", ("expired",), closes=True)

    def entered(self, grant: PreApproval) -> Change[PreApproval]:
        """A new one counts until the end of its last day."""
        zone = ZoneInfo(self.work.snapshot().district.time_zone)
        over = datetime.combine(grant.last + timedelta(days=1), time(), zone)
        return Change(grant, "open", ("granted",), wakes_at=over.timestamp())

    def revoked(self, grant: PreApproval) -> Change[PreApproval]:
        """What it has approved stays approved."""
        return Change(grant, "revoked", ("revoked",), closes=True)


def _use(ticket: Ticket, grant: PreApproval, approval: int, now: float) -> TicketUpdate:
    after = used(grant)
    line = TicketEvent(now, "mailguard", "used", f"approval {approval}; {after.left} left")
    return TicketUpdate(
        ticket.id,
        ticket.version,
        "open" if after.left else "used up",
        GRANT.dump(after),
        wakes_at=ticket.wakes_at,
        history=(line,),
        closes=not after.left,
    )
