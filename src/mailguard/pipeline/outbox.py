"""What we owe the next hop: notices, questions, reports, spammail copies, releases, copies put off.

Owns when an entry is tried, tried again and given up. Nothing is dropped: what is given up stays,
is counted, and is told to its proven sender or else to the postmaster.
Must not know how entries are stored or relayed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

import structlog

from mailguard import metrics
from mailguard.core.mail.reply import Reply
from mailguard.pipeline.bell import Bell
from mailguard.pipeline.ports import AllowanceGone, Archive, Clock, NextHop, Outgoing, StoreError

log = structlog.get_logger("mailguard.outbox")

_AT_ONCE = 10  # entries leased together
_LEASE = 10.0  # seconds: what a crash leaves leased waits no longer
_RENEWED = 3.0  # seconds between renewals while a relay takes its time


class Waiting(Protocol):
    """An entry as the store gives it out."""

    @property
    def id(self) -> int: ...
    @property
    def kind(self) -> str: ...
    @property
    def transaction_id(self) -> str: ...
    @property
    def reverse_path(self) -> str: ...
    @property
    def recipients(self) -> tuple[str, ...]: ...
    @property
    def digest(self) -> str: ...
    @property
    def body(self) -> str: ...
    @property
    def smtputf8(self) -> bool: ...
    @property
    def attempts(self) -> int: ...
    @property
    def created_at(self) -> float: ...
    @property
    def serves(self) -> str: ...


class Store(Protocol):
    """The outbox as this module needs it; every method is durable when it returns. Those that take
    `outgoing` raise AllowanceGone."""

    async def lease(
        self, holder: str, now: float, seconds: float, limit: int
    ) -> Sequence[Waiting]: ...
    async def renew(self, holder: str, entries: Sequence[int], until: float) -> None: ...
    async def sent(
        self, entry: int, reply: str, now: float, refused: Sequence[str] = ()
    ) -> None: ...
    async def retry(
        self,
        entry: int,
        at: float,
        reply: str,
        remaining: Sequence[str],
        now: float,
        refused: Sequence[str] = (),
    ) -> None: ...
    async def failed(
        self,
        entry: int,
        reply: str,
        now: float,
        outgoing: Sequence[Outgoing] = (),
        served: Sequence[str] = (),
    ) -> None: ...
    async def put(self, outgoing: Sequence[Outgoing], now: float) -> None: ...


Undeliverable = Callable[[Waiting, Sequence[str], Reply, bool], Awaitable[Sequence[Outgoing]]]
"""The notices that a reply made recipients hopeless; with whether the sender may be told, as far as
the hour's allowance goes."""


class Outbox:
    """The loop that empties the outbox. One runs in each process; leases keep them apart.

    `undeliverable` makes the notices for recipients that will never be served.
    """

    def __init__(
        self,
        store: Store,
        archive: Archive,
        next_hop: NextHop,
        undeliverable: Undeliverable,
        clock: Clock,
        bell: Bell,
        *,
        holder: str,
        first_retry: float,
        longest_retry: float,
        give_up: float,
        poll: float,
    ) -> None:
        self._store = store
        self._archive = archive
        self._next_hop = next_hop
        self._undeliverable = undeliverable
        self._clock = clock
        self._holder = holder
        self._first_retry = first_retry
        self._longest_retry = longest_retry
        self._give_up = give_up
        self._poll = poll
        self._bell = bell

    async def run(self) -> None:
        """Until cancelled. Trouble of our own is logged, and tried again a little later."""
        while True:
            try:
                busy = await self.turn()
            except StoreError as error:
                log.error("outbox_store", reason=str(error))
                busy = False
            except Exception:
                log.exception("outbox_error")
                metrics.INTERNAL_ERRORS.labels("outbox").inc()
                busy = False
            if not busy:
                await self._bell.heard(self._poll)

    async def turn(self) -> bool:
        """Try everything that is due, some at a time; whether there was anything."""
        entries = await self._store.lease(self._holder, self._clock(), _LEASE, _AT_ONCE)
        renewing = asyncio.create_task(self._renew([entry.id for entry in entries]))
        try:
            results = await asyncio.gather(*map(self._try, entries), return_exceptions=True)
        finally:
            renewing.cancel()
        for entry, result in zip(entries, results, strict=True):
            if isinstance(result, BaseException):
                log.error("outbox_entry", entry=entry.id, reason=repr(result))
        return bool(entries)

    async def _renew(self, entries: Sequence[int]) -> None:
        """Keep the leases while we are at it. One settled meanwhile is no longer ours."""
        while entries:
            await asyncio.sleep(_RENEWED)
            try:
                await self._store.renew(self._holder, entries, self._clock() + _LEASE)
            except StoreError as error:
                log.warning("outbox_lease", reason=str(error))

    async def _try(self, entry: Waiting) -> None:
        try:
            raw = await self._archive.fetch(entry.digest)
        except (KeyError, StoreError) as error:
            log.error("outbox_unreadable", entry=entry.id, reason=str(error))
            await self._later(entry, entry.recipients, f"archive: {error}", self._clock())
            return
        replies = await self._next_hop.relay(
            entry.reverse_path, entry.recipients, raw, body=entry.body, smtputf8=entry.smtputf8
        )
        now = self._clock()
        late = [r for r, reply in replies.items() if reply.temporary]
        refused = [r for r, reply in replies.items() if not reply.positive and not reply.temporary]
        served = [r for r, reply in replies.items() if reply.positive]
        last = next((replies[r] for r in (*late, *refused)), None) or replies[entry.recipients[0]]
        log.info(
            "outbox_tried",
            entry=entry.id,
            kind=entry.kind,
            attempt=entry.attempts,
            late=len(late),
            refused=len(refused),
            reply=str(last)[:200],
        )
        over = bool(late) and now - entry.created_at >= self._give_up
        lost = [(some, replies[some[0]]) for some in (refused, late if over else []) if some]
        hopeless = over or bool(refused and not late and not served)
        for may_tell in (True, False):
            try:
                told: list[Outgoing] = []
                for some, reply in lost:
                    told += await self._undeliverable(entry, some, reply, may_tell)
            except Exception:  # whatever it is: what was taken must not be sent again for it
                log.exception("outbox_untold", entry=entry.id)
                metrics.INTERNAL_ERRORS.labels("outbox").inc()
                await self._later(entry, [*late, *refused], str(last), now)
                return
            try:
                if hopeless:
                    await self._store.failed(entry.id, str(last), now, told, served)
                    return
                if told:
                    await self._store.put(told, now)
                break
            except AllowanceGone:  # nothing was written; the postmaster is told instead
                continue
        if late:
            await self._later(entry, late, str(last), now, refused)
        else:
            await self._store.sent(entry.id, str(last), now, refused)

    async def _later(
        self,
        entry: Waiting,
        remaining: Sequence[str],
        reply: str,
        now: float,
        refused: Sequence[str] = (),
    ) -> None:
        """Try again for those who remain, after twice the time of the last try."""
        wait = min(self._longest_retry, self._first_retry * 2 ** min(entry.attempts - 1, 20))
        await self._store.retry(entry.id, now + wait, reply, remaining, now, refused)
