"""Unblocking as a workflow: requests at spammail@ become cases, and people answer (R28-R37).

Owns whose answer counts: the recipient's own to V2, a reviewer's to a question about content, both
proven by their account; and what each step of `unblocking.life` is committed as. Must not know how,
or what a request asks for (`unblocking.requests`).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, ClassVar

import structlog

from mailguard.casework.answers.answer import AnswerKind
from mailguard.casework.correspondent import Correspondent
from mailguard.casework.engine import Engine
from mailguard.casework.mailer import TicketMailer
from mailguard.casework.stored_state import readable
from mailguard.casework.tickets import KeptCopy, Question, Ticket, UnreadMail
from mailguard.casework.unblocking import life
from mailguard.casework.unblocking.case import (
    CASE,
    Asks,
    Case,
    CaseAnswer,
    CaseDeadlines,
    CaseStep,
    Query,
    Said,
    Stage,
    Who,
)
from mailguard.casework.unblocking.mail import CaseMailer
from mailguard.casework.unblocking.page import page
from mailguard.casework.unblocking.requests import Requests
from mailguard.casework.unblocking.sheets import Sheets, sheets_of
from mailguard.casework.unblocking.steps import CaseSteps, Staff
from mailguard.casework.unblocking.summary import Summaries
from mailguard.casework.workflow import (
    Begun,
    Change,
    Found,
    Given,
    Note,
    Outfit,
    Response,
    Teach,
    Workflow,
    teach_nobody,
)
from mailguard.core.decision.verdict import about_spam
from mailguard.core.people.district import SPAMMAIL
from mailguard.core.record.formats import NewerFormat
from mailguard.core.spam import tokens
from mailguard.core.text.reading import Reading
from mailguard.pipeline.judged_message import JudgedMessage
from mailguard.pipeline.off_loop import off_loop_if_large, weight
from mailguard.pipeline.ports import StoreError

log = structlog.get_logger("mailguard.cases")

_SAYS = {AnswerKind.YES: Said.YES, AnswerKind.NO: Said.NO, AnswerKind.UNSURE: Said.UNSURE}


@dataclass(frozen=True)
class Unblocking(CaseSteps, Workflow[Case]):
    """Requests to unblock a sender. Without `sheets` none are taken in."""

    teach: Teach = teach_nobody
    sheets: Sheets | None = None
    relay_vouches: bool = True
    summaries: Summaries = field(default_factory=Summaries)

    kind: ClassVar[str] = "case"
    desk: ClassVar[str] = SPAMMAIL
    listing: ClassVar[str] = "cases list"
    choices: ClassVar[Sequence[AnswerKind]] = tuple(_SAYS)
    not_ours: ClassVar[str] = "not our token for them"
    post: ClassVar[type[TicketMailer]] = CaseMailer
    stored = CASE

    @classmethod
    def made(cls, outfit: Outfit) -> Unblocking:
        desk = outfit.settings.spam_desk
        return cls(
            outfit.work,
            deadlines(outfit.settings),
            Staff(desk.reviewers, desk.ask_reviewers, desk.sheets_from),
            outfit.teach,
            Sheets(outfit.read_sheet, outfit.importing),
            desk.relay_vouches,
        )

    # Who

    def asked(self, state: Case) -> Sequence[Who]:
        return [query.who for query in state.asked]

    def is_theirs(self, found: Found[Case], person: str, now: float) -> bool:
        """Recipients' for themselves; of the reviewers' questions any reviewer's those that went to
        the mailbox they share, and their own."""
        asked = found.asked.person
        if _query(found).asks is Asks.VERIFY:
            return asked == person
        return asked in ("", person) and person in {p.id for p in self.reviewers(now)}

    async def still_asked(self, found: Found[Case], now: float) -> bool:
        """A reviewer's question ends with the office, a recipient's on the day they leave."""
        asked = found.asked.person
        if _query(found).asks is not Asks.VERIFY:
            return not asked or asked in {p.id for p in self.reviewers(now)}
        person = self.work.snapshot().directory.people.get(asked)
        return person is not None and person.left_since(self.today(now)) is None

    # What becomes of it

    async def answered(self, found: Found[Case], given: Given) -> Response[Case]:
        case, query, ticket, now = found.state, _query(found), found.ticket, given.at
        says = _SAYS.get(given.kind)
        if says is None or (says is Said.UNSURE and query.asks is not Asks.VERIFY):
            note = Note("case-too-late" if case.ended else "case-unclear", case, {})
            said = self.mailer(ticket, case, now).outcome()
            outcome = f"no plain answer: {given.kind.value}"
            return Response(None, said, outcome, note, in_vain=True)
        theirs = CaseAnswer(given.person, given.name, says, now, given.how, given.remark)
        step = await self._step(found, theirs, now)
        said = self.mailer(ticket, step.case, now).outcome()
        if step.what == ("again",):
            return Response(None, said, f"said so before: {says.value}")
        if step.late:
            note = Note("case-too-late", step.case, {})
            return Response(None, said, f"{says.value}, too late", note, in_vain=True)
        late = Note("case-late", step.case, {}) if step.what == ("late yes",) else None
        detail = "; ".join(filter(None, (f"by {given.how}", given.remark)))
        return Response(self.change(ticket, step, now, detail=detail), said, note=late)

    async def _step(self, found: Found[Case], given: CaseAnswer, now: float) -> CaseStep:
        """What an answer makes of a case."""
        at, reviewers = self.at(now), self.asked_reviewers(now)
        query = _query(found)
        match query.asks:
            case Asks.REVIEW:
                return life.reviewed(found.state, query, given, reviewers, at)
            case Asks.DECIDE:
                return life.decided(found.state, query, given, at)
            case Asks.VERIFY:
                step = life.answered(found.state, query, given, reviewers, at)
                gone = step.what == ("late yes",)
                if gone and not await self._still_wait(found.ticket, step.releases):
                    return CaseStep(found.state, ("late",), late=True)
                return step

    async def _still_wait(self, ticket: Ticket, holds: Iterable[int]) -> bool:
        """Whether any of these copies waits."""
        wanted = set(holds)
        theirs = await self.work.tickets.holds_of(ticket.id)
        return any(hold.id in wanted and hold.state == "waiting" for hold in theirs)

    def due(self, ticket: Ticket, state: Case, now: float) -> Change[Case] | None:
        """Remind, end, or wait on under the calendar of now."""
        at = self.at(now)
        step = life.due(state, self.asked_reviewers(now), at)
        if step is None and life.wakes_at(state, at) == ticket.wakes_at:
            return None
        return self.change(ticket, step or CaseStep(state, ()), now)

    def overtaken(
        self, ticket: Ticket, state: Case, released: bool, by: str, now: float
    ) -> Change[Case]:
        step = life.overtaken(state, released, by, self.at(now))
        return self.change(ticket, step, now, detail=f"the copies: {by}")

    def refused(self, ticket: Ticket, state: Case, most: int, now: float) -> Change[Case] | None:
        if state.ended or state.refused >= most:
            return None
        return self.change(ticket, life.refused(state), now)

    async def unasked(self, mail: UnreadMail, judged: JudgedMessage, who: Correspondent) -> None:
        """A request, a sheet; or nothing of ours."""
        requests, person = Requests(Engine(self), self), who.person
        if person is not None and self.sheets and sheets_of(judged.transaction.message):
            await self.sheets.take_in(requests, mail, judged, person)
        elif person is not None:
            await requests.from_staff(mail, judged, person)
        elif who.who.inside:  # a device, or an account that many use: nobody is proven
            engine = Engine(self)
            await engine.settle(mail, "no person's own account", engine.refusal(mail, judged))
        else:
            await requests.from_outside(mail, judged)

    async def begin(self, now: float) -> AsyncIterator[Begun]:
        """The morning's summary."""
        yield 0, partial(self.summaries.turn, self, now)

    def begins(self, now: float) -> bool:
        return self.summaries.is_due(self.work.snapshot().calendar, now)

    async def committed(self, released: Sequence[KeptCopy], discarded: Sequence[KeptCopy]) -> None:
        """The filter learns from what was decided about spam."""
        lessons = {hold.transaction_id: True for hold in discarded if about_spam(hold.reason)}
        lessons |= {hold.transaction_id: False for hold in released if about_spam(hold.reason)}
        for transaction_id, spam in lessons.items():
            await self._learn(transaction_id, spam)

    async def _learn(self, transaction_id: str, spam: bool) -> None:
        """What cannot be taught now changes nothing of what was decided."""
        try:
            judged = await self.work.take_up(transaction_id)
            reading = judged.facts.reading
            if isinstance(reading, Reading):
                transaction = judged.transaction
                words = await off_loop_if_large(
                    weight(transaction), tokens.words, transaction.message, reading
                )
                await self.teach(judged.digest, words, spam)
        except (KeyError, ValueError, NewerFormat, StoreError) as error:
            log.warning("not_learned", id=transaction_id, reason=str(error)[:300])

    # In words

    async def question(self, found: Found[Case], now: float) -> Question:
        case, query, late = found.state, _query(found), False
        if case.stage is Stage.APPROVED and query.asks is Asks.VERIFY:
            own = CaseAnswer(query.who.person, query.who.name, Said.YES, now, "page")
            late = (await self._step(found, own, now)).what == ("late yes",)
        return page(self.mailer(found.ticket, case, now), query, late=late)

    def count(self, tickets: Iterable[Ticket], now: float) -> Mapping[str, float]:
        """Of those that can be read: overdue is what waits for us, and longer than it ought to."""
        cases, at = [case for _, case in readable(self.stored, tickets)], self.at(now)
        return {
            "open": len(cases),
            "oldest": max((now - case.opened_at for case in cases), default=0.0),
            "overdue": sum(life.is_overdue(case, at) for case in cases),
        }


def deadlines(settings: Any) -> CaseDeadlines:
    """How long people have, and who reviews, as the district has set it."""
    desk = settings.spam_desk
    return CaseDeadlines(desk.review == "rule", desk.reminder_days, desk.give_up_days, desk.hours)


def _query(found: Found[Case]) -> Query:
    return found.state.asked[found.place]
