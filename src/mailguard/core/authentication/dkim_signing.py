"""DKIM signatures on mail that leaves (RFC 6376, 8301, 8463), and the keys that make them.

Owns which fields are signed and how a signature field is written. What is signed must leave as it
is: only fields that are not signed may be put on top. Must not know who may send.
"""

from __future__ import annotations

import base64
import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from mailguard.core.authentication.dkim_canonical import Canonical, canonical, relaxed_field
from mailguard.core.authentication.key_records import MIN_BITS, public_octets

PrivateKey = RSAPrivateKey | Ed25519PrivateKey

# Signed once more than they stand there, so that none can be added (RFC 6376 8.15). Not Sender,
# which lists add in good faith.
OVERSIGNED: Final = (
    *("from", "subject", "to", "cc", "date", "reply-to", "message-id", "mime-version"),
    *("content-type", "content-transfer-encoding", "in-reply-to", "references"),
)
# Signed as they stand there (RFC 6376 5.4.1).
SIGNED: Final = (
    *("sender", "content-disposition", "content-id", "content-description", "auto-submitted"),
    *("resent-date", "resent-from", "resent-sender", "resent-to", "resent-cc", "resent-message-id"),
    *("list-id", "list-help", "list-unsubscribe", "list-unsubscribe-post", "list-subscribe"),
    *("list-post", "list-owner", "list-archive"),
)
_MAX_NAMES: Final = 500  # mentions in h=
_LINE: Final = 72
_PADDING: Final = PKCS1v15()
_DIGEST: Final = Prehashed(SHA256())


@dataclass(frozen=True, slots=True)
class SigningKey:
    """One selector's private key and the time it is in use; times in seconds since the epoch."""

    domain: str
    selector: str
    key: PrivateKey = field(repr=False)
    active_from: float = -math.inf
    active_until: float = math.inf

    @property
    def algorithm(self) -> str:
        return "rsa-sha256" if isinstance(self.key, RSAPrivateKey) else "ed25519-sha256"

    def is_active(self, now: float) -> bool:
        return self.active_from <= now < self.active_until

    def sign(self, digest: bytes) -> bytes:
        """The signature over data with that SHA-256 digest."""
        if isinstance(self.key, RSAPrivateKey):
            return self.key.sign(digest, _PADDING, _DIGEST)
        return self.key.sign(digest)  # RFC 8463 3


def load_private_key(pem: bytes) -> PrivateKey:
    """A key as `mailguard dkim keygen` writes it (PKCS #8 PEM). Raises ValueError."""
    try:
        key = load_pem_private_key(pem, password=None)
    except (TypeError, UnsupportedAlgorithm) as error:
        raise ValueError(f"not a private key that can be read: {error}") from error
    if isinstance(key, RSAPrivateKey):
        if key.key_size < MIN_BITS:
            raise ValueError(f"an RSA key of {key.key_size} bits is too short")
        return key
    if isinstance(key, Ed25519PrivateKey):
        return key
    raise ValueError("neither an RSA nor an Ed25519 key")


def record_of(key: PrivateKey) -> str:
    """The key record for a private key's public half (RFC 6376 3.6.1)."""
    kind = "rsa" if isinstance(key, RSAPrivateKey) else "ed25519"
    return f"v=DKIM1; k={kind}; p={base64.b64encode(public_octets(key.public_key())).decode()}"


class Signer:
    """Signs with every key that is active for the author's domain."""

    def __init__(self, keys: Sequence[SigningKey]) -> None:
        self._keys = tuple(keys)

    def keys_for(self, domain: str, now: float) -> tuple[SigningKey, ...]:
        """The active keys of that domain; where it has none, of the nearest domain above it, which
        may sign for it (RFC 6376 3.10)."""
        name = domain.lower().rstrip(".")
        while name:
            found = [k for k in self._keys if k.domain.lower() == name and k.is_active(now)]
            if found:
                return tuple(found)
            name = name.partition(".")[2]
        return ()

    def sign(self, raw: bytes, domain: str, now: float) -> bytes:
        """The DKIM-Signature fields to put on top of `raw`, CRLF included; b"" where the domain
        has no active key. `raw` is the message as it will leave, with CRLF line ends.

        Linear, at a millisecond or so for each RSA key; a long message belongs in a thread.
        """
        keys = self.keys_for(domain, now)
        if not keys:
            return b""
        view = canonical(raw)
        return b"".join(_signature_field(view, key, now) for key in keys)


def signed_names(view: Canonical) -> list[bytes]:
    """What h= names: each field there is, and one more of those that may not be added."""
    names: list[bytes] = []
    for text in (*OVERSIGNED, *SIGNED):
        name = text.encode()
        there = len(view.by_name.get(name, ()))
        names += [name] * (there + (text in OVERSIGNED))
    return names[:_MAX_NAMES]


def _signature_field(view: Canonical, key: SigningKey, now: float) -> bytes:
    names = signed_names(view)
    tags = [
        (b"v", b"1"),
        (b"a", key.algorithm.encode()),
        (b"c", b"relaxed/relaxed"),
        (b"d", key.domain.lower().encode("ascii")),
        (b"s", key.selector.encode("ascii")),
        (b"t", b"%d" % now),
        (b"h", b":".join(names)),
        (b"bh", base64.b64encode(view.body_hash(relaxed=True))),
        (b"b", b""),
    ]
    return signature_field(b"DKIM-Signature", tags, key, b"".join(view.header(names, relaxed=True)))


def signature_field(
    name: bytes, tags: Sequence[tuple[bytes, bytes]], key: SigningKey, before: bytes
) -> bytes:
    """A field with its b= filled in, folded, CRLF included. `before` is the relaxed header that is
    signed with it; the field's own relaxed form, b= empty, ends what is hashed (RFC 6376 3.7)."""
    empty = write_tags(name, tags)
    digest = hashlib.sha256(before + relaxed_field(name, empty)).digest()
    signature = base64.b64encode(key.sign(digest))
    filled = [(tag, signature if tag == b"b" else value) for tag, value in tags]
    return name + b":" + write_tags(name, filled) + b"\r\n"


def write_tags(name: bytes, tags: Sequence[tuple[bytes, bytes]]) -> bytes:
    """A tag list as it follows the name and the colon, folded. Between tags, where lines break does
    not change the relaxed form. b= stays whole, which an ARC seal is spared to care about; with
    the longest key that is read it is a line of 690 octets."""
    lines = [name + b":"]
    for position, (tag, value) in enumerate(tags):
        text = tag + b"=" + value + (b";" if position + 1 < len(tags) else b"")
        pieces = _break_list(text) if tag == b"h" else [text]
        if len(lines[-1]) + 1 + len(pieces[0]) <= _LINE:
            lines[-1] += b" " + pieces.pop(0)
        lines += pieces
    return b"\r\n\t".join(lines).removeprefix(name + b":")


def _break_list(text: bytes) -> list[bytes]:
    lines: list[bytes] = []
    for member in text.split(b":"):
        if lines and len(lines[-1]) + 1 + len(member) < _LINE:
            lines[-1] += b":" + member
            continue
        if lines:
            lines[-1] += b":"
        lines.append(member)
    return lines
