"""An unblock case: an outside address in question, and all that is known of it (R28-R37).

Owns the state as it is stored, and the step that an event leads to. Pure. Must not know what an
event makes of it (`life`), mail, or storage.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from pydantic import TypeAdapter

from mailguard.core.people.calendar import DAY, Calendar
from mailguard.core.record.formats import Format


class Stage(StrEnum):
    """Where it stands; the last four are ends."""

    UNMATCHED = "unmatched"  # what is forwarded is nothing we keep: for reviewers to see
    NEW = "new"  # the content waits for a reviewer (R32)
    REVIEWED = "reviewed"  # a reviewer decides, since no recipient can
    ASKED = "asked"
    UNSURE = "unsure"  # somebody has the original now, and was asked again (R31)
    CONFLICT = "conflict"  # recipients disagree: a reviewer decides
    APPROVED = "approved"
    DENIED = "denied"
    UNANSWERED = "unanswered"
    ELSEWHERE = "elsewhere"  # decided past the case: in the quarantine, or by another case


class Asks(StrEnum):
    """What a question asks."""

    REVIEW = "review"  # a reviewer: may the content go on? (R32)
    DECIDE = "decide"  # a reviewer: unblock the sender?
    VERIFY = "verify"  # a recipient: is this a valid sender to you? (V2)


class Said(StrEnum):
    YES = "yes"
    NO = "no"
    UNSURE = "unsure"


class Tell(StrEnum):
    """Who hears of a step, besides those who are asked."""

    STAFF = "staff"  # who verified the sender (R33)
    OUTSIDE = "outside"  # the sender, where the address is proven (R33)
    REQUESTERS = "requesters"
    ASKED = "asked"  # who need not answer any more


@dataclass(frozen=True, slots=True)
class Who:
    """Somebody of the district. `person` is "" for the mailbox that all reviewers read."""

    person: str  # id
    name: str
    mailbox: str


@dataclass(frozen=True, slots=True)
class Copy:
    """A kept copy that the case is about."""

    hold: int
    transaction: str
    recipient: str
    who: Who | None = None  # who answers for it: the recipient, a group's owner; or nobody can
    hard: str = ""  # why no answer lets it go: malware, a forged identity; in words
    reviewed: str = ""  # who looked at the content, or "rule"


@dataclass(frozen=True, slots=True)
class Told:
    """A message as people are told of it: safe lines, bounded."""

    transaction: str
    sender: str
    subject: str
    date: str
    why: str
    excerpt: str


@dataclass(frozen=True, slots=True)
class Requester:
    """Who wanted it. `mailbox` is "" where nobody may be told."""

    mailbox: str
    name: str
    at: float  # when the request came
    message_id: str = ""
    person: str = ""  # of the district, proven
    vouches: bool = False  # asks to unblock, from the own account: proof enough (R35)


@dataclass(frozen=True, slots=True)
class Query:
    """A question to one person. Its place in `Case.asked` is the number in its token."""

    asks: Asks
    who: Who
    holds: tuple[int, ...]  # what it is about
    at: float
    reminders: int = 0


@dataclass(frozen=True, slots=True)
class CaseAnswer:
    """What one person said. `person` is "" for the console and for the reviewers' mailbox."""

    person: str
    name: str  # as others are told
    says: Said
    at: float
    how: str  # "mail", "page", "console"
    remark: str = ""


@dataclass(frozen=True, slots=True)
class Case:
    """One outside address in question, or several that a member of staff named at once."""

    addresses: tuple[str, ...]
    opened_at: float  # when the first request came (R34)
    requesters: tuple[Requester, ...] = ()
    copies: tuple[Copy, ...] = ()
    told: tuple[Told, ...] = ()
    asked: tuple[Query, ...] = ()
    given: tuple[CaseAnswer, ...] = ()  # by recipients
    stage: Stage = Stage.NEW
    paused: float = 0.0  # counted seconds for which recipients were silent
    paused_since: float | None = None
    decided_by: str = ""  # in words
    decided_at: float = 0.0
    remark: str = ""  # the decider's own words
    proven: bool = False  # the outside address is: it may be told (R33)
    refused: int = 0  # answers that could not count, as far as the history has them

    @property
    def ended(self) -> bool:
        return self.stage in ENDS

    @property
    def vouched(self) -> tuple[Requester, ...]:
        """Staff who asked for it themselves, each once (R35)."""
        return tuple({r.person: r for r in self.requesters if r.vouches}.values())

    @property
    def verifiers(self) -> tuple[Query, ...]:
        return tuple(query for query in self.asked if query.asks is Asks.VERIFY)

    def says(self, person: str) -> Said | None:
        """A person's latest word."""
        return next((g.says for g in reversed(self.given) if g.person == person), None)

    def having(self, said: Said) -> tuple[str, ...]:
        """The people whose latest word this is."""
        people = dict.fromkeys(g.person for g in self.given)
        return tuple(person for person in people if self.says(person) is said)

    def of(self, people: Iterable[str]) -> tuple[Copy, ...]:
        """The copies that these people answer for."""
        wanted = set(people)
        asked = {h for q in self.verifiers if q.who.person in wanted for h in q.holds}
        return tuple(
            c for c in self.copies if c.hold in asked or (c.who and c.who.person in wanted)
        )


ENDS = frozenset({Stage.APPROVED, Stage.DENIED, Stage.UNANSWERED, Stage.ELSEWHERE})
CASE = Format("case", TypeAdapter(Case))


@dataclass(frozen=True, slots=True)
class CaseDeadlines:
    """What the district has set."""

    by_rule: bool = False  # content that the checks find fit needs no person's look (R32)
    reminder: float = 1.0  # business days
    give_up: float = 5.0
    hours: float = 24.0  # R34
    others: float = 1.0  # business days that others have once one has said yes


@dataclass(frozen=True, slots=True)
class At:
    """A moment, with what time means in the district."""

    now: float
    calendar: Calendar = field(default_factory=Calendar)
    terms: CaseDeadlines = field(default_factory=CaseDeadlines)

    def passed(self, since: float, days: float) -> bool:
        """Whether so many business days have passed."""
        return self.now >= self.calendar.after(since, days * DAY)


@dataclass(frozen=True, slots=True)
class CaseStep:
    """What an event makes of a case. Numbers are places in `Case.asked`; holds are ids."""

    case: Case
    what: tuple[str, ...]  # the history's words, one a line
    asks: tuple[int, ...] = ()
    reminds: tuple[int, ...] = ()
    informs: tuple[int, ...] = ()  # who gets the original, and is asked again (R31)
    releases: tuple[int, ...] = ()
    discards: tuple[int, ...] = ()
    lists: tuple[str, ...] = ()  # addresses for the unblocked list
    tells: tuple[Tell, ...] = ()
    late: bool = False  # nothing has changed, and whoever answered is told so
