"""Grants from the console: entered from a document, and revoked (R18).

Must not know how arguments are read or shown.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import date

from mailguard.casework.console import Console, person_named
from mailguard.casework.grants.handler import Grants
from mailguard.casework.grants.life import PreApproval
from mailguard.casework.refusal import CommandRefused
from mailguard.core.mail import address
from mailguard.core.people.model import Person
from mailguard.core.sender import directory_lookups


@dataclass(frozen=True)
class GrantConsole(Console[PreApproval]):
    """What may be said to grants."""

    workflow: Grants

    async def grant(
        self,
        *,
        sender: str,
        group: str,
        first: date | None,
        last: date,
        count: int,
        giver: Person,
        reference: str,
    ) -> int:
        """Enter an approval given beforehand; its number."""
        snapshot, now = self.work.snapshot(), self.now()
        today = directory_lookups.day_at(now, snapshot.district.time_zone)
        first = first or today
        person = person_named(snapshot.directory, sender)
        known = snapshot.directory.group_at(group)
        if known is None:
            raise CommandRefused(f"{group} is no group of the directory")
        if person is None and "@" not in sender:
            raise CommandRefused(f"{sender} is neither a person's id nor an address")
        if person is not None and person.id == giver.id:
            raise CommandRefused("nobody approves their own messages")
        if last < first or last < today:
            raise CommandRefused(f"a grant from {first} until {last} would never count")
        theirs = person.id if person is not None else address.normalise(sender)
        name = giver.name
        made = PreApproval(theirs, known.address, first, last, count, 0, giver.id, name, reference)
        ticket = await self.work.tickets.new(self.workflow.kind, secrets.token_hex(), now)
        line = f"{theirs} to {known.address} until {last}, {count}; {name}, {reference}"
        await self.carry_out(ticket, self.workflow.entered(made), line)
        return ticket.id

    async def revoke(self, number: int) -> None:
        """End a grant."""
        ticket, grant = await self.one(number)
        if ticket.closed_at is not None:
            raise CommandRefused(f"grant {number} has ended already: {ticket.status}")
        await self.carry_out(ticket, self.workflow.revoked(grant))
