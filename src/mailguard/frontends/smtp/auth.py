"""AUTH PLAIN and LOGIN (RFC 4954, RFC 4616): from a client's base64 to credentials.

Owns the exchanges. Must not know how a login is proven, nor when AUTH is allowed.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace

from mailguard.core.mail.reply import Reply

RESPONSE_LIMIT = 12_288  # octets of a line of base64 (RFC 4954 section 4)
MECHANISMS = ("PLAIN", "LOGIN")

# Sends "334 " and the challenge (base64 already) and gives the client's line; None at the end.
Challenge = Callable[[bytes], Awaitable[bytes | None]]


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a client claims."""

    login: str
    password: bytes = field(repr=False)
    acting_for: str = ""  # the account they ask to act for (RFC 4616 authzid), if another


class AuthError(Exception):
    """The exchange failed before a login was tried; `reply` says why, None at the end of input."""

    def __init__(self, reply: Reply | None) -> None:
        super().__init__(str(reply))
        self.reply = reply


async def exchange(mechanism: str, initial: bytes | None, challenge: Challenge) -> Credentials:
    """Carry an exchange out. `initial` is the initial response, still base64. Raises AuthError."""
    if mechanism == "PLAIN":
        return _plain(await _response(initial, b"", challenge))
    login = await _response(initial, b"VXNlcm5hbWU6", challenge)  # "Username:"
    password = await _response(None, b"UGFzc3dvcmQ6", challenge)  # "Password:"
    return _credentials(login, password)


async def _response(initial: bytes | None, prompt: bytes, challenge: Challenge) -> bytes:
    line = initial if initial is not None else await challenge(prompt)
    if line is None:
        raise AuthError(None)
    if line == b"*":
        raise AuthError(Reply(501, "5.7.0 AUTH cancelled"))
    if initial == b"=":  # RFC 4954 section 4: an initial response of no octets
        return b""
    try:
        decoded = base64.b64decode(line, validate=True)
    except binascii.Error:
        decoded = None
    # Compared again, since the decoder lets spare bits and over-long padding pass.
    if decoded is None or base64.b64encode(decoded) != line:
        raise AuthError(Reply(501, "5.5.2 Not base64"))
    return decoded


def _plain(message: bytes) -> Credentials:
    pieces = message.split(b"\0")
    if len(pieces) != 3:
        raise AuthError(Reply(501, "5.5.2 Malformed PLAIN message"))
    acting_for, login, password = pieces
    claimed = _credentials(login, password)
    if acting_for in (b"", login):
        return claimed
    try:
        account = acting_for.decode("utf-8")
    except UnicodeDecodeError:
        account = ""
    if not account.isprintable() or not 0 < len(account) <= 255:
        raise AuthError(Reply(535, "5.7.8 No such account to act for"))
    return replace(claimed, acting_for=account)


def _credentials(login: bytes, password: bytes) -> Credentials:
    try:
        text = login.decode("utf-8")
    except UnicodeDecodeError:
        text = ""
    if not text or not text.isprintable() or len(text) > 255 or not password or b"\0" in password:
        raise AuthError(Reply(535, "5.7.8 Login or password is wrong"))
    return Credentials(text, password)
