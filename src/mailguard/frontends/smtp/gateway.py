"""The port behind the SMTP frontend: what a session asks of the rest of mailguard.

Owns the Protocol and its one error. Must not know policy, storage or the next hop.
"""

from __future__ import annotations

from typing import Protocol

from mailguard.core.mail.reply import Reply
from mailguard.core.mail.transaction import Envelope, Listener


class LoginTrouble(Exception):
    """A login could not be judged (file unreadable, next hop silent): 454 4.7.0, not a failure."""


class Gateway(Protocol):
    """What sessions hand their mail to. Whatever it raises is our own trouble: 451 4.3.0."""

    async def verify(self, envelope: Envelope, listener: Listener, recipient: str) -> Reply:
        """At RCPT: whether mail for `recipient` would be taken. A positive reply is answered
        250 2.1.5, any other one is passed on. `envelope` holds the recipients so far."""
        ...

    async def accept(self, listener: Listener, envelope: Envelope, raw: bytes) -> Reply:
        """After the final dot: everything that happens to a message, and the reply to it.

        `raw` is the message as sent, dot-stuffing undone: CRLF line ends only, no NUL.
        Runs to its end even when the client is gone."""
        ...

    async def log_in(self, login: str, password: bytes, client_address: str) -> str | None:
        """The account that this login proves, or None when it is wrong. Raises LoginTrouble."""
        ...

    def acting(self, login: str, account: str) -> str | None:
        """The account that a proven login may act for (RFC 4616 authzid; R5), or None."""
        ...

    def needs_no_login(self, client_address: str, certificate: str | None) -> bool:
        """Whether a device is registered with this very address or TLS certificate (R1)."""
        ...
