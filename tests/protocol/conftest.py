"""A server on loopback for protocol tests, behind a gateway that records what it is handed."""

from __future__ import annotations

import asyncio
import ssl
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from tests.support.waiting import patiently

from mailguard.config.settings.schema import Settings
from mailguard.core.mail.reply import Reply
from mailguard.core.mail.transaction import Envelope, Listener
from mailguard.frontends.smtp.gateway import LoginTrouble
from mailguard.frontends.smtp.server import Servers


@dataclass
class Recorder:
    """The port: answers by the recipient's or login's name, and keeps what it was given."""

    accepted: list[tuple[Listener, Envelope, bytes]] = field(default_factory=list)
    verified: list[tuple[Envelope, str]] = field(default_factory=list)
    logins: list[tuple[str, bytes, str]] = field(default_factory=list)
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    devices: set[str] = field(default_factory=set)  # addresses and certificates without a login
    gate: asyncio.Event | None = None  # accept waits for it
    raising: list[Exception] = field(default_factory=list)  # what the next accepts raise

    async def verify(self, envelope: Envelope, listener: Listener, recipient: str) -> Reply:
        self.verified.append((envelope, recipient))
        if recipient.startswith("unknown"):
            return Reply(550, "5.1.1 No such mailbox")
        if recipient.startswith("later"):
            return Reply(451, "4.4.1 Cannot ask now")
        if recipient.startswith("crash"):
            raise RuntimeError("a secret of ours")
        return Reply(250, "2.1.5 whatever the next hop says")

    async def accept(self, listener: Listener, envelope: Envelope, raw: bytes) -> Reply:
        self.begun.set()
        if self.gate is not None:
            await self.gate.wait()
        if self.raising:
            raise self.raising.pop()
        self.accepted.append((listener, envelope, raw))
        return Reply(250, f"2.0.0 Taken, {len(raw)} octets")

    async def log_in(self, login: str, password: bytes, client_address: str) -> str | None:
        self.logins.append((login, password, client_address))
        if login == "trouble":
            raise LoginTrouble("the file is on fire")
        return login if password == b"good" else None

    def acting(self, login: str, account: str) -> str | None:
        return account if (login, account) == ("person", "office") else None

    def needs_no_login(self, client_address: str, certificate: str | None) -> bool:
        return client_address in self.devices or (certificate or "") in self.devices


@dataclass
class Client:
    """A client that sees octets."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def line(self) -> str:
        async with patiently("a line from the server"):
            raw = await self.reader.readline()
        assert not raw or raw.endswith(b"\r\n"), raw
        return raw.decode("utf-8").rstrip("\r\n")

    async def reply(self) -> str:
        """A whole reply, its lines joined by a line feed; "" at the end of the connection."""
        lines = []
        while True:
            lines.append(await self.line())
            if lines[-1][3:4] != "-":
                return "\n".join(lines)

    def send(self, octets: bytes) -> None:
        self.writer.write(octets)

    async def ask(self, octets: bytes) -> str:
        self.send(octets + b"\r\n")
        return await self.reply()

    async def hello(self, extension: bytes = b"EHLO") -> str:
        """Read the greeting and say hello."""
        greeting = await self.reply()
        assert greeting.startswith("220 "), greeting
        return await self.ask(extension + b" client.test")

    async def mail(self, message: bytes = b"Subject: hi\r\n\r\nhi\r\n") -> str:
        """A whole transaction; the reply to the final dot."""
        assert (await self.ask(b"MAIL FROM:<a@client.test>")).startswith("250")
        assert (await self.ask(b"RCPT TO:<b@example.org>")).startswith("250")
        assert (await self.ask(b"DATA")).startswith("354")
        return await self.ask(message + b".")

    async def start_tls(self) -> None:
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        await self.writer.start_tls(context)

    async def closed(self) -> bool:
        """Whether the server ends the connection now."""
        try:
            async with patiently("the server to close the connection"):
                return await self.reader.read(1) == b""
        except ConnectionError:
            return True

    async def close(self) -> None:
        self.writer.close()
        try:
            async with patiently("the connection to be closed"):
                await self.writer.wait_closed()
        except OSError:
            pass


@dataclass
class Running:
    """Servers under test."""

    servers: Servers
    recorder: Recorder
    clients: list[Client] = field(default_factory=list)

    async def connect(self, listener: str = "in", tls: bool = False) -> Client:
        host, port = self.servers.addresses()[listener]
        context = None
        if tls:
            context = ssl.create_default_context()
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        client = Client(*await asyncio.open_connection(host, port, ssl=context))
        self.clients.append(client)
        return client


Serve = Callable[..., Awaitable[Running]]


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A self-signed certificate and its key."""
    where = tmp_path_factory.mktemp("tls")
    chain, key = where / "chain.pem", where / "key.pem"
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj"
    subprocess.run(
        [*command.split(), "/CN=mx.example.org", "-keyout", str(key), "-out", str(chain)],
        check=True,
        capture_output=True,
    )
    return chain, key


@pytest.fixture
async def serve(certificate: tuple[Path, Path]) -> AsyncIterator[Serve]:
    """Start servers: one listener "in" of a role, or `listeners` in full; limits by name."""
    started: list[Running] = []

    async def start(
        role: str = "mx",
        *,
        tls: bool = False,
        limits: dict[str, Any] | None = None,
        auth: dict[str, Any] | None = None,
        **listener: Any,
    ) -> Running:
        one: dict[str, Any] = {
            "name": "in",
            "role": role,
            "address": {"host": "127.0.0.1", "port": 0},
            **listener,
        }
        if tls:
            one["tls_certificate"], one["tls_key"] = certificate
        settings = Settings.model_validate(
            {
                "hostname": "mx.example.org",
                "district": {
                    "name": "Example District",
                    "short_name": "EX",
                    "domains": ["example.org"],
                    "spammail": "spammail@example.org",
                    "postmaster": "postmaster@example.org",
                },
                "next_hop": {"address": {"host": "127.0.0.1", "port": 1}},
                "listeners": [one],
                "limits": limits or {},
                "auth": auth or {},
            }
        )
        recorder = Recorder()
        running = Running(Servers(settings, recorder), recorder)
        await running.servers.start()
        started.append(running)
        return running

    yield start
    for running in started:
        for client in running.clients:
            await client.close()
        await running.servers.drain(0.2)
