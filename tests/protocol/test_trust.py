"""PROXY, XCLIENT, XFORWARD and AUTH: whose word is taken for what."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Serve

V2 = b"\r\n\r\n\x00\r\nQUIT\n"


def v2(command: int, family: int, body: bytes) -> bytes:
    return V2 + bytes([command, family]) + len(body).to_bytes(2, "big") + body


V2_TCP4 = v2(0x21, 0x11, socket.inet_aton("192.0.2.7") + bytes(4) + b"\0\1\0\2" + b"\x04\0\1x")
V2_TCP6 = v2(0x21, 0x21, socket.inet_pton(socket.AF_INET6, "2001:db8::7") + bytes(16) + b"\0\1\0\2")


@pytest.mark.parametrize(
    ("header", "address"),
    [
        (b"PROXY TCP4 192.0.2.7 192.0.2.1 1000 25\r\n", "192.0.2.7"),
        (b"PROXY TCP6 2001:DB8::7 2001:db8::1 1000 25\r\n", "2001:db8::7"),
        (b"PROXY TCP6 ::ffff:192.0.2.7 ::1 1000 25\r\n", "192.0.2.7"),
        (b"PROXY UNKNOWN\r\n", "127.0.0.1"),
        (V2_TCP4, "192.0.2.7"),
        (V2_TCP6, "2001:db8::7"),
        (v2(0x20, 0x00, b""), "127.0.0.1"),
    ],
)
@pytest.mark.parametrize("slowly", [False, True], ids=["whole", "by-octet"])
async def test_proxy_header(header: bytes, address: str, slowly: bool, serve: Serve) -> None:
    running = await serve(proxy_protocol=True, trusted_peers=["127.0.0.0/8"])
    client = await running.connect()
    if slowly:
        for at in range(len(header)):
            client.send(header[at : at + 1])
            await client.writer.drain()
    else:
        client.send(header)
    await client.hello()
    assert (await client.mail()).startswith("250")
    assert running.recorder.accepted[0][1].client_address == address
    assert set(running.servers._clients._by_client) == {
        "2001:0db8:0000:0000" if ":" in address else address
    }


@pytest.mark.parametrize(
    "header",
    [
        b"EHLO client.test\r\n",
        b"PROXY TCP4 192.0.2.7 192.0.2.1 1000\r\n",
        b"PROXY TCP4 2001:db8::7 2001:db8::1 1000 25\r\n",
        b"PROXY TCP4 192.0.2.7 192.0.2.1 1000 99999\r\n",
        b"PROXY TCP4 192.0.2.7  192.0.2.1 1000 25\r\n",
        b"PROXY TCP4 192.0.2.007 192.0.2.1 1000 25\r\n",
        b"PROXY " + b"x" * 200 + b"\r\n",
        b"PROXY TCP4 192.0.2.7 192.0.2.1 1000 25\n" + b"x" * 80,
        v2(0x11, 0x11, bytes(12)),
        v2(0x21, 0x11, bytes(4)),
        v2(0x21, 0x00, b""),
        V2 + b"\x21\x11\xff\xff",
    ],
)
async def test_malformed_proxy_header_closes_without_a_word(header: bytes, serve: Serve) -> None:
    running = await serve(proxy_protocol=True, trusted_peers=["127.0.0.1"])
    client = await running.connect()
    client.send(header)
    assert await client.closed()


async def test_missing_proxy_header_is_timed_out(serve: Serve) -> None:
    running = await serve(
        proxy_protocol=True, trusted_peers=["127.0.0.1"], limits={"starttls": 0.2}
    )
    client = await running.connect()
    assert (await client.reply()).startswith("421")
    assert await client.closed()


async def test_proxy_header_of_an_untrusted_peer_is_just_a_bad_command(serve: Serve) -> None:
    running = await serve(proxy_protocol=True, trusted_peers=["192.0.2.1"])
    client = await running.connect()
    client.send(b"PROXY TCP4 192.0.2.7 192.0.2.1 1000 25\r\n")
    assert (await client.reply()).startswith("220")
    assert (await client.reply()).startswith("500")
    assert (await client.ask(b"HELO client.test")).startswith("250")
    assert (await client.mail()).startswith("250")
    assert running.recorder.accepted[0][1].client_address == "127.0.0.1"


async def test_a_trusted_balancer_lends_no_trust_to_its_clients(serve: Serve) -> None:
    running = await serve("relay", proxy_protocol=True, trusted_peers=["127.0.0.1"])
    client = await running.connect()
    client.send(b"PROXY TCP4 192.0.2.7 192.0.2.1 1000 25\r\n")
    assert (await client.reply()).startswith("554 5.7.1")
    assert await client.closed()


async def test_connections_are_counted_by_the_client_behind_the_balancer(serve: Serve) -> None:
    running = await serve(
        proxy_protocol=True, trusted_peers=["127.0.0.1"], limits={"connections_per_client": 1}
    )
    for number, expected in ((7, "220"), (8, "220"), (7, "421")):
        client = await running.connect()
        client.send(b"PROXY TCP4 192.0.2.%d 192.0.2.1 1000 25\r\n" % number)
        assert (await client.reply()).startswith(expected)


async def test_proxy_before_implicit_tls(serve: Serve) -> None:
    running = await serve(
        tls=True, implicit_tls=True, proxy_protocol=True, trusted_peers=["127.0.0.1"]
    )
    client = await running.connect()
    client.send(b"PROXY TCP4 192.0.2.7 192.0.2.1 1000 25\r\n")
    await client.start_tls()
    await client.hello()
    assert (await client.mail()).startswith("250")
    envelope = running.recorder.accepted[0][1]
    assert (envelope.client_address, envelope.protocol) == ("192.0.2.7", "ESMTPS")


async def test_xclient_names_the_client(serve: Serve) -> None:
    running = await serve("relay", trusted_peers=["127.0.0.1"])
    client = await running.connect()
    await client.hello()
    reply = await client.ask(
        b"XCLIENT NAME=out.client.test ADDR=192.0.2.9 HELO=mail.client.test LOGIN=alex PORT=25"
    )
    assert reply.startswith("220 ")
    await client.ask(b"EHLO proxy.test")
    assert (await client.mail()).startswith("250")
    assert (await client.ask(b"XCLIENT ADDR=[UNAVAILABLE] NAME=[TEMPUNAVAIL]")).startswith("220 ")
    await client.ask(b"EHLO proxy.test")
    assert (await client.mail()).startswith("250")
    one, two = (envelope for _, envelope, _ in running.recorder.accepted)
    assert one.client_address == "192.0.2.9"
    assert one.client_name == "out.client.test"
    assert one.helo == "mail.client.test"
    assert (one.account, one.protocol) == ("alex", "ESMTPA")
    assert (two.client_address, two.client_name, two.account) == ("", "", None)


async def test_xforward_names_the_client_of_one_transaction(serve: Serve) -> None:
    running = await serve("relay", trusted_peers=["127.0.0.1"])
    client = await running.connect()
    await client.hello()
    xforward = b"XFORWARD NAME=out.client.test ADDR=IPV6:2001:db8::9 HELO=odd+28name+29 PROTO=ESMTP"
    assert (await client.ask(xforward)).startswith("250")
    assert (await client.mail()).startswith("250")
    assert (await client.mail()).startswith("250")
    one, two = (envelope for _, envelope, _ in running.recorder.accepted)
    assert (one.client_address, one.client_name) == ("2001:db8::9", "out.client.test")
    assert one.helo == "client.test"
    assert (two.client_address, two.client_name) == ("127.0.0.1", "")


@pytest.mark.parametrize(
    ("hello", "options", "protocol"),
    [
        (b"HELO", b"", "SMTP"),
        (b"EHLO", b"", "ESMTPA"),
        (b"EHLO", b" SMTPUTF8 BODY=8BITMIME", "UTF8SMTPA"),
    ],
)
async def test_protocol_of_the_received_field(
    hello: bytes, options: bytes, protocol: str, serve: Serve
) -> None:
    role = "mx" if hello == b"HELO" else "submission"
    running = await serve(role, auth={"insecure_login": True})
    client = await running.connect()
    await client.hello(hello)
    if role == "submission":
        assert (await client.ask(b"AUTH PLAIN AGFsZXgAZ29vZA==")).startswith("235")
    assert (await client.ask(b"MAIL FROM:<a@client.test>" + options)).startswith("250")
    await client.ask(b"RCPT TO:<b@example.org>")
    await client.ask(b"DATA")
    assert (await client.ask(b".")).startswith("250")
    envelope = running.recorder.accepted[0][1]
    assert envelope.protocol == protocol
    assert envelope.smtputf8 is (b"SMTPUTF8" in options)
    assert envelope.body == ("8BITMIME" if options else "")


async def test_login_is_handed_over(serve: Serve) -> None:
    running = await serve("submission", tls=True, implicit_tls=True)
    client = await running.connect(tls=True)
    await client.hello()
    assert (await client.ask(b"AUTH LOGIN YWxleA==")) == "334 UGFzc3dvcmQ6"
    assert (await client.ask(b"Z29vZA==")).startswith("235")
    assert running.recorder.logins == [("alex", b"good", "127.0.0.1")]
    assert (await client.mail()).startswith("250")
    envelope = running.recorder.accepted[0][1]
    assert (envelope.account, envelope.protocol) == ("alex", "ESMTPSA")
