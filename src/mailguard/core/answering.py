"""Whether the sender may be answered by mail (RFC 3834, R7, R27).

Must not know what would be said.
"""

from __future__ import annotations

from mailguard.core.facts import Facts, Unavailable
from mailguard.core.identity import identity
from mailguard.core.transaction import Transaction


def may_answer(transaction: Transaction, facts: Facts) -> bool:
    """True when a notice to the reverse_path reaches its proven owner and nobody else, and the
    message is none of those that are never answered: null reverse-path, automatic mail."""
    reverse_path = transaction.envelope.reverse_path.lower()
    if not reverse_path or transaction.message.is_automatic:
        return False
    proven = identity(transaction, facts)
    if proven.basis == "relay":
        return reverse_path == proven.authenticated_as
    account = facts.account
    owned = set(account.addresses) if account and not isinstance(account, Unavailable) else set()
    return reverse_path in owned | set(facts.owner.addresses if facts.owner else ())
