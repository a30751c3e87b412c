"""Who may approve a message that is held, and who never may (R18, R20, R25).

Owns the step from the reasons of a hold to seats: each wants the yes of one person who sits in it.
Pure. Must not know how people are asked, or what their answers come to.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

from mailguard.core.decision.approval import (
    OFFICES,
    OUTSIDE,
    PERSON,
    SITE_ADMINISTRATION,
    SUPERVISOR,
    TECHNOLOGY,
    ApprovalBy,
)
from mailguard.core.decision.facts import Facts
from mailguard.core.decision.policy import Policy
from mailguard.core.mail.transaction import Transaction
from mailguard.core.people.directory import Directory
from mailguard.core.people.model import Account, Person
from mailguard.core.people.rights import ROLES
from mailguard.core.sender.claimed_addresses import AUTHOR_FIELDS, claims
from mailguard.core.sender.directory_lookups import TECHNOLOGY_ROLE, approvers
from mailguard.core.sender.identity import identity


@dataclass(frozen=True, slots=True)
class RequiredApproval:
    """One approval that is needed. Seats that are `apart` want different people (R20)."""

    name: str  # "administration", "technology", "supervisor", "either"; else its offices
    label: str  # as it stands in a sentence: "your site's administration"
    people: tuple[str, ...]  # ids, "outside:…" of those outside; nobody: the console alone decides
    rules: tuple[str, ...]
    apart: bool = False


@dataclass(frozen=True, slots=True)
class Sender:
    """Whose message it is. `barred` never approve it: the sender, whoever the message speaks for,
    and whoever may have used the account."""

    person: Person | None
    inside: bool
    barred: frozenset[str] = frozenset()  # as in `RequiredApproval.people`


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
        outside = directory.outside_at(mailbox)
        if outside is not None:
            barred.add(outside.id)
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


def wanted(codes: Iterable[str], policy: Policy) -> tuple[ApprovalBy, ...]:
    """Every yes that these reasons of a hold need together, those that are apart first.

    What one wants is left out where another one of them can only be given by somebody who would do
    for both: either of R20's two is R18's as well."""
    found: dict[ApprovalBy, None] = {}
    for code in sorted(codes) or [""]:
        rules = getattr(policy.finding_type(code), "rules", ())
        each: Counter[ApprovalBy] = Counter()
        for one in policy.approval_of(code):
            one = replace(one, rules=one.rules or rules)
            each[one] += 1
            number = f"~{each[one]}" if each[one] > 1 else ""  # two of one office
            found.setdefault(replace(one, name=one.stored_name + number))
    ordered = sorted(found, key=lambda one: (not one.apart, len(one.anybody)))
    return tuple(_distinct(ordered))


def _distinct(ordered: Sequence[ApprovalBy]) -> Iterable[ApprovalBy]:
    """Without what another one implies; no two of one name."""
    names: Counter[str] = Counter()
    for one in ordered:
        if not one.apart and any(_implies(other, one, ordered) for other in ordered):
            continue
        names[one.name] += 1
        number = names[one.name]
        yield replace(one, name=f"{one.name}~{number}") if number > 1 else one


def _implies(one: ApprovalBy, other: ApprovalBy, ordered: Sequence[ApprovalBy]) -> bool:
    """Whether any yes to the one is a yes to the other; of two alike the first does."""
    if one == other or not set(one.offices) <= set(other.offices):
        return False
    if not one.every_office <= other.every_office:
        return False
    alike = set(one.offices) == set(other.offices) and one.every_office == other.every_office
    return not alike or ordered.index(one) < ordered.index(other)


def seats(
    approvals: Iterable[ApprovalBy],
    facts: Facts,
    sender: Sender,
    directory: Directory,
    suspected: Iterable[str] = (),
) -> tuple[RequiredApproval, ...]:
    """The people who can give each of these, as the directory was when the message came.

    For mail from outside there is no site and no supervisor to ask. Nobody of `sender.barred` sits
    anywhere. Where copies would be kept for more, by the rules `suspected`, the console has to
    agree: an approver knows the sender and the occasion, not malware or a forged name.
    """
    needed = []
    for one in approvals:
        people: dict[str, None] = {}
        for chain in one.anybody:
            found = (_holders(office, facts, sender, directory) for office in chain)
            people |= dict.fromkeys(next(filter(None, found), ()))
        label = _label(one, facts, sender, directory)
        needed.append(RequiredApproval(one.stored_name, label, tuple(people), one.rules, one.apart))
    rules = tuple(dict.fromkeys(suspected))
    if rules:
        needed.append(RequiredApproval("examination", EXAMINATION, (), rules))
    return tuple(needed)


EXAMINATION = "an administrator of the mail filter, because of what else was found"
_OF_THE_SENDER = (SITE_ADMINISTRATION, SUPERVISOR)  # nobody's, where the sender is not of here


def _holders(office: str, facts: Facts, sender: Sender, directory: Directory) -> tuple[str, ...]:
    """Who holds an office, and may approve this message."""
    if office in _OF_THE_SENDER and not sender.inside:
        return ()
    if office.startswith(OUTSIDE):
        return (office,) if office in directory.outside and office not in sender.barred else ()
    people: Iterable[Person]
    if office == SITE_ADMINISTRATION:
        people = facts.administrators
    elif office == TECHNOLOGY:
        people = facts.technology
    elif office == SUPERVISOR:
        people = (facts.supervisor,) if facts.supervisor is not None else ()
    elif office in facts.approvers:
        people = facts.approvers[office]
    else:  # a record from before policy could name it
        people = approvers([office], directory, facts.today)[office]
    return tuple(dict.fromkeys(p.id for p in people if p.id not in sender.barred))


def _label(one: ApprovalBy, facts: Facts, sender: Sender, directory: Directory) -> str:
    """Whose yes it is, as it stands in a sentence."""
    asked = [c for c in one.anybody if sender.inside or not set(c) <= {*_OF_THE_SENDER}]
    return ", or ".join(office_label(c[0], directory) for c in asked or one.anybody)


def office_label(office: str, directory: Directory) -> str:
    """An office as it stands in a sentence: "Human Resources", "Lou Lawson"."""
    if office in directory.outside:
        return directory.outside[office].name
    person = directory.people.get(office.removeprefix(PERSON))
    if office.startswith(PERSON):
        return person.name if person is not None else office
    return OFFICES.get(office) or (ROLES[office].label if office in ROLES else office)


def in_office(
    sender: Sender,
    administrators: Iterable[Person],
    directory: Directory,
    today: date,
    wanted: Iterable[RequiredApproval] = (),
) -> frozenset[str]:
    """The ids of those who may approve for this sender by the directory of today: who was asked
    answers only while in office. A sender who was moved keeps the first site's approvers; one of
    the `administrators` of then who is none any more does not stay on as the supervisor. Who sits
    for a role, in their own name or from outside answers for that seat only while they still do."""
    found = {person.id for person in directory.with_role(TECHNOLOGY_ROLE, today)}
    if sender.person is not None:
        first = sender.person
        both = (first, directory.people.get(first.id, first))
        found |= {person.manager for person in both} - {person.id for person in administrators}
        for site in (site for person in both for site in person.sites):
            if site in directory.sites:
                found.update(directory.sites[site].administrators)
    there = frozenset(p.id for p in directory.named(found) if p.left_since(today) is None)
    seats = [(seat, _sit_there(seat, there, directory, today)) for seat in wanted]
    may = there.union(*(now for _, now in seats)) - sender.barred
    return frozenset(i for i in may if all(i in now for seat, now in seats if i in seat.people))


def _sit_there(
    seat: RequiredApproval, there: frozenset[str], directory: Directory, today: date
) -> frozenset[str]:
    """Who may sit in a seat by now; `there` for the sender's own and Technology Services'."""
    found: frozenset[str] = frozenset()
    for office in offices_of(seat):
        if office in directory.outside:
            found |= {office}
        elif office.startswith(PERSON) or office in ROLES:
            found |= {p.id for p in approvers([office], directory, today)[office]}
        elif not office.startswith(OUTSIDE):
            found |= there
    return found


def offices_of(seat: RequiredApproval) -> tuple[str, ...]:
    """What a seat's name says of who sits there."""
    return tuple(seat.name.partition("~")[0].split("|"))


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
