"""What waits for people: tickets, their updates, and the letters that move them on.

A ticket is one question to the district's people with its state, its history and the kept copies
that hang on it: an approval (R18), an unblock case (R28-R36), a grant given beforehand. It moves by
updates, each one commit that holds everything the step does: new state, history, what becomes of
the copies, the mail that leaves, entries of the unblocked list, the letter that caused it. A
version makes each step happen once, whoever else acts at the same time.

Owns these values and the ports. Must not know any workflow, SQL or mail.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from mailguard.core.decision.verdict import Disposition
from mailguard.pipeline.judged_message import JudgedMessage
from mailguard.pipeline.ports import Outgoing


class Conflict(Exception):
    """Somebody else moved a ticket, decided a hold or opened the same one first: nothing was
    written. Load it again and see what is left to do."""


TakeUp = Callable[[str], Awaitable[JudgedMessage]]
"""A recorded transaction taken up again, by its id. Raises KeyError, ValueError, NewerFormat or
StoreError."""


@dataclass(frozen=True, slots=True)
class TicketEvent:
    """One line of a ticket's history."""

    at: float
    by: str  # a person's mailbox, "console: NAME", or "mailguard"
    what: str  # a short word: "opened", "asked", "yes", "no", "reminded", "expired"
    detail: str = ""  # in words, bounded


@dataclass(frozen=True, slots=True)
class Ticket:
    """As stored. `state` is its workflow's own JSON."""

    id: int  # the number people see
    kind: str  # its workflow: "approval", "case", "grant"
    version: int
    status: str  # the workflow's own short word
    state: bytes = field(repr=False)
    opened_at: float = 0.0
    wakes_at: float | None = None  # when the clock has to look at it
    closed_at: float | None = None


@dataclass(frozen=True, slots=True)
class Listing:
    """An address for the unblocked list (R31, R37); a single address, or the commit is refused."""

    address: str
    origin: str
    site: str = ""
    added_by: str = ""
    added_at: float = 0.0
    expires_at: float | None = None


@dataclass(frozen=True, slots=True)
class TicketUpdate:
    """One step of one ticket. `version` is the one that the step was thought out for."""

    ticket: int
    version: int
    status: str
    state: bytes = field(repr=False)
    wakes_at: float | None = None
    history: tuple[TicketEvent, ...] = ()
    claims: tuple[int, ...] = ()  # holds that hang on this ticket from now on
    releases: tuple[int, ...] = ()  # holds let go: `outgoing` carries them (`pipeline.release`)
    discards: tuple[int, ...] = ()
    withdraws: tuple[int, ...] = ()  # copies in the outbox that are not to leave (R21)
    outgoing: tuple[Outgoing, ...] = ()
    listings: tuple[Listing, ...] = ()
    letter: int | None = None  # read, and done with
    by: str = "mailguard"  # who decided the holds
    closes: bool = False


@dataclass(frozen=True, slots=True)
class KeptCopy:
    """A copy that is kept, and what a person made of it."""

    id: int  # the reference people use
    transaction_id: str
    digest: str
    reverse_path: str
    recipient: str
    disposition: Disposition
    reason: str
    evidence: str
    state: str  # "waiting", "released", "discarded"
    created_at: float
    decided_at: float | None
    decided_by: str | None
    matter_id: int | None = None  # the ticket it hangs on


@dataclass(frozen=True, slots=True)
class UnreadMail:
    """A message to one of our desks that nobody has read yet."""

    id: int
    desk: str
    transaction_id: str
    recipient: str
    attempts: int
    created_at: float


@dataclass(frozen=True, slots=True)
class AtHand:
    """Whether anything waits for the engine at all."""

    mail: bool  # unread
    tickets: bool  # due, or overtaken
    copies: bool  # held, and hanging on no ticket

    def __bool__(self) -> bool:
        return self.mail or self.tickets or self.copies


class Tickets(Protocol):
    """The store of tickets. Writing methods are durable when they return. Every method is awaited
    and has a deadline, and all raise StoreError: what was read may be old by the time that it is
    used, so whatever is built on it is a `TicketUpdate` that names its version."""

    async def at_hand(self, kinds: Sequence[str], now: float) -> AtHand:
        """One look, as most find nothing."""
        ...

    async def new(self, kind: str, key: str, now: float) -> Ticket:
        """Make room for a ticket, so that its number is known before anybody is asked. One of
        this key that is there already is given back as it is: a crash between this and the first
        update leaves nothing behind but an empty ticket (`state` b"", `version` 0)."""
        ...

    async def move(self, steps: Sequence[TicketUpdate]) -> None:
        """Commit all steps, or none. Raises Conflict where a version is not the current one, a
        hold does not wait any more or hangs on another open ticket, a copy in the outbox has
        left, or a letter was read; ValueError where an address is no single one; AllowanceGone
        where a mail spends what is gone. A ticket that is closed moves only by a step that closes
        it again: a stop after the release (R21)."""
        ...

    async def settle(self, letter: int, outcome: str, outgoing: Sequence[Outgoing] = ()) -> None:
        """A letter that moves nothing is done with. Raises Conflict where it was before, and
        AllowanceGone."""
        ...

    async def load(self, ticket: int) -> Ticket | None: ...

    async def find(
        self, kind: str, *, open_only: bool = True, limit: int | None = None
    ) -> Sequence[Ticket]:
        """Oldest first."""
        ...

    async def due(
        self, kind: str, now: float, limit: int = 100, after: Ticket | None = None
    ) -> Sequence[Ticket]:
        """Open tickets whose `wakes_at` has come, the longest waiting first; those behind `after`,
        as it was given out."""
        ...

    async def history(self, ticket: int) -> Sequence[TicketEvent]: ...

    async def holds_of(self, ticket: int) -> Sequence[KeptCopy]: ...

    async def overtaken(
        self, kind: str, limit: int | None = None, after: Ticket | None = None
    ) -> Sequence[Ticket]:
        """Open tickets all of whose holds somebody decided elsewhere, oldest first."""
        ...

    async def leaving(self, transaction_id: str) -> Sequence[tuple[int, tuple[str, ...]]]:
        """Copies of a message in the outbox that can still be withdrawn, with their recipients."""
        ...

    async def tickets_of(self, transaction_id: str) -> Sequence[int]:
        """The tickets that the message's holds hang on."""
        ...

    async def sent_as(self, message_id: str, since: float) -> Sequence[str]:
        """The transactions of messages with this Message-ID, newest first."""
        ...

    async def unclaimed(
        self, disposition: Disposition, limit: int = 100, after: int = 0
    ) -> Sequence[KeptCopy]:
        """Copies that wait and hang on no ticket, oldest first: those of so many messages, each
        message's together, since they are one question. Of messages none of whose copies has a
        number up to `after`."""
        ...

    async def kept(
        self,
        *,
        message_id: str = "",
        digest: str = "",
        sender: str = "",
        recipient: str = "",
        since: float = 0.0,
        limit: int = 100,
    ) -> Sequence[tuple[KeptCopy, Mapping[str, Any]]]:
        """Quarantined copies, newest first, by what is given of their message, each with
        {"subject", "message_id", "received_at"} of its transaction. Waiting ones alone."""
        ...

    async def hold(self, number: int) -> KeptCopy | None: ...


@dataclass(frozen=True, slots=True)
class Question:
    """What a page shows to one person who was asked."""

    title: str
    paragraphs: tuple[str, ...]  # plain text
    particulars: tuple[tuple[str, str], ...]  # ("Subject", "…")
    excerpt: str  # of the message, plain text
    choices: tuple[tuple[str, str], ...]  # ("yes", "Approve"); empty where nothing waits
    person: str  # who is asked: name or mailbox
    outcome: str = ""  # what has come of it, in words, where nothing waits any more


class Handler(Protocol):
    """Who carries the tickets of one workflow out. Reading a letter ends with exactly one of `move`
    with that letter or `settle`; anything else is tried again."""

    async def read(self, mail: UnreadMail, judged: JudgedMessage) -> None:
        """Take up a letter: `judged` is its transaction, decided again from stored facts."""
        ...

    async def turn(self, now: float) -> None:
        """Open what is new, and do what is due."""
        ...

    def begins(self, now: float) -> bool:
        """Whether something is to be done though the store has nothing at hand."""
        ...

    async def question(self, ticket: Ticket, token: str) -> Question | None:
        """What the page of a token shows; None where the token is none of ours."""
        ...

    async def answer(self, ticket: Ticket, token: str, choice: str, remark: str) -> str | None:
        """A POST on that page; in words what came of it. None where the token is none of ours."""
        ...
