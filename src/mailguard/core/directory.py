"""People, sites, groups and accounts of the district, indexed for constant-time look-up.

Owns the types and the index. `config.directory` builds it from files and refuses dangling
references and cycles, so that everything here may be trusted to resolve.
Must not know files, policy or mail.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from mailguard.core import names


@dataclass(frozen=True, slots=True)
class Site:
    """A school or a department."""

    id: str
    name: str  # "Stafford High School"
    kind: str = "school"  # or "department": the central office is no school (R10)
    administrators: tuple[str, ...] = ()  # person ids: principal or director (R18, R19)


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody with a mailbox."""

    id: str
    name: str  # as it should stand in a display name: "Jane Doe"
    addresses: tuple[str, ...]  # lower case; the first is the main one
    title: str = ""
    phone: str = ""
    sites: tuple[str, ...] = ()
    classifications: tuple[str, ...] = ()  # "teacher", "custodian"
    roles: tuple[str, ...] = ()  # keys of `rights.ROLES`: "superintendent", "principal"
    supports: tuple[str, ...] = ()  # ids of the administrators this person assists (R3, R19)
    other_names: tuple[str, ...] = ()  # display names allowed besides `name`
    protected: bool = True  # outside mail under this name is impersonation (R1)


@dataclass(frozen=True, slots=True)
class Account:
    """A login. `owner` is None for devices and applications (R1) and generic accounts (R5)."""

    login: str  # lower case
    addresses: tuple[str, ...]  # it may send as; lower case
    owner: str | None = None  # a person id


@dataclass(frozen=True, slots=True)
class Group:
    """A distribution group. Aligned with a sender by site and classification (R17).

    `audience` "site" means all employees of its one site (R14), "district" all employees (R15),
    "custom" neither.
    """

    address: str  # lower case
    name: str
    audience: str = "custom"
    sites: tuple[str, ...] = ()
    classifications: tuple[str, ...] = ()
    members: tuple[str, ...] = ()  # static: person ids and group addresses
    owner: str | None = None
    senders: tuple[str, ...] = ()  # explicit grants: person ids or addresses
    outside: bool = False  # whether outside senders may write to it


@dataclass(frozen=True)
class Directory:
    """An immutable index. Every look-up is one dictionary access, in lower case."""

    people: Mapping[str, Person] = field(default_factory=dict)  # by id
    sites: Mapping[str, Site] = field(default_factory=dict)
    groups: Mapping[str, Group] = field(default_factory=dict)  # by address
    accounts: Mapping[str, Account] = field(default_factory=dict)  # by login

    @cached_property
    def _by_address(self) -> dict[str, Person]:
        return {address: p for p in self.people.values() for address in p.addresses}

    @cached_property
    def _by_skeleton(self) -> dict[str, tuple[Person, ...]]:
        found: dict[str, dict[str, Person]] = {}
        for person in self.people.values():
            if person.protected:
                for name in (person.name, *person.other_names):
                    for skeleton in names.skeletons(name):
                        found.setdefault(skeleton, {})[person.id] = person
        return {skeleton: tuple(people.values()) for skeleton, people in found.items()}

    def person_at(self, mailbox: str) -> Person | None:
        """The person whose address this is."""
        return self._by_address.get(mailbox.lower())

    def namesakes(self, display_name: str) -> tuple[Person, ...]:
        """The protected people whose name a reader would see in this display name (R1)."""
        found = {
            person.id: person
            for skeleton in sorted(names.skeletons(display_name))
            for person in self._by_skeleton.get(skeleton, ())
        }
        return tuple(found.values())

    def group_at(self, mailbox: str) -> Group | None:
        return self.groups.get(mailbox.lower())

    def account_for(self, login: str) -> Account | None:
        return self.accounts.get(login.lower())

    def named(self, ids: Iterable[str]) -> tuple[Person, ...]:
        """The people with these ids, unknown ones left out."""
        return tuple(self.people[i] for i in ids if i in self.people)
