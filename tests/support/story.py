"""The story of a message with small ports that record what is asked of them.

The story, the decision and the plan are the real thing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

from tests.support.steps import DISTRICT

from mailguard.config.notices import TEMPLATES
from mailguard.core.decision.facts import Spf, Unavailable
from mailguard.core.decision.plan import Hold, InboundMail, State
from mailguard.core.decision.policy import Policy, PolicyStep
from mailguard.core.mail import mime
from mailguard.core.mail.reply import Reply
from mailguard.core.mail.transaction import Envelope, Listener, Role, Transaction
from mailguard.core.people.directory import Directory
from mailguard.core.text import reader
from mailguard.pipeline.accept import accept
from mailguard.pipeline.bell import Bell
from mailguard.pipeline.counters import NoticeAllowance
from mailguard.pipeline.ports import (
    AllowanceGone,
    Authentication,
    Delivery,
    Judging,
    LedgerEntry,
    OutboundTerms,
    Outgoing,
)
from mailguard.pipeline.snapshot import Snapshot

ANN, BOB = "ann@example.org", "bob@example.org"
RAW = b"From: x@example.com\r\nSubject: s\r\n\r\nhello\r\n"
OK, LATE, NO = Reply(250, "2.0.0 Ok"), Reply(451, "4.3.0 later"), Reply(550, "5.1.1 no")


@dataclass
class Ports:
    """Records what is asked of it, in order; fails where it is told to."""

    failing: dict[str, Exception] = field(default_factory=dict)
    replies: dict[str, Reply] = field(default_factory=dict)
    done: list[str] = field(default_factory=list)
    kept: list[tuple[Sequence[Hold], Sequence[Outgoing]]] = field(default_factory=list)
    letters: list[InboundMail] = field(default_factory=list)
    recorded: list[LedgerEntry] = field(default_factory=list)
    relayed: dict[str, bytes] = field(default_factory=dict)
    notices: NoticeAllowance = field(default_factory=NoticeAllowance)

    def _do(self, name: str) -> None:
        self.done.append(name)
        if name in self.failing:
            raise self.failing[name]

    async def store(self, raw: bytes, envelope: Mapping[str, Any]) -> str:
        self._do("archive")
        return "ab" * 32

    async def keep(
        self,
        entry: LedgerEntry,
        holds: Sequence[Hold],
        outgoing: Sequence[Outgoing],
        letters: Sequence[InboundMail] = (),
    ) -> Mapping[str, int]:
        self._do("keep")
        if not self.notices.take({one.spends for one in outgoing if one.spends is not None}):
            raise AllowanceGone
        self.kept.append((holds, outgoing))
        self.letters += letters
        return {}

    async def record(self, entry: LedgerEntry, outgoing: Sequence[Outgoing] = ()) -> None:
        self._do("record")
        self.recorded.append(entry)

    async def relay(
        self, reverse_path: str, recipients: Sequence[str], raw: bytes, **_: Any
    ) -> Any:
        self._do("relay")
        self.relayed |= dict.fromkeys(recipients, raw)
        return {r: self.replies.get(r, OK) for r in recipients}

    async def read(self, message: Any) -> Any:
        return reader.read(message)

    async def authenticate(self, transaction: Transaction) -> Authentication:
        none = Unavailable("not looked up")
        return Authentication(none, none, none, none)

    def look_up(self, mailbox: str, now: float) -> None:
        return None

    def opinion(self, words: Any) -> None:
        return None


class Proven(Ports):
    """The sender's domain vouches for it, so that the sender may be told."""

    async def authenticate(self, transaction: Transaction) -> Authentication:
        none = Unavailable("not looked up")
        return Authentication(Spf("pass", "example.com"), none, none, none)


async def run(
    ports: Any, *steps: PolicyStep, raw: bytes = RAW, world: World | None = None
) -> Reply:
    snapshot = Snapshot(
        DISTRICT,
        Policy(steps, "p"),
        Directory(),
        {},
        {n: t.text for n, t in TEMPLATES.items()},
        "d",
    )
    envelope = Envelope("x@example.com", (ANN, BOB), client_address="192.0.2.1", helo="h.example")
    transaction = Transaction("0" * 26, 1.0, Listener("mx", Role.MX), envelope, mime.parse(raw))
    return await (world or make_world(ports)).accept(transaction, snapshot)


@dataclass(frozen=True)
class World:
    """All that the story is told with."""

    judging: Judging
    terms: OutboundTerms
    delivery: Delivery

    async def accept(self, transaction: Transaction, snapshot: Snapshot) -> Reply:
        return await accept(transaction, snapshot, self.judging, self.terms, self.delivery)

    def but(self, **changes: Any) -> World:
        """The same, with these fields of its parts in place of theirs."""
        parts = {}
        for part in fields(self):
            whole = getattr(self, part.name)
            own = {name: changes.pop(name) for name in list(changes) if hasattr(whole, name)}
            parts[part.name] = replace(whole, **own)
        assert not changes, changes
        return World(**parts)


def make_world(ports: Any) -> World:
    return World(
        Judging(
            authenticator=ports,
            reader=ports,
            unblocking=ports,
            learned=ports,
            earlier=ports,
            deadline=5.0,
            notices=ports.notices,
        ),
        OutboundTerms("mx.example.org", quarantine_copy=True, tell_quarantine=True),
        Delivery(ports, ports, ports, lambda: 2.0, Bell(), Bell()),
    )


def states(ports: Ports) -> dict[str, State]:
    return {r: state for r, (_, state, _) in ports.recorded[-1].recipients.items()}
