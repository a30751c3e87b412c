"""From `config/directory/` to a Directory in which every reference resolves.

Owns the columns and keys of people, sites, groups and accounts, and the checks across them.
Linear in the files. Must not know policy; group rights are `core.rights`'.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

from pydantic import Field

from mailguard.config import addresses
from mailguard.config.errors import ConfigError, ConfigErrors, quote
from mailguard.config.schema import Section
from mailguard.config.tables import Table, read_table, several
from mailguard.config.validate import suggest, validate
from mailguard.config.yaml import load_file
from mailguard.core.directory import Account, Directory, Group, Person, Site
from mailguard.core.district import District
from mailguard.core.rights import ROLES

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
    protected: bool = Field(
        True, description="Whether outside mail under this name is impersonation (R1)."
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


class GroupEntry(Section):
    """A distribution group: an entry of `groups.yaml` under its address."""

    name: str = Field(min_length=1, description="As people know it.")
    audience: Literal["site", "district", "custom"] = Field(
        "custom",
        description="`site`: all employees of its one site (R14). `district`: all employees "
        "(R15). `custom`: neither (R17).",
    )
    sites: tuple[str, ...] = Field((), description="Site ids its senders must belong to.")
    classifications: tuple[str, ...] = Field(
        (), description="Classifications its senders must have."
    )
    members: tuple[str, ...] = Field((), description="Person ids and group addresses.")
    owner: str | None = Field(None, description="Person id of who looks after it.")
    senders: tuple[str, ...] = Field(
        (), description="Person ids or addresses that may write to it besides."
    )
    outside: bool = Field(False, description="Whether anybody outside may write to it.")


class AccountRow(Section):
    """A login: a row of `accounts.csv`."""

    login: str = Field(min_length=1, description="What AUTH names.")
    addresses: tuple[str, ...] = Field(
        (), description="What it may send as; its owner's addresses where empty."
    )
    owner: str = Field(
        "", description="Person id; empty for devices and generic accounts (R1, R5)."
    )


_SEVERAL = ("addresses", "sites", "classifications", "roles", "supports", "other_names")
PEOPLE_COLUMNS = {"id": True} | {n: f.is_required() for n, f in PersonRow.model_fields.items()}
ACCOUNT_COLUMNS = {n: f.is_required() for n, f in AccountRow.model_fields.items()}


class _Where(Protocol):
    """Makes an error about one field of one entry."""

    def __call__(self, field: str, problem: str, allowed: str = "") -> ConfigError: ...


@dataclass(slots=True)
class _Draft:
    """What has been read so far; `where` remembers each entry's place for checks across files."""

    district: District
    people: dict[str, Person] = field(default_factory=dict)
    sites: dict[str, Site] = field(default_factory=dict)
    groups: dict[str, Group] = field(default_factory=dict)
    accounts: dict[str, Account] = field(default_factory=dict)
    where: dict[tuple[str, str], _Where] = field(default_factory=dict)
    holders: dict[str, str] = field(default_factory=dict)  # address -> "person ada"
    errors: list[ConfigError] = field(default_factory=list)
    complete: bool = True  # whether every entry was read, right or wrong


def load_directory(directory: Path, district: District) -> Directory:
    """Read people, sites, groups and accounts below `directory/`. Raises ConfigErrors.

    `people.csv` (or `people.yaml`) and `sites.yaml` must be there; the others may be missing.
    """
    folder = directory / FOLDER
    draft = _Draft(district)
    readers: list[Callable[[_Draft, Path], None]] = [_sites, _people, _groups, _accounts]
    for read in readers:
        try:
            read(draft, folder)
        except ConfigErrors as wrong:
            draft.errors += wrong.errors
            draft.complete = False
    if draft.complete:  # what was not read would only make every reference to it dangle
        _references(draft)
        _cycles(draft)
    if draft.errors:
        raise ConfigErrors(draft.errors)
    return Directory(draft.people, draft.sites, draft.groups, draft.accounts)


def _entries(path: Path, model: type[Section]) -> Iterable[tuple[str, Any, _Where]]:
    """The entries of a YAML file that maps ids to `model`; errors of all of them at once."""
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


def _sites(draft: _Draft, folder: Path) -> None:
    for id, row, where in _entries(folder / "sites.yaml", SiteEntry):
        draft.sites[id] = Site(id, row.name, row.kind, row.administrators)
        draft.where["site", id] = where


def _people(draft: _Draft, folder: Path) -> None:
    written, table = folder / "people.yaml", folder / "people.csv"
    if written.exists() and table.exists():
        problem = "people.csv is there as well"
        raise ConfigErrors([ConfigError(str(written), 1, 1, "", problem, "one of the two")])
    if written.exists():
        for id, row, where in _entries(written, PersonRow):
            _person(draft, id, where, **dict(row))
        return
    rows = read_table(table, PEOPLE_COLUMNS)
    draft.errors += rows.errors
    draft.complete = draft.complete and not rows.errors
    many = [c for c in _SEVERAL if c in rows.columns]
    for line, cells in rows.records:
        id = cells.get("id", "")
        where = _cell(rows, line, id)
        protected = cells.get("protected", "").lower()
        if protected not in ("", "true", "false"):
            draft.errors.append(
                where("protected", f"{quote(protected)} does not fit here", "true, false")
            )
        _person(
            draft,
            id,
            where,
            name=cells.get("name", ""),
            title=cells.get("title", ""),
            phone=cells.get("phone", ""),
            protected=protected != "false",
            **{column: several(cells.get(column, "")) for column in many},
        )


def _cell(rows: Table, line: int, id: str) -> _Where:
    def where(field: str, problem: str, allowed: str = "") -> ConfigError:
        return rows.error(line, field, problem, allowed, row=id)

    return where


def _person(draft: _Draft, id: str, where: _Where, **row: Any) -> None:
    if not id:
        draft.errors.append(where("id", "is missing", "a short name, as in jdoe"))
        return
    if id in draft.people:
        draft.errors.append(where("id", f"{quote(id)} comes twice", "each id once"))
        return
    if not row["name"]:
        draft.errors.append(where("name", "is missing", "the person's name"))
    mailboxes = _mailboxes(draft, row["addresses"], where)
    if not row["addresses"]:
        draft.errors.append(where("addresses", "is missing", "at least one address"))
    elif mailboxes and not draft.district.owns(mailboxes[0]):
        problem = f"the main address {quote(mailboxes[0])} is at none of the district's domains"
        allowed = f"an address at {', '.join(draft.district.domains)} first"
        draft.errors.append(where("addresses", problem, allowed))
    for role in row.get("roles", ()):
        if role not in ROLES:
            problem = f"{quote(role)} is no role{suggest(role, ROLES)}"
            draft.errors.append(where("roles", problem, ", ".join(ROLES)))
    _hold(draft, mailboxes, f"person {id}", where)
    draft.people[id] = Person(id, **{**row, "addresses": mailboxes})
    draft.where["person", id] = where


def _mailboxes(draft: _Draft, texts: Iterable[str], where: _Where) -> tuple[str, ...]:
    found = []
    for text in texts:
        try:
            found.append(addresses.mailbox(text))
        except ValueError as error:
            problem, _, allowed = str(error).partition("; allowed: ")
            draft.errors.append(where("addresses", problem, allowed))
    return tuple(found)


def _hold(draft: _Draft, mailboxes: Iterable[str], holder: str, where: _Where) -> None:
    """An address is one person's or one group's."""
    for mailbox in mailboxes:
        other = draft.holders.setdefault(mailbox, holder)
        if other is not holder:
            problem = f"{quote(mailbox)} belongs to {other} already"
            draft.errors.append(where("addresses", problem, "each address once"))


def _groups(draft: _Draft, folder: Path) -> None:
    if not (folder / "groups.yaml").exists():
        return
    for key, row, where in _entries(folder / "groups.yaml", GroupEntry):
        try:
            address = addresses.mailbox(key)
        except ValueError as error:
            problem, _, allowed = str(error).partition("; allowed: ")
            draft.errors.append(where("", problem, allowed))
            continue
        if not draft.district.owns(address):
            problem = "is at none of the district's domains"
            allowed = f"an address at {', '.join(draft.district.domains)}"
            draft.errors.append(where("", problem, allowed))
        if address in draft.groups:
            draft.errors.append(where("", "comes twice, in another spelling", "each group once"))
        if row.audience == "site" and len(row.sites) != 1:
            problem = f"audience site with {len(row.sites)} sites"
            draft.errors.append(where("sites", problem, "exactly one site"))
        if row.audience != "custom" and row.outside:
            problem = f"audience {row.audience} is never open to outside senders (R14, R15)"
            draft.errors.append(where("outside", problem, "false"))
        _hold(draft, (address,), f"group {address}", where)
        values = dict(row) | {"members": _lowered(row.members), "senders": _lowered(row.senders)}
        draft.groups[address] = Group(address, **values)
        draft.where["group", address] = where


def _lowered(values: tuple[str, ...]) -> tuple[str, ...]:
    """Addresses in lower case, ids as they are."""
    return tuple(value.lower() if "@" in value else value for value in values)


def _accounts(draft: _Draft, folder: Path) -> None:
    if not (folder / "accounts.csv").exists():
        return
    rows = read_table(folder / "accounts.csv", ACCOUNT_COLUMNS)
    draft.errors += rows.errors
    draft.complete = draft.complete and not rows.errors
    for line, cells in rows.records:
        login = cells.get("login", "").lower()
        where = _cell(rows, line, login)
        if not login:
            draft.errors.append(where("login", "is missing", "what AUTH names"))
            continue
        if login in draft.accounts:
            draft.errors.append(where("login", f"{quote(login)} comes twice", "each login once"))
            continue
        owner = cells.get("owner", "") or None
        mailboxes = _mailboxes(draft, several(cells.get("addresses", "")), where)
        person = draft.people.get(owner) if owner else None
        if not mailboxes and person is not None:
            mailboxes = person.addresses
        if not mailboxes and owner is None:
            problem = "is missing: an account without an owner sends as nobody"
            draft.errors.append(where("addresses", problem, "at least one address, or an owner"))
        draft.accounts[login] = Account(login, mailboxes, owner)
        draft.where["account", login] = where


def _references(draft: _Draft) -> None:
    """Every id that something names must be there."""
    people, sites, groups = draft.people, draft.sites, draft.groups
    for person in people.values():
        where = draft.where["person", person.id]
        _known(draft, where, "sites", person.sites, sites)
        _known(draft, where, "supports", person.supports, people)
    for site in sites.values():
        where = draft.where["site", site.id]
        _known(draft, where, "administrators", site.administrators, people)
    for group in groups.values():
        where = draft.where["group", group.address]
        _known(draft, where, "sites", group.sites, sites)
        _known(draft, where, "owner", (group.owner,) if group.owner else (), people)
        members = tuple(m for m in group.members if m not in groups)
        _known(draft, where, "members", members, people)
        grants = tuple(s for s in group.senders if "@" not in s)
        _known(draft, where, "senders", grants, people)
        _reach(draft, where, group)
    for account in draft.accounts.values():
        where = draft.where["account", account.login]
        _known(draft, where, "owner", (account.owner,) if account.owner else (), people)


def _known(
    draft: _Draft, where: _Where, field: str, ids: Iterable[str], known: Mapping[str, object]
) -> None:
    for id in ids:
        if id not in known:
            close = suggest(id, known) if len(known) <= 5_000 else ""
            allowed = ", ".join(known) if len(known) <= 12 else ""
            draft.errors.append(where(field, f"{quote(id)} is not known{close}", allowed))


def _reach(draft: _Draft, where: _Where, group: Group) -> None:
    """A group inside another must not widen who can reach all employees (R14, R15)."""
    order = {"custom": 0, "site": 1, "district": 2}
    for member in group.members:
        inner = draft.groups.get(member)
        if inner is not None and order[inner.audience] > order[group.audience]:
            problem = (
                f"{quote(member)} reaches all employees of a {inner.audience}, and whoever may "
                f"write to this {group.audience} group would reach them too (R14, R15)"
            )
            draft.errors.append(where("members", problem, "people and groups of the same reach"))


def _cycles(draft: _Draft) -> None:
    """No group is its own member, however far down. Each group and membership is seen once."""
    done: set[str] = set()
    for start in draft.groups:
        if start in done:
            continue
        path = {start: None}  # the way down, in order
        stack = [iter(draft.groups[start].members)]
        while stack:
            member = next(stack[-1], None)
            if member is None:
                stack.pop()
                done.add(path.popitem()[0])
            elif member in path:
                ring = list(path)
                ring = [*ring[ring.index(member) :], member]
                where = draft.where["group", ring[-2]]
                problem = f"the groups contain each other: {' > '.join(ring[:10])}"
                draft.errors.append(where("members", problem, "groups without cycles"))
            elif member in draft.groups and member not in done:
                path[member] = None
                stack.append(iter(draft.groups[member].members))
