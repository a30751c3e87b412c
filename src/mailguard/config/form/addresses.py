"""Addresses, domains, networks and names as people write them in configuration.

Owns their grammar at this edge; every function returns the normal form or raises ValueError with
`problem; allowed: …`. Mail addresses and domains are `core.mail.mailbox`'s. Must not know settings.
"""

from __future__ import annotations

import ipaddress
import re
import zoneinfo
from urllib.parse import urlsplit

from mailguard.core.mail.safe_text import quoted

_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")


def hostname(text: str) -> str:
    """A host's name in lower case: what may stand in EHLO (RFC 5321 4.1.2)."""
    lowered = text.strip().lower().rstrip(".")
    if len(lowered) > 253 or not all(_LABEL.fullmatch(label) for label in lowered.split(".")):
        raise ValueError(f"{quoted(text)} is no host name; allowed: a name as in mail.example.org")
    return lowered


def network(text: str) -> str:
    """An IP address or network in its normal form."""
    try:
        return str(ipaddress.ip_network(text.strip()))
    except ValueError as error:
        if "host bits" in str(error):
            meant = ipaddress.ip_network(text.strip(), strict=False)
            problem = f"{quoted(text)} has bits set beyond its prefix; allowed: {meant}"
        else:
            problem = f"{quoted(text)} is no address or network; allowed: 192.0.2.1, 192.0.2.0/24"
        raise ValueError(problem) from None


def host_port(text: str) -> dict[str, str | int]:
    """`host:port` or `[2001:db8::1]:port` taken apart."""
    host, colon, port = text.strip().rpartition(":")
    allowed = "allowed: host:port, as in 127.0.0.1:25 or [::1]:25"
    if not colon or not re.fullmatch(r"[0-9]{1,5}", port) or not host:
        raise ValueError(f"{quoted(text)} is no address with a port; {allowed}")
    if int(port) > 65_535:
        raise ValueError(f"{port} is no port; allowed: 0 to 65535")
    bracketed = host.startswith("[") and host.endswith("]")
    bare = host[1:-1] if bracketed else host
    if bracketed or ":" in bare or re.fullmatch(r"[0-9.]+", bare):
        try:
            address = ipaddress.ip_address(bare)
        except ValueError:
            raise ValueError(f"{quoted(bare)} is no IP address; {allowed}") from None
        if bracketed != (address.version == 6):
            raise ValueError(f"{quoted(text)} needs brackets for IPv6 alone; {allowed}")
        return {"host": str(address), "port": int(port)}
    return {"host": hostname(bare), "port": int(port)}


def time_zone(text: str) -> str:
    """A time zone's IANA name."""
    try:
        zoneinfo.ZoneInfo(text)
    except (OSError, ValueError):  # ZoneInfoNotFoundError is a KeyError only on some versions
        known = False
    except KeyError:
        known = False
    else:
        known = True
    if not known:
        raise ValueError(
            f"{quoted(text)} is no time zone; allowed: an IANA name, as in America/Los_Angeles"
        )
    return text


def http_url(text: str) -> str:
    """An http or https address without query, fragment, login or a slash at the end."""
    allowed = "allowed: an address as in https://links.example.org"
    try:
        parts = urlsplit(text)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable or parts.query or parts.fragment or parts.username or not text.isprintable():
        raise ValueError(f"{quoted(text)} is no address of a web page; {allowed}")
    if " " in text or any(c in text for c in "\"<>\\'"):
        raise ValueError(f"{quoted(text)} is no address of a web page; {allowed}")
    return text.rstrip("/")
