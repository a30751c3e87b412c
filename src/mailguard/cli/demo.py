"""`mailguard demo`: the example district on loopback, in two minutes.

Owns the options, the directory's life and what is printed. Must not know how the demo runs.
"""

from __future__ import annotations

import asyncio
import shlex
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mailguard.cli.output import INTERNAL, ConfigOption, fail, shown, styled

if TYPE_CHECKING:
    from rich.table import Table

    from mailguard.demo.district import District
    from mailguard.demo.runner import Demo, Outcome

_DIFFERS, _INTERRUPTED = 1, 130
_WIDE = 100  # columns from which an address stands in one line


def demo(
    config: ConfigOption = Path("config"),
    once: Annotated[bool, typer.Option("--once", help="End after the table.")] = False,
    keep: Annotated[
        Path | None,
        typer.Option(help="Live in this new or empty directory and leave it; else a temporary one."),
    ] = None,
) -> None:
    """Run the example district on loopback, send sample messages, show what became of them.

    Everything real: `serve` in a process of its own, a next hop that keeps Maildirs, DNS. Exit 0
    when every outcome is as the samples say, 1 when one is not, 2 when it cannot start.
    """
    from mailguard.config.errors import ConfigErrors
    from mailguard.demo.district import DemoError, prepare
    from mailguard.demo.samples import SAMPLES

    accounts = sorted({sample.account for sample in SAMPLES} - {""})
    with _directory(keep) as root:
        try:
            _say("copying the example district and making passwords")
            district = prepare(config, root, accounts)
            status = asyncio.run(_run(district, once, accounts))
        except ConfigErrors as wrong:
            for error in wrong.errors:
                typer.echo(str(error), err=True)
            raise typer.Exit(INTERNAL) from None
        except (DemoError, OSError) as error:
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


async def _run(district: District, once: bool, accounts: list[str]) -> int:
    """The whole run, which SIGINT, SIGTERM and SIGHUP end in good order; the exit status."""
    from mailguard.demo.runner import Demo

    running = Demo(district, _say)
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, stopped.set)
    working = asyncio.create_task(_tell(running, once, accounts))
    waiting = asyncio.create_task(stopped.wait())
    problems: list[str] = []
    status = 0
    try:
        await asyncio.wait((working, waiting), return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            problems = working.result()
            if not once and not stopped.is_set():
                await asyncio.wait(
                    (waiting, asyncio.create_task(running.ended())),
                    return_when=asyncio.FIRST_COMPLETED,
                )
        else:
            status = _INTERRUPTED
    finally:
        for task in (working, waiting):
            task.cancel()
        await asyncio.gather(working, waiting, return_exceptions=True)
        problems += await running.stop()
    for problem in problems:
        typer.echo(shown_lines(f"NOT AS EXPECTED: {problem}"), err=True)
    return _DIFFERS if problems else status


async def _tell(running: Demo, once: bool, accounts: list[str]) -> list[str]:
    """Run it and print what was found; where it is not what the samples say."""
    await running.start()
    outcome = await running.run()
    _say("")
    _print_table(outcome)
    _print_arrivals(outcome)
    _print_places(running.district, outcome, once)
    if not once:
        _print_more(running.district, accounts)
    return outcome.problems


def _say(text: str) -> None:
    """Progress on standard error: one line that changes on a terminal, a line each elsewhere."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\x1b[2K{text}")
        sys.stderr.flush()
    elif text and not text.startswith("sending"):
        typer.echo(text, err=True)


def shown_lines(text: str) -> str:
    """Several lines of hostile text for a terminal."""
    return "\n".join(shown(line) for line in text.splitlines())


def _print_table(outcome: Outcome) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    cut: Callable[[str], str] = shown if console.width >= _WIDE else _in_two
    table = Table(box=box.SIMPLE_HEAD, header_style="bold", padding=(0, 1), pad_edge=False)
    for name, least in (("Message", 18), ("Recipient", 0), ("Disposition", 11)):
        table.add_column(name, min_width=least, overflow="fold")
    table.add_column("Reason", overflow="fold")
    table.add_column("Rules", overflow="fold")
    _fill(table, outcome, cut)
    console.print(table)
