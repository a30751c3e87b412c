"""Who may approve a message that is held, and who never may (R18, R20, R25).

Owns the step from the reasons of a hold to seats: each wants the yes of one person who sits in it.
Pure. Must not know how people are asked, or what their answers come to.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date

from mailguard.core.decision.facts import Facts
from mailguard.core.mail.transaction import Transaction
from mailguard.core.people.directory import Directory
from mailguard.core.people.model import Account, Person
from mailguard.core.sender.claimed_addresses import AUTHOR_FIELDS, claims
from mailguard.core.sender.identity import identity

ANNOUNCEMENT = "group-rights.announcement"  # R20
MASS_MAIL = frozenset({"mass-mail.volume", "mass-mail.chain-letter"})  # R25


@dataclass(frozen=True, slots=True)
class RequiredApproval:
    """One approval that is needed. Seats that are `apart` want different people (R20)."""

    name: str  # "administration", "technology", "supervisor", "either"
    label: str  # as it stands in a sentence: "your site's administration"
    people: tuple[str, ...]  # person ids; nobody: the console alone decides
    rules: tuple[str, ...]
    apart: bool = False


@dataclass(frozen=True, slots=True)
class Sender:
    """Whose message it is. `barred` never approve it: the sender, whoever the message speaks for,
    and whoever may have used the account."""

    person: Person | None
    inside: bool
    barred: frozenset[str] = frozenset()  # person ids


def sender_of(transaction: Transaction, facts: Facts, directory: Directory) -> Sender:
    """The proven sender, with everybody who has a hand in the message (R18: nobody approves their
    own). Somebody who writes as a delegate bars the principal too, and the other way round."""
    who = identity(transaction, facts)
    barred = {who.owner.id} if who.owner is not None else set()
    if facts.owner is not None:
        barred.add(facts.owner.id)
    for _, mailbox in claims(transaction, AUTHOR_FIELDS):
        person = directory.person_at(mailbox)
        if person is not None:
            barred.add(person.id)
    for login in (transaction.envelope.account, transaction.envelope.acting):
        account = directory.account_for(login) if login is not None else None
        if account is not None and account.owner is not None:
            barred.add(account.owner)
    if isinstance(facts.account, Account) and facts.account.kind == "generic":
        barred |= _users(facts.account, transaction)
    return Sender(who.owner, who.inside, frozenset(barred))


def _users(account: Account, transaction: Transaction) -> set[str]:
    """Who may have written through a generic account (R5): nobody more where the login says who."""
    return set() if transaction.envelope.acting else {*account.allowed, account.requester} - {""}


def seats(
    codes: Iterable[str], facts: Facts, sender: Sender, suspected: Iterable[str] = ()
) -> tuple[RequiredApproval, ...]:
    """The approvals that these reasons of a hold need together.

    An announcement beyond the site needs two, by different people (R20). Mass mail needs the
    supervisor's, else the administration's, else Technology Services' (R25). Everything else needs
    one: the administration's of the sender's site or department, or the Technology Services
    Director's (R18); mail from outside the latter's. Nobody of `sender.barred` sits anywhere.
    Where copies would be kept for more, by the rules `suspected`, the console has to agree: an
    approver knows the sender and the occasion, not malware or a forged name.
    """
    found = set(codes)
    administration = _ids(facts.administrators, sender) if sender.inside else ()
    technology = _ids(facts.technology, sender)
    supervisor = _ids((facts.supervisor,) if facts.supervisor else (), sender)
    needed: list[RequiredApproval] = []
    if ANNOUNCEMENT in found:
        site = administration or supervisor or technology
        needed.append(
            RequiredApproval("administration", ADMINISTRATION, site, ("R20",), apart=True)
        )
        needed.append(RequiredApproval("technology", TECHNOLOGY, technology, ("R20",), apart=True))
    if found & MASS_MAIL:
        asked = supervisor if sender.inside else ()
        needed.append(
            RequiredApproval(
                "supervisor", SUPERVISOR, asked or administration or technology, ("R25",)
            )
        )
    others = found - MASS_MAIL - {ANNOUNCEMENT}
    if (others or not needed) and ANNOUNCEMENT not in found:  # either seat of R20 would do for R18
        either = (*administration, *(i for i in technology if i not in administration))
        label = EITHER if sender.inside else TECHNOLOGY
        if sender.inside and not administration:
            either = (*(i for i in supervisor if i not in either), *either)
        needed.append(RequiredApproval("either", label, either, ("R18",)))
    rules = tuple(dict.fromkeys(suspected))
    if rules:
        needed.append(RequiredApproval("examination", EXAMINATION, (), rules))
    return tuple(needed)


ADMINISTRATION = "the administration of the sender's site or department"
TECHNOLOGY = "Technology Services"
SUPERVISOR = "the sender's supervisor"
EXAMINATION = "an administrator of the mail filter, because of what else was found"
EITHER = "the administration of the sender's site or department, or Technology Services"


def in_office(
    sender: Sender, administrators: Iterable[Person], directory: Directory, today: date
) -> frozenset[str]:
    """The ids of those who may approve for this sender by the directory of today: who was asked
    answers only while in office. A sender who was moved keeps the first site's approvers; one of
    the `administrators` of then who is none any more does not stay on as the supervisor."""
    found = {person.id for person in directory.with_role(TECHNOLOGY_ROLE, today)}
    if sender.person is not None:
        first = sender.person
        both = (first, directory.people.get(first.id, first))
        found |= {person.manager for person in both} - {person.id for person in administrators}
        for site in (site for person in both for site in person.sites):
            if site in directory.sites:
                found.update(directory.sites[site].administrators)
    there = (p.id for p in directory.named(found) if p.left_since(today) is None)
    return frozenset(there) - sender.barred


TECHNOLOGY_ROLE = "technology_services_director"


def _ids(people: Iterable[Person], sender: Sender) -> tuple[str, ...]:
    return tuple(dict.fromkeys(p.id for p in people if p.id not in sender.barred))


def filled(wanted: Iterable[RequiredApproval], yes: Iterable[str]) -> Mapping[str, str]:
    """Which person's yes fills each seat, by the seat's name; a seat that is missing is open.

    One person fills as many seats as they sit in, but of those that are apart only one; of two
    ways the one that fills more is taken."""
    ids = tuple(dict.fromkeys(yes))
    wanted = tuple(wanted)
    found = {}
    for seat in wanted:
        if not seat.apart:
            first = next((i for i in ids if i in seat.people), None)
            if first is not None:
                found[seat.name] = first
    return found | _apart(tuple(s for s in wanted if s.apart), ids)


def _apart(wanted: tuple[RequiredApproval, ...], ids: tuple[str, ...]) -> dict[str, str]:
    """A largest choice of different people (augmenting paths; there are two seats)."""
    taken: dict[str, RequiredApproval] = {}  # by person

    def place(seat: RequiredApproval, tried: set[str]) -> bool:
        for i in ids:
            if i in seat.people and i not in tried:
                tried.add(i)
                if i not in taken or place(taken[i], tried):
                    taken[i] = seat
                    return True
        return False

    for seat in wanted:
        place(seat, set())
    return {seat.name: i for i, seat in taken.items()}


def can_be_filled(wanted: Iterable[RequiredApproval]) -> bool:
    """Whether the people who sit there can give every approval: else the console decides."""
    wanted = tuple(wanted)
    everybody = [i for seat in wanted for i in seat.people]
    return len(filled(wanted, everybody)) == len(wanted)
