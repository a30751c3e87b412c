"""One connection to the next hop: carries dialogues over a socket, TLS included.

Owns the transport, the time-outs and the knowledge whether a final dot has left this machine.
Must not know the pool, retries or recipients; what is said is `dialogue`'s.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from typing import cast

from mailguard.adapters.next_hop.dialogue import Content, Dialogue, HeardReplies, Peer, ask, greet
from mailguard.adapters.next_hop.reply import MalformedReply, ReplyReader
from mailguard.config.settings.schema import NextHopSettings
from mailguard.core.mail.reply import Reply

CHUNK = 262_144  # octets of content handed to the transport at once


class Trouble(Exception):
    """The next hop could not be reached or stopped making sense.

    `kind` is the metric's label. `dot_left`: the final dot may have arrived, so nothing may be
    sent again. `unknown`: and its reply was not seen, so the message may have been taken; when the
    client tries again there may be a duplicate.
    """

    def __init__(self, kind: str, reply: Reply, dot_left: bool = False) -> None:
        super().__init__(f"{kind}: {reply}")
        self.kind = kind
        self.reply = reply
        self.dot_left = dot_left

    @property
    def unknown(self) -> bool:
        return self.dot_left and self.kind != "refused"  # 421 is a reply


_TROUBLES = {
    "closed": "4.4.2 the mail server behind us closed the connection",
    "timeout": "4.4.2 the mail server behind us did not answer in time",
    "garbage": "4.4.2 the mail server behind us gave no SMTP reply",
    "connect": "4.4.1 the mail server behind us cannot be reached",
    "refused": "4.4.1 the mail server behind us takes no mail now",
    "tls": "4.4.1 no trusted connection to the mail server behind us",
    "busy": "4.4.5 too many messages for the mail server behind us at once",
}


def trouble(kind: str, dot_left: bool = False) -> Trouble:
    """A Trouble with its 451 reply; it names no host and repeats nothing."""
    text = _TROUBLES[kind]
    if dot_left and kind != "refused":
        text = f"{text}; whether it took the message is unknown"
    return Trouble(kind, Reply(451, text), dot_left)


class NextHopConnection(asyncio.Protocol):
    """An SMTP connection on which one dialogue at a time is carried out."""

    def __init__(
        self,
        settings: NextHopSettings,
        on_lost: Callable[[NextHopConnection], None],
        first: Dialogue,
    ) -> None:
        self.peer = Peer()
        self.encrypted = False
        self.reused = False  # kept from an earlier use: it may be dead without our knowing
        self.forwarded = False  # XFORWARD was said on it
        self.usable = True
        self._settings = settings
        self._on_lost = on_lost
        self._first = first  # begun as soon as it is connected
        self._greeting: asyncio.Future[None] | None = None
        self._loop = asyncio.get_running_loop()
        self._reader = ReplyReader()
        self._transport: asyncio.Transport | None = None
        self._dialogue: Dialogue | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._content: memoryview | None = None  # what of the content is still to be written
        self._dot = False  # content is on its way, its reply not seen
        self._paused = False
        self._buffered = 0  # octets in the transport's buffer when last looked at
        self._deadline = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0
        self.lost = self._loop.create_future()

    # What the pool calls

    async def carry_out(self, dialogue: Dialogue) -> None:
        """Run a dialogue to its end. Raises Trouble; the connection is of no use then."""
        if not self.usable:
            raise trouble("closed")
        await self._end(self._begin(dialogue))

    async def greeted(self) -> None:
        """Wait for the end of the first dialogue. Raises Trouble."""
        if self._greeting is not None:
            await self._end(self._greeting)

    def rest(self) -> None:
        """Nothing to do until the next dialogue; after `settings.idle` seconds it closes itself."""
        self.reused = True
        self._arm(self._settings.idle)

    def quit(self) -> None:
        """Say QUIT and close without waiting for the answer."""
        self.usable = False
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(b"QUIT\r\n")
            self._transport.close()

    def abort(self) -> None:
        """Close at once."""
        self.usable = False
        if self._transport is not None:
            self._transport.abort()

    async def start_tls(self, context: ssl.SSLContext, name: str) -> None:
        """The handshake after a 220 to STARTTLS (RFC 3207); raises OSError or ssl.SSLError."""
        if not self.usable or self._transport is None:  # text behind the 220 was sent in the clear
            raise trouble("garbage")
        transport = await self._loop.start_tls(self._transport, self, context, server_hostname=name)
        if transport is None:
            raise ConnectionResetError
        self._attach(transport)
        self.encrypted = True

    # What asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._attach(cast(asyncio.Transport, transport))  # uvloop's only act like one
        # Not left to whoever opens it: the greeting may be here before that one runs again.
        self._greeting = self._begin(self._first)
        self._greeting.add_done_callback(_retrieved)  # nobody may be waiting

    def _attach(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        # Paused means: something is still in our buffer. So a final dot that is not "paused" has
        # been handed to the kernel, and one that is certainly did not arrive whole.
        # (Not 0: asyncio's TLS transport would pause at an empty buffer.)
        transport.set_write_buffer_limits(high=1)

    def data_received(self, data: bytes) -> None:
        if self._dialogue is None:  # a 421 before it closes, or nonsense
            self.abort()
            return
        try:
            replies = self._reader.feed(data)
        except MalformedReply:
            self._fail("garbage")
            return
        last = len(replies) - 1
        for index, reply in enumerate(replies):
            if reply.code == 421:  # RFC 5321 3.8: it closes; nothing more is answered
                self._fail("refused")
                return
            if self._dot:
                if self._content is not None or self._paused:  # answered before the final dot
                    if reply.positive:
                        self._fail("garbage")
                        return
                    self.usable = False
                self._content, self._dot = None, False
            try:
                output = self._dialogue.send(reply)
            except StopIteration:
                if index != last or self._reader.pending:  # more than was asked for
                    self.usable = False
                self._finish(None)
                return
            self._write(output)

    def pause_writing(self) -> None:
        self._paused = True
        self._buffered = self._transport.get_write_buffer_size() if self._transport else 0

    def resume_writing(self) -> None:
        self._paused = False
        if self._dot:
            self._pump()

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail("closed")
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._transport = None
        if not self.lost.done():
            self.lost.set_result(None)
        self._on_lost(self)

    # The rest

    def _begin(self, dialogue: Dialogue) -> asyncio.Future[None]:
        waiter = self._loop.create_future()
        try:
            output = next(dialogue)
        except StopIteration:  # it had nothing to say
            waiter.set_result(None)
            return waiter
        self._waiter = waiter
        self._dialogue = dialogue
        self._write(output)
        return waiter

    async def _end(self, waiter: asyncio.Future[None]) -> None:
        try:
            await waiter
        except asyncio.CancelledError:
            self.abort()
            raise

    def _write(self, output: bytes | Content) -> None:
        if type(output) is Content:
            self._content, self._dot = memoryview(output.octets), True
            self._pump()
        elif output:
            assert self._transport is not None and isinstance(output, bytes)
            self._transport.write(output)
        if not self._dot:
            self._arm(self._settings.command)

    def _pump(self) -> None:
        """Write content while the kernel takes it; time runs anew with every chunk it took."""
        self._arm(self._settings.data)
        while self._content is not None and not self._paused and self._transport is not None:
            chunk, rest = self._content[:CHUNK], self._content[CHUNK:]
            self._content = rest if len(rest) else None
            self._transport.write(chunk)

    def _arm(self, seconds: float) -> None:
        """One lazy timer for the whole life: it looks at the deadline when it fires."""
        self._deadline = self._loop.time() + seconds
        if self._timer is None or self._timer_at > self._deadline:
            if self._timer is not None:
                self._timer.cancel()
            self._timer_at = self._deadline
            self._timer = self._loop.call_at(self._timer_at, self._tick)

    def _tick(self) -> None:
        self._timer = None
        if self._loop.time() < self._deadline:
            self._timer_at = self._deadline
            self._timer = self._loop.call_at(self._timer_at, self._tick)
            return
        if self._dialogue is None:
            self.quit()
            return
        if self._dot and self._paused and self._transport is not None:
            left = self._transport.get_write_buffer_size()
            if left < self._buffered:  # slow, yet it moves
                self._buffered = left
                self._arm(self._settings.data)
                return
        self._fail("timeout")

    def _fail(self, kind: str) -> None:
        self.usable = False
        if self._waiter is not None and not self._waiter.done():
            dot_left = self._dot and self._content is None and not self._paused
            self._finish(trouble(kind, dot_left))
        if self._transport is not None:
            self._transport.abort()

    def _finish(self, failure: Trouble | None) -> None:
        self._dialogue, self._content, self._dot = None, None, False
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            if failure is None:
                waiter.set_result(None)
            else:
                waiter.set_exception(failure)
        if not self.usable and self._transport is not None:
            self._transport.abort()


class Opener:
    """Opens connections as the settings say, greeted and encrypted."""

    def __init__(self, settings: NextHopSettings, helo: str) -> None:
        self._settings = settings
        self._helo = helo
        self._name = settings.tls_name or settings.address.host
        self._verified = _verifying(settings) if settings.tls == "verified" else None

    async def open(
        self, on_lost: Callable[[NextHopConnection], None] = lambda _: None, tls: str = ""
    ) -> NextHopConnection:
        """A connection ready for mail. `tls` instead of the settings'. Raises Trouble."""
        tls = tls or self._settings.tls
        try:
            async with asyncio.timeout(self._settings.connect):
                try:
                    return await self._open(tls, on_lost)
                except _HandshakeError:
                    if tls != "opportunistic":
                        raise
                    return await self._open("off", on_lost)  # in the clear rather than not at all
        except _HandshakeError:
            raise trouble("tls") from None
        except OSError:  # TimeoutError and the resolver's errors are OSErrors
            raise trouble("connect") from None

    async def _open(
        self, tls: str, on_lost: Callable[[NextHopConnection], None]
    ) -> NextHopConnection:
        address = self._settings.address
        answers = HeardReplies()
        _, connection = await asyncio.get_running_loop().create_connection(
            lambda: NextHopConnection(self._settings, on_lost, greet(answers, self._helo)),
            address.host,
            address.port,
        )
        try:
            await connection.greeted()
            connection.peer = _offers(answers)
            if tls != "off":
                await self._encrypt(connection, tls)
        except BaseException:
            connection.abort()
            raise
        return connection

    async def _encrypt(self, connection: NextHopConnection, tls: str) -> None:
        if connection.peer.starttls:
            answers = HeardReplies()
            await connection.carry_out(ask(answers, b"STARTTLS"))
            if answers.last.code == 220:
                try:
                    await connection.start_tls(self._context(), self._name)
                except OSError as error:
                    raise _HandshakeError(str(error)) from error
                again = HeardReplies()
                await connection.carry_out(greet(again, self._helo, greeted=True))
                connection.peer = _offers(again)  # RFC 3207 4.2: forget what was said before
                return
        if tls != "opportunistic":
            raise trouble("tls")

    def _context(self) -> ssl.SSLContext:
        if self._verified is not None:
            return self._verified
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context


def _offers(answers: HeardReplies) -> Peer:
    if answers.peer is None:
        raise trouble("refused")
    return answers.peer


def _retrieved(waiter: asyncio.Future[None]) -> None:
    if not waiter.cancelled():
        waiter.exception()


def _verifying(settings: NextHopSettings) -> ssl.SSLContext:
    """Made at start-up, so that a missing CA file is heard of then. Raises OSError."""
    return ssl.create_default_context(cafile=settings.tls_ca)


class _HandshakeError(ConnectionError):
    """STARTTLS was taken but the handshake failed."""
