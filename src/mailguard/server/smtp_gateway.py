"""The way in: what SMTP sessions ask of the rest (`frontends.smtp.gateway.Gateway`).

Owns who may log in, which recipients are taken, and how octets become a Transaction. Must not know
sessions, or what becomes of a message (`pipeline.accept`).
"""

from __future__ import annotations

import structlog

from mailguard.adapters.ids import new_id
from mailguard.adapters.next_hop.connection import Trouble
from mailguard.adapters.next_hop.relay import Relay
from mailguard.adapters.passwords import PasswordFile
from mailguard.config.settings.schema import Settings
from mailguard.config.watch import Live
from mailguard.core.mail import mime
from mailguard.core.mail.reply import Reply
from mailguard.core.mail.transaction import Envelope, Listener, Role, Transaction
from mailguard.core.people.district import APPROVALS
from mailguard.core.sender import directory_lookups
from mailguard.frontends.smtp.gateway import LoginTrouble
from mailguard.pipeline.accept import accept
from mailguard.pipeline.off_loop import off_loop_if_large
from mailguard.pipeline.ports import Delivery, Judging, OutboundTerms

log = structlog.get_logger("mailguard.server.smtp_gateway")


class SmtpGateway:
    """Fulfils `Gateway` for one running mailguard. Raises what PasswordFile raises."""

    def __init__(
        self,
        settings: Settings,
        live: Live,
        relay: Relay,
        judging: Judging,
        terms: OutboundTerms,
        delivery: Delivery,
    ) -> None:
        self._settings = settings
        self._live = live
        self._relay = relay
        self._judging = judging
        self._terms = terms
        self._delivery = delivery
        passwords = settings.auth.password_file
        self._passwords = PasswordFile(passwords) if passwords is not None else None

    async def verify(self, envelope: Envelope, listener: Listener, recipient: str) -> Reply:
        """At RCPT: no relaying for strangers, then the next hop's own opinion of the recipient."""
        outside = listener.role is Role.MX and envelope.account is None
        if outside and not self._live.snapshot.district.owns(recipient):
            return Reply(550, "5.7.1 Relaying denied: that is no address of this district")
        if APPROVALS in self._live.snapshot.district.desks((recipient,)).values():
            return Reply(250, "2.1.5 Ok")  # answers to us, which the next hop need not know
        if not self._settings.next_hop.verify_recipients:
            return Reply(250, "2.1.5 Ok")
        snapshot = self._live.snapshot
        today = directory_lookups.day_at(self._delivery.clock(), snapshot.district.time_zone)
        mailbox = directory_lookups.mailbox_for(
            recipient, today, snapshot.directory, snapshot.policy
        )
        return Reply(250, "2.1.5 Ok") if mailbox is None else await self._relay.verify(mailbox)

    async def accept(self, listener: Listener, envelope: Envelope, raw: bytes) -> Reply:
        """After the final dot."""
        snapshot = self._live.snapshot  # read once: no message is judged by half a configuration
        message = await off_loop_if_large(len(raw), mime.parse, raw)
        now = self._delivery.clock()
        transaction = Transaction(new_id(now), now, listener, envelope, message)
        return await accept(transaction, snapshot, self._judging, self._terms, self._delivery)

    async def log_in(self, login: str, password: bytes, client_address: str) -> str | None:
        """The account that a login proves, by the password file or by the next hop. A leaver's is
        disabled on the day after the last, whatever the password (R6)."""
        account = await self._proven(login, password)
        if account is not None and self._has_left(account):
            log.warning("leaver_logs_in", account=account, client=client_address)
            return None
        return account

    def acting(self, login: str, account: str) -> str | None:
        """A generic account, for somebody who is named as its user (R5)."""
        directory = self._live.snapshot.directory
        own, wanted = directory.account_for(login), directory.account_for(account)
        if own is None or wanted is None or wanted.kind != "generic":
            return None
        return wanted.login if own.owner is not None and own.owner in wanted.allowed else None

    def needs_no_login(self, client_address: str, certificate: str | None) -> bool:
        """Whether a device is registered with this very address or certificate (R1)."""
        return self._live.snapshot.directory.device(client_address, certificate) is not None

    def _has_left(self, login: str) -> bool:
        snapshot = self._live.snapshot
        account = snapshot.directory.account_for(login)
        person = snapshot.directory.people.get(account.owner or "") if account else None
        today = directory_lookups.day_at(self._delivery.clock(), snapshot.district.time_zone)
        return person is not None and person.left_since(today) is not None

    async def _proven(self, login: str, password: bytes) -> str | None:
        try:
            if self._passwords is not None:
                account = await self._passwords.verify(login, password)
                if account is not None or not self._settings.auth.pass_to_next_hop:
                    return account
            if self._settings.auth.pass_to_next_hop:
                return login if await self._relay.log_in(login, password.decode()) else None
        except UnicodeDecodeError:
            return None
        except (OSError, ValueError, Trouble) as error:
            log.error("login_trouble", reason=str(error))
            raise LoginTrouble(str(error)) from error
        return None
