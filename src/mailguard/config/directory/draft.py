"""What has been read of the directory so far, and how its readers name a wrong cell.

Owns the draft that the readers of people, sites, groups, accounts and delegations fill, and the
forms of values that several of them have. Must not know any file's columns.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Protocol, TypeVar

from mailguard.config.form.csv_tables import CsvTable
from mailguard.config.form.errors import ConfigError, ConfigErrors
from mailguard.config.form.forms import Section
from mailguard.config.form.validate import suggest, validate
from mailguard.config.form.yaml import load_file
from mailguard.core.mail.mailbox import mailbox as one_mailbox
from mailguard.core.mail.safe_text import quoted
from mailguard.core.people.district import District
from mailguard.core.people.model import (
    Account,
    Delegation,
    Event,
    Group,
    OutsideApprover,
    Person,
    Site,
    Unit,
)

_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


class Where(Protocol):
    """Makes an error about one field of one entry."""

    def __call__(self, field: str, problem: str, allowed: str = "") -> ConfigError: ...


@dataclass(slots=True)
class Draft:
    """What has been read so far; `where` remembers each entry's place for checks across files."""

    district: District
    people: dict[str, Person] = field(default_factory=dict)
    sites: dict[str, Site] = field(default_factory=dict)
    groups: dict[str, Group] = field(default_factory=dict)
    accounts: dict[str, Account] = field(default_factory=dict)
    delegations: list[Delegation] = field(default_factory=list)
    units: dict[str, Unit] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    outside: dict[str, OutsideApprover] = field(default_factory=dict)
    where: dict[tuple[str, str], Where] = field(default_factory=dict)
    holders: dict[str, str] = field(default_factory=dict)  # address -> "person ada"
    errors: list[ConfigError] = field(default_factory=list)
    complete: bool = True  # whether every entry was read, right or wrong

    def take(self, rows: CsvTable) -> None:
        """Keep a table's own errors."""
        self.errors += rows.errors
        self.complete = self.complete and not rows.errors

    def known(
        self, where: Where, field: str, ids: Iterable[str], known: Mapping[str, object]
    ) -> None:
        """Every id that a field names must be there."""
        for id in ids:
            if id not in known:
                close = suggest(id, known) if len(known) <= 5_000 else ""
                allowed = ", ".join(known) if len(known) <= 12 else ""
                self.errors.append(where(field, f"{quoted(id)} is not known{close}", allowed))

    def hold(self, mailboxes: Iterable[str], holder: str, where: Where) -> None:
        """An address is one person's or one group's."""
        for mailbox in mailboxes:
            other = self.holders.setdefault(mailbox, holder)
            if other is not holder:
                problem = f"{quoted(mailbox)} belongs to {other} already"
                self.errors.append(where("addresses", problem, "each address once"))

    def mailboxes(
        self, texts: Iterable[str], where: Where, field: str = "addresses"
    ) -> tuple[str, ...]:
        """Mail addresses in their normal form; wrong ones are errors and left out."""
        found = []
        for text in texts:
            try:
                found.append(one_mailbox(text))
            except ValueError as error:
                problem, _, allowed = str(error).partition("; allowed: ")
                self.errors.append(where(field, problem, allowed))
        return tuple(found)

    def day(self, text: str, field: str, where: Where) -> date | None:
        """A date in its one form; None where the cell is empty, or wrong, which is an error."""
        if not text:
            return None
        try:
            if _DAY.fullmatch(text):
                return date.fromisoformat(text)
        except ValueError:
            pass
        problem = f"{quoted(text)} is no date"
        self.errors.append(where(field, problem, "year-month-day, as in 2027-06-30"))
        return None


Entry = TypeVar("Entry", bound=Section)


def entries(
    path: Path, model: type[Entry], *, optional: bool = False
) -> Sequence[tuple[str, Entry, Where]]:
    """The entries of a YAML file that maps ids to `model`; none where it is missing and may be.
    Raises ConfigErrors with the errors of all of them."""
    if optional and not path.exists():
        return ()
    document = load_file(path)
    value = document.value if document.value is not None else {}
    if not isinstance(value, dict):
        raise ConfigErrors([document.error((), "is no mapping", "id: {…}")])
    errors: list[ConfigError] = []
    found = []
    for key, entry in value.items():
        try:
            row = validate(model, entry, document, (key,))
        except ConfigErrors as wrong:
            errors += wrong.errors
            continue

        def where(field: str, problem: str, allowed: str = "", key: str = key) -> ConfigError:
            return document.error((key, field) if field else (key,), problem, allowed)

        found.append((key, row, where))
    if errors:
        raise ConfigErrors(errors)
    return found


def cell(rows: CsvTable, line: int, id: str) -> Where:
    """Errors about the record that begins in a line."""

    def where(field: str, problem: str, allowed: str = "") -> ConfigError:
        return rows.error(line, field, problem, allowed, row=id)

    return where
