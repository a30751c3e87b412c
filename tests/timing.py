"""How much CPU something takes, told so that a busy machine does not make a test fail."""

from __future__ import annotations

import contextlib
import gc
import time
from collections.abc import Callable, Iterator


def quickest(call: Callable[[], object], runs: int = 3) -> float:
    """Seconds of this thread's CPU that the quickest of some runs took.

    The garbage collector waits meanwhile: what it costs depends on all tests before this one."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        return min(_once(call) for _ in range(runs))
    finally:
        if collecting:
            gc.enable()


def _once(call: Callable[[], object]) -> float:
    started = time.thread_time()
    call()
    return time.thread_time() - started


@contextlib.contextmanager
def within(seconds: float) -> Iterator[None]:
    """Fails where what stands below takes more CPU of this thread than that."""
    collecting = gc.isenabled()
    gc.disable()
    started = time.thread_time()
    try:
        yield
        took = time.thread_time() - started
    finally:
        if collecting:
            gc.enable()
    assert took < seconds
