"""The composition root: ports meet adapters here; signals, listeners and tasks start and end.

Owns the order in which things start and stop. Must not know policy or mail.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import signal
import socket
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import structlog

from mailguard import __version__, metrics
from mailguard.adapters.authentication import SenderAuthentication
from mailguard.adapters.dns import CachingResolver, Resolver
from mailguard.adapters.engines.panel import seated
from mailguard.adapters.learned import Lesson
from mailguard.adapters.reader import PooledReader
from mailguard.adapters.relay import Relay
from mailguard.adapters.signatures import Signatures
from mailguard.adapters.spreadsheet import read_sheet
from mailguard.adapters.state import StateDirectory
from mailguard.config.load import Loaded, default_checks
from mailguard.config.policy import policy_json, restore
from mailguard.config.schema import Settings
from mailguard.config.watch import Live, watch
from mailguard.core.approval import Terms
from mailguard.core.case import Terms as CaseTerms
from mailguard.core.facts import Facts
from mailguard.core.reply import Reply
from mailguard.core.verdict import Disposition
from mailguard.entrance import Entrance
from mailguard.frontends.http import HttpServer, application
from mailguard.frontends.smtp.server import Servers
from mailguard.pipeline import approvals, standing
from mailguard.pipeline.approval_steps import KIND as APPROVAL
from mailguard.pipeline.approval_steps import Steps
from mailguard.pipeline.case_requests import Requests
from mailguard.pipeline.case_sheets import Sheets
from mailguard.pipeline.case_steps import KIND as CASE
from mailguard.pipeline.case_steps import Staff
from mailguard.pipeline.case_steps import Steps as CaseSteps
from mailguard.pipeline.cases import CaseClerk
from mailguard.pipeline.cases import counts as case_counts
from mailguard.pipeline.desk import Desk, TakeUp
from mailguard.pipeline.dossier import Dossier
from mailguard.pipeline.matters import Clerk, WaitingLetter
from mailguard.pipeline.outbox import Outbox, Waiting
from mailguard.pipeline.ports import NextHop, Outgoing, StoreError, World
from mailguard.pipeline.replay import replay, transaction_of
from mailguard.pipeline.snapshot import Snapshot

log = structlog.get_logger("mailguard.app")

_REFRESH = 1.0  # seconds between looks at what other processes changed
_OTHER_FILES = 500  # besides clients: next hop, archive, database, pages, libraries
_LAST_OUTCOMES = 5.0  # seconds at the end for those that could not be recorded yet
_EXPIRY = 600.0  # seconds between looks at what has waited in quarantine too long
_LAG = 0.1  # seconds between two ticks of the event loop's watch


def make_world(
    settings: Settings,
    state: StateDirectory,
    next_hop: NextHop,
    reader: PooledReader,
    resolver: Resolver,
) -> World:
    """The ports as `serve` and the commands use them. Raises ValueError for a bad signing key."""
    return World(
        archive=state.blobs,
        ledger=state.ledger,
        next_hop=next_hop,
        reader=reader,
        authenticator=SenderAuthentication(resolver, settings.dns.lifetime, settings.hostname),
        signing=Signatures.load(settings.signing, settings.district.time_zone),
        engines=seated(settings.engines, resolver, settings.hostname, settings.deadline),
        unblocking=state.unblocked,
        learned=state.learned,
        clock=time.time,
        hostname=settings.hostname,
        deadline=settings.deadline,
        quarantine_copy=settings.quarantine_to in ("mailbox", "both"),
        tell_quarantine=settings.quarantine_reply == "reject",
        deliver_unedited=settings.render_fault == "deliver",
    )


def make_reader(settings: Settings) -> PooledReader:
    """The reader with its budgets; not started."""
    pool = settings.pool
    return PooledReader(pool.workers, pool.above, pool.seconds, pool.memory)


@asynccontextmanager
async def replaying(loaded: Loaded, state: StateDirectory) -> AsyncIterator[World]:
    """A world for taking recorded messages up again: it relays nothing and asks nobody."""
    nowhere: Any = None
    reader = make_reader(loaded.settings)
    resolver = CachingResolver(loaded.settings.dns)
    try:
        yield make_world(loaded.settings, state, nowhere, reader, resolver)
    finally:
        await reader.close()
        await resolver.close()


def taking_up(state: StateDirectory, snapshot: Callable[[], Snapshot], world: World) -> TakeUp:
    """How a recorded transaction is taken up again: under the policy of then, with the notices and
    the directory of now. Raises KeyError, ValueError or StoreError."""

    async def take_up(transaction_id: str) -> Dossier:
        entry = state.ledger.find(transaction_id)
        if entry is None:
            raise KeyError(transaction_id)
        stored = state.ledger.policy(entry.policy_digest)
        policy = restore(stored, default_checks()) if stored else snapshot().policy
        raw = await state.blobs.fetch(entry.digest)
        return await replay(entry, raw, replace(snapshot(), policy=policy), world)

    return take_up


def case_steps(
    settings: Settings, state: StateDirectory, snapshot: Callable[[], Snapshot], world: World
) -> CaseSteps:
    """Unblock cases as `serve` and the commands carry them out."""
    desk = settings.spam_desk
    terms = CaseTerms(desk.review == "rule", desk.reminder_days, desk.give_up_days, desk.hours)
    staff = Staff(desk.reviewers, desk.ask_reviewers, desk.sheets_from)
    take_up = taking_up(state, snapshot, world)

    async def teach(digest: str, words: Sequence[str], spam: bool) -> None:
        await state.learned.teach([Lesson(digest, words, spam)])

    return CaseSteps(state.matters, snapshot, take_up, world, terms, staff, teach)


def approval_steps(
    settings: Settings, state: StateDirectory, snapshot: Callable[[], Snapshot], world: World
) -> Steps:
    """Approvals as `serve` and the commands carry them out."""
    terms = Terms(settings.approvals.reminder_days, settings.approvals.expiry_days)
    take_up = taking_up(state, snapshot, world)
    return Steps(state.matters, snapshot, take_up, world, terms)


class House:
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
        world = make_world(self.settings, self.state, self.relay, self.reader, self.resolver)
        self.outbox = self._outbox(world)
        self.world = replace(world, outbox_wakes=self.outbox.wake, desk_wakes=self._desk_wakes)
        self.desk = self._desk()
        self.entrance = Entrance(self.settings, self.live, self.relay, self.world)
        self.servers = Servers(self.settings, self.entrance)
        address = self.settings.http.address
        pages = application(lambda: self.live.snapshot, self.ready, self._gauges, self.desk)
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

    async def _settle_late(self) -> None:
        """Outcomes that a locked database keeps waiting get some seconds more."""
        if self.world.late:
            await asyncio.wait(self.world.late, timeout=_LAST_OUTCOMES)
        if self.world.late:
            log.error("outcomes_not_recorded", count=len(self.world.late))

    def _outbox(self, world: World) -> Outbox:
        times = self.settings.outbox
        return Outbox(
            self.state.outbox,
            self.state.blobs,
            self.relay,
            self._undeliverable,
            world.clock,
            holder=f"{socket.gethostname()}:{os.getpid()}",
            first_retry=times.first_retry,
            longest_retry=times.longest_retry,
            give_up=times.give_up,
            poll=times.poll,
        )

    def _desk(self) -> Desk:
        """The desks where mailguard reads mail, and who carries out what comes there."""
        steps = approval_steps(self.settings, self.state, lambda: self.live.snapshot, self.world)
        clerk = approvals.ApprovalClerk(steps, self.settings.approvals.relay_vouches)
        clerks: dict[str, Clerk] = {"approvals": clerk}
        kinds: dict[str, Clerk] = {APPROVAL: clerk}
        self._cases = case_steps(self.settings, self.state, lambda: self.live.snapshot, self.world)
        sheets = Sheets(Requests(self._cases), read_sheet, self.state.unblocked)
        cases = CaseClerk(self._cases, sheets, self.settings.spam_desk.relay_vouches)
        clerks["spammail"] = kinds[CASE] = cases
        return Desk(
            self.state.matters,
            self.state.matters,
            steps.take_up,
            clerks,
            kinds,
            self._unread,
            self.world.clock,
            self.settings.outbox.poll,
        )

    def _desk_wakes(self) -> None:
        self.desk.wake()

    async def _unread(self, letter: WaitingLetter) -> Sequence[Outgoing]:
        """A letter to a desk that nobody could read goes to the postmaster, as it came."""
        recorded = self.state.ledger.find(letter.transaction_id)
        if recorded is None:
            return ()
        raw = await self.state.blobs.fetch(recorded.digest)
        to = (self.live.snapshot.district.postmaster,)
        body = "" if raw.isascii() else "8BITMIME"
        return (Outgoing(f"unread|{letter.id}", "copy", "", to, raw, body),)

    async def _undeliverable(
        self, entry: Waiting, recipients: Sequence[str], reply: Reply
    ) -> Sequence[Outgoing]:
        """Who is told that a copy will never arrive. Notices and spammail copies are our own: they
        fail visibly, in the log and the metrics, and make no further mail."""
        if entry.kind not in ("relay", "release"):
            log.error(
                "notice_undeliverable", entry=entry.id, kind=entry.kind, reply=str(reply)[:200]
            )
            return ()
        recorded = self.state.ledger.find(entry.transaction_id)
        if recorded is None:
            log.error("refusal_untold", entry=entry.id, reply=str(reply)[:200])
            return ()
        raw = await self.state.blobs.fetch(recorded.digest)
        snapshot, digest = self.live.snapshot, recorded.digest
        try:
            dossier = await replay(recorded, raw, snapshot, self.world)
        except ValueError as error:  # written by another version: whether it is proven is unknown
            log.warning("facts_unreadable", id=recorded.id, reason=str(error)[:500])
            facts = Facts(now=self.world.clock(), district=snapshot.district)
            transaction = transaction_of(recorded, raw)
            dossier = Dossier.unread(transaction, snapshot, self.world, facts, digest)
        concerned = (entry.serves,) if entry.serves else recipients
        return (dossier.undeliverable(concerned, reply),)

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
            before = self.world.clock() - days * 86_400.0 if days else 0.0
            try:
                while expired := await self.state.ledger.expire(before, octets):
                    log.info("quarantine_expired", count=expired)
            except StoreError as error:
                log.error("quarantine_not_expired", reason=str(error))
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
        await asyncio.to_thread(self._count)

    def _count(self) -> None:
        now = time.time()
        metrics.OUTBOX.clear()
        for (kind, state), number in self.state.outbox.counts().items():
            metrics.OUTBOX.labels(kind, state).set(number)
        oldest = self.state.outbox.oldest()
        metrics.OUTBOX_AGE.set(now - oldest if oldest else 0)
        waiting = self.state.ledger.waiting()
        metrics.QUARANTINE.clear()
        for disposition, (number, _) in waiting.items():
            metrics.QUARANTINE.labels(disposition.word).set(number)
        _, since = waiting.get(Disposition.QUARANTINE, (0, now))
        metrics.QUARANTINE_AGE.set(now - since)
        counted = approvals.counts(self.state.matters.find(APPROVAL), now)
        metrics.APPROVALS.set(counted["open"])
        metrics.APPROVALS_AGE.set(counted["oldest"])
        metrics.APPROVALS_OVERDUE.set(counted["overdue"])
        counted = case_counts(self.state.matters.find(CASE), self._cases.at(now))
        metrics.CASES.set(counted["open"])
        metrics.CASES_AGE.set(counted["oldest"])
        metrics.CASES_OVERDUE.set(counted["overdue"])
        unread, first = self.state.matters.unread()
        metrics.LETTERS.set(unread)
        metrics.LETTERS_AGE.set(now - first if first else 0)
        snapshot = self.live.snapshot
        today = standing.day_at(now, snapshot.district.time_zone)
        due = [p.deletion_day(today) for p in snapshot.directory.leavers(today)]
        metrics.LEAVERS_DUE.set(sum(day is not None and day <= today for day in due))


def _ended(task: asyncio.Task[None]) -> None:
    """A task of the house's life is over before the house is stopped: never in silence."""
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


class Unusable(Exception):
    """Something that the configuration names cannot be used: a password file, a signing key."""


async def serve(loaded: Loaded) -> int:
    """Run until SIGTERM or SIGINT; 0 after a clean drain. Raises Unusable before a socket is bound,
    OSError when one is taken, StoreError when the state cannot be opened."""
    try:
        house = House(loaded)
    except ValueError as error:
        raise Unusable(str(error)) from error
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    reloads: set[asyncio.Task[None]] = set()

    def hang_up() -> None:
        task = loop.create_task(house.reload())
        reloads.add(task)
        task.add_done_callback(reloads.discard)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    loop.add_signal_handler(signal.SIGHUP, hang_up)
    try:
        await house.start()
        await ended.wait()
    finally:
        with contextlib.suppress(asyncio.CancelledError):
            await house.stop()
    return 0
