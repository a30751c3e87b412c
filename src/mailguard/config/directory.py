"""From `config/directory/` to a Directory in which every reference resolves.

Owns the columns and keys of people, sites and groups, and the checks across files; accounts and
delegations are `accounts`'.
Linear in the files. Must not know policy; group rights are `core.rights`'.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import date
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from mailguard.config import addresses
from mailguard.config.accounts import check_accounts, read_accounts, read_delegations
from mailguard.config.draft import Draft, Where, cell
from mailguard.config.errors import ConfigError, ConfigErrors, quote
from mailguard.config.schema import Section
from mailguard.config.tables import read_table, several
from mailguard.config.validate import suggest, validate
from mailguard.config.yaml import load_file
from mailguard.core.directory import Directory, Group, Person, Site
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
    folder = directory / FOLDER
    draft = Draft(district)
    readers: list[Callable[[Draft, Path], None]] = [
        _sites,
        _people,
        _groups,
        read_accounts,
        read_delegations,
    ]
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
    return Directory(
        draft.people, draft.sites, draft.groups, draft.accounts, tuple(draft.delegations)
    )


def _entries(path: Path, model: type[Section]) -> Iterable[tuple[str, Any, Where]]:
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


def _sites(draft: Draft, folder: Path) -> None:
    for id, row, where in _entries(folder / "sites.yaml", SiteEntry):
        draft.sites[id] = Site(id, row.name, row.kind, row.administrators)
        draft.where["site", id] = where


def _people(draft: Draft, folder: Path) -> None:
    written, table = folder / "people.yaml", folder / "people.csv"
    if written.exists() and table.exists():
        problem = "people.csv is there as well"
        raise ConfigErrors([ConfigError(str(written), 1, 1, "", problem, "one of the two")])
    if written.exists():
        for id, row, where in _entries(written, PersonRow):
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
        draft.errors.append(where(column, f"{quote(text)} does not fit here", "true, false"))
    return text == "true" if text in ("true", "false") else default


def _on_leaving(draft: Draft, text: str, where: Where) -> str:
    if text.lower() not in ("", "answer", "route"):
        draft.errors.append(
            where("on_leaving", f"{quote(text)} does not fit here", "answer, route")
        )
        return "answer"
    return text.lower() or "answer"


def _person(draft: Draft, id: str, where: Where, **row: Any) -> None:
    if not id:
        draft.errors.append(where("id", "is missing", "a short name, as in jdoe"))
        return
    if id in draft.people:
        draft.errors.append(where("id", f"{quote(id)} comes twice", "each id once"))
        return
    if not row["name"]:
        draft.errors.append(where("name", "is missing", "the person's name"))
    mailboxes = draft.mailboxes(row["addresses"], where)
    if not row["addresses"]:
        draft.errors.append(where("addresses", "is missing", "at least one address"))
    elif mailboxes and not draft.district.owns(mailboxes[0]):
        problem = f"the main address {quote(mailboxes[0])} is at none of the district's domains"
        allowed = f"an address at {', '.join(draft.district.domains)} first"
        draft.errors.append(where("addresses", problem, allowed))
    if row.get("on_leaving") == "route" and not row.get("manager"):
        problem = "is route, and nobody is named as manager"
        draft.errors.append(where("on_leaving", problem, "answer; or route with a manager"))
    for role in row.get("roles", ()):
        if role not in ROLES:
            problem = f"{quote(role)} is no role{suggest(role, ROLES)}"
            draft.errors.append(where("roles", problem, ", ".join(ROLES)))
    _hold(draft, mailboxes, f"person {id}", where)
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
            problem = f"{quote(mailbox)} is at a domain of the district"
            draft.errors.append(there("", problem, "addresses outside; the others in addresses"))
    _hold(draft, mailboxes, holder, there)
    return mailboxes


def _hold(draft: Draft, mailboxes: Iterable[str], holder: str, where: Where) -> None:
    """An address is one person's or one group's."""
    for mailbox in mailboxes:
        other = draft.holders.setdefault(mailbox, holder)
        if other is not holder:
            problem = f"{quote(mailbox)} belongs to {other} already"
            draft.errors.append(where("addresses", problem, "each address once"))


def _groups(draft: Draft, folder: Path) -> None:
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


def _references(draft: Draft) -> None:
    """Every id that something names must be there."""
    people, sites, groups = draft.people, draft.sites, draft.groups
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
    for group in groups.values():
        where = draft.where["group", group.address]
        draft.known(where, "sites", group.sites, sites)
        draft.known(where, "owner", (group.owner,) if group.owner else (), people)
        members = tuple(m for m in group.members if m not in groups)
        draft.known(where, "members", members, people)
        grants = tuple(s for s in group.senders if "@" not in s)
        draft.known(where, "senders", grants, people)
        _reach(draft, where, group)
    check_accounts(draft)


def _reach(draft: Draft, where: Where, group: Group) -> None:
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


def _cycles(draft: Draft) -> None:
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
