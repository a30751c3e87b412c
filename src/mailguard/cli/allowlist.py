"""`mailguard allowlist`: the unblocked list, files and database as one (R31, R37, R38)."""

from __future__ import annotations

import asyncio
import time
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import typer

from mailguard.cli.loading import load_or_exit, opened
from mailguard.terminal import ConfigOption, JsonOption, fail, print_json, print_table

if TYPE_CHECKING:
    from mailguard.config.load import Loaded
    from mailguard.core.sheets.sheet import Sheet

commands = typer.Typer(name="allowlist", help="The unblocked list.", no_args_is_help=True)


@commands.command("list")
def list_entries(config: ConfigOption = Path("config"), as_json: JsonOption = False) -> None:
    """Every address on the list, with where it comes from and until when it counts."""
    loaded = load_or_exit(config)
    with opened(loaded) as state:
        entries = asyncio.run(state.unblocked.entries())
    rows = [asdict(entry) | {"kept_in": "database"} for entry in entries]
    files = loaded.snapshot.unblocked.values()
    rows += [asdict(entry) | {"kept_in": "file"} for entry in files]
    rows.sort(key=lambda row: str(row["address"]))
    if as_json:
        print_json(rows)
        return
    now, zone = time.time(), _zone(loaded)
    print_table(
        f"{len(rows)} entries of the unblocked list",
        ("Address", "Origin", "Site", "Since", "Until", "Counts unproven"),
        [
            (
                r["address"],
                r["origin"],
                r["site"],
                _day(r["added_at"], zone),
                _until(r["expires_at"], now, zone),
                f"{r['waived_by']}: {r['waived_because']}" if r["waived_by"] else "",
            )
            for r in rows
        ],
    )


@commands.command("add")
def add(
    addresses: Annotated[list[str], typer.Argument(help="Single addresses; never a domain.")],
    config: ConfigOption = Path("config"),
    site: Annotated[str, typer.Option(help="The site that asked for it.")] = "",
    expires: Annotated[str, typer.Option(help="The last day, as in 2027-06-30.")] = "",
    by: Annotated[str, typer.Option(help="Who decided it.")] = "command line",
    waived_by: Annotated[
        str, typer.Option(help="Who decided that it counts for mail that nothing proves.")
    ] = "",
    because: Annotated[str, typer.Option(help="Why it counts for such mail.")] = "",
) -> None:
    """Put addresses on the list. In force within a second, on every node.

    Only single addresses: domains and patterns are refused, since spoofed mail would pass (R37).
    With --waived-by and --because they count even where nothing proves the sender.
    """
    from mailguard.casework import unblocked_list
    from mailguard.casework.refusal import CommandRefused
    from mailguard.config.allowlist import day, expires_at

    loaded = load_or_exit(config)
    try:
        waiver = unblocked_list.waiver(waived_by, because)
    except CommandRefused as refused:
        fail(f"{refused}: --waived-by and --because")
    try:
        until = expires_at(day(expires), _zone(loaded)) if expires else None
        entries = unblocked_list.entries(
            addresses, by, time.time(), site=site, expires_at=until, waiver=waiver
        )
    except CommandRefused as refused:
        fail(str(refused))
    except ValueError as error:  # the day is none, for each address
        fail("nothing was added:\n" + "\n".join(str(error) for _ in addresses))
    with opened(loaded) as state:
        asyncio.run(state.unblocked.add(entries))
    typer.echo(f"{len(entries)} address(es) added")


@commands.command("remove")
def remove(
    addresses: Annotated[list[str], typer.Argument(help="Addresses to take off.")],
    config: ConfigOption = Path("config"),
) -> None:
    """Take addresses off the list. Those in files are taken off by editing the file."""
    from mailguard.casework import unblocked_list

    loaded = load_or_exit(config)
    files = loaded.snapshot.unblocked
    with opened(loaded) as state:
        removal = unblocked_list.remove(state.unblocked, files, addresses, time.time())
        removed = asyncio.run(removal)
    typer.echo(f"{removed.count} address(es) removed")
    for address, origin in removed.in_files:
        typer.echo(f"still listed: {address} stands in {origin}", err=True)
    if removed.in_files or not removed.count:
        raise typer.Exit(1)


@commands.command("import")
def import_file(
    file: Annotated[Path, typer.Argument(help="A workbook (.xlsx) or CSV, as docs/parents.md.")],
    config: ConfigOption = Path("config"),
    site: Annotated[str, typer.Option(help="The site, where the file names none.")] = "",
    expires: Annotated[
        str, typer.Option(help="The last day, as in 2027-06-30; else a year from today.")
    ] = "",
    by: Annotated[str, typer.Option(help="Who handed it in.")] = "command line",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only show what would be done.")
    ] = False,
    skip_errors: Annotated[
        bool, typer.Option("--skip-errors", help="Import the rest though cells are wrong.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Import a school's parents all at once (R38): any column, several addresses a cell.

    Cells that are wrong are named; nothing is imported while there are any, unless --skip-errors.
    """
    from mailguard.adapters.ids import new_id
    from mailguard.casework import unblocked_list
    from mailguard.casework.refusal import CommandRefused
    from mailguard.config.allowlist import day, expires_at
    from mailguard.core.sheets import parents

    loaded = load_or_exit(config)
    now = time.time()
    try:
        today = datetime.fromtimestamp(now, ZoneInfo(_zone(loaded))).date()
        last = day(expires) if expires else parents.a_year_after(today)
    except ValueError as error:
        fail(f"--expires: {error}")
    sites = [(one.id, one.name) for one in loaded.snapshot.directory.sites.values()]
    try:
        default_site = unblocked_list.site_id(site, sites)
    except CommandRefused as refused:
        fail(f"--site: {refused}")
    sheet = _sheet(file)
    terms = unblocked_list.ImportTerms(default_site, sites, expires_at(last, _zone(loaded)), by)
    with opened(loaded) as state:
        importing = unblocked_list.take_in(
            state.unblocked, sheet, terms, now, new_id, dry_run=dry_run, skip_errors=skip_errors
        )
        imported = asyncio.run(importing)
    found, batch = imported.plan, imported.batch
    taken = bool(batch)
    if as_json:
        print_json(asdict(found) | {"batch": batch, "last_day": last.isoformat()})
    else:
        if dry_run:
            rows = [(e.place, e.address, e.site) for e in found.entries]
            print_table("", ("Cell", "Address", "Site"), rows)
        typer.echo(parents.report(found, last, taken=taken), nl=False)
        if taken:
            typer.echo(f"To take it back: mailguard allowlist undo {batch}")
    if found.errors and not (taken or (dry_run and skip_errors)):
        fail("nothing was imported; mend the cells above, or use --skip-errors")


@commands.command("batches")
def batches(config: ConfigOption = Path("config"), as_json: JsonOption = False) -> None:
    """Every import, the newest first, with what still stands of it."""
    loaded = load_or_exit(config)
    with opened(loaded) as state:
        found = asyncio.run(state.unblocked.batches())
    if as_json:
        print_json([asdict(one) for one in found])
        return
    now, zone = time.time(), _zone(loaded)
    print_table(
        f"{len(found)} imports",
        ("Id", "Origin", "By", "On", "Until", "Addresses", "Taken off"),
        [
            (
                b.batch,
                b.origin,
                b.added_by,
                _day(b.added_at, zone),
                _until(b.expires_at, now, zone),
                b.entries,
                b.removed,
            )
            for b in found
        ],
    )


@commands.command("undo")
def undo(
    batch: Annotated[str, typer.Argument(help="The import's id, as `batches` shows it.")],
    config: ConfigOption = Path("config"),
) -> None:
    """Take an import back, whole. What was on the list by another way stays."""
    from mailguard.casework import unblocked_list
    from mailguard.casework.refusal import CommandRefused

    loaded = load_or_exit(config)
    with opened(loaded) as state:
        try:
            removed = asyncio.run(unblocked_list.undo(state.unblocked, batch, time.time()))
        except CommandRefused as refused:
            fail(str(refused))
    typer.echo(f"{removed} address(es) taken off")


def _sheet(file: Path) -> Sheet:
    from mailguard.adapters.workers.spreadsheet import MAX_OCTETS, read_sheet
    from mailguard.core.sheets.sheet import SheetRejected

    try:
        with file.open("rb") as opened_file:
            raw = opened_file.read(MAX_OCTETS + 1)
        sheet = asyncio.run(read_sheet(raw, file.name))
    except OSError as error:
        fail(f"mailguard allowlist import: {error}")
    if isinstance(sheet, SheetRejected):
        fail(f"{file.name}: {sheet.refused}")
    return sheet


def _zone(loaded: Loaded) -> str:
    return loaded.settings.district.time_zone


def _day(at: object, zone: str) -> str:
    if not isinstance(at, float) or not at:
        return ""
    return datetime.fromtimestamp(at, ZoneInfo(zone)).date().isoformat()


def _until(expires_at: object, now: float, zone: str) -> str:
    if not isinstance(expires_at, float):
        return ""
    day = _day(expires_at - 1, zone)  # it is the midnight after the last day
    return f"{day} (expired)" if expires_at <= now else day
