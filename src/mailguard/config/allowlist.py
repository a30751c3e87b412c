"""The unblocked list as people write it: single addresses and nothing wider (R37).

Owns the one rule for every way in: `allowlist.d/*.txt`, CSV imports, the command line, the
database. Must not know who asks, or what an entry waives.
"""

from __future__ import annotations

import csv
import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from mailguard.config import addresses
from mailguard.config.errors import ConfigError, ConfigErrors, quote
from mailguard.config.yaml import read_text
from mailguard.core.facts import Unblocked

FOLDER = "allowlist.d"
REASON = (
    "only specific, individual addresses are unblocked; a whole domain or a pattern would let in "
    "forged senders and more spam (R37)"
)
ALLOWED = "one full address, as in parent@example.com"
_KEYS = ("expires", "site", "by")
# Legal in a local part (RFC 5321 4.1.2), but in a list they are somebody's idea of a pattern.
_PATTERN = re.compile(r"[*?%\[\](){}|^$\\]")
_HEADINGS = frozenset(
    f"{before}{word}{after}"
    for before in ("", "parent ")
    for word in ("email", "e-mail", "mail", "address", "email address", "e-mail address")
    for after in ("", "s", "es")
)


@dataclass(frozen=True, slots=True)
class Entry:
    """One address on the list, with what was said about it."""

    address: str  # lower case
    expires: date | None = None  # the last day on which it counts
    site: str = ""
    by: str = ""  # who entered it


@dataclass(frozen=True, slots=True)
class Import:
    """What a list handed in by a school comes to (R38)."""

    entries: tuple[Entry, ...]  # each address once
    errors: tuple[tuple[int, str], ...]  # row, from 1, and what is wrong in it
    duplicates: tuple[tuple[int, str], ...]  # row and the address that was there before
    without: int = 0  # rows without any address


def parse_entry(text: str) -> Entry:
    """One line: an address, then any of `expires=2027-06-30 site=oak by=jdoe`.

    Raises ValueError with `problem; allowed: …`; the problem gives R37's reason where it applies.
    """
    words = text.split()
    if not words:
        raise ValueError(f"there is no address; allowed: {ALLOWED}")
    address = single_address(words[0])
    given: dict[str, str] = {}
    for word in words[1:]:
        key, equals, value = word.partition("=")
        if not equals or key not in _KEYS or not value:
            allowed = "expires=YYYY-MM-DD, site=…, by=…, one address a line"
            raise ValueError(
                f"{quote(word)} is not understood after the address; allowed: {allowed}"
            )
        if key in given:
            raise ValueError(f"{quote(key)} comes twice; allowed: each once")
        given[key] = value
    expires = _day(given["expires"]) if "expires" in given else None
    return Entry(address, expires, given.get("site", ""), given.get("by", ""))


def single_address(text: str) -> str:
    """One individual address in lower case. Raises ValueError (R37)."""
    folded = unicodedata.normalize("NFKC", text).strip()  # full-width * and @ are * and @
    local, at, _ = folded.rpartition("@")
    if not at or not local or folded.startswith(("@", ".", "+@")) or _PATTERN.search(folded):
        raise ValueError(f"{quote(text)} is no single address: {REASON}; allowed: {ALLOWED}")
    try:
        return addresses.mailbox(folded)
    except ValueError as error:
        problem = str(error).partition("; allowed: ")[0]
        raise ValueError(f"{problem}; allowed: {ALLOWED}") from None


def load_allowlist(directory: Path, time_zone: str) -> Mapping[str, Unblocked]:
    """Every entry of `allowlist.d/*.txt` by address. Raises ConfigErrors with all that is wrong.

    An address that comes again is kept with the later end: two schools may both have listed it.
    """
    found: dict[str, Unblocked] = {}
    errors: list[ConfigError] = []
    folder = directory / FOLDER
    for path in sorted(folder.glob("*.txt")) if folder.is_dir() else ():
        if path.name.startswith("."):
            continue
        try:
            text = read_text(path)
        except ConfigErrors as wrong:
            errors += wrong.errors
            continue
        for number, line in enumerate(text.splitlines(), 1):
            written = _without_comment(line)
            if not written.strip():
                continue
            try:
                entry = parse_entry(written)
            except ValueError as error:
                problem, _, allowed = str(error).partition("; allowed: ")
                column = len(line) - len(line.lstrip()) + 1
                errors.append(ConfigError(str(path), number, column, "", problem, allowed))
                continue
            unblocked = Unblocked(
                entry.address,
                f"{FOLDER}/{path.name}:{number}",
                entry.site,
                expires_at(entry.expires, time_zone),
            )
            other = found.get(entry.address)
            if other is None or _later(unblocked, other):
                found[entry.address] = unblocked
    if errors:
        raise ConfigErrors(errors)
    return found


def expires_at(last: date | None, time_zone: str) -> float | None:
    """The moment after an entry's last day, in the district's time zone; None without an end."""
    if last is None:
        return None
    return datetime.combine(last + timedelta(days=1), time(), ZoneInfo(time_zone)).timestamp()


def parse_csv(
    lines: Iterable[str], *, site: str = "", expires: date | None = None, by: str = ""
) -> Import:
    """A school's spreadsheet as CSV: addresses from the columns headed e-mail or address, or from
    every cell where there is no such heading. A cell may hold several, between `;`, `,` or spaces,
    and each may be written `Name <address>`.

    Never raises for content; errors come by row, and the other rows are used.
    """
    entries: dict[str, Entry] = {}
    errors: list[tuple[int, str]] = []
    duplicates: list[tuple[int, str]] = []
    columns: list[int] | None = None
    without = row = 0
    reader = csv.reader(lines)
    while True:
        row += 1
        try:
            cells = next(reader)
        except StopIteration:
            break
        except csv.Error as error:
            errors.append((row, f"is not CSV: {error}"))
            continue
        if row == 1:
            headings = [cell.strip().lstrip("\ufeff").lower() for cell in cells]
            columns = [i for i, heading in enumerate(headings) if heading in _HEADINGS]
            if columns:
                continue
        written = _cells_with_addresses(cells, columns or [])
        if not written:
            without += any(cell.strip() for cell in cells)
        for text in written:
            try:
                address = single_address(text)
            except ValueError as error:
                errors.append((row, str(error)))
                continue
            if address in entries:
                duplicates.append((row, address))
            else:
                entries[address] = Entry(address, expires, site, by)
    return Import(tuple(entries.values()), tuple(errors), tuple(duplicates), without)


def _cells_with_addresses(cells: list[str], columns: list[int]) -> list[str]:
    chosen = [cells[i] for i in columns if i < len(cells)] if columns else cells
    found = []
    for cell in chosen:
        if not columns and "@" not in cell:
            continue  # a name, a class
        for piece in re.split(r"[;,\n]", cell):
            opened, closed = piece.rfind("<"), piece.rfind(">")
            if 0 <= opened < closed:
                found.append(piece[opened + 1 : closed].strip())
            else:
                found += piece.split()
    return found


def _without_comment(line: str) -> str:
    """A `#` begins a comment at the start of a line or after a space; addresses may hold one."""
    for index, character in enumerate(line):
        if character == "#" and (index == 0 or line[index - 1].isspace()):
            return line[:index]
    return line


def _day(text: str) -> date:
    try:
        if len(text) != 10:
            raise ValueError
        return date.fromisoformat(text)
    except ValueError:
        raise ValueError(
            f"{quote(text)} is no date; allowed: YYYY-MM-DD, the last day on which it counts"
        ) from None


def _later(one: Unblocked, other: Unblocked) -> bool:
    if one.expires_at is None or other.expires_at is None:
        return one.expires_at is None and other.expires_at is not None
    return one.expires_at > other.expires_at
