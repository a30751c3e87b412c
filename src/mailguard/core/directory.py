"""People, sites, groups and accounts of the district, indexed for constant-time look-up.

Owns the types and the index. `config.directory` builds it from files and refuses dangling
references and cycles, so that everything here may be trusted to resolve.
Must not know files, policy or mail.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cached_property

from mailguard.core.address import normalise
from mailguard.core.membership import Membership
from mailguard.core.namesakes import Namesakes
from mailguard.core.offices import Office, Offices


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
    start: date | None = None  # first day; after `end` it is the day of the return (R6)
    end: date | None = None  # last day, in the district's time zone (R6)
    manager: str = ""  # a person id: who takes over
    on_leaving: str = "answer"  # mail for a leaver; or "route": it goes to the manager (R6)
    legal_hold: bool = False  # the account is kept past day 30

    def left_since(self, today: date) -> date | None:
        """The first day on which this person was gone, if they are gone on that day (R6)."""
        if self.end is None or today <= self.end:
            return None
        back = self.start is not None and self.end < self.start <= today
        return None if back else self.end + timedelta(days=1)

    def deletion_day(self, today: date) -> date | None:
        """The day on which a leaver's account is to be deleted: day 30 of being gone. None for
        who has not left, and under a legal hold (R6)."""
        since = self.left_since(today)
        return None if since is None or self.legal_hold else since + timedelta(days=30)

    personal_addresses: tuple[str, ...] = ()  # outside, lower case: theirs to write from (R1)


@dataclass(frozen=True, slots=True)
class Account:
    """A login. `owner` is None for devices and applications (R1) and generic accounts (R5)."""

    login: str  # lower case
    addresses: tuple[str, ...]  # it may send as; lower case
    owner: str | None = None  # a person id
    kind: str = ""  # without an owner: "device" or "generic"
    requester: str = ""  # of a generic account: a person id (R5)
    purpose: str = ""
    allowed: tuple[str, ...] = ()  # who may use a generic account: person ids
    clients: tuple[str, ...] = ()  # single IP addresses from which a device needs no login
    certificates: tuple[str, ...] = ()  # SHA-256 fingerprints in lower case


@dataclass(frozen=True, slots=True)
class Delegation:
    """A written request that one person may send for another (R3). All but dates are ids."""

    delegate: str
    principal: str
    document: str  # where the request is kept
    granted: date  # first day
    expires: date  # last day
    renewer: str  # whom to ask for a new one

    def valid_on(self, today: date) -> bool:
        return self.granted <= today <= self.expires


@dataclass(frozen=True, slots=True)
class Group:
    """A distribution group. Aligned with a sender by site and classification (R17).

    `audience` "site" means all employees of its one site (R14), "district" all employees (R15),
    "custom" neither. Where `members` names nobody they follow from audience, sites and
    classifications: see `membership`.
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


@dataclass(frozen=True, slots=True)
class Unit:
    """A collective bargaining unit or meet and confer group: its mail goes by the rules of
    physical mail delivery (R24)."""

    id: str
    name: str
    senders: tuple[str, ...]  # person ids, and addresses in lower case
    groups: tuple[str, ...]  # addresses it may write to
    rule: str = ""  # what its rule of physical mail says, in words


@dataclass(frozen=True, slots=True)
class Event:
    """A district-wide event whose mail is authorised while it lasts (R22)."""

    name: str
    subject: tuple[str, ...]  # phrases, one of which the Subject has
    first: date
    last: date
    note: str = ""  # by whom it was authorised


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
    def _namesakes(self) -> Namesakes:
        return Namesakes(self.people.values(), self._offices.without_titles)

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
