"""`mailguard directory`: who has left, and whose account is to be deleted (R6)."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any

import typer

from mailguard.cli.loading import load_or_exit
from mailguard.terminal import ConfigOption, JsonOption, fail, print_json, print_table

commands = typer.Typer(
    name="directory", help="What the district's directory asks of people.", no_args_is_help=True
)


@commands.command("leavers")
def leavers(
    config: ConfigOption = Path("config"),
    on: Annotated[
        str, typer.Option("--on", help="A day, as in 2027-06-30; today where empty.")
    ] = "",
    due: Annotated[
        bool, typer.Option("--due", help="Only those whose account is to be deleted by that day.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Who has left, since when, who took over, and on which day the account is to be deleted: day
    30, or never under a legal hold. Somebody who came back is not listed."""
    from datetime import date

    from mailguard.core.sender.directory_lookups import day_at

    loaded = load_or_exit(config)
    snapshot = loaded.snapshot
    try:
        today = date.fromisoformat(on) if on else day_at(time.time(), snapshot.district.time_zone)
    except ValueError:
        fail(f"--on {on!r} is no date; allowed: year-month-day, as in 2027-06-30")
    logins: dict[str, list[str]] = {}
    for account in snapshot.directory.accounts.values():
        logins.setdefault(account.owner or "", []).append(account.login)
    rows: list[dict[str, Any]] = []
    for person in snapshot.directory.leavers(today):
        day = person.deletion_day(today)
        is_due = day is not None and day <= today
        if is_due or not due:
            rows.append(
                {
                    "person": person.id,
                    "name": person.name,
                    "accounts": logins.get(person.id, []),
                    "since": str(person.left_since(today)),
                    "manager": person.manager,
                    "legal_hold": person.legal_hold,
                    "delete_on": str(day) if day is not None else None,
                    "due": is_due,
                }
            )
    if as_json:
        print_json(rows)
        return
    print_table(
        f"Leavers on {today}",
        ("Person", "Accounts", "Since", "Manager", "Delete on"),
        [
            (
                r["name"],
                ", ".join(r["accounts"]),
                r["since"],
                r["manager"] or "nobody",
                "legal hold" if r["legal_hold"] else f"{r['delete_on']}{' (due)' * r['due']}",
            )
            for r in rows
        ],
    )
