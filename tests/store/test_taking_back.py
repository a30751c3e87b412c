"""What is stopped (R21) is taken out of the outbox in the commit that says so, or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from tests.support.office import (
    ANNOUNCEMENT,
    CEDAR,
    MAPLE,
    NEEDS,
    PEOPLE,
    Office,
    to,
)

from mailguard.casework.approvals.life import ApprovalOutcome
from mailguard.casework.tickets import Conflict, Ticket, TicketUpdate

PAULA, TOMAS, TARA = "paula@example.org", "tomas@example.org", "tara@example.org"


@pytest.fixture
def office(tmp_path: Path, url: str) -> Iterator[Office]:
    opened = Office(tmp_path, url)
    yield opened
    opened.close()


def closing(ticket: Ticket, *withdraws: int) -> TicketUpdate:
    return TicketUpdate(
        ticket.id, ticket.version, "stopped", ticket.state, withdraws=withdraws, closes=True
    )


async def approved(office: Office) -> Ticket:
    await office.send(NEEDS, to=(MAPLE, CEDAR))
    questions = {m.to[0]: m for m in await office.round() if m.kind == "question"}
    await office.reply(questions[PAULA], "Yes")
    await office.turn()
    (ticket,) = office.tickets()
    assert ticket.closed_at is not None
    return ticket


async def test_what_waits_is_taken_back_and_its_copies_end_as_discarded(office: Office) -> None:
    ticket = await approved(office)
    leaving = await office.state.tickets.leaving(f"{1:026}")
    assert sorted(recipients for _, recipients in leaving) == [(CEDAR,), (MAPLE,)]
    await office.state.tickets.move([closing(ticket, *(entry for entry, _ in leaving))])
    assert await office.state.tickets.leaving(f"{1:026}") == []
    ends = await office.state.ledger.end_states(f"{1:026}")
    assert {state.value for _, state, _ in ends.values()} == {"discarded"}
    assert [m.kind for m in await office.deliver() if m.kind == "release"] == []
    assert (await office.state.outbox.counts())[("release", "withdrawn")] == 2


async def test_what_is_being_sent_is_not_taken_back_and_then_nothing_is(office: Office) -> None:
    ticket = await approved(office)
    entries = [entry for entry, _ in await office.state.tickets.leaving(f"{1:026}")]
    (leased,) = await office.state.outbox.lease("other", office.now, 60.0, 1)
    with pytest.raises(Conflict, match="left the outbox"):
        await office.state.tickets.move([closing(ticket, *entries)])
    assert await office.state.tickets.load(ticket.id) == ticket
    left = await office.state.tickets.leaving(f"{1:026}")
    assert {entry for entry, _ in left} == set(entries) - {leased.id}
    await office.state.outbox.retry(leased.id, office.now, "451", leased.recipients, office.now)
    assert len(await office.state.tickets.leaving(f"{1:026}")) == 2


async def test_a_matter_that_is_closed_moves_only_to_close_again(office: Office) -> None:
    ticket = await approved(office)
    again = TicketUpdate(ticket.id, ticket.version, "waiting", ticket.state)
    with pytest.raises(Conflict):
        await office.state.tickets.move([again])
    await office.state.tickets.move([closing(ticket)])
    with pytest.raises(Conflict):  # the version that it was thought out for is gone
        await office.state.tickets.move([closing(ticket)])


async def test_matters_are_found_by_message_and_when_others_were_quicker(office: Office) -> None:
    await office.send(ANNOUNCEMENT, to=(MAPLE, CEDAR))
    await office.turn()
    store, one = office.state.tickets, f"{1:026}"
    entry = await office.state.ledger.find(one)
    assert entry is not None
    assert await store.sent_as(entry.message_id, office.now - 1) == [one]
    assert await store.sent_as(entry.message_id, office.now + 1) == []
    assert await store.tickets_of(one) == [1]
    assert await store.overtaken("approval") == []
    first, second = await store.holds_of(1)
    await office.state.ledger.decide_hold([first.id], "discarded", "wanda", ())
    assert await store.overtaken("approval") == []
    await office.state.ledger.decide_hold([second.id], "discarded", "wanda", ())
    assert [m.id for m in await store.overtaken("approval")] == [1]
    await office.turn()
    assert await store.overtaken("approval") == []


async def test_the_whole_way_on_either_database(office: Office) -> None:
    await office.console().grant(
        sender="tara",
        group=MAPLE,
        first=None,
        last=date(2026, 12, 1),
        count=1,
        giver=PEOPLE["paula"],
        reference="Memo",
    )
    await office.send(ANNOUNCEMENT, subject="Grüße\x7f")
    sent = await office.round()
    (question,) = [m for m in sent if m.kind == "question"]
    assert question.to == (TOMAS,)
    await office.reply(question, "Yes")
    sent = await office.round()
    assert [m.to for m in sent if m.kind == "release"] == [(MAPLE,)]
    assert "Paula Pine and Tomas Birch" in to(sent, TARA)[0].text
    assert office.approval().outcome is ApprovalOutcome.GRANTED
