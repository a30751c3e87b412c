"""ARC chains of two sealers, with an RSA and an Ed25519 key."""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key

from mailguard.core.authentication.arc_seal import seal
from mailguard.core.authentication.dkim_signing import SigningKey, record_of
from mailguard.core.authentication.dns_answers import Answer, Records

NOW = 1_700_000_000.0
RSA, ED = generate_private_key(65537, 2048), Ed25519PrivateKey.generate()
OURS = SigningKey("example.org", "a1", RSA)
THEIRS = SigningKey("lists.example.net", "e1", ED)
KEYS: dict[str, Answer] = {
    f"{key.selector}._domainkey.{key.domain}": Records((record_of(key.key).encode(),))
    for key in (OURS, THEIRS)
}
RAW = (
    b"From: Jane Doe <jane@example.test>\r\nTo: list@lists.example.net\r\n"
    b"Subject: Field trip\r\nDate: Mon, 1 Jan 2024 10:00:00 +0000\r\n\r\nThe bus leaves at 8.\r\n"
)
RESULTS = b"lists.example.net; dmarc=pass header.from=example.test"


def chain(length: int, raw: bytes = RAW) -> bytes:
    """`raw` with so many sets on top, sealed by the two in turn."""
    for number in range(length):
        key = OURS if number % 2 else THEIRS
        added = seal(raw, RESULTS, "pass" if number else "none", key, NOW)
        assert added
        raw = added + raw
    return raw
