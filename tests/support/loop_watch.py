"""How long an event loop is held: of `mailguard serve` from within, and of a bare loop beside it.

    python loop_watch.py serve ...   mailguard, its loop watched into $LOOP_WATCH
    python loop_watch.py             a bare asyncio loop that only watches itself

A line in the file is a moment of the clock that all processes share, and by how many seconds a
timer was late then. With $LOOP_HELD_BY every thread's stack is written down, from outside the
interpreter, while the loop is held for longer than 80 ms: whoever mends it needs that. While the
file $SLOW_DATABASE is there, every statement of the database takes as many seconds as it says.
"""

from __future__ import annotations

import asyncio
import faulthandler
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_TICK = 0.01
_HELD = 0.08

LAUNCHER = (sys.executable, str(Path(__file__).resolve()))


async def watch() -> None:
    """Note how late each timer is, until the process ends."""
    stacks = os.environ.get("LOOP_HELD_BY")
    held_by = Path(stacks).open("a") if stacks else None  # noqa: SIM115 - for the process's life
    with Path(os.environ["LOOP_WATCH"]).open("a", buffering=1) as file:
        while True:
            if held_by is not None:
                faulthandler.dump_traceback_later(_TICK + _HELD, file=held_by)
            due = time.monotonic() + _TICK
            await asyncio.sleep(_TICK)
            now = time.monotonic()
            file.write(f"{now:.4f} {now - due:.4f}\n")


def longest(file: Path, since: float, until: float) -> float:
    """The latest timer between two moments, in seconds; it must have been watched then."""
    late = [
        float(late)
        for at, late in (line.split() for line in file.read_text().splitlines())
        if since <= float(at) <= until
    ]
    assert late, f"nothing was watched between {since} and {until}"
    return max(late)


@contextmanager
def bare_loop(file: Path) -> Iterator[None]:
    """A loop with nothing to do in a process of its own."""
    environment = {**os.environ, "LOOP_WATCH": str(file)}
    environment.pop("LOOP_HELD_BY", None)
    child = subprocess.Popen(LAUNCHER, env=environment)
    try:
        yield
    finally:
        child.kill()
        child.wait()


def _slow_down(*_: object) -> None:
    """Wherever a statement is carried out, that thread waits."""
    with suppress(FileNotFoundError, KeyError):
        time.sleep(float(Path(os.environ["SLOW_DATABASE"]).read_text()))


def _main() -> None:
    if len(sys.argv) < 2:
        asyncio.run(watch())
        return
    from sqlalchemy import Engine, event

    from mailguard.cli import main
    from mailguard.server import app

    app._watch_the_loop = watch
    event.listen(Engine, "before_cursor_execute", _slow_down)
    main()


if __name__ == "__main__":  # the reading workers import this file too
    _main()
