"""One engine for what waits for people: every workflow's tickets go through here.

Owns what happens to a ticket whatever its workflow: tokens and pages, whose answer is looked at and
how a refused one is put on record, the clock, copies decided elsewhere, state that cannot be read.
Must not know any workflow, or what a commit holds (`commit`).

What happens to a ticket is one of `Trigger`, and the condition it is found in one of `Condition`.
`CONDUCT` says what the engine does then; nothing below decides it otherwise:
"""

from __future__ import annotations

from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Iterable,
    Mapping,
    Sequence,
)
from dataclasses import dataclass, replace
from enum import Enum
from typing import Final

import structlog

from mailguard import metrics
from mailguard.casework.answers import token as tokens
from mailguard.casework.answers.answer import AnswerKind
from mailguard.casework.commit import Committing
from mailguard.casework.correspondent import Correspondent, answer_in, hear
from mailguard.casework.refusal import CommandRefused
from mailguard.casework.stored_state import left_alone, unreadable
from mailguard.casework.tickets import (
    Conflict,
    Question,
    Ticket,
    TicketEvent,
    TicketUpdate,
    UnreadMail,
)
from mailguard.casework.workflow import Found, Given, Move, S
from mailguard.core.mail import safe_text
from mailguard.core.people.calendar import DAY
from mailguard.core.record.formats import NewerFormat
from mailguard.core.sender.may_answer import may_answer
from mailguard.pipeline.counters import Spend
from mailguard.pipeline.judged_message import JudgedMessage
from mailguard.pipeline.off_loop import off_loop_if_large, weight
from mailguard.pipeline.ports import Outgoing, StoreError


class Condition(Enum):
    """What a ticket is found in."""

    NEW = "new"  # room was made for it, and nothing has happened yet
    OPEN = "open"
    CLOSED = "closed"
    UNREADABLE = "unreadable"  # its state is damaged
    NEWER = "newer"  # a newer version of mailguard wrote its state


class Trigger(Enum):
    """What happens to it."""

    MAIL = "mail"  # a letter carries one of its tokens
    LOOK = "look"  # a page of its is looked at
    ANSWER = "answer"  # a page of its is answered
    DUE = "due"  # its time has come
    OVERTAKEN = "overtaken"  # all its copies were decided about elsewhere
    CONSOLE = "console"  # a command names it


class Act(Enum):
    """What the engine does."""

    ASK = "ask"  # the workflow says what becomes of it
    NOTHING = "nothing"  # there is nothing here, or nothing left to do
    LEAVE = "leave"  # to the newer version: a letter waits behind the others, a command says why
    NOT_NOW = "not-now"  # the page says: try again later (the newer version will answer)
    PASS_ON = "pass-on"  # noqa: S105 - the letter is tried again, and goes to the postmaster
    SET_ASIDE = "set-aside"  # for a day, with an alert
    CLOSE = "close"  # nothing hangs on it any more; with an alert
    REFUSE = "refuse"  # in words for the operator


_TABLE = """
            mail     look     answer   due        overtaken  console
new         nothing  nothing  nothing  nothing    nothing    refuse
open        ask      ask      ask      ask        ask        ask
closed      ask      ask      ask      nothing    nothing    ask
unreadable  pass-on  nothing  nothing  set-aside  close      refuse
newer       leave    not-now  not-now  leave      leave      leave
"""
_events, *_rows = (line.split() for line in _TABLE.strip().splitlines())
CONDUCT: Final[Mapping[tuple[Condition, Trigger], Act]] = {
    (Condition(condition), Trigger(event)): Act(act)
    for condition, *acts in _rows
    for event, act in zip(_events, acts, strict=True)
}

log = structlog.get_logger("mailguard.desk")

AT_ONCE = 100  # tickets that move, or messages that are new, in one turn of a workflow
MOST_REFUSED = 20  # answers that could not count in one history; the letters have them all
_REMARK = 500  # characters of an answerer's words


class Unreadable(ValueError):
    """A ticket's state is damaged."""


@dataclass(frozen=True)
class Engine(Committing[S]):
    """A `Handler` for the tickets of one workflow. It keeps nothing itself: two of them, here or on
    another node, do no harm. What a step was thought out for and is no more is a Conflict."""

    @property
    def desk(self) -> str:
        return self.workflow.desk

    # What a ticket is found in

    def meet(self, ticket: Ticket, event: Trigger) -> tuple[Act, S | None]:
        """What is to be done, and the state where the workflow is to be asked. Raises NewerFormat
        (LEAVE), StoreError (NOT_NOW), Unreadable (PASS_ON), CommandRefused (REFUSE)."""
        condition, state, trouble = self._condition(ticket)
        act = CONDUCT[condition, event]
        if isinstance(trouble, NewerFormat):
            left_alone(self.kind, ticket.id, trouble)
        elif trouble is not None:
            unreadable(self.kind, ticket.id, trouble)
        match act:
            case Act.ASK:
                return act, state
            case Act.LEAVE if trouble is not None:
                raise trouble
            case Act.NOT_NOW:
                raise StoreError(str(trouble))
            case Act.PASS_ON:
                raise Unreadable(f"{self.kind} {ticket.id}") from trouble
            case Act.REFUSE if condition is Condition.NEW:
                raise self.unknown(ticket.id)
            case Act.REFUSE:
                raise CommandRefused(f"the stored state of {self.kind} {ticket.id} cannot be read")
            case _:
                return act, None

    def _condition(
        self, ticket: Ticket
    ) -> tuple[Condition, S | None, NewerFormat | ValueError | None]:
        if not ticket.version:
            return Condition.NEW, None, None
        try:
            state = self.workflow.stored.load(ticket.state)
        except NewerFormat as newer:
            return Condition.NEWER, None, newer
        except ValueError as error:
            return Condition.UNREADABLE, None, error
        closed = ticket.closed_at is not None
        return Condition.CLOSED if closed else Condition.OPEN, state, None

    def unknown(self, number: int) -> CommandRefused:
        listing = self.workflow.listing
        return CommandRefused(f"there is no {self.kind} {number}; see: mailguard {listing} --all")

    # Letters

    async def read(self, mail: UnreadMail, judged: JudgedMessage) -> None:
        """An answer, or what the workflow makes of any other letter."""
        workflow, size = self.workflow, weight(judged.transaction)
        directory = self.work.snapshot().directory
        heard = await off_loop_if_large(size, hear, judged, workflow.relay_vouches, directory)
        if heard is None:
            await self.settle(mail, "automatic mail, which asks and answers nothing")
            return
        found: list[tuple[tokens.Token, Found[S]]] = []
        trouble: NewerFormat | Unreadable | None = None
        for token in heard.tokens:
            try:
                one = await self._found(token, Trigger.MAIL)
            except (NewerFormat, Unreadable) as of_one:  # it says nothing of the other tokens
                trouble = trouble or of_one
            else:
                found += [(token, one)] if one is not None else []
        now = self.work.desk.clock()
        theirs = next(
            (
                one
                for token, one in found
                if one.proven and token in heard.counting and workflow.is_theirs(one, heard.id, now)
            ),
            None,
        )
        if theirs is not None and await workflow.still_asked(theirs, now):
            await self._answered(mail, judged, theirs, heard)
        elif trouble is not None and heard.id:  # it may be the one that they answer
            raise trouble
        elif found:
            await self._refuse(mail, judged, theirs or found[0][1], heard)
        else:
            await workflow.unasked(mail, judged, heard)

    async def _found(self, token: tokens.Token, event: Trigger) -> Found[S] | None:
        """The question that a token leads to. A page's key is bound to the same as the token that
        stands in headers, and is another."""
        ticket = await self.work.tickets.load(token.ticket)
        if ticket is None or ticket.kind != self.kind:
            return None
        _, state = self.meet(ticket, event)
        if state is None or token.number >= len(asked := self.workflow.asked(state)):
            return None
        post = self.workflow.mailer(ticket, state, self.work.desk.clock())
        about = (post.bound_to if event is Trigger.MAIL else post.page_bound_to)(token.number)
        proven = tokens.proves(token, self.work.snapshot().link_keys, about)
        return Found(ticket, state, token.number, asked[token.number], proven)

    async def _answered(
        self,
        mail: UnreadMail,
        judged: JudgedMessage,
        found: Found[S],
        heard: Correspondent,
    ) -> None:
        """Their own answer to their own question."""
        read, now = await answer_in(judged, heard.reading), self.work.desk.clock()
        asked = found.asked
        name, mailbox = asked.name, asked.mailbox
        if asked.person != heard.id and heard.person:  # one of several who read the mailbox
            name, mailbox = heard.person.name, heard.person.addresses[0]
        given = Given(heard.id, name, mailbox, read.kind, read.remark[:_REMARK], "mail", now)
        response = await self.workflow.answered(found, given)
        notes: tuple[Outgoing, ...] = ()
        if (note := response.note) is not None:
            post = self.workflow.mailer(found.ticket, note.state, now)
            notes = self.note(
                judged, lambda to, said: post.on_mail(note.template, to, mail.id, said, note.slots)
            )
        if response.change is None:
            await self.settle(mail, response.outcome, notes)
            return
        await self.move(
            Move(found.ticket, response.change, now, mailbox, mail=mail.id, notes=notes)
        )

    async def _refuse(
        self, mail: UnreadMail, judged: JudgedMessage, found: Found[S], heard: Correspondent
    ) -> None:
        """An answer by somebody else, or with a token that we did not make: on record, told only
        to somebody of the district."""
        workflow, inside = self.workflow, heard.who.inside
        by = heard.who.authenticated_as or judged.transaction.envelope.reverse_path
        claimed = safe_text.line(by, 200)
        place = "somebody of the district" if inside else "outside, or not proven"
        why = workflow.not_theirs if found.proven else workflow.not_ours
        detail = f"{claimed}: {place}; {why}"
        number = found.ticket.id
        log.warning("answer_refused", kind=self.kind, ticket=number, by=claimed, inside=inside)
        notes = self.refusal(mail, judged) if inside else ()
        now = self.work.desk.clock()
        change = workflow.refused(found.ticket, found.state, MOST_REFUSED, now)
        if change is None:
            await self.settle(mail, f"refused: {detail}", notes)
            return
        step = Move(found.ticket, change, now, "mailguard", detail, mail=mail.id, notes=notes)
        await self.move(step)

    def refusal(self, mail: UnreadMail, judged: JudgedMessage) -> tuple[Outgoing, ...]:
        """The note that an answer does not count."""
        return self.reply(mail, judged, f"{self.kind}-refused")

    def reply(
        self, mail: UnreadMail, judged: JudgedMessage, template: str, more: Sequence[str] = ()
    ) -> tuple[Outgoing, ...]:
        """The note to a letter that belongs to no ticket."""
        made = self.workflow.reply
        return self.note(judged, lambda to, said: made(template, to, mail, said, more))

    def note(
        self, judged: JudgedMessage, make: Callable[[str, str], Outgoing]
    ) -> tuple[Outgoing, ...]:
        """A note to whoever wrote, made from their mailbox and their Message-ID. Nobody is told who
        may not be, and so many an hour, or a loop would feed itself: its commit spends one."""
        to, now = judged.transaction.envelope.reverse_path, self.work.desk.clock()
        if not may_answer(judged.transaction, judged.facts):
            return ()
        if not self.work.desk.notices.allows(to, now):
            return ()
        answering = judged.transaction.message.value("Message-ID")
        return (replace(make(to, answering), spends=Spend(to, now)),)

    # The clock, what others did, and what is new

    async def turn(self, now: float) -> None:
        """One after the other, each by itself: what is left alone, or fails, stops nothing that is
        due behind it. Raises StoreError at the end, where some did for want of the store."""
        trouble: list[StoreError] = []
        tickets = self.work.tickets
        for event, page in (
            (Trigger.OVERTAKEN, tickets.overtaken),
            (Trigger.DUE, lambda kind, limit, after: tickets.due(kind, now, limit, after)),
        ):
            moved = 0
            async for ticket in _paged(page, self.kind):
                moved += await self._alone(ticket.id, self._meets(ticket, event, now), trouble)
                if moved >= AT_ONCE:
                    break
        begun = 0
        async for which, work in self.workflow.begin(now):
            begun += await self._alone(which, _done(work), trouble)
            if begun >= AT_ONCE:
                break
        if trouble:
            raise trouble[0]

    async def _alone(
        self, which: int | str, work: Awaitable[bool], trouble: list[StoreError]
    ) -> bool:
        """Whether it was done."""
        try:
            return await work
        except NewerFormat as newer:
            left_alone(self.kind, which, newer)
        except Conflict as conflict:  # somebody was quicker; the next turn sees what is left
            log.info("desk_conflict", kind=self.kind, ticket=which, reason=str(conflict))
        except StoreError as error:  # it may be one message's damaged copy
            log.error("desk_store", kind=self.kind, ticket=which, reason=str(error))
            trouble.append(error)
        except Exception:
            log.exception("desk_error", kind=self.kind, ticket=which)
            metrics.INTERNAL_ERRORS.labels(self.kind).inc()
        return False

    async def _meets(self, ticket: Ticket, event: Trigger, now: float) -> bool:
        """Whether the ticket moved."""
        act, state = self.meet(ticket, event)
        if act in (Act.SET_ASIDE, Act.CLOSE):
            await self._set_aside(ticket, now, closes=act is Act.CLOSE)
        if state is None:
            return False
        if event is Trigger.DUE:
            change = self.workflow.due(ticket, state, now)
        else:
            holds = await self.work.tickets.holds_of(ticket.id)
            last = max(holds, key=lambda hold: hold.decided_at or 0.0)
            let_go = any(hold.state == "released" for hold in holds)
            by = last.decided_by or "the console"
            change = self.workflow.overtaken(ticket, state, let_go, by, now)
        if change is not None:
            await self.move(Move(ticket, change, now, "mailguard"))
        return change is not None

    async def _set_aside(self, ticket: Ticket, now: float, *, closes: bool) -> None:
        """What cannot be read waits for an administrator, and in nobody's way; its state stays as
        it is."""
        line = TicketEvent(now, "mailguard", "unreadable", "its stored state is damaged")
        status = "overtaken" if closes else ticket.status
        step = TicketUpdate(
            *(ticket.id, ticket.version, status, ticket.state, now + DAY, (line,)), closes=closes
        )
        await self.work.tickets.move([step])

    def begins(self, now: float) -> bool:
        """Whether something is to be begun that no row of the store tells of."""
        return self.workflow.begins(now)

    def count(self, tickets: Iterable[Ticket], now: float) -> Mapping[str, float]:
        """What is open, for the metrics."""
        return self.workflow.count(tickets, now)

    # The page

    async def question(self, ticket: Ticket, token: str) -> Question | None:
        """What stands behind the link of a question; None where it is none of ours. Raises
        StoreError, also where a newer version has to answer."""
        try:
            found = await self._on_page(ticket, token, Trigger.LOOK)
            now = self.work.desk.clock()
            return await self.workflow.question(found, now) if found is not None else None
        except NewerFormat as newer:
            raise self._not_now(ticket, newer) from newer

    async def answer(self, ticket: Ticket, token: str, choice: str, remark: str) -> str | None:
        """A POST on that page; in words what came of it."""
        try:
            return await self._answer(ticket, token, choice, remark)
        except NewerFormat as newer:
            raise self._not_now(ticket, newer) from newer

    async def _answer(self, ticket: Ticket, token: str, choice: str, remark: str) -> str | None:
        workflow = self.workflow
        found = await self._on_page(ticket, token, Trigger.ANSWER)
        if found is None or choice not in {kind.value for kind in workflow.choices}:
            return None
        now, asked = self.work.desk.clock(), found.asked
        said = safe_text.line(remark, _REMARK)
        kind = AnswerKind(choice)
        given = Given(asked.person, asked.name, asked.mailbox, kind, said, "page", now)
        response = await workflow.answered(found, given)
        if (change := response.change) is not None:
            told = workflow.mailer(ticket, change.state, now).by_page(found.place, response.said)
            step = Move(ticket, change, now, asked.mailbox, notes=(told,))
            await self.move(step)
        return f"Nothing has changed. {response.said}" if response.in_vain else response.said

    async def _on_page(self, ticket: Ticket, token: str, event: Trigger) -> Found[S] | None:
        """The question whose page this is, while who was asked may answer."""
        for one in tokens.found_in([token]):
            found = await self._found(one, event) if one.ticket == ticket.id else None
            if found is not None and found.proven:
                now = self.work.desk.clock()
                return found if await self.workflow.still_asked(found, now) else None
        return None

    def _not_now(self, ticket: Ticket, newer: NewerFormat) -> StoreError:
        """Not its state, but a record that is needed, is a newer version's."""
        left_alone(self.kind, ticket.id, newer)
        return StoreError(str(newer))


_Page = Callable[[str, int, Ticket | None], Awaitable[Sequence[Ticket]]]


async def _paged(page: _Page, kind: str) -> AsyncIterator[Ticket]:
    """Each once, however many of those before it stay where they are."""
    seen: set[int] = set()
    after: Ticket | None = None
    while found := await page(kind, AT_ONCE, after):
        for ticket in found:
            if ticket.id not in seen:
                seen.add(ticket.id)
                yield ticket
        after = found[-1]


async def _done(work: Callable[[], Awaitable[None]]) -> bool:
    await work()
    return True
