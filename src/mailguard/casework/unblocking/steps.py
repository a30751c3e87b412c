"""What a step of `unblocking.life` is committed as: copies, list, mails, history (R31, R33, R37).

Owns who reviews, who hears what of a step, and which addresses it lists. Must not know how a step
came about, or how it is committed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from mailguard.casework.console import person_named
from mailguard.casework.tickets import Listing, Ticket
from mailguard.casework.unblocked_list import YEAR
from mailguard.casework.unblocking import life
from mailguard.casework.unblocking.case import (
    At,
    Case,
    CaseDeadlines,
    CaseStep,
    Said,
    Tell,
    Who,
)
from mailguard.casework.unblocking.kept import who_is
from mailguard.casework.unblocking.mail import CaseMailer
from mailguard.casework.workflow import Change, Copies, Work
from mailguard.core.people.directory import Directory
from mailguard.core.people.model import Person
from mailguard.core.sender import directory_lookups
from mailguard.pipeline.off_loop import off_loop_if_large
from mailguard.pipeline.ports import Outgoing


@dataclass(frozen=True, slots=True)
class Staff:
    """Who does what at this desk, as the district has set it."""

    reviewers: tuple[str, ...] = ()  # person ids or addresses; empty: by role
    asks: str = "mailbox"  # where reviewers are asked: "mailbox", "people" or "both"
    sheets: tuple[str, ...] = ()  # roles, person ids or addresses: who hands sheets in (R38)


REVIEWERS = ("technology_services_director", "executive_director_it", "it_designee")
"""The roles of those who review where nobody is named."""


@dataclass(frozen=True)
class CaseSteps:
    """By the directory, the calendar and the words of now."""

    work: Work
    terms: CaseDeadlines = field(default_factory=CaseDeadlines)
    staff: Staff = field(default_factory=Staff)

    def at(self, now: float) -> At:
        """That moment, with the calendar that is in force."""
        return At(now, self.work.snapshot().calendar, self.terms)

    # Who

    def reviewers(self, now: float) -> tuple[Person, ...]:
        """The people who review, as they are there on that day."""
        directory, today = self.work.snapshot().directory, self.today(now)
        if not self.staff.reviewers:
            named = [p for role in REVIEWERS for p in directory.with_role(role, today)]
        else:
            found = (person_named(directory, name) for name in self.staff.reviewers)
            named = [p for p in found if p is not None and p.left_since(today) is None]
        return tuple({person.id: person for person in named}.values())

    def asked_reviewers(self, now: float) -> tuple[Who, ...]:
        """Where the reviewers' questions go: the mailbox they share, themselves, or both."""
        district = self.work.snapshot().district
        people = [who_is(p) for p in self.reviewers(now) if p.addresses]
        mailbox = Who("", f"{district.short_name} reviewers", district.spammail)
        if self.staff.asks == "mailbox" or not people:
            return (mailbox,)
        return (mailbox, *people) if self.staff.asks == "both" else tuple(people)

    def today(self, now: float) -> date:
        return directory_lookups.day_at(now, self.work.snapshot().district.time_zone)

    def mailer(self, ticket: Ticket, case: Case, now: float) -> CaseMailer:
        due = life.due_at(case, self.at(now))
        return CaseMailer(self.work.snapshot(), ticket.id, now, ticket.version + 1, case, due)

    def change(
        self,
        ticket: Ticket,
        step: CaseStep,
        now: float,
        *,
        detail: str = "",
        told_already: frozenset[str] = frozenset(),
    ) -> Change[Case]:
        """The step, as it is committed."""
        case = step.case
        mails = _Mails(self.work, self.mailer(ticket, case, now), step, told_already)
        return Change(
            state=case,
            status=case.stage.value,
            what=step.what,
            compose=mails.compose,
            detail=detail,
            wakes_at=life.wakes_at(case, self.at(now)),
            closes=case.ended,
            decided_by=case.decided_by,
            releases=step.releases,
            discards=step.discards,
            listings=_listings(step, ticket.id, self.work.snapshot().directory, now),
        )


@dataclass(frozen=True)
class _Mails:
    """Of one step. `told_already` are mailboxes that hear of it by a note, if one goes."""

    work: Work
    post: CaseMailer
    step: CaseStep
    told_already: frozenset[str] = frozenset()

    async def compose(
        self, copies: Copies, detail: str, noted: bool
    ) -> tuple[Sequence[Outgoing], str]:
        """As `workflow.Compose`."""
        case = self.step.case
        untold = Tell.OUTSIDE in self.step.tells and not case.proven
        said = (
            detail,
            "the outside sender was not told: unproven" if untold else "",
            _told(self.step, copies),
        )
        mails = [*await self._questions()]
        mails += self._tellings(copies.releases, self.told_already if noted else ())
        return mails, "; ".join(filter(None, said))

    async def _questions(self) -> Sequence[Outgoing]:
        post, step = self.post, self.step
        mails = [post.query(place) for place in step.asks]
        mails += [post.query(place, again=True) for place in step.reminds]
        for place in step.informs:
            original = await self._original(place)
            mails.append(
                await off_loop_if_large(
                    len(original), post.query, place, again=not original, original=original
                )
            )
        return mails

    async def _original(self, place: int) -> bytes:
        """The blocked message for somebody who is not sure (R31); b"" where none may be passed
        on."""
        case = self.step.case
        wanted = {c.hold for c in case.of([case.asked[place].who.person])}
        for copy in case.copies:
            if copy.hold in wanted and copy.reviewed and not copy.hard:
                try:
                    judged = await self.work.take_up(copy.transaction)
                except (KeyError, ValueError):
                    continue
                return judged.transaction.message.raw
        return b""

    def _tellings(
        self, releases: Sequence[int], told_already: Collection[str]
    ) -> Iterable[Outgoing]:
        post, tells, case = self.post, self.step.tells, self.step.case
        gone = [copy for copy in case.copies if copy.hold in set(releases)]
        people: dict[str, str] = {}
        if Tell.STAFF in tells:
            yes = set(case.having(Said.YES))
            people = {q.who.mailbox: q.who.person for q in case.verifiers if q.who.person in yes}
            people |= {r.mailbox: r.person for r in case.requesters if r.person and r.mailbox}
            for mailbox, person in people.items():
                if mailbox not in told_already:
                    yield post.approved(mailbox, person, gone)
        if Tell.OUTSIDE in tells and case.proven:
            yield from (post.unblocked(address, gone) for address in case.addresses)
        if Tell.REQUESTERS in tells:
            requesters = {r.mailbox: r for r in case.requesters if r.mailbox not in ("", *people)}
            yield from (post.ended(requester) for requester in requesters.values())
        if Tell.ASKED in tells:
            asked = {q.who.person: q for q in case.verifiers if q.who.mailbox not in people}
            yield from (post.settled(query) for query in asked.values())


def _listings(step: CaseStep, number: int, directory: Directory, now: float) -> tuple[Listing, ...]:
    """R31, R37: single addresses for a year, with the case as their origin and the site of who
    verified them."""
    case: Case = step.case
    ids = (*case.having(Said.YES), *(r.person for r in case.vouched))
    sites = [site for person in directory.named(ids) for site in person.sites]
    site = sites[0] if sites else ""
    origin, by = f"case {number}", case.decided_by
    return tuple(Listing(one, origin, site, by, now, now + YEAR) for one in step.lists)


def _told(step: CaseStep, copies: Copies) -> str:
    """The history's own words for what a step does."""
    asked = step.case.asked
    people = [f"{asked[n].who.name} <{asked[n].who.mailbox}>" for n in (*step.asks, *step.reminds)]
    people += [f"{asked[n].who.name} has the original" for n in step.informs]
    said: Mapping[str, str] = {
        "": ", ".join(people),
        "listed": ", ".join(step.lists),
        "released": _numbers(copies.releases),
        "discarded": _numbers(copies.discards),
    }
    return "; ".join(f"{name}: {text}".removeprefix(": ") for name, text in said.items() if text)


def _numbers(holds: Iterable[int]) -> str:
    return ", ".join(map(str, sorted(holds)))
