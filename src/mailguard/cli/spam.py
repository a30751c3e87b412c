"""`mailguard spam`: what the filter learns from, beside the decisions on kept mail."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mailguard.cli.ledger import when
from mailguard.cli.loading import load_or_exit, opened
from mailguard.core.mail.safe_text import terminal
from mailguard.terminal import ConfigOption, JsonOption, fail, print_json, print_table

if TYPE_CHECKING:
    from mailguard.adapters.state import StateDirectory
    from mailguard.config.load import Loaded

commands = typer.Typer(name="spam", help="What the filter has learned.", no_args_is_help=True)

Messages = Annotated[
    list[Path], typer.Argument(help="Messages, mbox files, or directories of either.")
]
_TOGETHER = 50  # lessons in one commit


@commands.command("learn")
def learn(
    messages: Messages,
    spam: Annotated[bool, typer.Option("--spam/--ham", help="What the messages are examples of.")],
    config: ConfigOption = Path("config"),
) -> None:
    """Teach the filter with messages of which one knows what they are.

    A message counts once, however often it is taught, and as what was said last.
    """
    _teach(messages, spam, config)


@commands.command("forget")
def forget(messages: Messages, config: ConfigOption = Path("config")) -> None:
    """Take back what messages have taught."""
    _teach(messages, None, config)


@commands.command("stats")
def stats(config: ConfigOption = Path("config"), as_json: JsonOption = False) -> None:
    """How much was taught, and whether it is enough for an opinion."""
    from mailguard.core.spam import bayes

    with opened(load_or_exit(config)) as state:
        stock = asyncio.run(state.learned.stock())
    speaks = bayes.enough(stock.spam_worth, stock.ham_worth)
    if as_json:
        print_json(asdict(stock) | {"floor": bayes.FLOOR, "speaks": speaks})
        return
    print_table(
        "",
        ("Examples of", "Taught", "Worth today"),
        (
            ("spam", stock.spam, f"{stock.spam_worth:.1f}"),
            ("wanted mail", stock.ham, f"{stock.ham_worth:.1f}"),
        ),
    )
    last = f"; last taught {when(stock.newest)} UTC" if stock.newest is not None else ""
    typer.echo(f"{stock.words} words{last}")
    if not speaks:
        typer.echo(f"No opinion yet: either side needs examples worth {bayes.FLOOR}.")


def _teach(paths: Sequence[Path], spam: bool | None, config: Path) -> None:
    loaded = load_or_exit(config)
    with opened(loaded) as state:
        try:
            taught, known, unread = asyncio.run(_carry_out(paths, spam, loaded, state))
        except OSError as error:
            fail(f"mailguard spam: {error}")
    for problem in unread:
        typer.echo(terminal(problem), err=True)
    if spam is None:
        typer.echo(f"{known} of {taught} message(s) forgotten")
    else:
        kind = "spam" if spam else "wanted mail"
        typer.echo(f"{taught} message(s) taught as {kind}; {known} of them were known")
    if unread:
        raise typer.Exit(1)


async def _carry_out(
    paths: Sequence[Path], spam: bool | None, loaded: Loaded, state: StateDirectory
) -> tuple[int, int, list[str]]:
    """How many were read, how many were known before, and what could not be read."""
    from mailguard.adapters.database.learned import Lesson
    from mailguard.cli.examples import examples
    from mailguard.core.decision.facts import Unavailable
    from mailguard.core.mail import mime
    from mailguard.core.spam import tokens
    from mailguard.server.wiring import make_reader

    reader = make_reader(loaded.settings)
    lessons: list[Lesson] = []
    unread: list[str] = []
    known = read = 0
    try:
        for example in examples(paths, loaded.settings.limits.message_size):
            if not example.raw:
                unread.append(f"{example.name}: empty, or above the limit of a message's size")
                continue
            message = mime.parse(example.raw)
            reading = await reader.read(message)
            if isinstance(reading, Unavailable):
                unread.append(f"{example.name}: {reading.unavailable}")
                continue
            words = tokens.words(message, reading)
            lessons.append(Lesson(hashlib.sha256(example.raw).hexdigest(), words, spam))
            read += 1
            if len(lessons) == _TOGETHER:
                known += await state.learned.teach(lessons)
                lessons = []
        if lessons:
            known += await state.learned.teach(lessons)
    finally:
        await reader.close()
    return read, known, unread
