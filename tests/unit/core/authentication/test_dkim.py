"""DKIM verification: what passes, what is refused and in which words, and how long it takes.

The signatures are made here by hand or by dkimpy, so that the verifier is not tested by the signer
that shares its code.
"""

from __future__ import annotations

import base64
import pickle
import threading
import time
from collections.abc import Callable

import dkim as dkimpy
import pytest
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support import cost
from tests.support.dkim_vectors import (
    BODY,
    ED,
    HEADER,
    KEY,
    NAME,
    NAMES,
    NOW,
    REFUSED,
    RSA,
    USELESS_KEYS,
    WEAK,
    record,
    sign,
)

from mailguard.core.authentication.dkim import MAX_SIGNATURES, verify_with_keys
from mailguard.core.authentication.dns_answers import Answer, NxDomain, Records
from mailguard.core.decision.facts import Dkim, Unavailable


def one(raw: bytes, answer: Answer | None = None, now: float = NOW) -> Dkim:
    results = verify_with_keys(raw, {NAME: answer or record(RSA)}, now)
    assert len(results) == 1
    return results[0]


def test_a_good_signature_passes_and_is_described() -> None:
    found = one(sign(tags=b"d=Example.ORG; s=S1; i=Jane@mail.example.org"))
    assert (found.result, found.reason) == ("pass", "")
    assert (found.domain, found.selector) == ("example.org", "s1")
    assert found.identity == "Jane@mail.example.org"
    assert (found.algorithm, found.key_bits) == ("rsa-sha256", 2048)
    assert len(found.signature) == 12
    assert not found.testing


def test_ed25519_passes() -> None:
    raw = sign(key=ED, algorithm=b"ed25519-sha256")
    assert one(raw, record(ED)).result == "pass"
    assert one(raw.replace(b"8. ", b"9. "), record(ED)).result == "fail"


def test_the_example_of_rfc_8463_passes() -> None:
    """Appendix A: one message with an Ed25519 and an RSA signature."""
    raw = (
        b"DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed;\r\n"
        b" d=football.example.com; i=@football.example.com;\r\n"
        b" q=dns/txt; s=brisbane; t=1528637909; h=from : to :\r\n"
        b" subject : date : message-id : from : subject : date;\r\n"
        b" bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\r\n"
        b" b=/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11Bus\r\n"
        b" Fa3bT3FY5OsU7ZbnKELq+eXdp1Q1Dw==\r\n"
        b"From: Joe SixPack <joe@football.example.com>\r\n"
        b"To: Suzie Q <suzie@shopping.example.net>\r\n"
        b"Subject: Is dinner ready?\r\n"
        b"Date: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)\r\n"
        b"Message-ID: <20030712040037.46341.5F8J@football.example.com>\r\n"
        b"\r\n"
        b"Hi.\r\n\r\nWe lost the game.  Are you hungry yet?\r\n\r\nJoe.\r\n"
    )
    key = b"v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
    keys = {"brisbane._domainkey.football.example.com": Records((key,))}
    assert [r.result for r in verify_with_keys(raw, keys, NOW)] == ["pass"]


@pytest.mark.parametrize("form", ["simple/simple", "simple/relaxed", "relaxed/simple", "relaxed"])
@pytest.mark.parametrize("body", [BODY, b"", b"\r\n\r\n", b"no line end", b" \t\r\n x\t y \r\n"])
def test_what_dkimpy_signs_passes_here(form: str, body: bytes) -> None:
    pem = RSA.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    raw = HEADER + b"\r\n" + body
    forms = tuple(part.encode() for part in (form + "/simple").split("/")[:2])
    field = dkimpy.sign(raw, b"s1", b"example.org", pem, canonicalize=forms)
    assert one(field + raw, now=time.time()).result == "pass"
    assert one(field + raw + b"more", now=time.time()).result == "fail"


@pytest.mark.parametrize(
    ("raw", "result", "reason"),
    REFUSED,
)
def test_what_is_refused(raw: bytes, result: str, reason: str) -> None:
    found = one(raw)
    assert (found.result, reason in found.reason) == (result, True), found


@pytest.mark.parametrize("name", [b"From", b"Subject", b"Date", b"To", b"Reply-To", b"SUBJECT "])
def test_a_second_singleton_is_no_pass(name: bytes) -> None:
    """The attack that oversigning stops, where the signer did not."""
    names = NAMES + b":reply-to"
    header = HEADER + b"Reply-To: jane@example.org\r\n"
    raw = sign(header, names=names)
    assert one(raw).result == "pass"
    added = one(name + b": ceo@victim.test\r\n" + raw)
    assert added.result == "policy"
    assert "not all are signed" in added.reason


def test_a_singleton_that_stands_twice_and_is_signed_twice_passes_as_signed() -> None:
    header = HEADER + b"Subject: Another\r\n"
    assert one(sign(header)).result == "policy"
    assert one(sign(header, names=NAMES + b":subject")).result == "pass"


def test_oversigned_fields_cannot_be_added() -> None:
    raw = sign(names=NAMES + b":reply-to")
    assert one(raw).result == "pass"
    assert one(b"Reply-To: x@example.test\r\n" + raw).result == "fail"


def test_what_is_shown_and_not_signed_is_told() -> None:
    raw = sign(HEADER + b"Content-Type: text/html\r\n", names=b"from:date")
    assert one(raw).uncovered == ("subject", "to", "content-type")
    assert one(raw).result == "pass"


@pytest.mark.parametrize(
    ("answer", "result", "reason"),
    USELESS_KEYS,
)
def test_keys_that_do_not_serve(answer: Answer, result: str, reason: str) -> None:
    found = one(sign(), answer)
    assert (found.result, reason in found.reason) == (result, True), found


def test_keys_with_every_permitted_tag_serve() -> None:
    assert one(sign(), record(RSA, b"h=sha1:sha256; s=email; t=y:s; n=a note; x=?; ")).testing
    assert one(sign(), record(RSA, b"s=* ; ")).result == "pass"
    bare = RSA.public_key().public_bytes(Encoding.DER, PublicFormat.PKCS1)
    assert one(sign(), Records((b"p=" + base64.b64encode(bare),))).result == "pass"
    folded = KEY[:60] + b"\n " + KEY[60:]
    assert one(sign(), Records((b"v=spf1 -all", folded))).result == "pass"


def test_a_strict_key_wants_the_very_domain() -> None:
    raw = sign(tags=b"d=example.org; s=s1; i=@sub.example.org")
    assert one(raw).result == "pass"
    assert one(raw, record(RSA, b"t=s; ")).result == "permerror"


def test_1024_bits_pass_and_fewer_do_not() -> None:
    assert one(sign(key=WEAK), record(WEAK)).key_bits == 1024
    assert one(sign(key=WEAK), record(WEAK)).result == "pass"
    # An RSA key of 512 bits, as a record has it.
    numbers = b"MFwwDQYJKoZIhvcNAQEBBQADSwAwSAJBAL" + b"A" * 80
    small = one(sign(), Records((b"p=" + numbers[:128],)))
    assert small.result in ("policy", "permerror")


def test_several_signatures_are_told_apart_and_bounded() -> None:
    good = sign()
    signature = good[: good.index(b"From:")]
    bad = signature.replace(b"s=s1", b"s=s2")
    keys: dict[str, Answer] = {NAME: record(RSA), "s2._domainkey.example.org": NxDomain()}
    results = verify_with_keys(bad + good, keys, NOW)
    assert [(r.selector, r.result) for r in results] == [("s2", "permerror"), ("s1", "pass")]
    many = verify_with_keys(bad * 500 + good, keys, NOW)
    assert len(many) == MAX_SIGNATURES + 1
    assert many[-1].result == "policy"
    assert all(r.result != "pass" for r in many)


_NOTHING = {
    "inside": lambda n: sign(body=b"x" + b" " * n + b"y\r\n"),
    "line": lambda n: sign(body=b" " * n + b"\r\n"),
    "end": lambda n: sign(body=b"x" * 99 + b" \t" * (n // 2) + b"\r\n" + b"a"),
    "blank": lambda n: sign(body=b"x\r\n" + b"\r\n" * (n // 2)),
    "space-lines": lambda n: sign(body=b" \r\n" * (n // 3) + b"x"),
    "header": lambda n: sign(HEADER + b"X: a" + b" " * n + b"b\r\n", names=NAMES + b":x"),
    "b=": lambda n: sign().replace(b"; b=", b"; b=" + b" " * n),
    "h=": lambda n: sign(names=NAMES + b":x" * (n // 2)),
    "tags": lambda n: sign(
        tags=b"d=example.org; s=s1; " + b"; ".join(b"z%d=1" % k for k in range(n // 9))
    ),
}


@pytest.mark.parametrize("make", _NOTHING.values(), ids=_NOTHING)
def test_eighty_kilobytes_of_nothing_take_little_time(make: Callable[[int], bytes]) -> None:
    def verified(raw: bytes) -> None:
        assert one(raw).result == "pass"

    cost.assert_linear(cost.Growing(make, 80_000), verified)


def test_a_process_can_be_given_the_work() -> None:
    keys = {NAME: record(RSA), "x": NxDomain(), "y": Unavailable("DNS time-out")}
    function, arguments = pickle.loads(pickle.dumps((verify_with_keys, (sign(), keys, NOW))))
    assert function(*arguments)[0].result == "pass"


def test_threads_may_share_keys() -> None:
    raw, results = sign(), []
    threads = [threading.Thread(target=lambda: results.append(one(raw).result)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == ["pass"] * 4


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            [b"v=1", b"a=rsa-sha256", b"d=example.org", b"s=s1", b"h=from", b"h=", b"bh=AA==",
             b"b=AA==", b"b=", b"i=@", b"l=-1", b"x=9e9", b"t=", b"c=//", b"q=", b"\xff", b"=",
             b"\0", b"d=" + b"a" * 300, b"s=..", b"\r\n ", b"bh=\xc3\xa4", b"p=1"]
        ),
        max_size=12,
    ),
    st.binary(max_size=40),
    st.binary(max_size=60),
)  # fmt: skip
def test_nothing_raises_and_nothing_passes(tags: list[bytes], junk: bytes, key: bytes) -> None:
    raw = b"DKIM-Signature: " + b"; ".join(tags) + junk + b"\r\n" + HEADER + b"\r\n" + junk
    keys = {NAME: Records((b"v=DKIM1; p=" + key,))}
    for found in (verify_with_keys(raw, keys, NOW), verify_with_keys(junk + raw, keys, NOW)):
        assert all(r.result not in ("pass", "temperror") for r in found)
