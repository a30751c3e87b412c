"""A message ends at CRLF.CRLF and nowhere else, and what could end elsewhere never gets through.

CVE-2023-51764, -51765, -51766 are of this class.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Serve

SMUGGLED = b"MAIL FROM:<z@attack.test>\r\nRCPT TO:<y@example.org>\r\nDATA\r\nSubject: z\r\n\r\nz"

FALSE_ENDS = [
    b"\n.\n",
    b"\n.\r\n",
    b"\r\n.\n",
    b"\r.\r",
    b"\r.\r\n",
    b"\r\n.\r",
    b"\n\n.\r\n",
    b"\r\n\x00.\r\n",
    b"\r\n.\x00\r\n",
    b"\r\r\n.\r\r\n",
    b"\n.\r",
    b"\r.\n",
    b"\r\n.\r.\r\n",
]


@pytest.mark.parametrize("slowly", [False, True], ids=["whole", "by-octet"])
@pytest.mark.parametrize("false_end", FALSE_ENDS, ids=repr)
async def test_false_end_of_data(false_end: bytes, slowly: bool, serve: Serve) -> None:
    running = await serve()
    client = await running.connect()
    await client.hello()
    assert (await client.ask(b"MAIL FROM:<a@client.test>")).startswith("250")
    assert (await client.ask(b"RCPT TO:<b@example.org>")).startswith("250")
    assert (await client.ask(b"DATA")).startswith("354")
    data = b"Subject: hi\r\n\r\nhi" + false_end + SMUGGLED + b"\r\n.\r\n"
    if slowly:
        for at in range(len(data)):
            client.send(data[at : at + 1])
            await asyncio.sleep(0)
    else:
        client.send(data)
    assert (await client.reply()).startswith("554 5.6.0")
    # One reply for all of it: the next one answers the next command.
    assert (await client.ask(b"NOOP")) == "250 2.0.0 Ok"
    assert running.recorder.accepted == []
    assert [recipient for _, recipient in running.recorder.verified] == ["b@example.org"]
    assert (await client.mail()).startswith("250")


async def test_end_of_data_cut_at_every_octet(serve: Serve) -> None:
    running = await serve()
    client = await running.connect()
    await client.hello()
    data = b"x\r\n.\r\nNOOP\r\n"
    for cut in range(1, len(data)):
        await client.ask(b"MAIL FROM:<a@client.test>")
        await client.ask(b"RCPT TO:<b@example.org>")
        await client.ask(b"DATA")
        client.send(data[:cut])
        await asyncio.sleep(0.005)
        client.send(data[cut:])
        assert await client.reply() == "250 2.0.0 Taken, 3 octets"
        assert await client.reply() == "250 2.0.0 Ok"
    assert all(raw == b"x\r\n" for _, _, raw in running.recorder.accepted)


async def test_no_bare_octet_ever_reaches_the_gateway(serve: Serve) -> None:
    running = await serve(limits={"errors": 1000})
    client = await running.connect()
    await client.hello()
    for octet in (b"\r", b"\n", b"\0"):
        for message in (octet, b"a" + octet, octet + b"a\r\n", b"a\r\n" + octet + b"b"):
            reply = await client.mail(message + b"\r\n")
            assert reply.startswith("554 5.6.0"), message
    assert running.recorder.accepted == []


async def test_plain_text_after_starttls_is_dropped(serve: Serve) -> None:
    """CVE-2011-0411: what was sent in the clear must not be run inside TLS."""
    running = await serve(tls=True)
    client = await running.connect()
    await client.hello()
    client.send(b"STARTTLS\r\nMAIL FROM:<z@attack.test>\r\nRCPT TO:<y@example.org>\r\n")
    assert (await client.reply()).startswith("220")
    await client.start_tls()
    assert (await client.ask(b"RCPT TO:<b@example.org>")).startswith("503")
    assert (await client.ask(b"EHLO client.test")).startswith("250-mx.example.org")
    assert (await client.mail()).startswith("250")
    ((_, envelope, _),) = running.recorder.accepted
    assert envelope.reverse_path == "a@client.test"
    assert envelope.tls == "TLSv1.3"
    assert envelope.protocol == "ESMTPS"


async def test_starttls_resets_login(serve: Serve) -> None:
    running = await serve("submission", tls=True, auth={"insecure_login": True})
    client = await running.connect()
    await client.hello()
    assert (await client.ask(b"AUTH PLAIN AGFsZXgAZ29vZA==")).startswith("235")
    assert (await client.ask(b"STARTTLS")).startswith("220")
    await client.start_tls()
    assert (await client.ask(b"EHLO client.test")).startswith("250")
    assert (await client.ask(b"MAIL FROM:<a@example.org>")).startswith("530 5.7.0")
