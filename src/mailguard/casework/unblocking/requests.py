"""Requests to unblock, as they come by mail: from staff (R35) and from outside (R28).

Owns what a letter asks for, and which cases that opens or joins, all of them in one commit with the
answer to staff. Must not know what a case makes of a request (`casework.unblocking.life`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from mailguard.casework.tickets import Ticket, UnreadMail
from mailguard.casework.unblocking.case import CaseStep, Requester, Stage
from mailguard.casework.unblocking.mail import reply
from mailguard.casework.unblocking.matching import Finder, Kept
from mailguard.casework.unblocking.named_addresses import Named, named_addresses
from mailguard.casework.unblocking.request_intent import Wish, wish
from mailguard.casework.unblocking.steps import CaseSteps
from mailguard.casework.unblocking.stored import KIND, readable, state_of, states_size
from mailguard.core.mail import safe_text
from mailguard.core.mail.mailbox import ONLY_SINGLE, single_address
from mailguard.core.people.model import Person
from mailguard.core.sender.identity import author
from mailguard.core.sender.may_answer import may_answer
from mailguard.core.text.reading import Reading
from mailguard.pipeline.counters import Spend
from mailguard.pipeline.judged_message import JudgedMessage
from mailguard.pipeline.off_loop import off_loop_if_large, weight
from mailguard.pipeline.ports import Outgoing

_UNMATCHED = 200  # open cases of letters that match nothing; the mailbox has every letter anyway
_SHOWN = 50  # addresses of one kind in an answer


@dataclass(frozen=True)
class _Asked:
    """One case that a letter opens or joins."""

    matter: Ticket
    addresses: tuple[str, ...]
    step: CaseStep
    claims: tuple[int, ...]

    @property
    def is_new(self) -> bool:
        return not self.matter.version or state_of(self.matter) != self.step.case


@dataclass(frozen=True)
class Requests:
    """Each method ends with exactly one commit: the letter is read."""

    steps: CaseSteps

    async def from_staff(self, letter: UnreadMail, dossier: JudgedMessage, person: Person) -> None:
        """Named addresses and forwarded messages: no further proof is needed (R35), but for the
        look at content (R32). Words that report spam unblock nobody."""
        message, reading = dossier.transaction.message, _reading(dossier)
        finder = Finder(self.steps.matters, self.steps.take_up, dossier)
        matched = await finder.forwarded()
        requester = _staff(dossier, person)
        size = weight(dossier.transaction)
        if await off_loop_if_large(size, wish, message, reading) is Wish.OTHER:
            if matched.senders:  # they ask what it is: whom it was written to is asked
                doubtful = Requester(
                    requester.mailbox, requester.name, requester.at, requester.message_id, person.id
                )
                await self._take_up(letter, dossier, matched.senders, doubtful)
            else:
                note = self.note(letter, dossier, "case-which")
                await self.steps.matters.settle(letter.id, "no plain request", note)
            return
        owns = dossier.facts.district.owns
        named, refused = _single(
            await off_loop_if_large(size, named_addresses, message, reading, owns)
        )
        senders = dict(matched.senders)
        for address in named:
            if address not in senders:
                senders[address] = await finder.by(address, person.addresses)
        if senders:
            await self._take_up(letter, dossier, senders, requester, refused)
        elif refused:
            note = self.note(letter, dossier, "case-request", _refusals(refused))
            await self.steps.matters.settle(letter.id, "no single address (R37)", note)
        elif matched.forwards:
            await self._unmatched(letter, dossier, requester)
        else:
            note = self.note(letter, dossier, "case-which")
            await self.steps.matters.settle(letter.id, "no request", note)

    async def from_outside(self, letter: UnreadMail, dossier: JudgedMessage) -> None:
        """A blocked message forwarded, by whomever: those to whom it was written are asked."""
        finder = Finder(self.steps.matters, self.steps.take_up, dossier)
        matched = await finder.forwarded()
        if not matched.forwards:
            matched = await finder.of_the_writer()
        told = may_answer(dossier.transaction, dossier.facts)
        envelope, message = dossier.transaction.envelope, dossier.transaction.message
        mailbox = author(dossier.transaction)
        requester = Requester(
            mailbox=envelope.reverse_path if told else "",
            name=safe_text.line(mailbox or envelope.reverse_path, 200),
            at=dossier.transaction.received_at,
            message_id=safe_text.line(message.value("Message-ID"))[:250],
        )
        if matched.senders:
            await self._take_up(letter, dossier, matched.senders, requester)
        elif matched.forwards:
            await self._unmatched(letter, dossier, requester)
        else:
            await self.steps.matters.settle(letter.id, "no request")

    async def _take_up(
        self,
        letter: UnreadMail,
        dossier: JudgedMessage,
        senders: Mapping[str, Sequence[Kept]],
        requester: Requester,
        refused: Sequence[str] = (),
    ) -> None:
        """One commit for all the cases of a letter. Addresses of which nothing is kept have no
        content to look at: staff get them on the list at once, together."""
        now = self.steps.world.clock()
        opened = await self.open_cases()
        asked: list[_Asked] = []
        bare = tuple(a for a, kept in senders.items() if not kept and a not in opened)
        if bare:
            matter = await self.steps.matters.new(KIND, f"letter|{letter.id}", now)
            step, claims = await self.steps.request(matter, bare, requester, (), dossier, now)
            asked.append(_Asked(matter, bare, step, claims))
        for address, kept in senders.items():
            if address in bare:
                continue
            matter = opened.get(address) or await self.steps.open_case(address, now)
            step, claims = await self.steps.request(
                matter, (address,), requester, kept, dossier, now
            )
            asked.append(_Asked(matter, (address,), step, claims))
        notes: tuple[Outgoing, ...] = ()
        if requester.person:
            lines = _became(asked, requester)
            notes = self.note(letter, dossier, "case-request", lines, _refusals(refused))
        fresh = [one for one in asked if one.is_new or one.claims]
        if not fresh:
            numbers = ", ".join(str(one.matter.id) for one in asked)
            await self.steps.matters.settle(letter.id, f"nothing new for case {numbers}", notes)
            return
        by = requester.mailbox or f"{requester.name} (unproven)"
        heard = frozenset({requester.mailbox} if notes else ())
        prepared = [
            await self.steps.prepare(
                one.matter,
                one.step,
                now,
                by,
                letter=None if n else letter.id,
                claims=one.claims,
                notes=() if n else notes,
                told_already=heard,
            )
            for n, one in enumerate(fresh)
        ]
        await self.steps.move(prepared)

    async def open_cases(self) -> dict[str, Ticket]:
        """The open case of each address."""
        matters = await self.steps.matters.find(KIND)
        return await off_loop_if_large(states_size(matters), _by_address, matters)

    async def _unmatched(
        self, letter: UnreadMail, dossier: JudgedMessage, requester: Requester
    ) -> None:
        """What is forwarded is nothing that we keep: reviewers see it, and nobody is written to."""
        now = self.steps.world.clock()
        waiting = await self.steps.matters.find(KIND)
        if sum(matter.status == Stage.UNMATCHED.value for matter in waiting) >= _UNMATCHED:
            await self.steps.matters.settle(letter.id, "unmatched, as too many others")
            return
        matter = await self.steps.matters.new(KIND, f"letter|{letter.id}", now)
        step, _ = await self.steps.request(matter, (), requester, (), dossier, now)
        by = requester.mailbox or f"{requester.name} (unproven)"
        await self.steps.carry_out(matter, step, now, by, letter=letter.id)

    def note(
        self,
        letter: UnreadMail,
        dossier: JudgedMessage,
        template: str,
        *paragraphs: str,
    ) -> tuple[Outgoing, ...]:
        """The answer to a letter; nobody is told who may not be, and so many an hour."""
        to, now = dossier.transaction.envelope.reverse_path, self.steps.world.clock()
        notices = self.steps.world.notices
        if not may_answer(dossier.transaction, dossier.facts) or not notices.take([Spend(to, now)]):
            return ()
        answering = dossier.transaction.message.value("Message-ID")
        more = [paragraph for paragraph in paragraphs if paragraph]
        return (reply(self.steps.snapshot(), template, to, letter.id, answering, now, more),)


def _by_address(matters: Iterable[Ticket]) -> dict[str, Ticket]:
    return {a: matter for matter, case in readable(matters) for a in case.addresses}


def _staff(dossier: JudgedMessage, person: Person) -> Requester:
    message = dossier.transaction.message
    return Requester(
        mailbox=person.addresses[0],
        name=person.name,
        at=dossier.transaction.received_at,
        message_id=safe_text.line(message.value("Message-ID"))[:250],
        person=person.id,
        vouches=True,
    )


def _reading(dossier: JudgedMessage) -> Reading:
    reading = dossier.facts.reading
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
