"""What trusted peers say about the clients behind them: PROXY, XCLIENT, XFORWARD; and who they are.

Owns the networks of trusted peers and three small grammars, all read from raw bytes in linear
time. Must not know sessions: whether a peer may say such things is decided there.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

XCLIENT_NAMES = ("NAME", "ADDR", "PORT", "PROTO", "HELO", "LOGIN")
XFORWARD_NAMES = ("NAME", "ADDR", "PORT", "PROTO", "HELO", "IDENT", "SOURCE")

_V1_LONGEST = 107  # octets of a version 1 header, CRLF included
_V2_SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"
_V2_LONGEST = 2048  # octets after the first 16; addresses take 216 at most, the rest is extensions
_XTEXT = re.compile(rb"(?:[!-*,-<>-~]|\+[0-9A-F]{2})*+\Z")
_DIGITS = re.compile(rb"[0-9]{1,5}\Z")


class Networks:
    """Addresses and networks, asked for membership by text. Raises ValueError for a bad one."""

    def __init__(self, listed: Iterable[str]) -> None:
        self._networks = tuple(ipaddress.ip_network(entry, strict=False) for entry in listed)

    def __contains__(self, address: str) -> bool:
        try:
            wanted = ipaddress.ip_address(address)
        except ValueError:
            return False
        return any(wanted in network for network in self._networks)


def plain_address(text: str) -> str:
    """An IP address in its one usual form: no zone, no IPv4 in IPv6. "" for what is none."""
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return ""
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(address)


class ProxyError(Exception):
    """No PROXY header, or a malformed one: the connection must be closed without a word."""


@dataclass(frozen=True, slots=True)
class ProxyHeader:
    """The client behind a balancer; "" when it speaks for itself (LOCAL, UNKNOWN)."""

    client_address: str


def read_proxy_header(octets: bytes) -> tuple[ProxyHeader, int] | None:
    """A header and its length from the beginning of the input; None while more is needed.

    HAProxy's PROXY protocol, versions 1 and 2. Raises ProxyError."""
    if octets.startswith(_V2_SIGNATURE):
        return _read_v2(octets)
    if octets.startswith(b"PROXY "):
        return _read_v1(octets)
    if _V2_SIGNATURE.startswith(octets) or b"PROXY ".startswith(octets):
        return None
    raise ProxyError("no PROXY header")


def _read_v1(octets: bytes) -> tuple[ProxyHeader, int] | None:
    end = octets.find(b"\r\n", 0, _V1_LONGEST)
    if end < 0:
        if len(octets) >= _V1_LONGEST:
            raise ProxyError("over-long PROXY header")
        return None
    words = octets[:end].split(b" ")
    if words[1] == b"UNKNOWN":
        return ProxyHeader(""), end + 2
    if len(words) != 6 or words[1] not in (b"TCP4", b"TCP6"):
        raise ProxyError("malformed PROXY header")
    version = 4 if words[1] == b"TCP4" else 6
    source, destination = (_address(word, version) for word in words[2:4])
    ports_good = all(_DIGITS.match(word) and int(word) < 65_536 for word in words[4:6])
    if not source or not destination or not ports_good:
        raise ProxyError("malformed PROXY header")
    return ProxyHeader(source), end + 2


def _address(word: bytes, version: int) -> str:
    try:
        address = ipaddress.ip_address(word.decode("ascii"))
    except ValueError:
        return ""
    return plain_address(str(address)) if address.version == version else ""


def _read_v2(octets: bytes) -> tuple[ProxyHeader, int] | None:
    if len(octets) < 16:
        return None
    command, family, length = octets[12], octets[13], int.from_bytes(octets[14:16], "big")
    if command not in (0x20, 0x21) or length > _V2_LONGEST:
        raise ProxyError("malformed PROXY header")
    if len(octets) < 16 + length:
        return None
    body = octets[16 : 16 + length]
    if command == 0x20:  # LOCAL: the balancer itself, as in health checks
        return ProxyHeader(""), 16 + length
    if family == 0x11 and length >= 12:  # TCP over IPv4
        return ProxyHeader(str(ipaddress.IPv4Address(body[:4]))), 16 + length
    if family == 0x21 and length >= 36:  # TCP over IPv6
        address = plain_address(str(ipaddress.IPv6Address(body[:16])))
        return ProxyHeader(address), 16 + length
    # UNSPEC and the rest: a client we could not name must not pass for the balancer.
    raise ProxyError("PROXY header without a TCP address")


class AttributesError(Exception):
    """A malformed XCLIENT or XFORWARD argument; the reason is fit for a reply."""


def read_attributes(argument: bytes, allowed: tuple[str, ...]) -> Mapping[str, str | None]:
    """XCLIENT's and XFORWARD's `NAME=xtext …`; None stands for [UNAVAILABLE], [TEMPUNAVAIL].

    Values are printable UTF-8, checked per attribute. Raises AttributesError."""
    attributes: dict[str, str | None] = {}
    for word in argument.split(b" "):
        if not word:
            continue
        raw_name, equals, raw_value = word.partition(b"=")
        name = raw_name.decode("ascii", "replace").upper()
        if name not in allowed or not equals:
            raise AttributesError("unknown attribute")
        if name in attributes:
            raise AttributesError(f"{name} twice")
        attributes[name] = _value(name, raw_value)
    if not attributes:
        raise AttributesError("no attributes")
    return attributes


def _value(name: str, raw: bytes) -> str | None:
    if raw.upper() in (b"[UNAVAILABLE]", b"[TEMPUNAVAIL]"):
        return None
    try:
        text = xtext_decode(raw).decode("utf-8")
    except ValueError:
        raise AttributesError(f"bad {name} value") from None
    if not text.isprintable() or len(text) > 255:
        raise AttributesError(f"bad {name} value")
    if name == "ADDR":
        text = plain_address(text[5:] if text[:5].upper() == "IPV6:" else text)
        if not text:
            raise AttributesError("bad ADDR value")
    if name == "PORT" and not _DIGITS.match(text.encode()):
        raise AttributesError("bad PORT value")
    if name == "PROTO" and text.upper() not in ("SMTP", "ESMTP"):
        raise AttributesError("bad PROTO value")
    if name == "SOURCE" and text.upper() not in ("LOCAL", "REMOTE"):
        raise AttributesError("bad SOURCE value")
    if name in ("NAME", "HELO") and not is_host_like(text.encode()):
        return None  # the peer's client chose it: unknown to us, and no reason to refuse the mail
    return text


def xtext_decode(raw: bytes) -> bytes:
    """RFC 3461 section 4's xtext. Raises ValueError."""
    if not _XTEXT.match(raw):
        raise ValueError("not xtext")
    head, *coded = raw.split(b"+")
    return head + b"".join(bytes([int(piece[:2], 16)]) + piece[2:] for piece in coded)


_HOST_LIKE = re.compile(rb"[A-Za-z0-9._:\[\]+/=*~!#$%&'-]{1,255}\Z")


def is_host_like(raw: bytes) -> bool:
    """What EHLO's argument may look like: real clients' odd names and address literals, yet
    nothing that could end a comment, quote or field where it is copied (RFC 5321 4.1.1.1)."""
    return _HOST_LIKE.match(raw) is not None
