"""The unblocked list: the snapshot's files and the database's entries as one (R37).

Owns the rows of `allowlist` and a copy of them in memory. Must not know what an entry waives.
Every way in passes `single_address`: no domain, wildcard or pattern gets onto the list.

An address may be listed several times, once by each import (R38) and once beside them; it counts
while any of these does. So an import is undone without touching what was there before.

A million entries are held: what the entries of an import share is one object, rows come in slices
in a thread, and what changed is known by its revision.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import Connection, case, func, select, update

from mailguard.adapters.database import revisions
from mailguard.adapters.database.engine import LOADING, Database
from mailguard.adapters.database.tables import allowlist
from mailguard.adapters.database.upsert import Upsert, all_but, replacing
from mailguard.casework.tickets import Listing
from mailguard.casework.unblocked_list import ListEntry
from mailguard.core.decision.facts import Unavailable, Unblocked
from mailguard.core.mail.address import normalise
from mailguard.core.mail.mailbox import single_address
from mailguard.core.sheets.parents import ImportPlan

_NAME = "allowlist"
_STALE = 60.0  # seconds without the database after which its entries no longer count
_SLICE = 1_000  # rows taken over at a time


@dataclass(frozen=True, slots=True)
class Batch:
    """One import."""

    batch: str
    origin: str
    sites: int  # different ones
    added_by: str
    added_at: float
    expires_at: float | None
    entries: int  # that still stand
    removed: int


class _Grant(NamedTuple):
    """What puts an address on the list. The same object for all that share it."""

    batch: str
    origin: str
    site: str
    expires_at: float | None
    added_at: float
    waived_by: str
    waived_because: str

    def counts(self, now: float) -> bool:
        return self.expires_at is None or self.expires_at > now


class UnblockedList:
    """The UnblockedSenders port. `files` gives the snapshot's entries as they are at the moment."""

    def __init__(
        self,
        database: Database,
        files: Callable[[], Mapping[str, Unblocked]] = dict,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._files = files
        self._monotonic = monotonic
        self._entries: dict[str, tuple[_Grant, ...]] = {}
        self._revision = 0
        self._seen_at: float | None = None
        self._refreshing = threading.Lock()  # an older answer must not undo a newer one

    def look_up(self, mailbox: str, now: float) -> Unblocked | Unavailable | None:
        """The entry of an address, if one counts now; a file's before the database's."""
        key = normalise(mailbox)
        entry = self._files().get(key)
        if entry is not None and (entry.expires_at is None or entry.expires_at > now):
            return entry
        if self._seen_at is None or self._monotonic() - self._seen_at > _STALE:
            return Unavailable("the unblocked list's database does not answer")
        return _strongest(key, self._entries.get(key, ()), now)

    async def find(self, mailbox: str, now: float) -> Unblocked | None:
        """The same of the database alone, asked now: for a command, which needs no list in memory.
        Raises StoreError."""
        key = normalise(mailbox)
        wanted = select(*_columns()).where(
            allowlist.c.address == key, allowlist.c.removed_at.is_(None)
        )
        rows = await self._database.query(lambda c: c.execute(wanted).all())
        return _strongest(key, tuple(_grant(row) for row in rows), now)

    async def refresh(self) -> None:
        """Take over what changed since the last time; to be called every second. Raises
        StoreError."""
        await self._database.query(self._catch_up, LOADING)

    async def add(self, entries: Sequence[ListEntry]) -> None:
        """Put addresses on the list in one transaction; one of the same batch gets the new
        particulars.

        Raises ValueError when any is no single address: then none is added. Raises StoreError.
        """
        if entries:
            rows = await asyncio.to_thread(_rows, entries)
            await self._database.commit(_add, rows)
            await self.refresh()

    async def take_in(self, plan: ImportPlan, batch: str, by: str, now: float) -> None:
        """Carry an import out in one transaction (R38). `undo` of the batch takes it back. Raises
        StoreError."""
        entries = [
            ListEntry(one.address, plan.origin, one.site, by, now, plan.expires_at, batch)
            for one in plan.entries
        ]
        await self.add(entries)

    async def remove(self, addresses: Sequence[str], now: float) -> int:
        """Take addresses off, whatever put them on; how many were on it. Raises StoreError."""
        folded = tuple(normalise(one) for one in addresses)
        removed = await self._database.commit(_remove, ("address", folded, now))
        await self.refresh()
        return removed

    async def undo(self, batch: str, now: float) -> int:
        """Take an import back, whole; how many addresses it had. Raises StoreError."""
        removed = await self._database.commit(_remove, ("batch", (batch,), now))
        await self.refresh()
        return removed

    async def entries(self, batch: str | None = None) -> Sequence[ListEntry]:
        """What the database has on the list, expired ones included, by address."""
        wanted = select(allowlist).where(allowlist.c.removed_at.is_(None))
        if batch is not None:
            wanted = wanted.where(allowlist.c.batch == batch)
        ordered = wanted.order_by(allowlist.c.address, allowlist.c.batch)
        return await self._database.query(
            lambda c: [
                ListEntry(**{name: row[name] for name in ListEntry.__slots__})
                for row in c.execute(ordered).mappings()
            ],
            LOADING,
        )

    async def batches(self) -> Sequence[Batch]:
        """Every import, the newest first; those taken back have no entries. Raises StoreError."""
        of = allowlist.c
        standing = func.sum(case((of.removed_at.is_(None), 1), else_=0))
        wanted = (
            select(
                of.batch,
                func.min(of.origin),
                func.count(of.site.distinct()),
                func.min(of.added_by),
                func.min(of.added_at),
                func.max(of.expires_at),
                standing,
                func.count() - standing,
            )
            .where(of.batch != "")
            .group_by(of.batch)
            .order_by(func.min(of.added_at).desc(), of.batch)
        )
        return await self._database.query(
            lambda c: [Batch(*row) for row in c.execute(wanted)], LOADING
        )

    def _catch_up(self, connection: Connection) -> None:
        with self._refreshing:
            since, revision = self._revision, revisions.current(connection, _NAME)
            if revision > since:
                entries = self._entries if since else {}
                shared: dict[_Grant, tuple[_Grant, ...]] = {}
                for rows in _changes(connection, since, revision):
                    _take(entries, rows, shared)
                self._entries, self._revision = entries, revision
            self._seen_at = self._monotonic()


def _strongest(address: str, grants: tuple[_Grant, ...], now: float) -> Unblocked | None:
    """Of what counts now: a waiver before none, then what counts longest."""
    standing = [grant for grant in grants if grant.counts(now)]
    if not standing:
        return None
    grant = standing[0]
    if len(standing) > 1:
        grant = max(standing, key=lambda g: (bool(g.waived_by), g.expires_at or float("inf")))
    return Unblocked(address, *grant[1:])


def _columns() -> list[Any]:
    return [allowlist.c[name] for name in _Grant._fields]


def _grant(row: Any) -> _Grant:
    return _Grant._make(row[: len(_Grant._fields)])


def _changes(connection: Connection, since: int, revision: int) -> Iterator[Sequence[Any]]:
    changed = select(*_columns(), allowlist.c.address, allowlist.c.removed_at).where(
        allowlist.c.revision > since, allowlist.c.revision <= revision
    )
    if not since:
        changed = changed.where(allowlist.c.removed_at.is_(None))
    # A million rows at once would hold the interpreter while the driver makes objects of them.
    rows = connection.execute(changed, execution_options={"stream_results": True})
    return rows.partitions(_SLICE)


def _take(
    entries: dict[str, tuple[_Grant, ...]],
    rows: Iterable[Any],
    shared: dict[_Grant, tuple[_Grant, ...]],
) -> None:
    for row in rows:
        *_, address, removed_at = row
        grant = _grant(row)
        others = tuple(one for one in entries.get(address, ()) if one.batch != grant.batch)
        if removed_at is None:
            alone = shared.setdefault(grant, (grant,))
            entries[address] = (*others, alone[0]) if others else alone
        elif others:
            entries[address] = others
        else:
            entries.pop(address, None)


def _rows(entries: Sequence[ListEntry]) -> tuple[dict[str, Any], ...]:
    return tuple(_row(entry) for entry in entries)


def _row(entry: ListEntry) -> dict[str, Any]:
    if bool(entry.waived_by) != bool(entry.waived_because):
        raise ValueError("a waiver needs who decided it and why")
    row: dict[str, Any] = {name: getattr(entry, name) for name in ListEntry.__slots__}
    return row | {"address": single_address(entry.address), "removed_at": None}


def enter(connection: Connection, listings: Sequence[Listing]) -> None:
    """Put addresses on the list within somebody's commit. Raises ValueError for one that is no
    single address."""
    rows = [
        _row(ListEntry(**{name: getattr(one, name) for name in one.__slots__})) for one in listings
    ]
    _add(connection, [tuple(rows)])


def _add(connection: Connection, items: Sequence[tuple[dict[str, Any], ...]]) -> Sequence[None]:
    revision = revisions.bump(connection, _NAME)
    # In one order everywhere, so that two processes cannot wait for each other.
    rows = {
        (row["address"], row["batch"]): row | {"revision": revision}
        for item in items
        for row in item
    }
    connection.execute(_ENTRY.into(connection), [rows[key] for key in sorted(rows)])
    return [None] * len(items)


def _remove(
    connection: Connection, items: Sequence[tuple[str, tuple[str, ...], float]]
) -> Sequence[int]:
    revision = revisions.bump(connection, _NAME)
    removed = []
    for column, values, now in items:
        statement = (
            update(allowlist)
            .where(allowlist.c[column].in_(values), allowlist.c.removed_at.is_(None))
            .values(removed_at=now, revision=revision)
            .returning(allowlist.c.address)
        )
        removed.append(len(set(connection.execute(statement).scalars())))
    return removed


_KEY = ("address", "batch")
_ENTRY = Upsert(allowlist, *_KEY, change=replacing(*all_but(allowlist, *_KEY)))
