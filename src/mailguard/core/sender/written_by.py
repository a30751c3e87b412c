"""Whose own hand a message is: what an answer to a question by mail has to be (R3, R18).

Must not know what was asked.
"""

from __future__ import annotations

from mailguard.core.mail.transaction import Transaction
from mailguard.core.people.model import Person
from mailguard.core.sender.claimed_addresses import claims
from mailguard.core.sender.identity import Identity


def is_theirs(who: Identity) -> Person | None:
    """The person who is proven to have written an answer; None for strangers, devices and generic
    accounts, which anybody may use."""
    return who.owner if who.inside else None


def written_by(who: Identity, transaction: Transaction) -> Person | None:
    """`is_theirs`, and not on behalf of somebody: a server that vouches for the author names in
    Sender whoever really wrote (RFC 5322 3.6.2), who may be a delegate (R3)."""
    person = is_theirs(who)
    if person is None or who.basis != "relay":
        return person
    named = {mailbox for place, mailbox in claims(transaction) if place != "reverse-path"}
    return person if named <= set(person.addresses) else None
