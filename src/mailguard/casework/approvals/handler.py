"""Approvals as a workflow: held messages, their approvers, and what they answer (R18-R21).

Owns whose answer counts: the approver's own, proven by their account, to the very question that
they were asked; and what each step of `approvals.life` does to copies, mail and history. Must not
know how a step is committed or what an answer's words are (`casework.answers.answer`).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

from mailguard.casework.answers.answer import AnswerKind
from mailguard.casework.approvals import approvers, life
from mailguard.casework.approvals.approvers import Sender
from mailguard.casework.approvals.life import (
    APPROVAL,
    Approval,
    ApprovalAnswer,
    ApprovalDeadlines,
    ApprovalOutcome,
    ApprovalStep,
    Asked,
    Do,
)
from mailguard.casework.approvals.mail import ApprovalMailer
from mailguard.casework.approvals.opening import Opening
from mailguard.casework.approvals.page import page
from mailguard.casework.approvals.steps import ApprovalSteps
from mailguard.casework.approvals.stopping import Stopping
from mailguard.casework.beforehand import GivenBeforehand
from mailguard.casework.correspondent import Correspondent, answer_in
from mailguard.casework.engine import AT_ONCE, Engine
from mailguard.casework.mailer import TicketMailer
from mailguard.casework.tickets import Conflict, KeptCopy, Question, Ticket, UnreadMail
from mailguard.casework.workflow import (
    Begun,
    Change,
    Found,
    Given,
    Move,
    Note,
    Outfit,
    Response,
    Workflow,
)
from mailguard.core.decision.approval import SUPERVISOR
from mailguard.core.decision.verdict import Disposition
from mailguard.core.people.district import APPROVALS
from mailguard.core.people.model import Person
from mailguard.core.sender import directory_lookups
from mailguard.pipeline.judged_message import JudgedMessage

_NOT_DELIVERED = "It is not delivered to anybody."
_TO_STOP = "To stop what has not left yet, answer the question by STOP."


@dataclass(frozen=True)
class Approvals(ApprovalSteps, Workflow[Approval]):
    """What waits for approvers."""

    beforehand: GivenBeforehand
    relay_vouches: bool = True

    kind: ClassVar[str] = "approval"
    desk: ClassVar[str] = APPROVALS
    listing: ClassVar[str] = "approvals list"
    not_theirs: ClassVar[str] = "not the one who was asked, or not in office"
    post: ClassVar[type[TicketMailer]] = ApprovalMailer
    stored = APPROVAL

    @classmethod
    def made(cls, outfit: Outfit) -> Approvals:
        terms, vouches = deadlines(outfit.settings), outfit.settings.approvals.relay_vouches
        return cls(outfit.work, terms, outfit.beforehand, vouches)

    # Opening

    async def begin(self, now: float) -> AsyncIterator[Begun]:
        """Every message whose held copies hang on no approval."""
        after = 0
        unclaimed = self.work.tickets.unclaimed
        while found := await unclaimed(Disposition.HOLD, AT_ONCE, after):
            each: dict[tuple[str, str], list[KeptCopy]] = {}
            first: dict[str, int] = {}
            for hold in found:
                each.setdefault((hold.digest, hold.reverse_path), []).append(hold)
                first.setdefault(hold.digest, hold.id)
            for holds in each.values():
                yield holds[0].transaction_id, partial(self.open, holds, now)
            after = max(first.values())

    async def open(self, holds: Sequence[KeptCopy], now: float) -> None:
        """Make the held copies of one message an approval, and ask; or let them go where everything
        that is needed was granted beforehand."""
        first = min(hold.id for hold in holds)
        key = f"{holds[0].digest}|{holds[0].reverse_path}|{first}"
        ticket = await self.work.tickets.new(self.kind, key, now)
        if ticket.version:
            raise Conflict(f"approval {ticket.id} is open already")
        opening = Opening(self.work, self.beforehand)
        approval, beforehand, uses = await opening.considered(ticket, holds, now)
        change = self.change(ticket, life.opened(approval, beforehand), now)
        step = Move(ticket, change, now, "mailguard", claims=holds, more=uses)
        await Engine(self).move(step)

    # Who

    def asked(self, state: Approval) -> Sequence[Asked]:
        return state.asked

    async def still_asked(self, found: Found[Approval], now: float) -> bool:
        return found.asked.person in await self.in_office(found.ticket, found.state, now)

    async def in_office(self, ticket: Ticket, approval: Approval, now: float) -> frozenset[str]:
        """The ids of those who may approve it by the directory of now. Raises StoreError."""
        snapshot = self.work.snapshot()
        today = directory_lookups.day_at(now, snapshot.district.time_zone)
        sender, seats = Sender(None, False), approval.seats
        then: tuple[Person, ...] = ()
        for hold in (await self.work.tickets.holds_of(ticket.id))[:1]:
            try:
                judged = await self.work.take_up(hold.transaction_id)
            except (KeyError, ValueError):  # not readable any more: nobody knows who sent it
                break
            sender = approvers.sender_of(judged.transaction, judged.facts, snapshot.directory)
            if not any(SUPERVISOR in approvers.offices_of(seat) for seat in seats):
                then = judged.facts.administrators
        office = approvers.in_office(sender, then, snapshot.directory, today, seats)
        outside = snapshot.directory.outside
        moved = (a for a in approval.asked if a.person in outside)  # asked somewhere else
        return office - {a.person for a in moved if outside[a.person].address != a.mailbox}

    @property
    def _stopping(self) -> Stopping:
        return Stopping(Engine(self), self)

    # What becomes of it

    async def answered(self, found: Found[Approval], given: Given) -> Response[Approval]:
        if given.kind is AnswerKind.STOP:
            return await self._stopped(found, given)
        approval = found.state
        if given.kind not in (AnswerKind.YES, AnswerKind.NO):
            waits = approval.outcome is ApprovalOutcome.WAITING
            note = self._note(found, "approval-unclear" if waits else "approval-too-late")
            return Response(None, "", f"neither yes nor no: {given.kind.value}", note)
        step = life.answered(approval, _answer(given))
        said = self.mailer(found.ticket, step.approval, given.at).outcome()
        if Do.TELL_THEM in step.do:
            note = self._note(found, "approval-too-late")
            return Response(None, said, f"{given.how}, {step.what}", note, in_vain=True)
        return Response(self.change(found.ticket, step, given.at), said)

    async def _stopped(self, found: Found[Approval], given: Given) -> Response[Approval]:
        """STOP by an approver (R21)."""
        step = life.stopped(found.state, _answer(given))
        taken = await self._stopping.of(found.ticket) if Do.WITHDRAW in step.do else None
        if Do.TELL_THEM in step.do or (taken is not None and not taken.entries):
            slots = {"outcome": taken.words()} if taken is not None else {}
            note = self._note(found, "approval-too-late", **slots)
            return Response(None, "", f"stop, {step.what}: nothing left to do", note)
        outcome = taken.words() if taken is not None else _NOT_DELIVERED
        note = Note("approval-stop", step.approval, {"outcome": outcome})
        return Response(self.change(found.ticket, step, given.at, taken), outcome, note=note)

    def _note(self, found: Found[Approval], template: str, **slots: str) -> Note[Approval]:
        approval = found.state
        late = template == "approval-too-late" and approval.outcome is ApprovalOutcome.GRANTED
        if late and "outcome" not in slots:
            post = self.mailer(found.ticket, approval, self.work.desk.clock())
            slots["outcome"] = f"{post.outcome()} {_TO_STOP}"
        return Note(template, approval, slots)

    def due(self, ticket: Ticket, state: Approval, now: float) -> Change[Approval]:
        """Remind, let it expire, or wait on under the calendar that is in force by now."""
        step = life.due(state, now, self.work.snapshot().calendar, self.terms)
        return self.change(ticket, step or ApprovalStep(state, (), "waits on"), now)

    def overtaken(
        self, ticket: Ticket, state: Approval, released: bool, by: str, now: float
    ) -> Change[Approval]:
        step = life.overtaken(state, released, by, now)
        return self.change(ticket, step, now, detail="the copies were decided about")

    def refused(
        self, ticket: Ticket, state: Approval, most: int, now: float
    ) -> Change[Approval] | None:
        if state.outcome is not ApprovalOutcome.WAITING or state.refused >= most:
            return None
        return self.change(ticket, life.refused(state), now)

    async def unasked(self, mail: UnreadMail, judged: JudgedMessage, who: Correspondent) -> None:
        """STOP may name a message that needed no approval (R21)."""
        engine = Engine(self)
        if who.person is not None:
            said = await answer_in(judged, who.reading)
            if said.kind is AnswerKind.STOP:
                await self._stopping.named(mail, judged, who.person, said.remark)
                return
        notes = engine.refusal(mail, judged) if who.who.inside else ()
        await engine.settle(mail, "answers no question of ours", notes)

    # In words

    async def question(self, found: Found[Approval], now: float) -> Question:
        return page(self.mailer(found.ticket, found.state, now), found.place)


def deadlines(settings: Any) -> ApprovalDeadlines:
    """How long approvers have, as the district has set it."""
    section = settings.approvals
    return ApprovalDeadlines(section.reminder_days, section.expiry_days)


def _answer(given: Given) -> ApprovalAnswer:
    yes, remark = given.kind is AnswerKind.YES, given.remark
    if given.how == "mail" and len(remark.split()) <= 2:
        remark = ""  # "Yes, approved" says nothing besides the answer
    return ApprovalAnswer(given.person, given.name, yes, given.at, given.how, remark)
