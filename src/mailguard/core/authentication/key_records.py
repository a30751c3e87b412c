"""Public keys of DKIM and ARC: read out of their records and used (RFC 6376 3.6, 8301, 8463).

Owns which keys are good enough. Must not know messages, or how the records were looked up.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key

from mailguard.core.authentication.dkim_canonical import parse_tags, unspaced
from mailguard.core.authentication.dns_answers import Answer, NoData, NxDomain, Records
from mailguard.core.decision.facts import Unavailable

Keys = Mapping[str, Answer]  # by the name they were looked up under

MIN_BITS: Final = 1_024  # RFC 8301 3.2
MAX_BITS: Final = 4_096  # RFC 8301 3.2 asks for no more; longer ones cost too much
MAX_EXPONENT_BITS: Final = 64
MAX_RECORD: Final = 4_096  # octets
_PADDING: Final = PKCS1v15()
_DIGEST: Final = Prehashed(SHA256())


@dataclass(frozen=True, slots=True)
class NoKey:
    """Why there is no key to verify with; `result` is RFC 8601's word for it."""

    result: str
    reason: str


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A key record that may be used."""

    algorithm: str  # "rsa-sha256" or "ed25519-sha256"
    bits: int
    testing: bool  # t=y
    strict: bool  # t=s: i= must have the very domain
    key: RSAPublicKey | Ed25519PublicKey = field(repr=False)

    def verifies(self, signature: bytes, digest: bytes) -> bool:
        """Whether the signature is this key's over data with that SHA-256 digest."""
        try:
            if isinstance(self.key, RSAPublicKey):
                self.key.verify(signature, digest, _PADDING, _DIGEST)
            else:
                self.key.verify(signature, digest)  # RFC 8463 3: the digest is what is signed
        except InvalidSignature:
            return False
        return True


def key_of(answer: Answer) -> PublicKey | NoKey:
    """The one key in an answer. No answer is not "no key" (RFC 6376 6.1.2)."""
    if isinstance(answer, Unavailable):
        return NoKey("temperror", f"the key could not be looked up: {answer.unavailable}")
    if isinstance(answer, NxDomain | NoData):
        return NoKey("permerror", "no key in DNS")
    return _key_of_records(answer)


@lru_cache(maxsize=1_024)
def _key_of_records(answer: Records) -> PublicKey | NoKey:
    records = [value for value in answer.values if not _is_another(value)]
    if len(records) != 1:  # RFC 6376 3.6.2.2: with several, anything may happen
        return NoKey("permerror", "several key records in DNS" if records else "no key in DNS")
    return parse_record(records[0])


def parse_record(record: bytes) -> PublicKey | NoKey:
    """Read a key record (RFC 6376 3.6.1)."""
    tags = parse_tags(record) if len(record) <= MAX_RECORD else None
    if tags is None or b"p" not in tags:
        return NoKey("permerror", "the key record is malformed")
    if b"v" in tags and (tags[b"v"] != b"DKIM1" or next(iter(tags)) != b"v"):
        return NoKey("permerror", "the key record is not of version DKIM1")
    if not tags[b"p"]:
        return NoKey("permerror", "the key is revoked")
    if b"h" in tags and b"sha256" not in _list(tags[b"h"]):
        return NoKey("permerror", "the key is not for sha256")
    if not {b"*", b"email"}.intersection(_list(tags.get(b"s", b"*"))):
        return NoKey("permerror", "the key is not for e-mail")
    flags = _list(tags.get(b"t", b""))
    kind = tags.get(b"k", b"rsa")
    if kind not in (b"rsa", b"ed25519"):
        return NoKey("permerror", "the key is of an unknown kind")
    try:
        octets = base64.b64decode(unspaced(tags[b"p"]), validate=True)
        key = (
            Ed25519PublicKey.from_public_bytes(octets)
            if kind == b"ed25519"
            else load_der_public_key(octets)
        )
    except (binascii.Error, ValueError, TypeError, OverflowError, UnsupportedAlgorithm):
        return NoKey("permerror", "the key cannot be read")
    testing, strict = b"y" in flags, b"s" in flags
    if isinstance(key, Ed25519PublicKey):
        return PublicKey("ed25519-sha256", 256, testing, strict, key)
    if not isinstance(key, RSAPublicKey):
        return NoKey("permerror", "the key is not of the kind that its record names")
    if key.key_size < MIN_BITS:
        return NoKey("policy", f"the key has only {key.key_size} bits")  # RFC 8301 3.2
    if key.key_size > MAX_BITS or key.public_numbers().e.bit_length() > MAX_EXPONENT_BITS:
        return NoKey("policy", "the key is too long")
    return PublicKey("rsa-sha256", key.key_size, testing, strict, key)


def public_octets(key: RSAPublicKey | Ed25519PublicKey) -> bytes:
    """A key as p= has it, before base64."""
    if isinstance(key, Ed25519PublicKey):  # RFC 8463 4.2
        return key.public_bytes(Encoding.Raw, PublicFormat.Raw)
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _is_another(record: bytes) -> bool:
    """Whether a record says that it is of another kind; such are passed over (RFC 6376 3.6.1)."""
    start = unspaced(record[:40])
    return start.startswith(b"v=") and not start.startswith(b"v=DKIM1")


def _list(value: bytes) -> set[bytes]:
    """A colon-separated list's members."""
    return {member.lower() for member in unspaced(value).split(b":")}
