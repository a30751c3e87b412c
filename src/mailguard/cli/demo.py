"""`mailguard demo`: the example district on loopback, in two minutes.

Owns the options, the directory's life and what is printed. Must not know how the demo runs.
"""

from __future__ import annotations

import asyncio
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mailguard.core.mail.safe_text import terminal
from mailguard.terminal import INTERNAL, ConfigOption, fail

if TYPE_CHECKING:
    from mailguard.demo.district import DemoDistrict
    from mailguard.demo.runner import Demo

_DIFFERS, _INTERRUPTED = 1, 130


def demo(
    config: ConfigOption = Path("config"),
    once: Annotated[bool, typer.Option("--once", help="End after the table.")] = False,
    keep: Annotated[
        Path | None,
        typer.Option(
            help="Live in this new or empty directory and leave it; else a temporary one."
        ),
    ] = None,
) -> None:
    """Run the example district on loopback, send sample messages, show what became of them.

    Everything real: `serve` in a process of its own, a next hop that keeps Maildirs, DNS. Exit 0
    when every outcome is as the samples say, 1 when one is not, 2 when it cannot start.
    """
    from mailguard.config.form.errors import ConfigErrors
    from mailguard.demo.district import DemoError, prepare
    from mailguard.demo.samples import SAMPLES

    accounts = sorted({sample.account for sample in SAMPLES} - {""})
    with _directory(keep) as root:
        try:
            _say("copying the example district and making passwords")
            district = prepare(config, root, accounts)
            status = asyncio.run(_run(district, once, accounts))
        except ConfigErrors as wrong:
            _say("")
            for error in wrong.errors:
                typer.echo(str(error), err=True)
            raise typer.Exit(INTERNAL) from None
        except (DemoError, OSError) as error:
            _say("")
            fail(f"mailguard demo: {error}", INTERNAL)
    raise typer.Exit(status)


@contextmanager
def _directory(keep: Path | None) -> Iterator[Path]:
    """Where this demo lives: the directory to keep, or one that is removed at the end."""
    if keep is not None:
        if keep.exists() and (not keep.is_dir() or any(keep.iterdir())):
            fail(f"{keep} is not an empty directory; name a new one for --keep")
        keep.mkdir(parents=True, exist_ok=True)
        yield keep.resolve()
        return
    root = Path(tempfile.mkdtemp(prefix="mailguard-demo-")).resolve()
    try:
        yield root
    finally:
        shutil.rmtree(root, ignore_errors=True)


async def _run(district: DemoDistrict, once: bool, accounts: list[str]) -> int:
    """The whole run, which SIGINT, SIGTERM and SIGHUP end in good order; the exit status."""
    from mailguard.demo.runner import Demo

    running = Demo(district, _say)
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, stopped.set)
    working = asyncio.create_task(_tell(running, once, accounts))
    waiting = asyncio.create_task(stopped.wait())
    ending: asyncio.Task[int] | None = None
    problems: list[str] = []
    try:
        await asyncio.wait((working, waiting), return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            return _INTERRUPTED
        problems = working.result()
        if not once:
            ending = asyncio.create_task(running.ended())
            await asyncio.wait((waiting, ending), return_when=asyncio.FIRST_COMPLETED)
            if ending.done():
                problems.append("mailguard serve has ended by itself")
    finally:
        tasks = [task for task in (working, waiting, ending) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        problems += await running.stop()
        _say("")
    for problem in problems:
        for line in f"not as expected: {problem}".splitlines():
            typer.echo(terminal(line), err=True)
    return _DIFFERS if problems else 0


async def _tell(running: Demo, once: bool, accounts: list[str]) -> list[str]:
    """Run it and print what was found; where it is not what the samples say."""
    from mailguard.demo import display

    await running.start()
    outcome = await running.run()
    _say("")
    display.table(outcome)
    display.arrivals(running.district, outcome)
    display.places(running.district, outcome, stays=not once)
    if not once:
        display.examples(running.district, accounts)
    return outcome.problems


def _say(text: str) -> None:
    """Progress on standard error: one line that changes on a terminal, a line each elsewhere."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\x1b[2K{text}")
        sys.stderr.flush()
    elif text and not text.startswith("sending"):
        typer.echo(text, err=True)
