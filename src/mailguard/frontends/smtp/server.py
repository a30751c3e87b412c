"""The listeners: bound together, drained together.

Owns sockets and the end of a process's sessions. Must not know commands.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping

import structlog

from mailguard.config.settings.schema import ListenerSettings, Settings
from mailguard.frontends.smtp.gateway import Gateway
from mailguard.frontends.smtp.service import ConnectionLimits, Service, server_context
from mailguard.frontends.smtp.session import SmtpSession

log = structlog.get_logger("mailguard.smtp")

_BACKLOG = 1_024
_LAST_WORDS = 0.5  # seconds that closing sessions get to send what is queued


class Servers:
    """All SMTP listeners of one process."""

    def __init__(self, settings: Settings, gateway: Gateway) -> None:
        self._settings = settings
        self._gateway = gateway
        self._clients = ConnectionLimits(settings.limits)
        self._services: list[Service] = []
        self._servers: dict[str, asyncio.Server] = {}
        logging.getLogger("mail.log").setLevel(logging.CRITICAL + 1)  # aiosmtpd's own, unescaped

    async def start(self) -> None:
        """Bind every listener; all or none. Raises OSError that names the one that failed."""
        try:
            for listener in self._settings.listeners:
                await self._bind(listener)
        except BaseException:
            for server in self._servers.values():
                server.close()
            self._servers.clear()
            raise

    async def _bind(self, listener: ListenerSettings) -> None:
        loop = asyncio.get_running_loop()
        try:
            service = Service.of(self._settings, listener, self._gateway, self._clients)
            server = await loop.create_server(
                lambda: SmtpSession(service, loop),
                listener.address.host,
                listener.address.port,
                backlog=_BACKLOG,
            )
        except (OSError, ValueError) as error:
            where = f"listener {listener.name} on {listener.address}: {error}"
            raise OSError(getattr(error, "errno", None) or 0, where) from error
        self._services.append(service)
        self._servers[listener.name] = server

    def addresses(self) -> Mapping[str, tuple[str, int]]:
        """Where each listener really listens: port 0 has become a port."""
        return {name: server.sockets[0].getsockname()[:2] for name, server in self._servers.items()}

    def reload_tls(self) -> None:
        """Read the certificates again, for handshakes from now on.

        Raises OSError or ValueError, and then every listener keeps what it has."""
        contexts = [server_context(service.settings) for service in self._services]
        for service, context in zip(self._services, contexts, strict=True):
            service.tls = context

    async def drain(self, seconds: float) -> None:
        """Stop. No new clients; idle sessions hear 421 4.3.2; transactions under way get
        `seconds` to end. What is left then was not acknowledged, and is cut."""
        for server in self._servers.values():
            server.close()
        for service in self._services:
            service.retiring = True
            for session in tuple(service.sessions):
                session.retire()
        busy: set[asyncio.Task[object]] = set()
        for service in self._services:
            busy |= service.accepting
            busy |= {session.task for session in service.sessions if session.task is not None}
        if busy:
            await asyncio.wait(busy, timeout=seconds)
        await self._cut()

    async def _cut(self) -> None:
        sessions = [session for service in self._services for session in service.sessions]
        accepting = [task for service in self._services for task in service.accepting]
        open_still = sum(not session.closing for session in sessions)
        if open_still or accepting:
            log.warning("cut while draining", sessions=open_still, messages=len(accepting))
        for session in sessions:
            session.retire(now=True)
        for task in accepting:
            task.cancel()
        await asyncio.gather(*accepting, return_exceptions=True)
        if sessions:
            await asyncio.sleep(_LAST_WORDS)
        for session in sessions:
            session.cut()
