"""Signing outbound mail: our verifier and dkimpy both accept it, additions break it."""

from __future__ import annotations

import base64

import dkim as dkimpy
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1
from cryptography.hazmat.primitives.asymmetric.ec import generate_private_key as ec_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from mailguard.core.authentication.dkim import verify_with_keys
from mailguard.core.authentication.dkim_signing import (
    PrivateKey,
    Signer,
    SigningKey,
    load_private_key,
    record_of,
)
from mailguard.core.authentication.dns_answers import Answer, Records
from mailguard.core.decision.facts import Dkim

NOW = 1_700_000_000.0
RSA, RSA_NEXT = generate_private_key(65537, 2048), generate_private_key(65537, 2048)
ED = Ed25519PrivateKey.generate()
KEYS: dict[str, Answer] = {
    f"{selector}._domainkey.example.org": Records((record_of(key).encode(),))
    for selector, key in (("rsa1", RSA), ("rsa2", RSA_NEXT), ("ed1", ED))
}
RAW = (
    b"From: Jane Doe <jane@example.org>\r\n"
    b"To: office@example.test\r\n"
    b"Subject: =?utf-8?q?Field_trip?=\r\n"
    b"\tand more\r\n"
    b"Date: Mon, 1 Jan 2024 10:00:00 +0000\r\n"
    b"List-Id: trips.example.org\r\n"
    b"Content-Type: text/plain\r\n"
    b"\r\n"
    b"The bus leaves  at 8.\t\r\n\r\n\r\n"
)


def signing(selector: str, key: PrivateKey, **times: float) -> SigningKey:
    return SigningKey("example.org", selector, key, **times)


def verified(raw: bytes) -> tuple[Dkim, ...]:
    return verify_with_keys(raw, KEYS, NOW)


BOTH = Signer([signing("rsa1", RSA), signing("ed1", ED)])


def test_both_algorithms_sign_and_pass() -> None:
    fields = BOTH.sign(RAW, "example.org", NOW)
    found = verified(fields + RAW)
    assert [(r.result, r.algorithm, r.selector, r.reason) for r in found] == [
        ("pass", "rsa-sha256", "rsa1", ""),
        ("pass", "ed25519-sha256", "ed1", ""),
    ]
    assert all(r.uncovered == () for r in found)


def test_dkimpy_accepts_it() -> None:
    octets = RSA.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    record = b"v=DKIM1; p=" + base64.b64encode(octets)
    raw = Signer([signing("rsa1", RSA)]).sign(RAW, "example.org", NOW) + RAW
    assert dkimpy.verify(raw, dnsfunc=lambda name, timeout=5: record)
    assert not dkimpy.verify(raw + b"x", dnsfunc=lambda name, timeout=5: record)


@pytest.mark.parametrize(
    "name",
    [b"From", b"To", b"Cc", b"Subject", b"Date", b"Reply-To", b"Message-ID", b"MIME-Version",
     b"Content-Type", b"Content-Transfer-Encoding", b"In-Reply-To", b"References"],
)  # fmt: skip
def test_nothing_can_be_added_on_top_or_below(name: bytes) -> None:
    signed = BOTH.sign(RAW, "example.org", NOW) + RAW
    added = name + b": x@example.test\r\n"
    head, _, body = signed.partition(b"\r\n\r\n")
    for altered in (added + signed, head + b"\r\n" + added + b"\r\n" + body):
        assert all(r.result != "pass" for r in verified(altered))


def test_trace_fields_may_be_added_and_lists_may_add_theirs() -> None:
    signed = BOTH.sign(RAW, "example.org", NOW) + RAW
    added = b"Received: from a by b\r\nAuthentication-Results: x; none\r\nSender: l@example.net\r\n"
    assert [r.result for r in verified(added + signed)] == ["pass", "pass"]


def test_refolding_and_trailing_spaces_do_not_matter() -> None:
    signed = BOTH.sign(RAW, "example.org", NOW) + RAW
    assert [r.result for r in verified(signed.replace(b"; t=", b";\r\n  t="))] == ["pass"] * 2
    assert [r.result for r in verified(signed.replace(b"8.\t\r\n", b"8.\r\n"))] == ["pass"] * 2


def test_lines_are_short_enough() -> None:
    many = b"".join(b"References: <%d@example.org>\r\n" % n for n in range(300))
    fields = BOTH.sign(many + RAW, "example.org", NOW)
    assert max(len(line) for line in fields.split(b"\r\n")) < 998
    assert b"\n" not in fields.replace(b"\r\n", b"")
    assert [r.result for r in verified(fields + many + RAW)] == ["pass", "pass"]


def test_rotation_goes_by_the_clock() -> None:
    signer = Signer(
        [
            signing("rsa1", RSA, active_until=NOW),
            signing("rsa2", RSA_NEXT, active_from=NOW),
            signing("ed1", ED, active_from=NOW + 9),
        ]
    )
    found = {
        when: [key.selector for key in signer.keys_for("example.org", when)]
        for when in (NOW - 1, NOW, NOW + 9)
    }
    assert found == {NOW - 1: ["rsa1"], NOW: ["rsa2"], NOW + 9: ["rsa2", "ed1"]}


def test_the_nearest_domain_signs_and_strangers_are_not_signed_for() -> None:
    signer = Signer([signing("rsa1", RSA), SigningKey("west.example.org", "w", ED)])
    assert [k.selector for k in signer.keys_for("A.West.Example.org.", NOW)] == ["w"]
    assert [k.selector for k in signer.keys_for("east.example.org", NOW)] == ["rsa1"]
    for stranger in ("badexample.org", "org", "example.test", ""):
        assert signer.sign(RAW, stranger, NOW) == b""


def test_a_message_without_a_body_or_header_can_be_signed() -> None:
    for raw in (b"From: a@example.org\r\n", b"From: a@example.org\r\n\r\n"):
        assert [r.result for r in verified(BOTH.sign(raw, "example.org", NOW) + raw)] == [
            "pass",
            "pass",
        ]


def test_keys_are_read_and_others_are_refused() -> None:
    for key in (RSA, ED):
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        assert record_of(load_private_key(pem)) == record_of(key)
    curve = ec_key(SECP256R1())
    other = curve.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    for bad in (other, b"", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"):
        with pytest.raises(ValueError, match=r".+"):
            load_private_key(bad)


def test_a_key_does_not_show_itself() -> None:
    assert "object" not in repr(signing("rsa1", RSA))
