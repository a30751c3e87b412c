"""What the directory says, on the day a message comes, of devices, grants and leavers.

Owns how the directory is asked, and which day it is in the district. Must not know what follows.
"""

from __future__ import annotations

from datetime import date, datetime
from zoneinfo import ZoneInfo

from mailguard.core.decision.facts import DelegationInUse, Leaver
from mailguard.core.decision.policy import Mode, Policy
from mailguard.core.mail.transaction import Role, Transaction
from mailguard.core.people.directory import Directory
from mailguard.core.people.model import Account, Person
from mailguard.core.sender.claimed_addresses import AUTHOR_FIELDS, claims
from mailguard.pipeline.snapshot import Snapshot

_MOST_GRANTS = 50  # of one delegate that one message can concern
_MOST_ROUTES = 5  # from leaver to leaver


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


def grants(
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


def leavers(transaction: Transaction, today: date, directory: Directory) -> dict[str, Leaver]:
    """The recipients who have left, by recipient, with who took over (R6)."""
    found = {}
    for recipient in transaction.envelope.recipients:
        person = directory.person_at(recipient)
        since = person.left_since(today) if person is not None else None
        if person is not None and since is not None:
            successor = _successor(person, today, directory)
            routed_to = _routed_to(person, today, directory)
            found[recipient] = Leaver(person, since, successor, routed_to)
    return found


def mailbox_for(recipient: str, today: date, snapshot: Snapshot) -> str | None:
    """Where mail for a recipient goes at the next hop: a leaver's own mailbox may be gone there
    while the manager gets the mail; None where it goes nowhere, since we answer it (R6)."""
    person = snapshot.directory.person_at(recipient)
    if person is None or person.left_since(today) is None or not _routes(snapshot.policy):
        return recipient
    instead = _routed_to(person, today, snapshot.directory)
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
