"""The one thing that flows: a mail transaction (RFC 5321 section 3.3).

Owns the envelope, the listener's role and the direction of a copy.
Must not know how it arrived, what is decided about it, or where it goes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from mailguard.core.mail.message import Message


class Role(StrEnum):
    """What a listener is for, and so what its clients are trusted with."""

    MX = "mx"  # mail from outside: nobody is trusted
    SUBMISSION = "submission"  # people and devices of the district, by AUTH
    RELAY = "relay"  # the district's own servers, by address


class Origin(StrEnum):
    """Where a message comes from, seen from the district."""

    INSIDE = "inside"
    OUTSIDE = "outside"


@dataclass(frozen=True, slots=True)
class Listener:
    """The listener that took the message."""

    name: str
    role: Role


@dataclass(frozen=True, slots=True)
class Envelope:
    """What the client said before DATA (RFC 5321 section 2.3.1).

    Addresses are mailboxes without angle brackets, exactly as given; text, since the
    path grammar admits only ASCII, or UTF-8 under SMTPUTF8 (RFC 6531).
    """

    reverse_path: str  # "" is the null reverse-path
    recipients: tuple[str, ...]
    client_address: str = ""  # an IP address
    client_name: str = ""  # verified reverse DNS name, if a trusted peer told it
    helo: str = ""
    account: str | None = None  # the authenticated identity (RFC 4954)
    tls: str | None = None  # "TLSv1.3", or None for plain text
    body: str = ""  # "", "7BIT" or "8BITMIME" (RFC 6152)
    smtputf8: bool = False
    protocol: str = "ESMTP"  # the "with" of our Received field (RFC 3848)
    certificate: str | None = None  # SHA-256 of the TLS certificate the client proved, in hex
    acting: str | None = None  # who logged in, where they act for `account` (RFC 4616 authzid)


@dataclass(frozen=True, slots=True)
class Transaction:
    """One message on its way from one client to one or more recipients."""

    id: str  # time-ordered, 26 characters of Crockford base32
    received_at: float  # seconds since the epoch
    listener: Listener
    envelope: Envelope
    message: Message = field(repr=False)

    @property
    def origin(self) -> Origin:
        """Inside when the client is one of the district's: authenticated, or a trusted relay."""
        if self.listener.role is Role.MX and self.envelope.account is None:
            return Origin.OUTSIDE
        return Origin.INSIDE
