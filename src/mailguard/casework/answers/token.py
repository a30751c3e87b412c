"""The token of a question that one person was asked by mail (R18, R30).

Owns its form: `ticket-number-mac`, a HMAC over ticket, person and the message that it is about. It
stands in the question's Message-ID, Subject and page address, needs no storage, and answers for
nobody else and nothing else. Single use and expiry are the ticket's: it takes an answer only while
it waits for one. Must not know mail, pages or what is asked.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

_TOKEN = re.compile(r"(?<![0-9])([0-9]{1,12})-([0-9]{1,4})-([a-z2-7]{16})(?![a-z0-9])")
_PURPOSE = b"mailguard question 1\0"
_LONGEST = 20_000  # characters in which a token is looked for
_MOST = 50  # candidates


@dataclass(frozen=True, slots=True)
class Token:
    """As it was found; proven only by `proves`."""

    ticket: int
    number: int  # which of the ticket's questions
    mac: str

    def __str__(self) -> str:
        return f"{self.ticket}-{self.number}-{self.mac}"


def token(keys: Sequence[bytes], ticket: int, number: int, about: str) -> Token:
    """The token under the first key. `about` binds it: the person and the message's digest.
    Raises ValueError without a key."""
    if not keys:
        raise ValueError("there is no key to make tokens with")
    return Token(ticket, number, _mac(keys[0], ticket, number, about))


def proves(found: Token, keys: Sequence[bytes], about: str) -> bool:
    """Whether we made it, under any key, for this person and message."""
    return any(
        hmac.compare_digest(_mac(key, found.ticket, found.number, about), found.mac) for key in keys
    )


def found_in(texts: Iterable[str]) -> tuple[Token, ...]:
    """Every token that the texts show, in their order, each once; bounded."""
    seen: dict[Token, None] = {}
    for text in texts:
        for match in _TOKEN.finditer(text[:_LONGEST]):
            seen.setdefault(Token(int(match[1]), int(match[2]), match[3]))
            if len(seen) == _MOST:
                return tuple(seen)
    return tuple(seen)


def _mac(key: bytes, ticket: int, number: int, about: str) -> str:
    said = f"{ticket}|{number}|{about}".encode("utf-8", "surrogatepass")
    digest = hmac.new(key, _PURPOSE + said, hashlib.sha256).digest()
    return base64.b32encode(digest[:10]).decode("ascii").lower()
