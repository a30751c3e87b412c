"""`mailguard spam`: what the filter learns from, beside the decisions on kept mail."""

from __future__ import annotations

import asyncio
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
    from mailguard.casework.lessons import Taught
    from mailguard.config.load import Loaded

commands = typer.Typer(name="spam", help="What the filter has learned.", no_args_is_help=True)

Messages = Annotated[
    list[Path], typer.Argument(help="Messages, mbox files, or directories of either.")
]


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
            taught = asyncio.run(_taught(paths, spam, loaded, state))
        except OSError as error:
            fail(f"mailguard spam: {error}")
    for problem in taught.unread:
        typer.echo(terminal(problem), err=True)
    if spam is None:
        typer.echo(f"{taught.known} of {taught.read} message(s) forgotten")
    else:
        kind = "spam" if spam else "wanted mail"
        typer.echo(f"{taught.read} message(s) taught as {kind}; {taught.known} of them were known")
    if taught.unread:
        raise typer.Exit(1)


async def _taught(
    paths: Sequence[Path], spam: bool | None, loaded: Loaded, state: StateDirectory
) -> Taught:
    from mailguard.casework.lessons import teach
    from mailguard.cli.examples import examples
    from mailguard.server.wiring import make_reader

    reader = make_reader(loaded.settings)
    try:
        found = examples(paths, loaded.settings.limits.message_size)
        return await teach(found, spam, reader, state.learned)
    finally:
        await reader.close()
