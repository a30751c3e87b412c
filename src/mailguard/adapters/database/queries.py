"""Reads of the database that never hold the event loop, each with a deadline.

Owns the reading threads, and what becomes of a read that overruns: whoever waits is told at once,
the read is cut off, and its connection is not used again. Must not know the tables, nor what an
error of the driver means.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Generic, TypeVar

from sqlalchemy import Connection, Engine

Result = TypeVar("Result")

_THREADS = 4  # reads at once; more wait, and their deadlines run meanwhile


class ReadOverrun(Exception):
    """A read was not done within its seconds."""


class Queries:
    """`engine` gives connections that cannot write; each read has one to itself."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="database-read")
        self._reads: set[_Read[Any]] = set()  # that somebody waits for

    async def ask(self, operation: Callable[[Connection], Result], seconds: float) -> Result:
        """Carry a read out in a thread. Raises ReadOverrun, what the driver raised, or what the
        operation did; RuntimeError after `close`."""
        read = _Read(operation)
        answer = self._threads.submit(self._carry_out, read)
        self._reads.add(read)
        try:
            async with asyncio.timeout(seconds) as limit:
                return await asyncio.wrap_future(answer)
        except TimeoutError:
            if not limit.expired():  # the operation's own
                raise
            raise ReadOverrun from None
        finally:
            self._reads.discard(read)
            if not answer.done():  # overrun, or nobody waits any more
                read.cut_off()

    def close(self) -> None:
        """Cut off what is still being read, and end the threads."""
        for read in tuple(self._reads):
            read.cut_off()
        self._threads.shutdown()

    def _carry_out(self, read: _Read[Result]) -> Result:
        with self._engine.connect() as connection:
            return read.carry_out(connection)


class _Read(Generic[Result]):
    """One read, which any thread may cut off."""

    def __init__(self, operation: Callable[[Connection], Result]) -> None:
        self._operation = operation
        self._guard = threading.Lock()
        self._driver: Any = None  # the driver's connection, while it is read from
        self._cut_off = False

    def carry_out(self, connection: Connection) -> Result:
        with self._guard:
            if self._cut_off:
                raise ReadOverrun
            self._driver = connection.connection.driver_connection
        try:
            return self._operation(connection)
        finally:
            with self._guard:
                self._driver = None
                unusable = self._cut_off
            if unusable:  # an interruption that came late would hit the next one to use it
                connection.invalidate()

    def cut_off(self) -> None:
        """End it soon; never waits for anything."""
        with self._guard:
            self._cut_off = True
            if self._driver is not None:
                _interrupt(self._driver)


def _interrupt(driver: Any) -> None:
    """End what a connection of another thread waits for, at once: SQLite has a call for it;
    PostgreSQL's may hang for as long as the server does, so its socket is shut."""
    if hasattr(driver, "interrupt"):
        driver.interrupt()
        return
    with contextlib.suppress(Exception), socket.socket(fileno=os.dup(driver.fileno())) as wire:
        wire.shutdown(socket.SHUT_RDWR)
