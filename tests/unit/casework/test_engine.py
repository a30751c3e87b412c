"""What the engine does whatever the workflow: the table, damage, what stands behind it, notices."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, select, update
from tests.support.at_once import at_once
from tests.support.office import (
    APPROVALS,
    CEDAR,
    DAY,
    MAPLE,
    NEEDS,
    NOTHING,
    PEOPLE,
    mail,
    moment,
    to,
)
from tests.support.spam_office import SpamOffice, questions

from mailguard import metrics
from mailguard.adapters.database.tables import NoFrame, holds, matters
from mailguard.casework.approvals.handler import Approvals
from mailguard.casework.approvals.life import ApprovalOutcome
from mailguard.casework.engine import CONDUCT, Act, Condition, Engine, Trigger
from mailguard.casework.grants.handler import Grants
from mailguard.casework.grants.life import GRANT
from mailguard.casework.refusal import CommandRefused
from mailguard.casework.tickets import Ticket
from mailguard.casework.unblocking.handler import Unblocking
from mailguard.casework.workflows import Registration, engines
from mailguard.core.mail.transaction import Role
from mailguard.core.record.formats import NewerFormat
from mailguard.pipeline.counters import NoticeAllowance, Spend
from mailguard.pipeline.ports import StoreError

TARA, PAULA, TOMAS = (f"{n}@example.org" for n in ("tara", "paula", "tomas"))
DAMAGED, NEWER = b'{"damaged": ', b'{"format":99,"of":"tomorrow"}'
NO_FRAME = NoFrame(b'{"')  # the stored octets themselves are damaged
DEEP = b"[" * 100_000 + b'"format"'
STATES = {Condition.NEW: b"", Condition.UNREADABLE: DAMAGED, Condition.NEWER: NEWER}
SPOILT = ["damaged", "no frame", "too deep", "newer"]
MANY = 200  # more than one page, and more than one turn lets move


@pytest.fixture
def office(tmp_path: Path) -> Iterator[SpamOffice]:
    opened = SpamOffice(tmp_path)
    yield opened
    opened.close()


# The table


def test_the_table_says_what_happens_in_every_condition() -> None:
    assert set(CONDUCT) == set(product(Condition, Trigger))
    assert set(CONDUCT.values()) == set(Act)


@pytest.mark.parametrize(("condition", "event"), CONDUCT)
async def test_the_engine_does_what_the_table_says(
    office: SpamOffice, condition: Condition, event: Trigger
) -> None:
    await office.send(NEEDS)
    await office.round()
    (ticket,) = office.tickets()
    closed = office.now if condition is Condition.CLOSED else None
    version = 0 if condition is Condition.NEW else 1
    state = STATES.get(condition, ticket.state)
    found = replace(ticket, state=state, version=version, closed_at=closed)
    engine, act = Engine(office.steps), CONDUCT[condition, event]
    raises: Any = {
        Act.LEAVE: NewerFormat,
        Act.NOT_NOW: StoreError,
        Act.PASS_ON: ValueError,
        Act.REFUSE: CommandRefused,
    }
    if act in raises:
        with pytest.raises(raises[act]):
            engine.meet(found, event)
    else:
        wanted = office.approval() if act is Act.ASK else None
        assert engine.meet(found, event) == (act, wanted)


# Damage, and what stands behind it


async def _grant(office: SpamOffice) -> int:
    last = office.calendar.local(office.now).date()
    given: dict[str, Any] = {"sender": "tara", "group": CEDAR, "reference": "Memo", "count": 1}
    return await office.console().grant(first=None, last=last, giver=PEOPLE["paula"], **given)


async def _approval(office: SpamOffice) -> int:
    await office.send(NEEDS)
    await office.round()
    return office.tickets(Approvals.kind)[-1].id


async def _case(office: SpamOffice) -> int:
    raw = await office.block()
    await office.forward(raw)
    (asked,) = questions(await office.round())
    await office.respond(asked, "Yes", sender=TOMAS)
    await office.round()
    return office.case_number()


OPENED = {"approval": _approval, "case": _case, "grant": _grant}


def spoilt(office: SpamOffice, kind: str, state: bytes) -> list[int]:
    """Many tickets with this state, due before all others."""
    with office.database.write() as connection:
        rows = [
            {"kind": kind, "key": f"{kind} spoilt {n}", "version": 1, "status": "spoilt"}
            | {"state": state, "opened_at": 1.0, "wakes_at": 1.0 + n}
            for n in range(MANY)
        ]
        connection.execute(insert(matters), rows)
        wanted = select(matters.c.id).where(matters.c.status == "spoilt")
        return list(connection.execute(wanted).scalars())


def found(office: SpamOffice, kind: str, numbers: list[int]) -> list[Ticket]:
    return [one for one in office.tickets(kind) if one.id in set(numbers)]


@pytest.mark.parametrize("state", [DAMAGED, NO_FRAME, DEEP, NEWER], ids=SPOILT)
@pytest.mark.parametrize("kind", OPENED)
async def test_nothing_starves_what_is_due(office: SpamOffice, kind: str, state: bytes) -> None:
    numbers = spoilt(office, kind, state)
    before, alerts = found(office, kind, numbers), _alerts(kind)
    office.now = moment(1)  # the spoilt ones, due since 1970, are out of the way of its opening
    with office.database.write() as connection:
        connection.execute(update(matters).values(wakes_at=None))
    behind = await OPENED[kind](office)
    with office.database.write() as connection:
        theirs = update(matters).where(matters.c.id.in_(numbers))
        connection.execute(theirs.values(wakes_at=1.0))
    before = found(office, kind, numbers)
    office.now = moment(2, month=12)
    await office.turn()
    (after,) = found(office, kind, [behind])
    assert after.status in ("expired", "unanswered")
    if state == NEWER:
        assert found(office, kind, numbers) == before
        return
    aside = found(office, kind, numbers)
    assert {(m.wakes_at, m.status, m.closed_at) for m in aside} == {
        (office.now + DAY, "spoilt", None)
    }
    assert {m.state for m in aside} == {state}
    assert {tuple(office.history(m.id)) for m in aside} == {("unreadable",)}
    assert _alerts(kind) - alerts >= MANY


@pytest.mark.parametrize("state", [DAMAGED, NO_FRAME, NEWER], ids=SPOILT[:2] + SPOILT[3:])
@pytest.mark.parametrize("kind", ["approval", "case"])
async def test_nothing_starves_what_was_overtaken(
    office: SpamOffice, kind: str, state: bytes
) -> None:
    """Nothing hangs on those whose copies were decided: a damaged one is over, with an alert."""
    numbers = spoilt(office, kind, state)
    with office.database.write() as connection:
        connection.execute(update(matters).values(wakes_at=None))
    behind = await OPENED[kind](office)
    theirs = [hold.id for hold in await office.state.tickets.holds_of(behind)]
    await office.state.ledger.decide_hold(theirs, "discarded", "root")
    with office.database.write() as connection:
        row = dict(
            connection.execute(select(holds).where(holds.c.id == theirs[0])).mappings().one()
        )
        del row["id"]
        copies = [row | {"hold_key": f"copy {n}", "matter_id": n} for n in numbers]
        connection.execute(insert(holds), copies)
    before, alerts = found(office, kind, numbers), _alerts(kind)
    await office.turn()
    (after,) = found(office, kind, [behind])
    assert after.status in ("denied", "elsewhere")
    now = found(office, kind, numbers)
    if state == NEWER:
        assert now == before
        return
    assert {(m.status, m.closed_at, m.state) for m in now} == {("overtaken", office.now, state)}
    assert _alerts(kind) - alerts >= MANY


def _alerts(kind: str) -> float:
    return float(metrics.TICKETS_UNREADABLE.labels(kind)._value.get())


async def test_a_damaged_grant_keeps_its_state_and_covers_nothing(office: SpamOffice) -> None:
    await _grant(office)
    with office.database.write() as connection:
        connection.execute(update(matters).values(state=DAMAGED))
    await office.send(NEEDS, to=[CEDAR])
    assert len(questions(await office.round())) == 2
    office.now += 2 * DAY
    await office.turn()
    (grant,) = office.tickets(GRANT.name)
    assert (grant.state, grant.closed_at) == (DAMAGED, None)


async def test_a_command_to_what_cannot_be_read_says_so(office: SpamOffice) -> None:
    number = await _approval(office)
    with office.database.write() as connection:
        connection.execute(update(matters).values(state=DAMAGED))
    with pytest.raises(CommandRefused, match=f"state of approval {number} cannot be read"):
        await office.console().decide(number, True, "")


@pytest.mark.parametrize("state", [DAMAGED, NO_FRAME, NEWER], ids=SPOILT[:2] + SPOILT[3:])
async def test_a_spoilt_ticket_keeps_no_answer_to_another_from_counting(
    office: SpamOffice, state: bytes
) -> None:
    asked = []
    for subject in ("Picnic", "Concert"):
        await office.send(NEEDS, subject=subject)
        asked += to(questions(await office.round()), PAULA)
    first, second = office.tickets()
    with office.database.write() as connection:
        theirs = update(matters).where(matters.c.id == first.id)
        connection.execute(theirs.values(state=state))
    of_both = " ".join(str(m.message["Message-ID"]) for m in asked)
    await office.reply(asked[1], "Yes", References=of_both)
    await office.turn()
    assert office.approval(second.id).outcome is ApprovalOutcome.GRANTED


async def test_a_strangers_token_of_a_spoilt_ticket_is_no_trouble_of_ours(
    office: SpamOffice,
) -> None:
    number = await _approval(office)
    with office.database.write() as connection:
        connection.execute(update(matters).values(state=NEWER))
    raw = mail("x@elsewhere.test", APPROVALS, f"Hi [#{number}-0-aaaaaaaaaaaaaaaa]", "Yes")
    where: Any = {"account": None, "reverse_path": "x@elsewhere.test", "role": Role.MX}
    await office.accept(raw, [APPROVALS], NOTHING, **where)
    await office.turn()
    assert at_once(office.state.tickets.unread()) == (0, None)


def test_two_workflows_do_not_claim_the_same(office: SpamOffice) -> None:
    once = Registration(Grants.kind, lambda outfit: office.grants)
    nothing: Any = None
    assert len(engines(nothing, [once])) == 1
    with pytest.raises(ValueError, match="declared twice: grant, grant"):
        engines(nothing, [once, once])


# An idle inbox


async def test_an_idle_inbox_asks_once(office: SpamOffice, monkeypatch: pytest.MonkeyPatch) -> None:
    await _approval(office)
    await office.round()
    asked: list[object] = []
    query = office.database.query

    async def counted(work: Any) -> Any:
        asked.append(work)
        return await query(work)

    monkeypatch.setattr(office.database, "query", counted)
    await office.turn()
    assert len(asked) == 1
    office.now += 2 * DAY
    assert questions(await office.round())  # and yet sees what is due


# The hour's notices


def last_one_taken(office: SpamOffice, mailbox: str) -> None:
    """By the time of the commit; when it was looked at there was one."""
    while office.state.notices.take([Spend(mailbox, office.now)]):
        pass
    object.__setattr__(office.work.desk, "notices", NoticeAllowance())


async def test_a_refused_commit_gives_the_notice_back(
    office: SpamOffice, monkeypatch: pytest.MonkeyPatch
) -> None:
    await office.send(NEEDS)
    asked = to(await office.round(), PAULA)[0]
    await office.reply(asked, "Perhaps")
    settle = office.state.tickets._database.commit

    async def fails(work: Any, item: Any) -> Any:
        if work.__name__ == "_settle":
            raise StoreError("locked")
        return await settle(work, item)

    monkeypatch.setattr(office.database, "commit", fails)
    for _ in range(30):
        with pytest.raises(StoreError):
            await office.turn()
    monkeypatch.undo()
    (note,) = await office.round()
    assert "plain yes or no" in note.text


@pytest.mark.parametrize("said", ["Perhaps", "Stop"])
async def test_where_the_notice_is_gone_by_then_the_step_is_made_without(
    office: SpamOffice, said: str
) -> None:
    """Two want the last one at the same moment: both looked before either took it."""
    await office.send(NEEDS)
    asked = to(await office.round(), PAULA)[0]
    await office.reply(asked, said)
    last_one_taken(office, PAULA)
    sent = await office.round()
    assert to(sent, PAULA) == []
    assert await office.state.tickets.unread() == (0, None)
    assert office.approval().outcome == ("waiting" if said == "Perhaps" else "stopped")
    assert bool(to(sent, TARA)) == (said == "Stop")


async def test_staff_whose_note_is_gone_hear_of_the_release_otherwise(office: SpamOffice) -> None:
    office.case_terms = replace(office.case_terms, by_rule=True)
    office.restart()
    raw = await office.block(to=(TARA,))
    await office.forward(raw, sender=TARA)
    last_one_taken(office, TARA)
    told = [one.subject for one in to(await office.round(), TARA) if one.kind == "report"]
    assert told == ["Unblocked: Field trip"]
    assert office.tickets(Unblocking.kind)[0].status == "approved"
    assert MAPLE not in office.listed()
