"""CSV files as spreadsheets write them: a header row, then records, each cell with its place.

Columns may come in any order; a cell with several values separates them by `;`. Must not know
what a column means.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from mailguard.config.form.errors import ConfigError, ConfigErrors
from mailguard.config.form.validate import suggest
from mailguard.config.form.yaml import read_text
from mailguard.core.mail.safe_text import quoted

MAX_OCTETS = 67_108_864  # 64 MiB: some hundred thousand people


@dataclass(slots=True)
class CsvTable:
    """A file's records. A record maps the columns that are filled to their texts, stripped."""

    file: str
    columns: tuple[str, ...]  # as in the header row
    records: list[tuple[int, dict[str, str]]]  # with the line each begins in
    lines: list[str]
    errors: list[ConfigError]

    def error(
        self, line: int, column: str, problem: str, allowed: str = "", *, row: str = ""
    ) -> ConfigError:
        """An error about one cell of the record that begins in a line."""
        index = self.columns.index(column) if column in self.columns else 0
        place = self._place(line, index)
        path = f"{row}: {column}" if row and column else column or row
        return ConfigError(self.file, *place, path, problem, allowed)

    def _place(self, line: int, index: int) -> tuple[int, int]:
        """Where a record's cell begins: commas outside quotes are counted."""
        quoted, commas = False, 0
        for at in range(line - 1, len(self.lines)):
            if commas == index:
                return at + 1, 1
            for column, character in enumerate(self.lines[at], 1):
                if character == '"':
                    quoted = not quoted
                elif character == "," and not quoted:
                    commas += 1
                    if commas == index:
                        return at + 1, column + 1
            if not quoted:
                break
        return line, 1


def read_table(path: Path, allowed: Mapping[str, bool]) -> CsvTable:
    """Read a CSV file whose columns are among `allowed` (the value: whether it is required).

    Raises ConfigErrors where the file or its header cannot be used; errors of single records
    are in `errors`, with those records left out.
    """
    text = read_text(path, MAX_OCTETS)
    lines = text.splitlines(keepends=True)
    table = CsvTable(str(path), (), [], lines, [])
    rows = _rows(table)
    try:
        header_line, header = next(rows)
    except StopIteration:
        problem = "is empty"
        raise ConfigErrors([table.error(1, "", problem, f"columns {', '.join(allowed)}")]) from None
    table.columns = tuple(cell.strip() for cell in header)
    errors = list(table.errors)
    for index, column in enumerate(table.columns):
        if column not in allowed:
            problem = f"{quoted(column)} is no column here{suggest(column, allowed)}"
            errors.append(table.error(header_line, column, problem, ", ".join(allowed)))
        elif column in table.columns[:index]:
            errors.append(table.error(header_line, column, "comes twice", "each column once"))
    for column, required in allowed.items():
        if required and column not in table.columns:
            problem = f"the column {quoted(column)} is missing"
            errors.append(table.error(header_line, "", problem, ", ".join(allowed)))
    if errors:
        raise ConfigErrors(errors)
    width = len(table.columns)
    for line, cells in rows:
        if len(cells) > width:
            problem = f"{len(cells)} cells under {width} columns"
            table.errors.append(table.error(line, "", problem, "text with commas in quotes"))
        else:
            record = {c: v.strip() for c, v in zip(table.columns, cells, strict=False) if v}
            table.records.append((line, record))
    return table


def _rows(table: CsvTable) -> Iterator[tuple[int, list[str]]]:
    """The rows that are not blank, with the line each begins in."""
    reader = csv.reader(table.lines, strict=True)
    line = 1
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            table.errors.append(
                ConfigError(table.file, line, 1, "", f"is not CSV: {error}", "commas and quotes")
            )
            return
        if any(cell.strip() for cell in cells):
            yield line, cells
        line = reader.line_num + 1


@lru_cache(maxsize=4096)
def several(cell: str) -> tuple[str, ...]:
    """The values of a cell that may hold several. Equal cells share one tuple: most repeat."""
    if ";" not in cell:
        return (cell,) if cell else ()
    return tuple(value.strip() for value in cell.split(";") if value.strip())
