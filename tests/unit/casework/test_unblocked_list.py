"""The unblocked list changed by people: what gets onto it, what is refused, imports and undoing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mailguard.adapters.state import StateDirectory
from mailguard.casework import unblocked_list
from mailguard.casework.refusal import CommandRefused
from mailguard.casework.unblocked_list import ImportTerms, ListEntry, ListWaiver, Removed
from mailguard.core.decision.facts import Unblocked
from mailguard.core.sheets.sheet import Sheet, SheetRow, SheetTable

NOW = 1_795_600_000.0
SITES = [("oak", "Oak Elementary"), ("cedar", "Cedar High")]
TERMS = ImportTerms("oak", SITES, NOW + 9, "office")


@pytest.fixture
def state(tmp_path: Path) -> Iterator[StateDirectory]:
    opened = StateDirectory.open(tmp_path)
    yield opened
    opened.close()


def sheet(*cells: str) -> Sheet:
    rows = [SheetRow(n, (cell,)) for n, cell in enumerate(("Email", *cells), 1)]
    return Sheet("parents.csv", (SheetTable("", tuple(rows)),))


def test_an_entry_made_by_hand() -> None:
    (entry,) = unblocked_list.entries(
        ["Rosa@Example.com"],
        "rev",
        NOW,
        site="oak",
        expires_at=NOW + 9,
        waiver=unblocked_list.waiver("wbirch", " her host signs nothing "),
    )
    assert entry == ListEntry(
        "rosa@example.com",
        "added by hand",
        "oak",
        "rev",
        NOW,
        NOW + 9,
        "",
        "wbirch",
        "her host signs nothing",
    )


def test_everything_that_is_wrong_is_named_and_nothing_is_made() -> None:
    with pytest.raises(CommandRefused) as refused:
        unblocked_list.entries(["@example.com", "rosa@example.com", "*@example.net"], "rev", NOW)
    first, *problems = str(refused.value).splitlines()
    assert first == "nothing was added:"
    assert [word in one for word, one in zip(("example.com", "*"), problems, strict=True)] == [
        True,
        True,
    ]


@pytest.mark.parametrize(("by", "because"), [("wbirch", ""), ("", "her host signs nothing")])
def test_half_a_waiver_is_refused(by: str, because: str) -> None:
    with pytest.raises(CommandRefused, match="who decided it and why"):
        unblocked_list.waiver(by, because)
    assert unblocked_list.waiver("", "") == ListWaiver()


async def test_what_stands_in_a_file_is_named_and_stays(state: StateDirectory) -> None:
    await state.unblocked.add(unblocked_list.entries(["rosa@example.com"], "rev", NOW))
    files = {"bo@example.com": Unblocked("bo@example.com", "allowlist.d/oak.txt:3")}
    removed = await unblocked_list.remove(
        state.unblocked, files, ["ROSA@example.com", "Bo@example.com"], NOW
    )
    assert removed == Removed(1, (("Bo@example.com", "allowlist.d/oak.txt:3"),))
    assert await state.unblocked.entries() == []


@pytest.mark.parametrize(
    ("named", "site"), [("oak", "oak"), ("OAK elementary", "oak"), ("", ""), ("cedar", "cedar")]
)
def test_a_site_goes_by_id_or_name(named: str, site: str) -> None:
    assert unblocked_list.site_id(named, SITES) == site


def test_no_site_is_made_up_where_sites_are_known() -> None:
    with pytest.raises(CommandRefused, match=r"^'elm' is no site; there are: oak, cedar$"):
        unblocked_list.site_id("elm", SITES)
    assert unblocked_list.site_id("elm", []) == "elm"


async def test_an_import_is_taken_in_whole_and_taken_back_whole(state: StateDirectory) -> None:
    good = sheet("rosa@example.com", "bo@example.com")
    imported = await unblocked_list.take_in(state.unblocked, good, TERMS, NOW, lambda _: "B1")
    assert imported.batch == "B1"
    entries = {one.address: (one.site, one.batch) for one in await state.unblocked.entries()}
    assert entries == {"rosa@example.com": ("oak", "B1"), "bo@example.com": ("oak", "B1")}
    again = await unblocked_list.take_in(state.unblocked, good, TERMS, NOW, lambda _: "B2")
    assert (again.batch, len(again.plan.duplicates)) == ("B2", 2)
    assert await unblocked_list.undo(state.unblocked, "B1", NOW) == 2
    assert {one.batch for one in await state.unblocked.entries()} == {"B2"}
    with pytest.raises(CommandRefused, match=r"^no import 'B1' stands"):
        await unblocked_list.undo(state.unblocked, "B1", NOW)


@pytest.mark.parametrize(
    ("dry_run", "skip_errors", "batch"),
    [(False, False, ""), (True, True, ""), (False, True, "B1")],
)
async def test_wrong_cells_stop_an_import_unless_they_are_skipped(
    state: StateDirectory, dry_run: bool, skip_errors: bool, batch: str
) -> None:
    imported = await unblocked_list.take_in(
        state.unblocked,
        sheet("rosa@example.com", "bo@"),
        TERMS,
        NOW,
        lambda _: "B1",
        dry_run=dry_run,
        skip_errors=skip_errors,
    )
    assert (imported.batch, len(imported.plan.errors)) == (batch, 1)
    assert len(await state.unblocked.entries()) == (1 if batch else 0)
