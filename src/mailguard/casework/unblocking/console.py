"""Unblock cases from the console, by the same steps as letters and pages (R31, R32).

Owns what the console may say, and in whose name. Must not know how arguments are read or shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from mailguard.casework.refusal import CommandRefused
from mailguard.casework.tickets import Ticket
from mailguard.casework.unblocking import life as life
from mailguard.casework.unblocking.case import Case, CaseAnswer, CaseStep, Said, Stage
from mailguard.casework.unblocking.kept import who_is
from mailguard.casework.unblocking.mail import CaseMailer
from mailguard.casework.unblocking.matching import Kept, outside_author
from mailguard.casework.unblocking.steps import CaseSteps
from mailguard.casework.unblocking.stored import KIND, state_of
from mailguard.core.decision.verdict import Disposition
from mailguard.core.people.model import Person


@dataclass(frozen=True)
class CaseConsole:
    """Every method raises Refused, Conflict or StoreError; else it was done, and what came of it
    is given back in words."""

    steps: CaseSteps
    operator: str  # who types: a login or a name

    @property
    def _by(self) -> str:
        return f"console: {self.operator}"

    async def review(self, number: int, accept: bool, remark: str) -> str:
        """A look at the content of everything that the case has (R32)."""
        matter, case = await self._open(number)
        now = self.steps.world.clock()
        given = self._given(accept, remark, now)
        reviewers = self.steps.asked_reviewers(now)
        step = life.reviewed(case, None, given, reviewers, self.steps.at(now))
        if step.late:
            raise CommandRefused(
                f"there is nothing to review in case {number}: it is {case.stage.value}"
            )
        return await self._done(matter, step, now, remark)

    async def decide(self, number: int, approve: bool, remark: str) -> str:
        """Unblock the sender, or deny it, for everybody who was asked."""
        matter, case = await self._open(number)
        now = self.steps.world.clock()
        step = life.decided(case, None, self._given(approve, remark, now), self.steps.at(now))
        if step.late:
            raise CommandRefused(
                f"case {number} matches nothing that is kept, so there is no address to unblock; "
                f"see: mailguard cases match {number}"
            )
        return await self._done(matter, step, now, remark)

    async def ask(self, number: int, person: Person | None) -> str:
        """Send V2 once more to those who are silent, or to somebody else who knows the sender."""
        matter, case = await self._open(number)
        now = self.steps.world.clock()
        if person is not None and not person.addresses:
            raise CommandRefused(f"{person.name} has no address")
        who = who_is(person) if person is not None else None
        step = life.asked_also(case, who, self.steps.at(now))
        if step.late:
            raise CommandRefused(
                f"nobody of case {number} is to be asked now: it is {case.stage.value}; the "
                "content is reviewed first, and somebody else is named by --person"
            )
        return await self._done(matter, step, now, "")

    async def note(self, number: int, text: str) -> str:
        """A line for the history, of a case that is open or over."""
        matter = await self._one(number)
        case, now = state_of(matter), self.steps.world.clock()
        await self.steps.carry_out(matter, CaseStep(case, ("note",)), now, self._by, detail=text)
        return "noted"

    async def match(self, number: int, holds: Sequence[int]) -> str:
        """Say which kept copies a case is about that matched none: it ends, and goes on as a case
        of their author's."""
        matter, case = await self._open(number)
        if case.stage is not Stage.UNMATCHED:
            raise CommandRefused(f"case {number} is about {', '.join(case.addresses)} already")
        kept = [await self._kept(hold) for hold in holds]
        senders = {self._author(one) for one in kept}
        if len(senders) != 1:
            raise CommandRefused(
                f"these copies are by several senders: {', '.join(sorted(senders))}"
            )
        (address,) = senders
        now = self.steps.world.clock()
        theirs = await self.steps.open_case(address, now)
        requester = replace(case.requesters[0], vouches=bool(case.requesters[0].person))
        step, claims = await self.steps.request(theirs, (address,), requester, kept, None, now)
        detail = f"matched by {self._by}, from case {number}"
        goes_on = await self.steps.prepare(
            theirs, step, now, self._by, detail=detail, claims=claims
        )
        ended = life.overtaken(case, False, self._by, self.steps.at(now))
        over = await self.steps.prepare(
            matter, ended, now, self._by, detail=f"goes on as case {theirs.id}"
        )
        await self.steps.move([goes_on, over])
        return f"it goes on as case {theirs.id}: {step.case.stage.value}"

    async def _kept(self, number: int) -> Kept:
        hold = await self.steps.matters.hold(number)
        quarantined = hold is not None and hold.disposition is Disposition.QUARANTINE
        if hold is None or hold.state != "waiting" or not quarantined:
            raise CommandRefused(f"no copy {number} waits in the quarantine")
        try:
            return Kept(hold, await self.steps.take_up(hold.transaction_id))
        except (KeyError, ValueError) as error:
            raise CommandRefused(
                f"copy {number} was recorded by another version: {error}"
            ) from None

    def _author(self, one: Kept) -> str:
        mailbox = outside_author(one.dossier) if one.dossier is not None else ""
        if not mailbox:
            raise CommandRefused(
                f"copy {one.hold.id} has no single outside author, so nobody can be listed"
            )
        return mailbox

    async def _done(self, matter: Ticket, step: CaseStep, now: float, remark: str) -> str:
        await self.steps.carry_out(matter, step, now, self._by, detail=remark)
        said = step.case.stage.value
        post = CaseMailer(
            self.steps.snapshot(), matter.id, matter.version + 1, step.case, self.steps.at(now)
        )
        return post.outcome() if step.case.ended else said

    def _given(self, yes: bool, remark: str, now: float) -> CaseAnswer:
        return CaseAnswer("", self.operator, Said.YES if yes else Said.NO, now, "console", remark)

    async def _one(self, number: int) -> Ticket:
        matter = await self.steps.matters.load(number)
        if matter is None or matter.kind != KIND or not matter.version:
            raise CommandRefused(f"there is no case {number}; see: mailguard cases list --all")
        return matter

    async def _open(self, number: int) -> tuple[Ticket, Case]:
        matter = await self._one(number)
        case = state_of(matter)
        if case.ended:
            raise CommandRefused(f"case {number} is over: {case.stage.value}")
        return matter, case
