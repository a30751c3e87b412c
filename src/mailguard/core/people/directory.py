"""People, sites, groups and accounts of the district, indexed for constant-time look-up.

Owns the types and the index. `config.directory.people` builds it from files and refuses dangling
references and cycles, so that everything here may be trusted to resolve.
Must not know files, policy or mail.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property

from mailguard.core.mail.address import normalise
from mailguard.core.people.membership import Membership
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
from mailguard.core.people.name_matches import NameMatches
from mailguard.core.people.offices import Office, Offices


@dataclass(frozen=True)
class Directory:
    """An immutable index. Every look-up is one dictionary access, in lower case."""

    people: Mapping[str, Person] = field(default_factory=dict)  # by id
    sites: Mapping[str, Site] = field(default_factory=dict)
    groups: Mapping[str, Group] = field(default_factory=dict)  # by address
    accounts: Mapping[str, Account] = field(default_factory=dict)  # by login
    delegations: tuple[Delegation, ...] = ()
    units: Mapping[str, Unit] = field(default_factory=dict)
    events: tuple[Event, ...] = ()
    outside: Mapping[str, OutsideApprover] = field(default_factory=dict)  # by "outside:" and id

    def prepare(self) -> None:
        """Make the indexes that every message needs, so that none waits for them."""
        _ = self.membership, self._by_address, self._by_role, self._by_administrator

    def prepare_names(self) -> None:
        """Make the index of names as well, which a server needs for its first message and few
        commands ever do. Seconds for a hundred thousand people: call it in a thread."""
        _ = self._namesakes

    @cached_property
    def membership(self) -> Membership:
        """Who is in which group, by every way."""
        return Membership(self.people, self.groups)

    @cached_property
    def _by_address(self) -> dict[str, Person]:
        return {address: p for p in self.people.values() for address in p.addresses}

    @cached_property
    def _namesakes(self) -> NameMatches:
        return NameMatches(self.people.values(), self._offices.without_titles)

    @cached_property
    def _offices(self) -> Offices:
        return Offices(self.people.values(), self.sites.values())

    @cached_property
    def _by_client(self) -> dict[str, Account]:
        return {client: a for a in self.accounts.values() for client in a.clients}

    @cached_property
    def _by_certificate(self) -> dict[str, Account]:
        return {print_: a for a in self.accounts.values() for print_ in a.certificates}

    @cached_property
    def _by_outside_address(self) -> dict[str, OutsideApprover]:
        return {one.address: one for one in self.outside.values()}

    @cached_property
    def _by_delegate(self) -> dict[str, tuple[Delegation, ...]]:
        found: dict[str, list[Delegation]] = {}
        for delegation in self.delegations:
            found.setdefault(delegation.delegate, []).append(delegation)
        return {delegate: tuple(grants) for delegate, grants in found.items()}

    @cached_property
    def _by_role(self) -> dict[str, tuple[Person, ...]]:
        found: dict[str, list[Person]] = {}
        for person in self.people.values():
            for role in person.roles:
                found.setdefault(role, []).append(person)
        return {role: tuple(people) for role, people in found.items()}

    @cached_property
    def _by_administrator(self) -> dict[str, tuple[str, ...]]:
        found: dict[str, list[str]] = {}
        for site in self.sites.values():
            for id in site.administrators:
                found.setdefault(id, []).append(site.id)
        return {id: tuple(sites) for id, sites in found.items()}

    @cached_property
    def _by_unit_sender(self) -> dict[str, tuple[Unit, ...]]:
        found: dict[str, list[Unit]] = {}
        for unit in self.units.values():
            for sender in unit.senders:
                found.setdefault(sender, []).append(unit)
        return {sender: tuple(units) for sender, units in found.items()}

    def administered_by(self, id: str) -> tuple[str, ...]:
        """The ids of the sites that name this person as administrator (R18, R19)."""
        return self._by_administrator.get(id, ())

    def units_of(self, senders: Iterable[str]) -> tuple[Unit, ...]:
        """The bargaining units for which one of these person ids or addresses writes (R24)."""
        found = {u.id: u for sender in senders for u in self._by_unit_sender.get(sender, ())}
        return tuple(found.values())

    def person_at(self, mailbox: str) -> Person | None:
        """The person whose address this is, or goes to: "name+tag" is the name's (RFC 5233)."""
        known = normalise(mailbox)
        return self._by_address.get(known) or self._by_address.get(_without_tag(known))

    def namesakes(self, display_name: str) -> tuple[Person, ...]:
        """The protected people whose name a reader would see in this display name (R1)."""
        return self._namesakes.named(display_name)

    def short_namesakes(self, display_name: str) -> tuple[Person, ...]:
        """Those whose name it may be, shortened or with a slip; some are `namesakes` as well."""
        return self._namesakes.perhaps(display_name)

    def offices_shown(self, display_name: str, district: Sequence[str]) -> tuple[Office, ...]:
        """The offices that a display name claims, "Principal, Oak Elementary School" (R1);
        `district` is every name of the district."""
        return self._offices.shown(display_name, district)

    def outside_at(self, mailbox: str) -> OutsideApprover | None:
        """The registered outside approver with this very address: a tag is another address."""
        return self._by_outside_address.get(normalise(mailbox))

    def group_at(self, mailbox: str) -> Group | None:
        """The group at an address, a tag in it or none: mail servers deliver both alike."""
        known = normalise(mailbox)
        return self.groups.get(known) or self.groups.get(_without_tag(known))

    def account_for(self, login: str) -> Account | None:
        return self.accounts.get(login.lower())

    def device(self, client_address: str, certificate: str | None = None) -> Account | None:
        """The account that a client has without a login: by the certificate it showed, else by its
        single address (R1)."""
        if certificate and certificate in self._by_certificate:
            return self._by_certificate[certificate]
        return self._by_client.get(client_address)

    def delegations_to(self, delegate: str) -> tuple[Delegation, ...]:
        """What this person was granted, expired grants included (R3)."""
        return self._by_delegate.get(delegate, ())

    def leavers(self, today: date) -> tuple[Person, ...]:
        """Everybody who has left by that day, in the directory's order (R6)."""
        return tuple(p for p in self.people.values() if p.left_since(today) is not None)

    def with_role(self, role: str, today: date) -> tuple[Person, ...]:
        """Those who have a role of `rights.ROLES` and are there on that day."""
        people = self._by_role.get(role, ())
        return tuple(p for p in people if p.left_since(today) is None)

    def named(self, ids: Iterable[str]) -> tuple[Person, ...]:
        """The people with these ids, unknown ones left out."""
        return tuple(self.people[i] for i in ids if i in self.people)


def _without_tag(mailbox: str) -> str:
    """The mailbox that "name+tag" is delivered to where sub-addressing is on (RFC 5233)."""
    local, at, domain = mailbox.rpartition("@")
    name, plus, _ = local.partition("+")
    return f"{name}@{domain}" if at and plus and name else mailbox
