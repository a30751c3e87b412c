"""`mailguard cases`: requests to unblock a sender, what became of them, and decisions."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mailguard.cli import tickets
from mailguard.cli.ledger import when
from mailguard.cli.loading import load_or_exit, opened
from mailguard.cli.tickets import LONGEST_REMARK, By, Number, person_or_fail
from mailguard.core.mail.safe_text import line, terminal
from mailguard.terminal import ConfigOption, JsonOption, print_json, print_table

if TYPE_CHECKING:
    from mailguard.casework.tickets import Ticket
    from mailguard.casework.unblocking.case import Case
    from mailguard.casework.unblocking.console import CaseConsole
    from mailguard.casework.workflow import Outfit
    from mailguard.config.load import Loaded

commands = typer.Typer(name="cases", help="Requests to unblock a sender.", no_args_is_help=True)

Remark = Annotated[str, typer.Option(help="Words for the record.")]


@commands.command("list")
def list_cases(
    config: ConfigOption = Path("config"),
    everything: Annotated[bool, typer.Option("--all", help="Those that ended too.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Open requests, oldest first; what is overdue is marked (R34)."""
    from mailguard.casework.unblocking.case import CASE

    loaded = load_or_exit(config)
    with opened(loaded) as state:
        found = tickets.all_of(state, CASE, everything, lambda t, one: _record(t, one, loaded))
    if as_json:
        print_json(found)
        return
    print_table(
        f"{len(found)} case(s)",
        ("No.", "Since", "Sender", "To", "Subject", "Due", "State"),
        [
            (
                one["number"],
                when(one["opened_at"]),
                ", ".join(one["addresses"]) or "nothing that is kept",
                ", ".join(copy["recipient"] for copy in one["copies"]),
                one["told"][0]["subject"] if one["told"] else "",
                when(one["due_at"]) if not one["ended"] else "",
                one["state"] + (" (overdue)" if one["overdue"] else ""),
            )
            for one in found
        ],
    )


@commands.command("show")
def show(
    number: Number, config: ConfigOption = Path("config"), as_json: JsonOption = False
) -> None:
    """One case: the messages as safe text, who was asked, and all that happened."""
    from mailguard.casework.unblocking.case import CASE

    loaded = load_or_exit(config)
    with opened(loaded) as state:
        one, history = tickets.one_of(
            *(state, CASE, number, "cases list"), lambda t, case: _record(t, case, loaded)
        )
        hanging = asyncio.run(state.tickets.holds_of(number))
        holds = {hold.id: hold.state for hold in hanging}
    for copy in one["copies"]:
        copy["state"] = holds.get(copy["hold"], "in another case")
    if as_json:
        print_json(one | {"history": history})
        return
    late = " (overdue)" if one["overdue"] else ""
    typer.echo(f"Case {number}: {one['state']}{late}")
    typer.echo(f"Sender: {terminal(', '.join(one['addresses'])) or 'nothing that is kept'}")
    for requester in one["requesters"]:
        proven = "vouches" if requester["vouches"] else "asks"
        name, mailbox = terminal(requester["name"]), terminal(requester["mailbox"]) or "unproven"
        typer.echo(f"Requester: {name} ({mailbox}) {proven}, {when(requester['at'])}")
    if not one["ended"]:
        typer.echo(f"Due: {when(one['due_at'])}")
    for query in one["asked"]:
        who = query["who"]
        typer.echo(
            f"Asked to {query['asks']}: {terminal(who['name'])} <{terminal(who['mailbox'])}>"
        )
    for copy in one["copies"]:
        kept = f", {copy['hard']}" if copy["hard"] else ""
        seen = f", reviewed by {copy['reviewed']}" if copy["reviewed"] else ""
        typer.echo(
            f"Copy {copy['hold']} to {terminal(copy['recipient'])}: {copy['state']}"
            f"{terminal(seen)}{terminal(kept)}"
        )
    for told in one["told"]:
        typer.echo()
        for label in ("sender", "subject", "date", "why"):
            typer.echo(f"{label.capitalize()}: {terminal(told[label])}")
        for row in told["excerpt"].splitlines():
            typer.echo(f"    {terminal(row)}")
    rows = [(when(h["at"]), h["by"], h["what"], h["detail"]) for h in history]
    print_table("History", ("When", "Who", "What", ""), rows)


@commands.command("review")
def review(
    number: Number,
    accept: Annotated[
        bool,
        typer.Option("--accept/--refuse", help="Whether the content is fit.", show_default=False),
    ],
    config: ConfigOption = Path("config"),
    by: By = "",
    remark: Remark = "",
) -> None:
    """Say whether the content is fit (R32); if so, the recipients are asked."""
    _carry_out(number, config, by, lambda c: c.review(number, accept, line(remark, LONGEST_REMARK)))


@commands.command("ask")
def ask(
    number: Number,
    config: ConfigOption = Path("config"),
    person: Annotated[
        str, typer.Option(help="Somebody else who knows the sender: a person's id or address.")
    ] = "",
    by: By = "",
) -> None:
    """Ask those who are silent once more, or somebody else of the district (V2)."""
    loaded = load_or_exit(config)
    asked = person_or_fail(loaded, person) if person else None
    _carry_out(number, config, by, lambda c: c.ask(number, asked))


@commands.command("approve")
def approve(
    number: Number, config: ConfigOption = Path("config"), by: By = "", remark: Remark = ""
) -> None:
    """Unblock the sender, and deliver what may be delivered. Who said no does not get it."""
    _carry_out(number, config, by, lambda c: c.decide(number, True, line(remark, LONGEST_REMARK)))


@commands.command("deny")
def deny(
    number: Number, config: ConfigOption = Path("config"), by: By = "", remark: Remark = ""
) -> None:
    """Do not unblock the sender, and discard the messages. The archive keeps them."""
    _carry_out(number, config, by, lambda c: c.decide(number, False, line(remark, LONGEST_REMARK)))


@commands.command("note")
def note(
    number: Number,
    text: Annotated[str, typer.Argument(help="A line for the history.")],
    config: ConfigOption = Path("config"),
    by: By = "",
) -> None:
    """Put something on record."""
    _carry_out(number, config, by, lambda c: c.note(number, line(text, LONGEST_REMARK)))


@commands.command("match")
def match(
    number: Number,
    copies: Annotated[list[int], typer.Argument(help="Numbers of `mailguard quarantine list`.")],
    config: ConfigOption = Path("config"),
    by: By = "",
) -> None:
    """Say which kept copies a request is about that matched none."""
    _carry_out(number, config, by, lambda c: c.match(number, copies))


def _carry_out(
    number: int, config: Path, by: str, work: Callable[[CaseConsole], Awaitable[str]]
) -> None:
    from mailguard.casework.unblocking.console import CaseConsole
    from mailguard.casework.unblocking.handler import Unblocking

    def console(outfit: Outfit, operator: str) -> CaseConsole:
        return CaseConsole(Unblocking.made(outfit), operator)

    said = tickets.carry_out(load_or_exit(config), by, console, work)
    typer.echo(f"{number}  {terminal(said)}")


def _record(ticket: Ticket, case: Case, loaded: Loaded) -> dict[str, Any]:
    from mailguard.casework.unblocking.case import CASE, At
    from mailguard.casework.unblocking.handler import deadlines
    from mailguard.casework.unblocking.life import due_at, is_overdue

    at = At(time.time(), loaded.calendar, deadlines(loaded.settings))
    return {
        "number": ticket.id,
        "state": case.stage.value,
        "ended": case.ended,
        "due_at": due_at(case, at),
        "overdue": is_overdue(case, at),
        **CASE.plain(case),
    }
