"""What commands may say to a ticket, by the same engine as letters and pages.

Owns in whose name, and which tickets a command finds. Must not know any workflow, nor how arguments
are read or shown.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic

from mailguard.casework.engine import Engine, Trigger
from mailguard.casework.refusal import CommandRefused
from mailguard.casework.tickets import Ticket
from mailguard.casework.workflow import Change, Move, S, Work, Workflow
from mailguard.core.people.directory import Directory
from mailguard.core.people.model import Person


def person_named(directory: Directory, named: str) -> Person | None:
    """A person by id or by any address."""
    return directory.people.get(named) or directory.person_at(named)


def operator_named(directory: Directory, named: str) -> Person | None:
    """The person who types, by id, address or login."""
    account = directory.account_for(named)
    owner = directory.people.get(account.owner or "") if account is not None else None
    return owner or person_named(directory, named)


@dataclass(frozen=True)
class Console(Generic[S]):
    """Every method raises CommandRefused, Conflict, NewerFormat or StoreError; else it was done."""

    workflow: Workflow[S]
    operator: str  # who types: a login or a name

    @property
    def by(self) -> str:
        return f"console: {self.operator}"

    @property
    def engine(self) -> Engine[S]:
        return Engine(self.workflow)

    @property
    def work(self) -> Work:
        return self.workflow.work

    def now(self) -> float:
        return self.work.desk.clock()

    async def one(self, number: int) -> tuple[Ticket, S]:
        """A ticket of the workflow, open or closed."""
        ticket = await self.work.tickets.load(number)
        if ticket is None or ticket.kind != self.workflow.kind:
            raise self.engine.unknown(number)
        _, state = self.engine.meet(ticket, Trigger.CONSOLE)
        if state is None:
            raise CommandRefused(f"nothing is to be said to {self.workflow.kind} {number}")
        return ticket, state

    async def carry_out(self, ticket: Ticket, change: Change[S], detail: str = "") -> None:
        """Commit it."""
        await self.engine.move(Move(ticket, change, self.now(), self.by, detail))
