"""The unblocked list as people change it: addresses, whole imports, and back again (R31, R37, R38).

Owns what may be put on the list and what is refused. Must not know who asks by which command or
page, how a workbook is opened, or how the list is stored.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from mailguard.casework.refusal import CommandRefused
from mailguard.core.decision.facts import Unavailable, Unblocked
from mailguard.core.mail.mailbox import single_address
from mailguard.core.sheets import parents
from mailguard.core.sheets.parents import ImportPlan
from mailguard.core.sheets.sheet import Sheet

YEAR: Final = 365 * 86_400.0  # seconds that an entry made for one message counts (R38: yearly)


@dataclass(frozen=True, slots=True)
class ListEntry:
    """An address on the list, as its row stands in the database."""

    address: str  # lower case
    origin: str = ""  # "case 41", "import parents-oak.xlsx"
    site: str = ""
    added_by: str = ""
    added_at: float = 0.0
    expires_at: float | None = None
    batch: str = ""  # the import it came with
    waived_by: str = ""  # who decided that it counts for mail that nothing proves
    waived_because: str = ""


class ListStore(Protocol):
    """The entries that are kept in the database. Writing methods are one commit each, durable when
    they return, and raise StoreError; ValueError for what is no single address."""

    async def add(self, entries: Sequence[ListEntry]) -> None: ...

    async def remove(self, addresses: Sequence[str], now: float) -> int:
        """How many were there."""
        ...

    async def refresh(self) -> None:
        """Catch up with the database, so that `look_up` knows what others have changed."""
        ...

    def look_up(self, mailbox: str, now: float) -> Unblocked | Unavailable | None: ...

    async def take_in(self, plan: ImportPlan, batch: str, by: str, now: float) -> None: ...

    async def undo(self, batch: str, now: float) -> int:
        """How many entries were taken off."""
        ...


@dataclass(frozen=True, slots=True)
class ListWaiver:
    """A decision that entries count for mail that nothing proves; both empty for none."""

    by: str = ""
    because: str = ""


@dataclass(frozen=True, slots=True)
class Removed:
    """What came of taking addresses off."""

    count: int
    in_files: tuple[tuple[str, str], ...]  # addresses as given that stand in files, and where


@dataclass(frozen=True, slots=True)
class ImportTerms:
    """What is said of a whole import."""

    site: str  # where the sheet names none
    sites: Sequence[tuple[str, str]]  # every site's id and name
    expires_at: float | None
    by: str


@dataclass(frozen=True, slots=True)
class Imported:
    """What was found in a sheet, and the id of the import; "" where nothing was taken in."""

    plan: ImportPlan
    batch: str


def entries(
    addresses: Iterable[str],
    by: str,
    now: float,
    *,
    site: str = "",
    expires_at: float | None = None,
    waiver: ListWaiver = ListWaiver(),
) -> tuple[ListEntry, ...]:
    """Single addresses as entries made by hand. Raises CommandRefused with everything that is
    wrong: domains and patterns never get onto the list, since spoofed mail would pass (R37)."""
    made, wrong = [], []
    for text in addresses:
        try:
            address = single_address(text)
        except ValueError as error:
            wrong.append(str(error))
            continue
        made.append(
            ListEntry(
                address,
                "added by hand",
                site,
                by,
                now,
                expires_at,
                "",
                waiver.by,
                waiver.because.strip(),
            )
        )
    if wrong:
        raise CommandRefused("nothing was added:\n" + "\n".join(wrong))
    return tuple(made)


def waiver(by: str, because: str) -> ListWaiver:
    """A waiver has both or is none. Raises CommandRefused."""
    if bool(by) != bool(because):
        raise CommandRefused("a waiver needs who decided it and why")
    return ListWaiver(by, because)


async def remove(
    store: ListStore, files: Mapping[str, Unblocked], addresses: Sequence[str], now: float
) -> Removed:
    """Take addresses off. Those in `files` are taken off by editing the file, and are named."""
    count = await store.remove(addresses, now)
    in_files = ((a, files[a.lower()].origin) for a in addresses if a.lower() in files)
    return Removed(count, tuple(in_files))


def site_id(named: str, sites: Sequence[tuple[str, str]]) -> str:
    """The site that somebody named by id or by name; as given where there are no sites. Raises
    CommandRefused for one that is none."""
    known = parents.site_ids(sites)
    if named and known and named.casefold() not in known:
        there_are = ", ".join(id_ for id_, _ in sites)
        raise CommandRefused(f"{named!r} is no site; there are: {there_are}")
    return known.get(named.casefold(), named)


async def take_in(
    store: ListStore,
    sheet: Sheet,
    terms: ImportTerms,
    now: float,
    new_id: Callable[[float], str],
    *,
    dry_run: bool = False,
    skip_errors: bool = False,
) -> Imported:
    """Import a sheet whole, in one commit; nothing where a cell is wrong, unless those are to be
    skipped, and nothing in a dry run."""
    await store.refresh()
    found = parents.plan(
        sheet,
        lambda address: store.look_up(address, now) is not None,
        site=terms.site,
        expires_at=terms.expires_at,
        sites=terms.sites,
    )
    if not found.entries or dry_run or (found.errors and not skip_errors):
        return Imported(found, "")
    batch = new_id(now)
    await store.take_in(found, batch, terms.by, now)
    return Imported(found, batch)


async def undo(store: ListStore, batch: str, now: float) -> int:
    """Take an import back, whole; how many entries stood. What was on the list by another way
    stays. Raises CommandRefused where no such import stands."""
    removed = await store.undo(batch, now)
    if not removed:
        raise CommandRefused(f"no import {batch!r} stands; see: mailguard allowlist batches")
    return removed
