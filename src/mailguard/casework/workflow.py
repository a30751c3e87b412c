"""What a workflow says of itself: only what differs from the others. `engine` does the rest.

Owns the Protocol that each folder of `casework` fulfils, and the values that it and the engine
exchange. What Workflow has a body for here holds for most; a workflow that wants it otherwise says
so. Must not know any workflow.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from mailguard.casework.answers.answer import AnswerKind
from mailguard.casework.beforehand import GivenBeforehand
from mailguard.casework.correspondent import Correspondent
from mailguard.casework.mailer import TicketMailer
from mailguard.casework.tickets import (
    KeptCopy,
    Listing,
    Question,
    TakeUp,
    Ticket,
    Tickets,
    TicketUpdate,
    UnreadMail,
)
from mailguard.core.record.formats import Format
from mailguard.core.sheets.parents import ImportPlan
from mailguard.core.sheets.sheet import Sheet, SheetRejected
from mailguard.pipeline.judged_message import JudgedMessage
from mailguard.pipeline.ports import Deskwork, Outgoing, UnblockedSenders
from mailguard.pipeline.snapshot import Snapshot

S = TypeVar("S")

Begun = tuple[int | str, Callable[[], Awaitable[None]]]
"""What a piece of work is about, for the log, and the work."""


@dataclass(frozen=True)
class Work:
    """What every workflow works with."""

    tickets: Tickets
    snapshot: Callable[[], Snapshot]
    take_up: TakeUp
    desk: Deskwork


Teach = Callable[[str, Sequence[str], bool], Awaitable[None]]
"""Teach the filter: a message's digest, its words, whether it is spam. Known ones count once."""

ReadSheet = Callable[[bytes, str], Awaitable[Sheet | SheetRejected]]


async def teach_nobody(digest: str, words: Sequence[str], spam: bool) -> None:
    """Where nothing is to be learned."""


class Importing(UnblockedSenders, Protocol):
    """The unblocked list, as a sheet needs it."""

    async def take_in(self, plan: ImportPlan, batch: str, by: str, now: float) -> None: ...


@dataclass(frozen=True)
class Outfit:
    """What workflows are made from; each takes what it needs."""

    work: Work
    settings: Any  # as `config.settings.schema` has them: each workflow reads its own section
    beforehand: GivenBeforehand
    teach: Teach
    read_sheet: ReadSheet
    importing: Importing


class Addressee(Protocol):
    """Somebody who was asked. `person` is an id; "" where several read the mailbox."""

    @property
    def person(self) -> str: ...

    @property
    def name(self) -> str: ...

    @property
    def mailbox(self) -> str: ...


@dataclass(frozen=True)
class Found(Generic[S]):
    """A ticket that a token leads to, open or closed, and the question of it that is meant."""

    ticket: Ticket
    state: S
    place: int  # in `Workflow.asked`: the number in the token
    asked: Addressee
    proven: bool  # we made the token, for this question to this person


@dataclass(frozen=True, slots=True)
class Given:
    """An answer that counts: who gave it, what, and how."""

    person: str
    name: str
    mailbox: str
    kind: AnswerKind
    remark: str  # one safe line, bounded
    how: str  # "mail", "page"
    at: float


@dataclass(frozen=True, slots=True)
class Note(Generic[S]):
    """What whoever wrote to us is told."""

    template: str
    state: S
    slots: Mapping[str, str]


class Fate(Enum):
    """What becomes of copies."""

    RELEASE = "release"
    DISCARD = "discard"


@dataclass(frozen=True, slots=True)
class Copies:
    """What a commit does with the copies that hang on its ticket, by their numbers."""

    releases: tuple[int, ...] = ()
    discards: tuple[int, ...] = ()
    unreadable: tuple[int, ...] = ()  # wanted, but what was recorded of them cannot be read


Compose = Callable[[Copies, str, bool], Awaitable[tuple[Sequence[Outgoing], str]]]
"""The mails that go with a change, and its history's detail: given what becomes of the copies, what
is to be said first, and whether who wrote to us is told by a note."""


async def says_nothing(copies: Copies, detail: str, noted: bool) -> tuple[Sequence[Outgoing], str]:
    """A change of which nobody hears."""
    return (), detail


@dataclass(frozen=True, slots=True)
class Change(Generic[S]):
    """What an event makes of a ticket, as the engine commits it."""

    state: S
    status: str
    what: tuple[str, ...]  # the history's words, one a line
    compose: Compose = says_nothing
    detail: str = ""  # of the last line
    wakes_at: float | None = None
    closes: bool = False
    decided_by: str = ""  # in words; "" is whoever acts
    every: Fate | None = None  # of every copy that waits: all together, or Conflict
    releases: tuple[int, ...] = ()  # of those that wait and can be read
    discards: tuple[int, ...] = ()
    withdraws: tuple[int, ...] = ()  # copies in the outbox
    listings: tuple[Listing, ...] = ()


@dataclass(frozen=True, slots=True)
class Response(Generic[S]):
    """What comes of an answer. Without a change nothing is written but `outcome`, of the letter."""

    change: Change[S] | None
    said: str  # what stands now, in words for the page
    outcome: str = ""  # for the record of the letter
    note: Note[S] | None = None
    in_vain: bool = False  # the page says that nothing has changed


@dataclass(frozen=True)
class Move(Generic[S]):
    """One ticket's part of a commit."""

    ticket: Ticket
    change: Change[S]
    at: float
    by: str
    detail: str = ""
    mail: int | None = None  # the letter that caused it
    claims: Sequence[KeptCopy] = ()  # copies that hang on the ticket from now on
    notes: Sequence[Outgoing] = ()
    more: Sequence[TicketUpdate] = ()  # other workflows' tickets that move with it


class Workflow(Protocol[S]):
    """One kind of question to the district's people. Every coroutine raises StoreError, and
    NewerFormat where a newer version has to do it."""

    kind: ClassVar[str]  # stored: it never changes
    desk: ClassVar[str]  # the name of the address where it reads mail; "" for none
    stored: Format[S]
    listing: ClassVar[str]  # the command that lists its tickets
    choices: ClassVar[Sequence[AnswerKind]] = (AnswerKind.YES, AnswerKind.NO)  # of its pages
    not_theirs: ClassVar[str] = "not the one who was asked"  # why an answer was refused
    not_ours: ClassVar[str] = "not our token"
    post: ClassVar[type[TicketMailer]] = TicketMailer
    work: Work
    relay_vouches: bool = True  # a trusted server's word for an author counts as an account's

    # Who

    def asked(self, state: S) -> Sequence[Addressee]:
        """Everybody who was ever asked; their places stand in the tokens."""
        return ()

    def is_theirs(self, found: Found[S], person: str, now: float) -> bool:
        """Whether a question was this person's to answer."""
        return found.asked.person == person

    async def still_asked(self, found: Found[S], now: float) -> bool:
        """Whether whoever was asked may answer by the directory of now."""
        return True

    def _asks_nobody(self) -> LookupError:
        return LookupError(f"nobody is ever asked about a {self.kind}")

    # What becomes of a ticket

    async def answered(self, found: Found[S], given: Given) -> Response[S]:
        """Somebody answered their own question."""
        raise self._asks_nobody()

    def due(self, ticket: Ticket, state: S, now: float) -> Change[S] | None:
        """The clock looks at it. None leaves it as it is."""
        return None

    def overtaken(
        self, ticket: Ticket, state: S, released: bool, by: str, now: float
    ) -> Change[S] | None:
        """All its copies were released or discarded one by one, past the ticket."""
        return None

    def refused(self, ticket: Ticket, state: S, most: int, now: float) -> Change[S] | None:
        """An answer that could not count, for the history; None where that has enough, or it is
        over."""
        return None

    async def unasked(self, mail: UnreadMail, judged: JudgedMessage, who: Correspondent) -> None:
        """A letter that answers no question. Ends with one commit that names it."""
        await self.work.tickets.settle(mail.id, "answers no question of ours")

    def begin(self, now: float) -> AsyncIterator[Begun]:
        """What is to be begun, each by itself."""
        return nothing()

    def begins(self, now: float) -> bool:
        """Whether something is to be begun that no row of the store tells of. From memory."""
        return False

    async def committed(self, released: Sequence[KeptCopy], discarded: Sequence[KeptCopy]) -> None:
        """What follows from a commit and is no part of it."""
        return

    # In words

    async def question(self, found: Found[S], now: float) -> Question:
        """What the page of a question shows."""
        raise self._asks_nobody()

    def mailer(self, ticket: Ticket, state: S, now: float) -> TicketMailer:
        """The mails of a ticket, and what its tokens are bound to."""
        raise self._asks_nobody()

    def reply(
        self, template: str, to: str, mail: UnreadMail, answering: str, more: Sequence[str] = ()
    ) -> Outgoing:
        """The answer to a letter that belongs to no ticket, or to several. It tells nothing of
        any: of an answer that does not count, whoever wrote it was not meant to know of it."""
        return self.post.reply(
            *(self.work.snapshot(), template, to, mail.id, answering, self.work.desk.clock()), more
        )

    def count(self, tickets: Iterable[Ticket], now: float) -> Mapping[str, float]:
        """What is open, for the metrics: how many, the oldest's age in seconds, how many
        overdue."""
        opened = list(tickets)
        return {
            "open": len(opened),
            "oldest": max((now - one.opened_at for one in opened), default=0.0),
            "overdue": sum(one.wakes_at is not None and one.wakes_at < now for one in opened),
        }


async def nothing() -> AsyncIterator[Begun]:
    """Where nothing is to be begun."""
    none: Sequence[Begun] = ()
    for begun in none:
        yield begun
