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
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

_numbers = itertools.count()
_SIZE = 104_857_600  # octets of a message


class _Server(SMTP):
    line_length_limit = 1_048_576  # real mail has lines over 1,001 octets


class LoopbackController(Controller):
    """aiosmtpd's own server in a thread, for any handler. Port 0 becomes a port once it started;
    when it stops, no session and no warning is left behind."""

    def __init__(self, handler: object, host: str = "127.0.0.1", port: int = 0) -> None:
        super().__init__(
            handler,
            host,
            port,
            data_size_limit=_SIZE,
            server_hostname="mail.example.org",
            ident="Example next hop",
        )

    def factory(self) -> SMTP:
        return _Server(self.handler, **self.SMTP_kwargs)

    async def _create_server(self) -> Any:  # awaited in the thread
        server: Any = await super()._create_server()
        self.port = server.sockets[0].getsockname()[1]
        return server

    def stop(self, no_assert: bool = False) -> None:
        asyncio.run_coroutine_threadsafe(self._hang_up(), self.loop).result()
        super().stop(no_assert)

    async def _hang_up(self) -> None:
        assert self.server is not None
        self.server.close()
        sessions = asyncio.all_tasks() - {asyncio.current_task()}
        for session in sessions:
            session.cancel()
        await asyncio.gather(*sessions, return_exceptions=True)
        await asyncio.sleep(0)  # their transports close now


class NextHopServer:
    """An SMTP server on loopback that delivers into `directory/<address>/new/`.

    It is the handler of its aiosmtpd controller, whose thread may wait for the disk."""

    def __init__(
        self, directory: Path, mailboxes: Iterable[str], host: str = "127.0.0.1", port: int = 0
    ) -> None:
        self._directory = directory
        self._mailboxes = {mailbox.lower() for mailbox in mailboxes}
        self._domains = {mailbox.rpartition("@")[2] for mailbox in self._mailboxes}
        self._host = host
        self._port = port
        self._controller: LoopbackController | None = None

    async def start(self) -> tuple[str, int]:
        """Listen; the host and the port. Raises OSError."""
        controller = LoopbackController(self, self._host, self._port)
        await asyncio.to_thread(controller.start)
        self._controller = controller
        self._port = controller.port
        return self._host, self._port

    async def stop(self) -> None:
        """Stop listening and cut the sessions that are left."""
        if self._controller is not None:
            await asyncio.to_thread(self._controller.stop)
            self._controller = None

    def delivered(self, mailbox: str) -> list[bytes]:
        """The messages in a mailbox, oldest first, each behind Return-Path and Delivered-To."""
        new = self._maildir(mailbox) / "new"
        return [f.read_bytes() for f in sorted(new.iterdir())] if new.is_dir() else []

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
                self._deliver(recipient, envelope.mail_from or "", content)
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
