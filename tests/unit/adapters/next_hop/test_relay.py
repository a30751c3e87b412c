"""The relay against servers on real sockets that answer as they are told."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import os
import socket
import ssl
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import REGISTRY
from tests.support import cost
from tests.support.clock import Clock
from tests.support.peers import require
from tests.support.ports import free_port
from tests.support.waiting import PATIENCE, patiently, soon, until

from mailguard.adapters.next_hop import connection
from mailguard.adapters.next_hop import relay as module
from mailguard.adapters.next_hop.connection import Trouble
from mailguard.adapters.next_hop.relay import Relay, Remembered
from mailguard.config.form.forms import Address
from mailguard.config.settings.schema import NextHopSettings
from mailguard.core.mail.reply import Reply
from mailguard.core.mail.transaction import Envelope
from mailguard.demo.next_hop import NextHopServer
from mailguard.pipeline.ports import NextHop

RAW = b"Subject: x\r\n\r\nhello\r\n.\r\n"
PAT, SAM = "pat@example.org", "sam@example.org"
OFFERS = ("PIPELINING", "8BITMIME", "SIZE 10000000", "SMTPUTF8")
Act = str | Callable[["Session"], Awaitable[str | None]]


class Session:
    """One connection of a scripted server."""

    def __init__(
        self, server: Scripted, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.server, self.reader, self.writer = server, reader, writer
        self.number = len(server.sessions)
        self.commands: list[str] = []
        self.accepted = 0

    async def content(self) -> bytes:
        """What follows a 354, dots taken out, as RFC 5321 4.5.2 has it: line by line."""
        lines = []
        while (line := await self.reader.readline()) != b".\r\n":
            if not line:
                raise ConnectionResetError
            lines.append(line.removeprefix(b"."))
        return b"".join(lines)

    async def say(self, text: str) -> None:
        if self.server.by_octet:
            for octet in f"{text}\r\n".encode():
                self.writer.write(bytes((octet,)))
                await self.writer.drain()
                await asyncio.sleep(0)
        else:
            self.writer.write(f"{text}\r\n".encode())
            await self.writer.drain()

    async def cut(self) -> None:
        self.writer.transport.abort()
        raise ConnectionResetError


class Scripted:
    """A server on a real socket. `acts` maps a command's first word (or "greeting", "dot") to a
    reply, or to a coroutine function that may say, hang or cut; None from it means no reply.

    By hand and not aiosmtpd's, since it answers what no server answers, octet by octet, and cuts
    wherever it is told."""

    def __init__(
        self, offers: tuple[str, ...] = OFFERS, by_octet: bool = False, **acts: Act
    ) -> None:
        self.offers, self.by_octet = offers, by_octet
        self.acts: dict[str, Act] = acts
        self.sessions: list[Session] = []
        self.messages: list[bytes] = []
        self.acted: list[str] = []  # whatever it came to
        self.tls: ssl.SSLContext | None = None
        self.tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Scripted:
        self.server = await asyncio.start_server(self.serve, "127.0.0.1", 0, limit=1 << 20)
        self.address = Address(host="127.0.0.1", port=self.server.sockets[0].getsockname()[1])
        return self

    async def __aexit__(self, *error: object) -> None:
        self.server.close()
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        await self.server.wait_closed()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.tasks.add(task)
        session = Session(self, reader, writer)
        self.sessions.append(session)
        with contextlib.suppress(
            ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError
        ):
            try:
                await self.converse(session)
            finally:
                writer.close()

    async def converse(self, session: Session) -> None:
        await self.act(session, "greeting", "220 mail.example.org")
        while line := (await session.reader.readline()).decode().strip():
            session.commands.append(line)
            word = line.split(" ")[0].lower()
            default = "250 2.0.0 Ok"
            if word == "ehlo":
                default = "\r\n".join(f"250-{o}" for o in ("hello", *self.offers)) + "\r\n250 X"
            elif word == "starttls":
                await self.act(session, word, "220 2.0.0 go")
                assert self.tls is not None
                await session.writer.start_tls(self.tls)
                continue
            elif word == "data":
                default = "354 go" if session.accepted else "554 5.5.1 no valid recipients"
            elif word == "quit":
                await session.say("221 bye")
                return
            said = await self.act(session, word, default)
            if word == "mail":
                session.accepted = 0
            elif word == "rcpt" and said.startswith("25"):
                session.accepted += 1
            elif word == "data" and said.startswith("354"):
                self.messages.append(await session.content())
                await self.act(session, "dot", "250 2.0.0 queued")

    async def act(self, session: Session, word: str, default: str) -> str:
        act = self.acts.get(word, default)
        self.acted.append(word)
        said = act if isinstance(act, str) else await act(session)
        if said is not None:
            await session.say(said)
        return said or ""


async def hang(session: Session) -> None:
    await asyncio.Event().wait()


async def cut(session: Session) -> None:
    await session.cut()


def settings(server: Scripted | Address, **changes: Any) -> NextHopSettings:
    address = server if isinstance(server, Address) else server.address
    return NextHopSettings(address=address, **({"tls": "off", "command": 60, "data": 60} | changes))


@contextlib.asynccontextmanager
async def relaying(server: Scripted | Address, **changes: Any) -> AsyncIterator[Relay]:
    relay = Relay(settings(server, **changes), "gate.example.org", "postmaster@example.org")
    try:
        yield relay
    finally:
        await relay.close()


async def send(relay: NextHop, *recipients: str, raw: bytes = RAW) -> list[Reply]:
    to = recipients or (PAT,)
    replies = await relay.relay("a@example.net", to, raw, "", False)
    assert list(replies) == list(dict.fromkeys(to)) or set(replies) == set(to)
    return [replies[recipient] for recipient in to]


def errors(kind: str) -> float:
    return REGISTRY.get_sample_value("mailguard_next_hop_errors_total", {"kind": kind}) or 0.0


@pytest.mark.parametrize("offers", [OFFERS, ()])
@pytest.mark.parametrize("by_octet", [False, True])
async def test_relays_and_keeps_the_connection(offers: tuple[str, ...], by_octet: bool) -> None:
    async with Scripted(offers, by_octet) as server, relaying(server) as relay:
        for _ in range(3):
            assert await send(relay, PAT, SAM) == [Reply(250, "2.0.0 queued")] * 2
        assert server.messages == [RAW] * 3
        assert len(server.sessions) == 1
        assert server.sessions[0].commands.count("EHLO gate.example.org") == 1


async def test_some_refused() -> None:
    async def rcpt(session: Session) -> str:
        return "550 5.1.1 no" if SAM in session.commands[-1] else "250 ok"

    async with Scripted(rcpt=rcpt) as server, relaying(server) as relay:
        assert [r.code for r in await send(relay, PAT, SAM)] == [250, 550]
        assert [r.code for r in await send(relay, SAM)] == [550]
        assert server.messages == [RAW]
        assert server.sessions[0].commands[-1] == "RSET"
        assert len(server.sessions) == 1


async def test_capped_recipients_on_the_same_connection() -> None:
    async def rcpt(session: Session) -> str:
        count = 0
        for command in reversed(session.commands):
            if command.startswith("MAIL"):
                break
            count += 1
        return "452 4.5.3 too many" if count > 2 else "250 ok"

    to = [f"p{n}@example.org" for n in range(5)]
    async with Scripted(rcpt=rcpt) as server, relaying(server) as relay:
        assert [r.code for r in await send(relay, *to)] == [250] * 5
        assert len(server.messages) == 3 and len(server.sessions) == 1


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        ("greeting", "connect"),
        ("ehlo", "connect"),
        ("mail", "timeout"),
        ("rcpt", "timeout"),
        ("data", "timeout"),
        ("dot", "unknown"),
    ],
)
async def test_hanging_next_hop(word: str, kind: str, clock: Clock) -> None:
    before = errors(kind)
    acts: dict[str, Act] = {word: hang}
    limits = {"connect": 60, "command": 60, "data": 60}
    async with Scripted((), **acts) as server, relaying(server, **limits) as relay:
        sending = asyncio.create_task(send(relay))
        await soon(lambda: word in server.acted)
        await clock.advance(61)
        (reply,) = await sending
        assert reply.code == 451 and reply.text.startswith("4.4.")
        assert errors(kind) == before + 1
        assert ("unknown" in reply.text) == (word == "dot")


async def test_one_silent_connection_costs_one_message_not_one_each(clock: Clock) -> None:
    async with Scripted() as server, relaying(server) as relay:
        for replies in await asyncio.gather(*(send(relay) for _ in range(4))):
            assert replies[0].code == 250
        old = len(server.sessions)

        async def silent_if_old(session: Session) -> str:
            if session.number < old:
                silent.set()
                await hang(session)
            return "250 ok"

        silent = asyncio.Event()
        server.acts["mail"] = silent_if_old
        sending = asyncio.create_task(send(relay))
        await silent.wait()
        await clock.advance(61)
        assert (await sending)[0].code == 451
        assert [(await send(relay))[0].code for _ in range(2)] == [250, 250]


@pytest.mark.parametrize("word", ["greeting", "ehlo", "mail", "rcpt", "data", "dot"])
async def test_a_fresh_connection_that_is_cut_is_not_retried(word: str) -> None:
    acts: dict[str, Act] = {word: cut}
    async with Scripted((), **acts) as server, relaying(server) as relay:
        (reply,) = await send(relay)
        assert reply.code == 451 and reply.text.startswith("4.4.")
        assert len(server.sessions) == 1


@pytest.mark.parametrize("word", ["mail", "rcpt", "data"])
@pytest.mark.parametrize("last_words", ["", "421 4.4.2 idle too long"])
async def test_a_kept_connection_that_is_dead_is_replaced_once(word: str, last_words: str) -> None:
    async with Scripted(()) as server, relaying(server) as relay:
        await send(relay)

        async def die_on_the_first(session: Session) -> str:
            if session.number == 0:
                if last_words:
                    await session.say(last_words)
                await session.cut()
            return "354 go" if word == "data" else "250 ok"

        server.acts[word] = die_on_the_first
        assert [r.code for r in await send(relay)] == [250]
        assert len(server.sessions) == 2 and len(server.messages) == 2

        server.acts[word] = cut
        assert [r.code for r in await send(relay)] == [451]
        assert len(server.sessions) == 3, "one retry, no more"


async def test_a_greeting_that_is_there_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    loop = asyncio.get_running_loop()
    connect = loop.create_connection

    async def late(*arguments: Any, **options: Any) -> Any:
        connected = await connect(*arguments, **options)
        await asyncio.sleep(0.05)
        return connected

    monkeypatch.setattr(loop, "create_connection", late)
    async with Scripted() as server, relaying(server) as relay:
        assert [r.code for r in await send(relay)] == [250]


async def test_closed_while_kept() -> None:
    async with Scripted() as server, relaying(server) as relay:
        await send(relay)
        server.sessions[0].writer.close()
        await asyncio.sleep(0.05)
        assert [r.code for r in await send(relay)] == [250]
        server.sessions[1].writer.write(b"421 4.4.2 closing\r\n")
        await asyncio.sleep(0.05)
        assert [r.code for r in await send(relay)] == [250]
        assert len(server.sessions) == 3


async def test_nothing_is_sent_twice_after_the_final_dot() -> None:
    before = errors("unknown")
    async with Scripted() as server, relaying(server) as relay:
        await send(relay)
        server.acts["dot"] = cut
        (reply,) = await send(relay)
        assert reply.code == 451 and "unknown" in reply.text
        assert len(server.messages) == 2 and len(server.sessions) == 1
        assert errors("unknown") == before + 1


async def test_421_to_the_final_dot_is_an_answer() -> None:
    async with Scripted() as server, relaying(server) as relay:
        await send(relay)
        server.acts["dot"] = "421 4.3.2 shutting down"
        (reply,) = await send(relay)
        assert reply.code == 451 and "unknown" not in reply.text
        assert len(server.sessions) == 1


async def test_cut_in_the_middle_of_the_content_is_retried_on_a_fresh_connection() -> None:
    raw = (b"x" * 76 + b"\r\n") * 300_000  # more than the kernel's buffers hold
    async with Scripted(("PIPELINING",)) as server, relaying(server) as relay:
        await send(relay)

        async def go(session: Session) -> str:
            if session.number == 0:
                await session.say("354 go")
                await session.reader.readexactly(100_000)
                await session.cut()
            return "354 go"

        server.acts["data"] = go
        assert [r.code for r in await send(relay, raw=raw)] == [250]
        assert len(server.sessions) == 2
        assert [len(m) for m in server.messages] == [len(RAW), len(raw)]


async def test_early_refusal_of_the_content() -> None:
    async def go(session: Session) -> None:
        await session.say("354 go")
        await session.reader.readexactly(1000)
        await session.say("552 5.3.4 too big")
        await hang(session)

    raw = (b"x" * 76 + b"\r\n") * 300_000
    offers = ("PIPELINING",)
    async with Scripted(offers, data=go) as server, relaying(server) as relay:
        (reply,) = await send(relay, raw=raw)
        assert reply == Reply(552, "5.3.4 too big")
        del server.acts["data"]
        assert [r.code for r in await send(relay)] == [250]
        assert len(server.sessions) == 2


@pytest.mark.parametrize("chunk", [connection.CHUNK, 1 << 30])
async def test_a_next_hop_that_takes_no_content_in_time(
    chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "CHUNK", chunk)

    async def go(session: Session) -> None:
        await session.say("354 go")
        session.reader._transport.pause_reading()  # type: ignore[attr-defined]  # a full window
        await hang(session)

    raw = (b"x" * 76 + b"\r\n") * 300_000
    async with Scripted(("PIPELINING",), data=go) as server, relaying(server, data=0.3) as relay:
        (reply,) = await send(relay, raw=raw)
        assert reply.code == 451 and "unknown" not in reply.text, "the dot has not left"


async def test_several_megabytes_arrive_whole() -> None:
    raw = b"".join(b".%d %s\r\n" % (n, b"x" * (n % 900)) for n in range(12_000))
    async with Scripted(("PIPELINING",)) as server, relaying(server) as relay:
        assert [r.code for r in await send(relay, raw=raw)] == [250]
        assert server.messages == [raw]


@pytest.mark.parametrize("word", ["greeting", "mail", "rcpt", "data", "dot"])
@pytest.mark.parametrize("garbage", ["HTTP/1.1 400 Bad Request", "2" * 100_000, "250-x\r\n" * 500])
async def test_garbage(word: str, garbage: str) -> None:
    acts: dict[str, Act] = {word: garbage}
    async with Scripted((), **acts) as server, relaying(server) as relay:
        (reply,) = await send(relay)
        assert reply.code == 451 and reply.text.startswith("4.4.")


async def test_more_replies_than_commands_end_the_connection() -> None:
    async with Scripted(dot="250 ok\r\n250 and more") as server, relaying(server) as relay:
        assert [r.code for r in await send(relay)] == [250]
        assert [r.code for r in await send(relay)] == [250]
        assert len(server.sessions) == 2


@pytest.mark.parametrize("greeting", ["421 busy", "554 no", "220 x"])
async def test_refusing_next_hop_is_451(greeting: str) -> None:
    async with (
        Scripted(greeting=greeting, ehlo="550 no", helo="550 no") as server,
        relaying(server) as relay,
    ):
        (reply,) = await send(relay)
        assert reply.code == 451


async def test_nobody_listens() -> None:
    async with relaying(Address(host="127.0.0.1", port=free_port())) as relay:
        assert [r.code for r in await send(relay)] == [451]
        assert (await relay.verify(PAT)).code == 451
        assert (await relay.probe()).code == 451
        with pytest.raises(Trouble):
            await relay.log_in("pat", "secret")


async def test_helo_where_ehlo_is_unknown() -> None:
    async with Scripted(ehlo="502 5.5.1 what") as server, relaying(server) as relay:
        assert [r.code for r in await send(relay)] == [250]
        assert "HELO gate.example.org" in server.sessions[0].commands


async def test_8bit_and_smtputf8_without_their_extensions() -> None:
    raw = "Subject: x\r\n\r\nGrüße\r\n".encode()
    async with Scripted(("PIPELINING",)) as server, relaying(server) as relay:
        (reply,) = await send(relay, raw=raw)
        assert reply.permanent and reply.text.startswith("5.6.3")
        assert [r.code for r in await send(relay, "pät@example.org", PAT)] == [550, 250]
        assert server.messages == [RAW]


async def test_bare_lf_is_our_own_trouble() -> None:
    async with Scripted() as server, relaying(server) as relay:
        (reply,) = await send(relay, raw=b"Subject: x\n\r\n\r\n.\n")
        assert reply.code == 451 and not server.sessions


async def test_xforward() -> None:
    offers = (*OFFERS, "XFORWARD NAME ADDR PROTO HELO")
    origin = Envelope("", (), client_address="192.0.2.7", helo="pc", protocol="ESMTPS")
    async with Scripted(offers) as server:
        async with relaying(server) as relay:
            await relay.relay("", [PAT], RAW, "", False, origin=origin)
            await relay.relay("", [PAT], RAW, "", False)
        async with relaying(server, xforward=False) as relay:
            await relay.relay("", [PAT], RAW, "", False, origin=origin)
        said = [c for s in server.sessions for c in s.commands if c.startswith("XFORWARD")]
        assert said == [
            "XFORWARD NAME=[UNAVAILABLE] ADDR=192.0.2.7 PROTO=ESMTP HELO=pc",
            "XFORWARD NAME=[UNAVAILABLE] ADDR=[UNAVAILABLE] PROTO=[UNAVAILABLE] HELO=[UNAVAILABLE]",
        ]


async def test_at_most_so_many_connections() -> None:
    async def slow(session: Session) -> str:
        await asyncio.sleep(0.02)
        return "250 ok"

    async with Scripted(dot=slow) as server, relaying(server, connections=3) as relay:
        replies = await asyncio.gather(*(send(relay) for _ in range(12)))
        assert [r.code for (r,) in replies] == [250] * 12
        assert len(server.sessions) == 3


async def test_no_connection_free_in_time(clock: Clock) -> None:
    limits = {"connections": 1, "command": 60, "data": 90}
    async with Scripted(dot=hang) as server, relaying(server, **limits) as relay:
        first = asyncio.create_task(send(relay))
        await soon(lambda: "dot" in server.acted)
        second = asyncio.create_task(send(relay))
        await asyncio.sleep(0)
        await clock.advance(61)
        (reply,) = await second
        assert reply.code == 451 and reply.text.startswith("4.4.5")
        assert not first.done()
        await clock.advance(30)
        await first


async def test_idle_connections_are_closed_with_quit(clock: Clock) -> None:
    async with Scripted() as server, relaying(server, idle=60) as relay:
        await send(relay)
        await clock.advance(61)
        await soon(lambda: server.sessions[0].commands[-1] == "QUIT")
        assert [r.code for r in await send(relay)] == [250]
        assert len(server.sessions) == 2


async def test_cancelled_relay_gives_its_place_back() -> None:
    async with Scripted(dot=hang) as server, relaying(server, connections=1) as relay:
        task = asyncio.create_task(send(relay))
        await soon(lambda: "dot" in server.acted)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        del server.acts["dot"]
        assert [r.code for r in await send(relay)] == [250]


async def test_close_cuts_what_is_under_way() -> None:
    async with Scripted(dot=hang) as server:
        relay = Relay(settings(server))
        task = asyncio.create_task(send(relay))
        await soon(lambda: "dot" in server.acted)
        await relay.close()
        assert [r.code for r in await task] == [451]
        assert [r.code for r in await send(relay)] == [451]


async def test_verify_is_remembered_and_asked_once(clock: Clock) -> None:
    async def rcpt(session: Session) -> str:
        await asyncio.sleep(0.02)
        return "550 5.1.1 no" if SAM in session.commands[-1] else "250 ok"

    async with Scripted(rcpt=rcpt) as server, relaying(server, verify_negative=60) as relay:
        replies = await asyncio.gather(*(relay.verify(PAT) for _ in range(5)))
        assert [r.code for r in replies] == [250] * 5
        assert (await relay.verify("pat@EXAMPLE.org")).code == 250
        assert (await relay.verify(SAM)) == Reply(550, "5.1.1 no")
        assert (await relay.verify(SAM)).code == 550
        asked = [c for s in server.sessions for c in s.commands if c.startswith("RCPT")]
        assert asked == [f"RCPT TO:<{PAT}>", f"RCPT TO:<{SAM}>"]
        assert not server.messages
        await clock.advance(61)
        del server.acts["rcpt"]
        assert (await relay.verify(SAM)).code == 250, "a no is forgotten in time"


async def test_verify_does_not_remember_trouble() -> None:
    async with Scripted(rcpt="451 4.3.0 later") as server, relaying(server) as relay:
        assert (await relay.verify(PAT)).code == 451
        del server.acts["rcpt"]
        assert (await relay.verify(PAT)).code == 250


@pytest.mark.parametrize("offers", [OFFERS, ()])
@pytest.mark.parametrize("word", ["mail", "rcpt"])
async def test_verify_where_the_null_reverse_path_is_refused(
    word: str, offers: tuple[str, ...]
) -> None:
    async def no_null(session: Session) -> str:
        mail = next(c for c in reversed(session.commands) if c.startswith("MAIL"))
        return "550 5.7.1 no null sender" if "<>" in mail else "250 ok"

    acts: dict[str, Act] = {word: no_null}
    async with Scripted(offers, **acts) as server, relaying(server) as relay:
        assert (await relay.verify(PAT)).code == 250
        assert (await relay.verify(SAM)).code == 250
        mails = [c for s in server.sessions for c in s.commands if c.startswith("MAIL")]
        assert "MAIL FROM:<postmaster@example.org>" in mails


async def test_a_sender_refused_twice_says_nothing_of_the_recipient() -> None:
    async with Scripted(mail="550 5.7.1 nobody") as server, relaying(server) as relay:
        assert (await relay.verify(PAT)).code == 451


async def test_verify_switched_off() -> None:
    async with Scripted() as server, relaying(server, verify_recipients=False) as relay:
        assert (await relay.verify(PAT)).code == 250 and not server.sessions


def test_what_is_remembered_is_bounded() -> None:
    remembered = Remembered(10, size=100)
    for n in range(1_000):
        remembered.put(str(n), Reply(250, "ok"), 0)
    assert remembered.get("899", 1) is None and remembered.get("900", 1) is not None
    assert remembered.get("999", 11) is None


async def test_probe() -> None:
    async with Scripted() as server, relaying(server) as relay:
        assert (await relay.probe()).code == 250
        await send(relay)
        assert (await relay.probe()).code == 250
        assert server.sessions[-1].commands[-1] == "NOOP"


# TLS


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    openssl = require("openssl", "openssl")
    directory = tmp_path_factory.mktemp("tls")
    pem, key = directory / "cert.pem", directory / "key.pem"
    command = f"{openssl} req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2"
    names = ["-subj", "/CN=mail.example.org", "-addext", "subjectAltName=DNS:mail.example.org"]
    subprocess.run(
        [*command.split(), *names, "-keyout", key, "-out", pem], check=True, capture_output=True
    )
    return pem, key


def with_tls(certificate: tuple[Path, Path], **acts: Act) -> Scripted:
    server = Scripted((*OFFERS, "STARTTLS", "AUTH PLAIN LOGIN"), **acts)
    server.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.tls.load_cert_chain(*certificate)
    return server


@pytest.mark.parametrize("tls", ["off", "opportunistic", "required", "verified"])
async def test_tls(certificate: tuple[Path, Path], tls: str) -> None:
    known = {"tls": tls, "tls_ca": certificate[0], "tls_name": "mail.example.org"}
    raw = (b"x" * 76 + b"\r\n") * 50_000
    async with with_tls(certificate) as server, relaying(server, **known) as relay:
        assert [r.code for r in await send(relay)] == [250]
        assert [r.code for r in await send(relay, raw=raw)] == [250]
        assert server.messages == [RAW, raw]
        commands = server.sessions[0].commands
        assert commands.count("EHLO gate.example.org") == (1 if tls == "off" else 2)


async def test_verified_refuses_a_strange_certificate(certificate: tuple[Path, Path]) -> None:
    async with with_tls(certificate) as server:
        for changes in (
            {"tls_name": "mail.example.org"},
            {"tls_ca": certificate[0], "tls_name": "other.example.org"},
        ):
            async with relaying(server, tls="verified", **changes) as relay:
                assert [r.code for r in await send(relay)] == [451]
        assert not server.messages


async def test_tls_that_is_not_offered_or_refused(certificate: tuple[Path, Path]) -> None:
    async with Scripted() as server:
        async with relaying(server, tls="required") as relay:
            assert [r.code for r in await send(relay)] == [451]
        async with relaying(server, tls="opportunistic") as relay:
            assert [r.code for r in await send(relay)] == [250]


async def test_text_behind_the_220_to_starttls(certificate: tuple[Path, Path]) -> None:
    answer = "220 go\r\n250-injected\r\n250 X"
    async with (
        with_tls(certificate, starttls=answer) as server,
        relaying(server, tls="required") as relay,
    ):
        assert [r.code for r in await send(relay)] == [451]


async def test_opportunistic_goes_on_in_the_clear_where_the_handshake_fails(
    certificate: tuple[Path, Path],
) -> None:
    async def break_it(session: Session) -> str:
        await session.say("220 go")
        await asyncio.sleep(0.05)
        await session.say("this is no handshake")
        return await session.cut()  # type: ignore[return-value, func-returns-value]  # it raises

    async with with_tls(certificate, starttls=break_it) as server:
        async with relaying(server, tls="opportunistic") as relay:
            replies = await send(relay)
        assert replies[0].code == 250
        async with relaying(server, tls="required") as relay:
            assert [r.code for r in await send(relay)] == [451]


@pytest.mark.parametrize(
    ("answer", "expected"), [("235 2.7.0 welcome", True), ("535 5.7.8 no", False)]
)
async def test_log_in(certificate: tuple[Path, Path], answer: str, expected: bool) -> None:
    async with with_tls(certificate, auth=answer) as server, relaying(server) as relay:
        assert await relay.log_in("pat", "secret") is expected
        assert "AUTH PLAIN AHBhdABzZWNyZXQ=" in server.sessions[0].commands
        assert await relay.log_in("pat\0sam", "secret") is False


async def test_log_in_where_only_login_is_offered(certificate: tuple[Path, Path]) -> None:
    async def auth(session: Session) -> str:
        said = []
        for prompt in ("334 VXNlcm5hbWU6", "334 UGFzc3dvcmQ6"):
            await session.say(prompt)
            said.append(base64.b64decode(await session.reader.readline()))
        return "235 2.7.0 ok" if said == [b"pat", b"secret"] else "535 5.7.8 no"

    async with with_tls(certificate, auth=auth) as server, relaying(server) as relay:
        server.offers = ("STARTTLS", "AUTH LOGIN")
        assert await relay.log_in("pat", "secret") is True
        assert await relay.log_in("pat", "guess") is False


async def test_log_in_without_a_clear_answer(certificate: tuple[Path, Path]) -> None:
    async with with_tls(certificate, auth="454 4.7.0 later") as server, relaying(server) as relay:
        with pytest.raises(Trouble):
            await relay.log_in("pat", "secret")
    async with Scripted((*OFFERS, "AUTH PLAIN")) as server, relaying(server) as relay:
        with pytest.raises(Trouble):
            await relay.log_in("pat", "secret")
        assert not any(c.startswith("AUTH") for s in server.sessions for c in s.commands)


# Real servers


async def test_the_demonstration_next_hop(tmp_path: Path) -> None:
    server = NextHopServer(tmp_path, [PAT])
    host, port = await server.start()
    try:
        async with relaying(Address(host=host, port=port)) as relay:
            replies = await send(relay, PAT, SAM, "friend@example.net")
            assert [r.code for r in replies] == [250, 550, 250]
            assert (await relay.verify(SAM)).text.startswith("5.1.1")
            assert (await relay.verify(PAT)).code == 250
        (stored,) = server.delivered(PAT)
        assert stored == b"Return-Path: <a@example.net>\r\nDelivered-To: pat@example.org\r\n" + RAW
        assert server.delivered("friend@example.net") and not server.delivered(SAM)
    finally:
        await server.stop()


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 10).close()
    except OSError:
        return False
    return True


@pytest.fixture
def sink() -> Callable[..., Any]:
    @contextlib.contextmanager
    def start(*options: str) -> Any:
        program = require("smtp-sink", "postfix")
        port = free_port()
        user = ("-u", "nobody") if os.geteuid() == 0 else ()
        server = subprocess.Popen([program, "-4", *user, *options, f"127.0.0.1:{port}", "100"])
        try:
            until(lambda: _listens(port), what="smtp-sink to listen")
            yield Address(host="127.0.0.1", port=port)
        finally:
            server.terminate()
            server.wait(PATIENCE)

    return start


@pytest.mark.peer
@pytest.mark.parametrize(
    ("options", "code"),
    [
        ((), 250),
        (("-p",), 250),  # no PIPELINING
        (("-e",), 250),  # no ESMTP
        (("-f", "rcpt"), 500),
        (("-r", "data"), 450),
        (("-r", "."), 450),
        (("-q", "."), 451),  # it disconnects
        (("-q", "mail"), 451),
    ],
)
async def test_smtp_sink(sink: Callable[..., Any], options: tuple[str, ...], code: int) -> None:
    with sink(*options) as address:
        async with relaying(address) as relay:
            (reply,) = await send(relay)
            assert reply.code // 100 == code // 100, reply


async def plainly(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, raw: bytes) -> None:
    """The reference: the same message over a kept connection by asyncio's streams, unasked-for
    questions and all."""
    for command in (b"MAIL FROM:<a@example.net>", b"RCPT TO:<pat@example.org>", b"DATA"):
        writer.write(command + b"\r\n")
        await reader.readline()
    writer.write(raw + b".\r\n")
    await writer.drain()
    assert (await reader.readline()).startswith(b"250")


@pytest.mark.peer
def test_cpu_of_a_relayed_message(sink: Callable[..., Any]) -> None:
    raw = b"Subject: x\r\n\r\n" + b"Lorem ipsum dolor sit amet, consetetur sadipscing.\r\n" * 230
    with sink() as address, asyncio.Runner() as runner:
        loop = runner.get_loop()

        async def connected() -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
            reader, writer = await asyncio.open_connection(address.host, address.port)
            await reader.readline()
            writer.write(b"HELO gate.example.org\r\n")
            await reader.readline()
            return reader, writer

        async def made() -> Relay:
            return Relay(settings(address), "gate.example.org")

        async def by_relay() -> None:
            for _ in range(20):
                assert [r.code for r in await send(relay, raw=raw)] == [250]

        async def by_streams() -> None:
            for _ in range(20):
                await plainly(reader, writer, raw)

        relay = loop.run_until_complete(made())
        reader, writer = loop.run_until_complete(connected())
        try:
            cost.assert_ratio(
                lambda: loop.run_until_complete(by_relay()),
                lambda: loop.run_until_complete(by_streams()),
                most=3,
            )
        finally:
            writer.close()
            loop.run_until_complete(relay.close())


async def test_a_next_hop_that_crawls_has_no_more_time_than_a_client_has(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each reply comes in time, all of them would not (RFC 5321 4.5.3.2.6)."""
    monkeypatch.setattr(module, "LONGEST", 0.5)

    async def crawl(session: Session) -> str:
        await asyncio.sleep(0.2)
        return "250 2.1.5 Ok"

    many = [f"r{n}@example.org" for n in range(20)]
    async with Scripted(rcpt=crawl) as server, relaying(server) as relay:
        async with patiently("an answer although the next hop crawls"):
            replies = await send(relay, *many)
        assert {reply.code for reply in replies} == {451}
        assert server.messages == []
