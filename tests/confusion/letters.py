"""Letters and signatures, good and bad ones: what the tables are written with."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA1
from tests.confusion.world import (
    ATTACKER,
    ATTACKER_IP,
    BROKEN_P,
    BROKEN_Q,
    NOW,
    VICTIM_IP,
)

from mailguard.core.authentication.arc_seal import seal
from mailguard.core.authentication.dkim_canonical import canonical, relaxed_field
from mailguard.core.authentication.dkim_signing import Signer, SigningKey, signed_names

ALICE = "alice@victim.test"
MALLORY = "mallory@attacker.test"
TEXT = b"The bus leaves at eight from the north gate. Please bring a coat.\r\n"
AUTHSERV_ID = "mailguard.example.org"


@dataclass(frozen=True)
class Case:
    """One message as it comes from outside, and whose it must (not) be taken for."""

    name: str
    tries: str  # what it tries, and which difference between readers it uses
    raw: bytes
    client_ip: str = ATTACKER_IP
    helo: str = "mx.attacker.test"
    reverse_path: str = MALLORY
    victim: str = ALICE
    ends: str = ""  # the disposition; "" for an attack is anything but forward


def letter(
    *author: bytes,
    extra: Sequence[bytes] = (),
    body: bytes = TEXT,
    subject: bytes = b"Field trip on Friday",
) -> bytes:
    """An ordinary letter; `author` are the whole lines that say whose it is, `extra` others."""
    lines = [
        *author,
        b"To: Sylvia Aspen <sylvia.aspen@example.org>",
        b"Subject: " + subject,
        b"Date: Mon, 21 Sep 2026 14:13:20 +0000",
        b"Message-ID: <1790000000.1@mail.example.net>",
        *extra,
    ]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def signed(raw: bytes, key: SigningKey = ATTACKER) -> bytes:
    """With a good signature on top, as mailguard itself signs."""
    return Signer([key]).sign(raw, key.domain, NOW - 60) + raw


def forged(*author: bytes, **more: object) -> bytes:
    """A letter with whatever author lines, signed by the attacker for the attacker's domain."""
    return signed(letter(*author, **more))  # type: ignore[arg-type]  # passed on as they are


def own(raw: bytes, **more: object) -> dict[str, object]:
    """A case's fields for mail from the victim's own server."""
    return {
        "raw": raw,
        "client_ip": VICTIM_IP,
        "helo": "mail.victim.test",
        "reverse_path": ALICE,
        **more,
    }


def sign(
    raw: bytes,
    key: SigningKey,
    *,
    names: Sequence[bytes] | None = None,
    tags: Sequence[tuple[bytes, bytes]] = (),
    without: Sequence[bytes] = (),
    relaxed: bool = True,
    algorithm: bytes = b"",
    short_key: bool = False,
    body_length: int | None = None,
) -> bytes:
    """With a signature on top that is odd in the ways asked for, and true otherwise: `tags` are
    added or replace those there are; `short_key` signs with the broken one."""
    view = canonical(raw)
    chosen = list(names) if names is not None else signed_names(view)
    form = b"relaxed" if relaxed else b"simple"
    body_hash = view.body_hash(relaxed=relaxed)
    if body_length is not None:
        body = raw[len(raw.partition(b"\r\n\r\n")[0]) + 4 :]
        body_hash = hashlib.sha256(body[:body_length]).digest()
        tags = [*tags, (b"l", b"%d" % body_length)]
    all_tags = {
        b"v": b"1",
        b"a": algorithm or key.algorithm.encode(),
        b"c": form + b"/" + form,
        b"d": key.domain.encode(),
        b"s": key.selector.encode(),
        b"t": b"%d" % (NOW - 60),
        b"h": b":".join(chosen),
        b"bh": base64.b64encode(body_hash),
    }
    if algorithm == b"rsa-sha1":
        all_tags[b"bh"] = base64.b64encode(hashlib.sha1(raw.partition(b"\r\n\r\n")[2]).digest())
    all_tags |= dict(tags)
    for tag in without:
        all_tags.pop(tag, None)
    value = b" " + b"; ".join(tag + b"=" + text for tag, text in all_tags.items()) + b"; b="
    head = b"".join(view.header([n.lower() for n in chosen], relaxed=relaxed))
    name = b"DKIM-Signature"
    head += relaxed_field(name, value) if relaxed else name + b":" + value
    return (
        name
        + b":"
        + value
        + base64.b64encode(_sign(key, head, algorithm, short_key))
        + (b"\r\n" + raw)
    )


def _sign(key: SigningKey, head: bytes, algorithm: bytes, short_key: bool) -> bytes:
    if short_key:
        return _with_broken_key(hashlib.sha256(head).digest())
    if algorithm == b"rsa-sha1":
        assert isinstance(key.key, RSAPrivateKey)
        return key.key.sign(head, PKCS1v15(), SHA1())
    return key.sign(hashlib.sha256(head).digest())


def _with_broken_key(digest: bytes) -> bytes:
    """PKCS #1 v1.5 by hand: no library signs with so short a key."""
    info = bytes.fromhex("3031300d060960864801650304020105000420") + digest
    padded = b"\0\1" + b"\xff" * (64 - 3 - len(info)) + b"\0" + info
    private = pow(65537, -1, (BROKEN_P - 1) * (BROKEN_Q - 1))
    modulus = BROKEN_P * BROKEN_Q
    return pow(int.from_bytes(padded), private, modulus).to_bytes(64)


def sealed(raw: bytes, key: SigningKey, results: bytes, cv: str = "none") -> bytes:
    """With an ARC set on top: `key`'s domain says that it saw `results`."""
    field = seal(raw, key.domain.encode() + b"; " + results, cv, key, NOW - 30)
    assert field
    return field + raw
