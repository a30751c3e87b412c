"""What the client sent, as the two things SMTP knows: a command line, or a message's data.

Owns the input buffer of a connection. A command line ends at CRLF and nowhere else; what a bare
CR, LF or NUL inside it means is the session's business. Memory stays bounded: an over-long line
is dropped as it comes, and the transport is told to pause while commands pile up.
Must not know commands, replies or time.
"""

from __future__ import annotations

import asyncio
from typing import cast

from mailguard.frontends.smtp.message_data import MessageData
from mailguard.frontends.smtp.trust import ProxyHeader, read_proxy_header

_PAUSE_ABOVE = 65_536  # octets of commands waiting


class LineTooLong(Exception):
    """A command line over the limit came to its end; all of it was dropped."""


class CommandReader(asyncio.StreamReader):
    """A StreamReader as far as transports care; read by lines and messages instead of octets."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop=loop)
        self._event_loop = loop
        self._octets = bytearray()
        self._scanned = 0  # octets known to hold no CRLF
        self._dropped = False  # the beginning of this line was over-long
        self._wake: asyncio.Future[None] | None = None
        self._ended = False
        self._stopped = False
        self._channel: asyncio.Transport | None = None
        self._sink: MessageData | None = None

    def set_transport(self, transport: asyncio.BaseTransport) -> None:
        """Also called again when TLS replaces the transport."""
        self._channel = cast(asyncio.Transport, transport)

    def feed_data(self, data: bytes) -> None:  # type: ignore[override]  # bytes are all we get
        """Called by the protocol with what arrived."""
        if self._sink is not None:
            self._feed_sink(data)
            return
        self._octets += data
        if len(self._octets) > _PAUSE_ABOVE and not self._stopped and self._channel is not None:
            self._stopped = True
            self._channel.pause_reading()
        self._notify()

    def feed_eof(self) -> None:
        """Called when nothing will come any more; also by us, to end a session."""
        self._ended = True
        self._notify()

    def set_exception(self, exc: Exception) -> None:
        """A broken connection is an end like any other."""
        self.feed_eof()

    def at_eof(self) -> bool:
        return self._ended

    def take(self) -> bytes:
        """Everything that is buffered, which is then forgotten: what a STARTTLS drops."""
        octets = bytes(self._octets)
        self._octets.clear()
        self._scanned = 0
        self._dropped = False
        self._resume()
        return octets

    @property
    def line_waiting(self) -> bool:
        """Whether a whole line is here, so that replies may be kept for it (RFC 2920 3.2)."""
        return self._octets.find(b"\r\n", self._scanned) >= 0

    @property
    def receiving(self) -> MessageData | None:
        """The message under way."""
        return self._sink

    async def line(self, limit: int) -> bytes | None:
        """The next line without its CRLF; None at the end of input.

        Raises LineTooLong at the CRLF of a line over `limit` octets."""
        while True:
            end = self._octets.find(b"\r\n", self._scanned)
            if end >= 0:
                too_long = self._dropped or end + 2 > limit
                line = b"" if too_long else bytes(self._octets[:end])
                del self._octets[: end + 2]
                self._scanned = 0
                self._dropped = False
                self._resume()
                if too_long:
                    raise LineTooLong
                return line
            if len(self._octets) > limit:
                self._dropped = True
                del self._octets[:-1]  # the last one may be the CR of its end
                self._resume()
            self._scanned = max(0, len(self._octets) - 1)
            if not await self._more():
                return None

    async def message(self, sink: MessageData) -> bool:
        """Collect a message into `sink`. False when the input ends before the message does."""
        self._sink = sink
        self._feed_sink(self.take())
        while not sink.complete:
            if not await self._more():
                self._sink = None
                return False
        return True

    async def proxy_header(self) -> ProxyHeader | None:
        """The PROXY header that opens a connection; None at the end of input.

        Raises ProxyError when there is none, or a malformed one."""
        while True:
            found = read_proxy_header(bytes(self._octets[:4096]))
            if found is not None:
                header, length = found
                del self._octets[:length]
                return header
            if not await self._more():
                return None

    def _feed_sink(self, data: bytes) -> None:
        sink = self._sink
        if sink is None:
            return
        rest = sink.feed(data)
        if rest is not None:
            self._sink = None
            if rest:
                self.feed_data(rest)
            self._notify()

    async def _more(self) -> bool:
        if self._ended:
            return False
        self._wake = self._event_loop.create_future()
        try:
            await self._wake
        finally:
            self._wake = None
        return True

    def _notify(self) -> None:
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)

    def _resume(self) -> None:
        if self._stopped and len(self._octets) <= _PAUSE_ABOVE and self._channel is not None:
            self._stopped = False
            self._channel.resume_reading()
