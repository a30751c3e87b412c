"""Which addresses a message says it comes from, and where it says so (R1).

Owns the list of places. Must not know whether a claim is true, or what follows when it is not.
"""

from __future__ import annotations

from collections.abc import Iterator

from mailguard.core.mail import address
from mailguard.core.mail.transaction import Transaction

AUTHOR_FIELDS = ("From", "Sender", "Resent-From", "Resent-Sender")
"""The fields that say who writes (RFC 5322 3.6.2, 3.6.6)."""


def claims(
    transaction: Transaction, fields: tuple[str, ...] = AUTHOR_FIELDS
) -> Iterator[tuple[str, str]]:
    """Every address that the reverse-path and these fields name, normalised, with the place's name
    before it; each once a place."""
    message, seen = transaction.message, set()
    reverse_path = transaction.envelope.reverse_path
    if reverse_path:
        yield "reverse-path", address.normalise(reverse_path)
    for name in fields:
        if message.fields(name):
            found = message.author if name == "From" else message.mailboxes(name)
            for written in found.addresses:
                claim = (name, address.normalise(written))
                if claim not in seen:
                    seen.add(claim)
                    yield claim
