"""People, sites, groups and accounts of the district, as values.

Owns the types that the directory indexes. Must not know the index, files, policy or mail.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta


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
class OutsideApprover:
    """Somebody of no district address who may approve: its counsel. Their word counts only
    where their own domain signs it."""

    id: str  # "outside:counsel"; no person has such an id
    name: str
    address: str  # lower case


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
