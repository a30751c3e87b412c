"""What the Technology Services Director is told of mail that goes to somebody else's mailbox (R6).

Owns who is told, how often, and in which words. Must not know why mail is routed or when it leaves.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from mailguard.core.decision.facts import Facts, Leaver
from mailguard.core.mail.transaction import Transaction
from mailguard.core.notices import notice
from mailguard.core.people.model import Person
from mailguard.pipeline.ports import Outgoing
from mailguard.pipeline.snapshot import Snapshot

_DIRECTOR = "technology_services_director"


def reports(
    transaction: Transaction, facts: Facts, snapshot: Snapshot, routed: Iterable[str]
) -> tuple[Outgoing, ...]:
    """One report for each leaver among the recipients whose copies are routed, to every Director,
    else to the postmaster. Keyed by leaver and day, so that more mail that day makes no second."""
    each: dict[str, Outgoing] = {}
    for recipient in routed:
        leaver = facts.leavers.get(recipient)
        if leaver is not None and leaver.routed_to is not None:
            one = _report(transaction, facts, snapshot, leaver, leaver.routed_to)
            each.setdefault(one.key, one)
    return tuple(each.values())


def _report(
    transaction: Transaction, facts: Facts, snapshot: Snapshot, leaver: Leaver, instead: Person
) -> Outgoing:
    district = snapshot.district
    directors = snapshot.directory.with_role(_DIRECTOR, facts.today)
    to = tuple(person.addresses[0] for person in directors) or (district.postmaster,)
    slots = {
        **notice.district_slots(district),
        "leaver": leaver.person.name,
        "address": leaver.person.addresses[0],
        "since": leaver.since.isoformat(),
        "successor": instead.name,
        "mailbox": instead.addresses[0],
    }
    key = f"routed|{leaver.person.id}|{facts.today}"
    unique = hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()[:12]
    raw = notice.announce(
        district=district,
        to=to,
        subject=f"Mail for {leaver.person.name} goes to {instead.name}",
        text=notice.fill(snapshot.notices["routed"], slots).strip(),
        token=f"{transaction.id}.routed.{unique}",
        at=facts.now,
    )
    return Outgoing(key, "report", "", to, raw, transaction_id=transaction.id)
