"""Approvals from the console: decisions, paper, grants and stops, by the same steps (R18, R21).

Owns what the console may say, and in whose name. Nobody approves their own message here either.
Must not know how arguments are read or shown.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from mailguard.casework.approvals import approvers
from mailguard.casework.approvals import life as life
from mailguard.casework.approvals.life import Approval, ApprovalAnswer, ApprovalOutcome, Do
from mailguard.casework.approvals.mail import ApprovalMailer
from mailguard.casework.approvals.steps import GRANTS, KIND, ApprovalSteps, state_of
from mailguard.casework.grants.life import GRANT, PreApproval
from mailguard.casework.refusal import CommandRefused
from mailguard.casework.tickets import Ticket, TicketEvent, TicketUpdate
from mailguard.core.mail import address
from mailguard.core.people.directory import Directory
from mailguard.core.people.model import Person
from mailguard.core.record.formats import NewerFormat
from mailguard.core.sender import directory_lookups


def person_named(directory: Directory, named: str) -> Person | None:
    """A person by id or by any address."""
    return directory.people.get(named) or directory.person_at(named)


def operator_named(directory: Directory, named: str) -> Person | None:
    """The person who types, by id, address or login."""
    account = directory.account_for(named)
    owner = directory.people.get(account.owner or "") if account is not None else None
    return owner or person_named(directory, named)


@dataclass(frozen=True)
class ApprovalConsole:
    """Every method raises Refused, Conflict, NewerFormat or StoreError; else it was done."""

    steps: ApprovalSteps
    operator: str  # who types: a login or a name

    @property
    def _by(self) -> str:
        return f"console: {self.operator}"

    async def decide(self, number: int, yes: bool, remark: str) -> str:
        """Approve for everybody who has not answered, or deny; what became of it, in words."""
        matter, approval = await self._open(number)
        person = operator_named(self.steps.snapshot().directory, self.operator)
        if yes and person is not None:
            await self._not_theirs(matter, person)
        now = self.steps.world.clock()
        given = ApprovalAnswer("", self.operator, yes, now, "console", remark)
        step = life.answered(approval, given)
        await self.steps.carry_out(matter, step, now, self._by)
        return self._words(matter, step.approval)

    async def record(self, number: int, person: Person, reference: str) -> str:
        """An approval on paper: that person's yes."""
        matter, approval = await self._open(number)
        office = await self.steps.in_office(matter, self.steps.world.clock())
        if person.id not in office or not any(person.id in s.people for s in approval.seats):
            names = ", ".join(f"{a.name} ({a.person})" for a in approval.asked) or "nobody"
            raise CommandRefused(f"{person.name} cannot approve this message; who can: {names}")
        now = self.steps.world.clock()
        given = ApprovalAnswer(person.id, person.name, True, now, f"paper: {reference}")
        step = life.answered(approval, given)
        if Do.TELL_THEM in step.do:
            raise CommandRefused(f"{person.name} has approved it already")
        await self.steps.carry_out(
            matter, step, now, self._by, detail=f"{person.name}, {reference}"
        )
        return self._words(matter, step.approval)

    async def stop(self, id: str, remark: str) -> str:
        """Stop what an approval released or holds, or a message that needed none, by its
        transaction's id."""
        now = self.steps.world.clock()
        given = ApprovalAnswer("", self.operator, False, now, "console", remark)
        if id.isascii() and id.isdigit() and len(id) < 13:
            return await self._stop(await self._one(int(id), KIND), given)
        said = [
            await self._stop(matter, given)
            for number in await self.steps.matters.matters_of(id)
            if (matter := await self.steps.matters.load(number)) is not None and matter.kind == KIND
        ]
        try:
            dossier = await self.steps.take_up(id)
        except KeyError:
            raise CommandRefused(f"there is no approval and no message {id}") from None
        except (ValueError, NewerFormat) as error:
            raise CommandRefused(f"{id} was recorded by another version: {error}") from None
        taken = await self.steps.stop_sent(dossier, given, self._by)
        return " ".join((*said, *((taken.words(),) if taken.entries or not said else ())))

    async def _stop(self, matter: Ticket, given: ApprovalAnswer) -> str:
        approval = state_of(matter)
        step = life.stopped(approval, given)
        if Do.TELL_THEM in step.do:
            return self._words(matter, approval)
        taken = await self.steps.withdrawal_of(matter) if Do.WITHDRAW in step.do else None
        if taken is not None and not taken.entries:
            return taken.words()
        await self.steps.carry_out(matter, step, given.at, self._by, withdrawal=taken)
        return taken.words() if taken is not None else "It is not delivered to anybody."

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
        snapshot, now = self.steps.snapshot(), self.steps.world.clock()
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
        matter = await self.steps.matters.new(GRANTS, secrets.token_hex(), now)
        over = datetime.combine(
            last + timedelta(days=1), time(), ZoneInfo(snapshot.district.time_zone)
        )
        line = f"{theirs} to {known.address} until {last}, {count}; {name}, {reference}"
        entered = TicketUpdate(
            matter.id,
            matter.version,
            "open",
            GRANT.dump(made),
            wakes_at=over.timestamp(),
            history=(TicketEvent(now, self._by, "granted", line),),
        )
        await self.steps.matters.move([entered])
        return matter.id

    async def revoke(self, number: int) -> None:
        """End a grant."""
        matter = await self._one(number, GRANTS)
        if matter.closed_at is not None:
            raise CommandRefused(f"grant {number} has ended already: {matter.status}")
        GRANT.refuse_newer(matter.state)
        line = TicketEvent(self.steps.world.clock(), self._by, "revoked")
        end = TicketUpdate(
            matter.id, matter.version, "revoked", matter.state, history=(line,), closes=True
        )
        await self.steps.matters.move([end])

    async def _one(self, number: int, kind: str) -> Ticket:
        matter = await self.steps.matters.load(number)
        if matter is None or matter.kind != kind or not matter.version:
            listing = "list" if kind == KIND else "grants"
            raise CommandRefused(
                f"there is no {kind} {number}; see: mailguard approvals {listing} --all"
            )
        return matter

    async def _open(self, number: int) -> tuple[Ticket, Approval]:
        matter = await self._one(number, KIND)
        approval = state_of(matter)
        if approval.outcome is not ApprovalOutcome.WAITING:
            raise CommandRefused(f"approval {number} is decided: {self._words(matter, approval)}")
        return matter, approval

    async def _not_theirs(self, matter: Ticket, person: Person) -> None:
        for hold in (await self.steps.matters.holds_of(matter.id))[:1]:
            dossier = await self.steps.take_up(hold.transaction_id)
            directory = self.steps.snapshot().directory
            sender = approvers.sender_of(dossier.transaction, dossier.facts, directory)
            if person.id in sender.barred:
                raise CommandRefused(
                    f"{person.name} has a hand in this message; nobody approves their own"
                )

    def _words(self, matter: Ticket, approval: Approval) -> str:
        now = self.steps.world.clock()
        post = ApprovalMailer(self.steps.snapshot(), matter.id, approval, self.steps.terms, now)
        return post.outcome()
