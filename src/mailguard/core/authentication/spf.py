"""What an evaluator of SPF is given: the client's address and DNS's answers as text (RFC 7208).

Owns the bound on the size of a record. Must not know the evaluator, or who asks DNS.
"""

from __future__ import annotations

import ipaddress
from typing import Final

LONGEST_RECORD: Final = 4_096  # octets; RFC 7208 3.4 advises 450, DNS would carry 65,535
MOST_TERMS: Final = 400  # of one record
LONGEST_TEXT: Final = 512  # octets of an explanation before its macros are expanded
_VERSION: Final = b"v=spf1"


def client_ip(text: str) -> str | None:
    """The address that is checked: without a zone, an IPv4 address mapped into IPv6 as itself
    (RFC 7208 5); None for what is no address."""
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(address)


def record_text(value: bytes) -> str | None:
    """A TXT record as text; None for a policy that is too long to be meant. Octets that are not
    ASCII become what no evaluator takes (RFC 7208 3.1); what is no policy is cut."""
    if value[: len(_VERSION)].lower() != _VERSION:
        return value[:LONGEST_TEXT].decode("ascii", "replace")
    if len(value) > LONGEST_RECORD or value.count(b" ") > MOST_TERMS:
        return None
    return value.decode("ascii", "replace")


def host_name(value: bytes) -> str:
    """An address, or the name at the end of "10 mail.example.org."."""
    return value.rpartition(b" ")[2].decode("ascii", "replace").rstrip(".")
