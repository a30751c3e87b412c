"""Clients without a login: by their own address or certificate; and logins that act for another."""

from __future__ import annotations

import base64
import hashlib
import ssl
from pathlib import Path
from typing import Any

import pytest


def plain(acting_for: str, login: str, password: str = "good") -> bytes:
    message = f"{acting_for}\0{login}\0{password}".encode()
    return b"AUTH PLAIN " + base64.b64encode(message)


OPEN = {"insecure_login": True}


async def test_a_registered_address_needs_no_login(serve: Any) -> None:
    server = await serve("submission", auth=OPEN)
    client = await server.connect()
    await client.hello()
    assert (await client.ask(b"MAIL FROM:<a@client.test>")).startswith("530 5.7.0")
    server.recorder.devices.add("127.0.0.1")
    assert (await client.mail()).startswith("250")
    envelope = server.recorder.accepted[0][1]
    assert (envelope.account, envelope.client_address) == (None, "127.0.0.1")


async def test_behind_a_balancer_the_clients_address_counts(serve: Any) -> None:
    server = await serve("submission", auth=OPEN, trusted_peers=["127.0.0.1"], proxy_protocol=True)
    server.recorder.devices |= {"127.0.0.1", "192.0.2.77"}  # the balancer's own counts for nobody
    for address, answer in (("192.0.2.77", "250"), ("192.0.2.78", "530")):
        client = await server.connect()
        client.send(f"PROXY TCP4 {address} 192.0.2.1 4711 587\r\n".encode())
        await client.hello()
        assert (await client.ask(b"MAIL FROM:<a@client.test>")).startswith(answer)


async def test_on_a_relay_the_address_that_is_told_counts(serve: Any) -> None:
    server = await serve("relay", trusted_peers=["127.0.0.1"])
    client = await server.connect()
    await client.hello()
    await client.ask(b"XFORWARD ADDR=192.0.2.77")
    await client.mail()
    await client.ask(b"XFORWARD ADDR=[UNAVAILABLE]")
    await client.mail()
    told = [envelope.client_address for _, envelope, _ in server.recorder.accepted]
    assert told == ["192.0.2.77", ""]


async def test_a_person_acts_for_a_generic_account(serve: Any) -> None:
    server = await serve("submission", auth=OPEN)
    client = await server.connect()
    await client.hello()
    assert (await client.ask(plain("office", "person"))).startswith("235")
    await client.mail()
    envelope = server.recorder.accepted[0][1]
    assert (envelope.account, envelope.acting) == ("office", "person")


@pytest.mark.parametrize(
    ("acting_for", "login", "answer"),
    [
        ("person", "person", "235"),
        ("", "person", "235"),
        ("office", "somebody", "535"),
        ("boss", "person", "535"),
        ("\x07", "person", "535"),
        ("x" * 256, "person", "535"),
    ],
)
async def test_who_may_act(serve: Any, acting_for: str, login: str, answer: str) -> None:
    server = await serve("submission", auth=OPEN)
    client = await server.connect()
    await client.hello()
    assert (await client.ask(plain(acting_for, login))).startswith(answer)


async def test_a_wrong_password_acts_for_nobody(serve: Any) -> None:
    server = await serve("submission", auth=OPEN)
    client = await server.connect()
    await client.hello()
    assert (await client.ask(plain("office", "person", "bad"))).startswith("535")
    assert (await client.ask(b"MAIL FROM:<a@client.test>")).startswith("530")


async def test_a_verified_certificate_needs_no_login(
    serve: Any, certificate: tuple[Path, Path]
) -> None:
    chain, key = certificate
    server = await serve("submission", tls=True, tls_client_ca=str(chain))
    shown = hashlib.sha256(ssl.PEM_cert_to_DER_cert(chain.read_text())).hexdigest()
    server.recorder.devices.add(shown)
    for with_certificate, answer in ((True, "250"), (False, "530")):
        client = await server.connect()
        await client.hello()
        await client.ask(b"STARTTLS")
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        if with_certificate:
            context.load_cert_chain(chain, key)
        await client.writer.start_tls(context)
        await client.ask(b"EHLO client.test")
        assert (await client.ask(b"MAIL FROM:<a@client.test>")).startswith(answer)
        if with_certificate:
            await client.ask(b"RSET")
            assert (await client.mail()).startswith("250")
            assert server.recorder.accepted[0][1].certificate == shown
