"""The spammail@ desk: requests to unblock become cases, and answers are taken by mail and by page.

Owns whose answer counts: the recipient's own to V2, a reviewer's to a question about content, both
proven by their account (R28-R36). What does not count changes nothing, and is on record. Must not
know how a step is committed (`case_steps`) or what a request asks for (`case_requests`).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial

import structlog

from mailguard.casework.answers import answer
from mailguard.casework.answers import token as question
from mailguard.casework.answers.answer import AnswerKind
from mailguard.casework.inbox import each_alone, hear
from mailguard.casework.left_alone import AT_ONCE, LeftAlone
from mailguard.casework.tickets import Question, Ticket, UnreadMail
from mailguard.casework.unblocking import life as life
from mailguard.casework.unblocking.case import (
    Asks,
    At,
    Case,
    CaseAnswer,
    CaseStep,
    Query,
    Said,
    Stage,
)
from mailguard.casework.unblocking.mail import CaseMailer, page_about, token_about
from mailguard.casework.unblocking.page import page
from mailguard.casework.unblocking.requests import Requests
from mailguard.casework.unblocking.sheets import Sheets, sheets_of
from mailguard.casework.unblocking.steps import CaseSteps
from mailguard.casework.unblocking.stored import KIND, readable, state_of
from mailguard.casework.unblocking.summary import Summaries
from mailguard.core.mail import safe_text
from mailguard.core.people.model import Person
from mailguard.core.sender import directory_lookups
from mailguard.core.sender.may_answer import may_answer
from mailguard.core.text.reading import Reading
from mailguard.pipeline.counters import Spend
from mailguard.pipeline.judged_message import JudgedMessage
from mailguard.pipeline.off_loop import off_loop_if_large, weight
from mailguard.pipeline.ports import Outgoing

log = structlog.get_logger("mailguard.cases")

_REMARK = 500  # characters of an answerer's words
_REFUSALS = 20  # answers that could not count in one case's history; the letters have them all
_SAYS = {AnswerKind.YES: Said.YES, AnswerKind.NO: Said.NO, AnswerKind.UNSURE: Said.UNSURE}


About = Callable[[Case, Query], str]
"""What a token is bound to."""


@dataclass(frozen=True)
class _Found:
    """A case that a token leads to."""

    matter: Ticket
    case: Case
    query: Query
    proven: bool  # we made the token, for this question to this person


class CaseClerk:
    """A `Clerk`. `relay_vouches`: a trusted server's word for an author counts as an account's."""

    def __init__(self, steps: CaseSteps, sheets: Sheets, relay_vouches: bool = True) -> None:
        self._steps = steps
        self._matters = steps.matters
        self._requests = Requests(steps)
        self._sheets = sheets
        self._summaries = Summaries(steps)
        self._relay_vouches = relay_vouches
        self._left = LeftAlone()

    # Letters

    async def read(self, letter: UnreadMail, dossier: JudgedMessage) -> None:
        """An answer, a request, a sheet; or nothing of ours."""
        message, size = dossier.transaction.message, weight(dossier.transaction)
        heard = await off_loop_if_large(size, hear, dossier, self._relay_vouches)
        if heard is None:
            await self._matters.settle(letter.id, "automatic mail, which asks and answers nothing")
            return
        who, person, reading = heard.who, heard.person, heard.reading
        found = [one for token in heard.tokens if (one := await self._found(token)) is not None]
        theirs = next((one for one in found if self._may_answer(one, person)), None)
        if theirs is not None and person is not None:
            await self._answered(letter, dossier, theirs, person, reading)
        elif found:
            await self._refuse(letter, dossier, found[0], who.authenticated_as, who.inside)
        elif person is not None and sheets_of(message):
            await self._sheets.take_in(letter, dossier, person)
        elif person is not None:
            await self._requests.from_staff(letter, dossier, person)
        elif who.inside:  # a device, or an account that many use: nobody is proven
            note = self._requests.note(letter, dossier, "case-refused")
            await self._matters.settle(letter.id, "no person's own account", note)
        else:
            await self._requests.from_outside(letter, dossier)

    async def _found(self, token: question.Token, about: About = token_about) -> _Found | None:
        matter = await self._matters.load(token.matter)
        if matter is None or matter.kind != KIND or not matter.version:
            return None
        case = state_of(matter)
        if token.number >= len(case.asked):
            return None
        query = case.asked[token.number]
        keys = self._steps.snapshot().link_keys
        return _Found(matter, case, query, question.proves(token, keys, about(case, query)))

    def _may_answer(self, found: _Found, person: Person | None) -> bool:
        """Recipients for themselves; of the reviewers' questions any reviewer those that went to
        the mailbox they share, and their own."""
        if person is None or not found.proven:
            return False
        asked = found.query.who.person
        if found.query.asks is Asks.VERIFY:
            return asked == person.id
        reviewers = {p.id for p in self._steps.reviewers(self._steps.world.clock())}
        return person.id in reviewers and asked in ("", person.id)

    async def _answered(
        self,
        letter: UnreadMail,
        dossier: JudgedMessage,
        found: _Found,
        person: Person,
        reading: Reading,
    ) -> None:
        transaction = dossier.transaction
        read = await off_loop_if_large(
            weight(transaction), answer.read_answer, transaction.message, reading
        )
        says = _SAYS.get(read.kind)
        if says is Said.UNSURE and found.query.asks is not Asks.VERIFY:
            says = None
        if says is None:
            template = "case-too-late" if found.case.ended else "case-unclear"
            note = self._note(template, letter, dossier, found.matter, found.case)
            await self._matters.settle(letter.id, f"no plain answer: {read.kind.value}", note)
            return
        now = self._steps.world.clock()
        given = CaseAnswer(person.id, person.name, says, now, "mail", read.remark[:_REMARK])
        step = await self._step(found, given, now)
        if step.what == ("again",):
            await self._matters.settle(letter.id, f"said so before: {says.value}")
        elif step.late:
            note = self._note("case-too-late", letter, dossier, found.matter, step.case)
            await self._matters.settle(letter.id, f"{says.value}, too late", note)
        else:
            late = step.what == ("late yes",)
            notes = (
                self._note("case-late", letter, dossier, found.matter, step.case) if late else ()
            )
            await self._steps.carry_out(
                found.matter,
                step,
                now,
                person.addresses[0],
                detail=_detail(given),
                letter=letter.id,
                notes=notes,
            )

    async def _step(self, found: _Found, given: CaseAnswer, now: float) -> CaseStep:
        """What an answer makes of a case."""
        at, reviewers = self._steps.at(now), self._steps.asked_reviewers(now)
        match found.query.asks:
            case Asks.REVIEW:
                return life.reviewed(found.case, found.query, given, reviewers, at)
            case Asks.DECIDE:
                return life.decided(found.case, found.query, given, at)
            case Asks.VERIFY:
                step = life.answered(found.case, found.query, given, reviewers, at)
                gone = step.what == ("late yes",)
                if gone and not await self._steps.still_waits(found.matter, step.releases):
                    return CaseStep(found.case, ("late",), late=True)
                return step

    async def _refuse(
        self, letter: UnreadMail, dossier: JudgedMessage, found: _Found, by: str, inside: bool
    ) -> None:
        """An answer by somebody else, or with a token that we did not make: on record, told only
        to somebody of the district."""
        claimed = safe_text.line(by or dossier.transaction.envelope.reverse_path, 200)
        place = "somebody of the district" if inside else "outside, or not proven"
        why = "not the one who was asked" if found.proven else "not our token for them"
        detail = f"{claimed}: {place}; {why}"
        log.warning("answer_refused", case=found.matter.id, by=claimed, inside=inside)
        note = self._requests.note(letter, dossier, "case-refused") if inside else ()
        if found.case.ended or found.case.refused >= _REFUSALS:
            await self._matters.settle(letter.id, f"refused: {detail}", note)
            return
        case = replace(found.case, refused=found.case.refused + 1)
        now = self._steps.world.clock()
        await self._steps.carry_out(
            found.matter,
            CaseStep(case, ("refused",)),
            now,
            "mailguard",
            detail=detail,
            letter=letter.id,
            notes=note,
        )

    def _note(
        self, template: str, letter: UnreadMail, dossier: JudgedMessage, matter: Ticket, case: Case
    ) -> tuple[Outgoing, ...]:
        """To whoever answered; they are proven to be the ones who were asked."""
        to, now = dossier.transaction.envelope.reverse_path, self._steps.world.clock()
        notices = self._steps.world.notices
        if not may_answer(dossier.transaction, dossier.facts) or not notices.take([Spend(to, now)]):
            return ()
        answering = dossier.transaction.message.value("Message-ID")
        return (self._post(matter, case, now).note(template, to, letter.id, answering),)

    def _post(self, matter: Ticket, case: Case, now: float) -> CaseMailer:
        at = self._steps.at(now)
        return CaseMailer(self._steps.snapshot(), matter.id, matter.version + 1, case, at)

    # The clock

    async def turn(self, now: float) -> None:
        """What others decided, what is due, and the morning's summary; see `desk.each_alone`."""
        while await each_alone(KIND, self._work(now), self._left):
            pass

    async def _work(
        self, now: float
    ) -> AsyncIterator[tuple[int | str, Callable[[], Awaitable[None]]]]:
        left = self._left
        for matter in left.out_of(await self._matters.overtaken(KIND)):
            yield matter.id, partial(self._steps.overtaken, matter, now)
        for matter in left.out_of(await self._matters.due(KIND, now, AT_ONCE + left.count)):
            yield matter.id, partial(self._steps.look_at, matter, now)
        yield 0, partial(self._summaries.turn, now)

    # The page

    async def question(self, matter: Ticket, token: str) -> Question | None:
        """What stands behind the link of a question."""
        found = await self._on_page(matter, token)
        if found is None:
            return None
        now, case, query = self._steps.world.clock(), found.case, found.query
        late = False
        if case.stage is Stage.APPROVED and query.asks is Asks.VERIFY:
            own = CaseAnswer(query.who.person, query.who.name, Said.YES, now, "page")
            late = (await self._step(found, own, now)).what == ("late yes",)
        return page(self._post(matter, case, now), query, late=late)

    async def answer(self, matter: Ticket, token: str, choice: str, remark: str) -> str | None:
        """A POST on that page."""
        found = await self._on_page(matter, token)
        if found is None or choice not in set(Said):
            return None
        now, who = self._steps.world.clock(), found.query.who
        said = safe_text.line(remark, _REMARK)
        given = CaseAnswer(who.person, who.name, Said(choice), now, "page", said)
        step = await self._step(found, given, now)
        post = self._post(matter, step.case, now)
        outcome = post.outcome()
        if not step.late and step.what != ("again",):
            confirmed = (post.by_page(found.query, outcome),)
            detail = _detail(given)
            await self._steps.carry_out(
                matter, step, now, who.mailbox, detail=detail, notes=confirmed
            )
        return f"Nothing has changed. {outcome}" if step.late else outcome

    async def _on_page(self, matter: Ticket, token: str) -> _Found | None:
        """The question whose page this is, while who was asked is there."""
        for one in question.found_in([token]):
            try:
                found = await self._found(one, page_about) if one.matter == matter.id else None
            except ValueError:
                log.error("case_unreadable", case=matter.id)
                return None
            if found is not None and found.proven:
                return found if self._is_there(found.query) else None
        return None

    def _is_there(self, query: Query) -> bool:
        """Whether this person is still the one to answer: a reviewer's link ends with the office,
        a recipient's on the day they leave."""
        now, asked = self._steps.world.clock(), query.who.person
        if query.asks is not Asks.VERIFY:
            return not asked or asked in {p.id for p in self._steps.reviewers(now)}
        snapshot = self._steps.snapshot()
        person = snapshot.directory.people.get(asked)
        today = directory_lookups.day_at(now, snapshot.district.time_zone)
        return person is not None and person.left_since(today) is None


def _detail(given: CaseAnswer) -> str:
    return "; ".join(filter(None, (f"by {given.how}", given.remark)))


def counts(matters: Iterable[Ticket], at: At) -> Mapping[str, float]:
    """What is open, for the metrics: how many, the oldest's age in seconds, how many overdue."""
    cases = [case for _, case in readable(matters)]
    return {
        "open": len(cases),
        "oldest": max((at.now - case.opened_at for case in cases), default=0.0),
        "overdue": sum(life.is_overdue(case, at) for case in cases),
    }
