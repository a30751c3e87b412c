"""The promise, when ports fail: what the client hears, and what was done by then.

The ports are small recording ones; the story, the decision and the plan are the real thing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

import pytest
from tests.unit.core.decision.test_decide import DISTRICT, Says, finds

from mailguard.config.notices import TEMPLATES
from mailguard.core.decision.facts import Unavailable
from mailguard.core.decision.plan import Hold, InboundMail, State
from mailguard.core.decision.policy import Policy, PolicyStep
from mailguard.core.decision.verdict import Disposition
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
    StoreError,
)
from mailguard.pipeline.snapshot import Snapshot

FORWARD, QUARANTINE, HOLD, BOUNCE, DEFER = Disposition
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


async def test_the_order_is_archive_keep_relay_record() -> None:
    ports = Ports()
    reply = await run(ports, finds("a", "a.x", QUARANTINE, ANN))
    assert reply == Reply(250, f"2.0.0 Ok: {'0' * 26}")
    assert ports.done == ["archive", "keep", "relay", "record"]
    assert states(ports) == {ANN: State.QUARANTINED, BOB: State.FORWARDED}
    assert ports.relayed[BOB].endswith(RAW)


@pytest.mark.parametrize(("full", "code"), [(False, 451), (True, 452)])
async def test_an_archive_that_fails_stops_everything(full: bool, code: int) -> None:
    ports = Ports({"archive": StoreError("no", full=full)})
    assert (await run(ports)).code == code
    assert ports.done == ["archive"]


async def test_what_cannot_be_kept_is_not_answered_and_nothing_leaves() -> None:
    ports = Ports({"keep": StoreError("no")})
    assert (await run(ports, finds("a", "a.x", QUARANTINE, ANN))).code == 451
    assert "relay" not in ports.done


@pytest.mark.parametrize("error", [StoreError("no"), RuntimeError("bug")])
async def test_after_the_next_hops_250_no_record_turns_it_into_an_error(error: Exception) -> None:
    ports = Ports({"record": error})
    assert (await run(ports)).code == 250


async def test_a_copy_put_off_is_in_the_outbox_before_the_250() -> None:
    ports = Ports(replies={BOB: LATE})
    assert (await run(ports)).code == 250
    assert ports.done == ["archive", "relay", "keep", "record"]
    (_, (outgoing,)) = ports.kept[-1]
    assert (outgoing.kind, outgoing.recipients, outgoing.raw) == (
        "relay",
        (BOB,),
        ports.relayed[BOB],
    )
    assert states(ports) == {ANN: State.FORWARDED, BOB: State.QUEUED}


async def test_a_copy_put_off_that_cannot_be_kept_is_451() -> None:
    ports = Ports({"keep": StoreError("no")}, {BOB: LATE})
    assert (await run(ports)).code == 451


async def test_one_refused_copy_of_an_unproven_sender_is_quarantined() -> None:
    ports = Ports(replies={BOB: NO})
    assert (await run(ports)).code == 250
    ((hold,), _) = ports.kept[-1]
    assert (hold.recipient, hold.reason) == (BOB, "next-hop.refused")
    assert states(ports) == {ANN: State.FORWARDED, BOB: State.QUARANTINED}


@pytest.mark.parametrize("reply", [LATE, NO])
async def test_the_next_hops_own_answer_is_passed_on(reply: Reply) -> None:
    ports = Ports(replies={ANN: reply, BOB: reply})
    assert await run(ports) == reply


async def test_a_deferred_message_leaves_nothing_behind() -> None:
    ports = Ports()
    assert (await run(ports, finds("a", "a.x", DEFER, ANN))).code == 451
    assert "keep" not in ports.done
    assert "relay" not in ports.done


async def test_a_check_that_crashes_quarantines_and_says_so() -> None:
    ports = Ports()
    step = PolicyStep(Says("a", RuntimeError("boom")), finds("b", "b.x", FORWARD).settings, {})
    reply = await run(ports, step)
    assert reply.code == 550
    assert {h.reason for h in ports.kept[-1][0]} == {"a.error"}


async def test_a_message_that_crashes_us_is_451_twice_and_then_quarantined_unread() -> None:
    ports = Ports({"relay": RuntimeError("bug")})
    world = make_world(ports)
    assert [(await run(ports, world=world)).code for _ in range(3)] == [451, 451, 250]
    holds, _ = ports.kept[-1]
    assert {h.recipient for h in holds} == {ANN, BOB}
    assert {h.reason for h in holds} == {"mailguard.crashed"}


async def test_a_lookup_that_hangs_becomes_unavailable_in_time() -> None:
    class Hanging(Ports):
        async def read(self, message: Any) -> Any:
            import asyncio

            await asyncio.sleep(60)

    ports = Hanging()
    reply = await run(ports, world=make_world(ports).but(deadline=0.05))
    assert reply.code == 250  # no step of this policy needs the reading
    assert b"no answer within" in ports.recorded[-1].facts
