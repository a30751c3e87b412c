"""RFC 2047 and unfolding, read and written."""

from __future__ import annotations

import pytest
from tests.support import cost

from mailguard.core.mail import encoded_words


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (b" Hello\r\n", "Hello"),
        (b" one\r\n two\r\n\tthree\r\n", "one two three"),
        (b"=?utf-8?q?caf=C3=A9?=", "café"),
        (b"=?UTF-8?B?4pyT?=", "✓"),
        (b"=?utf-8?q?a?= =?utf-8?q?b?=", "ab"),
        (b"=?utf-8?q?a?=\r\n =?utf-8?q?b?= c", "ab c"),
        (b"x =?utf-8?q?a?= y", "x a y"),
        (b"=?utf-8?q?=E2=9C?= =?utf-8?q?=93?=", "✓"),  # a character split between two words
        (b"=?utf-8?b?4pyT?==?utf-8?q?_b?=", "✓ b"),
        (b"=?iso-2022-jp?B?GyRCRnxLXBsoQg==?=", "日本"),
        (b"=?iso-8859-1?q?=80?=", "€"),  # as every client reads it
        (b"=?utf-8*en?q?a?=", "a"),
        (b"=?utf-8?b?4pyT", "=?utf-8?b?4pyT"),
        (b"=?x-unknown?q?a=FFb?=", "a\ufffdb"),
        (b"=?idna?q?a?=", "a"),
        (b"=?utf-8?b?!!!?=", ""),
        ("Ü raw".encode(), "Ü raw"),
        (b"\xdc raw", "Ü raw"),
        (b"", ""),
    ],
)
def test_decode(value: bytes, text: str) -> None:
    assert encoded_words.decode(value) == text


@pytest.mark.parametrize(
    "value",
    [
        b"a\r\nBcc: x@example.org",
        b"=?utf-8?q?a=0D=0ABcc:_x?=",
        b"=?utf-8?b?AAoNGw==?=",
        b"=?utf-16-be?q?=20=28=20=29?=",
        b"=?utf-7?q?+2AA-?=",  # a lone surrogate
        b"\x1b[2J\x7f\x85",
        "\u0085\u2028".encode(),
    ],
)
def test_nothing_decoded_can_break_a_line(value: bytes) -> None:
    text = encoded_words.decode(value)
    assert "\ufffd" in text
    assert len(text.splitlines()) <= 1
    assert not any(ord(c) < 0x20 or 0x7F <= ord(c) < 0xA0 for c in text)
    text.encode("utf-8")


@pytest.mark.parametrize(
    "text", ["plain", "Jürgen Müller " * 20, "日本語" * 60, "=?utf-8?q?a?=", "😀" * 50]
)
def test_encode_is_decoded_back(text: str) -> None:
    encoded = encoded_words.encode(text)
    assert encoded.isascii()
    assert encoded_words.decode(encoded.encode()) == text.strip()
    if encoded != text:
        assert all(len(word) <= 75 for word in encoded.split(" "))


def test_encode_removes_what_ends_a_field() -> None:
    assert encoded_words.encode("a\r\nBcc: b\0\u2028c\x1b") == "aBcc: bc"
    assert encoded_words.encode("ü\r\n\udc80") == encoded_words.encode("ü")


@pytest.mark.parametrize(
    "value",
    [
        cost.growing(b"=?a?q?", 50_000),
        cost.growing(b"=?utf-8?q?a?= ", 2_500),
        cost.growing(b"=?", 150_000),
        cost.growing(b"A", 600_000, b"=?utf-8?b?", b"?="),
        cost.growing(b"\r\n ", 200_000),
        cost.growing(b" ", 600_000, after=b"x"),
        cost.growing(b"a", 600_000, b"=?"),
    ],
    ids=range(7),
)
def test_hostile_values_cost_little(value: cost.Growing[bytes]) -> None:
    cost.assert_linear(value, encoded_words.decode)
