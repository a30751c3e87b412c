"""Parents' addresses out of a school's sheet: entries, and what is wrong by row and cell (R38).

Owns which column holds addresses, how a cell is taken apart, and the report for whoever handed the
sheet in. Must not know where the list is kept, or how the sheet came. Time is linear in the text;
50,000 rows take about half a second: call it in a thread.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import NamedTuple
from urllib.parse import unquote

from mailguard.core.mail.mailbox import ONLY_SINGLE, TooWide, single_address
from mailguard.core.mail.safe_text import quoted, terminal
from mailguard.core.sheets.sheet import Sheet, SheetRow, SheetTable, cell_name

SHOWN = 50  # lines of one kind that a report has at most
_LOOKED_AT = 20  # rows among which the headings are looked for
_MAIL = frozenset(("email", "emails", "mail", "mails", "emailaddress", "correo", "courriel"))
_WHOSE = frozenset(
    ("parent", "parents", "guardian", "guardians", "mother", "father", "family", "contact")
)
_WHICH = frozenset(("first", "second", "primary", "secondary", "other", "home", "1", "2", "3", "4"))
_MAIL_BESIDE = _WHOSE | _WHICH | {"e", "address", "addresses", "adresse", "electrónico", "id"}
_SITE = frozenset(
    ("site", "school", "campus", "building", "school site", "school name", "site name", "site id")
)
_NAME = _WHOSE | {"name", "names", "surname"}
_NAME_BESIDE = _WHICH | {"last", "given", "full", "student", "child", "s"}
_EMPTY = frozenset(("-", "--", "–", "—", ".", "n/a", "na", "none", "no", "nil", "null", "x", "0"))
_WORD = re.compile(r"\w+")
_APART = re.compile(r"[;,\n]")
_PLAIN = re.compile(r"[^\s;,<>\"]+")
# What stands without "@" beside an address and is no word of a name: gmail.com, *.gmail.com
_WIDE = re.compile(r".*[*%].*|\.?(?:[a-z0-9-]++\.)++[a-z]{2,}", re.IGNORECASE | re.DOTALL)
_NAME_LIKE = re.compile(r"[^\W\d_][\w.'’-]*+|[&/-]|")
_INVISIBLE = "\u200b\u200c\u200d\u200e\u200f\u2060\ufeff\xad"  # come along when text is pasted


@dataclass(frozen=True, slots=True)
class ParentEntry:
    """One address that the sheet puts on the list."""

    address: str  # lower case
    site: str
    place: str  # "B7", or "Parents!B7" where the file has several sheets


@dataclass(frozen=True, slots=True)
class Problem:
    """A cell and what is so about it."""

    place: str
    problem: str
    name: str = ""  # of the parent, as the row has it

    def __str__(self) -> str:
        name = f" ({terminal(self.name, 60)})" if self.name else ""
        return f"{self.place}{name}: {self.problem}"


@dataclass(frozen=True, slots=True)
class Duplicate:
    """An address that stands in the sheet before, or on the list already."""

    place: str
    address: str
    of: str  # the cell it stood in before; "" where it is on the list

    def __str__(self) -> str:
        return f"{self.place}: {self.address} ({f'as in {self.of}' if self.of else 'on the list'})"


@dataclass(frozen=True, slots=True)
class ImportPlan:
    """What a sheet comes to. An address on the list already is an entry too: with this one it
    counts to the later of both days, and undoing the import leaves the other."""

    file: str
    origin: str
    expires_at: float | None
    entries: tuple[ParentEntry, ...] = ()  # each address once
    errors: tuple[Problem, ...] = ()
    duplicates: tuple[Duplicate, ...] = ()
    passed_over: tuple[Problem, ...] = ()  # what was not read, and why


class _Columns(NamedTuple):
    first: int  # index of the first row below the headings
    known: bool  # or the headings are words unknown here
    addresses: frozenset[int]
    site: int  # -1: none
    names: tuple[int, ...]


@dataclass(slots=True)
class _Reading:
    existing: Callable[[str], bool]
    sites: Mapping[str, str]
    entries: dict[str, ParentEntry] = field(default_factory=dict)
    errors: list[Problem] = field(default_factory=list)
    duplicates: list[Duplicate] = field(default_factory=list)
    passed_over: list[Problem] = field(default_factory=list)


def plan(
    sheet: Sheet,
    existing: Callable[[str], bool],
    *,
    site: str = "",
    origin: str = "",
    expires_at: float | None = None,
    sites: Iterable[tuple[str, str]] = (),
) -> ImportPlan:
    """Read every address of a sheet. Never raises for what it holds.

    `existing` says whether an address (lower case) is on the list. `site` is for rows whose sheet
    names none. With `sites`, pairs of id and name, a site in the sheet must be one of them.
    """
    reading = _Reading(existing, site_ids(sites))
    several = len(sheet.tables) > 1
    for table in sheet.tables:
        before = f"{terminal(table.name, 40)}!" if several else ""
        if table.hidden:
            reading.passed_over.append(Problem(before.rstrip("!"), "is hidden, and was not read"))
        elif table.rows:
            _read_table(table, before, site, reading)
    if not reading.entries and not reading.errors:
        reading.errors.append(Problem(quoted(sheet.name), "holds no mail address"))
    return ImportPlan(
        terminal(sheet.name),
        origin or f"import {terminal(sheet.name)}",
        expires_at,
        tuple(reading.entries.values()),
        tuple(reading.errors),
        tuple(reading.duplicates),
        tuple(reading.passed_over),
    )


def report(found: ImportPlan, last_day: date | None = None, *, taken: bool = True) -> str:
    """What the school is told, as plain text: first the counts, then what needs a look.

    `taken` is whether the entries were put on the list.
    """
    known = sum(not duplicate.of for duplicate in found.duplicates)
    new = _count(len(found.entries) - known, "new address", "new addresses")
    until = f", until {last_day.isoformat()}" if last_day else ""
    lines = [f"{found.file}: {new} {f'put on the list{until}' if taken else 'found'}."]
    if known:
        listed = _count(known, "address was", "addresses were")
        lines.append(f"{listed} on the list already{f' and stay{until}' if taken else ''}.")
    if not taken and found.errors:
        lines.append("Nothing was imported: please mend the cells below and send the file again.")
    _section(lines, "Not understood", found.errors)
    if any("(R37)" in error.problem for error in found.errors):
        lines.append(f"  R37: {ONLY_SINGLE.removesuffix(' (R37)')}.")
    _section(lines, "Twice in the file, taken once", [d for d in found.duplicates if d.of])
    _section(lines, "Passed over", found.passed_over)
    return "\n".join(lines) + "\n"


def a_year_after(day: date) -> date:
    """The last day of what is listed for a year from that day."""
    try:
        return day.replace(year=day.year + 1)
    except ValueError:  # 29 February
        return day.replace(year=day.year + 1, day=28)


def site_ids(sites: Iterable[tuple[str, str]]) -> Mapping[str, str]:
    """The ids of sites, by id and by name as people write them (casefolded)."""
    return {word.casefold(): id_ for id_, name in sites for word in (name, id_)}


def _section(lines: list[str], title: str, items: Sequence[object]) -> None:
    if items:
        lines += ["", f"{title} ({len(items)}):"]
        lines += [f"  {item}" for item in items[:SHOWN]]
        if len(items) > SHOWN:
            lines.append(f"  and {len(items) - SHOWN} more")


def _count(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"


def _read_table(table: SheetTable, before: str, default_site: str, reading: _Reading) -> None:
    columns = _columns(table.rows)
    if not columns.addresses:
        place = before.rstrip("!") or cell_name(0, table.rows[0].number)
        reading.passed_over.append(Problem(place, "there is no column of mail addresses"))
        return
    if not columns.known:
        place = f"{before}{cell_name(0, table.rows[0].number)}"
        reading.passed_over.append(Problem(place, "was taken for the row of headings"))
    for row in table.rows[columns.first :]:
        name = " ".join(" ".join(_cell(row, c) for c in columns.names).split())
        site: str | None = default_site
        for column, cell in enumerate(row.cells):
            place = f"{before}{cell_name(column, row.number)}"
            if column == columns.site and cell.strip():
                site = _site(cell, reading.sites)
                if site is None:
                    problem = f"{quoted(cell.strip())} is no site of the district"
                    reading.errors.append(Problem(place, problem, name))
            elif column not in columns.addresses and "@" in cell and column not in columns.names:
                problem = f"{quoted(cell)} stands in no column of addresses"
                reading.passed_over.append(Problem(place, problem, name))
        if site is not None:
            _read_row(row, columns, (before, site, name), reading)


def _read_row(
    row: SheetRow, columns: _Columns, given: tuple[str, str, str], reading: _Reading
) -> None:
    before, site, name = given
    here: set[str] = set()  # an address as its own display name is no duplicate
    for column in sorted(columns.addresses):
        cell = _cell(row, column)
        if not cell or cell.casefold() in _EMPTY:
            continue
        place = f"{before}{cell_name(column, row.number)}"
        for found in _addresses(cell):
            if isinstance(found, Problem):
                reading.errors.append(Problem(place, found.problem, name))
            elif found in here:
                continue
            elif found in reading.entries:
                duplicate = Duplicate(place, found, reading.entries[found].place)
                reading.duplicates.append(duplicate)
            else:
                here.add(found)
                reading.entries[found] = ParentEntry(found, site, place)
                if reading.existing(found):
                    reading.duplicates.append(Duplicate(place, found, ""))


def _addresses(cell: str) -> Iterator[str | Problem]:
    """The addresses of one cell, or what is wrong: `a@b; c@d`, `Name <a@b>`, `mailto:a@b`."""
    if _PLAIN.fullmatch(cell):
        yield _address(cell)
        return
    if "@" not in cell:
        yield _address(cell) if _wide(cell) else Problem("", f"{quoted(cell)} is no address")
        return
    if "<" not in cell:
        yield from _loose(_APART.split(cell))
        return
    *named, rest = cell.split(">")
    for part in named:
        words, angle, inside = part.rpartition("<")
        if not angle:
            yield Problem("", f"{quoted(part)} has no '<' before its '>'")
            continue
        *earlier, display = _APART.split(words)
        # "Alder, Rosa <rosa@…>" has a comma in the name; what holds an address is a list before it.
        yield from _loose([piece for piece in earlier if "@" in piece or _wide(piece.strip())])
        shown, found = display.strip(" \t\"'"), _address(inside)
        if "@" in shown and isinstance(found, str) and shown.casefold() != found:
            found = Problem("", f"{quoted(shown)} is shown, and {quoted(found)} is meant")
        yield found
    yield from _loose(_APART.split(rest))


def _loose(pieces: Iterable[str]) -> Iterator[str | Problem]:
    """Addresses between separators or spaces; the words of a name may stand beside them."""
    for piece in pieces:
        words = [word.strip('"()' + _INVISIBLE) for word in piece.split()]
        held = [word for word in words if "@" in word or _wide(word)]
        for word in held:
            yield _address(word)
        if not held and any(_NAME_LIKE.fullmatch(word) is None for word in words):
            yield Problem("", f"{quoted(piece.strip())} is no address")


def _wide(word: str) -> bool:
    return _WIDE.fullmatch(word) is not None


def _address(text: str) -> str | Problem:
    text = text.strip().strip(_INVISIBLE).removeprefix("'")  # Excel's mark for "this is text"
    if text[:7].lower() == "mailto:":
        text = unquote(text[7:].partition("?")[0])
    if text.startswith(("=", "+", "-")):
        return Problem("", f"{quoted(text)} begins as a formula does")
    try:
        return single_address(text)
    except TooWide as wide:
        return Problem(
            "", wide.problem if "@" in text or _wide(text) else f"{quoted(text)} is no address"
        )
    except ValueError as error:
        return Problem("", str(error).partition("; allowed: ")[0])


def _site(cell: str, known: Mapping[str, str]) -> str | None:
    """The site's id; None where it is unknown. Without a list of sites any word will do."""
    words = " ".join(cell.split())
    return known.get(words.casefold()) if known else terminal(words[:60])


def _cell(row: SheetRow, column: int) -> str:
    return row.cells[column].strip() if column < len(row.cells) else ""


def _columns(rows: Sequence[SheetRow]) -> _Columns:
    """Which columns hold what: by the headings, and by what stands below them."""
    heading = _heading(rows)
    kinds = [_kind(cell) for cell in rows[heading].cells] if heading >= 0 else []
    first = heading + 1
    filled: dict[int, int] = {}
    mail: dict[int, int] = {}
    for row in rows[first:]:
        for column, cell in enumerate(row.cells):
            if cell:
                filled[column] = filled.get(column, 0) + 1
                if "@" in cell:
                    mail[column] = mail.get(column, 0) + 1
    headed = {c for c, kind in enumerate(kinds) if kind == "mail" and (c in mail or not mail)}
    mostly = {c for c, number in mail.items() if 2 * number >= filled[c]}
    if headed:  # beside them only what has no heading: a teacher's address is none of the parents'
        headings = rows[heading].cells
        mostly = {c for c in mostly if c >= len(headings) or not headings[c].strip()}
    addresses = frozenset(headed | mostly)
    return _Columns(
        first,
        heading < 0 or any(kinds),
        addresses,
        next((c for c, kind in enumerate(kinds) if kind == "site" and c not in addresses), -1),
        tuple(c for c, kind in enumerate(kinds) if kind == "name" and c not in addresses),
    )


def _heading(rows: Sequence[SheetRow]) -> int:
    """The row of headings; -1: none. Of the rows above the first address it is the one with most
    known ones; where none has any, the first row, in whatever language."""
    best, most = -1, 0
    for index, row in enumerate(rows[:_LOOKED_AT]):
        if any("@" in cell for cell in row.cells):
            break
        known = sum(bool(_kind(cell)) for cell in row.cells)
        if known > most:
            best, most = index, known
    if best < 0 and not any("@" in cell or _wide(cell) for cell in rows[0].cells):
        return 0
    return best


def _kind(heading: str) -> str:
    """What a heading announces: mail, site, name, or ""."""
    folded = " ".join(heading.casefold().split())
    if not folded or len(folded) > 40:
        return ""
    words = _WORD.findall(folded.replace("e-mail", "email").replace("_", " "))
    if any(word in _MAIL for word in words) and all(w in _MAIL | _MAIL_BESIDE for w in words):
        return "mail"
    if " ".join(words) in _SITE:
        return "site"
    if any(word in _NAME for word in words) and all(w in _NAME | _NAME_BESIDE for w in words):
        return "name"
    return ""
