"""What something costs, asserted so that every machine gives the same answer.

A second is a different amount of work on every machine, and on the same one beside other work. So
no test says how many seconds something may take. It says one of these:

- *Growth*: twice the input is at most 2.3 times the work (`assert_linear`). A square would be 4.
  Three doublings are measured together: what memory and caches add at one size tells nothing.
- *Bound*: a larger input is not more work at all (`assert_bounded`), where a limit ends it.
- *Ratio*: it is at most so many times another work, measured in the same moments (`assert_ratio`).
- *Share*: nothing held the event loop for more than so large a part of what it did (`Held`).
- Counted steps, where there is something to count. That needs nothing of this module.

Work is the CPU of this thread, in the best of several runs, with the two sides measured in turn so
that both meet the same weather, and with the garbage collector off: what it costs depends on all
tests before this one. What has passed may have been lucky once, and so at least three runs count;
what fails has failed in every one of many.
"""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any, AnyStr, Generic, TypeVar

GROWTH = 2.3  # of the work, at every doubling of the input
_DOUBLINGS = 3
_BOUNDED = 1.1  # "not more": what chance adds
_LEAST, _MOST = 3, 15  # rounds: to pass, to fail
_TRIES = 8  # for what is measured by the wall clock
_MEASURABLE = 0.002  # seconds below which a work is repeated: the clock's own noise is some µs

T = TypeVar("T")
U = TypeVar("U")
Work = Callable[[], object]


@dataclass(frozen=True)
class Growing(Generic[T]):
    """An input that can be made as large as wanted; `size` is how large it is tried."""

    make: Callable[[int], T]
    size: int
    name: str = ""

    def __str__(self) -> str:
        """Short, for the ids of tests."""
        return self.name or str(self.size)

    def then(self, step: Callable[[T], U]) -> Growing[U]:
        """The same after a step that does not count as work, such as parsing."""
        return Growing(lambda size: step(self.make(size)), self.size, self.name)


def growing(
    unit: AnyStr, times: int, before: AnyStr | None = None, after: AnyStr | None = None
) -> Growing[AnyStr]:
    """A unit so many times, between two texts that stay as they are."""
    nothing = unit[:0]
    name = f"{(before or nothing) + unit!r:.24}"
    return Growing(lambda size: (before or nothing) + unit * size + (after or nothing), times, name)


def assert_linear(what: Growing[T], work: Callable[[T], Any], growth: float = GROWTH) -> None:
    """The work grows by at most `growth` at each of the three doublings up to the input's size.

    A limit inside the work makes it bounded above; then a size below the limit tells more."""
    small, whole = what.make(what.size >> _DOUBLINGS), what.make(what.size)
    allowed = growth**_DOUBLINGS
    found = _compared(lambda: work(whole), lambda: work(small), allowed)
    each = found.ratio ** (1 / _DOUBLINGS)
    assert found.ratio <= allowed, (
        f"a doubling of the input is {each:.2f} times the work, allowed are {growth}: "
        f"{1 << _DOUBLINGS} times the input is {found}"
    )


def assert_bounded(what: Growing[T], work: Callable[[T], Any]) -> None:
    """The work does not grow up to the input's size: a limit ends it before."""
    assert_linear(what, work, _BOUNDED)


def assert_ratio(work: Work, reference: Work, most: float) -> None:
    """A work is at most `most` times the reference."""
    found = _compared(work, reference, most)
    assert found.ratio <= most, f"it is {found}; allowed are {most}"


def cpu(work: Work) -> float:
    """Seconds of this thread's CPU that one run takes: for a first look, never for a verdict."""
    with _no_collector():
        return _cpu(work, 1)


@dataclass(frozen=True)
class _Compared:
    one: float  # seconds of CPU, best of the rounds
    other: float
    rounds: int

    @property
    def ratio(self) -> float:
        return self.one / self.other

    def __str__(self) -> str:
        return (
            f"{self.ratio:.2f} times the work: {self.one * 1e3:.3f} ms beside "
            f"{self.other * 1e3:.3f} ms, best of {self.rounds}"
        )


def _compared(one: Work, other: Work, most: float) -> _Compared:
    """Both in turn, until the ratio is small enough or hope is lost."""
    with _no_collector():
        other()  # what is made once - tables, caches - is no part of it
        one_times, other_times = _times(one), _times(other)
        ones, others = [], []
        for rounds in range(1, _MOST + 1):
            others.append(_cpu(other, other_times))
            ones.append(_cpu(one, one_times))
            found = _Compared(min(ones), min(others), rounds)
            if rounds >= _LEAST and found.ratio <= most:
                break
        return found


def _times(work: Work) -> int:
    return max(1, min(2_000, round(_MEASURABLE / max(_cpu(work, 1), 1e-7))))


def _cpu(work: Work, times: int) -> float:
    """Seconds of this thread's CPU that the work takes once, measured over so many times."""
    started = time.thread_time()
    for _ in range(times):
        work()
    return (time.thread_time() - started) / times


@contextmanager
def _no_collector() -> Iterator[None]:
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


@dataclass
class Held:
    """How long the event loop stood still at most, and how long it was watched: wall clock, since
    another thread that keeps the interpreter's lock takes no CPU of this one."""

    longest: float = 0.0
    whole: float = 0.0

    @property
    def share(self) -> float:
        """What part of the time it stood still in one piece: 1 where all was done on the loop."""
        return self.longest / self.whole if self.whole else 1.0


@asynccontextmanager
async def watched_loop() -> AsyncIterator[Held]:
    """Watch the running loop while the body awaits, or does not."""
    held = Held()

    async def watch() -> None:
        while True:
            before = time.perf_counter()
            await asyncio.sleep(0)
            held.longest = max(held.longest, time.perf_counter() - before)

    task = asyncio.create_task(watch())
    await asyncio.sleep(0)  # it looks at the clock: a body that never awaits is seen too
    began = time.perf_counter()
    try:
        yield held
        held.whole = time.perf_counter() - began
        await asyncio.sleep(0)
    finally:
        task.cancel()


async def assert_loop_free(work: Callable[[], Awaitable[object]], most: float = 0.25) -> None:
    """The work stands on the loop for at most a part of its time in one piece; on the loop as a
    whole it would be 1. The best of several: a busy machine may take the loop away by itself."""
    seen = []
    for _ in range(_TRIES):
        async with watched_loop() as held:
            await work()
        seen.append(held)
        if held.share <= most:
            return
    raise AssertionError(f"it held the loop for more than {most} of its time: {seen}")
