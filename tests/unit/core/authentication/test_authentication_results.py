"""Authentication-Results: what we write cannot be broken out of, what is forged is known."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support import cost

from mailguard.core.authentication.authentication_results import (
    Result,
    field,
    is_ours,
    read,
    results_of,
    write,
)
from mailguard.core.decision.facts import Arc, Dkim, Dmarc, Spf, Unavailable

ID = "mx.example.org"
GONE = Unavailable("DNS time-out")


def test_the_facts_as_a_field() -> None:
    results = results_of(
        Spf("pass", "example.net"),
        (
            Dkim("pass", "example.net", "s1", algorithm="rsa-sha256", signature="abcdEFGHijkl"),
            Dkim("policy", "example.test", "s/2", reason="only a part of the body is signed (l=)"),
        ),
        Arc("none"),
        Dmarc("pass", domain="example.net"),
        mailfrom="bounce@example.net",
    )
    assert field(ID, results) == (
        b"Authentication-Results: mx.example.org;\r\n"
        b"\tspf=pass\r\n\t smtp.mailfrom=bounce@example.net;\r\n"
        b"\tdkim=pass\r\n\t header.d=example.net\r\n\t header.s=s1\r\n\t header.a=rsa-sha256\r\n"
        b"\t header.b=abcdEFGH;\r\n"
        b'\tdkim=policy reason="only a part of the body is signed (l=)"\r\n'
        b'\t header.d=example.test\r\n\t header.s="s/2";\r\n'
        b"\tarc=none;\r\n"
        b"\tdmarc=pass\r\n\t header.from=example.net\r\n"
    )


def test_what_did_not_answer_is_temperror_and_nothing_is_none() -> None:
    text = write(ID, results_of(GONE, GONE, GONE, GONE))
    found = read(text)
    assert found is not None
    assert [(r.method, r.result, r.reason) for r in found.results] == [
        ("spf", "temperror", "DNS time-out"),
        ("dkim", "temperror", "DNS time-out"),
        ("dmarc", "temperror", "DNS time-out"),
    ]
    assert b"dkim=none" in write(ID, results_of(Spf("none"), (), Arc(), Dmarc("none")))
    assert write(ID, []) == b"mx.example.org;\r\n\tnone"


def test_helo_is_named_as_such() -> None:
    results = results_of(Spf("pass", "h.example.net", identity="helo"), (), GONE, GONE)
    assert results[0].properties == (("smtp.helo", "h.example.net"),)


@pytest.mark.parametrize(
    "value",
    [
        "a@example.net; dkim=pass header.d=victim.test",
        "a\r\nAuthentication-Results: mx.example.org; dmarc=pass",
        'a" header.d="victim.test',
        "a\\",
        "a(comment",
        "a b=c",
        "\0\x1b[2J",
        "ümläut@exämple.org",
        "\u2028x",
        "=?utf-8?q?x?=",
        "@",
        "",
        "a" * 5_000,
    ],
)
def test_a_value_cannot_break_out(value: str) -> None:
    written = field(ID, [Result("spf", "fail", value, (("smtp.mailfrom", value),))])
    assert (b"\n" + written).count(b"\nAuthentication-Results:") == 1
    assert all(line[:1] in b"\t " for line in written.split(b"\r\n")[1:-1])
    assert not {b for b in written.replace(b"\r\n\t", b"").rstrip(b"\r\n") if b < 32 or b > 126}
    found = read(written.partition(b":")[2])
    assert found is not None
    assert found.authserv_id == ID
    assert [(r.method, r.result) for r in found.results] == [("spf", "fail")]
    assert [name for name, _ in found.results[0].properties] == ["smtp.mailfrom"]
    assert max(len(line) for line in written.split(b"\r\n")) < 998


@given(st.text(max_size=60), st.text(max_size=60), st.text(max_size=20))
def test_whatever_the_values_one_result_is_read_back(value: str, reason: str, word: str) -> None:
    written = write(ID, [Result("dkim", word, reason, (("header.d", value),))])
    found = read(written)
    assert found is not None
    assert len(found.results) == 1
    assert len(found.results[0].properties) == 1
    assert not is_ours(written, "mx.example.com")
    assert is_ours(written, ID)


OURS = [
    b" mx.example.org; dmarc=pass",
    b"mx.example.org;dmarc=pass",
    b" MX.Example.ORG; none",
    b" mx.example.org. ; none",
    b" mx.example.org 1; none",
    b" mx.example.org/1; none",
    b" mx.example.org",
    b' "mx.example.org"; none',
    b' "mx.\\example.org"; none',
    b" (a) mx.example.org; none",
    b" (a (b (c) d) e)(f) mx.example.org(g); none",
    b" (a \\) b) mx.example.org; none",
    b" (" + b"x" * 3_000 + b") mx.example.org; none",
    b"\r\n\tmx.example.org\r\n\t;\r\n\tnone\r\n",
    b" (unclosed mx.example.org; none",
    b' "unclosed mx.example.org; none',
    b" =?utf-8?q?mx.example.org?=; none",
    b" ; mx.example.org; dmarc=pass",
    b" mx.example.org spf=pass; dmarc=pass",
    b" mx.example\r\n .org; none",
    b' mx."example".org; none',
    b" mx.example.org\xff; none",
    b" \xef\xbd\x8d\xef\xbd\x98.example.org; none",
    b" mx.example.org\0; none",
    b" " * 40_000 + b"mx.example.org; none",
]


@pytest.mark.parametrize("value", OURS)
def test_what_could_be_read_as_ours_is_ours(value: bytes) -> None:
    assert is_ours(value, ID)


@pytest.mark.parametrize(
    "value",
    [
        b" mx.example.net; dmarc=pass",
        b" mail.mx.example.org; none",
        b" mx.example.org.example.net; none",
        b" mx.example.orgs; none",
        b" example.org; none",
        b" mx.example.net; spf=pass smtp.mailfrom=mx.example.org",
        b" mx.example.net (mx.example.org); none",
        b" spf=fail smtp.mailfrom=example.net; dkim=none",
        b"",
        b" ",
    ],
)
def test_what_others_wrote_stays(value: bytes) -> None:
    assert not is_ours(value, ID)


def test_reading_what_microsoft_and_others_write() -> None:
    found = read(
        b" lists.example.net (v1 (beta)); arc=pass (i=1 spf=pass);\r\n"
        b' spf=pass (sender IP is 192.0.2.1) smtp.mailfrom="o\'dell x"@example.net; junk;\r\n'
        b' dkim/1 = pass (2048-bit key; "x") reason = "good" header.d=example.net;\r\n'
        b" dmarc=PASS action=none header.from=example.net;compauth=pass reason=100"
    )
    assert found is not None
    assert found.authserv_id == "lists.example.net"
    assert [(r.method, r.result) for r in found.results] == [
        ("arc", "pass"),
        ("dkim", "pass"),
        ("dmarc", "pass"),
        ("compauth", "pass"),
    ]
    assert found.results[1] == Result("dkim", "pass", "good", (("header.d", "example.net"),))


def test_a_comment_or_string_cannot_pose_as_a_result() -> None:
    found = read(b'mx.example.org; spf=fail (; dmarc=pass); dkim=none reason="; dmarc=pass"')
    assert found is not None
    assert [r.method for r in found.results] == ["spf", "dkim"]


@pytest.mark.parametrize("unit", [b"(", b"((a)", b'"', b"\\", b" ", b"a=b;", b"a", b"\xff"])
@pytest.mark.parametrize("octets", [200_000, 8_000])
def test_long_values_take_little_time(unit: bytes, octets: int) -> None:
    def seen(value: bytes) -> None:
        is_ours(value, ID)
        read(value)

    cost.assert_linear(cost.growing(unit, octets // len(unit)), seen)


@given(st.binary(max_size=200))
def test_nothing_raises(value: bytes) -> None:
    read(value)
    is_ours(value, ID)
