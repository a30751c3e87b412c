"""Whose message it is, as far as that is proven (R1).

Owns Identity, `identity` and `author`: the district's own. For outside mail see `outside_proof`.
Must not know settings of checks, or what follows from an identity.
"""

from __future__ import annotations

from dataclasses import dataclass

from mailguard.core.decision.facts import Facts
from mailguard.core.mail import address
from mailguard.core.mail.transaction import Role, Transaction
from mailguard.core.people.model import Account, Person


@dataclass(frozen=True, slots=True)
class Identity:
    """The proven sender. `basis` says by what: "account", "client-address", "certificate",
    "relay" or "none"."""

    authenticated_as: str = ""  # a mailbox in lower case; "" when nothing proves one
    basis: str = "none"
    owner: Person | None = None  # whose it is; None for devices and generic accounts

    @property
    def inside(self) -> bool:
        """Whether this is somebody of the district, proven."""
        return self.basis != "none"


def author(transaction: Transaction) -> str:
    """The author's mailbox, normalised; "" unless From is one field that holds one mailbox and
    that every reader reads alike."""
    boxes = transaction.message.author
    if boxes.ambiguous or len(boxes.addresses) != 1 or len(transaction.message.fields("From")) != 1:
        return ""
    return address.normalise(boxes.addresses[0])


def identity(transaction: Transaction, facts: Facts, *, relay_vouches: bool = True) -> Identity:
    """Who is proven to have sent this, and by what.

    "account": the login's own mailbox, the author's where the account owns that one; so for a
    device without a login, by its "certificate" or its registered "client-address". "relay": a
    trusted server vouches for an author of the district (`relay_vouches`). Everything else is
    "none": what SPF, DKIM and DMARC prove of outside mail is `outside_proof`'s. An account that
    could not be looked up proves nobody.
    """
    envelope = transaction.envelope
    if envelope.account is not None:
        return _of_account(transaction, facts, "account")
    if isinstance(facts.account, Account) and transaction.listener.role is not Role.MX:
        shown = envelope.certificate in facts.account.certificates
        return _of_account(transaction, facts, "certificate" if shown else "client-address")
    if relay_vouches and transaction.listener.role is Role.RELAY:
        mailbox = author(transaction)
        if mailbox and facts.district.owns(mailbox):
            owner = facts.people.get(mailbox) or facts.owner
            if owner is not None and mailbox not in owner.addresses:
                owner = None
            return Identity(mailbox, "relay", owner)
    return Identity()


def _of_account(transaction: Transaction, facts: Facts, basis: str) -> Identity:
    account = facts.account
    if not isinstance(account, Account):
        return Identity()
    # facts.owner may be the person whose From address it is: only the account's own counts.
    owner = facts.owner
    if owner is not None and owner.id != account.owner:
        owner = None
    owned = (*account.addresses, *(owner.addresses if owner is not None else ()))
    for claimed in (author(transaction), address.normalise(transaction.envelope.reverse_path)):
        if claimed and claimed in owned:
            return Identity(claimed, basis, owner)
    return Identity(owned[0] if owned else "", basis, owner)
