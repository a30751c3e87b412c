"""Requests to unblock, as they come by mail: from staff (R35) and from outside (R28).

Owns what a letter asks for, and which cases that opens or joins, all of them in one commit with the
answer to staff. Must not know what a case makes of a request (`casework.unblocking.life`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from mailguard.casework.engine import Engine
from mailguard.casework.stored_state import readable, states_size
from mailguard.casework.tickets import KeptCopy, Ticket, UnreadMail
from mailguard.casework.unblocking import life
from mailguard.casework.unblocking.case import CASE, Case, CaseStep, Requester, Stage
from mailguard.casework.unblocking.kept import copy_of, proves
from mailguard.casework.unblocking.mail import told
from mailguard.casework.unblocking.matching import Finder, Kept
from mailguard.casework.unblocking.named_addresses import Named, named_addresses
from mailguard.casework.unblocking.request_intent import Wish, wish
from mailguard.casework.unblocking.steps import CaseSteps
from mailguard.casework.workflow import Move, Work
from mailguard.core.mail import safe_text
from mailguard.core.mail.mailbox import ONLY_SINGLE, single_address
from mailguard.core.people.model import Person
from mailguard.core.sender.identity import author
from mailguard.core.sender.may_answer import may_answer
from mailguard.core.text.reading import Reading
from mailguard.pipeline.judged_message import JudgedMessage
from mailguard.pipeline.off_loop import off_loop_if_large, weight
from mailguard.pipeline.ports import Outgoing

_UNMATCHED = 200  # open cases of letters that match nothing; the mailbox has every letter anyway
_SHOWN = 50  # addresses of one kind in an answer
_GENERATIONS = 1_000  # cases of one address, one after another
_COPIES = 500  # of one case
_MESSAGES = 20


@dataclass(frozen=True)
class _Asked:
    """One case that a letter opens or joins."""

    ticket: Ticket
    addresses: tuple[str, ...]
    step: CaseStep
    claims: Sequence[KeptCopy]

    @property
    def is_new(self) -> bool:
        return not self.ticket.version or CASE.load(self.ticket.state) != self.step.case


@dataclass(frozen=True)
class Requests:
    """Each method ends with exactly one commit: the letter is read."""

    engine: Engine[Case]
    steps: CaseSteps

    @property
    def _work(self) -> Work:
        return self.steps.work

    async def from_staff(self, mail: UnreadMail, judged: JudgedMessage, person: Person) -> None:
        """Named addresses and forwarded messages: no further proof is needed (R35), but for the
        look at content (R32). Words that report spam unblock nobody."""
        message, reading = judged.transaction.message, _reading(judged)
        finder = Finder(self._work.tickets, self._work.take_up, judged)
        matched = await finder.forwarded()
        requester = _staff(judged, person)
        size = weight(judged.transaction)
        if await off_loop_if_large(size, wish, message, reading) is Wish.OTHER:
            if matched.senders:  # they ask what it is: whom it was written to is asked
                doubtful = Requester(
                    requester.mailbox, requester.name, requester.at, requester.message_id, person.id
                )
                await self._take_up(mail, judged, matched.senders, doubtful)
            else:
                note = self.note(mail, judged, "case-which")
                await self.engine.settle(mail, "no plain request", note)
            return
        owns = judged.facts.district.owns
        named, refused = _single(
            await off_loop_if_large(size, named_addresses, message, reading, owns)
        )
        senders = dict(matched.senders)
        for address in named:
            if address not in senders:
                senders[address] = await finder.by(address, person.addresses)
        if senders:
            await self._take_up(mail, judged, senders, requester, refused)
        elif refused:
            note = self.note(mail, judged, "case-request", _refusals(refused))
            await self.engine.settle(mail, "no single address (R37)", note)
        elif matched.forwards:
            await self._unmatched(mail, judged, requester)
        else:
            note = self.note(mail, judged, "case-which")
            await self.engine.settle(mail, "no request", note)

    async def from_outside(self, mail: UnreadMail, judged: JudgedMessage) -> None:
        """A blocked message forwarded, by whomever: those to whom it was written are asked."""
        finder = Finder(self._work.tickets, self._work.take_up, judged)
        matched = await finder.forwarded()
        if not matched.forwards:
            matched = await finder.of_the_writer()
        told = may_answer(judged.transaction, judged.facts)
        envelope, message = judged.transaction.envelope, judged.transaction.message
        mailbox = author(judged.transaction)
        requester = Requester(
            mailbox=envelope.reverse_path if told else "",
            name=safe_text.line(mailbox or envelope.reverse_path, 200),
            at=judged.transaction.received_at,
            message_id=safe_text.line(message.value("Message-ID"))[:250],
        )
        if matched.senders:
            await self._take_up(mail, judged, matched.senders, requester)
        elif matched.forwards:
            await self._unmatched(mail, judged, requester)
        else:
            await self.engine.settle(mail, "no request")

    async def _take_up(
        self,
        mail: UnreadMail,
        judged: JudgedMessage,
        senders: Mapping[str, Sequence[Kept]],
        requester: Requester,
        refused: Sequence[str] = (),
    ) -> None:
        """One commit for all the cases of a letter. Addresses of which nothing is kept have no
        content to look at: staff get them on the list at once, together."""
        now = self._work.desk.clock()
        opened = await self.open_cases()
        asked: list[_Asked] = []
        bare = tuple(a for a, kept in senders.items() if not kept and a not in opened)
        if bare:
            ticket = await self._work.tickets.new(self.engine.kind, f"letter|{mail.id}", now)
            step, claims = await self.request(ticket, bare, requester, (), judged, now)
            asked.append(_Asked(ticket, bare, step, claims))
        for address, kept in senders.items():
            if address in bare:
                continue
            ticket = opened.get(address) or await self.open_case(address, now)
            step, claims = await self.request(ticket, (address,), requester, kept, judged, now)
            asked.append(_Asked(ticket, (address,), step, claims))
        notes: tuple[Outgoing, ...] = ()
        if requester.person:
            lines = _became(asked, requester)
            notes = self.note(mail, judged, "case-request", lines, _refusals(refused))
        fresh = [one for one in asked if one.is_new or one.claims]
        if not fresh:
            numbers = ", ".join(str(one.ticket.id) for one in asked)
            await self.engine.settle(mail, f"nothing new for case {numbers}", notes)
            return
        by = requester.mailbox or f"{requester.name} (unproven)"
        heard = frozenset({requester.mailbox} if notes else ())
        change = self.steps.change
        await self.engine.move(
            *(
                Move(
                    one.ticket,
                    change(one.ticket, one.step, now, told_already=heard),
                    now,
                    by,
                    mail=None if n else mail.id,
                    claims=one.claims,
                    notes=() if n else notes,
                )
                for n, one in enumerate(fresh)
            )
        )

    async def open_cases(self) -> dict[str, Ticket]:
        """The open case of each address."""
        tickets = await self._work.tickets.find(self.engine.kind)
        return await off_loop_if_large(states_size(tickets), _by_address, tickets)

    async def _unmatched(
        self, mail: UnreadMail, judged: JudgedMessage, requester: Requester
    ) -> None:
        """What is forwarded is nothing that we keep: reviewers see it, and nobody is written to."""
        now = self._work.desk.clock()
        waiting = await self._work.tickets.find(self.engine.kind)
        if sum(one.status == Stage.UNMATCHED.value for one in waiting) >= _UNMATCHED:
            await self.engine.settle(mail, "unmatched, as too many others")
            return
        ticket = await self._work.tickets.new(self.engine.kind, f"letter|{mail.id}", now)
        step, _ = await self.request(ticket, (), requester, (), judged, now)
        by = requester.mailbox or f"{requester.name} (unproven)"
        change = self.steps.change(ticket, step, now)
        await self.engine.move(Move(ticket, change, now, by, mail=mail.id))

    async def open_case(self, address: str, now: float) -> Ticket:
        """The open case of an address, or an empty one for it: there is one at a time, and each
        end makes room for the next."""
        for generation in range(_GENERATIONS):
            key = f"{address}|{generation}"
            ticket = await self._work.tickets.new(self.engine.kind, key, now)
            if ticket.closed_at is None:
                return ticket
        raise ValueError(f"{_GENERATIONS} cases of one address")

    async def request(
        self,
        ticket: Ticket,
        addresses: tuple[str, ...],
        requester: Requester,
        kept: Sequence[Kept],
        letter: JudgedMessage | None,
        now: float,
    ) -> tuple[CaseStep, Sequence[KeptCopy]]:
        """What a request makes of a case; the copies that hang on it from now on."""
        case = CASE.load(ticket.state) if ticket.version else Case(addresses, requester.at)
        known = {copy.hold for copy in case.copies}
        fresh = [
            one
            for one in kept
            if one.hold.id not in known and await self._is_free(one.hold, ticket)
        ]
        fresh = fresh[: max(0, _COPIES - len(known))]
        proofs = [letter, *(one.judged for one in fresh)]
        if len(case.addresses) == 1 and any(proves(d, case.addresses[0]) for d in proofs if d):
            case = replace(case, proven=True)
        directory, today = self._work.snapshot().directory, self.steps.today(now)
        copies = [copy_of(one, directory, today) for one in fresh]
        messages = {one.hold.transaction_id: one for one in fresh}
        shown = [
            await off_loop_if_large(
                weight(one.judged.transaction), told, one.judged, one.hold.recipient
            )
            for one in list(messages.values())[:_MESSAGES]
            if one.judged is not None
        ]
        if letter is not None and not addresses:
            shown = [await off_loop_if_large(weight(letter.transaction), told, letter, "")]
        reviewers, at = self.steps.asked_reviewers(now), self.steps.at(now)
        step = life.requested(case, requester, copies, shown, reviewers, at)
        return step, [one.hold for one in fresh]

    async def _is_free(self, hold: KeptCopy, ticket: Ticket) -> bool:
        """Whether it may hang on this case: on none, on this one, or on one that has ended."""
        if hold.matter_id is None or hold.matter_id == ticket.id:
            return True
        other = await self._work.tickets.load(hold.matter_id)
        return other is None or other.closed_at is not None

    def note(
        self, mail: UnreadMail, judged: JudgedMessage, template: str, *paragraphs: str
    ) -> tuple[Outgoing, ...]:
        """The answer to a letter."""
        return self.engine.reply(mail, judged, template, [p for p in paragraphs if p])


def _by_address(tickets: Iterable[Ticket]) -> dict[str, Ticket]:
    return {a: ticket for ticket, case in readable(CASE, tickets) for a in case.addresses}


def _staff(judged: JudgedMessage, person: Person) -> Requester:
    message = judged.transaction.message
    return Requester(
        mailbox=person.addresses[0],
        name=person.name,
        at=judged.transaction.received_at,
        message_id=safe_text.line(message.value("Message-ID"))[:250],
        person=person.id,
        vouches=True,
    )


def _reading(judged: JudgedMessage) -> Reading:
    reading = judged.facts.reading
    return reading if isinstance(reading, Reading) else Reading()


def _single(named: Named) -> tuple[list[str], list[str]]:
    """The addresses that may be listed, and what is refused (R37)."""
    fit, refused = [], list(named.refused)
    for address in named.addresses:
        try:
            fit.append(single_address(address))
        except ValueError:
            refused.append(address)
    return fit, refused


def _became(asked: Sequence[_Asked], requester: Requester) -> str:
    """What became of each address, for the answer to staff."""
    kinds: dict[str, list[str]] = {}
    for one in asked:
        kinds.setdefault(_fate(one, requester), []).extend(one.addresses)
    return "\n".join(f"{kind}: {_listed(addresses)}" for kind, addresses in kinds.items())


def _fate(one: _Asked, requester: Requester) -> str:
    match one.step.case.stage:
        case Stage.APPROVED:
            return "Unblocked, for a year"
        case Stage.CONFLICT:
            return "Others do not know the sender; a reviewer decides"
        case Stage.NEW if requester.vouches:
            return "Unblocked once the content of the blocked messages has been reviewed"
        case _:
            return "Those to whom the messages were written are asked"


def _refusals(refused: Sequence[str]) -> str:
    return f"Not taken: {_listed(refused)}\n{ONLY_SINGLE}." if refused else ""


def _listed(words: Sequence[str]) -> str:
    more = f" and {len(words) - _SHOWN} more" if len(words) > _SHOWN else ""
    return ", ".join(words[:_SHOWN]) + more
