"""Unblock cases from the console, by the same steps as letters and pages (R31, R32).

Owns what the console may say, and in whose name. Must not know how arguments are read or shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from mailguard.casework.console import Console
from mailguard.casework.refusal import CommandRefused
from mailguard.casework.tickets import Ticket
from mailguard.casework.unblocking import life
from mailguard.casework.unblocking.case import Case, CaseAnswer, CaseStep, Said, Stage
from mailguard.casework.unblocking.handler import Unblocking
from mailguard.casework.unblocking.kept import who_is
from mailguard.casework.unblocking.matching import Kept, outside_author
from mailguard.casework.unblocking.requests import Requests
from mailguard.casework.workflow import Move
from mailguard.core.decision.verdict import Disposition
from mailguard.core.people.model import Person


@dataclass(frozen=True)
class CaseConsole(Console[Case]):
    """What may be said to cases; what came of it is given back in words."""

    workflow: Unblocking

    async def review(self, number: int, accept: bool, remark: str) -> str:
        """A look at the content of everything that the case has (R32)."""
        ticket, case = await self._open(number)
        now = self.now()
        given = self._given(accept, remark, now)
        reviewers = self.workflow.asked_reviewers(now)
        step = life.reviewed(case, None, given, reviewers, self.workflow.at(now))
        if step.late:
            raise CommandRefused(
                f"there is nothing to review in case {number}: it is {case.stage.value}"
            )
        return await self._done(ticket, step, now, remark)

    async def decide(self, number: int, approve: bool, remark: str) -> str:
        """Unblock the sender, or deny it, for everybody who was asked."""
        ticket, case = await self._open(number)
        now = self.now()
        step = life.decided(case, None, self._given(approve, remark, now), self.workflow.at(now))
        if step.late:
            raise CommandRefused(
                f"case {number} matches nothing that is kept, so there is no address to unblock; "
                f"see: mailguard cases match {number}"
            )
        return await self._done(ticket, step, now, remark)

    async def ask(self, number: int, person: Person | None) -> str:
        """Send V2 once more to those who are silent, or to somebody else who knows the sender."""
        ticket, case = await self._open(number)
        now = self.now()
        if person is not None and not person.addresses:
            raise CommandRefused(f"{person.name} has no address")
        who = who_is(person) if person is not None else None
        step = life.asked_also(case, who, self.workflow.at(now))
        if step.late:
            raise CommandRefused(
                f"nobody of case {number} is to be asked now: it is {case.stage.value}; the "
                "content is reviewed first, and somebody else is named by --person"
            )
        return await self._done(ticket, step, now, "")

    async def note(self, number: int, text: str) -> str:
        """A line for the history, of a case that is open or over."""
        ticket, case = await self.one(number)
        change = self.workflow.change(ticket, CaseStep(case, ("note",)), self.now())
        await self.carry_out(ticket, change, text)
        return "noted"

    async def match(self, number: int, holds: Sequence[int]) -> str:
        """Say which kept copies a case is about that matched none: it ends, and goes on as a case
        of their author's."""
        ticket, case = await self._open(number)
        if case.stage is not Stage.UNMATCHED:
            raise CommandRefused(f"case {number} is about {', '.join(case.addresses)} already")
        kept = [await self._kept(hold) for hold in holds]
        senders = {self._author(one) for one in kept}
        if len(senders) != 1:
            raise CommandRefused(
                f"these copies are by several senders: {', '.join(sorted(senders))}"
            )
        (address,) = senders
        now = self.now()
        requests, by = Requests(self.engine, self.workflow), self.by
        theirs = await requests.open_case(address, now)
        requester = replace(case.requesters[0], vouches=bool(case.requesters[0].person))
        step, claims = await requests.request(theirs, (address,), requester, kept, None, now)
        ended = life.overtaken(case, False, by, self.workflow.at(now))
        goes_on, over = (
            self.workflow.change(theirs, step, now),
            self.workflow.change(ticket, ended, now),
        )
        detail = f"matched by {by}, from case {number}"
        await self.engine.move(
            Move(theirs, goes_on, now, by, detail, claims=claims),
            Move(ticket, over, now, by, f"goes on as case {theirs.id}"),
        )
        return f"it goes on as case {theirs.id}: {step.case.stage.value}"

    async def _kept(self, number: int) -> Kept:
        hold = await self.work.tickets.hold(number)
        quarantined = hold is not None and hold.disposition is Disposition.QUARANTINE
        if hold is None or hold.state != "waiting" or not quarantined:
            raise CommandRefused(f"no copy {number} waits in the quarantine")
        try:
            return Kept(hold, await self.work.take_up(hold.transaction_id))
        except (KeyError, ValueError) as error:
            raise CommandRefused(
                f"copy {number} was recorded by another version: {error}"
            ) from None

    def _author(self, one: Kept) -> str:
        mailbox = outside_author(one.judged) if one.judged is not None else ""
        if not mailbox:
            raise CommandRefused(
                f"copy {one.hold.id} has no single outside author, so nobody can be listed"
            )
        return mailbox

    async def _done(self, ticket: Ticket, step: CaseStep, now: float, remark: str) -> str:
        await self.carry_out(ticket, self.workflow.change(ticket, step, now), remark)
        post = self.workflow.mailer(ticket, step.case, now)
        return post.outcome() if step.case.ended else step.case.stage.value

    def _given(self, yes: bool, remark: str, now: float) -> CaseAnswer:
        return CaseAnswer("", self.operator, Said.YES if yes else Said.NO, now, "console", remark)

    async def _open(self, number: int) -> tuple[Ticket, Case]:
        ticket, case = await self.one(number)
        if case.ended:
            raise CommandRefused(f"case {number} is over: {case.stage.value}")
        return ticket, case
