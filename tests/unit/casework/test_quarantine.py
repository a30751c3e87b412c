"""Deciding about kept copies: what leaves, what is taught, who is listed, and what is refused."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.spam_office import BEN, PARENT, TARA, SpamOffice, blocked

from mailguard.casework import quarantine
from mailguard.casework.quarantine import Quarantine
from mailguard.casework.refusal import CommandRefused
from mailguard.core.mail.transaction import Role
from mailguard.core.record.formats import NewerFormat
from mailguard.pipeline.judged_message import JudgedMessage
from mailguard.pipeline.ports import LedgerEntry

YEAR = 365 * 86_400.0


@pytest.fixture
def office(tmp_path: Path) -> Iterator[SpamOffice]:
    opened = SpamOffice(tmp_path)
    yield opened
    opened.close()


def of(office: SpamOffice) -> Quarantine:
    def reopen(entry: LedgerEntry) -> Awaitable[JudgedMessage]:
        return office.take_up(entry.id)

    state = office.state
    return Quarantine(state.ledger, reopen, state.learned, lambda: office.now)


async def taught(office: SpamOffice) -> tuple[int, int]:
    stock = await office.state.learned.stock()
    return stock.spam, stock.ham


async def states(office: SpamOffice) -> dict[str, str]:
    return {copy.recipient: copy.state for copy in await office.state.ledger.holds(state=None)}


async def test_a_release_sends_the_copy_and_teaches_wanted_mail(office: SpamOffice) -> None:
    await office.block(to=(TARA, BEN))
    (first, second) = await office.state.ledger.holds()
    (copy,) = await of(office).release([str(first.id)], "rev")
    assert copy == first
    office.now = time.time() + 1  # the ledger's own clock
    (mail,) = [mail for mail in await office.deliver() if mail.kind == "release"]
    assert mail.to == (first.recipient,)
    assert await states(office) == {first.recipient: "released", second.recipient: "waiting"}
    assert await taught(office) == (0, 1)
    assert await office.state.unblocked.entries() == []
    decided = await office.state.ledger.hold(first.id)
    assert decided is not None
    assert decided.decided_by == "rev"


async def test_a_discard_sends_nothing_and_teaches_spam(office: SpamOffice) -> None:
    await office.block(to=(TARA, BEN))
    (first, _) = await office.state.ledger.holds()
    copies = await of(office).discard([first.transaction_id.lower(), str(first.id)], "rev")
    assert len(copies) == 2  # each once, however often it is named
    assert set((await states(office)).values()) == {"discarded"}
    office.now = time.time() + 1  # the ledger's own clock
    assert [mail for mail in await office.deliver() if mail.kind == "release"] == []
    assert await taught(office) == (1, 0)


async def test_nothing_is_taught_where_it_is_not_wanted_or_not_about_spam(
    office: SpamOffice,
) -> None:
    await office.block()
    await office.block(subject="Other", code="identity.forged")
    first, second = await office.state.ledger.holds()
    await of(office).discard([str(first.id)], "rev", learn=False)
    await of(office).discard([str(second.id)], "rev")
    assert await taught(office) == (0, 0)


async def test_the_author_is_listed_for_a_year_in_the_same_commit(office: SpamOffice) -> None:
    await office.block()
    (copy,) = await office.state.ledger.holds()
    await of(office).release([str(copy.id)], "rev", allow=True)
    (entry,) = await office.state.unblocked.entries()
    assert (entry.address, entry.origin, entry.added_by) == (PARENT, f"release {copy.id}", "rev")
    assert (entry.added_at, entry.expires_at) == (office.now, office.now + YEAR)


@pytest.mark.parametrize(
    ("author", "words"),
    [
        ("<rosa@example.com>, <bo@example.com>", "no single author"),
        ("<tara@example.org>", "tara@example.org is an address of the district"),
    ],
)
async def test_who_cannot_be_listed_leaves_everything_as_it_was(
    office: SpamOffice, author: str, words: str
) -> None:
    raw = f"From: {author}\r\nSubject: x\r\n\r\nhello\r\n".encode()
    await office.accept(
        raw, (TARA,), blocked(TARA), account=None, reverse_path=PARENT, role=Role.MX
    )
    (copy,) = await office.state.ledger.holds()
    with pytest.raises(CommandRefused, match=words):
        await of(office).release([str(copy.id)], "rev", allow=True)
    assert await office.state.ledger.holds() == [copy]
    assert await taught(office) == (0, 0)


async def test_what_is_decided_is_decided_once(office: SpamOffice) -> None:
    await office.block(to=(TARA, BEN))
    first, second = await office.state.ledger.holds()
    await of(office).discard([str(first.id)], "rev")
    with pytest.raises(CommandRefused, match=f"decided before, .*: {first.id}$"):
        await of(office).release([str(second.id), str(first.id)], "rev")
    assert (await states(office))[second.recipient] == "waiting"


async def test_of_two_at_the_same_time_one_hears_that_it_was_late(office: SpamOffice) -> None:
    await office.block()
    (copy,) = await office.state.ledger.holds()

    async def overtaken(entry: LedgerEntry) -> JudgedMessage:
        await of(office).discard([str(copy.id)], "other", learn=False)
        return await office.take_up(entry.id)

    late = replace(of(office), reopen=overtaken)
    with pytest.raises(CommandRefused, match=f"somebody else has just decided about {copy.id}"):
        await late.release([str(copy.id)], "rev")
    assert (await states(office))[copy.recipient] == "discarded"
    assert await taught(office) == (0, 0)


async def test_of_another_version_it_is_discarded_and_not_released(office: SpamOffice) -> None:
    await office.block()
    (copy,) = await office.state.ledger.holds()

    async def unreadable(entry: LedgerEntry) -> JudgedMessage:
        raise NewerFormat("facts", 99, 1)

    kept = replace(of(office), reopen=unreadable)
    with pytest.raises(CommandRefused, match=f"quarantine raw {copy.id}"):
        await kept.release([str(copy.id)], "rev")
    assert await office.state.ledger.holds() == [copy]
    await kept.discard([str(copy.id)], "rev")
    assert (await states(office))[copy.recipient] == "discarded"
    assert await taught(office) == (0, 0)


@pytest.mark.parametrize("reference", ["7", "nothing", "9" * 30, "", "\x1b[2J"])
async def test_what_is_not_there_is_said_harmlessly(office: SpamOffice, reference: str) -> None:
    with pytest.raises(CommandRefused, match=r"^nothing is kept under") as refused:
        await quarantine.find(office.state.ledger, [reference], None)
    assert str(refused.value).isprintable()
