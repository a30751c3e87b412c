"""What the sessions of a listener share, and how many clients there may be.

Owns Service and ConnectionLimits. Must not know commands.
"""

from __future__ import annotations

import asyncio
import ipaddress
import ssl
from dataclasses import dataclass, field
from typing import Protocol

from mailguard.config.settings.schema import AuthSettings, ListenerSettings, SessionLimits, Settings
from mailguard.core.mail.transaction import Listener, Role
from mailguard.frontends.smtp.gateway import Gateway
from mailguard.frontends.smtp.trust import Networks


class OpenSession(Protocol):
    """A client's session, as far as whoever ends them all has to know it."""

    @property
    def task(self) -> asyncio.Task[None] | None: ...

    @property
    def closing(self) -> bool: ...

    def retire(self, *, now: bool = False) -> None:
        """Take no further transaction; `now`: none that is under way either."""
        ...

    def cut(self) -> None:
        """End it without a word."""
        ...


class ConnectionLimits:
    """Counts clients, and octets of messages held, over all listeners of this process."""

    def __init__(self, limits: SessionLimits) -> None:
        self._limits = limits
        self._by_client: dict[str, int] = {}
        self.connections = 0
        self.octets = 0

    def enter(self) -> bool:
        """Count a connection; whether it is within the limit. Always balanced by `leave`."""
        self.connections += 1
        return self.connections <= self._limits.connections

    def leave(self) -> None:
        self.connections -= 1

    def enter_client(self, address: str) -> bool:
        """Count a client's address; whether it is within the limit, and only then counted."""
        key = _household(address)
        count = self._by_client.get(key, 0)
        if count >= self._limits.connections_per_client:
            return False
        self._by_client[key] = count + 1
        return True

    def leave_client(self, address: str) -> None:
        key = _household(address)
        count = self._by_client.get(key, 0) - 1
        if count > 0:
            self._by_client[key] = count
        else:
            self._by_client.pop(key, None)


def _household(address: str) -> str:
    """An IPv4 address, or the /64 that one IPv6 customer has all to himself."""
    if ":" not in address:
        return address
    return ipaddress.IPv6Address(address).exploded[:19]


@dataclass(eq=False)
class Service:
    """One listener: its settings, and what all its sessions have in common."""

    listener: Listener
    settings: ListenerSettings
    hostname: str
    postmaster: str  # where a bare <Postmaster> goes
    limits: SessionLimits
    auth: AuthSettings
    gateway: Gateway
    clients: ConnectionLimits
    tls: ssl.SSLContext | None
    peers: Networks
    sessions: set[OpenSession] = field(default_factory=set)
    accepting: set[asyncio.Task[object]] = field(default_factory=set)  # never cut by a disconnect
    retiring: bool = False  # the server is on its way down

    @classmethod
    def of(
        cls,
        settings: Settings,
        listener: ListenerSettings,
        gateway: Gateway,
        clients: ConnectionLimits,
    ) -> Service:
        """Raises OSError, ssl.SSLError or ValueError for certificates and networks that are bad."""
        return cls(
            listener=Listener(listener.name, listener.role),
            settings=listener,
            hostname=settings.hostname,
            postmaster=f"postmaster@{settings.district.domains[0]}",
            limits=settings.limits,
            auth=settings.auth,
            gateway=gateway,
            clients=clients,
            tls=server_context(listener),
            peers=Networks(listener.trusted_peers),
        )

    @property
    def tls_required(self) -> bool:
        """Whether mail before TLS is refused. Where AUTH is offered in the clear on purpose, TLS
        is required only when that was written down."""
        if self.settings.tls_required is not None:
            return self.settings.tls_required
        return self.listener.role is Role.SUBMISSION and not self.auth.insecure_login


def server_context(listener: ListenerSettings) -> ssl.SSLContext | None:
    """TLS 1.2 or later with the listener's certificate; None without one."""
    if listener.tls_certificate is None:
        if listener.implicit_tls:
            raise ValueError(f"listener {listener.name}: implicit_tls needs tls_certificate")
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(listener.tls_certificate, listener.tls_key)
    if listener.tls_client_ca is not None:  # a client may show a certificate, and then it is good
        context.load_verify_locations(listener.tls_client_ca)
        context.verify_mode = ssl.CERT_OPTIONAL
    return context
