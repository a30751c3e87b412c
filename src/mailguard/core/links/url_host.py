"""The site that a browser goes to for an address, and where its name stands in the address.

Owns the reading of an authority as WHATWG URL 4.4 has it: percent signs, full-width letters, soft
hyphens and numbers written in hexadecimal are ways to write another name than people read. Must
not know what is shown of it. For http and https addresses alone.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

import idna

from mailguard.core.links import sealed

_AUTHORITY = re.compile(r"https?:[/\\]*([^/\\?#]*)", re.IGNORECASE)
_PORT = re.compile(r":0*([0-9]{0,5})\Z")
_HIGHEST_PORT = 65_535
_FORBIDDEN = re.compile(r"[\x00-\x20#%/:<>?@\[\\\]^`{|}\x7f]")  # WHATWG URL 3.1
_LONGEST = 2_500  # characters of a name; the DNS has 253, of which each may take nine to write
_ADDRESS = 2**32  # of IPv4


@dataclass(frozen=True, slots=True)
class UrlHost:
    """Where an address leads. `start` and `end` cut the name out of the address as written."""

    start: int
    end: int
    written: str
    opened: str  # in ASCII, lower case, without the dot at the end; "" where no browser opens it
    shown: str  # `opened` in Unicode; equal to it for most
    user: str  # what stands before an "@", which names no site whatever it looks like
    is_number: bool  # an IP address


def site_of(target: str) -> UrlHost:
    """The site of an http or https address. Never raises."""
    found = _AUTHORITY.match(target)
    if found is None:
        return UrlHost(0, 0, "", "", "", "", False)
    start, end = found.span(1)
    user, at, rest = found[1].rpartition("@")
    start += len(user) + len(at)
    port = _PORT.search(rest)
    if port is not None:
        end -= len(port[0])
    written = target[start:end]
    if port is not None and int(port[1] or 0) > _HIGHEST_PORT:
        return UrlHost(start, end, written, "", "", user, False)
    if written.startswith("["):
        whole = written.endswith("]") and _is_ipv6(written[1:-1])
        opened = written.lower() if whole else ""
        return UrlHost(start, end, written, opened, opened, user, True)
    opened = _opened(written)
    number = _ipv4(opened)
    if number is not None:
        return UrlHost(start, end, written, number, number, user, True)
    return UrlHost(start, end, written, opened, sealed.readings_of_host(opened)[1], user, False)


def _opened(written: str) -> str:
    if not written or len(written) > _LONGEST:
        return ""
    name = written
    try:
        if "%" in name:
            name = unquote_to_bytes(name).decode()
        if not name.isascii():
            name = idna.uts46_remap(name, std3_rules=False, transitional=False)
    except (UnicodeError, idna.IDNAError):
        return ""
    name = sealed.readings_of_host(name.lower())[0]
    return "" if _FORBIDDEN.search(name) else name.removesuffix(".")


def _ipv4(name: str) -> str | None:
    """A name that is a number as an IPv4 address, "" for a wrong one; None for a name."""
    pieces = name.split(".")
    if _number(pieces[-1]) is None and not pieces[-1].isdecimal():
        return None
    values = [_number(piece) for piece in pieces] if len(pieces) <= 4 else [None]
    known = [value for value in values if value is not None]
    if len(known) < len(values) or any(value > 255 for value in known[:-1]):
        return ""
    if known[-1] >= 256 ** (5 - len(known)):
        return ""
    whole = sum(value << 8 * (3 - at) for at, value in enumerate(known[:-1])) + known[-1]
    return ".".join(str(octet) for octet in whole.to_bytes(4, "big")) if whole < _ADDRESS else ""


def _number(piece: str) -> int | None:
    """Decimal, octal after "0" or hexadecimal after "0x" (WHATWG URL 3.5)."""
    if not piece or len(piece) > 40 or not piece.isascii():
        return None
    digits, base = piece, 10
    if piece.startswith("0x"):
        digits, base = piece[2:], 16
    elif len(piece) > 1 and piece.startswith("0"):
        digits, base = piece[1:], 8
    if not digits:
        return 0
    if not digits.isalnum():
        return None
    try:
        return int(digits, base)
    except ValueError:
        return None


def _is_ipv6(text: str) -> bool:
    return bool(re.fullmatch(r"[0-9A-Fa-f:.]{2,45}", text)) and ":" in text
