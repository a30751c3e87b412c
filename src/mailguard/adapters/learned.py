"""What reviewers taught: how many spam and ham examples held each word (R26).

Owns the rows of `tokens` and `learned`, and a copy of them in memory. Must not know what a word
is, nor the arithmetic (`core.bayes`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Connection, bindparam, case, select, update
from sqlalchemy.dialects import postgresql, sqlite

from mailguard.adapters import revisions
from mailguard.adapters.database import Database
from mailguard.adapters.tables import learned, tokens
from mailguard.core import bayes
from mailguard.core.facts import Bayes, Unavailable

_NAME = "tokens"
_STALE = 600.0  # seconds without the database after which the opinion is not trusted


@dataclass(frozen=True, slots=True)
class _Lesson:
    tokens: frozenset[int]
    spam: bool
    back: bool  # taken back


class LearnedWords:
    """The Learned port."""

    def __init__(self, database: Database, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._monotonic = monotonic
        self._counts: dict[int, tuple[int, int]] = {}  # spam, ham
        self._examples = (0, 0)
        self._revision = 0
        self._seen_at: float | None = None

    def opinion(self, words: Callable[[], Sequence[str]]) -> Bayes | Unavailable | None:
        """What the examples say of a message with these words; None below the floor."""
        if self._seen_at is None or self._monotonic() - self._seen_at > _STALE:
            return Unavailable("what was learned cannot be read from the database")
        if min(self._examples) < bayes.FLOOR:
            return None
        counts = []
        for word in dict.fromkeys(words()):
            found = self._counts.get(bayes.token(word))
            if found is not None:
                counts.append((word, *found))
        return bayes.opinion(counts, *self._examples)

    async def learn(self, words: Sequence[str], spam: bool) -> None:
        """One example more. Raises StoreError."""
        await self._teach(words, spam, back=False)

    async def unlearn(self, words: Sequence[str], spam: bool) -> None:
        """Take an example back. Raises StoreError."""
        await self._teach(words, spam, back=True)

    async def refresh(self) -> None:
        """Take over what changed since the last time; to be called every second or so. Raises
        StoreError."""
        revision = self._revision
        self._take(*await self._database.query(lambda c: _changes(c, revision)))

    def refresh_now(self) -> None:
        """`refresh` for a synchronous caller."""
        with self._database.read() as connection:
            changes = _changes(connection, self._revision)
        self._take(*changes)

    async def _teach(self, words: Sequence[str], spam: bool, back: bool) -> None:
        numbers = frozenset(bayes.token(word) for word in words)
        await self._database.commit(_teach, _Lesson(numbers, spam, back))
        await self.refresh()

    def _take(self, revision: int, examples: tuple[int, int] | None, rows: Sequence[Any]) -> None:
        # Two refreshes may overlap: an older answer must not undo a newer one.
        if examples is not None and revision > self._revision:
            self._counts.update((row.token, (row.spam, row.ham)) for row in rows)
            self._examples = examples
            self._revision = revision
        self._seen_at = self._monotonic()


def _changes(
    connection: Connection, since: int
) -> tuple[int, tuple[int, int] | None, Sequence[Any]]:
    revision = revisions.current(connection, _NAME)
    if revision == since:
        return revision, None, ()
    counts = connection.execute(select(learned.c.spam, learned.c.ham)).first()
    examples = (0, 0) if counts is None else (counts.spam, counts.ham)
    changed = select(tokens.c.token, tokens.c.spam, tokens.c.ham).where(
        tokens.c.revision > since, tokens.c.revision <= revision
    )
    return revision, examples, connection.execute(changed).all()


def _teach(connection: Connection, items: Sequence[_Lesson]) -> Sequence[None]:
    adding = _statements(connection.dialect.name)
    for item in items:
        revision = revisions.bump(connection, _NAME)
        kind = "spam" if item.spam else "ham"
        # In one order everywhere, so that two processes cannot wait for each other.
        numbers = [{"token": number, "revision": revision} for number in sorted(item.tokens)]
        if item.back:
            connection.execute(update(learned).values({kind: _one_less(learned.c[kind])}))
            values = {kind: _one_less(tokens.c[kind]), "revision": revision}
            taught = update(tokens).where(tokens.c.token == bindparam("of")).values(values)
            if numbers:
                connection.execute(taught, [{"of": number["token"]} for number in numbers])
            continue
        count = {"spam": int(item.spam), "ham": int(not item.spam)}
        connection.execute(adding[0], {"id": 1} | count)
        if numbers:
            connection.execute(adding[1], [number | count for number in numbers])
    return [None] * len(items)


def _one_less(column: ColumnElement[int]) -> ColumnElement[int]:
    return case((column > 0, column - 1), else_=0)


@cache
def _statements(dialect: str) -> tuple[Any, Any]:
    """Inserts that add to what is there: of the examples' numbers, and of a word's."""
    make = postgresql.insert if dialect == "postgresql" else sqlite.insert
    total, word = make(learned), make(tokens)
    return (
        total.on_conflict_do_update(
            index_elements=["id"],
            set_={
                "spam": learned.c.spam + total.excluded.spam,
                "ham": learned.c.ham + total.excluded.ham,
            },
        ),
        word.on_conflict_do_update(
            index_elements=["token"],
            set_={
                "spam": tokens.c.spam + word.excluded.spam,
                "ham": tokens.c.ham + word.excluded.ham,
                "revision": word.excluded.revision,
            },
        ),
    )
