"""Whether the sender may be answered by mail (RFC 3834, R7, R27).

Must not know what would be said.
"""

from __future__ import annotations

from mailguard.core.decision.facts import Facts, Spf, Unavailable
from mailguard.core.mail import address
from mailguard.core.mail.transaction import Origin, Transaction
from mailguard.core.sender.identity import identity


def may_answer(transaction: Transaction, facts: Facts) -> bool:
    """True when a notice to the reverse_path reaches its proven owner and nobody else, and the
    message is none of those that are never answered: null reverse-path, automatic mail.

    Inside, the account or the trusted server's author must own the reverse_path. From outside, SPF
    must pass for its domain, or a whole DKIM signature be that domain's: no backscatter (R27).
    """
    reverse_path = address.normalise(transaction.envelope.reverse_path)
    if not reverse_path or transaction.message.is_automatic:
        return False
    if transaction.origin is Origin.OUTSIDE:
        return _domain_proven(address.domain_of(reverse_path), facts)
    proven = identity(transaction, facts)
    if proven.basis == "relay":
        return reverse_path == proven.authenticated_as
    account = facts.account
    owned = set(account.addresses) if account and not isinstance(account, Unavailable) else set()
    return reverse_path in owned | set(facts.owner.addresses if facts.owner else ())


def _domain_proven(domain: str, facts: Facts) -> bool:
    spf = facts.spf
    if isinstance(spf, Spf) and (spf.identity, spf.result, spf.domain) == (
        "mailfrom",
        "pass",
        domain,
    ):
        return True
    return not isinstance(facts.dkim, Unavailable) and any(
        one.result == "pass" and one.domain == domain and not one.body_length_limited
        for one in facts.dkim
    )
