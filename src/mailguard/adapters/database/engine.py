"""The database: its engine, and one writer thread that commits what waits together.

Owns connections, transactions and what an error of the driver means. Must not know the tables.
There is one way to read, for the server and the commands: awaited, in a thread, with a deadline
(`queries`). No caller can hold the event loop with a read.

What is to be written waits in a queue; the writer takes everything that is there, carries it out
in one database transaction and resolves the callers' futures only after COMMIT. If that fails,
each is tried alone, so that one bad operation does not fail its neighbours. An operation may so
run more than once: it must have no effect but on its connection.

A Database belongs to one process: open it after fork.
"""

from __future__ import annotations

import asyncio
import errno
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from mailguard.adapters.database import migrations
from mailguard.adapters.database.queries import Queries, ReadOverrun
from mailguard.adapters.database.tables import metadata
from mailguard.pipeline.ports import StoreError

Item = TypeVar("Item")
Result = TypeVar("Result")
# Carries out one kind of operation for several callers: one result for each item, in order.
Operation = Callable[[Connection, Sequence[Item]], Sequence[Result]]

READING = 10.0  # seconds for a read
LOADING = 300.0  # seconds for a read of a whole list, however long it is

_BATCH = 200  # operations in one database transaction at most
_TRIES = 3  # of one operation that PostgreSQL asks to repeat
_REPEAT = ("40001", "40P01")  # serialization_failure, deadlock_detected
_BLOCKED = ("55P03", "57014")  # lock_not_available, query_canceled: a time-out of ours

_FULL = ("53100",)  # disk_full


@dataclass(slots=True)
class _Job:
    operation: Operation[Any, Any]
    item: Any
    future: asyncio.Future[Any]
    loop: asyncio.AbstractEventLoop
    result: Any = None
    error: Exception | None = None


class _Hopeless(Exception):
    """The whole batch is lost: no connection, no lock, or a COMMIT whose fate is unknown. To try
    each alone would only make all of them wait again."""

    def __init__(self, error: SQLAlchemyError) -> None:
        super().__init__()
        self.error = error


class Database:
    """`url` is SQLAlchemy's; see `location`. `patience`: seconds to wait for a lock."""

    def __init__(self, url: str, patience: float = 5.0) -> None:
        self._patience = patience
        self._writer = _engine(url, patience, writing=True)
        self._reader = _engine(url, patience, writing=False)
        self._queries = Queries(self._reader)
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._start = threading.Lock()
        self._closed = False

    @property
    def dialect(self) -> str:
        """`sqlite` or `postgresql`."""
        return self._writer.dialect.name

    def upgrade(self) -> None:
        """Bring the schema up to date, under a lock. Raises StoreError."""
        with self.write() as connection:
            migrations.upgrade(connection, metadata)

    async def commit(self, operation: Operation[Item, Result], item: Item) -> Result:
        """Carry an operation out; durable when this returns. Items of one operation that wait
        together are given to it together.

        Raises StoreError, or what the operation itself raised; then nothing of it was written.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Result] = loop.create_future()
        if self._thread is None:
            self._begin()
        if self._closed:
            raise StoreError("the database is closed")
        self._jobs.put(_Job(operation, item, future, loop))
        return await future

    async def query(
        self, operation: Callable[[Connection], Result], seconds: float = READING
    ) -> Result:
        """Read something. Raises StoreError, also where there is no answer within so many
        seconds: the read is cut off then."""
        if self._closed:
            raise StoreError("the database is closed")
        with _trouble_named():
            try:
                return await self._queries.ask(operation, seconds)
            except ReadOverrun:
                raise StoreError(f"database: no answer within {seconds:g} seconds") from None

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """One database transaction for a synchronous caller. Raises StoreError."""
        with _trouble_named(), self._writer.begin() as connection:
            yield connection

    async def ready(self) -> None:
        """Whether a write lock can be had. Raises StoreError."""
        await self.commit(_nothing, None)

    def close(self) -> None:
        """Carry out what waits, then let go of every connection."""
        with self._start:
            self._closed = True
            thread, self._thread = self._thread, None
        if thread is not None:
            self._jobs.put(None)
            thread.join()
        while not self._jobs.empty():  # came in while the writer ended
            late = self._jobs.get()
            if late is not None:
                late.error = StoreError("the database is closed")
                _answer([late])
        self._queries.close()
        self._writer.dispose()
        self._reader.dispose()

    def _begin(self) -> None:
        with self._start:
            if self._thread is None and not self._closed:
                self._thread = threading.Thread(
                    target=self._run, name="database-write", daemon=True
                )
                self._thread.start()

    def _run(self) -> None:
        ending = False
        while not ending:
            jobs: list[_Job] = []
            job = self._jobs.get()
            while job is not None:
                jobs.append(job)
                if len(jobs) == _BATCH:
                    break
                try:
                    job = self._jobs.get_nowait()
                except queue.Empty:
                    break
            else:
                ending = True
            if jobs:
                self._carry_out(jobs)
                _answer(jobs)

    def _carry_out(self, jobs: list[_Job]) -> None:
        """Fill in every job's result or error. Never raises."""
        try:
            self._together(jobs)
        except _Hopeless as hopeless:
            for job in jobs:
                job.error = _named(hopeless.error)
        except Exception as error:  # noqa: BLE001 - whatever it is, it reaches those who wait
            if len(jobs) == 1:
                jobs[0].error = _named(error)
                return
            for job in jobs:
                self._carry_out([job])

    def _together(self, jobs: list[_Job]) -> None:
        for attempt in range(1, _TRIES + 1):
            try:
                self._transact(jobs)
                return
            except DBAPIError as error:
                # Nothing was committed, so it may be run again on a new connection.
                again = error.connection_invalidated or _code(error) in _REPEAT
                if _code(error) in _BLOCKED:
                    raise _Hopeless(error) from error
                if not again or attempt == _TRIES:
                    raise

    def _transact(self, jobs: list[_Job]) -> None:
        try:
            connection = self._writer.connect()
        except SQLAlchemyError as error:
            raise _Hopeless(error) from error
        with connection:
            try:
                transaction = connection.begin()
            except SQLAlchemyError as error:
                if isinstance(error, DBAPIError) and error.connection_invalidated:
                    raise
                raise _Hopeless(error) from error
            with transaction:
                for operation, group in _grouped(jobs):
                    results = operation(connection, [job.item for job in group])
                    for job, result in zip(group, results, strict=True):
                        job.result = result
                try:
                    transaction.commit()
                except DBAPIError as error:
                    if error.connection_invalidated:
                        raise _Hopeless(error) from error
                    raise


def location(database: str, state: Path) -> str:
    """The URL of a StorageSettings: its own, or SQLite's in the state directory."""
    if not database:
        return f"sqlite:///{state / 'mailguard.db'}"
    if database.startswith("postgresql://"):
        return "postgresql+psycopg" + database[len("postgresql") :]
    return database


def _nothing(connection: Connection, items: Sequence[None]) -> Sequence[None]:
    connection.execute(text("SELECT 1"))
    return items


def _grouped(jobs: list[_Job]) -> list[tuple[Operation[Any, Any], list[_Job]]]:
    groups: dict[Operation[Any, Any], list[_Job]] = {}
    for job in jobs:
        groups.setdefault(job.operation, []).append(job)
    return list(groups.items())


def _answer(jobs: list[_Job]) -> None:
    loops: dict[asyncio.AbstractEventLoop, list[_Job]] = {}
    for job in jobs:
        loops.setdefault(job.loop, []).append(job)
    for loop, theirs in loops.items():
        try:
            loop.call_soon_threadsafe(_resolve, theirs)
        except RuntimeError:  # the loop is closed: nobody waits any more
            continue


def _resolve(jobs: list[_Job]) -> None:
    for job in jobs:
        if job.future.done():  # the caller was cancelled; what it asked for is done all the same
            continue
        if job.error is not None:
            job.future.set_exception(job.error)
        else:
            job.future.set_result(job.result)


@contextmanager
def _trouble_named() -> Iterator[None]:
    try:
        yield
    except SQLAlchemyError as error:
        raise _named(error) from error


def _named(error: Exception) -> Exception:
    """A driver's error as StoreError; an operation's own as it is."""
    if not isinstance(error, SQLAlchemyError):
        return error
    cause = getattr(error, "orig", None) or error
    named = StoreError(f"database: {type(cause).__name__}: {cause}", full=_is_full(error))
    named.__cause__ = error
    return named


def _code(error: SQLAlchemyError) -> str:
    """PostgreSQL's SQLSTATE or SQLite's error name."""
    cause = getattr(error, "orig", None)
    return getattr(cause, "sqlstate", None) or getattr(cause, "sqlite_errorname", None) or ""


def _is_full(error: SQLAlchemyError) -> bool:
    cause = getattr(error, "orig", None)
    system = getattr(cause, "errno", None)
    return _code(error) in (*_FULL, "SQLITE_FULL") or system in (errno.ENOSPC, errno.EDQUOT)


def _engine(url: str, patience: float, writing: bool) -> Engine:
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        engine = create_engine(
            parsed, connect_args={"timeout": patience}, pool_size=4, max_overflow=8
        )
        _set_up_sqlite(engine, writing, patience)
        return engine
    milliseconds = int(patience * 1000)
    return create_engine(
        parsed,
        pool_size=4,
        max_overflow=8,
        connect_args={
            "connect_timeout": max(2, int(patience)),
            "tcp_user_timeout": 2 * milliseconds,
            "options": f"-c lock_timeout={milliseconds} -c statement_timeout={6 * milliseconds}"
            f" -c synchronous_commit=on"
            + ("" if writing else " -c default_transaction_read_only=on"),
        },
    )


def _set_up_sqlite(engine: Engine, writing: bool, patience: float) -> None:
    @event.listens_for(engine, "connect")
    def connect(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # the driver begins nothing by itself
        cursor = connection.cursor()
        _write_ahead(cursor, patience)
        cursor.execute("PRAGMA synchronous=FULL")  # COMMIT is durable against power loss
        cursor.execute("PRAGMA foreign_keys=ON")
        if not writing:
            cursor.execute("PRAGMA query_only=ON")
        cursor.close()

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        # The write lock at once: a transaction that read first could not wait for it later.
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")


def _write_ahead(cursor: Any, patience: float) -> None:
    """Turn the write-ahead log on. While others open a new file for the first time SQLite answers
    "locked" at once, whatever its time-out says (it is no lock that one can wait for)."""
    end = time.monotonic() + patience
    while True:
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError:
            if time.monotonic() > end:
                raise
            time.sleep(0.02)
