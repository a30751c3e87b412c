"""Octets that are read where they are wanted, so that a look at a directory decodes nothing else.

Owns access to an attachment's decoded octets by offset. Must not know what they mean.
"""

from __future__ import annotations

import binascii
from typing import Protocol

from mailguard.core.mail import transfer_encoding


class Source(Protocol):
    """A file's octets. Offsets outside are empty, never an error."""

    @property
    def size(self) -> int: ...

    def cut(self, start: int, end: int) -> bytes:
        """The octets of `start` to `end`, as far as there are any."""
        ...

    def whole(self) -> bytes: ...


class Plain:
    """Octets at hand."""

    __slots__ = ("_octets",)

    def __init__(self, octets: bytes) -> None:
        self._octets = octets

    @property
    def size(self) -> int:
        return len(self._octets)

    def cut(self, start: int, end: int) -> bytes:
        return self._octets[max(start, 0) : max(end, 0)]

    def whole(self) -> bytes:
        return self._octets


class Digits:
    """Base64 (RFC 2045 6.8) whose digits have been cleared of all else: four make three octets."""

    __slots__ = ("_digits",)

    def __init__(self, digits: bytes) -> None:
        self._digits = digits[:-1] if len(digits) % 4 == 1 else digits

    @property
    def size(self) -> int:
        return len(self._digits) * 3 // 4

    def cut(self, start: int, end: int) -> bytes:
        start, end = max(start, 0), min(max(end, 0), self.size)
        if start >= end:
            return b""
        first = start // 3
        digits = self._digits[4 * first : 4 * -(-end // 3)]
        octets = binascii.a2b_base64(digits + b"=" * (-len(digits) % 4))
        return octets[start - 3 * first : end - 3 * first]

    def whole(self) -> bytes:
        return self.cut(0, self.size)


def of_body(body: bytes, encoding: str) -> Source:
    """What `transfer_encoding.decode` makes of a part's body, by offset."""
    if encoding == "base64":
        digits = transfer_encoding.digits(body)
        if b"=" not in digits:
            return Digits(digits)
    return Plain(transfer_encoding.decode(body, encoding))
