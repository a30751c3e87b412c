"""From `config/directory/` to a Directory in which every reference resolves.

Owns the columns and keys of people and sites, and the checks across files; groups are `groups`',
accounts and delegations `accounts`', events and bargaining units `occasions`'.
Linear in the files. Must not know policy; group rights are `core.people.rights`'.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from mailguard.config.directory.accounts import check_accounts, read_accounts, read_delegations
from mailguard.config.directory.draft import Draft, Where, cell, entries
from mailguard.config.directory.groups import check_groups, read_groups
from mailguard.config.directory.occasions import check_units, read_events, read_units
from mailguard.config.directory.outside import read_outside
from mailguard.config.form.csv_tables import read_table, several
from mailguard.config.form.errors import ConfigError, ConfigErrors
from mailguard.config.form.forms import Section
from mailguard.config.form.validate import suggest
from mailguard.core.decision.approval import OUTSIDE
from mailguard.core.mail.safe_text import quoted
from mailguard.core.people.directory import Directory
from mailguard.core.people.district import District
from mailguard.core.people.model import Person, Site
from mailguard.core.people.rights import ROLES

FOLDER = "directory"


class PersonRow(Section):
    """A person: a row of `people.csv`, or an entry of `people.yaml` under the person's id."""

    name: str = Field(min_length=1, description="As it stands in a display name: Jane Doe.")
    addresses: tuple[str, ...] = Field(
        min_length=1, description="Mail addresses; the first is the main one, at a district domain."
    )
    title: str = Field("", description="Job title, as signatures and statements name it.")
    phone: str = Field("", description="For signatures.")
    sites: tuple[str, ...] = Field((), description="Ids of the sites where they work.")
    classifications: tuple[str, ...] = Field((), description="Such as teacher or custodian (R17).")
    roles: tuple[str, ...] = Field((), description="Roles that rules name (R14-R16).")
    supports: tuple[str, ...] = Field(
        (), description="Ids of the administrators this person assists (R3, R19)."
    )
    other_names: tuple[str, ...] = Field((), description="Display names allowed besides the name.")
    personal_addresses: tuple[str, ...] = Field(
        (),
        description="Addresses outside from which they also write under their name, each in full "
        "(R1). They count where the message is proven to come from there.",
    )
    protected: bool = Field(
        True, description="Whether outside mail under this name is impersonation (R1)."
    )
    start: date | None = Field(
        None, description="First day of work, as in 2026-08-01; after `end`, of the return (R6)."
    )
    end: date | None = Field(
        None,
        description="Last day of work. At the next midnight in the district's time zone the "
        "account is disabled (R6).",
    )
    manager: str = Field("", description="Person id of who takes over when they leave (R6).")
    on_leaving: Literal["answer", "route"] = Field(
        "answer",
        description="What becomes of mail for them when they have left: `answer` tells the sender, "
        "`route` gives it to the manager, and the Technology Services Director is told (R6).",
    )
    legal_hold: bool = Field(
        False, description="Whether records rules keep a leaver's account past day 30 (R6)."
    )


class SiteEntry(Section):
    """A school or department: an entry of `sites.yaml` under its id."""

    name: str = Field(min_length=1, description="In full: Oak Elementary School.")
    kind: Literal["school", "department"] = Field(
        "school", description="`school`, or `department` for offices."
    )
    administrators: tuple[str, ...] = Field(
        (), description="Person ids of its principal or director (R18, R19)."
    )


_SEVERAL = (
    "addresses",
    "sites",
    "classifications",
    "roles",
    "supports",
    "other_names",
    "personal_addresses",
)
PEOPLE_COLUMNS = {"id": True} | {n: f.is_required() for n, f in PersonRow.model_fields.items()}


def load_directory(directory: Path, district: District) -> Directory:
    """Read everything below `directory/`. Raises ConfigErrors.

    `people.csv` (or `people.yaml`) and `sites.yaml` must be there; the others may be missing.
    """
    with _no_collection():
        return _loaded(directory / FOLDER, Draft(district))


@contextmanager
def _no_collection() -> Iterator[None]:
    """The garbage collector would go over some million fresh objects again and again, of which
    none is garbage: a third of the time."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


def _loaded(folder: Path, draft: Draft) -> Directory:
    readers: list[Callable[[Draft, Path], None]] = [
        _sites,
        _people,
        read_groups,
        read_accounts,
        read_delegations,
        read_units,
        read_events,
        read_outside,
    ]
    for read in readers:
        try:
            read(draft, folder)
        except ConfigErrors as wrong:
            draft.errors += wrong.errors
            draft.complete = False
    if draft.complete:  # what was not read would only make every reference to it dangle
        _references(draft)
    if draft.errors:
        raise ConfigErrors(draft.errors)
    made = Directory(
        draft.people,
        draft.sites,
        draft.groups,
        draft.accounts,
        tuple(draft.delegations),
        draft.units,
        tuple(draft.events),
        draft.outside,
    )
    made.prepare()
    return made


def _sites(draft: Draft, folder: Path) -> None:
    for id, row, where in entries(folder / "sites.yaml", SiteEntry):
        draft.sites[id] = Site(id, row.name, row.kind, row.administrators)
        draft.where["site", id] = where


def _people(draft: Draft, folder: Path) -> None:
    written, table = folder / "people.yaml", folder / "people.csv"
    if written.exists() and table.exists():
        problem = "people.csv is there as well"
        raise ConfigErrors([ConfigError(str(written), 1, 1, "", problem, "one of the two")])
    if written.exists():
        for id, row, where in entries(written, PersonRow):
            _person(draft, id, where, **dict(row))
        return
    rows = read_table(table, PEOPLE_COLUMNS)
    draft.take(rows)
    many = [c for c in _SEVERAL if c in rows.columns]
    for line, cells in rows.records:
        id = cells.get("id", "")
        where = cell(rows, line, id)
        _person(
            draft,
            id,
            where,
            name=cells.get("name", ""),
            title=cells.get("title", ""),
            phone=cells.get("phone", ""),
            protected=_flag(draft, cells, "protected", where, default=True),
            start=draft.day(cells.get("start", ""), "start", where),
            end=draft.day(cells.get("end", ""), "end", where),
            manager=cells.get("manager", ""),
            on_leaving=_on_leaving(draft, cells.get("on_leaving", ""), where),
            legal_hold=_flag(draft, cells, "legal_hold", where, default=False),
            **{column: several(cells.get(column, "")) for column in many},
        )


def _flag(
    draft: Draft, cells: Mapping[str, str], column: str, where: Where, *, default: bool
) -> bool:
    text = cells.get(column, "").lower()
    if text not in ("", "true", "false"):
        draft.errors.append(where(column, f"{quoted(text)} does not fit here", "true, false"))
    return text == "true" if text in ("true", "false") else default


def _on_leaving(draft: Draft, text: str, where: Where) -> str:
    if text.lower() not in ("", "answer", "route"):
        draft.errors.append(
            where("on_leaving", f"{quoted(text)} does not fit here", "answer, route")
        )
        return "answer"
    return text.lower() or "answer"


def _person(draft: Draft, id: str, where: Where, **row: Any) -> None:
    if not id:
        draft.errors.append(where("id", "is missing", "a short name, as in jdoe"))
        return
    if id.startswith(OUTSIDE):
        problem = f"{quoted(id)} begins as the ids of approvers outside do"
        draft.errors.append(where("id", problem, "a short name, as in jdoe"))
        return
    if id in draft.people:
        draft.errors.append(where("id", f"{quoted(id)} comes twice", "each id once"))
        return
    if not row["name"]:
        draft.errors.append(where("name", "is missing", "the person's name"))
    mailboxes = draft.mailboxes(row["addresses"], where)
    if not row["addresses"]:
        draft.errors.append(where("addresses", "is missing", "at least one address"))
    elif mailboxes and not draft.district.owns(mailboxes[0]):
        problem = f"the main address {quoted(mailboxes[0])} is at none of the district's domains"
        allowed = f"an address at {', '.join(draft.district.domains)} first"
        draft.errors.append(where("addresses", problem, allowed))
    if row.get("on_leaving") == "route" and not row.get("manager"):
        problem = "is route, and nobody is named as manager"
        draft.errors.append(where("on_leaving", problem, "answer; or route with a manager"))
    for role in row.get("roles", ()):
        if role not in ROLES:
            problem = f"{quoted(role)} is no role{suggest(role, ROLES)}"
            draft.errors.append(where("roles", problem, ", ".join(ROLES)))
    draft.hold(mailboxes, f"person {id}", where)
    personal = _personal(draft, row.get("personal_addresses", ()), f"person {id}", where)
    own = {"addresses": mailboxes, "personal_addresses": personal}
    draft.people[id] = Person(id, **{**row, **own})
    draft.where["person", id] = where


def _personal(draft: Draft, texts: Iterable[str], holder: str, where: Where) -> tuple[str, ...]:
    """Single addresses outside the district, each one person's (R1)."""

    def there(field: str, problem: str, allowed: str = "") -> ConfigError:
        return where("personal_addresses", problem, allowed)

    mailboxes = draft.mailboxes(texts, there)
    for mailbox in mailboxes:
        if draft.district.owns(mailbox):
            problem = f"{quoted(mailbox)} is at a domain of the district"
            draft.errors.append(there("", problem, "addresses outside; the others in addresses"))
    draft.hold(mailboxes, holder, there)
    return mailboxes


def _references(draft: Draft) -> None:
    """Every id that something names must be there."""
    people, sites = draft.people, draft.sites
    for person in people.values():
        where = draft.where["person", person.id]
        draft.known(where, "sites", person.sites, sites)
        draft.known(where, "supports", person.supports, people)
        draft.known(where, "manager", (person.manager,) if person.manager else (), people)
        if person.manager == person.id:
            draft.errors.append(where("manager", "is the person themselves", "somebody else"))
    for site in sites.values():
        where = draft.where["site", site.id]
        draft.known(where, "administrators", site.administrators, people)
    check_groups(draft)
    check_units(draft)
    check_accounts(draft)
