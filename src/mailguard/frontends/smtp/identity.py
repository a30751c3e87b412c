"""Who a session's client is: HELO, TLS, AUTH, and what trusted peers tell (XCLIENT, XFORWARD).

Owns the identity that goes into an envelope and what each listener role offers for it.
Must not know mail transactions beyond whether one is under way.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from mailguard import metrics
from mailguard.core.mail.reply import Reply
from mailguard.core.mail.transaction import Role
from mailguard.frontends.smtp import auth
from mailguard.frontends.smtp.connection import HangUp, SmtpConnection, log
from mailguard.frontends.smtp.gateway import LoginTrouble
from mailguard.frontends.smtp.reader import LineTooLong
from mailguard.frontends.smtp.service import Service
from mailguard.frontends.smtp.trust import (
    XCLIENT_NAMES,
    XFORWARD_NAMES,
    AttributesError,
    is_host_like,
    read_attributes,
)

_GUESSING_PAUSE = 1.0  # seconds before a wrong login is answered


@dataclass(slots=True)
class Client:
    """The client as the envelope names it; a trusted peer may have told it."""

    address: str
    name: str = ""
    helo: str = ""


class IdentifiedConnection(SmtpConnection):
    """A connection whose client can say who it is."""

    def __init__(self, service: Service, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(service, loop)
        self._helo = ""
        self._extended = False
        self._account: str | None = None
        self._acting: str | None = None  # who logged in, where that is not the account
        self._failed_logins = 0
        self._client: Client | None = None  # by XCLIENT: for the rest of the session
        self._forwarded: Client | None = None  # by XFORWARD: for one transaction

    def _restart(self) -> None:
        """Forget everything the client said (RFC 3207 4.2; XCLIENT)."""
        self._set_rset_state()
        self._helo = ""
        self._extended = False
        self._account = self._acting = None

    def _who_sends(self) -> Client:
        """The client, by the best account of it."""
        return self._forwarded or self._client or Client(self.client_address)

    # -- greeting -------------------------------------------------------------------------------

    async def smtp_HELO(self, argument: bytes) -> None:
        if self._take_helo(argument, extended=False):
            self.say(Reply(250, self.service.hostname))

    async def smtp_EHLO(self, argument: bytes) -> None:
        if self._take_helo(argument, extended=True):
            self.say(Reply(250, "\n".join([self.service.hostname, *self._extensions()])))
            await self.flush()  # RFC 2920 3.1: the client must see it before it goes on

    def _take_helo(self, argument: bytes, *, extended: bool) -> bool:
        if not is_host_like(argument):
            self.refuse(501, "5.5.4 Syntax: HELO or EHLO, then your host name")
            return False
        self._set_rset_state()
        self._helo = argument.decode("ascii")
        self._extended = extended
        return True

    def _extensions(self) -> list[str]:
        offered = ["PIPELINING", f"SIZE {self.service.limits.message_size}", "8BITMIME"]
        offered += ["SMTPUTF8", "ENHANCEDSTATUSCODES"]
        if self.service.tls is not None and self._secure is None:
            offered.append("STARTTLS")
        if self._auth_offered() and self._auth_safe():
            offered.append("AUTH " + " ".join(auth.MECHANISMS))
        if self.service.listener.role is Role.RELAY:
            offered.append("XCLIENT " + " ".join(XCLIENT_NAMES))
            offered.append("XFORWARD " + " ".join(XFORWARD_NAMES))
        return offered

    def _auth_offered(self) -> bool:
        return self.service.listener.role is Role.SUBMISSION

    def _is_device(self) -> bool:
        """Whether this client speaks without a login (R1)."""
        client = self._who_sends().address
        return self.service.gateway.needs_no_login(client, self._certificate)

    def _auth_safe(self) -> bool:
        return self._secure is not None or self.service.auth.insecure_login

    async def smtp_STARTTLS(self, argument: bytes) -> None:
        if argument:
            self.refuse(501, "5.5.4 STARTTLS takes no argument")
        elif self._secure is not None:
            self.refuse(503, "5.5.1 TLS is active")
        elif self.service.tls is None:
            self.refuse(502, "5.5.1 STARTTLS is not offered here")
        else:
            self.say(Reply(220, "2.0.0 Ready to start TLS"))
            await self.flush()
            await self._start_tls()
            self._restart()

    # -- identity -------------------------------------------------------------------------------

    async def smtp_AUTH(self, argument: bytes) -> None:
        word, space, initial = argument.partition(b" ")
        mechanism = word.decode("ascii", "replace").upper()
        if not self._auth_offered():
            self.refuse(502, "5.5.1 AUTH is not offered here")
        elif not self._auth_safe():
            self.refuse(538, "5.7.11 Encryption required")
        elif not self._extended:
            self.refuse(503, "5.5.1 Send EHLO first")
        elif self._account is not None or self._in_transaction():
            self.refuse(503, "5.5.1 AUTH comes once, and before MAIL")
        elif mechanism not in auth.MECHANISMS:
            self.refuse(504, "5.5.4 Unknown mechanism")
        else:
            try:
                claimed = await auth.exchange(
                    mechanism, initial if space else None, self._challenge
                )
            except auth.AuthError as error:
                if error.reply is None:
                    raise HangUp from None
                if error.reply.code == 535:
                    await self._login_failed("")
                else:
                    self.refuse(error.reply.code, error.reply.text)
                return
            await self._log_in(claimed)

    async def _challenge(self, prompt: bytes) -> bytes | None:
        self.say(Reply(334, prompt.decode("ascii")))
        await self.flush()
        self._reset_timeout()
        try:
            line = await self._input.line(auth.RESPONSE_LIMIT)
        except LineTooLong:
            raise auth.AuthError(Reply(500, "5.5.6 Response too long")) from None
        return line

    async def _log_in(self, claimed: auth.Credentials) -> None:
        self._suspend_timeout()
        results = metrics.LOGINS
        name = self.service.listener.name
        try:
            account = await self.service.gateway.log_in(
                claimed.login, claimed.password, self.client_address
            )
        except LoginTrouble as trouble:
            results.labels(name, "trouble").inc()
            log.warning("login trouble", detail=ascii(str(trouble)), **self._who())
            self.say(Reply(454, "4.7.0 Logins cannot be checked now, try again later"))
            return
        if account is None:
            await self._login_failed(claimed.login)
            return
        if claimed.acting_for:
            acting, account = account, self.service.gateway.acting(account, claimed.acting_for)
            if account is None:
                await self._login_failed(claimed.login)
                return
            self._acting = acting
        results.labels(name, "success").inc()
        log.info("login", account=account, acting=self._acting, **self._who())
        self._account = account
        self.say(Reply(235, "2.7.0 Welcome"))

    async def _login_failed(self, login: str) -> None:
        metrics.LOGINS.labels(self.service.listener.name, "failure").inc()
        log.info("login failed", login=ascii(login), **self._who())
        self._failed_logins += 1
        self._suspend_timeout()
        await asyncio.sleep(_GUESSING_PAUSE)
        self.say(Reply(535, "5.7.8 Login or password is wrong"))
        if self._failed_logins >= self.service.auth.failures:
            raise HangUp(Reply(421, "4.7.0 Too many failed logins"))

    def _trusts(self) -> bool:
        """Whether the peer may speak for others; the prologue let no one else onto a relay."""
        return self.service.listener.role is Role.RELAY and self.peer in self.service.peers

    async def smtp_XCLIENT(self, argument: bytes) -> None:
        told = self._told(argument, XCLIENT_NAMES)
        if told is None:
            return
        known = self._client or Client(self.client_address)
        self._restart()
        self._client = _updated(known, told)
        self._account = told.get("LOGIN") or None
        self.client_address = self._client.address
        self._greet()

    async def smtp_XFORWARD(self, argument: bytes) -> None:
        told = self._told(argument, XFORWARD_NAMES)
        if told is not None:
            base = self._who_sends()
            self._forwarded = _updated(base, told)
            self.say(Reply(250, "2.0.0 Ok"))

    def _told(self, argument: bytes, allowed: tuple[str, ...]) -> dict[str, str | None] | None:
        if not self._trusts():
            self.refuse(550, "5.7.0 Not from your address")
        elif self._in_transaction():
            self.refuse(503, "5.5.1 Not within a transaction")
        else:
            try:
                return dict(read_attributes(argument, allowed))
            except AttributesError as error:
                self.refuse(501, f"5.5.4 {error}")
        return None


def _updated(client: Client, told: dict[str, str | None]) -> Client:
    """What is told replaces what was known; [UNAVAILABLE] makes it unknown."""
    return Client(
        address=(told["ADDR"] or "") if "ADDR" in told else client.address,
        name=(told["NAME"] or "") if "NAME" in told else client.name,
        helo=(told["HELO"] or "") if "HELO" in told else client.helo,
    )
