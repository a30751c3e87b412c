"""How sessions end: disconnects, our own trouble, and the server going down."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING, Any

import pytest
from prometheus_client import REGISTRY
from tests.support.waiting import PATIENCE, patiently, soon

from mailguard.config.form.forms import Address
from mailguard.frontends.smtp.server import Servers

if TYPE_CHECKING:
    from conftest import Serve


def internal_errors() -> float:
    return REGISTRY.get_sample_value("mailguard_internal_errors_total", {"stage": "smtp"}) or 0.0


async def until_data(running: Any, tls: bool = False) -> Any:
    client = await running.connect(tls=tls)
    await client.hello()
    await client.ask(b"MAIL FROM:<a@client.test>")
    await client.ask(b"RCPT TO:<b@example.org>")
    assert (await client.ask(b"DATA")).startswith("354")
    return client


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
@pytest.mark.parametrize("abort", [False, True], ids=["fin", "rst"])
async def test_disconnect_after_the_final_dot(abort: bool, tls: bool, serve: Serve) -> None:
    running = await serve(tls=tls, implicit_tls=tls)
    running.recorder.gate = asyncio.Event()
    client = await until_data(running, tls)
    client.send(b"Subject: hi\r\n\r\nhi\r\n.\r\n")
    async with patiently("the message to be handed over"):
        await running.recorder.begun.wait()
    if abort:
        client.writer.transport.abort()
    else:
        await client.close()
    await asyncio.sleep(0.1)
    assert running.recorder.accepted == []
    running.recorder.gate.set()
    await soon(lambda: running.recorder.accepted)
    await soon(lambda: not running.servers._services[0].accepting)
    assert len(running.recorder.accepted) == 1
    assert running.servers._clients.octets == 0


async def test_half_close_after_the_final_dot_still_hears_the_reply(serve: Serve) -> None:
    running = await serve()
    client = await until_data(running)
    client.send(b"hi\r\n.\r\nNOOP\r\n")
    client.writer.write_eof()
    assert (await client.reply()).startswith("250 2.0.0 Taken")
    assert (await client.reply()).startswith("250 2.0.0 Ok")
    assert await client.closed()


@pytest.mark.parametrize("sent", [b"", b"hi", b"hi\r\n", b"hi\r\n.", b"hi\r\n.\r"])
async def test_disconnect_before_the_end_accepts_nothing(sent: bytes, serve: Serve) -> None:
    running = await serve()
    client = await until_data(running)
    client.send(sent)
    client.writer.write_eof()
    assert await client.closed()
    assert running.recorder.accepted == []
    assert running.servers._clients.octets == 0


@pytest.mark.parametrize(
    "error", [RuntimeError("a secret"), ConnectionResetError("a secret"), TimeoutError("a secret")]
)
async def test_trouble_after_the_final_dot(error: Exception, serve: Serve) -> None:
    running = await serve()
    running.recorder.raising.append(error)
    before = internal_errors()
    client = await running.connect()
    await client.hello()
    assert await client.mail() == "451 4.3.0 Trouble on our side, try again later"
    assert internal_errors() == before + 1
    assert (await client.mail()).startswith("250")
    assert running.servers._clients.octets == 0


async def test_drain(serve: Serve) -> None:
    running = await serve()
    running.recorder.gate = asyncio.Event()
    idle, started, busy = [await running.connect() for _ in range(3)]
    await idle.hello()
    await started.hello()
    await started.ask(b"MAIL FROM:<a@client.test>")
    await busy.hello()
    mail = asyncio.create_task(busy.mail())
    await running.recorder.begun.wait()
    address = running.servers.addresses()["in"]
    drain = asyncio.create_task(running.servers.drain(PATIENCE))
    assert (await idle.reply()).startswith("421 4.3.2")
    assert await idle.closed()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(*address)
    assert (await started.ask(b"RCPT TO:<b@example.org>")).startswith("250")
    started.send(b"RSET\r\n")
    assert (await started.reply()).startswith("250")
    assert (await started.reply()).startswith("421 4.3.2")
    assert not drain.done()
    running.recorder.gate.set()
    assert (await mail).startswith("250")
    assert (await busy.reply()).startswith("421 4.3.2")
    async with patiently("the drain to end"):
        await drain
    assert len(running.recorder.accepted) == 1


async def test_drain_cuts_what_does_not_end(serve: Serve) -> None:
    running = await serve()
    running.recorder.gate = asyncio.Event()
    client = await until_data(running)
    client.send(b"hi\r\n.\r\n")
    await running.recorder.begun.wait()
    async with patiently("the drain to end"):
        await running.servers.drain(0.1)
    assert (await client.reply()).startswith("421 4.3.2")
    assert running.recorder.accepted == []
    assert running.servers._services[0].accepting == set()


async def test_a_listener_that_cannot_bind_is_named(serve: Serve) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match=rf"listener in on 127\.0\.0\.1:{port}"):
            await serve(address=Address(host="127.0.0.1", port=port))


async def test_reload_of_certificates(serve: Serve) -> None:
    running = await serve(tls=True, implicit_tls=True)
    servers: Servers = running.servers
    before = servers._services[0].tls
    servers.reload_tls()
    assert servers._services[0].tls is not before
    client = await running.connect(tls=True)
    await client.hello()
