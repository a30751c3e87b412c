"""A million entries on the unblocked list: to load, to look up, to change, and their memory.

Fills a database (SQLite, or --url of an empty PostgreSQL) in imports of 100,000, or files in
`allowlist.d`, and measures a process that loads them. Memory is resident memory, after less before;
how long the event loop is held is the longest time between two turns of a ticker.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from mailguard.adapters.database.engine import Database
from mailguard.adapters.database.unblocked import UnblockedList
from mailguard.config.allowlist import load_allowlist
from mailguard.core.sheets.parents import ImportPlan, ParentEntry

BARS = {"load": 10.0, "change": 2.0, "held": 0.1, "look-up": 5e-6}  # seconds
IMPORT = 100_000
PAGE = os.sysconf("SC_PAGE_SIZE")
LATER = 4_000_000_000.0


def mailbox(number: int) -> str:
    return f"parent.number{number}@example{number % 50}.com"


def resident() -> float:
    """Megabytes."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE / 1e6


@asynccontextmanager
async def ticking() -> AsyncIterator[Callable[[], float]]:
    """How long the loop was held at most, in seconds."""
    longest = 0.0

    async def tick() -> None:
        nonlocal longest
        while True:
            before = time.perf_counter()
            await asyncio.sleep(0.001)
            longest = max(longest, time.perf_counter() - before - 0.001)

    task = asyncio.create_task(tick())
    await asyncio.sleep(0.01)
    try:
        yield lambda: longest
    finally:
        task.cancel()


class Figures:
    def __init__(self) -> None:
        self.within = True

    def say(self, what: str, bar: str, seconds: float, unit: float = 1.0, name: str = "s") -> None:
        good = seconds <= BARS[bar]
        self.within = self.within and good
        verdict = "within" if good else "OVER"
        print(f"{what}: {seconds / unit:.3g} {name} ({verdict} the bar of {BARS[bar] / unit:g})")


def look_ups(figures: Figures, what: str, look_up: Callable[[str], Any], count: int) -> None:
    keys = [mailbox(number) for number in range(0, count, max(1, count // 50_000))]
    for kind, asked in (("listed", keys), ("not listed", [f"x{key}" for key in keys])):
        best = 9.0
        for _ in range(3):
            began = time.perf_counter()
            for key in asked:
                look_up(key)
            best = min(best, (time.perf_counter() - began) / len(asked))
        figures.say(f"{what}: a look-up, {kind}", "look-up", best, 1e-6, "µs")


async def of_database(figures: Figures, url: str, count: int) -> None:
    database = Database(url, patience=60)
    database.upgrade()
    writer = UnblockedList(database)
    for start in range(0, count, IMPORT):
        numbers = range(start, min(start + IMPORT, count))
        entries = tuple(ParentEntry(mailbox(n), f"site{n % 40}", "A1") for n in numbers)
        plan = ImportPlan("p.xlsx", "import p.xlsx", LATER, entries)
        began = time.perf_counter()
        await writer.take_in(plan, f"batch {start}", "bench", 1.0)
        print(f"database: import of {len(entries):,}: {time.perf_counter() - began:.2f} s")
    del writer, plan, entries
    before, unblocked = resident(), UnblockedList(database)
    async with ticking() as held:
        began = time.perf_counter()
        await unblocked.refresh()
        figures.say(f"database: to load {count:,}", "load", time.perf_counter() - began)
        figures.say("database: the loop held meanwhile", "held", held(), 1e-3, "ms")
    print(f"database: {resident() - before:.0f} MB")
    look_ups(figures, "database", lambda key: unblocked.look_up(key, 2.0), count)
    other = UnblockedList(database)
    await other.refresh()
    await other.remove([mailbox(0)], 2.0)
    began = time.perf_counter()
    await unblocked.refresh()
    figures.say("database: to see one change", "change", time.perf_counter() - began)
    await other.undo("batch 0", 3.0)
    async with ticking() as held:
        began = time.perf_counter()
        await unblocked.refresh()
        figures.say(f"database: to see {IMPORT:,} undone", "change", time.perf_counter() - began)
        figures.say("database: the loop held meanwhile", "held", held(), 1e-3, "ms")
    assert unblocked.look_up(mailbox(1), 4.0) is None
    database.close()


async def of_files(figures: Figures, directory: Path, count: int) -> None:
    folder = directory / "allowlist.d"
    folder.mkdir()
    for start in range(0, count, IMPORT):
        with (folder / f"{start:09}.txt").open("w") as file:
            for number in range(start, min(start + IMPORT, count)):
                file.write(f"{mailbox(number)} site=site{number % 40} expires=2027-06-30\n")
    before = resident()
    async with ticking() as held:
        began = time.perf_counter()
        listed = await asyncio.to_thread(load_allowlist, directory, "America/Los_Angeles")
        figures.say(f"files: to load {count:,}", "load", time.perf_counter() - began)
        figures.say("files: the loop held meanwhile", "held", held(), 1e-3, "ms")
    print(f"files: {resident() - before:.0f} MB")
    look_ups(figures, "files", listed.get, count)


async def run(arguments: argparse.Namespace) -> bool:
    figures = Figures()
    with tempfile.TemporaryDirectory() as place:
        url = arguments.url or f"sqlite:///{place}/mailguard.db"
        await of_database(figures, url, arguments.entries)
        await of_files(figures, Path(place), arguments.entries)
    return figures.within


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entries", type=int, default=1_000_000)
    parser.add_argument("--url", default="", help="an empty database instead of SQLite's")
    raise SystemExit(0 if asyncio.run(run(parser.parse_args())) else 1)


if __name__ == "__main__":
    main()
