"""Everything looked up for one message, so that `decide` looks nothing up (R55's explanations too).

Owns the types of facts. A fact is a value or `Unavailable`. Facts are stored with the transaction
as JSON; `reading` is left out, since it is a pure function of the raw message.
Must not know how a fact was obtained.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

from mailguard.core.decision.engines import EngineUnavailable, Scanned
from mailguard.core.people.district import District
from mailguard.core.people.model import Account, Delegation, Event, Group, Person, Site, Unit
from mailguard.core.people.offices import Office
from mailguard.core.text.reading import Reading


@dataclass(frozen=True, slots=True)
class Unavailable:
    """A lookup that gave no answer: a time-out, an error, a budget. Checks must not read it as
    'nothing found'."""

    unavailable: str  # the reason, in words


@dataclass(frozen=True, slots=True)
class Spf:
    """RFC 7208. `explanation` is the client's domain speaking, not us."""

    result: str  # none, neutral, pass, fail, softfail, temperror, permerror
    domain: str = ""  # the A-label form of what was checked
    identity: str = "mailfrom"  # or "helo" (RFC 7208 2.3, 2.4)
    reason: str = ""  # the term that matched or what is wrong, in printable ASCII
    explanation: str = ""  # RFC 7208 6.2, printable ASCII; only with fail


@dataclass(frozen=True, slots=True)
class Dkim:
    """One signature's result (RFC 6376)."""

    result: str  # pass, fail, policy, neutral, temperror, permerror (RFC 8601 2.7.1)
    domain: str = ""  # d=, in lower case
    selector: str = ""
    reason: str = ""  # in words; "" for a pass
    identity: str = ""  # i=
    algorithm: str = ""
    key_bits: int = 0
    signature: str = ""  # how b= begins, to tell signatures apart
    body_length_limited: bool = False  # l=
    testing: bool = False  # the key's t=y
    uncovered: tuple[str, ...] = ()  # fields shown to people that are not signed


@dataclass(frozen=True, slots=True)
class ArcSet:
    """One sealer's word in a chain that passed."""

    domain: str  # of the seal, in lower case
    selector: str
    results: str  # the ARC-Authentication-Results, unfolded, from the authserv-id on


@dataclass(frozen=True, slots=True)
class Arc:
    """RFC 8617."""

    cv: str = "none"  # none, pass, fail
    reason: str = ""  # in words, for a fail
    sets: tuple[ArcSet, ...] = ()  # of a chain that passed: the first sealer first


@dataclass(frozen=True, slots=True)
class Dmarc:
    """RFC 9989. `aligned` is told with every result: with none it says who vouches for the author
    although no policy is published."""

    result: str  # none, pass, fail, temperror, permerror
    policy: str = "none"  # none, quarantine, reject: what is asked for, after sp, np and t
    domain: str = ""  # the Author Domain, as an A-label
    published: str = "none"  # the policy that applies before t=y weakens it (4.7)
    record_domain: str = ""  # where the record that applies was found (4.10.1)
    organizational_domain: str = ""  # the Author Domain's (4.10.2)
    aligned: tuple[str, ...] = ()  # "spf", "dkim": what passed in alignment (4.4)
    testing: bool = False  # t=y
    reason: str = ""  # in words, where the result needs them


@dataclass(frozen=True, slots=True)
class Unblocked:
    """The unblocked list's entry for the author's address (R31, R37)."""

    address: str
    origin: str  # "allowlist.d/parents.txt:12", or "case 41"
    site: str = ""
    expires_at: float | None = None
    added_at: float | None = None
    waived_by: str = ""  # who decided that it counts for mail that nothing proves; "": it does not
    waived_because: str = ""


@dataclass(frozen=True, slots=True)
class Bayes:
    """The learned opinion; none while either side has too few examples."""

    probability: float  # 0 ham … 1 spam
    spam_examples: int
    ham_examples: int
    telling: tuple[tuple[str, float], ...] = ()  # the words that told, with their probabilities


@dataclass(frozen=True, slots=True)
class AccountVolume:
    """To how many recipients an account has written, this message included (R55)."""

    account: str  # the login, or who stands behind a message without one
    hour: int
    day: int


@dataclass(frozen=True, slots=True)
class DelegationInUse:
    """A delegation to the owner, by somebody whose address the message claims (R3)."""

    delegation: Delegation
    principal: Person
    renewer: Person | None


@dataclass(frozen=True, slots=True)
class Leaver:
    """A recipient who has left the district (R6)."""

    person: Person
    since: date  # the first day on which they were gone
    successor: Person | None  # the manager who took over
    routed_to: Person | None = None  # whose mailbox gets the mail; none: it is answered


@dataclass(frozen=True, slots=True)
class Audience:
    """Whom a group reaches on the day the message comes."""

    size: int  # people, by every way, the sender left out
    beyond: int  # of them: those who work at none of the sender's sites
    way: tuple[str, ...] = ()  # names of groups, from this one down to the one with the sender


@dataclass(frozen=True, slots=True)
class Listed:
    """A group many of whose members a message names one by one, with the messages like it that
    the sender sent within the window (R17). The sender is not counted."""

    group: Group  # without its members
    audience: Audience
    recipients: tuple[str, ...]  # of this message, that are its members
    listed: int  # members named, here and before
    rest: int  # members whom no group among the recipients has
    rest_listed: int  # members named of these


@dataclass(frozen=True, slots=True)
class Mailing:
    """How many people and mailboxes the sender's mail reaches, this message with those of the
    window that were let through: each counted once, groups expanded (R25)."""

    inside: int
    outside: int
    earlier: int  # messages of the window before this one
    seconds: float  # the window's length


@dataclass(frozen=True, slots=True)
class Facts:
    """The lookups' results for one transaction. `now` is the only clock a check may read."""

    now: float  # seconds since the epoch
    district: District
    today: date = date.max  # in the district's time zone; unknown means that all has expired
    account: Account | Unavailable | None = None  # of the login, or of a device without one
    account_clients: int = 0  # addresses from which the login was used within the hour (R4)
    grants: tuple[
        DelegationInUse, ...
    ] = ()  # what the owner was granted, as far as the message needs it
    leavers: Mapping[str, Leaver] = field(default_factory=dict)  # by recipient
    owner: Person | None = None  # the account's person, else whose From address it is
    people: Mapping[str, Person] = field(default_factory=dict)  # by every address in play
    sites: Mapping[str, Site] = field(default_factory=dict)  # those of owner and groups
    groups: Mapping[str, Group] = field(default_factory=dict)  # recipients that are groups
    supported: tuple[Person, ...] = ()  # the administrators the owner assists
    administrators: tuple[Person, ...] = ()  # those of the owner's sites (R18)
    technology: tuple[Person, ...] = ()  # the Technology Services Director (R18, R20)
    supervisor: Person | None = None  # the owner's manager (R25)
    approvers: Mapping[str, tuple[Person, ...]] = field(
        default_factory=dict
    )  # who else may approve, by the role or "person:…" that policy names
    audiences: Mapping[str, Audience] = field(default_factory=dict)  # by recipient, of `groups`
    listed: tuple[Listed, ...] = ()  # groups whose members are named one by one
    units: tuple[Unit, ...] = ()  # the bargaining units that the sender is proven to write for
    events: tuple[Event, ...] = ()  # those of that day (R22)
    mailing: Mailing | None = None  # of a proven sender
    answered: tuple[str, ...] | Unavailable | None = None  # groups that had what this answers
    namesakes: tuple[Person, ...] = ()  # staff whose name the From field displays
    short_namesakes: tuple[Person, ...] = ()  # those whose name it may be, shortened
    offices: tuple[Office, ...] = ()  # the district's offices that it displays
    unblocked: Unblocked | Unavailable | None = None
    bayes: Bayes | Unavailable | None = None
    engines: Mapping[str, Scanned | EngineUnavailable] | Unavailable = field(
        default_factory=dict
    )  # by name
    sent: AccountVolume | None = None  # of mail from inside with somebody behind it
    spf: Spf | Unavailable = Unavailable("not looked up")
    dkim: tuple[Dkim, ...] | Unavailable = Unavailable("not looked up")
    arc: Arc | Unavailable = Unavailable("not looked up")
    dmarc: Dmarc | Unavailable = Unavailable("not looked up")
    may_tell: bool = True  # the reverse-path has not had all the notices of an hour (R27)
    link_keys: tuple[bytes, ...] = field(default=(), repr=False)  # secret: never stored
    reading: Reading | Unavailable = Unavailable("not read")
