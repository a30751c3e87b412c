"""The outbox when its own side has trouble: what was taken is not sent again, nothing is silent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mailguard.core.mail.reply import Reply
from mailguard.pipeline.bell import Bell
from mailguard.pipeline.outbox import Outbox, Undeliverable, Waiting
from mailguard.pipeline.ports import Outgoing, StoreError

A, B, C = "a@example.org", "b@example.org", "c@example.org"
OK, LATE, NO = Reply(250, "2.0.0 Ok"), Reply(451, "4.3.0 later"), Reply(550, "5.1.1 no")


@dataclass
class Entry:
    recipients: tuple[str, ...]
    id: int = 7
    kind: str = "relay"
    transaction_id: str = "t"
    reverse_path: str = "x@example.com"
    digest: str = "d"
    body: str = ""
    smtputf8: bool = False
    attempts: int = 1
    created_at: float = 0.0


@dataclass
class Ports:
    """One entry that is always due, a next hop and an archive; what was settled, in order."""

    entry: Entry
    replies: Mapping[str, Reply]
    damaged: bool = False
    settled: list[tuple[Any, ...]] = field(default_factory=list)

    async def lease(self, *_: Any) -> Sequence[Entry]:
        return [self.entry]

    async def renew(self, *_: Any) -> None: ...

    async def sent(self, entry: int, reply: str, now: float, refused: Sequence[str] = ()) -> None:
        self.settled.append(("sent", tuple(refused)))

    async def retry(
        self,
        entry: int,
        at: float,
        reply: str,
        remaining: Sequence[str],
        now: float,
        refused: Sequence[str] = (),
    ) -> None:
        self.settled.append(("retry", tuple(remaining), tuple(refused)))

    async def failed(
        self,
        entry: int,
        reply: str,
        now: float,
        outgoing: Sequence[Outgoing] = (),
        served: Sequence[str] = (),
    ) -> None:
        self.settled.append(("failed", tuple(served)))

    async def put(self, outgoing: Sequence[Outgoing], now: float) -> None:
        self.settled.append(("put",))

    async def fetch(self, digest: str) -> bytes:
        if self.damaged:
            raise StoreError("damaged")
        return b"raw"

    async def relay(
        self, reverse_path: str, recipients: Sequence[str], raw: bytes, **_: Any
    ) -> Any:
        return {recipient: self.replies[recipient] for recipient in recipients}


async def tells(
    entry: Waiting, recipients: Sequence[str], reply: Reply, may_tell: bool
) -> Sequence[Outgoing]:
    return ()


async def fails(
    entry: Waiting, recipients: Sequence[str], reply: Reply, may_tell: bool
) -> Sequence[Outgoing]:
    raise KeyError("no such blob")


async def turn(ports: Any, told: Undeliverable = tells, now: float = 10.0) -> None:
    outbox = Outbox(
        ports,
        ports,
        ports,
        told,
        lambda: now,
        Bell(),
        holder="h",
        first_retry=1.0,
        longest_retry=10.0,
        give_up=100.0,
        poll=1.0,
    )
    await outbox.turn()


async def test_what_was_taken_is_settled_though_nobody_could_be_told_of_the_rest() -> None:
    ports = Ports(Entry((A, B, C)), {A: OK, B: NO, C: LATE})
    await turn(ports, fails)
    assert ports.settled == [("retry", (C, B), ())]


async def test_giving_up_keeps_apart_what_was_taken_at_last() -> None:
    ports = Ports(Entry((A, B)), {A: OK, B: LATE})
    await turn(ports, now=200.0)
    assert ports.settled == [("failed", (A,))]


async def test_octets_that_cannot_be_read_are_waited_for_longer_and_longer() -> None:
    ports = Ports(Entry((A, B)), {}, damaged=True)
    await turn(ports)
    assert ports.settled == [("retry", (A, B), ())]
