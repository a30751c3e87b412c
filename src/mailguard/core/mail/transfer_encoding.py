"""Transfer encodings undone, leniently as mail clients do (RFC 2045 6.7, 6.8).

Linear, never raises. Must not know parts or charsets.
"""

from __future__ import annotations

import binascii
import re
from typing import Final

ENCODINGS: Final = frozenset({"7bit", "8bit", "binary", "quoted-printable", "base64"})
IDENTITY: Final = frozenset({"7bit", "8bit", "binary"})

_DIGITS: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_EXPECTED: Final = _DIGITS + b"=\r\n"
_NOT_DIGITS: Final = bytes(sorted(set(range(256)) - set(_DIGITS) - {0x3D}))
_QP_ODD: Final = re.compile(rb"=(?![0-9A-Fa-f]{2}|[ \t]*+(?:\r?\n|\Z))")
_MAX_RUNS: Final = 1_000  # base64 texts one after the other in one body


def defects_of(body: bytes, encoding: str) -> tuple[str, ...]:
    """Codes for what readers may decode differently in a body."""
    if encoding == "base64":
        found = []
        if body.translate(None, _EXPECTED).strip(b" \t"):
            found.append("base64-garbage")
        padding = body.find(b"=")
        if padding >= 0 and body[padding:].strip(b"= \t\r\n"):
            found.append("base64-padding-inside")
        return tuple(found)
    if encoding == "quoted-printable" and b"=" in body and _QP_ODD.search(body):
        return ("quoted-printable-malformed",)
    return ()


def decode(body: bytes, encoding: str) -> bytes:
    """The decoded octets; unknown encodings (uuencode too) are left as they are."""
    if encoding == "base64":
        return _base64(body)
    if encoding == "quoted-printable":
        return binascii.a2b_qp(body)
    return body


def head(body: memoryview, encoding: str, count: int) -> bytes:
    """The first `count` decoded octets, without decoding the rest."""
    if encoding not in ("base64", "quoted-printable"):
        return bytes(body[:count])
    take = count * 3 + 1_024
    while True:
        # A cut within an escape only harms the last octets.
        decoded = decode(bytes(body[:take]), encoding)
        if take >= len(body) or len(decoded) >= count + 8:
            return decoded[:count]
        take *= 4


def digits(body: bytes) -> bytes:
    """A base64 body's digits without all else; "=" is left where padding stands inside."""
    return body.translate(None, _NOT_DIGITS).rstrip(b"=")


def _base64(body: bytes) -> bytes:
    """What follows padding is decoded too, so that whoever reads on sees no more than we do."""
    found = digits(body)
    if b"=" not in found:
        return _run(found)
    runs = [run for run in found.split(b"=", _MAX_RUNS) if run]
    return b"".join(_run(run.replace(b"=", b"")) for run in runs)


def _run(digits: bytes) -> bytes:
    if len(digits) % 4 == 1:
        digits = digits[:-1]
    return binascii.a2b_base64(digits + b"=" * (-len(digits) % 4))
