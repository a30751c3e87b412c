"""What an evaluator of SPF is given of addresses and records."""

from __future__ import annotations

import pytest

from mailguard.core.authentication.spf import (
    LONGEST_RECORD,
    LONGEST_TEXT,
    MOST_TERMS,
    client_ip,
    host_name,
    record_text,
)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:DB8::1", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("", None),
        ("192.0.2.1.", None),
        ("unknown", None),
    ],
)
def test_the_address_that_is_checked(text: str, address: str | None) -> None:
    assert client_ip(text) == address


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (b"v=spf1 -all", "v=spf1 -all"),
        (b"V=SPF1 \xff", "V=SPF1 \ufffd"),
        (b"v=spf1" + b"x" * (LONGEST_RECORD - 6), "v=spf1" + "x" * (LONGEST_RECORD - 6)),
        (b"v=spf1" + b"x" * (LONGEST_RECORD - 5), None),
        (b"v=spf1" + b" a" * MOST_TERMS, "v=spf1" + " a" * MOST_TERMS),
        (b"v=spf1" + b" a" * (MOST_TERMS + 1), None),
        (b"x" * (LONGEST_RECORD + 1), "x" * LONGEST_TEXT),
        (b"", ""),
    ],
)
def test_a_record_as_text(value: bytes, text: str | None) -> None:
    assert record_text(value) == text


@pytest.mark.parametrize(
    ("value", "name"),
    [(b"10 mail.example.org.", "mail.example.org"), (b"192.0.2.1", "192.0.2.1"), (b"", "")],
)
def test_the_host_of_a_record(value: bytes, name: str) -> None:
    assert host_name(value) == name
