"""What one client may ask of us: sizes, counts, connections, time."""

from __future__ import annotations

import asyncio
import tracemalloc
from typing import TYPE_CHECKING

import pytest
from tests.support.clock import Clock
from tests.support.waiting import patiently, soon

if TYPE_CHECKING:
    from conftest import Serve


async def test_message_size(serve: Serve) -> None:
    running = await serve(limits={"message_size": 65_536})
    client = await running.connect()
    assert "250-SIZE 65536" in await client.hello()
    # Stuffed dots are no part of the size (RFC 1870 section 3).
    message = b"." + b".\r\n..".join([b"x" * 60] * 1_000) + b"\r\n"
    exact = message.replace(b"\r\n.", b"\r\n")[1:]
    padding = 65_536 - len(exact) - 2
    assert 0 < padding < 3_000
    assert (await client.mail(message + b"y" * padding + b"\r\n")).startswith("250 ")
    assert len(running.recorder.accepted[0][2]) == 65_536
    assert (await client.mail(message + b"y" * (padding + 1) + b"\r\n")).startswith("552 5.3.4")
    assert (await client.mail(b"x" * 5_000_000 + b"\r\n")).startswith("552 5.3.4")
    assert (await client.ask(b"MAIL FROM:<a@client.test> SIZE=65537")).startswith("552 5.3.4")
    assert (await client.mail()).startswith("250 ")


async def test_messages_held_at_once(serve: Serve) -> None:
    running = await serve(limits={"message_size": 2_000_000, "buffered": 1_048_576})
    client, other = await running.connect(), await running.connect()
    await client.hello()
    await other.hello()
    assert (await client.mail(b"x" * 1_500_000 + b"\r\n")).startswith("452 4.3.1")
    assert (await other.mail(b"x" * 900_000 + b"\r\n")).startswith("250")
    assert (await client.mail(b"x" * 900_000 + b"\r\n")).startswith("250")


async def test_line_length(serve: Serve) -> None:
    running = await serve(limits={"line_length": 1_000})
    client = await running.connect()
    await client.hello()
    assert (await client.mail(b"x" * 998 + b"\r\n" + b"y" * 998 + b"\r\n")).startswith("250")
    assert (await client.mail(b"a\r\n" + b"x" * 999 + b"\r\nb\r\n")).startswith("554 5.6.0")


async def test_command_length(serve: Serve) -> None:
    running = await serve(limits={"command_length": 512})
    client = await running.connect()
    await client.hello()
    assert (await client.ask(b"NOOP " + b"x" * 505)).startswith("250")
    assert (await client.ask(b"NOOP " + b"x" * 506)).startswith("500 5.5.2")
    tracemalloc.start()
    client.send(b"NOOP ")
    for _ in range(100):
        client.send(b"x" * 65_536)
        await client.writer.drain()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2_000_000
    client.send(b"\r\nNOOP\r\n")
    assert (await client.reply()).startswith("500 5.5.2")
    assert (await client.reply()).startswith("250")


async def test_recipients(serve: Serve) -> None:
    running = await serve(limits={"recipients": 100})
    client = await running.connect()
    await client.hello()
    recipients = b"".join(b"RCPT TO:<r%d@example.org>\r\n" % n for n in range(150))
    client.send(b"MAIL FROM:<a@client.test>\r\n" + recipients + b"DATA\r\n")
    assert (await client.reply()).startswith("250 2.1.0")
    replies = [await client.reply() for _ in range(150)]
    assert all(reply.startswith("250 2.1.5") for reply in replies[:100])
    assert all(reply.startswith("452 4.5.3") for reply in replies[100:])
    assert (await client.reply()).startswith("354")
    assert (await client.ask(b".")).startswith("250")
    assert len(running.recorder.accepted[0][1].recipients) == 100


async def test_transactions_and_errors(serve: Serve) -> None:
    running = await serve(limits={"transactions": 2, "errors": 3})
    client = await running.connect()
    await client.hello()
    assert (await client.mail()).startswith("250")
    assert (await client.mail()).startswith("250")
    assert (await client.ask(b"MAIL FROM:<a@client.test>")).startswith("421 4.7.0")
    assert await client.closed()
    client = await running.connect()
    await client.hello()
    client.send(b"FOO\r\n" * 10)
    assert [(await client.reply())[:9] for _ in range(4)] == ["500 5.5.2"] * 3 + ["421 4.7.0"]
    assert await client.closed()


async def test_connections(serve: Serve) -> None:
    running = await serve(limits={"connections": 3, "connections_per_client": 2})
    first, second = await running.connect(), await running.connect()
    await first.hello()
    await second.hello()
    third = await running.connect()
    assert (await third.reply()).startswith("421 4.7.0")
    assert await third.closed()
    await first.close()
    await soon(lambda: running.servers._clients.connections == 1)
    fourth = await running.connect()
    await fourth.hello()
    assert (await fourth.mail()).startswith("250")


async def test_idle(serve: Serve, clock: Clock) -> None:
    running = await serve(limits={"idle": 30})
    client = await running.connect()
    await client.hello()
    for _ in range(4):  # octets without a line end do not count as life
        client.send(b"x")
        await clock.advance(8)
    assert (await client.reply()).startswith("421 4.4.2")
    assert await client.closed()


async def test_data_keeps_a_session_alive_but_not_for_ever(serve: Serve, clock: Clock) -> None:
    running = await serve(limits={"idle": 30, "data": 100})
    client = await running.connect()
    await client.hello()

    async def data(octets: int, seconds: float) -> None:
        """One octet at a time, each after so many seconds."""
        await client.ask(b"MAIL FROM:<a@client.test>")
        await client.ask(b"RCPT TO:<b@example.org>")
        await client.ask(b"DATA")
        for count in range(1, octets + 1):
            client.send(b"x")
            await soon(lambda count=count: running.servers._clients.octets >= count)
            await clock.advance(seconds)

    await data(4, 20)
    assert (await client.ask(b"\r\n.")).startswith("250")
    await data(6, 20)
    assert (await client.reply()).startswith("421 4.4.2")
    assert await client.closed()
    assert len(running.recorder.accepted) == 1


async def test_client_that_does_not_read(serve: Serve, clock: Clock) -> None:
    """It is cut at the idle time, with its replies unread and its memory bounded."""
    running = await serve(limits={"idle": 30})
    client = await running.connect()
    await client.hello()
    client.writer.transport.pause_reading()

    async def send() -> None:
        while True:
            client.send(b"HELP\r\n" * 20_000)
            await client.writer.drain()

    sending = asyncio.create_task(send())
    service = running.servers._services[0]
    (session,) = service.sessions
    await soon(lambda: session._unblocked is not None)
    await clock.advance(31)
    await soon(lambda: not service.sessions)
    async with patiently("the connection to end"):
        with pytest.raises(ConnectionError):
            await sending


async def test_half_finished_tls_handshake_is_cut(serve: Serve) -> None:
    running = await serve(tls=True, limits={"starttls": 0.3})
    client = await running.connect()
    await client.hello()
    assert (await client.ask(b"STARTTLS")).startswith("220")
    client.send(b"\x16\x03\x01")
    assert await client.closed()
    await soon(lambda: running.servers._clients.connections == 0)
    assert running.servers._services[0].sessions == set()


async def test_1500_slow_connections_and_a_canary(serve: Serve) -> None:
    running = await serve(limits={"connections": 4_000, "connections_per_client": 4_000})
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    slow = [await running.connect() for _ in range(1_500)]
    for client in slow:
        client.send(b"EHLO s")
    await soon(lambda: running.servers._clients.connections == len(slow))
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # Both ends are in this process; the server's is about half of it.
    assert (after - before) / len(slow) < 40_000
    canary = await running.connect()
    await canary.hello()
    assert (await canary.mail()).startswith("250")
    for client in slow:
        client.writer.transport.abort()
    await soon(lambda: running.servers._clients.connections == 1)
    assert running.servers._clients._by_client == {"127.0.0.1": 1}
