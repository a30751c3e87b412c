"""Transfer encodings undone, leniently as mail clients do (RFC 2045 6.7, 6.8).

Linear, never raises. Must not know parts or charsets.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator
from typing import Final

from mailguard.core.mail import octets

ENCODINGS: Final = frozenset({"7bit", "8bit", "binary", "quoted-printable", "base64"})
IDENTITY: Final = frozenset({"7bit", "8bit", "binary"})

_DIGITS: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_EXPECTED: Final = _DIGITS + b"=\r\n"
_NOT_DIGITS: Final = bytes(sorted(set(range(256)) - set(_DIGITS) - {0x3D}))
_QP_ODD: Final = re.compile(rb"=(?![0-9A-Fa-f]{2}|[ \t]*+(?:\r?\n|\Z))")
_BACK: Final = 1_000  # octets in which a place to cut is looked for
_MAX_RUNS: Final = 1_000  # base64 texts one after the other in one body


def defects_of(body: bytes, encoding: str) -> tuple[str, ...]:
    """Codes for what readers may decode differently in a body."""
    if encoding == "base64":
        found = []
        if any(piece.translate(None, _EXPECTED + b" \t") for piece in octets.steps(body)):
            found.append("base64-garbage")
        padding = body.find(b"=")
        if padding >= 0 and any(
            piece.translate(None, b"= \t\r\n") for piece in octets.steps(body, padding)
        ):
            found.append("base64-padding-inside")
        return tuple(found)
    if encoding != "quoted-printable" or b"=" not in body:
        return ()
    odd = any(_QP_ODD.search(body, start, end) for start, end in _qp_steps(body))
    return ("quoted-printable-malformed",) if odd else ()


def decode(body: bytes, encoding: str) -> bytes:
    """The decoded octets; unknown encodings (uuencode too) are left as they are."""
    if encoding == "base64":
        return _base64(body)
    if encoding == "quoted-printable":
        if len(body) <= octets.STEP:
            return binascii.a2b_qp(body)
        return b"".join([binascii.a2b_qp(body[start:end]) for start, end in _qp_steps(body)])
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
    pieces = [piece.translate(None, _NOT_DIGITS) for piece in octets.steps(body)]
    while pieces:
        pieces[-1] = pieces[-1].rstrip(b"=")
        if pieces[-1]:
            break
        pieces.pop()
    return b"".join(pieces)


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
    padding = b"=" * (-len(digits) % 4)
    if len(digits) <= octets.STEP:
        return binascii.a2b_base64(digits + padding)
    *whole, last = octets.steps(digits)  # a step is a multiple of four digits
    return b"".join([*map(binascii.a2b_base64, whole), binascii.a2b_base64(last + padding)])


def _qp_steps(body: bytes) -> Iterator[tuple[int, int]]:
    """Spans that read each by itself as they do together: to the end of a line, or, in a line that
    is longer than a step, to where no escape and no line end may have begun."""
    start, stop = 0, octets.STEP
    while stop < len(body):
        end = body.rfind(b"\n", start, stop) + 1
        if end <= start and body.find(b"=\r", start, stop) < 0:
            closest = range(stop, max(start + 2, stop - _BACK), -1)
            end = next((at for at in closest if _is_between(body, at)), 0)
        if end <= start:  # nowhere: to the line's end
            end = body.find(b"\n", stop) + 1 or len(body)
        yield start, end
        start, stop = end, end + octets.STEP
    if start < len(body):
        yield start, len(body)


def _is_between(body: bytes, at: int) -> bool:
    """Whether what stands before a place of a quoted-printable line is whole."""
    return b"=" not in body[at - 2 : at] and body[at - 1] not in b" \t\r"
