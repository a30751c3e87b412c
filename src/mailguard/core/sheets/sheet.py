"""A workbook or CSV file as rows of text, as a school hands it in (R38).

Owns the names of cells as people read them in Excel. Must not know how a file is opened, or what
its cells mean.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


@dataclass(frozen=True, slots=True)
class SheetRejected:
    """A file that is not read; the reason is for whoever handed it in."""

    refused: str


class SheetRow(NamedTuple):
    """One row that holds something."""

    number: int  # from 1, as Excel counts
    cells: tuple[str, ...]  # from column A; empty cells are "", those at the end are left out


@dataclass(frozen=True, slots=True)
class SheetTable:
    """One sheet of a workbook; a CSV file is one without a name."""

    name: str
    rows: tuple[SheetRow, ...]
    hidden: bool = False  # nobody sees it in Excel: it is not read


@dataclass(frozen=True, slots=True)
class Sheet:
    """What a school handed in."""

    name: str  # of the file
    tables: tuple[SheetTable, ...]


def cell_name(column: int, row: int) -> str:
    """ "B7" for column 1 (from 0) and row 7 (from 1)."""
    letters = ""
    column += 1
    while column:
        column, rest = divmod(column - 1, 26)
        letters = chr(65 + rest) + letters
    return f"{letters}{row}"
