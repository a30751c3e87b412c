"""The mail transaction: MAIL, RCPT, DATA, and the smaller commands (RFC 5321 sections 3.3, 4.1).

Owns the order of commands and the envelope they fill. A message goes to the Gateway, and nothing
here judges it. Must not know checks, storage or the next hop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from mailguard.config.settings.schema import SessionLimits
from mailguard.core.mail.reply import Reply
from mailguard.core.mail.transaction import Envelope
from mailguard.frontends.smtp.connection import HangUp
from mailguard.frontends.smtp.identity import IdentifiedConnection
from mailguard.frontends.smtp.message_data import MessageData, objection
from mailguard.frontends.smtp.parameters import ArgumentError, MailArguments, read_mail, read_rcpt
from mailguard.frontends.smtp.service import Service
from mailguard.pipeline.off_loop import off_loop_if_large

_BEFORE_TLS = frozenset((b"EHLO", b"HELO", b"NOOP", b"STARTTLS", b"QUIT", b"RSET"))  # RFC 3207 4
_BATCH = 0.25  # seconds that replies to pipelined commands are kept together


@dataclass(slots=True)
class _Draft:
    """A mail transaction under way: MAIL was taken."""

    mail: MailArguments
    recipients: dict[str, None] = field(default_factory=dict)  # an ordered set


class SmtpSession(IdentifiedConnection):
    """A session on one listener."""

    def __init__(self, service: Service, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(service, loop)
        self._transactions = 0
        self._draft: _Draft | None = None
        self._data_deadline = 0.0
        self._reserved = 0  # octets of this session among the clients

    def _in_transaction(self) -> bool:
        return self._draft is not None

    def _set_rset_state(self) -> None:
        """End the transaction, keep the greeting (RFC 5321 4.1.1.5)."""
        self._draft = None
        self._forwarded = None

    async def _command(self, line: bytes) -> None:
        if self._unsent and self.loop.time() - self._unsent_since > _BATCH:
            await self.flush()  # answers to slow commands must not wait for the last one
        verb, _, argument = line.partition(b" ")
        verb = verb.upper()
        method = _COMMANDS.get(verb)
        if method is None:
            self.refuse(500, "5.5.2 Command not recognised")
        elif self.service.tls_required and self._secure is None and verb not in _BEFORE_TLS:
            self.refuse(530, "5.7.0 Must issue a STARTTLS command first")
        else:
            await method(self, argument.strip(b" "))

    # -- the transaction ------------------------------------------------------------------------

    async def smtp_MAIL(self, argument: bytes) -> None:
        limits = self.service.limits
        if not self._helo:
            self.refuse(503, "5.5.1 Send HELO or EHLO first")
        elif self._draft is not None:
            self.refuse(503, "5.5.1 One transaction at a time")
        elif self._auth_offered() and self._account is None and not self._is_device():
            self.refuse(530, "5.7.0 Authentication required")
        elif self._transactions >= limits.transactions:
            raise HangUp(Reply(421, "4.7.0 Too many messages in one session"))
        else:
            try:
                mail = read_mail(argument, extended=self._extended, size_limit=limits.message_size)
            except ArgumentError as error:
                self.refuse(error.reply.code, error.reply.text)
                return
            self._transactions += 1
            self._draft = _Draft(mail)
            self.say(Reply(250, "2.1.0 Ok"))

    async def smtp_RCPT(self, argument: bytes) -> None:
        draft = self._draft
        if draft is None:
            self.refuse(503, "5.5.1 Send MAIL first")
            return
        try:
            recipient = read_rcpt(
                argument,
                extended=self._extended,
                smtputf8=draft.mail.smtputf8,
                postmaster=self.service.postmaster,
            )
        except ArgumentError as error:
            self.refuse(error.reply.code, error.reply.text)
            return
        if recipient not in draft.recipients:
            if len(draft.recipients) >= self.service.limits.recipients:
                self.say(Reply(452, "4.5.3 Too many recipients"))
                return
            self._suspend_timeout()
            verified = await self.service.gateway.verify(
                self._envelope(draft), self.service.listener, recipient
            )
            if not verified.positive:
                self.say(verified, utf8=draft.mail.smtputf8)
                return
            draft.recipients[recipient] = None
        self.say(Reply(250, "2.1.5 Ok"))

    async def smtp_DATA(self, argument: bytes) -> None:
        draft = self._draft
        if argument:
            self.refuse(501, "5.5.4 DATA takes no argument")
        elif draft is None:
            self.refuse(503, "5.5.1 Send MAIL first")
        elif not draft.recipients:
            self.refuse(554, "5.5.1 No valid recipients")  # RFC 5321 3.3
        else:
            try:
                reply = await self._receive(draft)
            finally:
                self.service.clients.octets -= self._reserved
                self._reserved = 0
            utf8 = draft.mail.smtputf8
            self._set_rset_state()
            self.say(reply, utf8=utf8)

    async def _receive(self, draft: _Draft) -> Reply:
        limits = self.service.limits
        self.say(Reply(354, "End data with <CR><LF>.<CR><LF>"))
        await self.flush()
        sink = MessageData(limits.message_size)
        self._data_deadline = self.loop.time() + limits.data
        self._data_arrived(0)
        if not await self._input.message(sink):
            raise HangUp  # gone, or timed out: nothing was acknowledged
        self._suspend_timeout()
        if sink.too_big:
            return self._too_big(sink)
        raw, refused = await off_loop_if_large(sink.held, _finished, sink, limits)
        if refused is not None:
            self._errors += 1
            return refused
        return await self._accept(self._envelope(draft), raw)

    def _too_big(self, sink: MessageData) -> Reply:
        if sink.discarded:
            return Reply(452, "4.3.1 No room for this message now, try again later")
        return Reply(552, f"5.3.4 Message over {self.service.limits.message_size} octets")

    def _data_arrived(self, octets: int) -> None:
        now = self.loop.time()
        self._reset_timeout(max(0.001, min(self.service.limits.idle, self._data_deadline - now)))
        sink = self._input.receiving
        if sink is None:
            return
        clients = self.service.clients
        clients.octets += sink.held - self._reserved
        self._reserved = sink.held
        if clients.octets > self.service.limits.buffered:
            sink.discard()

    async def _accept(self, envelope: Envelope, raw: bytes) -> Reply:
        """Hand the message over. The session's task is one of those that a drain waits for, with
        or without a client: a disconnect does not touch it."""
        service, task = self.service, self.task
        assert task is not None
        service.accepting.add(task)
        try:
            return await service.gateway.accept(service.listener, envelope, raw)
        finally:
            service.accepting.discard(task)

    def _envelope(self, draft: _Draft) -> Envelope:
        client = self._who_sends()
        return Envelope(
            reverse_path=draft.mail.reverse_path,
            recipients=tuple(draft.recipients),
            client_address=client.address,
            client_name=client.name,
            helo=client.helo or self._helo,
            account=self._account,
            tls=self._secure,
            body=draft.mail.body,
            smtputf8=draft.mail.smtputf8,
            protocol=self._protocol(draft),
            certificate=self._certificate,
            acting=self._acting,
        )

    def _protocol(self, draft: _Draft) -> str:
        """The "with" of Received: RFC 3848; RFC 6531 section 4.3."""
        if not self._extended:
            return "SMTP"
        base = "UTF8SMTP" if draft.mail.smtputf8 else "ESMTP"
        return base + ("S" if self._secure else "") + ("A" if self._account else "")

    # -- the rest -------------------------------------------------------------------------------

    async def smtp_RSET(self, argument: bytes) -> None:
        if argument:
            self.refuse(501, "5.5.4 RSET takes no argument")
            return
        self._set_rset_state()
        self.say(Reply(250, "2.0.0 Ok"))

    async def smtp_NOOP(self, argument: bytes) -> None:
        self.say(Reply(250, "2.0.0 Ok"))
        await self.flush()

    async def smtp_VRFY(self, argument: bytes) -> None:
        if argument:
            self.say(Reply(252, "2.5.0 Cannot say, but will take mail"))
        else:
            self.refuse(501, "5.5.4 Syntax: VRFY, then an address")

    async def smtp_EXPN(self, argument: bytes) -> None:  # type: ignore[override]  # raw octets
        self.refuse(502, "5.5.1 EXPN is not offered here")

    async def smtp_HELP(self, argument: bytes) -> None:
        self.say(Reply(214, "2.0.0 RFC 5321"))

    async def smtp_QUIT(self, argument: bytes) -> None:
        if argument:
            self.refuse(501, "5.5.4 QUIT takes no argument")
        else:
            raise HangUp(Reply(221, "2.0.0 Bye"))


def _finished(sink: MessageData, limits: SessionLimits) -> tuple[bytes, Reply | None]:
    raw = sink.message()
    return raw, objection(raw, limits.line_length, limits.received_fields)


_COMMANDS: dict[bytes, Callable[[SmtpSession, bytes], Awaitable[None]]] = {
    name[len("smtp_") :].encode("ascii"): getattr(SmtpSession, name)
    for name in dir(SmtpSession)
    if name.startswith("smtp_")
}
