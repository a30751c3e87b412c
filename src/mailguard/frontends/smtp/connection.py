"""One client's connection: who it is, its time-outs, TLS, replies, and the loop over commands.

Owns everything between the socket and a command line, as a subclass of aiosmtpd's SMTP that
replaces what is unsafe or slow there: lines end at CRLF only, an exception is 451 and never shown,
a disconnect cancels nothing, replies to pipelined commands go out in one write, no introspection
at every connection. Must not know what a command does (`session`), policy or storage.
"""

from __future__ import annotations

import asyncio
import hashlib
import math
import re
from typing import cast

import structlog
from aiosmtpd.smtp import SMTP

from mailguard import metrics
from mailguard.core.mail.reply import Reply
from mailguard.core.mail.transaction import Role
from mailguard.frontends.smtp.reader import CommandReader, LineTooLong
from mailguard.frontends.smtp.reply_lines import reply_octets
from mailguard.frontends.smtp.service import Service
from mailguard.frontends.smtp.trust import ProxyError, plain_address

log = structlog.get_logger("mailguard.smtp")

_LINGER = 10.0  # seconds for a client to take our last words
_UNSENT = 16_384  # octets of replies kept together at most
_CONTROLS = re.compile(rb"[\r\n\0]")


class HangUp(Exception):
    """Ends the session; `reply`, if any, is the last one."""

    def __init__(self, reply: Reply | None = None) -> None:
        super().__init__(str(reply))
        self.reply = reply


class SmtpConnection(SMTP):
    """The lifecycle of a session; `session.SmtpSession` adds the commands."""

    def __init__(self, service: Service, loop: asyncio.AbstractEventLoop) -> None:
        # Not SMTP.__init__: it inspects every attribute and builds dictionaries at each
        # connection. What its inherited methods read is set here (docs/adr/0008).
        reader = CommandReader(loop)
        asyncio.StreamReaderProtocol.__init__(self, reader, None, loop)
        self.loop = loop
        self.service = service
        self.session = None
        self.transport = None
        self._original_transport = None
        self._handler_coroutine = None
        self._timeout_handle = None
        self._timeout_duration = service.limits.idle
        self._deadline = math.inf
        self._input = reader
        self._unsent = bytearray()
        self._unblocked: asyncio.Future[None] | None = None
        self._closing = False
        self._lost = False
        self._admitted = False
        self._unsent_since = 0.0
        self._idle = False  # waits for a command
        self._counted = ""  # the address counted among the clients
        self._errors = 0
        self._secure: str | None = None  # "TLSv1.3"
        self._certificate: str | None = None  # SHA-256 of the client's, verified by tls_client_ca
        self.peer = ""  # the other end of the connection, or what PROXY made of it
        self.client_address = ""

    # -- the transport's calls ----------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.service.sessions.add(self)
        metrics.CONNECTIONS.labels(self.service.listener.name).inc()
        peername = transport.get_extra_info("peername")
        self.peer = plain_address(str(peername[0])) if peername else ""
        self._admitted = self.service.clients.enter()
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        # Not SMTP.connection_lost: it cancels the session, even in the middle of forwarding.
        if self._lost:
            return
        self._lost = self._closing = True
        if self._timeout_handle is not None:
            self._timeout_handle.cancel()
            self._timeout_handle = None
        asyncio.StreamReaderProtocol.connection_lost(self, error)
        self._input.feed_eof()
        self.resume_writing()
        self.service.sessions.discard(self)
        self.service.clients.leave()
        if self._counted:
            self.service.clients.leave_client(self._counted)
        metrics.CONNECTIONS.labels(self.service.listener.name).dec()
        self.transport = None

    def data_received(self, data: bytes) -> None:
        self._input.feed_data(data)
        sink = self._input.receiving
        if sink is not None:
            self._data_arrived(len(data))

    def _data_arrived(self, octets: int) -> None:
        """Message data came: the session's idle time begins anew."""

    def eof_received(self) -> bool:
        # A client may close its side after the final dot and still listen (half-close).
        self._input.feed_eof()
        return self._secure is None

    def pause_writing(self) -> None:
        if self._unblocked is None:
            self._unblocked = self.loop.create_future()

    def resume_writing(self) -> None:
        if self._unblocked is not None:
            if not self._unblocked.done():
                self._unblocked.set_result(None)
            self._unblocked = None

    # -- time -----------------------------------------------------------------------------------

    def _reset_timeout(self, duration: float | None = None) -> None:
        """Set the deadline. One timer a connection, re-armed when it fires, not at each call."""
        self._deadline = self.loop.time() + (duration or self._timeout_duration)
        handle = self._timeout_handle
        if handle is None or handle.when() > self._deadline:
            if handle is not None:
                handle.cancel()
            self._timeout_handle = self.loop.call_at(self._deadline, self._timeout_cb)

    def _suspend_timeout(self) -> None:
        """While we work and the client waits for us."""
        self._deadline = math.inf

    def _timeout_cb(self) -> None:
        self._timeout_handle = None
        if self.transport is None:
            return
        if self._deadline > self.loop.time():
            if self._deadline < math.inf:
                self._timeout_handle = self.loop.call_at(self._deadline, self._timeout_cb)
            return
        if self._closing or self._unblocked is not None:
            self.cut()
            return
        log.info("session timed out", **self._who())
        self.hang_up(Reply(421, f"4.4.2 {self.service.hostname} timed out waiting for you"))

    @property
    def _wire(self) -> asyncio.Transport | None:
        return cast("asyncio.Transport | None", self.transport)

    # -- replies --------------------------------------------------------------------------------

    def say(self, reply: Reply, *, utf8: bool = False) -> None:
        """Queue a reply; `flush` sends it."""
        if not self._unsent:
            self._unsent_since = self.loop.time()
        self._unsent += reply_octets(reply, utf8=utf8)

    async def flush(self) -> None:
        """Send what is queued, and wait while the client does not take it."""
        self._write()
        while self._unblocked is not None:
            await self._unblocked

    def _write(self) -> None:
        wire = self._wire
        if self._unsent and wire is not None:
            if not wire.is_closing():
                wire.write(bytes(self._unsent))
            self._unsent.clear()

    def refuse(self, code: int, text: str) -> None:
        """Answer a protocol error, which counts against the session."""
        self.say(Reply(code, text))
        metrics.PROTOCOL_ERRORS.labels(self.service.listener.name, str(code)).inc()
        self._errors += 1
        if self._errors >= self.service.limits.errors:
            raise HangUp(Reply(421, "4.7.0 Too many errors"))

    def hang_up(self, reply: Reply | None = None) -> None:
        """Close, after the last words; the session's task sees the end of its input."""
        wire = self._wire
        if self._closing or wire is None:
            return
        if reply is not None:
            self.say(reply)
        self._write()
        self._closing = True
        wire.close()
        self._input.feed_eof()
        self._reset_timeout(_LINGER)

    def cut(self) -> None:
        """Close without another word."""
        if self._wire is not None:
            self._closing = True
            self._wire.abort()

    def retire(self, *, now: bool = False) -> None:
        """The server goes down: end now, or after the transaction under way."""
        if now or (self._idle and not self._in_transaction()):
            self.hang_up(self._going_down())

    def _going_down(self) -> Reply:
        return Reply(421, f"4.3.2 {self.service.hostname} is going down, try again later")

    @property
    def task(self) -> asyncio.Task[None] | None:
        """The one that runs the session."""
        return self._handler_coroutine

    @property
    def closing(self) -> bool:
        """Whether the last word was said."""
        return self._closing

    def _in_transaction(self) -> bool:
        return False

    def _set_rset_state(self) -> None:
        """End the transaction, keep the greeting; also called by aiosmtpd at the connection."""

    # -- the session ----------------------------------------------------------------------------

    async def _handle_client(self) -> None:
        """From the greeting to the end. Never raises, save when cancelled."""
        try:
            self._admit()
            await self._prologue()
            self._greet()
            while not self._closing:
                if self.service.retiring and not self._in_transaction():
                    raise HangUp(self._going_down())
                line = await self._next_line()
                if line is None:
                    break
                await self._obey(line)
            await self.flush()
        except HangUp as end:
            self.hang_up(end.reply)
        except Exception:  # noqa: BLE001 - the last net of a session
            self._report_trouble()
            self.hang_up(Reply(421, "4.3.0 Trouble on our side, try again later"))
        finally:
            self.hang_up()

    def _admit(self) -> None:
        if not self._admitted:
            self._turn_away("connections", Reply(421, "4.7.0 Too many connections"))
        if self.service.retiring:
            self._turn_away("retiring", self._going_down())
        if not self.peer:
            raise HangUp  # gone before it was accepted

    def _turn_away(self, reason: str, reply: Reply | None) -> None:
        metrics.REFUSED_CONNECTIONS.labels(self.service.listener.name, reason).inc()
        log.info("connection refused", reason=reason, **self._who())
        raise HangUp(reply)

    async def _prologue(self) -> None:
        """Everything before the greeting: PROXY, the limits and trust of an address, TLS."""
        service = self.service
        if service.settings.proxy_protocol and self.peer in service.peers:
            self._reset_timeout(service.limits.starttls)
            try:
                header = await self._input.proxy_header()
            except ProxyError as error:
                log.info("bad PROXY header", detail=str(error), **self._who())
                self._turn_away("proxy", None)
            else:
                if header is None:
                    raise HangUp
                self.peer = header.client_address or self.peer
        self.client_address = self.peer
        if self._closing:
            raise HangUp
        if not service.clients.enter_client(self.peer):
            self._turn_away("client", Reply(421, "4.7.0 Too many connections from your address"))
        self._counted = self.peer
        # Also of a client behind PROXY: the balancer being trusted says nothing of its clients.
        if service.listener.role is Role.RELAY and self.peer not in service.peers:
            self._turn_away("untrusted", Reply(554, "5.7.1 Your address may not relay here"))
        if service.settings.implicit_tls:
            await self._start_tls()

    def _greet(self) -> None:
        self.say(Reply(220, f"{self.service.hostname} ESMTP mailguard"))

    async def _start_tls(self) -> None:
        """Shake hands. Plain text that came before it is dropped first (RFC 3207 section 5)."""
        wire, context = self._wire, self.service.tls
        if wire is None or context is None:
            raise HangUp
        self._suspend_timeout()
        # Under implicit TLS what came early, behind a PROXY header, is the handshake's beginning.
        # From here until start_tls owns the transport, nothing can arrive.
        early = self._input.take()
        if early and self.service.settings.implicit_tls:
            # Two turns of the loop: in the first, start_tls sets its layer up.
            self.loop.call_soon(self.loop.call_soon, _feed, wire, early)
        try:
            secured = await self.loop.start_tls(
                wire,
                self,
                context,
                server_side=True,
                ssl_handshake_timeout=self.service.limits.starttls,
            )
        except OSError as error:  # ssl.SSLError and time-outs are OSErrors
            log.info("TLS handshake failed", detail=ascii(str(error)), **self._who())
            wire.abort()
            self.connection_lost(error)  # asyncio does not call it after a failed handshake
            raise HangUp from None
        if secured is None or self._closing:
            raise HangUp
        self.transport = secured
        self._over_ssl = True
        self._input.set_transport(secured)
        layer = secured.get_extra_info("ssl_object")
        self._secure = layer.version()
        if self.service.settings.tls_client_ca is not None:
            shown = layer.getpeercert(binary_form=True)
            self._certificate = hashlib.sha256(shown).hexdigest() if shown else None
        self._reset_timeout()

    async def _next_line(self) -> bytes | None:
        self._reset_timeout()  # which also ends a client that does not read
        if not self._input.line_waiting or len(self._unsent) > _UNSENT:
            await self.flush()
        self._idle = True
        try:
            return await self._input.line(self.service.limits.command_length)
        except LineTooLong:
            return b"\n"  # refused like any line that is not one
        finally:
            self._idle = False

    async def _obey(self, line: bytes) -> None:
        """One command; whatever goes wrong inside it is 451 and a fresh transaction."""
        try:
            if _CONTROLS.search(line):
                self.refuse(
                    500, "5.5.2 A command is one line that ends in CRLF, of no great length"
                )
                return
            await self._command(line)
        except HangUp:
            raise
        except Exception:  # noqa: BLE001 - our own trouble is 451, whatever it is
            self._report_trouble()
            self._set_rset_state()
            if self._input.receiving is not None:
                raise HangUp(Reply(421, "4.3.0 Trouble on our side, try again later")) from None
            self.say(Reply(451, "4.3.0 Trouble on our side, try again later"))

    async def _command(self, line: bytes) -> None:
        raise NotImplementedError

    def _report_trouble(self) -> None:
        metrics.INTERNAL_ERRORS.labels("smtp").inc()
        log.exception("internal error", **self._who())

    def _who(self) -> dict[str, str]:
        return {"listener": self.service.listener.name, "client": self.client_address or self.peer}


def _feed(wire: asyncio.Transport, octets: bytes) -> None:
    """Hand octets to the TLS layer that now stands behind a transport."""
    layer = cast(asyncio.BufferedProtocol, wire.get_protocol())
    while octets:
        room = memoryview(layer.get_buffer(len(octets)))
        taken = min(len(room), len(octets))
        room[:taken] = octets[:taken]
        layer.buffer_updated(taken)
        octets = octets[taken:]
