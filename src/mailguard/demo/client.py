"""A small SMTP client (RFC 5321), as a mail program or another district's server would speak.

Owns one session at a time, with AUTH PLAIN. Must not know policy, or what the replies should be.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

_SECONDS = 30.0  # for any reply


class ClientError(Exception):
    """The server answered what this client cannot go on from, or not at all."""


@dataclass(frozen=True, slots=True)
class ClientResult:
    """The replies to one message, each as "250 2.1.5 Ok"; lines of one reply joined by newlines."""

    recipients: Mapping[str, str]
    final: str  # to the final dot; "" when every recipient was refused before


class _Session:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def reply(self) -> str:
        """One reply, its continuation lines without their code (RFC 5321 4.2.1)."""
        texts: list[str] = []
        while True:
            async with asyncio.timeout(_SECONDS):
                line = (await self._reader.readline()).decode("utf-8", "replace").rstrip("\r\n")
            if len(line) < 3:
                raise ClientError("the server closed the connection")
            texts.append(line if not texts else line[4:])
            if line[3:4] != "-":
                return texts[0][:3] + " " + "\n".join([texts[0][4:], *texts[1:]])

    async def command(self, line: str) -> str:
        self._writer.write(f"{line}\r\n".encode())
        return await self.reply()

    async def demand(self, line: str, code: str) -> None:
        """A command that has to succeed."""
        reply = await self.command(line)
        if not reply.startswith(code):
            raise ClientError(f"{line.split(' ')[0]} was answered by {reply}")

    async def message(self, raw: bytes) -> str:
        """DATA, dots doubled (RFC 5321 4.5.2)."""
        await self.demand("DATA", "354")
        raw = raw if raw.endswith(b"\r\n") else raw + b"\r\n"
        stuffed = raw.replace(b"\r\n.", b"\r\n..")
        self._writer.write((b"." if raw.startswith(b".") else b"") + stuffed + b".\r\n")
        return await self.reply()


async def greeted(host: str, port: int) -> bool:
    """Whether a server greets here: for mailguard that means it is ready."""
    try:
        reader, writer = await asyncio.open_connection(host, port)
    except OSError:
        return False
    try:
        return (await _Session(reader, writer).reply()).startswith("220")
    except (ClientError, OSError):
        return False
    finally:
        writer.close()


async def send(
    host: str,
    port: int,
    reverse_path: str,
    recipients: Sequence[str],
    raw: bytes,
    *,
    helo: str,
    login: tuple[str, str] | None = None,
) -> ClientResult:
    """Send one message in a session of its own. `login`: account and password.

    Raises ClientError, or OSError when there is no connection.
    """
    reader, writer = await asyncio.open_connection(host, port)
    try:
        session = _Session(reader, writer)
        greeting = await session.reply()
        if not greeting.startswith("220"):
            raise ClientError(f"the greeting was {greeting}")
        await session.demand(f"EHLO {helo}", "250")
        if login is not None:
            plain = base64.b64encode("\0".join(("", *login)).encode()).decode()  # RFC 4616
            await session.demand(f"AUTH PLAIN {plain}", "235")
        await session.demand(f"MAIL FROM:<{reverse_path}>", "250")
        answers = {r: await session.command(f"RCPT TO:<{r}>") for r in recipients}
        taken = any(answer.startswith("250") for answer in answers.values())
        final = await session.message(raw) if taken else ""
        await session.command("QUIT")
        return ClientResult(answers, final)
    except TimeoutError as error:
        raise ClientError(f"no reply within {_SECONDS:.0f} seconds") from error
    finally:
        writer.close()
