"""What the directory says of a message, on the day it comes.

Owns every question about accounts, people, groups and sites that one message puts to the directory,
and which day it is in the district. Pure: the directory is at hand, the day is given. Whom a group
reaches is `audience`'s. Must not know what follows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from zoneinfo import ZoneInfo

from mailguard.core.decision.approval import PERSON
from mailguard.core.decision.facts import DelegationInUse, Leaver
from mailguard.core.decision.policy import Mode, Policy
from mailguard.core.mail.transaction import Origin, Role, Transaction
from mailguard.core.people.directory import Directory
from mailguard.core.people.district import District
from mailguard.core.people.model import Account, Event, Group, Person, Site
from mailguard.core.people.offices import Office
from mailguard.core.sender.claimed_addresses import AUTHOR_FIELDS, claims

_NAMED_IN = ("From", "Sender", "Reply-To", "Resent-From", "Resent-Sender")
_MOST_ADDRESSES = 1_000  # of author fields; more are an ambiguity that needs no look-up
_MOST_GRANTS = 50  # of one delegate that one message can concern
_MOST_ROUTES = 5  # from leaver to leaver
TECHNOLOGY_ROLE = "technology_services_director"
_MOST_SHOWN = 10  # display names of From, and people of one name


@dataclass(frozen=True, slots=True)
class DirectoryAnswers:
    """What `look_up` finds: the fields of `Facts` with the same names."""

    account: Account | None
    owner: Person | None
    grants: tuple[DelegationInUse, ...]
    leavers: Mapping[str, Leaver]
    people: Mapping[str, Person]
    sites: Mapping[str, Site]
    groups: Mapping[str, Group]  # without their members
    supported: tuple[Person, ...]
    administrators: tuple[Person, ...]
    technology: tuple[Person, ...]
    supervisor: Person | None
    events: tuple[Event, ...]
    namesakes: tuple[Person, ...]
    short_namesakes: tuple[Person, ...]
    offices: tuple[Office, ...]


def look_up(
    transaction: Transaction, directory: Directory, district: District, today: date
) -> DirectoryAnswers:
    """All that a message asks of the directory, at once. What it costs grows with the message's
    recipients and author addresses, not with the district."""
    account, owner = _who(transaction, directory)
    recipients = {r: directory.person_at(r) for r in transaction.envelope.recipients}
    groups = {
        recipient: replace(group, members=())
        for recipient in recipients
        if (group := directory.group_at(recipient)) is not None
    }
    supported = directory.named(owner.supports) if owner is not None else ()
    named, short, offices = _displayed(transaction, directory, district)
    return DirectoryAnswers(
        account=account,
        owner=owner,
        grants=_grants(transaction, owner, directory),
        leavers=_leavers(recipients, today, directory),
        people=_people(transaction, recipients, directory),
        sites=_sites(owner, supported, groups.values(), directory),
        groups=groups,
        supported=supported,
        administrators=_administrators(owner, today, directory),
        technology=directory.with_role(TECHNOLOGY_ROLE, today),
        supervisor=_supervisor(owner, today, directory),
        events=tuple(e for e in directory.events if e.first <= today <= e.last),
        namesakes=named,
        short_namesakes=short,
        offices=offices,
    )


def day_at(now: float, time_zone: str) -> date:
    """The district's date at a moment (R6: a day ends at its midnight, not at Greenwich's)."""
    return datetime.fromtimestamp(now, ZoneInfo(time_zone)).date()


def device(transaction: Transaction, directory: Directory) -> Account | None:
    """The account a client has without a login: by its certificate or its single address (R1).

    Never on an `mx` listener. A certificate counts on `submission` alone: on `relay` it is the
    server's, which speaks for many."""
    role, envelope = transaction.listener.role, transaction.envelope
    if role is Role.MX or envelope.account is not None:
        return None
    shown = envelope.certificate if role is Role.SUBMISSION else None
    return directory.device(envelope.client_address, shown)


def _grants(
    transaction: Transaction, owner: Person | None, directory: Directory
) -> tuple[DelegationInUse, ...]:
    """What the owner was granted by those whose addresses the message claims, expired grants
    included: a refusal names who renews them (R3)."""
    granted = directory.delegations_to(owner.id) if owner is not None else ()
    if not granted:
        return ()
    fields = (*AUTHOR_FIELDS, "Reply-To")
    people = {directory.person_at(mailbox) for _, mailbox in claims(transaction, fields)}
    claimed = {person.id: person for person in people if person is not None}
    return tuple(
        DelegationInUse(d, claimed[d.principal], directory.people.get(d.renewer))
        for d in granted
        if d.principal in claimed
    )[:_MOST_GRANTS]


def _leavers(
    recipients: Mapping[str, Person | None], today: date, directory: Directory
) -> dict[str, Leaver]:
    """The recipients who have left, by recipient, with who took over (R6)."""
    found = {}
    for recipient, person in recipients.items():
        since = person.left_since(today) if person is not None else None
        if person is not None and since is not None:
            successor = _successor(person, today, directory)
            routed_to = _routed_to(person, today, directory)
            found[recipient] = Leaver(person, since, successor, routed_to)
    return found


def mailbox_for(recipient: str, today: date, directory: Directory, policy: Policy) -> str | None:
    """Where mail for a recipient goes at the next hop: a leaver's own mailbox may be gone there
    while the manager gets the mail; None where it goes nowhere, since we answer it (R6)."""
    person = directory.person_at(recipient)
    if person is None or person.left_since(today) is None or not _routes(policy):
        return recipient
    instead = _routed_to(person, today, directory)
    return instead.addresses[0] if instead is not None else None


def _routes(policy: Policy) -> bool:
    """Whether a step acts on who has left: without one, mail goes to the leaver's own mailbox."""
    return any(s.mode is Mode.ENFORCE and "leavers" in s.check.needs for s in policy.steps)


def _routed_to(leaver: Person, today: date, directory: Directory) -> Person | None:
    """Who gets a leaver's mail: the manager, or the manager's where that one has left as well and
    mail is routed on. None where it ends with somebody whose mail is answered, in a ring, or after
    too many."""
    person = leaver
    for _ in range(_MOST_ROUTES):
        if person.on_leaving != "route" or person.manager not in directory.people:
            return None
        person = directory.people[person.manager]
        if person.left_since(today) is None:
            return person
    return None


def _successor(person: Person, today: date, directory: Directory) -> Person | None:
    """The manager, or the manager's where that one has left as well; a ring ends."""
    seen = {person.id}
    while person.manager and person.manager not in seen:
        seen.add(person.manager)
        person = directory.people[person.manager]
        if person.left_since(today) is None:
            return person
    return None


def _who(transaction: Transaction, directory: Directory) -> tuple[Account | None, Person | None]:
    """The account behind the login or the device, and the person behind the message.

    Outside mail has no owner, whatever its From says; a trusted relay's is whom its single From
    address belongs to.
    """
    login = transaction.envelope.account
    if login is not None:
        account = directory.account_for(login)
        owner = directory.people.get(account.owner) if account and account.owner else None
        return account, owner
    account = device(transaction, directory)
    if account is not None:
        return account, None
    author = transaction.message.author
    if transaction.origin is Origin.OUTSIDE or author.ambiguous or len(author.boxes) != 1:
        return None, None
    return None, directory.person_at(author.boxes[0].address)


def _people(
    transaction: Transaction, recipients: Mapping[str, Person | None], directory: Directory
) -> dict[str, Person]:
    """Directory people by every address in play: envelope and author fields."""
    reverse_path = transaction.envelope.reverse_path
    found = {reverse_path: directory.person_at(reverse_path), **recipients}
    for name in _NAMED_IN:
        for mailbox in transaction.message.mailboxes(name).addresses[:_MOST_ADDRESSES]:
            if mailbox not in found:
                found[mailbox] = directory.person_at(mailbox)
    return {mailbox.lower(): person for mailbox, person in found.items() if person is not None}


def _sites(
    owner: Person | None,
    supported: Iterable[Person],
    groups: Iterable[Group],
    directory: Directory,
) -> dict[str, Site]:
    """Those of the owner and the groups; then what the owner, and whom they assist, administer."""
    theirs = {*(owner.sites if owner else ()), *(site for group in groups for site in group.sites)}
    people = (owner, *supported) if owner is not None else ()
    administered = {site for person in people for site in directory.administered_by(person.id)}
    ids = (*sorted(theirs), *sorted(administered))
    return {i: directory.sites[i] for i in ids if i in directory.sites}


def _administrators(owner: Person | None, today: date, directory: Directory) -> tuple[Person, ...]:
    """Whom the owner may ask: the administrators of the owner's sites (R18), unless gone (R6)."""
    if owner is None:
        return ()
    ids = (
        i for s in owner.sites if s in directory.sites for i in directory.sites[s].administrators
    )
    return tuple(p for p in directory.named(dict.fromkeys(ids)) if not p.left_since(today))


def approvers(
    names: Iterable[str], directory: Directory, today: date
) -> dict[str, tuple[Person, ...]]:
    """Who is there of those whom policy names as approvers: by a role, or "person:" and an id."""
    found = {}
    for name in sorted(names):
        named = directory.named((name.removeprefix(PERSON),)) if name.startswith(PERSON) else ()
        there = tuple(p for p in named if p.left_since(today) is None)
        found[name] = there or directory.with_role(name, today)
    return found


def _supervisor(owner: Person | None, today: date, directory: Directory) -> Person | None:
    """The owner's manager, while there (R25)."""
    manager = directory.people.get(owner.manager) if owner is not None else None
    return manager if manager is not None and manager.left_since(today) is None else None


def _displayed(
    transaction: Transaction, directory: Directory, district: District
) -> tuple[tuple[Person, ...], tuple[Person, ...], tuple[Office, ...]]:
    """Whom of the district's people the From field displays, whom perhaps, and which offices."""
    boxes = transaction.message.author.boxes[:_MOST_SHOWN]
    shown = [box.display_name for box in boxes if box.display_name]
    named = {p.id: p for name in shown for p in directory.namesakes(name)[:_MOST_SHOWN]}
    short = {p.id: p for name in shown for p in directory.short_namesakes(name)[:_MOST_SHOWN]}
    own = (district.name, district.short_name)
    return (
        tuple(named.values()),
        tuple(p for p in short.values() if p.id not in named),
        tuple(office for name in shown for office in directory.offices_shown(name, own)),
    )
