"""What reviewers taught: what the examples that held each word are worth (R26).

Owns the rows of `tokens`, `learned` and `lessons`, and a copy of the first two in memory. Must not
know what a word is, nor the arithmetic (`core.spam.bayes`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, bindparam, case, delete, func, select, update

from mailguard.adapters.database import revisions
from mailguard.adapters.database.engine import LOADING, Database
from mailguard.adapters.database.tables import learned, lessons, tokens
from mailguard.adapters.database.upsert import Columns, Upsert
from mailguard.casework.lessons import Lesson
from mailguard.core.decision.facts import Bayes, Unavailable
from mailguard.core.spam import bayes

MOST_WORDS = 100_000  # kept; above, a quarter goes: those whose examples are worth least
MOST_LESSONS = 100_000  # remembered; older ones still count, but cannot be taken back
_NAME = "tokens"
_STALE = 600.0  # seconds without the database after which the opinion is not trusted
_NOTHING = 1e-6  # of an example: what rounding may leave


@dataclass(frozen=True, slots=True)
class LearnedStore:
    """How much was taught."""

    spam: int  # lessons remembered
    ham: int
    spam_worth: float  # examples, each by its age
    ham_worth: float
    words: int
    newest: float | None  # when the last lesson was taught


@dataclass(frozen=True, slots=True)
class _Taught:
    example: str
    tokens: tuple[int, ...]
    spam: bool | None
    at: float


@dataclass(frozen=True, slots=True)
class _Changes:
    revision: int
    examples: tuple[float, float] | None = None  # spam, ham; None: nothing has changed
    counts: dict[int, tuple[float, float]] | None = None
    whole: bool = False  # `counts` is everything that there is


class LearnedWords:
    """The Learned port."""

    def __init__(
        self,
        database: Database,
        monotonic: Callable[[], float] = time.monotonic,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._database = database
        self._monotonic = monotonic
        self._clock = clock
        self._counts: dict[int, tuple[float, float]] = {}  # spam, ham
        self._examples = (0.0, 0.0)
        self._revision = 0
        self._seen_at: float | None = None

    def opinion(self, words: Callable[[], Sequence[str]]) -> Bayes | Unavailable | None:
        """What the examples say of a message with these words; None below the floor."""
        if self._seen_at is None or self._monotonic() - self._seen_at > _STALE:
            return Unavailable("what was learned cannot be read from the database")
        today = bayes.weight(self._clock())
        spam_examples, ham_examples = (summed / today for summed in self._examples)
        if not bayes.enough(spam_examples, ham_examples):
            return None
        counts = []
        for word in dict.fromkeys(words()):
            found = self._counts.get(bayes.token(word))
            if found is not None:
                counts.append((word, found[0] / today, found[1] / today))
        return bayes.opinion(counts, spam_examples, ham_examples)

    async def teach(self, lessons: Sequence[Lesson]) -> int:
        """Take lessons over, in their order; how many of them were known before. Raises
        StoreError."""
        now = self._clock()
        known = await self._database.commit(
            _teach,
            tuple(
                _Taught(one.example, tuple({bayes.token(w) for w in one.words}), one.spam, now)
                for one in lessons
            ),
        )
        await self.refresh()
        return known

    async def refresh(self) -> None:
        """Take over what changed since the last time; to be called every second or so. Raises
        StoreError."""
        revision = self._revision
        self._take(await self._database.query(lambda c: _changes(c, revision), LOADING))

    async def stock(self) -> LearnedStore:
        """How much was taught. Raises StoreError."""
        today = bayes.weight(self._clock())
        return await self._database.query(lambda c: _stock(c, today))

    def _take(self, changes: _Changes) -> None:
        # Two refreshes may overlap: an older answer must not undo a newer one.
        if changes.counts is not None and changes.revision > self._revision:
            assert changes.examples is not None
            if changes.whole:
                self._counts = changes.counts
            else:
                self._counts.update(changes.counts)
            self._examples = changes.examples
            self._revision = changes.revision
        self._seen_at = self._monotonic()


def _changes(connection: Connection, since: int) -> _Changes:
    revision = revisions.current(connection, _NAME)
    if revision == since:
        return _Changes(revision)
    totals = connection.execute(select(learned.c.spam, learned.c.ham, learned.c.pruned)).first()
    changed = select(tokens.c.token, tokens.c.spam, tokens.c.ham)
    whole = totals is not None and totals.pruned > since
    if not whole:
        changed = changed.where(tokens.c.revision > since, tokens.c.revision <= revision)
    rows = connection.execute(changed)
    return _Changes(
        revision,
        (0.0, 0.0) if totals is None else (totals.spam, totals.ham),
        {row.token: (row.spam, row.ham) for row in rows},
        whole,
    )


def _stock(connection: Connection, today: float) -> LearnedStore:
    totals = connection.execute(select(learned.c.spam, learned.c.ham)).first()
    kinds = select(lessons.c.spam, func.count(), func.max(lessons.c.taught_at))
    taught = {
        spam: (number, newest)
        for spam, number, newest in connection.execute(kinds.group_by(lessons.c.spam))
    }
    words = select(func.count()).select_from(tokens).where(tokens.c.spam + tokens.c.ham > 0)
    return LearnedStore(
        spam=taught.get(True, (0, None))[0],
        ham=taught.get(False, (0, None))[0],
        spam_worth=totals.spam / today if totals is not None else 0.0,
        ham_worth=totals.ham / today if totals is not None else 0.0,
        words=int(connection.execute(words).scalar_one()),
        newest=max((newest for _, newest in taught.values()), default=None),
    )


def _teach(connection: Connection, items: Sequence[tuple[_Taught, ...]]) -> Sequence[int]:
    # The number's row is the lock: nobody else changes these tables meanwhile.
    revision = revisions.bump(connection, _NAME)
    results = [sum(_carry_out(connection, lesson, revision) for lesson in item) for item in items]
    _prune(connection, revision)
    return results


def _carry_out(connection: Connection, lesson: _Taught, revision: int) -> bool:
    """One lesson; whether there was one of this example before."""
    row = lessons.c.example == lesson.example
    known = connection.execute(select(lessons.c.spam, lessons.c.taught_at).where(row)).first()
    if known is not None:
        _take_back(connection, lesson.tokens, known.spam, bayes.weight(known.taught_at), revision)
        connection.execute(delete(lessons).where(row))
    if lesson.spam is not None:
        weight = bayes.weight(lesson.at)
        count = {"spam": weight, "ham": 0.0} if lesson.spam else {"spam": 0.0, "ham": weight}
        connection.execute(_SUMS.into(connection), {"id": 1, "pruned": 0} | count)
        rows = [{"token": number, "revision": revision} | count for number in lesson.tokens]
        if rows:
            connection.execute(_WORD.into(connection), rows)
        taught = {"example": lesson.example, "spam": lesson.spam, "taught_at": lesson.at}
        connection.execute(lessons.insert(), taught)
    return known is not None


def _take_back(
    connection: Connection, numbers: Sequence[int], spam: bool, weight: float, revision: int
) -> None:
    kind = "spam" if spam else "ham"
    connection.execute(update(learned).values({kind: _less(learned.c[kind], weight)}))
    if numbers:
        connection.execute(
            update(tokens)
            .where(tokens.c.token == bindparam("of"))
            .values({kind: _less(tokens.c[kind], weight), "revision": revision}),
            [{"of": number} for number in numbers],
        )


def _less(column: ColumnElement[float], weight: float) -> ColumnElement[float]:
    left = column - weight
    return case((left > _NOTHING * weight, left), else_=0.0)


def _prune(connection: Connection, revision: int) -> None:
    kept = connection.execute(select(func.count()).select_from(tokens)).scalar_one()
    if kept > MOST_WORDS:
        worth = tokens.c.spam + tokens.c.ham
        # Ties are broken by the token, so that no more than a quarter goes.
        least = select(tokens.c.token).order_by(worth, tokens.c.token)
        going = least.limit(kept - MOST_WORDS + MOST_WORDS // 4)
        connection.execute(delete(tokens).where(tokens.c.token.in_(going)))
        connection.execute(update(learned).values(pruned=revision))
    remembered = connection.execute(select(func.count()).select_from(lessons)).scalar_one()
    if remembered > MOST_LESSONS:
        oldest = select(lessons.c.example).order_by(lessons.c.taught_at, lessons.c.example)
        going = oldest.limit(remembered - MOST_LESSONS)
        connection.execute(delete(lessons).where(lessons.c.example.in_(going)))


def _added(there: Columns, given: Columns) -> dict[str, Any]:
    return {"spam": there.spam + given.spam, "ham": there.ham + given.ham}


_SUMS = Upsert(learned, "id", change=_added)
_WORD = Upsert(
    tokens,
    "token",
    change=lambda there, given: _added(there, given) | {"revision": given.revision},
)
