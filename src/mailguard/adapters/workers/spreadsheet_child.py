"""The process that opens a school's sheet: octets on standard input, rows on standard output.

Owns the budgets and how a file becomes text. It may take little memory and CPU, write no file and
open nothing: neither file nor socket. Must not be imported: `adapters.workers.spreadsheet` runs it.

Each line of the answer is JSON: a row `[number, [cells]]`; at the end of each sheet
`{"table": name, "hidden": false}`; `{"end": true}` when all was read, or `{"refused": why}`.
"""

from __future__ import annotations

import codecs
import csv
import datetime
import io
import json
import resource
import sys
import zipfile
from collections.abc import Iterable, Sequence
from typing import Any, NoReturn

from python_calamine import (
    CalamineSheet,
    CalamineWorkbook,
    SheetTypeEnum,
    SheetVisibleEnum,
)

MEMORY = 536_870_912  # octets of address space
CPU = 20  # seconds
UNPACKED = 134_217_728  # octets that a workbook may unpack to
MEMBERS = 2_000  # files in a workbook
TABLES = 100
ROWS = 100_000
COLUMNS = 256
CELLS = 1_000_000
TEXT = 33_554_432  # characters in all cells together
CELL = 32_767  # characters in one: Excel's own limit
ROW = 200_000  # characters in one row
_MERGED = 20_000  # ranges of merged cells looked at
_SNIFFED = 20  # lines by which the separator is found
_SEPARATORS = ",;\t|"


class _Refusal(Exception):
    """The file is not read, for a reason in words."""


def main() -> None:
    """Read one file and end."""
    raw = sys.stdin.buffer.read()
    _confine()
    out = _Answer()
    try:
        if raw.startswith(b"PK\x03\x04"):
            _workbook(raw, out)
        elif raw.startswith(b"\xd0\xcf\x11\xe0"):  # OLE: the old form, or an encrypted new one
            raise _Refusal("it is an old or a protected workbook; save it as .xlsx, no password")
        else:
            _text(raw, out)
    except _Refusal as refusal:
        out.end({"refused": str(refusal)})
    except MemoryError:
        out.end({"refused": "it takes more memory to read than is allowed"})
    except BaseException as error:  # noqa: BLE001 - calamine's panics are no Exception
        out.end({"refused": f"it cannot be read as a workbook ({type(error).__name__})"})
    out.end({"end": True})


def _confine() -> None:
    for encoding in ("utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252", "cp437"):
        codecs.lookup(encoding)  # a module each: later it could not be opened
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU, CPU))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))  # those it has: no file, no socket


class _Answer:
    """Standard output, and what may still go there."""

    def __init__(self) -> None:
        self._rows, self._cells, self._text = ROWS, CELLS, TEXT

    def row(self, number: int, cells: Sequence[str]) -> None:
        """One row; an empty one is left out. Raises _Refusal when a budget is spent."""
        last = next((at for at in range(len(cells), 0, -1) if cells[at - 1]), 0)
        if not last:
            return
        if last > COLUMNS:
            raise _Refusal(f"row {number} has {last:,} columns; allowed are {COLUMNS}")
        characters = sum(map(len, cells))
        self._rows -= 1
        self._cells -= last
        self._text -= characters
        if max(map(len, cells)) > CELL or characters > ROW:
            allowed = f"allowed are {CELL:,} characters in a cell"
            raise _Refusal(f"row {number} holds too much text; {allowed}")
        if self._rows < 0:
            raise _Refusal(f"it has more than {ROWS:,} rows")
        if self._cells < 0 or self._text < 0:
            raise _Refusal(f"it has more than {CELLS:,} cells or {TEXT:,} characters")
        self._say([number, cells[:last]])

    def table(self, name: str, hidden: bool = False) -> None:
        """The rows since the last one were this sheet's."""
        self._say({"table": name, "hidden": hidden})

    def end(self, last: dict[str, Any]) -> NoReturn:
        self._say(last)
        sys.stdout.buffer.flush()
        raise SystemExit(0)

    def _say(self, value: Any) -> None:
        line = json.dumps(value, separators=(",", ":"), ensure_ascii=False) + "\n"
        sys.stdout.buffer.write(line.encode())


def _workbook(raw: bytes, out: _Answer) -> None:
    _look_into(raw)
    workbook = CalamineWorkbook.from_object(io.BytesIO(raw))
    about = workbook.sheets_metadata
    if len(about) > TABLES:
        raise _Refusal(f"it has {len(about)} sheets; allowed are {TABLES}")
    for table in about:
        if table.typ is not SheetTypeEnum.WorkSheet:
            continue
        hidden = table.visible is not SheetVisibleEnum.Visible
        if not hidden:
            _rows(workbook.get_sheet_by_name(table.name), out)
        out.table(table.name, hidden)


def _look_into(raw: bytes) -> None:
    """What the directory of the archive admits; what it hides is ended by the limits."""
    try:
        members = zipfile.ZipFile(io.BytesIO(raw)).infolist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise _Refusal("it is damaged") from error
    names = {member.filename for member in members}
    if "xl/workbook.xml" not in names:
        raise _Refusal("it is no Excel workbook; save it as .xlsx or as CSV")
    unpacked = sum(member.file_size for member in members)
    if unpacked > UNPACKED or len(members) > MEMBERS:
        allowed = f"allowed are {UNPACKED:,} octets in {MEMBERS:,} files"
        raise _Refusal(f"it unpacks to {unpacked:,} octets in {len(members):,} files; {allowed}")


def _rows(sheet: CalamineSheet, out: _Answer) -> None:
    merged = _merged(sheet)
    before = [""] * (sheet.start[1] if sheet.start else 0)  # columns left of the first used one
    lasting: dict[int, tuple[int, str]] = {}  # by column: the last row of a merged cell, its words
    for number, values in enumerate(sheet.iter_rows(), 1):
        cells = before + [_written(value) for value in values]
        # A merged cell's words stand for every row it spans, its addresses for the first alone.
        for column, (last, words) in list(lasting.items()):
            if number > last:
                del lasting[column]
            elif any(cells):
                cells[column] = words
        for column, last in merged.get(number, ()):
            if column < len(cells) and "@" not in cells[column]:
                lasting[column] = (last, cells[column])
        out.row(number, cells)


def _merged(sheet: CalamineSheet) -> dict[int, list[tuple[int, int]]]:
    """By first row: column and last row of the cells that span several rows. Rows from 1."""
    spans: dict[int, list[tuple[int, int]]] = {}
    for (top, left), (bottom, _) in (sheet.merged_cell_ranges or [])[:_MERGED]:
        if bottom > top and left < COLUMNS:
            spans.setdefault(top + 1, []).append((left, bottom + 1))
    return spans


def _written(value: Any) -> str:
    """A cell's value as text."""
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, (datetime.date, datetime.time)):
        return value.isoformat()
    return str(value)


def _text(raw: bytes, out: _Answer) -> None:
    lines = list(io.StringIO(_decoded(raw), newline=""))
    separator = _said(lines)
    if separator:
        del lines[0]  # Excel does not show it
    else:
        separator = _guessed(lines)
    csv.field_size_limit(CELL)
    try:
        for number, cells in enumerate(csv.reader(lines, delimiter=separator), 1):
            out.row(number, [cell.strip() for cell in cells])
    except csv.Error as error:
        raise _Refusal(f"it is not CSV: {error}") from error
    out.table("")


def _decoded(raw: bytes) -> str:
    """UTF-8, UTF-16 or, as Excel writes CSV in much of the world, Windows-1252."""
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        encodings: Iterable[str] = ("utf-16",)
    elif b"\0" in raw[:1000]:  # without its mark: Latin letters have their NUL first or second
        encodings = ("utf-16-be" if raw[:1] == b"\0" else "utf-16-le",)
    else:
        encodings = ("utf-8-sig", "cp1252")
    for encoding in encodings:
        try:
            text = raw.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" not in text:
            return text
    raise _Refusal("it is neither an Excel workbook (.xlsx) nor CSV text")


def _said(lines: Sequence[str]) -> str:
    """The separator that a first line `sep=;` says, as Excel reads it; "" where there is none."""
    first = lines[0].strip().lower() if lines else ""
    return first[4] if len(first) == 5 and first[:4] == "sep=" and first[4] in _SEPARATORS else ""


def _guessed(lines: Sequence[str]) -> str:
    """The separator that stands outside of quotes in most lines; of several the most frequent."""
    outside = ["".join(line[:ROW].split('"')[::2]) for line in lines[:_SNIFFED] if line.strip()]

    def weight(separator: str) -> tuple[bool, int]:
        counts = [line.count(separator) for line in outside]
        return 2 * sum(map(bool, counts)) > len(counts), sum(counts)

    return max(_SEPARATORS, key=weight)


if __name__ == "__main__":
    main()
