"""Where ports meet adapters, for `serve` and the commands alike.

Owns which adapter fulfils which port, and how outbox, inbox and engines are put together. Must not
know when things start and stop (`server.app`), policy or mail.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import structlog

from mailguard.adapters.authentication.dkim_second import DkimSecondOpinion
from mailguard.adapters.authentication.dns import Resolver
from mailguard.adapters.authentication.lookups import SenderAuthentication
from mailguard.adapters.engines.panel import panel_of
from mailguard.adapters.next_hop.relay import Relay
from mailguard.adapters.signing.signatures import Signatures
from mailguard.adapters.state import StateDirectory
from mailguard.adapters.workers.reader_pool import PooledReader
from mailguard.adapters.workers.spreadsheet import read_sheet
from mailguard.casework.engine import Engine
from mailguard.casework.grants.handler import Grants
from mailguard.casework.inbox import Inbox
from mailguard.casework.lessons import Lesson
from mailguard.casework.tickets import TakeUp, UnreadMail
from mailguard.casework.workflow import Outfit, Work
from mailguard.casework.workflows import WORKFLOWS, engines
from mailguard.config.load import default_checks
from mailguard.config.policy import restore
from mailguard.config.settings.schema import Settings
from mailguard.core.decision.facts import Facts
from mailguard.core.mail.reply import Reply
from mailguard.core.record.formats import NewerFormat
from mailguard.pipeline.bell import Bell
from mailguard.pipeline.judged_message import JudgedMessage
from mailguard.pipeline.off_loop import off_loop_if_large
from mailguard.pipeline.outbox import Outbox, Undeliverable, Waiting
from mailguard.pipeline.ports import (
    Clock,
    Deskwork,
    Judging,
    OutboundTerms,
    Outgoing,
)
from mailguard.pipeline.replay import Replaying, replay, transaction_of
from mailguard.pipeline.snapshot import Snapshot

log = structlog.get_logger("mailguard.server.wiring")


def make_judging(
    settings: Settings, state: StateDirectory, reader: PooledReader, resolver: Resolver
) -> Judging:
    """What `serve` gathers facts from."""
    return Judging(
        authenticator=SenderAuthentication(resolver, settings.dns.lifetime, settings.hostname),
        reader=reader,
        unblocking=state.unblocked,
        learned=state.learned,
        earlier=state.ledger,
        deadline=settings.deadline,
        engines=panel_of(settings.engines, resolver, settings.hostname, settings.deadline),
        notices=state.notices,
    )


def make_terms(settings: Settings) -> OutboundTerms:
    """How copies and notices are made, everywhere. Raises ValueError for a bad signing key."""
    return OutboundTerms(
        hostname=settings.hostname,
        quarantine_copy=settings.quarantine_to in ("mailbox", "both"),
        tell_quarantine=settings.quarantine_reply == "reject",
        deliver_unedited=settings.render_fault == "deliver",
        signing=Signatures.load(settings.signing, settings.district.time_zone),
    )


def make_reader(settings: Settings) -> PooledReader:
    """The reader with its budgets; not started."""
    pool = settings.pool
    return PooledReader(pool.workers, pool.above, pool.seconds, pool.memory)


def make_second_opinion(settings: Settings, resolver: Resolver) -> DkimSecondOpinion | None:
    """Who watches our DKIM verdicts while we serve; None where nobody is wanted."""
    fraction = settings.authentication.second_opinion
    return DkimSecondOpinion(resolver, fraction, settings.dns.lifetime) if fraction else None


@asynccontextmanager
async def replaying(settings: Settings) -> AsyncIterator[Replaying]:
    """For commands that take recorded messages up again."""
    reader = make_reader(settings)
    try:
        yield Replaying(reader, make_terms(settings))
    finally:
        await reader.close()


def deskwork(state: StateDirectory, clock: Clock = time.time) -> Deskwork:
    """For commands that move tickets: the server looks into the outbox often enough."""
    return Deskwork(clock, state.notices, Bell())


def replay_by_id(
    state: StateDirectory, snapshot: Callable[[], Snapshot], replaying: Replaying
) -> TakeUp:
    """How a recorded transaction is taken up again: under the policy of then, with the notices and
    the directory of now. Raises KeyError, ValueError, NewerFormat or StoreError."""

    async def take_up(transaction_id: str) -> JudgedMessage:
        entry = await state.ledger.find(transaction_id)
        if entry is None:
            raise KeyError(transaction_id)
        stored = await state.ledger.policy(entry.policy_digest)
        policy = restore(stored, default_checks()) if stored else snapshot().policy
        raw = await state.blobs.fetch(entry.digest)
        return await replay(entry, raw, replace(snapshot(), policy=policy), replaying)

    return take_up


def outfit(
    settings: Settings,
    state: StateDirectory,
    snapshot: Callable[[], Snapshot],
    replaying: Replaying,
    desk: Deskwork,
) -> Outfit:
    """What the workflows are made from, for `serve` and the commands alike."""

    async def teach(digest: str, words: Sequence[str], spam: bool) -> None:
        await state.learned.teach([Lesson(digest, words, spam)])

    work = Work(state.tickets, snapshot, replay_by_id(state, snapshot, replaying), desk)
    return Outfit(work, settings, Grants(work), teach, read_sheet, state.unblocked)


def make_engines(
    settings: Settings,
    state: StateDirectory,
    snapshot: Callable[[], Snapshot],
    replaying: Replaying,
    desk: Deskwork,
) -> Sequence[Engine[Any]]:
    """Who carries out what waits for people, a workflow each."""
    return engines(outfit(settings, state, snapshot, replaying, desk), WORKFLOWS)


def make_inbox(
    settings: Settings,
    state: StateDirectory,
    snapshot: Callable[[], Snapshot],
    handlers: Sequence[Engine[Any]],
    clock: Clock,
    bell: Bell,
) -> Inbox:
    """Where mailguard reads mail, and where tickets come due."""

    async def unread(mail: UnreadMail) -> Sequence[Outgoing]:
        """A letter that nobody could read goes to the postmaster, as it came."""
        recorded = await state.ledger.find(mail.transaction_id)
        if recorded is None:
            return ()
        raw = await state.blobs.fetch(recorded.digest)
        to = (snapshot().district.postmaster,)
        return (Outgoing(f"unread|{mail.id}", "copy", "", to, raw, JudgedMessage.body(raw)),)

    return Inbox(
        state.tickets,
        state.tickets,
        handlers[0].work.take_up,
        {one.desk: one for one in handlers if one.desk},
        {one.kind: one for one in handlers},
        unread,
        clock,
        bell,
        settings.outbox.poll,
    )


def undelivered(
    state: StateDirectory, snapshot: Callable[[], Snapshot], replaying: Replaying, clock: Clock
) -> Undeliverable:
    """Who is told that a copy will never arrive. Notices and spammail copies are our own: they
    fail visibly, in the log and the metrics, and make no further mail."""

    async def tell(
        entry: Waiting, recipients: Sequence[str], reply: Reply, may_tell: bool
    ) -> Sequence[Outgoing]:
        said = str(reply)[:200]
        if entry.kind not in ("relay", "release"):
            log.error("notice_undeliverable", entry=entry.id, kind=entry.kind, reply=said)
            return ()
        recorded = await state.ledger.find(entry.transaction_id)
        if recorded is None:
            log.error("refusal_untold", entry=entry.id, reply=said)
            return ()
        raw = await state.blobs.fetch(recorded.digest)
        current, digest = snapshot(), recorded.digest
        try:
            judged = await replay(recorded, raw, current, replaying)
        except (ValueError, NewerFormat) as error:  # whether it is proven is unknown
            log.warning("facts_unreadable", id=recorded.id, reason=str(error)[:500])
            facts = Facts(now=clock(), district=current.district)
            transaction = await off_loop_if_large(len(raw), transaction_of, recorded, raw)
            judged = JudgedMessage.unread(transaction, current, replaying.terms, facts, digest)
        concerned = (entry.serves,) if entry.serves else recipients
        return (judged.undeliverable(concerned, reply, clock(), may_tell=may_tell),)

    return tell


def make_outbox(
    settings: Settings,
    state: StateDirectory,
    relay: Relay,
    snapshot: Callable[[], Snapshot],
    replaying: Replaying,
    bell: Bell,
    clock: Clock = time.time,
) -> Outbox:
    """The outbox, with who is told of what it cannot deliver."""
    times = settings.outbox
    return Outbox(
        state.outbox,
        state.blobs,
        relay,
        undelivered(state, snapshot, replaying, clock),
        clock,
        bell,
        holder=f"{socket.gethostname()}:{os.getpid()}",
        first_retry=times.first_retry,
        longest_retry=times.longest_retry,
        give_up=times.give_up,
        poll=times.poll,
    )
