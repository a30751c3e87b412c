"""The unblocked list: the snapshot's files and the database's entries as one (R37).

Owns the rows of `allowlist` and a copy of them in memory. Must not know what an entry waives.
Every way in passes `single_address`: no domain, wildcard or pattern gets onto the list.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import Connection, select, update
from sqlalchemy.dialects import postgresql, sqlite

from mailguard.adapters import revisions
from mailguard.adapters.database import Database
from mailguard.adapters.tables import allowlist
from mailguard.config.allowlist import single_address
from mailguard.core.address import normalise
from mailguard.core.facts import Unavailable, Unblocked

_NAME = "allowlist"
_STALE = 60.0  # seconds without the database after which its entries no longer count


@dataclass(frozen=True, slots=True)
class ListEntry:
    """An address on the list, as its row stands in the database."""

    address: str  # lower case
    origin: str = ""  # "case 41", "import parents-oak.csv"
    site: str = ""
    added_by: str = ""
    added_at: float = 0.0
    expires_at: float | None = None
    batch: str = ""  # the import it came with


class UnblockedList:
    """The Unblocking port. `files` gives the snapshot's entries as they are at the moment."""

    def __init__(
        self,
        database: Database,
        files: Callable[[], Mapping[str, Unblocked]] = dict,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._files = files
        self._monotonic = monotonic
        self._entries: dict[str, Unblocked] = {}
        self._revision = 0
        self._seen_at: float | None = None

    def look_up(self, mailbox: str, now: float) -> Unblocked | Unavailable | None:
        """The entry of an address, if one counts now; a file's before the database's."""
        key = normalise(mailbox)
        entry = self._files().get(key)
        if entry is not None and (entry.expires_at is None or entry.expires_at > now):
            return entry
        if self._seen_at is None or self._monotonic() - self._seen_at > _STALE:
            return Unavailable("the unblocked list's database does not answer")
        entry = self._entries.get(key)
        if entry is not None and (entry.expires_at is None or entry.expires_at > now):
            return entry
        return None

    async def refresh(self) -> None:
        """Take over what changed since the last time; to be called every second. Raises
        StoreError."""
        revision = self._revision
        revision, rows = await self._database.query(lambda c: _changes(c, revision))
        self._take(revision, rows)

    def refresh_now(self) -> None:
        """`refresh` for a synchronous caller."""
        with self._database.read() as connection:
            revision, rows = _changes(connection, self._revision)
        self._take(revision, rows)

    async def add(self, entries: Sequence[ListEntry]) -> None:
        """Put addresses on the list in one transaction; a known one gets the new particulars.

        Raises ValueError when any is no single address: then none is added. Raises StoreError.
        """
        rows = tuple(_row(entry) for entry in entries)
        if rows:
            await self._database.commit(_add, rows)
            await self.refresh()

    async def remove(self, addresses: Sequence[str], now: float) -> int:
        """Take addresses off; how many were on it. Raises StoreError."""
        folded = tuple(normalise(one) for one in addresses)
        removed = await self._database.commit(_remove, ("address", folded, now))
        await self.refresh()
        return removed

    async def remove_batch(self, batch: str, now: float) -> int:
        """Undo an import: take off what still stands as it brought it. Raises StoreError."""
        removed = await self._database.commit(_remove, ("batch", (batch,), now))
        await self.refresh()
        return removed

    def entries(self, batch: str | None = None) -> Sequence[ListEntry]:
        """What the database has on the list, expired ones included, by address."""
        wanted = select(allowlist).where(allowlist.c.removed_at.is_(None))
        if batch is not None:
            wanted = wanted.where(allowlist.c.batch == batch)
        with self._database.read() as connection:
            rows = connection.execute(wanted.order_by(allowlist.c.address)).mappings().all()
        return [ListEntry(**{name: row[name] for name in ListEntry.__slots__}) for row in rows]

    def _take(self, revision: int, rows: Sequence[Any]) -> None:
        # Two refreshes may overlap: an older answer must not undo a newer one.
        for row in rows if revision > self._revision else ():
            if row.removed_at is not None:
                self._entries.pop(row.address, None)
            else:
                self._entries[row.address] = Unblocked(
                    row.address, row.origin, row.site, row.expires_at
                )
        self._revision = max(self._revision, revision)
        self._seen_at = self._monotonic()


def _changes(connection: Connection, since: int) -> tuple[int, Sequence[Any]]:
    revision = revisions.current(connection, _NAME)
    if revision == since:
        return revision, ()
    changed = select(allowlist).where(
        allowlist.c.revision > since, allowlist.c.revision <= revision
    )
    return revision, connection.execute(changed).all()


def _row(entry: ListEntry) -> dict[str, Any]:
    row: dict[str, Any] = {name: getattr(entry, name) for name in ListEntry.__slots__}
    return row | {"address": single_address(entry.address), "removed_at": None}


def _add(connection: Connection, items: Sequence[tuple[dict[str, Any], ...]]) -> Sequence[None]:
    revision = revisions.bump(connection, _NAME)
    # In one order everywhere, so that two processes cannot wait for each other.
    rows = {row["address"]: row | {"revision": revision} for item in items for row in item}
    connection.execute(
        _insert(connection.dialect.name), [rows[address] for address in sorted(rows)]
    )
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
        )
        removed.append(connection.execute(statement).rowcount)
    return removed


@cache
def _insert(dialect: str) -> Any:
    make = postgresql.insert if dialect == "postgresql" else sqlite.insert
    statement = make(allowlist)
    return statement.on_conflict_do_update(
        index_elements=["address"],
        set_={c.name: statement.excluded[c.name] for c in allowlist.c if c.name != "address"},
    )
