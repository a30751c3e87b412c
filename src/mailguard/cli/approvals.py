"""`mailguard approvals`: what waits for approvers, the console's decisions, grants."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from mailguard.cli import tickets
from mailguard.cli.ledger import when
from mailguard.cli.loading import load_or_exit, opened
from mailguard.cli.tickets import LONGEST_REMARK, By, Number, person_or_fail
from mailguard.core.mail.safe_text import line, terminal
from mailguard.terminal import ConfigOption, JsonOption, fail, print_json, print_table

if TYPE_CHECKING:
    from mailguard.casework.approvals.console import ApprovalConsole
    from mailguard.casework.approvals.life import Approval
    from mailguard.casework.grants.console import GrantConsole
    from mailguard.casework.grants.life import PreApproval
    from mailguard.casework.tickets import Ticket
    from mailguard.casework.workflow import Outfit
    from mailguard.config.load import Loaded

commands = typer.Typer(name="approvals", help="Mail that waits for approval.", no_args_is_help=True)

T = TypeVar("T")
Remark = Annotated[str, typer.Option(help="Words that the sender is told.")]
Reference = Annotated[str, typer.Option(help="The document: where the written approval is kept.")]


@commands.command("list")
def list_approvals(
    config: ConfigOption = Path("config"),
    everything: Annotated[bool, typer.Option("--all", help="Those that ended too.")] = False,
    as_json: JsonOption = False,
) -> None:
    """What waits for approvers, oldest first; what is overdue is marked."""
    from mailguard.casework.approvals.life import APPROVAL

    loaded = load_or_exit(config)
    with opened(loaded) as state:
        found = tickets.all_of(state, APPROVAL, everything, lambda t, one: _record(t, one, loaded))
    if as_json:
        print_json(found)
        return
    print_table(
        f"{len(found)} approval(s)",
        ("No.", "Since", "From", "To", "Subject", "Asked", "Until", "State"),
        [
            (
                one["number"],
                when(one["opened_at"]),
                one["sender"],
                ", ".join(one["to"]),
                one["subject"],
                ", ".join(a["name"] for a in one["asked"]) or "nobody",
                when(one["expires_at"]),
                one["state"] + (" (overdue)" if one["overdue"] else ""),
            )
            for one in found
        ],
    )


@commands.command("show")
def show(
    number: Number, config: ConfigOption = Path("config"), as_json: JsonOption = False
) -> None:
    """One approval: the message, who is asked, and all that happened."""
    from mailguard.casework.approvals.life import APPROVAL

    loaded = load_or_exit(config)
    with opened(loaded) as state:
        told, history = tickets.one_of(
            *(state, APPROVAL, number, "approvals list"), lambda t, one: _record(t, one, loaded)
        )
        copies: list[dict[str, Any]] = [
            {"number": h.id, "recipient": h.recipient, "state": h.state}
            for h in asyncio.run(state.tickets.holds_of(number))
        ]
    if as_json:
        print_json(told | {"history": history, "copies": copies})
        return
    typer.echo(f"Approval {number}: {told['state']}{' (overdue)' if told['overdue'] else ''}")
    lines = {
        "From": told["sender"],
        "To": ", ".join(told["to"]),
        "Subject": told["subject"],
        "Why": f"{' '.join(told['why'])} Rule: {told['rules']}.",
        "Needed": " and ".join(seat["label"] for seat in told["seats"]),
        "Until": when(told["expires_at"]),
    }
    for label, value in lines.items():
        typer.echo(f"{label}: {terminal(value)}")
    for asked in told["asked"]:
        typer.echo(f"Asked: {terminal(asked['name'])} <{terminal(asked['mailbox'])}>")
    for copy in copies:
        typer.echo(f"Copy {copy['number']} to {terminal(copy['recipient'])}: {copy['state']}")
    rows = [(when(h["at"]), h["by"], h["what"], h["detail"]) for h in history]
    print_table("History", ("When", "Who", "What", ""), rows)


@commands.command("approve")
def approve(
    number: Number, config: ConfigOption = Path("config"), by: By = "", remark: Remark = ""
) -> None:
    """Deliver the message: stands for every approval that is missing, and is on record."""
    _decide(number, config, True, by, remark)


@commands.command("deny")
def deny(
    number: Number, config: ConfigOption = Path("config"), by: By = "", remark: Remark = ""
) -> None:
    """Do not deliver the message, and tell its sender. The archive keeps it."""
    _decide(number, config, False, by, remark)


@commands.command("record")
def record(
    number: Number,
    by: Annotated[str, typer.Option(help="Who approved on paper: a person's id or address.")],
    reference: Reference,
    config: ConfigOption = Path("config"),
) -> None:
    """Record a written approval on paper: it counts as that person's yes."""
    loaded = load_or_exit(config)
    person = person_or_fail(loaded, by)
    said = _carry_out(
        loaded, "", lambda c: c.record(number, person, line(reference, LONGEST_REMARK))
    )
    typer.echo(f"{number}  {terminal(said)}")


@commands.command("stop")
def stop(
    id: Annotated[str, typer.Argument(help="A number from the list, or a transaction id.")],
    config: ConfigOption = Path("config"),
    by: By = "",
    remark: Remark = "",
) -> None:
    """Stop an announcement: what waits is not delivered, what is queued is taken back (R21)."""
    wanted = id.strip().upper()
    said = _carry_out(
        load_or_exit(config), by, lambda c: c.stop(wanted, line(remark, LONGEST_REMARK))
    )
    typer.echo(terminal(said))


@commands.command("grant")
def grant(
    sender: Annotated[str, typer.Option(help="Who may write: a person's id, or an address.")],
    group: Annotated[str, typer.Option(help="The group's address.")],
    until: Annotated[str, typer.Option(help="The last day, YYYY-MM-DD.")],
    reference: Reference,
    by: Annotated[
        str, typer.Option(help="Who approved: the id or address of a person who may approve.")
    ],
    config: ConfigOption = Path("config"),
    since: Annotated[str, typer.Option("--from", help="The first day; today if not given.")] = "",
    count: Annotated[int, typer.Option(min=1, max=10_000, help="How many messages.")] = 1,
) -> None:
    """Enter an approval that was given in writing beforehand. It counts as that person's yes for
    so many messages; where two approvals are needed, each takes a grant of its own."""
    loaded = load_or_exit(config)
    giver, last = person_or_fail(loaded, by), _day(until)
    first = _day(since) if since else None
    made = _of_grants(
        loaded,
        "",
        lambda c: c.grant(
            sender=sender.strip(),
            group=group.strip(),
            first=first,
            last=last,
            count=count,
            giver=giver,
            reference=line(reference, LONGEST_REMARK),
        ),
    )
    typer.echo(f"grant {made}: until {last}, {count} message(s)")


@commands.command("grants")
def grants(
    config: ConfigOption = Path("config"),
    everything: Annotated[bool, typer.Option("--all", help="Those that ended too.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Approvals given beforehand."""
    from mailguard.casework.grants.life import GRANT

    def record(ticket: Ticket, one: PreApproval) -> dict[str, Any]:
        numbered = {"number": ticket.id, "state": ticket.status}
        return {**numbered, **GRANT.plain(one), "left": one.left}

    with opened(load_or_exit(config)) as state:
        found = tickets.all_of(state, GRANT, everything, record)
    if as_json:
        print_json(found)
        return
    print_table(
        f"{len(found)} grant(s)",
        ("No.", "Sender", "Group", "From", "Until", "Left", "By", "Reference", "State"),
        [
            (
                *(g["number"], g["sender"], g["group"], g["first"], g["last"]),
                *(f"{g['left']} of {g['count']}", g["giver_name"], g["reference"], g["state"]),
            )
            for g in found
        ],
    )


@commands.command("revoke")
def revoke(number: Number, config: ConfigOption = Path("config"), by: By = "") -> None:
    """End a grant; what it has approved stays approved."""
    _of_grants(load_or_exit(config), by, lambda c: c.revoke(number))
    typer.echo(f"grant {number}: revoked")


def _decide(number: int, config: Path, yes: bool, by: str, remark: str) -> None:
    said = _carry_out(
        load_or_exit(config), by, lambda c: c.decide(number, yes, line(remark, LONGEST_REMARK))
    )
    typer.echo(f"{number}  {terminal(said)}")


def _carry_out(loaded: Loaded, by: str, work: Callable[[ApprovalConsole], Awaitable[T]]) -> T:
    from mailguard.casework.approvals.console import ApprovalConsole
    from mailguard.casework.approvals.handler import Approvals

    def console(outfit: Outfit, operator: str) -> ApprovalConsole:
        return ApprovalConsole(Approvals.made(outfit), operator)

    return tickets.carry_out(loaded, by, console, work)


def _of_grants(loaded: Loaded, by: str, work: Callable[[GrantConsole], Awaitable[T]]) -> T:
    from mailguard.casework.grants.console import GrantConsole
    from mailguard.casework.grants.handler import Grants

    def console(outfit: Outfit, operator: str) -> GrantConsole:
        return GrantConsole(Grants.made(outfit), operator)

    return tickets.carry_out(loaded, by, console, work)


def _record(ticket: Ticket, approval: Approval, loaded: Loaded) -> dict[str, Any]:
    from mailguard.casework.approvals.handler import deadlines
    from mailguard.casework.approvals.life import APPROVAL, ApprovalOutcome, expires_at

    written = APPROVAL.plain(approval)
    waits = approval.outcome is ApprovalOutcome.WAITING
    return {
        "number": ticket.id,
        "state": approval.outcome.value,
        "opened_at": approval.opened_at,
        "expires_at": expires_at(approval, loaded.calendar, deadlines(loaded.settings)),
        "overdue": waits and ticket.wakes_at is not None and ticket.wakes_at < time.time(),
        **written["about"],
        **{name: written[name] for name in ("digest", "seats", "asked", "given")},
        **{name: written[name] for name in ("decided_by", "decided_at", "remark")},
    }


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text.strip())
    except ValueError:
        fail(f"{terminal(text)} is no day; write it as in 2026-11-30")
