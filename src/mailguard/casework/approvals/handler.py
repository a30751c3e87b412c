"""The approvals desk: held messages become approvals, and answers are taken by mail and by page.

Owns whose answer counts: the approver's own, proven by their account, to the very question that
they were asked (R18). What does not count changes nothing, and is on record. Must not know how a
step is committed (`approval_steps`) or what an answer's words are (`casework.answers.answer`).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import structlog

from mailguard.casework.answers import answer
from mailguard.casework.answers import token as question
from mailguard.casework.answers.answer import Answer, AnswerKind
from mailguard.casework.approvals import life as life
from mailguard.casework.approvals.life import (
    Approval,
    ApprovalAnswer,
    ApprovalOutcome,
    ApprovalStep,
    Asked,
    Do,
)
from mailguard.casework.approvals.mail import ApprovalMailer, page_about, refused, token_about
from mailguard.casework.approvals.outside import outside_answer
from mailguard.casework.approvals.steps import GRANTS, KIND, ApprovalSteps, state_of, with_refusal
from mailguard.casework.approvals.withdrawal import Withdrawal
from mailguard.casework.inbox import each_alone, hear
from mailguard.casework.left_alone import AT_ONCE, LeftAlone
from mailguard.casework.tickets import KeptCopy, Question, Ticket, UnreadMail
from mailguard.core.decision.verdict import Disposition
from mailguard.core.mail import safe_text
from mailguard.core.mail.message import Message
from mailguard.core.people.model import Person
from mailguard.core.sender.may_answer import may_answer
from mailguard.core.text.reading import Reading
from mailguard.pipeline.counters import Spend
from mailguard.pipeline.judged_message import JudgedMessage
from mailguard.pipeline.off_loop import off_loop_if_large, weight
from mailguard.pipeline.ports import Outgoing

log = structlog.get_logger("mailguard.approvals")

_REMARK = 500  # characters of an approver's words
_REFUSALS = 20  # answers that could not count in one approval's history; the letters have them all
_STOPPABLE = 7 * 86_400.0  # seconds for which a message can be named by its Message-ID


About = Callable[[Approval, Asked], str]
"""What a token is bound to."""


@dataclass(frozen=True)
class _Found:
    """An open or ended approval that a token leads to."""

    matter: Ticket
    approval: Approval
    asked: Asked
    proven: bool  # we made the token for this approver and message


class ApprovalClerk:
    """A `Clerk`. `relay_vouches`: a trusted server's word for an author counts as an account's."""

    def __init__(self, steps: ApprovalSteps, relay_vouches: bool = True) -> None:
        self._steps = steps
        self._matters = steps.matters
        self._relay_vouches = relay_vouches
        self._left = LeftAlone()

    # Letters

    async def read(self, letter: UnreadMail, dossier: JudgedMessage) -> None:
        """An answer, or what looks like one."""
        size = weight(dossier.transaction)
        heard = await off_loop_if_large(size, hear, dossier, self._relay_vouches)
        if heard is None:
            await self._matters.settle(letter.id, "automatic mail, which answers nothing")
            return
        who, person, reading = heard.who, heard.person, heard.reading
        directory = self._steps.snapshot().directory
        outside = outside_answer(dossier, directory, reading) if not who.inside else None
        own = outside.id if outside is not None else person.id if person is not None else None
        counts = outside.tokens if outside is not None else heard.tokens
        every = [(t, one) for t in heard.tokens if (one := await self._found(t)) is not None]
        found = [one for _, one in every]
        theirs = next(
            (f for t, f in every if t in counts and f.proven and f.asked.person == own), None
        )
        now = self._steps.world.clock()
        if theirs is not None and own in await self._steps.in_office(theirs.matter, now):
            await self._answered(letter, dossier, theirs, reading)
        elif found:
            one = theirs or found[0]
            await self._refuse(letter, dossier, one, who.authenticated_as, who.inside)
        elif person is not None and (await _said(dossier, reading)).kind is AnswerKind.STOP:
            await self._stop_named(letter, dossier, person, reading)
        else:
            note = self._refusal(letter, dossier) if who.inside else ()
            await self._matters.settle(letter.id, "answers no question of ours", note)

    async def _found(self, token: question.Token, about: About = token_about) -> _Found | None:
        matter = await self._matters.load(token.matter)
        if matter is None or matter.kind != KIND or not matter.version:
            return None
        approval = state_of(matter)
        if token.number >= len(approval.asked):
            return None
        asked = approval.asked[token.number]
        keys = self._steps.snapshot().link_keys
        proven = question.proves(token, keys, about(approval, asked))
        return _Found(matter, approval, asked, proven)

    async def _answered(
        self, letter: UnreadMail, dossier: JudgedMessage, found: _Found, reading: Reading
    ) -> None:
        """The approver's own answer to their own question."""
        said = await _said(dossier, reading)
        now = self._steps.world.clock()
        given = _given(found.asked, said.kind is AnswerKind.YES, now, "mail", _more_than(said))
        by = found.asked.mailbox
        if said.kind is AnswerKind.STOP:
            await self._stop(found, given, by, now, letter, dossier)
            return
        if said.kind not in (AnswerKind.YES, AnswerKind.NO):
            waits = found.approval.outcome is ApprovalOutcome.WAITING
            template = "approval-unclear" if waits else "approval-too-late"
            note = self._note(template, letter, dossier, found.matter.id, found.approval)
            await self._matters.settle(letter.id, f"neither yes nor no: {said.kind.value}", note)
            return
        step = life.answered(found.approval, given)
        if Do.TELL_THEM in step.do:
            note = self._note("approval-too-late", letter, dossier, found.matter.id, step.approval)
            await self._matters.settle(letter.id, f"{given.how}, {step.what}", note)
            return
        await self._steps.carry_out(found.matter, step, now, by, letter=letter.id)

    async def _stop(
        self,
        found: _Found,
        given: ApprovalAnswer,
        by: str,
        now: float,
        letter: UnreadMail,
        dossier: JudgedMessage,
    ) -> None:
        """STOP by an approver (R21)."""
        step = life.stopped(found.approval, given)
        taken = await self._steps.withdrawal_of(found.matter) if Do.WITHDRAW in step.do else None
        if Do.TELL_THEM in step.do or (taken is not None and not taken.entries):
            said = {"outcome": taken.words()} if taken is not None else {}
            number, before = found.matter.id, found.approval
            note = self._note("approval-too-late", letter, dossier, number, before, **said)
            await self._matters.settle(letter.id, f"stop, {step.what}: nothing left to do", note)
            return
        outcome = taken.words() if taken is not None else "It is not delivered to anybody."
        notes = self._note(
            *("approval-stop", letter, dossier, found.matter.id, step.approval), outcome=outcome
        )
        await self._steps.carry_out(
            found.matter, step, now, by, letter=letter.id, notes=notes, withdrawal=taken
        )

    async def _stop_named(
        self, letter: UnreadMail, dossier: JudgedMessage, person: Person, reading: Reading
    ) -> None:
        """STOP about a message that needed no approval, named by an answer to it (R21): by the
        administration of its sender's site, or by Technology Services."""
        message, now = dossier.transaction.message, self._steps.world.clock()
        remark = (await _said(dossier, reading)).remark
        given = ApprovalAnswer(person.id, person.name, False, now, "mail", remark)
        theirs: list[tuple[JudgedMessage, Approval, Withdrawal]] = []
        async for transactions in self._named(message, now):
            for transaction_id in transactions:
                sent = await self._steps.take_up(transaction_id)
                if self._steps.may_stop(person, sent, now):
                    theirs.append((sent, *await self._steps.sent(sent, now)))
            if theirs:
                break
        # A mail program may send a message in several transactions, and anybody may send another
        # one under its Message-ID: all of them are stopped, the letter is done with the last.
        left = [one for one in theirs if one[2].entries]
        if not theirs:
            note = self._refusal(letter, dossier)
            await self._matters.settle(letter.id, "stop: no message that is theirs to stop", note)
            return
        sent, approval, _ = (left or theirs)[-1]
        taken = Withdrawal.of(each for _, _, each in left or theirs)
        template = "approval-stop" if left else "approval-too-late"
        slots = {"outcome": taken.words(), "number": sent.transaction.id}
        note = self._note(template, letter, dossier, 0, approval, **slots)
        if not left:
            await self._matters.settle(letter.id, f"stop: {taken.words()}", note)
            return
        by = person.addresses[0]
        for one, _, _ in left[:-1]:
            await self._steps.stop_sent(one, given, by)
        await self._steps.stop_sent(sent, given, by, letter=letter.id, notes=note)

    async def _named(self, message: Message, now: float) -> AsyncIterator[Sequence[str]]:
        """The transactions of each Message-ID that an answer names, the likeliest first."""
        for name in ("In-Reply-To", "References"):
            for message_id in reversed(message.value(name)[-2_000:].split()):
                yield await self._matters.sent_as(message_id, now - _STOPPABLE)

    async def _refuse(
        self, letter: UnreadMail, dossier: JudgedMessage, found: _Found, by: str, inside: bool
    ) -> None:
        """An answer by somebody else, or with a token that we did not make: on record, told only
        to somebody of the district."""
        claimed = safe_text.line(by or dossier.transaction.envelope.reverse_path, 200)
        place = "somebody of the district" if inside else "outside, or not proven"
        why = "not the one who was asked, or not in office" if found.proven else "not our token"
        detail = f"{claimed}: {place}; {why}"
        log.warning("answer_refused", approval=found.matter.id, by=claimed, inside=inside)
        note = self._refusal(letter, dossier) if inside else ()
        ended = found.approval.outcome is not ApprovalOutcome.WAITING
        if ended or found.approval.refused >= _REFUSALS:
            await self._matters.settle(letter.id, f"refused: {detail}", note)
            return
        step = ApprovalStep(with_refusal(found.approval), (), "refused")
        await self._steps.carry_out(
            found.matter,
            step,
            self._steps.world.clock(),
            "mailguard",
            detail=detail,
            letter=letter.id,
            notes=note,
        )

    def _note(
        self,
        template: str,
        letter: UnreadMail,
        dossier: JudgedMessage,
        matter: int,
        approval: Approval,
        **slots: str,
    ) -> tuple[Outgoing, ...]:
        to = self._to(dossier)
        if not to:
            return ()
        now = self._steps.world.clock()
        post = ApprovalMailer(self._steps.snapshot(), matter, approval, self._steps.terms, now)
        late = template == "approval-too-late" and approval.outcome is ApprovalOutcome.GRANTED
        if late and "outcome" not in slots:
            more = "To stop what has not left yet, answer the question by STOP."
            slots["outcome"] = f"{post.outcome()} {more}"
        answering = dossier.transaction.message.value("Message-ID")
        return (post.note(template, to, letter.id, answering, **slots),)

    def _refusal(self, letter: UnreadMail, dossier: JudgedMessage) -> tuple[Outgoing, ...]:
        to = self._to(dossier)
        if not to:
            return ()
        now, answering = self._steps.world.clock(), dossier.transaction.message.value("Message-ID")
        return (refused(self._steps.snapshot(), to, letter.id, answering, now),)

    def _to(self, dossier: JudgedMessage) -> str:
        """Where a note about an answer goes; so many an hour, or a loop would feed itself."""
        to, now = dossier.transaction.envelope.reverse_path, self._steps.world.clock()
        notices = self._steps.world.notices
        if not may_answer(dossier.transaction, dossier.facts) or not notices.take([Spend(to, now)]):
            return ""
        return to

    # The clock

    async def turn(self, now: float) -> None:
        """What others decided, what is due, and what has come in; see `desk.each_alone`."""
        while await each_alone(KIND, self._work(now), self._left):
            pass

    async def _work(
        self, now: float
    ) -> AsyncIterator[tuple[int | str, Callable[[], Awaitable[None]]]]:
        steps, left = self._steps, self._left
        at_once = AT_ONCE + left.count  # what is left alone takes nobody's place
        for matter in left.out_of(await self._matters.overtaken(KIND)):
            yield matter.id, partial(steps.overtaken, matter, now)
        for matter in left.out_of(await self._matters.due(KIND, now, at_once)):
            yield matter.id, partial(steps.look_at, matter, now)
        for matter in left.out_of(await self._matters.due(GRANTS, now, at_once)):
            yield matter.id, partial(steps.grant_ends, matter, now)
        each: dict[tuple[str, str], list[KeptCopy]] = {}
        for hold in await self._matters.unclaimed(Disposition.HOLD, at_once):
            each.setdefault((hold.digest, hold.reverse_path), []).append(hold)
        for holds in each.values():
            if holds[0].transaction_id not in left:
                yield holds[0].transaction_id, partial(steps.open, holds, now)

    # The page

    async def question(self, matter: Ticket, token: str) -> Question | None:
        """What an approver sees behind the link of their question."""
        found = await self._on_page(matter, token)
        if found is None:
            return None
        approval = found.approval
        post = self._post(matter, approval)
        told = approval.about
        waits = found.asked in approval.silent and approval.outcome is ApprovalOutcome.WAITING
        return Question(
            title="Approve this message?",
            paragraphs=(
                f"Why it waits: {' '.join(told.why)} Rule: {told.rules}.",
                f"Approve delivers it as it was written. Refuse stops it. Without an answer by "
                f"{post.until()} it is not delivered. The sender is told either way.",
            ),
            particulars=(
                ("From", told.sender),
                ("To", ", ".join(told.to)),
                ("Subject", told.subject),
            ),
            excerpt=told.excerpt,
            choices=(("yes", "Approve"), ("no", "Refuse")) if waits else (),
            person=found.asked.name,
            outcome="" if waits else post.outcome(),
        )

    async def answer(self, matter: Ticket, token: str, choice: str, remark: str) -> str | None:
        """A POST on that page."""
        found = await self._on_page(matter, token)
        if found is None or choice not in ("yes", "no"):
            return None
        now = self._steps.world.clock()
        given = _given(found.asked, choice == "yes", now, "page", remark)
        step = life.answered(found.approval, given)
        if Do.TELL_THEM not in step.do:
            confirmed = (self._post(matter, step.approval).by_page(found.asked),)
            by = found.asked.mailbox
            await self._steps.carry_out(found.matter, step, now, by, notes=confirmed)
        said = self._post(matter, step.approval).outcome()
        return said if step.what not in ("late", "again") else f"Nothing has changed. {said}"

    async def _on_page(self, matter: Ticket, token: str) -> _Found | None:
        """The question whose page this is, while who was asked is in office."""
        for one in question.found_in([token]):
            try:
                found = await self._found(one, page_about) if one.matter == matter.id else None
            except ValueError:
                log.error("approval_unreadable", approval=matter.id)
                return None
            if found is not None and found.proven:
                now = self._steps.world.clock()
                office = await self._steps.in_office(matter, now)
                return found if found.asked.person in office else None
        return None

    def _post(self, matter: Ticket, approval: Approval) -> ApprovalMailer:
        now = self._steps.world.clock()
        return ApprovalMailer(self._steps.snapshot(), matter.id, approval, self._steps.terms, now)


async def _said(dossier: JudgedMessage, reading: Reading) -> Answer:
    """What a letter answers."""
    transaction = dossier.transaction
    size = weight(transaction)
    return await off_loop_if_large(size, answer.read_answer, transaction.message, reading)


def _given(asked: Asked, yes: bool, now: float, how: str, remark: str) -> ApprovalAnswer:
    return ApprovalAnswer(asked.person, asked.name, yes, now, how, safe_text.line(remark, _REMARK))


def _more_than(said: Answer) -> str:
    """What an answer by mail says besides the answer: "Yes, approved" says nothing more."""
    return said.remark if len(said.remark.split()) > 2 else ""


def counts(matters: Iterable[Ticket], now: float) -> Mapping[str, float]:
    """What is open, for the metrics: how many, the oldest's age in seconds, how many overdue."""
    opened = list(matters)
    return {
        "open": len(opened),
        "oldest": max((now - m.opened_at for m in opened), default=0.0),
        "overdue": sum(m.wakes_at is not None and m.wakes_at < now for m in opened),
    }
