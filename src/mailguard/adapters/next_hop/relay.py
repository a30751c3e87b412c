"""The next hop as the pipeline's port: relays, verifies, proves logins, over kept connections.

Owns the pool, the one retry, and what is remembered of recipients. Trouble is a 451 reply for
those concerned, never an exception.
Must not know the protocol's words (`dialogue`) or sockets (`connection`).
"""

from __future__ import annotations

import asyncio
import socket
from collections import deque
from collections.abc import Callable, Mapping, Sequence

import structlog

from mailguard.adapters.next_hop.connection import NextHopConnection, Opener, Trouble, trouble
from mailguard.adapters.next_hop.dialogue import (
    Dialogue,
    HeardReplies,
    Mail,
    Unsendable,
    ask,
    ask_recipient,
    deliver,
    is_sendable,
    log_in,
    xforward,
)
from mailguard.adapters.next_hop.reply import told
from mailguard.config.settings.schema import NextHopSettings
from mailguard.core.mail.reply import Reply
from mailguard.core.mail.transaction import Envelope
from mailguard.metrics import INTERNAL_ERRORS, NEXT_HOP_ERRORS, NEXT_HOP_REPLIES
from mailguard.pipeline.off_loop import off_loop_if_large

REMEMBERED = 25_000  # recipients known to exist, and as many known not to
PROBE_SECONDS = 3.0
LONGEST = 300.0  # seconds of one relay; clients wait 600 after the dot (RFC 5321 4.5.3.2.6)

_log = structlog.get_logger("mailguard.relay")
_COUNTERS = {digit: NEXT_HOP_REPLIES.labels(f"{digit}xx") for digit in (2, 4, 5)}
_INTERNAL = Reply(451, "4.3.0 internal error, try again later")


class Pool:
    """At most `settings.connections` connections in use; the unused ones are kept for a while."""

    def __init__(self, settings: NextHopSettings, opener: Opener) -> None:
        self._settings = settings
        self._opener = opener
        self._idle: deque[NextHopConnection] = deque()
        self._open: set[NextHopConnection] = set()
        self._slots = asyncio.Semaphore(settings.connections)
        self._closed = False

    def kept(self) -> NextHopConnection | None:
        """The connection used last, if one is kept; it holds no slot yet."""
        while self._idle:
            connection = self._idle.pop()
            if connection.usable:
                return connection
        return None

    async def take(self, fresh: bool = False) -> NextHopConnection:
        """A connection that is ours until `give_back`. Raises Trouble."""
        if self._slots.locked():
            try:
                async with asyncio.timeout(self._settings.command):
                    await self._slots.acquire()
            except TimeoutError:
                raise trouble("busy") from None
        else:
            await self._slots.acquire()
        try:
            if self._closed:
                raise trouble("busy")
            connection = None if fresh else self.kept()
            if connection is None:
                connection = await self._opener.open(self._lost)
                self._open.add(connection)
        except BaseException:
            self._slots.release()
            raise
        return connection

    def give_back(self, connection: NextHopConnection) -> None:
        """Keep it where it is still good."""
        self._slots.release()
        self.keep(connection)

    def keep(self, connection: NextHopConnection) -> None:
        if connection.usable and not self._closed:
            connection.rest()
            self._idle.append(connection)
        else:
            connection.quit()

    def distrust(self) -> None:
        """Let go of what is kept: one connection that fell silent says the others may have too,
        and each would cost a message its time-out."""
        while self._idle:
            self._idle.pop().quit()

    def _lost(self, connection: NextHopConnection) -> None:
        self._open.discard(connection)
        try:
            self._idle.remove(connection)
        except ValueError:
            pass  # in use: whoever uses it hears of it

    async def close(self) -> None:
        """QUIT on unused connections; those in use are cut, and their users hear Trouble."""
        self._closed = True
        going = list(self._open)
        for connection in going:
            if connection in self._idle:
                connection.quit()
            else:
                connection.abort()
        self._idle.clear()
        if going:
            await asyncio.wait([connection.lost for connection in going], timeout=1.0)


class Remembered:
    """Replies for a while, the oldest forgotten first when there are too many."""

    def __init__(self, seconds: float, size: int = REMEMBERED) -> None:
        self._seconds = seconds
        self._size = size
        self._replies: dict[str, tuple[float, Reply]] = {}

    def get(self, key: str, now: float) -> Reply | None:
        found = self._replies.get(key)
        return found[1] if found is not None and found[0] > now else None

    def put(self, key: str, reply: Reply, now: float) -> None:
        self._replies.pop(key, None)
        if len(self._replies) >= self._size:
            del self._replies[next(iter(self._replies))]
        self._replies[key] = (now + self._seconds, reply)

    def forget(self, key: str) -> None:
        self._replies.pop(key, None)


class Relay:
    """The district's mail server behind us (`pipeline.ports.NextHop`).

    Make it inside a running event loop. `postmaster` is the reverse-path for verifying where the
    null one is refused.
    """

    def __init__(self, settings: NextHopSettings, hostname: str = "", postmaster: str = "") -> None:
        self._settings = settings
        self._opener = Opener(settings, settings.helo or hostname or socket.gethostname())
        self._pool = Pool(settings, self._opener)
        self._postmaster = postmaster
        self._null_refused = False
        # Two memories, so that guessing at names cannot push out those that exist.
        self._known = Remembered(settings.verify_positive)
        self._unknown = Remembered(settings.verify_negative)
        self._asking: dict[str, asyncio.Task[Reply]] = {}

    async def relay(
        self,
        reverse_path: str,
        recipients: Sequence[str],
        raw: bytes,
        body: str,
        smtputf8: bool,
        origin: Envelope | None = None,
    ) -> Mapping[str, Reply]:
        """Send one variant; the next hop's own last reply for each recipient.

        CRLF is appended to a message that does not end in it. A kept connection that turns out
        dead before the final dot has left is replaced once; after that nothing is sent twice, and
        a reply that was not seen is 451. Never raises.
        """
        replies: dict[str, Reply] = {}
        try:
            ready = (reverse_path, raw, body, smtputf8, origin)
            mail = await off_loop_if_large(len(raw), Mail.prepare, *ready)
            async with asyncio.timeout(LONGEST):
                await self._send(mail, list(dict.fromkeys(recipients)), replies)
        except TimeoutError:  # each reply came in time, all of them did not
            crawling = trouble("timeout", dot_left=True)
            _count(crawling)
            replies |= {r: crawling.reply for r in recipients if r not in replies}
        except Unsendable as error:
            _log.error("next_hop.unsendable", reason=str(error))
            INTERNAL_ERRORS.labels("relay").inc()
        except Trouble as failure:
            _count(failure)
            replies |= {r: failure.reply for r in recipients if r not in replies}
        except Exception:  # noqa: BLE001 - our own trouble is 451, never an exception
            _log.exception("next_hop.internal_error")
            INTERNAL_ERRORS.labels("relay").inc()
        for recipient in recipients:
            reply = replies.setdefault(recipient, _INTERNAL)
            _COUNTERS[reply.code // 100].inc()
        return replies

    async def _send(self, mail: Mail, recipients: list[str], replies: dict[str, Reply]) -> None:
        """Fills `replies`; those that trouble left without one are the caller's to answer."""

        def dialogue(connection: NextHopConnection) -> Dialogue:
            peer = connection.peer
            named = self._settings.xforward and (mail.origin is not None or connection.forwarded)
            prefix = xforward(peer, mail.origin) if named else []
            connection.forwarded = connection.forwarded or bool(prefix)
            unanswered = [r for r in recipients if r not in replies]
            return deliver(peer, mail, unanswered, replies, prefix)

        await self._converse(dialogue)

    async def _converse(self, dialogue: Callable[[NextHopConnection], Dialogue]) -> None:
        """Carry a dialogue out on a pooled connection, and once more on a fresh one where a kept
        one was dead. Raises Trouble."""
        for fresh in (False, True):
            connection = await self._pool.take(fresh)
            try:
                await connection.carry_out(dialogue(connection))
                return
            except Trouble as failure:
                if failure.kind == "timeout":
                    self._pool.distrust()
                dead = connection.reused and failure.kind in ("closed", "refused")
                if fresh or not dead or failure.dot_left:
                    raise
                NEXT_HOP_ERRORS.labels("reconnected").inc()
            finally:
                self._pool.give_back(connection)

    async def verify(self, recipient: str) -> Reply:
        """Whether the next hop would take mail for this recipient: asked by RCPT, remembered.

        A 4xx is not remembered. Askers at the same time share one question. Never raises.
        """
        if not self._settings.verify_recipients:
            return Reply(250, "2.1.5 Ok")
        if not is_sendable(recipient):
            return Reply(451, "4.3.0 a forward-path that is no mailbox")
        local, _, domain = recipient.rpartition("@")
        key = f"{local}@{domain.lower()}"
        now = asyncio.get_running_loop().time()
        found = self._known.get(key, now) or self._unknown.get(key, now)
        if found is not None:
            return found
        asking = self._asking.get(key)
        if asking is None:
            asking = asyncio.create_task(self._verify(recipient, key))
            self._asking[key] = asking
        await asyncio.wait((asking,))  # an asker that is cancelled does not cancel the question
        return _INTERNAL if asking.cancelled() else asking.result()

    async def _verify(self, recipient: str, key: str) -> Reply:
        try:
            reply = await self._ask_recipient(recipient)
            now = asyncio.get_running_loop().time()
            if reply.positive:
                self._known.put(key, reply, now)
                self._unknown.forget(key)
            elif reply.permanent:
                self._unknown.put(key, reply, now)
                self._known.forget(key)
            return reply
        except Trouble as failure:
            _count(failure)
            return failure.reply
        except Exception:  # noqa: BLE001 - our own trouble is 451, never an exception
            _log.exception("next_hop.internal_error")
            INTERNAL_ERRORS.labels("verify").inc()
            return _INTERNAL
        finally:
            del self._asking[key]

    async def _ask_recipient(self, recipient: str) -> Reply:
        reverse_path = self._postmaster if self._null_refused else ""
        while True:
            answers = HeardReplies()
            refused: list[Reply] = []

            def dialogue(
                connection: NextHopConnection,
                answers: HeardReplies = answers,
                refused: list[Reply] = refused,
                reverse_path: str = reverse_path,
            ) -> Dialogue:
                answers.replies.clear()
                if not (recipient.isascii() or connection.peer.smtputf8):
                    refused.append(Reply(550, "5.6.7 internationalised addresses are not taken"))
                    return ask(HeardReplies(), b"NOOP")
                return ask_recipient(answers, connection.peer, reverse_path, recipient)

            await self._converse(dialogue)
            if refused:
                return refused[0]
            begun = answers.replies[0]
            reply = told(begun if not begun.positive else answers.replies[1])
            # Postfix says what it holds against the sender in its reply to RCPT.
            about_sender = not begun.positive or reply.text.startswith(("5.7.", "5.1.7", "5.1.8"))
            if reply.permanent and about_sender and self._postmaster and not reverse_path:
                self._null_refused = self._null_refused or not begun.positive
                reverse_path = self._postmaster
                continue
            if reply.permanent and not begun.positive:
                # It says nothing about the recipient: let the message itself be refused or not.
                return Reply(451, "4.4.3 the recipient cannot be verified now")
            return reply

    async def probe(self) -> Reply:
        """Whether the next hop answers within a few seconds: 250, or 451. For readiness."""
        connection = self._pool.kept()
        answers = HeardReplies()
        try:
            async with asyncio.timeout(PROBE_SECONDS):
                if connection is not None:
                    try:
                        await connection.carry_out(ask(answers, b"NOOP"))
                    except Trouble:
                        connection = None
                    else:
                        self._pool.keep(connection)
                if connection is None:
                    connection = await self._opener.open()
                    connection.quit()
            return Reply(250, "2.0.0 Ok")
        except TimeoutError:
            return trouble("timeout").reply
        except Trouble as failure:
            return failure.reply

    async def log_in(self, login: str, password: str) -> bool:
        """Whether the next hop takes this login (AUTH over a fresh TLS connection; RFC 4954).

        Raises Trouble when it cannot be asked or gives no clear answer.
        """
        if "\0" in login or "\0" in password:
            return False
        tls = "verified" if self._settings.tls == "verified" else "required"
        answers = HeardReplies()
        try:
            connection = await self._opener.open(tls=tls)
            try:
                if not connection.peer.auth & {"PLAIN", "LOGIN"}:
                    raise trouble("refused")
                await connection.carry_out(log_in(answers, connection.peer, login, password))
            finally:
                connection.quit()
            if answers.last.code not in (235, 535):
                raise trouble("refused")
        except Trouble as failure:
            _count(failure)
            raise
        return answers.last.code == 235

    async def close(self) -> None:
        """Close every connection. Transactions still under way are cut: drain first."""
        for task in list(self._asking.values()):
            task.cancel()
        await self._pool.close()


def _count(failure: Trouble) -> None:
    NEXT_HOP_ERRORS.labels("unknown" if failure.unknown else failure.kind).inc()
    _log.warning("next_hop.trouble", kind=failure.kind, outcome_unknown=failure.unknown)
