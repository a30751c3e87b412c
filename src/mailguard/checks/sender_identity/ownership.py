"""Which of a message's sender addresses an account owns, and which it borrows by a grant (R1, R3).

Owns Ownership and how a grant is found for an address. Must not know what a check makes of it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date

from mailguard.core.decision.facts import DelegationInUse, Facts
from mailguard.core.mail.transaction import Transaction
from mailguard.core.people.model import Account, Person
from mailguard.core.sender.claimed_addresses import AUTHOR_FIELDS, claims

_SPOKEN = frozenset(("From", "Sender"))  # where a principal's address says that they speak
_NEVER_BORROWED = ("Resent-From", "Resent-Sender")  # who sends a message on says so themselves


@dataclass(frozen=True, slots=True)
class Borrowed:
    """Addresses of one principal that the message uses under a grant, in force or not."""

    principal: Person
    grant: DelegationInUse  # the one in force, else the one that ended last
    in_force: bool
    speaks: bool  # From or Sender is the principal's, so V6 is needed
    claims: tuple[str, ...]  # "From: ada@example.org"


@dataclass(slots=True)
class Ownership:
    """The sender addresses of one message that are not the account's own."""

    alien: list[str] = field(default_factory=list)  # "From: ada@example.org"
    borrowed: list[Borrowed] = field(default_factory=list)


def owned(mailbox: str, account: Account, delimiter: str) -> bool:
    """Whether an address is the account's, with a detail behind `delimiter` or without."""
    if mailbox in account.addresses:
        return True
    local, at, domain = mailbox.rpartition("@")
    if delimiter and delimiter in local:
        return f"{local.partition(delimiter)[0]}{at}{domain}" in account.addresses
    return False


def ownership(
    transaction: Transaction,
    facts: Facts,
    account: Account,
    delimiter: str,
    reply_to_allowed: Callable[[str], bool],
) -> Ownership:
    """Sort every address that the reverse-path, the author fields and Reply-To name."""
    found = Ownership()
    lent: dict[str, list[tuple[str, str]]] = {}
    granted = _grants(facts, account)
    for where, mailbox in claims(transaction, (*AUTHOR_FIELDS, "Reply-To")):
        if owned(mailbox, account, delimiter):
            continue
        if where == "Reply-To" and reply_to_allowed(mailbox):
            continue
        principal = next((p for p, g in granted.items() if mailbox in g[0].principal.addresses), "")
        if principal and where not in _NEVER_BORROWED:
            lent.setdefault(principal, []).append((where, mailbox))
        else:
            found.alien.append(f"{where}: {mailbox}")
    for principal, places in lent.items():
        best = max(
            granted[principal], key=lambda g: (in_force(g, facts.today), g.delegation.expires)
        )
        found.borrowed.append(
            Borrowed(
                best.principal,
                best,
                in_force(best, facts.today),
                any(where in _SPOKEN for where, _ in places),
                tuple(f"{where}: {mailbox}" for where, mailbox in places),
            )
        )
    return found


def in_force(grant: DelegationInUse, today: date) -> bool:
    """Whether a grant counts: within its dates, and its principal is still there (R6)."""
    return grant.delegation.valid_on(today) and grant.principal.left_since(today) is None


def _grants(facts: Facts, account: Account) -> dict[str, list[DelegationInUse]]:
    """By principal. Grants are a person's: a device or a generic account has none."""
    found: dict[str, list[DelegationInUse]] = {}
    if facts.owner is not None and facts.owner.id == account.owner:
        for grant in facts.grants:
            if grant.delegation.delegate == facts.owner.id:
                found.setdefault(grant.principal.id, []).append(grant)
    return found
