"""Whether the author's address is proven by SPF, DKIM or DMARC (RFC 9989 4.4).

Owns the reading of those facts for one question: may an exception that names an address count for
this message? Must not know the exceptions, or how a result was obtained.
"""

from __future__ import annotations

from enum import StrEnum

from mailguard.core.decision.facts import Dkim, Dmarc, Facts, Spf, Unavailable
from mailguard.core.links.public_suffix import same_owner
from mailguard.core.mail import address
from mailguard.core.mail.transaction import Transaction
from mailguard.core.sender import identity


class Proof(StrEnum):
    """What vouches for the author's address; the last two for nothing."""

    DMARC = "DMARC"
    DKIM = "DKIM"
    SPF = "SPF"
    UNKNOWN = "unknown"  # something that could have vouched for it was not or could not be asked
    NONE = "none"


def author_proof(transaction: Transaction, facts: Facts) -> Proof:
    """What proves the single author's domain: DMARC's pass; where no policy is published, a whole
    DKIM signature in alignment, or SPF's pass for a reverse-path in alignment (relaxed: one
    registrable domain)."""
    author = identity.author(transaction)
    if not author:
        return Proof.NONE
    domain = address.domain_of(author)
    dmarc = facts.dmarc
    if isinstance(dmarc, Dmarc) and dmarc.result == "pass":
        return Proof.DMARC
    if isinstance(dmarc, Dmarc) and dmarc.result == "fail":
        return Proof.NONE  # the domain asks for stricter alignment than what follows
    proof = _relaxed(transaction, facts, domain)
    if proof is None:
        return Proof.UNKNOWN if _open(facts.spf, facts.dkim) else Proof.NONE
    if isinstance(dmarc, Dmarc) and dmarc.result == "temperror" and not dmarc.aligned:
        return Proof.UNKNOWN  # how strict alignment is to be could not be asked
    return proof


def author_authenticated(transaction: Transaction, facts: Facts) -> bool:
    """Whether anything proves the single author's domain."""
    return author_proof(transaction, facts) not in (Proof.UNKNOWN, Proof.NONE)


def signatures_of_author(transaction: Transaction, facts: Facts) -> tuple[Dkim, ...]:
    """The DKIM signatures that passed here, each over the whole text, in alignment with the single
    author's domain as DMARC has it (RFC 9989 4.4), whether or not a policy is published.

    For what has to be the author's own words: SPF and ARC vouch for whoever passes mail on."""
    author, dkim, dmarc = identity.author(transaction), facts.dkim, facts.dmarc
    if not author or isinstance(dkim, Unavailable):
        return ()
    if not isinstance(dmarc, Dmarc) or "dkim" not in dmarc.aligned:
        return ()
    return tuple(one for one in dkim if _vouches(one, address.domain_of(author)))


def claim_proven(where: str, mailbox: str, transaction: Transaction, facts: Facts) -> bool:
    """Whether what is proven of a message covers one of its claims: the author's own domain, or
    for the reverse-path its own SPF."""
    author, domain = identity.author(transaction), address.domain_of(mailbox)
    if author and same_owner(domain, address.domain_of(author)):
        return author_authenticated(transaction, facts)
    spf = facts.spf
    if where != "reverse-path" or isinstance(spf, Unavailable):
        return False
    return (spf.result, spf.identity, spf.domain) == ("pass", "mailfrom", domain)


def _relaxed(transaction: Transaction, facts: Facts, domain: str) -> Proof | None:
    spf, dkim = facts.spf, facts.dkim
    if not isinstance(dkim, Unavailable) and any(_vouches(one, domain) for one in dkim):
        return Proof.DKIM
    sender = address.domain_of(address.normalise(transaction.envelope.reverse_path))
    asked = isinstance(spf, Spf) and spf.result == "pass" and spf.identity == "mailfrom"
    return Proof.SPF if asked and same_owner(sender, domain) else None


def _vouches(signature: Dkim, domain: str) -> bool:
    """Whether a signature passed and covers what people see of the author and the text."""
    return (
        signature.result == "pass"
        and not signature.body_length_limited
        and not signature.testing
        and "from" not in {name.lower() for name in signature.uncovered}
        and same_owner(signature.domain, domain)
    )


def _open(spf: Spf | Unavailable, dkim: tuple[Dkim, ...] | Unavailable) -> bool:
    if isinstance(spf, Unavailable) or isinstance(dkim, Unavailable):
        return True
    return spf.result == "temperror" or any(one.result == "temperror" for one in dkim)
