"""`mailguard cases`: requests to unblock a sender, what became of them, and decisions."""

from __future__ import annotations

import asyncio
import getpass
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mailguard.cli.ledger import when
from mailguard.cli.loading import load_or_exit, opened
from mailguard.cli.retry import carried_out
from mailguard.core.mail.safe_text import line, terminal
from mailguard.terminal import ConfigOption, JsonOption, fail, print_json, print_table

if TYPE_CHECKING:
    from mailguard.adapters.state import StateDirectory
    from mailguard.casework.tickets import Ticket
    from mailguard.casework.unblocking.case import At
    from mailguard.casework.unblocking.console import CaseConsole
    from mailguard.config.load import Loaded
    from mailguard.pipeline.replay import Replaying

_REMARK = 500  # characters

commands = typer.Typer(name="cases", help="Requests to unblock a sender.", no_args_is_help=True)

Number = Annotated[int, typer.Argument(help="A number from the list.")]
By = Annotated[str, typer.Option(help="Who decided it; the login name if not given.")]
Remark = Annotated[str, typer.Option(help="Words for the record.")]


@commands.command("list")
def list_cases(
    config: ConfigOption = Path("config"),
    everything: Annotated[bool, typer.Option("--all", help="Those that ended too.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Open requests, oldest first; what is overdue is marked (R34)."""
    from mailguard.core.record.formats import NewerFormat

    loaded = load_or_exit(config)
    with opened(loaded) as state:
        found = []
        for matter in asyncio.run(state.matters.find("case", open_only=not everything)):
            try:
                found.append(_record(matter, _at(loaded)))
            except NewerFormat as newer:
                typer.echo(f"case {matter.id}: {newer}", err=True)
            except ValueError:
                typer.echo(f"case {matter.id} was recorded by another version", err=True)
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
    from mailguard.core.record.formats import NewerFormat

    loaded = load_or_exit(config)
    with opened(loaded) as state:
        matter = asyncio.run(state.matters.load(number))
        if matter is None or matter.kind != "case" or not matter.version:
            fail(f"there is no case {number}; see: mailguard cases list --all")
        try:
            one = _record(matter, _at(loaded))
        except NewerFormat as newer:
            fail(f"case {number}: {newer}")
        hanging = asyncio.run(state.matters.holds_of(number))
        holds = {hold.id: hold.state for hold in hanging}
        history: list[dict[str, Any]] = [
            {"at": h.at, "by": h.by, "what": h.what, "detail": h.detail}
            for h in asyncio.run(state.matters.history(number))
        ]
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
    _carry_out(number, config, by, lambda c: c.review(number, accept, line(remark, _REMARK)))


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
    directory = loaded.snapshot.directory
    asked = directory.people.get(person.strip()) or directory.person_at(person.strip())
    if person and asked is None:
        fail(f"{terminal(person)} is nobody's id or address in the directory")
    _carry_out(number, config, by, lambda c: c.ask(number, asked))


@commands.command("approve")
def approve(
    number: Number, config: ConfigOption = Path("config"), by: By = "", remark: Remark = ""
) -> None:
    """Unblock the sender, and deliver what may be delivered. Who said no does not get it."""
    _carry_out(number, config, by, lambda c: c.decide(number, True, line(remark, _REMARK)))


@commands.command("deny")
def deny(
    number: Number, config: ConfigOption = Path("config"), by: By = "", remark: Remark = ""
) -> None:
    """Do not unblock the sender, and discard the messages. The archive keeps them."""
    _carry_out(number, config, by, lambda c: c.decide(number, False, line(remark, _REMARK)))


@commands.command("note")
def note(
    number: Number,
    text: Annotated[str, typer.Argument(help="A line for the history.")],
    config: ConfigOption = Path("config"),
    by: By = "",
) -> None:
    """Put something on record."""
    _carry_out(number, config, by, lambda c: c.note(number, line(text, _REMARK)))


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
    """Carry out a decision; what stands against it is told, and nothing was changed then."""
    from mailguard.casework.refusal import CommandRefused
    from mailguard.casework.unblocking.console import CaseConsole
    from mailguard.server.wiring import case_steps, deskwork

    loaded = load_or_exit(config)

    async def carry_out(state: StateDirectory, again: Replaying) -> str:
        at_hand, snapshot = deskwork(state), lambda: loaded.snapshot
        steps = case_steps(loaded.settings, state, snapshot, again, at_hand)
        return await work(CaseConsole(steps, by.strip() or getpass.getuser()))

    try:
        typer.echo(f"{number}  {terminal(carried_out(loaded, carry_out))}")
    except CommandRefused as refused:
        fail(terminal(str(refused)))


def _at(loaded: Loaded) -> At:
    from mailguard.casework.unblocking.case import At
    from mailguard.server.wiring import case_terms

    return At(time.time(), loaded.calendar, case_terms(loaded.settings))


def _record(matter: Ticket, at: At) -> dict[str, Any]:
    from mailguard.casework.unblocking.case import CASE
    from mailguard.casework.unblocking.life import due_at, is_overdue

    case = CASE.load(matter.state)
    return {
        "number": matter.id,
        "state": case.stage.value,
        "ended": case.ended,
        "due_at": due_at(case, at),
        "overdue": is_overdue(case, at),
        **CASE.plain(case),
    }
