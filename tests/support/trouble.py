"""A next hop that fails as it is told, and clients that come back until they are answered.

Owns no mailguard: both stand at its two ends. The next hop counts a message as taken before it says
250, as a mail server that is cut off after its commit would have.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import re
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from aiosmtpd.smtp import Envelope
from tests.support.ports import free_port
from tests.support.waiting import PATIENCE

from mailguard.demo.next_hop import LoopbackController

GTUBE = "XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X"
TARA, ALL_STAFF = "tara.olive@example.org", "all-staff@example.org"
SPAMMAIL = "spammail@example.org"
_CLOSED = (OSError, EOFError)  # asyncio.IncompleteReadError is an EOFError
_NUMBER = re.compile(rb"^X-Test-Number: (\w+)\r\n", re.MULTILINE)

FINE, LATER, REFUSING = "fine", "451 after the dot", "451 to RCPT"
HANGING, CUTTING, TAKING = "hangs", "cuts in the data", "takes it and cuts"
TROUBLES = (LATER, REFUSING, CUTTING, TAKING, "hangs briefly", "closes")


class NextHop:
    """A mail server on a port of its own. `mood` is what it does to each message, or a function
    that is asked each time; `taken` the messages it answers for, by their number.

    Written by hand because it must misbehave: aiosmtpd never cuts in the middle of the data, hangs
    at every command or takes a message and cuts before it says so; it forgets what it was about to
    take when its client is killed; and it reads 50 MB line by line. A next hop that just takes mail
    is an `OrdinaryNextHop`."""

    def __init__(
        self, mood: str | Callable[[], str] = FINE, keep: bool = True, port: int = 0
    ) -> None:
        self.port = port or free_port()
        self.mood = mood
        self.moods: Counter[str] = Counter()
        self.keep = keep
        self.delay = 0.0  # seconds before the reply to the final dot
        self.taken: dict[str, list[bytes]] = {}
        self.recipients: dict[str, list[frozenset[str]]] = {}  # of each of `taken`
        self.others: list[bytes] = []  # without a number: notices and copies
        self.octets = 0
        self._server: asyncio.Server | None = None
        self._sessions: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> NextHop:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self) -> None:
        self._server = await asyncio.start_server(
            self._serve, "127.0.0.1", self.port, limit=1 << 20, backlog=500
        )

    async def stop(self) -> None:
        """Down: the port is closed, and so is every connection."""
        assert self._server is not None
        self._server.close()
        for task in self._sessions:
            task.cancel()
        await asyncio.gather(*self._sessions, return_exceptions=True)

    def _now(self) -> str:
        mood = self.mood if isinstance(self.mood, str) else self.mood()
        self.moods[mood] += 1
        return mood

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._sessions.add(task)
        try:
            with contextlib.suppress(*_CLOSED, asyncio.CancelledError):
                await self._converse(reader, writer)
        finally:
            self._sessions.discard(task)
            writer.transport.abort()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example.org ESMTP\r\n")
        mood, recipients = FINE, list[str]()
        while line := await reader.readline():
            verb = line[:4].upper()
            reply = b"250 2.0.0 Ok\r\n"
            while self.mood == HANGING:
                await asyncio.sleep(0.02)
            if verb == b"EHLO":
                reply = b"250-mail.example.org\r\n250-PIPELINING\r\n250-8BITMIME\r\n"
                reply += b"250-SMTPUTF8\r\n250 SIZE 104857600\r\n"
            elif verb == b"MAIL":
                mood, recipients = self._now(), []
                if mood == "closes":
                    return
                if mood == "hangs briefly":
                    await asyncio.sleep(0.3)
            elif verb == b"RCPT":
                if mood == REFUSING:
                    reply = b"451 4.3.0 Not now\r\n"
                else:
                    recipients.append(line[9:-3].decode())
            elif verb == b"DATA":
                if not recipients:
                    reply = b"554 5.5.1 No valid recipients\r\n"
                else:
                    writer.write(b"354 Go on\r\n")
                    answer = await self._data(reader, mood, frozenset(recipients))
                    if answer is None:
                        return
                    reply = answer
            elif verb == b"QUIT":
                writer.write(b"221 2.0.0 Bye\r\n")
                await writer.drain()
                return
            writer.write(reply)
            await writer.drain()

    async def _data(
        self, reader: asyncio.StreamReader, mood: str, recipients: frozenset[str]
    ) -> bytes | None:
        if mood == CUTTING:
            await reader.read(64)
            return None
        octets = bytearray(b"\r\n")
        while not octets.endswith(b"\r\n.\r\n"):
            chunk = await reader.read(1 << 20)
            if not chunk:
                return None
            octets += chunk
        raw = bytes(octets[:-3]).replace(b"\r\n.", b"\r\n")[2:]  # RFC 5321 4.5.2
        if self.delay:
            await asyncio.sleep(self.delay)
        if mood == LATER:
            return b"451 4.3.0 Try again later\r\n"
        self.octets += len(raw)
        number = _NUMBER.search(raw.partition(b"\r\n\r\n")[0] + b"\r\n")
        if number is not None and self.keep:
            self.taken.setdefault(number[1].decode(), []).append(raw)
            self.recipients.setdefault(number[1].decode(), []).append(recipients)
        elif self.keep:
            self.others.append(raw)
        return None if mood == TAKING else b"250 2.0.0 Taken\r\n"


class OrdinaryNextHop:
    """A mail server that takes everything, on a port of its own: aiosmtpd as it is. `taken` and
    `recipients` as `NextHop` has them."""

    def __init__(self, port: int = 0) -> None:
        self.taken: dict[str, list[bytes]] = {}
        self.recipients: dict[str, list[frozenset[str]]] = {}
        self._controller = LoopbackController(self, port=port)

    @property
    def port(self) -> int:
        return self._controller.port

    async def __aenter__(self) -> OrdinaryNextHop:
        await asyncio.to_thread(self._controller.start)
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.to_thread(self._controller.stop)

    async def handle_DATA(self, server: object, session: object, envelope: Envelope) -> str:
        raw = envelope.original_content or b""
        number = _NUMBER.search(raw.partition(b"\r\n\r\n")[0] + b"\r\n")
        if number is not None:
            self.taken.setdefault(number[1].decode(), []).append(raw)
            recipients = frozenset(envelope.rcpt_tos)
            self.recipients.setdefault(number[1].decode(), []).append(recipients)
        return "250 2.0.0 Taken"


def now_and_then(dice: random.Random, share: float) -> Callable[[], str]:
    """A next hop's mood: fine, but for a share of the messages."""
    return lambda: dice.choice(TROUBLES) if dice.random() < share else FINE


def numbered(number: str, body: str = "Hello, when is the next meeting?", **fields: str) -> bytes:
    """A well-formed message unlike any other."""
    lines = [
        "From: Pat Parent <parent@unproven.test>",
        f"To: {TARA}",
        f"X-Test-Number: {number}",
        f"Subject: Question {number}",
        "Date: Fri, 20 Nov 2026 09:30:00 -0800",
        f"Message-ID: <{number}@example.net>",
        *(f"{name.replace('_', '-')}: {value}" for name, value in fields.items()),
        "MIME-Version: 1.0",
        "Content-Type: text/plain; charset=utf-8",
        "",
        *body.split("\n"),
        f"..This is number {number}.",
        ".",
        "",
    ]
    return "\r\n".join(lines).encode()


class Closed(Exception):
    """The connection ended before a reply."""


class Client:
    """One SMTP session that pipelines nothing but what it must."""

    def __init__(self, port: int, source: str = "127.0.0.1") -> None:
        self.port, self.source = port, source
        self.reader: asyncio.StreamReader | None = None
        self.writer: asyncio.StreamWriter | None = None

    async def __aenter__(self) -> Client:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.cut()

    async def open(self) -> None:
        """Connect and be greeted. Raises Closed."""
        try:
            self.reader, self.writer = await asyncio.open_connection(
                "127.0.0.1", self.port, limit=1 << 20, local_addr=(self.source, 0)
            )
        except OSError as error:
            raise Closed from error
        if (await self.reply())[0] != 220:
            raise Closed
        if (await self.say(b"EHLO client.example.net\r\n"))[0] != 250:
            raise Closed

    async def reply(self) -> tuple[int, str]:
        assert self.reader is not None
        text = []
        while True:
            try:
                line = await self.reader.readline()
            except _CLOSED as error:
                raise Closed from error
            if not line.endswith(b"\r\n"):
                raise Closed
            text.append(line[4:].decode().strip())
            if line[3:4] == b" ":
                return int(line[:3]), "\n".join(text)

    async def say(self, line: bytes) -> tuple[int, str]:
        await self.put(line)
        return await self.reply()

    async def put(self, octets: bytes) -> None:
        assert self.writer is not None
        try:
            self.writer.write(octets)
            await self.writer.drain()
        except _CLOSED as error:
            raise Closed from error

    async def send(
        self, recipients: Sequence[str], raw: bytes, reverse_path: str = "parent@unproven.test"
    ) -> tuple[int, str]:
        """One transaction to its last reply, opening the session first. Raises Closed."""
        if self.writer is None or self.writer.is_closing():
            await self.open()
        said = await self.say(f"MAIL FROM:<{reverse_path}>\r\n".encode())
        if said[0] != 250:
            return said
        commands = "".join(f"RCPT TO:<{one}>\r\n" for one in recipients)
        await self.put(commands.encode())
        answers = [await self.reply() for _ in recipients]
        refused = next((answer for answer in answers if answer[0] != 250), None)
        if refused is not None:
            await self.say(b"RSET\r\n")
            return refused
        said = await self.say(b"DATA\r\n")
        if said[0] != 354:
            return said
        await self.put(raw.replace(b"\r\n.", b"\r\n..") + b".\r\n")
        return await self.reply()

    def cut(self) -> None:
        if self.writer is not None:
            self.writer.transport.abort()
            self.writer = None


@dataclass
class Load:
    """Sessions that send message after message, each until its 250 or 5xx."""

    port: int
    sessions: int = 6
    name: str = "m"
    make: Callable[[str, int], tuple[Sequence[str], bytes]] = lambda number, n: (
        (TARA,),
        numbered(number),
    )
    pause: float = 0.0  # seconds between two messages of a session
    answered: dict[str, tuple[int, str]] = field(default_factory=dict)
    sent: dict[str, bytes] = field(default_factory=dict)
    codes: Counter[int] = field(default_factory=Counter)
    cuts: int = 0
    slowest: float = 0.0
    _ending: bool = False
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)
    _made: int = 0

    async def __aenter__(self) -> Load:
        self._tasks = [asyncio.create_task(self._session()) for _ in range(self.sessions)]
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.end()

    async def end(self, seconds: float = PATIENCE) -> None:
        """No new messages; those under way come to their answer."""
        self._ending = True
        _, left = await asyncio.wait(self._tasks, timeout=seconds)
        for task in left:
            task.cancel()
        assert not left, f"{len(left)} messages found no answer in {seconds} s"
        for task in self._tasks:
            task.result()

    async def _session(self) -> None:
        async with Client(self.port) as client:
            while not self._ending:
                n, self._made = self._made, self._made + 1
                number = f"{self.name}{n}"
                recipients, raw = self.make(number, n)
                self.sent[number] = raw
                self.answered[number] = await self._until_answered(client, recipients, raw)
                await asyncio.sleep(self.pause)

    async def _until_answered(
        self, client: Client, recipients: Sequence[str], raw: bytes
    ) -> tuple[int, str]:
        while True:
            began = time.monotonic()
            try:
                code, text = await client.send(recipients, raw)
            except Closed:
                self.cuts += 1
                client.cut()
                await asyncio.sleep(0.05)
                continue
            self.slowest = max(self.slowest, time.monotonic() - began)
            self.codes[code] += 1
            if code == 421:
                client.cut()
            if code == 250 or code >= 500:
                return code, text
            await asyncio.sleep(0.02)
