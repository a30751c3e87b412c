"""The district's mail server, as small as it can be: for the demo and the tests.

Owns a list of mailboxes and one Maildir a recipient. Unknown mailboxes of its domains are refused,
mail for other domains is taken as if it went on to the Internet.
Must not know mailguard: it is an ordinary next hop.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import time
from collections.abc import Iterable
from pathlib import Path

from aiosmtpd.smtp import SMTP, Envelope, Session

_numbers = itertools.count()


class _Server(SMTP):
    line_length_limit = 1_048_576  # real mail has lines over 1,001 octets


class NextHopServer:
    """An SMTP server on loopback that delivers into `directory/<address>/new/`."""

    def __init__(
        self,
        directory: Path,
        mailboxes: Iterable[str],
        host: str = "127.0.0.1",
        port: int = 0,
        size_limit: int = 104_857_600,
    ) -> None:
        self._directory = directory
        self._mailboxes = {mailbox.lower() for mailbox in mailboxes}
        self._domains = {mailbox.rpartition("@")[2] for mailbox in self._mailboxes}
        self._host = host
        self._port = port
        self._size_limit = size_limit
        self._server: asyncio.Server | None = None
        self._sessions: set[_Server] = set()

    async def start(self) -> tuple[str, int]:
        """Listen; the host and the port. Raises OSError."""
        self._server = await asyncio.get_running_loop().create_server(
            self._session, self._host, self._port
        )
        self._port = self._server.sockets[0].getsockname()[1]
        return self._host, self._port

    async def stop(self) -> None:
        """Stop listening and cut the sessions that are left."""
        if self._server is not None:
            self._server.close()
            for session in self._sessions:
                if session.transport is not None:
                    session.transport.close()
            self._sessions.clear()
            await self._server.wait_closed()

    def delivered(self, mailbox: str) -> list[bytes]:
        """The messages in a mailbox, oldest first, each behind Return-Path and Delivered-To."""
        new = self._maildir(mailbox) / "new"
        return [f.read_bytes() for f in sorted(new.iterdir())] if new.is_dir() else []

    def _session(self) -> _Server:
        self._sessions = {s for s in self._sessions if s.transport is not None}
        session = _Server(
            self,
            data_size_limit=self._size_limit,
            enable_SMTPUTF8=True,
            hostname="mail.example.org",
            ident="Example next hop",
        )
        self._sessions.add(session)
        return session

    async def handle_EHLO(
        self,
        server: SMTP,
        session: Session,
        envelope: Envelope,
        hostname: str,
        responses: list[str],
    ) -> list[str]:
        session.host_name = hostname
        return [*responses[:-1], "250-PIPELINING", responses[-1]]

    async def handle_RCPT(
        self,
        server: SMTP,
        session: Session,
        envelope: Envelope,
        address: str,
        rcpt_options: list[str],
    ) -> str:
        mailbox = address.lower()
        if mailbox.rpartition("@")[2] in self._domains and mailbox not in self._mailboxes:
            return f"550 5.1.1 <{address}>: no such mailbox here"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 Ok"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        content = envelope.content
        assert isinstance(content, bytes)
        try:
            for recipient in envelope.rcpt_tos:
                await asyncio.to_thread(self._deliver, recipient, envelope.mail_from or "", content)
        except OSError:
            return "451 4.3.0 cannot deliver now"
        return "250 2.0.0 Ok: delivered"

    def _maildir(self, mailbox: str) -> Path:
        return self._directory / mailbox.lower().replace("/", "_").lstrip(".")

    def _deliver(self, recipient: str, reverse_path: str, content: bytes) -> None:
        """Durable when it returns: written and synced in tmp/, renamed into new/, that synced."""
        maildir = self._maildir(recipient)
        for name in ("tmp", "new", "cur"):
            (maildir / name).mkdir(parents=True, exist_ok=True)
        name = f"{time.time_ns()}.{os.getpid()}_{next(_numbers)}.demo"
        trace = f"Return-Path: <{reverse_path}>\r\nDelivered-To: {recipient}\r\n".encode()
        with (maildir / "tmp" / name).open("xb") as file:
            file.write(trace + content)
            file.flush()
            os.fsync(file.fileno())
        (maildir / "tmp" / name).rename(maildir / "new" / name)
        directory = os.open(maildir / "new", os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
