"""Messages with DKIM signatures made by hand, without the code under test, and keys for them."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from mailguard.core.authentication.dns_answers import Answer, NoData, NxDomain, Records
from mailguard.core.decision.facts import Unavailable

NOW = 1_800_000_000.0
NAME = "s1._domainkey.example.org"
RSA = generate_private_key(65537, 2048)
WEAK = generate_private_key(65537, 1024)
ED = Ed25519PrivateKey.generate()
HEADER = (
    b"From: Jane Doe <jane@example.org>\r\n"
    b"To: office@example.test\r\n"
    b"Subject: Field trip\r\n"
    b"Date: Mon, 1 Jan 2024 10:00:00 +0000\r\n"
)
BODY = b"Dear all,\r\n\r\nthe bus  leaves at\t8. \r\n\r\n\r\n"
NAMES = b"from:to:subject:date"


def record(key: RSAPrivateKey | Ed25519PrivateKey, extra: bytes = b"") -> Records:
    if isinstance(key, RSAPrivateKey):
        octets = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        kind = b"rsa"
    else:
        octets, kind = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw), b"ed25519"
    return Records((b"v=DKIM1; k=" + kind + b"; " + extra + b"p=" + base64.b64encode(octets),))


def relax(name: bytes, value: bytes) -> bytes:
    return name.lower() + b":" + b" ".join(value.split())


def sign(
    header: bytes = HEADER,
    body: bytes = BODY,
    *,
    names: bytes = NAMES,
    tags: bytes = b"d=example.org; s=s1",
    algorithm: bytes = b"rsa-sha256",
    key: RSAPrivateKey | Ed25519PrivateKey = RSA,
    canonical_body: bytes | None = None,
) -> bytes:
    """A message with a relaxed/relaxed signature on top, made without the code under test."""
    if canonical_body is None:
        lines = [b" ".join(x for x in _words(line)) for line in body.split(b"\r\n")]
        canonical_body = b"\r\n".join(lines).rstrip(b"\r\n")
        canonical_body += b"\r\n" if canonical_body else b""
    bh = base64.b64encode(hashlib.sha256(canonical_body).digest())
    value = b"v=1; a=%s; c=relaxed/relaxed; %s; h=%s; bh=%s; b=" % (algorithm, tags, names, bh)
    there = [line.split(b":", 1) for line in header.split(b"\r\n") if line]
    hashed = b""
    for name in names.split(b":"):
        for position in range(len(there) - 1, -1, -1):
            if there[position][0].lower() == name.lower():
                found = there.pop(position)
                hashed += relax(found[0], found[1]) + b"\r\n"
                break
    hashed += relax(b"dkim-signature", value)
    if isinstance(key, RSAPrivateKey):
        signature = key.sign(hashed, PKCS1v15(), SHA256())
    else:
        signature = key.sign(hashlib.sha256(hashed).digest())
    b64 = base64.b64encode(signature)
    return (
        b"DKIM-Signature: "
        + value
        + b64[:70]
        + b"\r\n  "
        + b64[70:]
        + b"\r\n"
        + header
        + (b"\r\n" + body)
    )


def _words(line: bytes) -> Sequence[bytes]:
    lead = b"" if line[:1] in (b" ", b"\t") and line.strip() else None
    return ([lead] if lead is not None else []) + line.split()


KEY = record(RSA).values[0]
REFUSED: list[tuple[bytes, str, str]] = [
    (sign().replace(b"bus", b"car"), "fail", "the body was altered"),
    (sign().replace(b"Field trip", b"Closed"), "fail", "the header was altered"),
    (sign(tags=b"d=example.org; s=s1; l=4"), "policy", "only a part of the body"),
    (sign(tags=b"d=example.org; s=s1; l=9999"), "policy", "only a part of the body"),
    (sign(algorithm=b"rsa-sha1"), "policy", "rsa-sha1"),
    (sign(algorithm=b"rsa-md5"), "policy", "unknown algorithm"),
    (sign(algorithm=b"ed25519-sha256"), "permerror", "of another kind"),
    (sign(names=b"to:subject"), "permerror", "From is not signed"),
    (sign(tags=b"d=example.org; s=s1; i=@example.test"), "permerror", "i= is not under d="),
    (sign(tags=b"d=example.org; s=s1; i=x@badexample.org"), "permerror", "i= is not under"),
    (sign(tags=b"d=example.org; s=s1; i=nobody"), "permerror", "i= is not under"),
    (sign(tags=b"d=example.org; s=s1; x=%d" % (NOW - 9_000)), "policy", "expired"),
    (sign(tags=b"d=example.org; s=s1; t=20; x=10"), "permerror", "expires before"),
    (sign(tags=b"d=example.org; s=s1; t=%d" % (NOW + 90_000)), "policy", "in the future"),
    (sign(tags=b"d=example.org; s=s1; t=soon"), "permerror", "not a time"),
    (sign(tags=b"d=example.org; s=s1; q=http"), "permerror", "no known way"),
    (sign(tags=b"d=example.org; s=s1; s=s1"), "neutral", "malformed"),
    (sign(tags=b"d=example.org; s=s1;;"), "neutral", "malformed"),
    (sign(tags=b"d=example.org"), "permerror", "no s="),
    (sign(tags=b"d=exa mple.org; s=s1"), "permerror", "not a domain name"),
    (sign(tags=b"d=ex\xc3\xa4mple.org; s=s1"), "neutral", "malformed"),
    (sign().replace(b"v=1", b"v=2"), "permerror", "version"),
    (sign().replace(b"v=1; ", b""), "permerror", "version"),
    (sign().replace(b"c=relaxed/relaxed", b"c=nowsp"), "permerror", "canonicalization"),
    (sign().replace(b"bh=", b"bh=*"), "permerror", "bh= is not base64"),
    (sign().replace(b"\r\nSubject", b"\nSubject"), "policy", "stands on its own"),
    (sign().replace(b"\r\n", b"\n"), "policy", "stands on its own"),
    (sign().replace(b"bus", b"b\rus"), "policy", "stands on its own"),
    (b"DKIM-Signature:\r\n" + HEADER + b"\r\n" + BODY, "permerror", "version"),
    (b"DKIM-Signature: " + b"=" * 9 + b"\r\n" + HEADER, "neutral", "malformed"),
]
"""Signatures, what they are found to be, and a part of the reason."""
USELESS_KEYS: list[tuple[Answer, str, str]] = [
    (NxDomain(), "permerror", "no key"),
    (NoData(), "permerror", "no key"),
    (Unavailable("DNS time-out"), "temperror", "DNS time-out"),
    (Records((b"v=spf1 -all",)), "permerror", "no key"),
    (Records((KEY, KEY + b"\n")), "permerror", "several"),
    (Records((b"v=DKIM1; k=rsa; p=",)), "permerror", "revoked"),
    (Records((b"v=DKIM1; k=rsa; p=%%%%",)), "permerror", "cannot be read"),
    (Records((b"v=DKIM1; k=rsa; p=AAAA",)), "permerror", "cannot be read"),
    (Records((b"v=DKIM1; k=ed25519; p=AAAA",)), "permerror", "cannot be read"),
    (Records((KEY.replace(b"DKIM1", b"DKIM2"),)), "permerror", "no key"),
    (Records((KEY.replace(b"DKIM1", b"DKIM1x"),)), "permerror", "version"),
    (Records((KEY.replace(b"k=rsa", b"k=dsa"),)), "permerror", "unknown kind"),
    (Records((KEY + b"; p=AAAA",)), "permerror", "malformed"),
    (Records((KEY + b" " * 5_000,)), "permerror", "malformed"),
    (record(RSA, b"h=sha1; "), "permerror", "not for sha256"),
    (record(RSA, b"s=tlsrpt; "), "permerror", "not for e-mail"),
    (record(ED), "permerror", "of another kind"),
    (record(WEAK), "fail", "another"),
]
"""Answers of DNS where a key is sought, and what the signature is found to be for them."""
