"""The trace fields we prepend, and the forged ones we take off (RFC 5321 4.4, RFC 8601 5).

Must not know why a message passes.
"""

from __future__ import annotations

from email.utils import formatdate

from mailguard.core.authentication import authentication_results
from mailguard.core.decision.edit import RemoveField
from mailguard.core.decision.facts import Facts
from mailguard.core.mail.message import Message
from mailguard.core.mail.transaction import Transaction
from mailguard.core.people.district import District

OURS = "x-mailguard-"


_ARC = ("arc-seal", "arc-message-signature", "arc-authentication-results")


def forged_fields(
    message: Message, district: District, arc_broken: bool = False
) -> tuple[RemoveField, ...]:
    """Fields that only we may write: X-Mailguard-*, and Authentication-Results that bear our
    authserv-id; with them an ARC chain that is broken. A later reader must be able to trust what
    is left."""
    return tuple(
        RemoveField(item.start, item.end)
        for item in message.root.fields
        if item.name.lower().startswith(OURS)
        or (arc_broken and item.name.lower() in _ARC)
        or (
            item.name.lower() == "authentication-results"
            and authentication_results.is_ours(message.raw_value(item), district.authserv_id)
        )
    )


def results(transaction: Transaction, facts: Facts) -> bytes:
    """The value of our Authentication-Results, authserv-id first (RFC 8601); b"" for mail of a
    client that logged in, of which there is nothing to say but the account."""
    if transaction.envelope.account is not None:
        return b""
    found = authentication_results.results_of(
        facts.spf,
        facts.dkim,
        facts.arc,
        facts.dmarc,
        mailfrom=transaction.envelope.reverse_path,
    )
    return authentication_results.write(facts.district.authserv_id, found)


def authentication_results_field(value: bytes) -> bytes:
    """The whole field, CRLF included."""
    return b"Authentication-Results: " + value + b"\r\n"


def received(transaction: Transaction, hostname: str) -> bytes:
    """Our Received field, CRLF included. Names no recipient, so that Bcc stays blind."""
    envelope = transaction.envelope
    helo = _word(envelope.helo) or "unknown"
    name = _word(envelope.client_name)
    address = envelope.client_address
    literal = f"[IPv6:{address}]" if ":" in address else f"[{address}]"
    client = f"{name} {literal}" if name else literal
    secured = f" (using {envelope.tls})" if envelope.tls else ""
    return (
        f"Received: from {helo} ({client}){secured}\r\n"
        f"\tby {hostname} (mailguard) with {envelope.protocol} id {transaction.id};\r\n"
        f"\t{formatdate(transaction.received_at, localtime=False)}\r\n"
    ).encode("ascii", "replace")


def _word(text: str) -> str:
    """Only what a domain or an address literal is made of: what a client says cannot end a comment
    or a line."""
    return "".join(c for c in text if c.isascii() and (c.isalnum() or c in ".-_:[]"))[:255]
