"""Waiting for what must happen, as long as it takes on any machine, and saying what did not.

A test that passes waits no longer than it needs. Whether something happens soon enough for people
is no test's business; that it happens at all is.
"""

from __future__ import annotations

import asyncio
import linecache
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

PATIENCE = 120.0  # seconds, by which whatever must happen has happened on the slowest machine
_LOOK = 0.02  # seconds between two looks

T = TypeVar("T")


def until(
    true: Callable[[], T], told: Callable[[], str] = str, what: str = "", seconds: float = PATIENCE
) -> T:
    """What `true` says once it is true. AssertionError that names what was waited for - the line
    that `true` stands in, where nothing is given - with what `told` adds then: a log."""
    end = time.monotonic() + seconds
    while not (found := true()):
        if time.monotonic() > end:
            raise _vain(what or _line_of(true), told, seconds)
        time.sleep(_LOOK)
    return found


async def soon(
    true: Callable[[], T], told: Callable[[], str] = str, what: str = "", seconds: float = PATIENCE
) -> T:
    """`until`, while the event loop runs on."""
    end = time.monotonic() + seconds
    while not (found := true()):
        if time.monotonic() > end:
            raise _vain(what or _line_of(true), told, seconds)
        await asyncio.sleep(_LOOK)
    return found


@asynccontextmanager
async def patiently(what: str, seconds: float = PATIENCE) -> AsyncIterator[None]:
    """The body must come to its end; AssertionError that names `what` was waited for if not."""
    limit = asyncio.timeout(seconds)
    try:
        async with limit:
            yield
    except TimeoutError:
        if not limit.expired():
            raise
        raise _vain(what, str, seconds) from None


def _vain(what: str, told: Callable[[], str], seconds: float) -> AssertionError:
    return AssertionError(f"waited {seconds:.0f} s in vain for {what}\n{told()}".rstrip())


def _line_of(function: Callable[..., object]) -> str:
    code = getattr(function, "__code__", None)
    if code is None:
        return repr(function)
    return linecache.getline(code.co_filename, code.co_firstlineno).strip()
