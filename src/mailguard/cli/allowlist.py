"""`mailguard allowlist`: the unblocked list, files and database as one (R31, R37)."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from mailguard.cli.loading import load_or_exit, opened
from mailguard.cli.output import ConfigOption, JsonOption, fail, print_json, print_table

commands = typer.Typer(name="allowlist", help="The unblocked list.", no_args_is_help=True)


@commands.command("list")
def list_entries(config: ConfigOption = Path("config"), as_json: JsonOption = False) -> None:
    """Every address on the list, with where it comes from and until when it counts."""
    loaded = load_or_exit(config)
    with opened(loaded) as state:
        rows = [
            {
                "address": e.address,
                "origin": e.origin,
                "site": e.site,
                "expires_at": e.expires_at,
                "kept_in": "database",
            }
            for e in state.unblocked.entries()
        ]
    rows += [
        {
            "address": u.address,
            "origin": u.origin,
            "site": u.site,
            "expires_at": u.expires_at,
            "kept_in": "file",
        }
        for u in loaded.snapshot.unblocked.values()
    ]
    rows.sort(key=lambda row: str(row["address"]))
    if as_json:
        print_json(rows)
        return
    now = time.time()
    print_table(
        f"{len(rows)} unblocked addresses",
        ("Address", "Origin", "Site", "Until"),
        [(r["address"], r["origin"], r["site"], _until(r["expires_at"], now)) for r in rows],
    )


@commands.command("add")
def add(
    addresses: Annotated[list[str], typer.Argument(help="Single addresses; never a domain.")],
    config: ConfigOption = Path("config"),
    site: Annotated[str, typer.Option(help="The site that asked for it.")] = "",
    expires: Annotated[str, typer.Option(help="The last day, as in 2027-06-30.")] = "",
    by: Annotated[str, typer.Option(help="Who decided it.")] = "command line",
) -> None:
    """Put addresses on the list. In force within a second, on every node.

    Only single addresses: domains and patterns are refused, since spoofed mail would pass (R37).
    """
    from mailguard.adapters.unblocked import ListEntry
    from mailguard.config.allowlist import expires_at, parse_entry

    loaded = load_or_exit(config)
    entries, wrong = [], []
    for text in addresses:
        try:
            entry = parse_entry(f"{text} expires={expires}" if expires else text)
        except ValueError as error:
            wrong.append(str(error))
            continue
        until = expires_at(entry.expires, loaded.settings.district.time_zone)
        entries.append(ListEntry(entry.address, "added by hand", site, by, time.time(), until))
    if wrong:
        fail("nothing was added:\n" + "\n".join(wrong))
    with opened(loaded) as state:
        asyncio.run(state.unblocked.add(entries))
    typer.echo(f"{len(entries)} address(es) added")


@commands.command("remove")
def remove(
    addresses: Annotated[list[str], typer.Argument(help="Addresses to take off.")],
    config: ConfigOption = Path("config"),
) -> None:
    """Take addresses off the list. Those in files are taken off by editing the file."""
    loaded = load_or_exit(config)
    with opened(loaded) as state:
        removed = asyncio.run(state.unblocked.remove(addresses, time.time()))
    in_files = [a for a in addresses if a.lower() in loaded.snapshot.unblocked]
    typer.echo(f"{removed} address(es) removed")
    for address in in_files:
        origin = loaded.snapshot.unblocked[address.lower()].origin
        typer.echo(f"still listed: {address} stands in {origin}", err=True)
    if in_files or not removed:
        raise typer.Exit(1)


@commands.command("import")
def import_file(
    file: Annotated[Path, typer.Argument(help="Text, one address a line, or CSV.")],
    config: ConfigOption = Path("config"),
    site: Annotated[str, typer.Option(help="The site the addresses belong to.")] = "",
    expires: Annotated[str, typer.Option(help="The last day, as in 2027-06-30.")] = "",
    by: Annotated[str, typer.Option(help="Who handed it in.")] = "command line",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only show what would be done.")
    ] = False,
    skip_errors: Annotated[
        bool, typer.Option("--skip-errors", help="Import the good rows though others are wrong.")
    ] = False,
) -> None:
    """Import a school's parents all at once (R38): any column, several addresses a cell.

    Rows that are wrong are named; nothing is imported while there are any, unless --skip-errors.
    """
    from datetime import date

    from mailguard.adapters.unblocked import ListEntry
    from mailguard.config.allowlist import expires_at, parse_csv

    loaded = load_or_exit(config)
    try:
        last = date.fromisoformat(expires) if expires else None
        lines = file.read_text("utf-8-sig").splitlines(keepends=True)
    except (ValueError, OSError) as error:
        fail(f"mailguard allowlist import: {error}")
    read = parse_csv(lines, site=site, expires=last, by=by)
    for row, problem in read.errors:
        typer.echo(f"{file}:{row}: {problem}", err=True)
    for row, address in read.duplicates:
        typer.echo(f"{file}:{row}: {address} was there before", err=True)
    typer.echo(
        f"{len(read.entries)} address(es), {len(read.errors)} error(s), "
        f"{len(read.duplicates)} duplicate(s)"
    )
    if read.errors and not skip_errors:
        fail("nothing was imported; mend the rows above, or use --skip-errors")
    if dry_run:
        return
    now = time.time()
    batch = f"{file.name} {datetime.fromtimestamp(now, UTC):%Y-%m-%dT%H:%M:%S}"
    zone = loaded.settings.district.time_zone
    entries = [
        ListEntry(
            e.address,
            f"import {file.name}",
            e.site or site,
            e.by or by,
            now,
            expires_at(e.expires, zone),
            batch,
        )
        for e in read.entries
    ]
    with opened(loaded) as state:
        asyncio.run(state.unblocked.add(entries))
    typer.echo(f"imported as batch {batch!r}")


def _until(expires_at: object, now: float) -> str:
    if not isinstance(expires_at, float):
        return ""
    day = f"{datetime.fromtimestamp(expires_at, UTC):%Y-%m-%d}"
    return f"{day} (expired)" if expires_at <= now else day
