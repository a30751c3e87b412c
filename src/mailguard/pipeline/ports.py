"""What the story needs of the world: Protocols that adapters fulfil, and the values they exchange.

Owns no behaviour. Must not know which adapter is behind a port.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from mailguard.core.decision.engines import EngineUnavailable, Scanned
from mailguard.core.decision.facts import Arc, Bayes, Dkim, Dmarc, Spf, Unavailable, Unblocked
from mailguard.core.decision.plan import Hold, InboundMail, State
from mailguard.core.decision.verdict import Disposition
from mailguard.core.mail.message import Message
from mailguard.core.mail.reply import Reply
from mailguard.core.mail.transaction import Envelope, Transaction
from mailguard.core.text.reading import Reading
from mailguard.pipeline.bell import Bell
from mailguard.pipeline.counters import (
    ClientAddresses,
    Crashes,
    NoticeAllowance,
    SentRecipients,
    Spend,
)
from mailguard.pipeline.send_window import Mailings


class StoreError(Exception):
    """Something could not be made durable; `full` when the disk is (452 instead of 451)."""

    def __init__(self, reason: str, full: bool = False) -> None:
        super().__init__(reason)
        self.full = full


class AllowanceGone(Exception):
    """A commit carried mail whose addressee has had all the notices of an hour: nothing was
    written. Think again, with the answer that nobody may be told."""


class NoticeWindow(Protocol):
    """How many notices each sender was sent within the hour (R27), by mailbox, any letter case.

    Take and refund: a commit that carries mail with `Outgoing.spends` takes before it writes and
    refunds what could not be written, so that of two that want the last notice one is refused with
    AllowanceGone. Asked on the event loop alone, where nothing comes between looking and taking. A
    window in the database, for many processes, is rows that the commit itself checks: behind the
    same `Outgoing.spends` and the same AllowanceGone."""

    def allows(self, sender: str, now: float) -> bool:
        """Whether one more may be sent now. Takes nothing: it is what the facts record."""
        ...

    def take(self, spends: Collection[Spend]) -> bool:
        """Take them all and be true, or none."""
        ...

    def refund(self, spends: Collection[Spend]) -> None:
        """What was taken was not sent after all."""
        ...


class Archive(Protocol):
    """The blob store: raw messages, content-addressed, written once, durably (R51)."""

    async def store(self, raw: bytes, envelope: Mapping[str, Any]) -> str:
        """Write the blob and its envelope, durable when this returns; the SHA-256 in hex.

        Raises StoreError."""
        ...

    async def fetch(self, digest: str) -> bytes:
        """The bytes exactly as stored. Raises KeyError, or StoreError when they are damaged."""
        ...


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One message for the outbox: a notice to a sender, a report to the district's own people, a
    spammail copy, a question, a release or a copy put off.

    `key` makes it idempotent: a second one with the same key is not stored.
    """

    key: str
    kind: str  # "notice", "report", "question", "copy", "release", "relay"
    reverse_path: str
    recipients: tuple[str, ...]
    raw: bytes = field(repr=False)
    body: str = ""
    smtputf8: bool = False
    transaction_id: str = ""  # whose recipients' states it settles
    serves: str = ""  # the envelope's recipient, where its copy goes to another mailbox
    spends: Spend | None = None  # of its addressee's notices, in whatever commit carries it

    def redirected(self, mailbox: str) -> tuple[Outgoing, ...]:
        """The same to another mailbox, one for each recipient that it serves there; itself for
        ""."""
        if not mailbox:
            return (self,)
        return tuple(
            replace(self, key=f"{self.key}|{recipient}", recipients=(mailbox,), serves=recipient)
            for recipient in self.recipients
        )


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """What is recorded of one transaction; JSON-ready where it says so."""

    id: str
    received_at: float
    listener: str
    digest: str  # of the raw message; the blob's name
    size: int  # octets
    envelope: Mapping[str, Any]  # JSON-ready
    subject: str
    message_id: str
    facts: bytes  # JSON
    decision: bytes  # JSON: judgements and edits in short, for listings; explain re-decides
    policy_digest: str
    reply: str
    recipients: Mapping[str, tuple[Disposition, State, str]]  # disposition, end state, reason code


class Ledger(Protocol):
    """The database as the story sees it. Every method is durable when it returns, in one commit.

    All raise StoreError; `keep` raises AllowanceGone as well."""

    async def keep(
        self,
        entry: LedgerEntry,
        holds: Sequence[Hold],
        outgoing: Sequence[Outgoing],
        letters: Sequence[InboundMail] = (),
    ) -> Mapping[str, int]:
        """Commit holds, outgoing mail and letters to our desks, and the entry so far. Known keys
        are left as they are.

        The references of the holds that are new, by recipient."""
        ...

    async def record(self, entry: LedgerEntry, outgoing: Sequence[Outgoing] = ()) -> None:
        """Commit the outcome, and copies put off, in place of what `keep` wrote."""
        ...


class EarlierMail(Protocol):
    """What is known of messages that came before."""

    async def groups_reached(self, message_id: str) -> Collection[str]:
        """The recipients, in lower case, whom messages with this Message-ID (brackets included)
        went on to."""
        ...


class NextHop(Protocol):
    """The district's mail server (or whatever stands behind us)."""

    async def relay(
        self,
        reverse_path: str,
        recipients: Sequence[str],
        raw: bytes,
        body: str,
        smtputf8: bool,
        origin: Envelope | None = None,
    ) -> Mapping[str, Reply]:
        """Send one variant; the next hop's own last reply for each recipient.

        Trouble in reaching it is a 451 Reply for those concerned, never an exception."""
        ...

    async def verify(self, recipient: str) -> Reply:
        """Whether it would take mail for this recipient: RCPT asked for real, cached (250, 4xx,
        5xx). Never raises."""
        ...


class Reader(Protocol):
    """Reads a message's texts, in the killable pool over a size."""

    async def read(self, message: Message) -> Reading | Unavailable: ...


@dataclass(frozen=True, slots=True)
class Authentication:
    """What SPF, DKIM, ARC and DMARC said of one message: each a result, or `Unavailable`."""

    spf: Spf | Unavailable
    dkim: tuple[Dkim, ...] | Unavailable
    arc: Arc | Unavailable
    dmarc: Dmarc | Unavailable


class Authenticator(Protocol):
    """SPF, DKIM, ARC and DMARC of mail from outside."""

    async def authenticate(self, transaction: Transaction) -> Authentication: ...


class SecondOpinion(Protocol):
    """Another implementation's word on DKIM results: for people to hear of, never for a verdict."""

    def consider(
        self, transaction: Transaction, digest: str, dkim: tuple[Dkim, ...] | Unavailable
    ) -> None:
        """Take the results up for later, or leave it. Neither waits nor raises."""
        ...


class Engines(Protocol):
    """The scanning engines, all asked at once."""

    async def scan(
        self, transaction: Transaction, reading: Awaitable[Reading | Unavailable]
    ) -> Mapping[str, Scanned | EngineUnavailable]:
        """What each says, by its name. Never raises. `reading` may be awaited by many."""
        ...


class Signing(Protocol):
    """Our own word on what leaves. Pure, given its keys."""

    def sign(self, copy: bytes, domain: str, now: float) -> bytes:
        """DKIM-Signature fields to put on top; b"" where we have no key for the domain."""
        ...

    def seal(self, copy: bytes, results: bytes, cv: str, now: float) -> bytes:
        """An ARC set to put on top, `results` being our Authentication-Results' value from before
        the edit; b"" where none may be added."""
        ...


class UnblockedSenders(Protocol):
    """The unblocked list's entries beyond the snapshot's files (R37). In memory, so synchronous."""

    def look_up(self, mailbox: str, now: float) -> Unblocked | Unavailable | None: ...


class Learned(Protocol):
    """What reviewers taught. In memory, so synchronous."""

    def opinion(self, words: Callable[[], Sequence[str]]) -> Bayes | Unavailable | None:
        """None while there are too few examples on either side; only else are words asked for."""
        ...


Clock = Callable[[], float]


def envelope_json(envelope: Envelope) -> dict[str, Any]:
    """An Envelope as it stands in the ledger and with the blob."""
    return {
        "reverse_path": envelope.reverse_path,
        "recipients": list(envelope.recipients),
        "client_address": envelope.client_address,
        "client_name": envelope.client_name,
        "helo": envelope.helo,
        "account": envelope.account,
        "tls": envelope.tls,
        "body": envelope.body,
        "smtputf8": envelope.smtputf8,
        "protocol": envelope.protocol,
        "certificate": envelope.certificate,
        "acting": envelope.acting,
    }


@dataclass(frozen=True)
class Judging:
    """What the facts of a message are gathered from: look-ups that may fail, under one deadline,
    and what this process counts from message to message."""

    authenticator: Authenticator
    reader: Reader
    unblocking: UnblockedSenders
    learned: Learned
    earlier: EarlierMail
    deadline: float  # seconds for all facts of a message
    engines: Engines | None = None  # none are configured
    notices: NoticeWindow = field(default_factory=NoticeAllowance)
    clients: ClientAddresses = field(default_factory=ClientAddresses)
    sent: SentRecipients = field(default_factory=SentRecipients)
    mailings: Mailings = field(default_factory=Mailings)


@dataclass(frozen=True)
class OutboundTerms:
    """The settings and keys by which copies and notices are made. No effects."""

    hostname: str
    quarantine_copy: bool  # whether spammail@ gets a copy
    tell_quarantine: bool  # whether the sender of a quarantined message hears of it
    deliver_unedited: bool = False  # a copy that is not what was planned: else it is quarantined
    signing: Signing | None = None


@dataclass(frozen=True)
class Delivery:
    """Where a judged message goes: archive, ledger, next hop, and those who wait for what is
    kept."""

    archive: Archive
    ledger: Ledger
    next_hop: NextHop
    clock: Clock
    outbox: Bell  # rung when something was put there
    desk: Bell  # rung when something was kept for a person
    second_opinion: SecondOpinion | None = None  # in a server alone, where it is wanted
    late: set[asyncio.Task[None]] = field(default_factory=set)  # outcomes not recorded yet
    crashes: Crashes = field(default_factory=Crashes)


@dataclass(frozen=True)
class Deskwork:
    """What the steps of tickets need beside their store."""

    clock: Clock
    notices: NoticeWindow
    outbox: Bell  # rung when something was put there
