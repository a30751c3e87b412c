"""Approvals from the console: decisions, paper and stops, by the same steps (R18, R21).

Nobody approves their own message here either. Must not know how arguments are read or shown.
"""

from __future__ import annotations

from dataclasses import dataclass

from mailguard.casework.approvals import approvers, life
from mailguard.casework.approvals.handler import Approvals
from mailguard.casework.approvals.life import Approval, ApprovalAnswer, ApprovalOutcome, Do
from mailguard.casework.approvals.stopping import Stopping
from mailguard.casework.console import Console, operator_named
from mailguard.casework.refusal import CommandRefused
from mailguard.casework.tickets import Ticket
from mailguard.core.people.model import Person
from mailguard.core.record.formats import NewerFormat


@dataclass(frozen=True)
class ApprovalConsole(Console[Approval]):
    """What may be said to approvals."""

    workflow: Approvals

    @property
    def _stopping(self) -> Stopping:
        return Stopping(self.engine, self.workflow)

    async def decide(self, number: int, yes: bool, remark: str) -> str:
        """Approve for everybody who has not answered, or deny; what became of it, in words."""
        ticket, approval = await self._open(number)
        person = operator_named(self.work.snapshot().directory, self.operator)
        if yes and person is not None:
            await self._not_theirs(ticket, person)
        now = self.now()
        given = ApprovalAnswer("", self.operator, yes, now, "console", remark)
        step = life.answered(approval, given)
        await self.carry_out(ticket, self.workflow.change(ticket, step, now))
        return self._words(ticket, step.approval)

    async def record(self, number: int, person: Person, reference: str) -> str:
        """An approval on paper: that person's yes."""
        ticket, approval = await self._open(number)
        now = self.now()
        office = await self.workflow.in_office(ticket, approval, now)
        if person.id not in office or not any(person.id in s.people for s in approval.seats):
            names = ", ".join(f"{a.name} ({a.person})" for a in approval.asked) or "nobody"
            raise CommandRefused(f"{person.name} cannot approve this message; who can: {names}")
        given = ApprovalAnswer(person.id, person.name, True, now, f"paper: {reference}")
        step = life.answered(approval, given)
        if Do.TELL_THEM in step.do:
            raise CommandRefused(f"{person.name} has approved it already")
        change = self.workflow.change(ticket, step, now)
        await self.carry_out(ticket, change, f"{person.name}, {reference}")
        return self._words(ticket, step.approval)

    async def stop(self, id: str, remark: str) -> str:
        """Stop what an approval released or holds, or a message that needed none, by its
        transaction's id."""
        given = ApprovalAnswer("", self.operator, False, self.now(), "console", remark)
        if id.isascii() and id.isdigit() and len(id) < 13:
            return await self._stop(int(id), given)
        tickets = self.work.tickets
        said = [
            await self._stop(number, given)
            for number in await tickets.tickets_of(id)
            if (found := await tickets.load(number)) is not None
            and found.kind == self.workflow.kind
        ]
        try:
            sent = await self.work.take_up(id)
        except KeyError:
            raise CommandRefused(f"there is no approval and no message {id}") from None
        except (ValueError, NewerFormat) as error:
            raise CommandRefused(f"{id} was recorded by another version: {error}") from None
        taken = await self._stopping.stop(sent, given, self.by)
        return " ".join((*said, *((taken.words(),) if taken.entries or not said else ())))

    async def _stop(self, number: int, given: ApprovalAnswer) -> str:
        ticket, approval = await self.one(number)
        step = life.stopped(approval, given)
        if Do.TELL_THEM in step.do:
            return self._words(ticket, approval)
        taken = await self._stopping.of(ticket) if Do.WITHDRAW in step.do else None
        if taken is not None and not taken.entries:
            return taken.words()
        await self.carry_out(ticket, self.workflow.change(ticket, step, given.at, taken))
        return taken.words() if taken is not None else "It is not delivered to anybody."

    async def _open(self, number: int) -> tuple[Ticket, Approval]:
        ticket, approval = await self.one(number)
        if approval.outcome is not ApprovalOutcome.WAITING:
            raise CommandRefused(f"approval {number} is decided: {self._words(ticket, approval)}")
        return ticket, approval

    async def _not_theirs(self, ticket: Ticket, person: Person) -> None:
        for hold in (await self.work.tickets.holds_of(ticket.id))[:1]:
            judged = await self.work.take_up(hold.transaction_id)
            directory = self.work.snapshot().directory
            sender = approvers.sender_of(judged.transaction, judged.facts, directory)
            if person.id in sender.barred:
                raise CommandRefused(
                    f"{person.name} has a hand in this message; nobody approves their own"
                )

    def _words(self, ticket: Ticket, approval: Approval) -> str:
        return self.workflow.mailer(ticket, approval, self.now()).outcome()
