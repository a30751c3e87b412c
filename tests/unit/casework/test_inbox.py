"""The desk's loop: every letter is read or goes to the postmaster; its trouble stays with it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from tests.support.waiting import soon

from mailguard.casework.inbox import Inbox
from mailguard.casework.tickets import AtHand, Conflict, Ticket, UnreadMail
from mailguard.pipeline.bell import Bell
from mailguard.pipeline.ports import Outgoing, StoreError

REPORT = Outgoing("unread|1", "report", "", ("postmaster@example.org",), b"raw")


@dataclass
class Post:
    """Letters as the store gives them out, and tickets by number."""

    letters: dict[int, UnreadMail]
    settled: dict[int, tuple[str, Sequence[Outgoing]]] = field(default_factory=dict)
    ticket: Ticket | None = None

    async def at_hand(self, kinds: Sequence[str], now: float) -> AtHand:
        return AtHand(mail=True, tickets=False, copies=False)

    async def waiting(self, limit: int) -> Sequence[UnreadMail]:
        for number in self.letters.keys() - self.settled.keys():
            one = self.letters[number]
            self.letters[number] = replace(one, attempts=one.attempts + 1)
        return [one for n, one in sorted(self.letters.items()) if n not in self.settled][:limit]

    async def settle(self, letter: int, outcome: str, outgoing: Sequence[Outgoing] = ()) -> None:
        self.settled[letter] = (outcome, outgoing)

    async def load(self, number: int) -> Ticket | None:
        return self.ticket if self.ticket and self.ticket.id == number else None


@dataclass
class Handling:
    post: Post
    failing: dict[int, list[Exception]] = field(default_factory=dict)
    conflicts: int = 0
    turns: int = 0

    async def read(self, letter: UnreadMail, judged: Any) -> None:
        assert judged == f"judged of {letter.transaction_id}"
        if self.failing.get(letter.id):
            raise self.failing[letter.id].pop()
        await self.post.settle(letter.id, "read")

    async def turn(self, now: float) -> None:
        self.turns += 1

    async def answer(self, ticket: Ticket, token: str, choice: str, remark: str) -> str | None:
        if self.conflicts:
            self.conflicts -= 1
            raise Conflict("moved")
        return f"{ticket.id} {choice} {remark}"

    async def question(self, ticket: Ticket, token: str) -> Any:
        return f"question {ticket.id}"


def desk(post: Post, handler: Handling, now: float = 1.0) -> Inbox:
    async def take_up(transaction: str) -> Any:
        return f"judged of {transaction}"

    async def unread(letter: UnreadMail) -> Sequence[Outgoing]:
        return (REPORT,)

    by_desk: Any = {"approvals": handler}
    kinds: Any = {"approval": handler, "grant": handler}
    store: Any = post
    return Inbox(store, store, take_up, by_desk, kinds, unread, lambda: now, Bell(), poll=0.01)


def letters(*numbers: int) -> dict[int, UnreadMail]:
    return {n: UnreadMail(n, "approvals", f"t{n}", "a@example.org", 0, 1.0) for n in numbers}


async def test_ones_trouble_is_not_anothers_and_nothing_is_dropped() -> None:
    post = Post(letters(1, 2, 3))
    handler = Handling(post, {1: [ValueError("always")] * 99, 2: [Conflict("once")]})
    one = desk(post, handler)
    await one.turn()
    assert post.settled == {3: ("read", ())}
    await one.turn()
    assert post.settled[2] == ("read", ())
    for _ in range(3):
        await one.turn()
    assert post.settled[1] == ("unread", (REPORT,))
    assert handler.turns == 5  # one a turn, for the two kinds together


async def test_our_own_trouble_is_tried_again_for_as_long_as_it_lasts() -> None:
    post = Post(letters(1))
    handler = Handling(post, {1: [StoreError("locked")] * 9})
    running = asyncio.create_task(desk(post, handler).run())
    try:
        await soon(lambda: post.settled)
    finally:
        running.cancel()
    assert post.settled == {1: ("read", ())}


async def test_a_letter_of_a_workflow_that_is_not_here_waits_an_hour_for_another_version() -> None:
    post = Post({1: replace(letters(1)[1], desk="elsewhere"), **letters(2)})
    await desk(post, Handling(post)).turn()
    assert post.settled == {2: ("read", ())}
    await desk(post, Handling(post), now=3_602.0).turn()
    assert post.settled[1] == ("unread", (REPORT,))


async def test_a_letter_that_another_passes_on_meanwhile_stops_nothing_behind_it() -> None:
    class Taken(Post):
        async def settle(self, letter: int, outcome: str, outgoing: Any = ()) -> None:
            if letter == 1:
                raise Conflict("settled by another")
            await super().settle(letter, outcome, outgoing)

    post = Taken({1: replace(letters(1)[1], desk="elsewhere"), **letters(2)})
    handler = Handling(post)
    await desk(post, handler, now=3_602.0).turn()
    assert post.settled == {2: ("read", ())}
    assert handler.turns == 1


@pytest.mark.parametrize("token", ["", "x", "41", "42-0-a", "9" * 30 + "-0-a", "٤١-0-a"])
async def test_a_token_of_no_ticket(token: str) -> None:
    post = Post({}, ticket=Ticket(41, "case", 1, "asked", b""))
    one = desk(post, Handling(post))
    assert await one.question(token) is None
    assert await one.answer(token, "yes") is None


async def test_a_page_answers_through_the_handler_and_a_conflict_is_looked_at_again() -> None:
    post = Post({}, ticket=Ticket(41, "approval", 1, "asked", b""))
    handler = Handling(post, conflicts=2)
    one = desk(post, handler)
    assert await one.question("41-0-a") == "question 41"
    assert await one.answer("41-0-a", "yes", "fine") == "41 yes fine"
    handler.conflicts = 99
    with pytest.raises(StoreError):
        await one.answer("41-0-a", "yes")
