"""An unblock case's steps carried out: each is one commit of state, holds, list, mail and history
(R28-R37).

Owns how a request becomes a case or joins one, and what each step of `casework.unblocking.life`
does to the store. Letters, pages and the console come through here alike. Must not know how a
letter is read or who gave an answer.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date

import structlog

from mailguard.casework.inbox import TakeUp
from mailguard.casework.tickets import KeptCopy, Listing, Ticket, TicketEvent, Tickets, TicketUpdate
from mailguard.casework.unblocking import life as life
from mailguard.casework.unblocking.case import (
    CASE,
    At,
    Case,
    CaseDeadlines,
    CaseStep,
    Requester,
    Said,
    Tell,
    Who,
)
from mailguard.casework.unblocking.kept import copy_of, proves, who_is
from mailguard.casework.unblocking.mail import CaseMailer, told
from mailguard.casework.unblocking.matching import Kept
from mailguard.casework.unblocking.stored import KIND, state_of
from mailguard.core.decision.verdict import about_spam
from mailguard.core.people.directory import Directory
from mailguard.core.people.model import Person
from mailguard.core.record.formats import NewerFormat
from mailguard.core.sender import directory_lookups
from mailguard.core.spam import tokens
from mailguard.core.text.reading import Reading
from mailguard.pipeline.judged_message import JudgedMessage
from mailguard.pipeline.off_loop import off_loop_if_large, weight
from mailguard.pipeline.ports import Deskwork, Outgoing, StoreError
from mailguard.pipeline.release import released
from mailguard.pipeline.snapshot import Snapshot

log = structlog.get_logger("mailguard.cases")

YEAR = 365 * 86_400.0  # seconds that an entry counts (R38: yearly)
_GENERATIONS = 1_000  # cases of one address, one after another
_COPIES = 500  # of one case
_MESSAGES = 20

Teach = Callable[[str, Sequence[str], bool], Awaitable[None]]
"""Teach the filter: a message's digest, its words, whether it is spam. Known ones count once."""


async def teach_nobody(digest: str, words: Sequence[str], spam: bool) -> None:
    """Where nothing is to be learned."""


@dataclass(frozen=True, slots=True)
class Staff:
    """Who does what at this desk, as the district has set it."""

    reviewers: tuple[str, ...] = ()  # person ids or addresses; empty: by role
    asks: str = "mailbox"  # where reviewers are asked: "mailbox", "people" or "both"
    sheets: tuple[str, ...] = ()  # roles, person ids or addresses: who hands sheets in (R38)


REVIEWERS = ("technology_services_director", "executive_director_it", "it_designee")
"""The roles of those who review where nobody is named."""


@dataclass(frozen=True)
class Prepared:
    """A step of one case, ready to be committed, and what is learned from it then."""

    transition: TicketUpdate
    lessons: tuple[tuple[str, bool], ...] = ()  # transaction and whether it is spam


@dataclass(frozen=True)
class CaseSteps:
    """Every method that writes is one commit, and raises Conflict where somebody was quicker."""

    matters: Tickets
    snapshot: Callable[[], Snapshot]
    take_up: TakeUp
    world: Deskwork
    terms: CaseDeadlines = field(default_factory=CaseDeadlines)
    staff: Staff = field(default_factory=Staff)
    teach: Teach = teach_nobody

    def at(self, now: float) -> At:
        """That moment, with the calendar that is in force."""
        return At(now, self.snapshot().calendar, self.terms)

    # Who is who

    def reviewers(self, now: float) -> tuple[Person, ...]:
        """The people who review, as they are there on that day."""
        directory, today = self.snapshot().directory, self._today(now)
        if not self.staff.reviewers:
            named = [p for role in REVIEWERS for p in directory.with_role(role, today)]
        else:
            found = (_person(directory, name) for name in self.staff.reviewers)
            named = [p for p in found if p is not None and p.left_since(today) is None]
        return tuple({person.id: person for person in named}.values())

    def asked_reviewers(self, now: float) -> tuple[Who, ...]:
        """Where the reviewers' questions go: the mailbox they share, themselves, or both."""
        district = self.snapshot().district
        people = [who_is(p) for p in self.reviewers(now) if p.addresses]
        mailbox = Who("", f"{district.short_name} reviewers", district.spammail)
        if self.staff.asks == "mailbox" or not people:
            return (mailbox,)
        return (mailbox, *people) if self.staff.asks == "both" else tuple(people)

    # Requests

    async def open_case(self, address: str, now: float) -> Ticket:
        """The open case of an address, or an empty one for it: there is one at a time, and each
        end makes room for the next."""
        for generation in range(_GENERATIONS):
            matter = await self.matters.new(KIND, f"{address}|{generation}", now)
            if matter.closed_at is None:
                return matter
        raise ValueError(f"{_GENERATIONS} cases of one address")

    async def request(
        self,
        matter: Ticket,
        addresses: tuple[str, ...],
        requester: Requester,
        kept: Sequence[Kept],
        letter: JudgedMessage | None,
        now: float,
    ) -> tuple[CaseStep, tuple[int, ...]]:
        """What a request makes of a case; the holds that hang on it from now on."""
        case = state_of(matter) if matter.version else Case(addresses, requester.at)
        known = {copy.hold for copy in case.copies}
        fresh = [
            one
            for one in kept
            if one.hold.id not in known and await self._is_free(one.hold, matter)
        ]
        fresh = fresh[: max(0, _COPIES - len(known))]
        proofs = [letter, *(one.dossier for one in fresh)]
        if len(case.addresses) == 1 and any(proves(d, case.addresses[0]) for d in proofs if d):
            case = replace(case, proven=True)
        directory, today = self.snapshot().directory, self._today(now)
        copies = [copy_of(one, directory, today) for one in fresh]
        messages = {one.hold.transaction_id: one for one in fresh}
        shown = [
            await off_loop_if_large(
                weight(one.dossier.transaction), told, one.dossier, one.hold.recipient
            )
            for one in list(messages.values())[:_MESSAGES]
            if one.dossier is not None
        ]
        if letter is not None and not addresses:
            shown = [await off_loop_if_large(weight(letter.transaction), told, letter, "")]
        step = life.requested(
            case, requester, copies, shown, self.asked_reviewers(now), self.at(now)
        )
        return step, tuple(one.hold.id for one in fresh)

    async def _is_free(self, hold: KeptCopy, matter: Ticket) -> bool:
        """Whether it may hang on this case: on none, on this one, or on one that has ended."""
        if hold.matter_id is None or hold.matter_id == matter.id:
            return True
        other = await self.matters.load(hold.matter_id)
        return other is None or other.closed_at is not None

    # Every step

    async def carry_out(
        self,
        matter: Ticket,
        step: CaseStep,
        now: float,
        by: str,
        *,
        detail: str = "",
        letter: int | None = None,
        claims: tuple[int, ...] = (),
        notes: Sequence[Outgoing] = (),
    ) -> None:
        """One commit of what a step asks for. `notes` go with it."""
        prepared = await self.prepare(
            matter, step, now, by, detail=detail, letter=letter, claims=claims, notes=notes
        )
        await self.move([prepared])

    async def move(self, prepared: Sequence[Prepared]) -> None:
        """Commit them all, or none; then the filter learns from what was decided."""
        await self.matters.move([one.transition for one in prepared])
        self.world.outbox.ring()
        for one in prepared:
            for transaction_id, spam in one.lessons:
                await self._learn(transaction_id, spam)

    async def prepare(
        self,
        matter: Ticket,
        step: CaseStep,
        now: float,
        by: str,
        *,
        detail: str = "",
        letter: int | None = None,
        claims: tuple[int, ...] = (),
        notes: Sequence[Outgoing] = (),
        told_already: frozenset[str] = frozenset(),
    ) -> Prepared:
        """Everything that a step's one commit holds. `told_already` are mailboxes that hear of it
        by a note."""
        case = step.case
        holds = {h.id: h for h in await self.matters.holds_of(matter.id)}
        for number in claims:
            hold = await self.matters.hold(number)
            if hold is not None:
                holds[number] = hold
        waiting = {number: h for number, h in holds.items() if h.state == "waiting"}
        sent, unreadable = await self._released(
            [waiting[n] for n in step.releases if n in waiting], now
        )
        releases = tuple(n for n in step.releases if n in waiting and n not in unreadable)
        discards = tuple(n for n in step.discards if n in waiting and n not in releases)
        post = CaseMailer(self.snapshot(), matter.id, matter.version + 1, case, self.at(now))
        outgoing = [*notes, *sent, *await self._questions(post, step)]
        outgoing += self._tellings(post, step, releases, told_already)
        said = [detail]
        if unreadable:
            said.append(f"recorded by another version, so not released: {_numbers(unreadable)}")
        if Tell.OUTSIDE in step.tells and not case.proven:
            said.append("the outside sender was not told: unproven")
        details = "; ".join(filter(None, (*said, _told(step, releases, discards))))
        lines = tuple(
            TicketEvent(now, by, what, details if n == len(step.what) - 1 else "")
            for n, what in enumerate(step.what)
        )
        transition = TicketUpdate(
            matter=matter.id,
            version=matter.version,
            status=case.stage.value,
            state=CASE.dump(case),
            wakes_at=life.wakes_at(case, self.at(now)),
            history=lines,
            claims=claims,
            releases=releases,
            discards=discards,
            outgoing=tuple(outgoing),
            listings=self._listings(matter, step, now),
            letter=letter,
            by=f"{case.decided_by or by} (case {matter.id})",
            closes=case.ended,
        )
        lessons = {holds[n].transaction_id: True for n in discards if about_spam(holds[n].reason)}
        lessons |= {holds[n].transaction_id: False for n in releases if about_spam(holds[n].reason)}
        return Prepared(transition, tuple(lessons.items()))

    async def _released(
        self, holds: Iterable[KeptCopy], now: float
    ) -> tuple[Sequence[Outgoing], frozenset[int]]:
        """The original bytes with the edits of each copy; the holds whose record is unreadable."""
        each: dict[str, list[tuple[int, str]]] = {}
        for hold in holds:
            each.setdefault(hold.transaction_id, []).append((hold.id, hold.recipient))
        outgoing: list[Outgoing] = []
        unreadable: set[int] = set()
        for transaction_id, kept in each.items():
            try:
                dossier = await self.take_up(transaction_id)
            except (KeyError, ValueError):
                unreadable |= {number for number, _ in kept}
                continue
            size = weight(dossier.transaction)
            outgoing += await off_loop_if_large(size, released, dossier, kept, now)
        return outgoing, frozenset(unreadable)

    async def _questions(self, post: CaseMailer, step: CaseStep) -> Sequence[Outgoing]:
        mails = [post.ask(place) for place in step.asks]
        mails += [post.ask(place, again=True) for place in step.reminds]
        for place in step.informs:
            original = await self._original(step.case, place)
            size = len(original)
            mails.append(
                await off_loop_if_large(
                    size, post.ask, place, again=not original, original=original
                )
            )
        return mails

    async def _original(self, case: Case, place: int) -> bytes:
        """The blocked message for somebody who is not sure (R31); b"" where none may be passed
        on."""
        wanted = {c.hold for c in case.of([case.asked[place].who.person])}
        for copy in case.copies:
            if copy.hold in wanted and copy.reviewed and not copy.hard:
                try:
                    dossier = await self.take_up(copy.transaction)
                except (KeyError, ValueError):
                    continue
                return dossier.transaction.message.raw
        return b""

    def _tellings(
        self,
        post: CaseMailer,
        step: CaseStep,
        releases: Sequence[int],
        told_already: frozenset[str],
    ) -> Iterable[Outgoing]:
        case = step.case
        gone = [copy for copy in case.copies if copy.hold in set(releases)]
        people: dict[str, str] = {}
        if Tell.STAFF in step.tells:
            yes = set(case.having(Said.YES))
            people = {q.who.mailbox: q.who.person for q in case.verifiers if q.who.person in yes}
            people |= {r.mailbox: r.person for r in case.requesters if r.person and r.mailbox}
            for mailbox, person in people.items():
                if mailbox not in told_already:
                    yield post.approved(mailbox, person, gone)
        if Tell.OUTSIDE in step.tells and case.proven:
            yield from (post.unblocked(address, gone) for address in case.addresses)
        if Tell.REQUESTERS in step.tells:
            requesters = {r.mailbox: r for r in case.requesters if r.mailbox not in ("", *people)}
            yield from (post.ended(requester) for requester in requesters.values())
        if Tell.ASKED in step.tells:
            asked = {q.who.person: q for q in case.verifiers if q.who.mailbox not in people}
            yield from (post.settled(query) for query in asked.values())

    def _listings(self, matter: Ticket, step: CaseStep, now: float) -> tuple[Listing, ...]:
        """R31, R37: single addresses for a year, with the case as their origin and the site of who
        verified them."""
        case, directory = step.case, self.snapshot().directory
        ids = (*case.having(Said.YES), *(r.person for r in case.vouched))
        sites = [site for person in directory.named(ids) for site in person.sites]
        site = sites[0] if sites else ""
        origin, by = f"case {matter.id}", case.decided_by
        return tuple(Listing(one, origin, site, by, now, now + YEAR) for one in step.lists)

    async def _learn(self, transaction_id: str, spam: bool) -> None:
        """Outside the commit: what cannot be taught now changes nothing of what was decided."""
        try:
            dossier = await self.take_up(transaction_id)
            reading = dossier.facts.reading
            if isinstance(reading, Reading):
                transaction = dossier.transaction
                words = await off_loop_if_large(
                    weight(transaction), tokens.words, transaction.message, reading
                )
                await self.teach(dossier.digest, words, spam)
        except (KeyError, ValueError, NewerFormat, StoreError) as error:
            log.warning("not_learned", id=transaction_id, reason=str(error)[:300])

    # The clock, and what others did

    async def look_at(self, matter: Ticket, now: float) -> None:
        """A case whose time has come: remind, end, or wait on under the calendar of now."""
        case, at = state_of(matter), self.at(now)
        step = life.due(case, self.asked_reviewers(now), at)
        if step is not None:
            await self.carry_out(matter, step, now, "mailguard")
        elif life.wakes_at(case, at) != matter.wakes_at:
            await self.carry_out(matter, CaseStep(case, ()), now, "mailguard")

    async def overtaken(self, matter: Ticket, now: float) -> None:
        """All its copies were released or discarded one by one, past the case."""
        holds = await self.matters.holds_of(matter.id)
        last = max(holds, key=lambda hold: hold.decided_at or 0.0)
        let_go = any(hold.state == "released" for hold in holds)
        by = last.decided_by or "the console"
        step = life.overtaken(state_of(matter), let_go, by, self.at(now))
        await self.carry_out(matter, step, now, "mailguard", detail=f"the copies: {by}")

    async def still_waits(self, matter: Ticket, holds: Iterable[int]) -> bool:
        """Whether any of these copies waits."""
        wanted = set(holds)
        theirs = await self.matters.holds_of(matter.id)
        return any(hold.id in wanted and hold.state == "waiting" for hold in theirs)

    def _today(self, now: float) -> date:
        return directory_lookups.day_at(now, self.snapshot().district.time_zone)


def _person(directory: Directory, name: str) -> Person | None:
    return directory.people.get(name) or directory.person_at(name)


def _numbers(holds: Iterable[int]) -> str:
    return ", ".join(map(str, sorted(holds)))


def _told(step: CaseStep, releases: Sequence[int], discards: Sequence[int]) -> str:
    """The history's own words for what a step does."""
    asked = step.case.asked
    people = [f"{asked[n].who.name} <{asked[n].who.mailbox}>" for n in (*step.asks, *step.reminds)]
    people += [f"{asked[n].who.name} has the original" for n in step.informs]
    said: Mapping[str, str] = {
        "": ", ".join(people),
        "listed": ", ".join(step.lists),
        "released": _numbers(releases),
        "discarded": _numbers(discards),
    }
    return "; ".join(f"{name}: {text}".removeprefix(": ") for name, text in said.items() if text)
