"""PROXY, XCLIENT and ESMTP parameter grammars on any octets."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailguard.frontends.smtp.parameters import ArgumentError, read_mail, read_rcpt
from mailguard.frontends.smtp.trust import (
    XCLIENT_NAMES,
    AttributesError,
    Networks,
    ProxyError,
    plain_address,
    read_attributes,
    read_proxy_header,
    xtext_decode,
)

SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"


@given(
    st.sampled_from([b"", b"PROXY ", b"PROXY TCP4 ", SIGNATURE, SIGNATURE + b"\x21\x11\x00\x0c"]),
    st.binary(),
)
def test_proxy_header_of_any_octets(begin: bytes, rest: bytes) -> None:
    octets = begin + rest
    try:
        found = read_proxy_header(octets)
    except ProxyError:
        return
    if found is not None:
        header, length = found
        assert 0 < length <= len(octets)
        if header.client_address:
            ipaddress.ip_address(header.client_address)


@given(st.binary())
def test_attributes_of_any_octets(argument: bytes) -> None:
    try:
        read_attributes(argument, XCLIENT_NAMES)
    except AttributesError:
        pass


def test_attributes() -> None:
    told = read_attributes(
        b"addr=IPV6:::ffff:192.0.2.1  Login=a+2Bb NAME=[unavailable]", XCLIENT_NAMES
    )
    assert told == {"ADDR": "192.0.2.1", "LOGIN": "a+b", "NAME": None}


@pytest.mark.parametrize("raw", [b"+", b"+2", b"+2b", b"a=b", b"a b", b"\xc3\xbc", b"+GG"])
def test_what_is_no_xtext(raw: bytes) -> None:
    with pytest.raises(ValueError, match="xtext"):
        xtext_decode(raw)


@given(st.binary(), st.booleans())
def test_mail_and_rcpt_of_any_octets(rest: bytes, smtputf8: bool) -> None:
    with_path = b"<a@client.test>" + rest
    for argument in (rest, b"FROM:" + rest, b"FROM:" + with_path, b"FROM:<" + rest + b">"):
        try:
            read_mail(argument, extended=True, size_limit=1_000)
        except ArgumentError as error:
            assert error.reply.permanent
    for argument in (b"TO:" + rest, b"TO:<" + rest + b">"):
        try:
            got = read_rcpt(argument, extended=True, smtputf8=smtputf8, postmaster="p@example.org")
            assert got
        except ArgumentError as error:
            assert error.reply.permanent


@pytest.mark.parametrize("hostile", [b'"' * 4_000, b'<"' + b"\\" * 4_000, b"<" + b'"a"' * 1_300])
def test_hostile_paths_are_refused_quickly(hostile: bytes) -> None:
    with pytest.raises(ArgumentError):
        read_mail(b"FROM:" + hostile, extended=True, size_limit=1_000)


def test_networks() -> None:
    networks = Networks(["192.0.2.0/24", "2001:db8::/32", "198.51.100.7"])
    assert "192.0.2.200" in networks
    assert "2001:db8::1" in networks
    assert "198.51.100.7" in networks
    assert "198.51.100.8" not in networks
    assert "" not in networks
    assert "unknown" not in networks
    assert "127.0.0.1" not in Networks([])
    with pytest.raises(ValueError, match="does not appear"):
        Networks(["mail.example.org"])


def test_plain_address() -> None:
    assert plain_address("::ffff:192.0.2.1") == "192.0.2.1"
    assert plain_address("fe80::1%eth0") == "fe80::1"
    assert plain_address("2001:DB8:0::1") == "2001:db8::1"
    assert plain_address("x") == ""
