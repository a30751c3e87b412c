"""One running mailguard: signals, listeners and tasks start and end.

Owns the order in which things start and stop. Must not know policy or mail, nor how the parts are
put together (`server.wiring`).
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import resource
import signal
import time
from collections.abc import Mapping

import structlog

from mailguard import __version__, metrics
from mailguard.adapters.authentication.dns import CachingResolver
from mailguard.adapters.next_hop.relay import Relay
from mailguard.adapters.state import StateDirectory
from mailguard.config.load import Loaded
from mailguard.config.policy import policy_json
from mailguard.config.watch import Live, watch
from mailguard.frontends.smtp.server import Servers
from mailguard.frontends.web.application import HttpServer, application
from mailguard.pipeline.bell import Bell
from mailguard.pipeline.ports import Delivery, Deskwork, StoreError
from mailguard.pipeline.replay import Replaying
from mailguard.pipeline.snapshot import Snapshot
from mailguard.server import gauges
from mailguard.server.smtp_gateway import SmtpGateway
from mailguard.server.wiring import (
    make_engines,
    make_inbox,
    make_judging,
    make_outbox,
    make_reader,
    make_second_opinion,
    make_terms,
)

log = structlog.get_logger("mailguard.server.app")

_REFRESH = 1.0  # seconds between looks at what other processes changed
_OTHER_FILES = 500  # besides clients: next hop, archive, database, pages, libraries
_LAST_OUTCOMES = 5.0  # seconds at the end for those that could not be recorded yet
_EXPIRY = 600.0  # seconds between looks at what has waited in quarantine too long
_LAG = 0.1  # seconds between two ticks of the event loop's watch


class Server:
    """One running mailguard. `start`, then `stop`; between them it accepts mail."""

    def __init__(self, loaded: Loaded) -> None:
        self.live = Live(loaded)
        self.settings = loaded.settings
        storage = self.settings.storage
        self.state = StateDirectory.open(
            storage.state,
            storage.database,
            storage.compression,
        )
        self.relay = Relay(
            self.settings.next_hop, self.settings.hostname, self.settings.district.postmaster
        )
        self.reader = make_reader(self.settings)
        self.resolver = CachingResolver(self.settings.dns)
        terms, clock = make_terms(self.settings), time.time
        self.replaying = Replaying(self.reader, terms)
        outbox, desk = Bell(), Bell()
        self.outbox = make_outbox(
            self.settings, self.state, self.relay, self._snapshot, self.replaying, outbox, clock
        )
        work = Deskwork(clock, self.state.notices, outbox)
        self.engines = make_engines(self.settings, self.state, self._snapshot, self.replaying, work)
        self.desk = make_inbox(self.settings, self.state, self._snapshot, self.engines, clock, desk)
        self.second_opinion = make_second_opinion(self.settings, self.resolver)
        self.delivery = Delivery(
            self.state.blobs,
            self.state.ledger,
            self.relay,
            clock,
            outbox,
            desk,
            self.second_opinion,
        )
        self.judging = make_judging(self.settings, self.state, self.reader, self.resolver)
        self.gateway = SmtpGateway(
            self.settings, self.live, self.relay, self.judging, terms, self.delivery
        )
        self.servers = Servers(self.settings, self.gateway)
        address = self.settings.http.address
        pages = application(self._snapshot, self.ready, self._gauges, self.desk)
        self.http = HttpServer(pages, address.host, address.port)
        self.http_port = 0
        self._tasks: list[asyncio.Task[None]] = []
        self._remembered = ""  # the digest of the policy stored last

    # Starting and stopping

    async def start(self) -> None:
        """Bring everything up; listeners last, so that the greeting means ready. Raises OSError
        or StoreError, and then nothing listens."""
        await self.reader.start()
        interrupted = await self.state.ledger.reconcile(time.time())
        if interrupted:
            log.warning("interrupted_transactions", count=interrupted)
        await self.state.unblocked.refresh()
        await self.state.learned.refresh()
        await asyncio.to_thread(self.live.snapshot.directory.prepare_names)
        await self._remember_policy()
        self.http_port = await self.http.start()
        await self.servers.start()
        self._tasks = [
            asyncio.create_task(task, name=name)
            for name, task in (
                ("outbox", self.outbox.run()),
                ("desk", self.desk.run()),
                ("refresh", self._refresh()),
                ("retention", self._expire()),
                ("lag", _watch_the_loop()),
                (
                    "watch",
                    watch(self.live.loaded.directory, self.settings.storage.state, self.reload),
                ),
            )
        ]
        for task in self._tasks:
            task.add_done_callback(_ended)
        log.info(
            "ready",
            version=__version__,
            pid=os.getpid(),
            http=self.http_port,
            **{name: f"{host}:{port}" for name, (host, port) in self.servers.addresses().items()},
        )

    async def stop(self) -> None:
        """Drain, then close. Every message that was acknowledged is safe before and after."""
        log.info("draining")
        await self.servers.drain(self.settings.limits.drain)
        await self._settle_late()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.http.stop()
        await self.relay.close()
        if self.second_opinion is not None:
            await self.second_opinion.close()
        await self.resolver.close()
        await self.reader.close()
        self.state.close()
        log.info("stopped")

    async def reload(self) -> None:
        """Read configuration and certificates again; what is wrong is refused and logged."""
        if not await self.live.reload():
            await self._remember_policy()
        try:
            self.servers.reload_tls()
        except (OSError, ValueError) as error:
            log.error("certificates_refused", reason=str(error))

    # Behind the scenes

    def _snapshot(self) -> Snapshot:
        return self.live.snapshot

    async def _settle_late(self) -> None:
        """Outcomes that a locked database keeps waiting get some seconds more."""
        if self.delivery.late:
            await asyncio.wait(self.delivery.late, timeout=_LAST_OUTCOMES)
        if self.delivery.late:
            log.error("outcomes_not_recorded", count=len(self.delivery.late))

    async def _remember_policy(self) -> None:
        policy = self.live.snapshot.policy
        try:
            await self.state.ledger.store_policy(policy.digest, policy_json(policy.steps))
            self._remembered = policy.digest
        except StoreError as error:
            log.error("policy_not_stored", reason=str(error))

    async def _refresh(self) -> None:
        """Notice within a second what a command or another node changed in the database."""
        while True:
            if self._remembered != self.live.snapshot.policy.digest:  # the database was locked
                await self._remember_policy()
            try:
                await self.state.unblocked.refresh()
                await self.state.learned.refresh()
            except StoreError as error:
                log.error("refresh_failed", reason=str(error))
            except Exception:  # a bug here must not end it: the list would go stale
                log.exception("refresh_failed")
                metrics.INTERNAL_ERRORS.labels("refresh").inc()
            await asyncio.sleep(_REFRESH)

    async def _expire(self) -> None:
        """Every so often: quarantined copies that nobody asked for do not wait for ever."""
        while True:
            days, octets = self.settings.quarantine_days, self.settings.quarantine_octets
            before = self.delivery.clock() - days * 86_400.0 if days else 0.0
            try:
                while expired := await self.state.ledger.expire(before, octets):
                    log.info("quarantine_expired", count=expired)
            except StoreError as error:
                log.error("quarantine_not_expired", reason=str(error))
            except Exception:  # a bug here must not end it: quarantine would grow for ever
                log.exception("quarantine_not_expired")
                metrics.INTERNAL_ERRORS.labels("retention").inc()
            await asyncio.sleep(_EXPIRY)

    async def ready(self) -> Mapping[str, str]:
        """What `/readyz` shows: each component "ok", or what is wrong."""
        answers: dict[str, str] = {}
        for name, probe in (
            ("database", self.state.database.ready),
            ("archive", self.state.blobs.ready),
        ):
            try:
                await probe()
                answers[name] = "ok"
            except StoreError as error:
                answers[name] = str(error)
        reply = await self.relay.probe()
        answers["next_hop"] = "ok" if reply.positive else str(reply)
        return answers

    async def _gauges(self) -> None:
        """Refresh what is counted only when somebody looks."""
        snapshot = self.live.snapshot
        await gauges.count(self.state, snapshot, self.engines, time.time())


def _ended(task: asyncio.Task[None]) -> None:
    """A task of the server's life is over before the server is stopped: never in silence."""
    if not task.cancelled() and task.exception() is not None:
        log.error("task_ended", task=task.get_name(), exc_info=task.exception())
        metrics.INTERNAL_ERRORS.labels("task").inc()


async def _watch_the_loop() -> None:
    """Observe how late a timer fires: something held the event loop that long."""
    while True:
        due = time.perf_counter() + _LAG
        await asyncio.sleep(_LAG)
        metrics.LOOP_HELD.observe(max(0.0, time.perf_counter() - due))


def raise_file_limit(connections: int) -> None:
    """As many open files as the system lets us: each client is one, and without any left over no
    message can be stored. Shells and containers often begin with 1,024 of many more."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + _OTHER_FILES
    if soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    if soft < wanted:
        log.warning("few_open_files", allowed=soft, wanted=wanted)


def collect_seldom() -> None:
    """What is there now stays for good, and a message makes thousands of objects and leaves none
    in a cycle: to look for one at every 700 of them was 4 to 10 % of the CPU."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


class Unusable(Exception):
    """Something that the configuration names cannot be used: a password file, a signing key."""


async def serve(loaded: Loaded) -> int:
    """Run until SIGTERM or SIGINT; 0 after a clean drain. Raises Unusable before a socket is bound,
    OSError when one is taken, StoreError when the state cannot be opened."""
    try:
        server = Server(loaded)
    except ValueError as error:
        raise Unusable(str(error)) from error
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    reloads: set[asyncio.Task[None]] = set()

    def hang_up() -> None:
        task = loop.create_task(server.reload())
        reloads.add(task)
        task.add_done_callback(reloads.discard)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    loop.add_signal_handler(signal.SIGHUP, hang_up)
    try:
        await server.start()
        collect_seldom()
        await ended.wait()
    finally:
        with contextlib.suppress(asyncio.CancelledError):
            await server.stop()
    return 0
