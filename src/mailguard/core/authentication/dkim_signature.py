"""Signature fields of DKIM and ARC: what they claim, and whether the claim is true (RFC 6376 6.1).

Owns the verification of one signature. What is wrong is a `SignatureInvalid` with RFC 8601's
result, which goes no further than `dkim` and `arc`. Must not know where keys come from.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from mailguard.core.authentication.dkim_canonical import (
    SINGLETONS,
    Canonical,
    parse_tags,
    unspaced,
)
from mailguard.core.authentication.key_records import PublicKey

MAX_HEADER: Final = 262_144  # octets of header; no honest one comes near
CLOCK_SKEW: Final = 600.0  # seconds allowed past x=
FUTURE: Final = 86_400.0  # seconds that t= may lie ahead: clocks in a wrong time zone
ALGORITHMS: Final = ("rsa-sha256", "ed25519-sha256")
_DOMAIN: Final = re.compile(r"(?!-)[a-z0-9_-]{1,63}+(?:\.(?!-)[a-z0-9_-]{1,63}+)*+")
_DIGITS: Final = re.compile(rb"[0-9]{1,12}")
_FORMS: Final = {b"simple": False, b"relaxed": True}


class SignatureInvalid(Exception):
    """A signature that does not count, and why."""

    def __init__(self, result: str, reason: str) -> None:
        super().__init__(reason)
        self.result = result
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Signature:
    """What a signature field says of itself."""

    index: int  # of its field
    tags: Mapping[bytes, bytes]
    domain: str  # d=, in lower case
    selector: str  # s=, in lower case
    algorithm: str
    relaxed_header: bool
    relaxed_body: bool
    signature: bytes

    @property
    def key_name(self) -> str:
        return f"{self.selector}._domainkey.{self.domain}"

    @property
    def names(self) -> list[bytes]:
        """h=, in lower case."""
        return [name.lower() for name in unspaced(self.tags.get(b"h", b"")).split(b":")]


def read_tags(value: bytes) -> Mapping[bytes, bytes]:
    """The field's tags. Raises SignatureInvalid."""
    tags = parse_tags(value)
    if tags is None:
        raise SignatureInvalid("neutral", "the signature's tags are malformed")
    return tags


def read_signature(
    index: int, tags: Mapping[bytes, bytes], required: bytes, form: bytes = b"simple/simple"
) -> Signature:
    """What the tags claim, so far as DKIM and ARC agree; `form` is what no c= means. Raises
    SignatureInvalid."""
    for letter in required.split():
        if not tags.get(letter) and not (letter == b"h" and b"h" in tags):
            raise SignatureInvalid("permerror", f"the signature has no {letter.decode()}=")
    algorithm = tags[b"a"].decode()
    if algorithm not in ALGORITHMS:
        reason = "rsa-sha1 is not trusted" if algorithm == "rsa-sha1" else "unknown algorithm"
        raise SignatureInvalid("policy", reason)  # RFC 8301 3.1
    domain, selector = tags[b"d"].decode().lower(), tags[b"s"].decode().lower()
    if not (_DOMAIN.fullmatch(domain) and _DOMAIN.fullmatch(selector)):
        raise SignatureInvalid("permerror", "d= or s= is not a domain name")
    header_form, _, body_form = tags.get(b"c", form).partition(b"/")
    relaxed_header, relaxed_body = _FORMS.get(header_form), _FORMS.get(body_form or b"simple")
    if relaxed_header is None or relaxed_body is None:
        raise SignatureInvalid("permerror", "unknown canonicalization")
    if b"q" in tags and b"dns/txt" not in unspaced(tags[b"q"]).lower().split(b":"):
        raise SignatureInvalid("permerror", "no known way to the key")
    return Signature(
        index,
        tags,
        domain,
        selector,
        algorithm,
        relaxed_header,
        relaxed_body,
        _base64(tags[b"b"], "b="),
    )


def check_times(tags: Mapping[bytes, bytes], now: float) -> None:
    """t= and x= (RFC 6376 3.5). Raises SignatureInvalid."""
    signed_at, expires_at = _seconds(tags, b"t"), _seconds(tags, b"x")
    if signed_at is not None and signed_at > now + FUTURE:
        raise SignatureInvalid("policy", "signed in the future")
    if expires_at is not None:
        if signed_at is not None and expires_at <= signed_at:
            raise SignatureInvalid("permerror", "the signature expires before it was made")
        if expires_at < now - CLOCK_SKEW:
            raise SignatureInvalid("policy", "the signature has expired")


def check_coverage(message: Canonical, names: list[bytes]) -> None:
    """No field of which a reader shows one may stand more often than it is signed: the second one
    could be anybody's. Raises SignatureInvalid."""
    for name in SINGLETONS:
        there = len(message.by_name.get(name.encode(), ()))
        if there > 1 and there > names.count(name.encode()):
            raise SignatureInvalid("policy", f"{name} stands {there} times and not all are signed")


def check_message_hash(message: Canonical, signature: Signature, key: PublicKey) -> None:
    """The body's hash, then the signature itself (RFC 6376 3.7, 6.1.3). Raises SignatureInvalid."""
    if key.algorithm != signature.algorithm:
        raise SignatureInvalid("permerror", "the key is of another kind than the signature")
    expected = _base64(signature.tags[b"bh"], "bh=")
    if message.body_hash(relaxed=signature.relaxed_body) != expected:
        raise SignatureInvalid("fail", "the body was altered")
    digest = hashlib.sha256()
    for octets in message.header(signature.names, relaxed=signature.relaxed_header):
        digest.update(octets)
    digest.update(message.without_signature(signature.index, relaxed=signature.relaxed_header))
    if not key.verifies(signature.signature, digest.digest()):
        raise SignatureInvalid("fail", "the header was altered, or the key is another")


def _base64(value: bytes, name: str) -> bytes:
    try:
        return base64.b64decode(unspaced(value), validate=True)
    except (binascii.Error, ValueError):
        raise SignatureInvalid("permerror", f"{name} is not base64") from None


def _seconds(tags: Mapping[bytes, bytes], name: bytes) -> int | None:
    if name not in tags:
        return None
    if not _DIGITS.fullmatch(tags[name]):
        raise SignatureInvalid("permerror", f"{name.decode()}= is not a time")
    return int(tags[name])
