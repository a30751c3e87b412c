"""Everything below the state directory, opened together: archive, ledger, outbox, lists.

Owns the order of opening and closing. Must not know who uses it: `serve` and the commands alike.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from mailguard.adapters.archive.blobs import Blobs
from mailguard.adapters.database.engine import Database, location
from mailguard.adapters.database.learned import LearnedWords
from mailguard.adapters.database.ledger import DatabaseLedger
from mailguard.adapters.database.outbox import OutboxStore
from mailguard.adapters.database.tickets import TicketStore
from mailguard.adapters.database.unblocked import UnblockedList
from mailguard.core.decision.facts import Unblocked
from mailguard.pipeline.counters import NoticeAllowance


@dataclass(frozen=True)
class StateDirectory:
    """The open state of one mailguard."""

    blobs: Blobs
    database: Database
    ledger: DatabaseLedger
    outbox: OutboxStore
    unblocked: UnblockedList
    learned: LearnedWords
    tickets: TicketStore
    notices: NoticeAllowance  # in memory: what was sent before a restart is forgotten

    @classmethod
    def open(
        cls,
        path: Path,
        database: str = "",
        compression: int = 3,
        files: Callable[[], Mapping[str, Unblocked]] = dict,
    ) -> StateDirectory:
        """Open, make what is missing, and bring the tables up to date. `database` is a SQLAlchemy
        URL, or "" for SQLite. Raises OSError or StoreError."""
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        blobs = Blobs(path / "blobs", compression)
        url = location(database, path)
        if not database:  # SQLite's files have the mode of the first: for nobody else's eyes
            (path / "mailguard.db").touch(mode=0o600)
        store = Database(url)
        store.upgrade()
        notices = NoticeAllowance()
        outbox = OutboxStore(store, blobs, notices)
        return cls(
            blobs,
            store,
            DatabaseLedger(store, blobs, outbox=outbox),
            outbox,
            UnblockedList(store, files),
            LearnedWords(store),
            TicketStore(store, outbox, time.time),
            notices,
        )

    def close(self) -> None:
        """Write what waits, then close."""
        self.database.close()
        self.blobs.close()
