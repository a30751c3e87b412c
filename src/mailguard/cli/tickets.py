"""What the commands of every workflow share: listing tickets, showing one, carrying a word out."""

from __future__ import annotations

import asyncio
import getpass
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from mailguard.cli.retry import carried_out
from mailguard.core.mail.safe_text import terminal
from mailguard.terminal import fail

if TYPE_CHECKING:
    from mailguard.adapters.state import StateDirectory
    from mailguard.casework.tickets import Ticket
    from mailguard.casework.workflow import Outfit
    from mailguard.config.load import Loaded
    from mailguard.core.people.model import Person
    from mailguard.core.record.formats import Format
    from mailguard.pipeline.replay import Replaying

LONGEST_REMARK = 500  # characters

T = TypeVar("T")
C = TypeVar("C")
Number = Annotated[int, typer.Argument(help="A number from the list.")]
By = Annotated[str, typer.Option(help="Who decided it; the login name if not given.")]


def all_of(
    state: StateDirectory,
    stored: Format[T],
    everything: bool,
    record: Callable[[Ticket, T], dict[str, Any]],
) -> list[dict[str, Any]]:
    """The tickets of a workflow, oldest first; what cannot be read is said beside them."""
    from mailguard.core.record.formats import NewerFormat

    found = []
    for ticket in asyncio.run(state.tickets.find(stored.name, open_only=not everything)):
        try:
            found.append(record(ticket, stored.load(ticket.state)))
        except (NewerFormat, ValueError) as error:
            typer.echo(_unread(ticket, error), err=True)
    return found


def one_of(
    state: StateDirectory,
    stored: Format[T],
    number: int,
    listing: str,
    record: Callable[[Ticket, T], dict[str, Any]],
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """A ticket and its history; ends the command where there is none, or it cannot be read."""
    from mailguard.core.record.formats import NewerFormat

    ticket = asyncio.run(state.tickets.load(number))
    if ticket is None or ticket.kind != stored.name or not ticket.version:
        fail(f"there is no {stored.name} {number}; see: mailguard {listing} --all")
    try:
        told = record(ticket, stored.load(ticket.state))
    except (NewerFormat, ValueError) as error:
        fail(_unread(ticket, error))
    history = asyncio.run(state.tickets.history(number))
    return told, [{"at": h.at, "by": h.by, "what": h.what, "detail": h.detail} for h in history]


def carry_out(
    loaded: Loaded,
    by: str,
    console: Callable[[Outfit, str], C],
    work: Callable[[C], Awaitable[T]],
) -> T:
    """Carry out a decision; what stands against it is told, and nothing was changed then."""
    from mailguard.casework.refusal import CommandRefused
    from mailguard.server.wiring import deskwork, outfit

    async def carry_out(state: StateDirectory, again: Replaying) -> T:
        made = outfit(loaded.settings, state, lambda: loaded.snapshot, again, deskwork(state))
        return await work(console(made, by.strip() or getpass.getuser()))

    try:
        return carried_out(loaded, carry_out)
    except CommandRefused as refused:
        fail(terminal(str(refused)))


def person_or_fail(loaded: Loaded, named: str) -> Person:
    """A person of the directory by id or address."""
    directory, named = loaded.snapshot.directory, named.strip()
    person = directory.people.get(named) or directory.person_at(named)
    if person is None:
        fail(f"{terminal(named)} is nobody's id or address in the directory")
    return person


def _unread(ticket: Ticket, error: Exception) -> str:
    if isinstance(error, ValueError):
        return f"the stored state of {ticket.kind} {ticket.id} cannot be read"
    return f"{ticket.kind} {ticket.id}: {error}"
