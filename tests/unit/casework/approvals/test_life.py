"""The life of an approval: a table of events, and the days that count."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
from tests.support.office import CALENDAR, TERMS, moment

from mailguard.casework.approvals import life as life
from mailguard.casework.approvals.approvers import RequiredApproval
from mailguard.casework.approvals.life import (
    APPROVAL,
    About,
    Approval,
    ApprovalAnswer,
    ApprovalOutcome,
    Asked,
    Do,
)
from mailguard.casework.grants.life import GRANT, PreApproval, covers, used

AB = About("Tara", "Bake sale", "<1@x>", ("Maple Staff (42 people)",), ("It waits.",), "R18", "Hi")
EITHER = (RequiredApproval("either", "either", ("paula", "tomas"), ("R18",)),)
TWO = (
    RequiredApproval("administration", "a", ("paula",), ("R20",), apart=True),
    RequiredApproval("technology", "t", ("tomas",), ("R20",), apart=True),
)
PAULA, TOMAS = Asked("paula", "Paula", "p@x"), Asked("tomas", "Tomas", "t@x")
ALL_TOLD = (Do.TELL_SENDER, Do.TELL_OTHERS)


def opened(seats: tuple[RequiredApproval, ...] = EITHER) -> Approval:
    return Approval("d" * 64, AB, seats, (PAULA, TOMAS), "tara@x", moment(2))


def says(person: str, yes: bool = True, at: float = 0.0) -> ApprovalAnswer:
    return ApprovalAnswer(person, person.title() or "root", yes, at or moment(2, 10), "mail")


def after(approval: Approval, *given: ApprovalAnswer) -> life.ApprovalStep:
    step = life.ApprovalStep(approval, (), "")
    for one in given:
        step = life.answered(step.approval, one)
    return step


@pytest.mark.parametrize(
    ("seats", "given", "what", "outcome", "do"),
    [
        (EITHER, [("paula", True)], "granted", ApprovalOutcome.GRANTED, (Do.RELEASE, *ALL_TOLD)),
        (EITHER, [("tomas", True)], "granted", ApprovalOutcome.GRANTED, (Do.RELEASE, *ALL_TOLD)),
        (EITHER, [("tomas", False)], "denied", ApprovalOutcome.DENIED, (Do.DISCARD, *ALL_TOLD)),
        (
            EITHER,
            [("paula", True), ("tomas", False)],
            "late",
            ApprovalOutcome.GRANTED,
            (Do.TELL_THEM,),
        ),
        (
            EITHER,
            [("paula", False), ("tomas", True)],
            "late",
            ApprovalOutcome.DENIED,
            (Do.TELL_THEM,),
        ),
        (
            EITHER,
            [("paula", False), ("paula", True)],
            "late",
            ApprovalOutcome.DENIED,
            (Do.TELL_THEM,),
        ),
        (TWO, [("paula", True)], "yes", ApprovalOutcome.WAITING, ()),
        (TWO, [("paula", True)] * 2, "again", ApprovalOutcome.WAITING, (Do.TELL_THEM,)),
        (TWO, [("paula", True), ("tomas", True)], "granted", ApprovalOutcome.GRANTED, None),
        (TWO, [("tomas", True), ("paula", True)], "granted", ApprovalOutcome.GRANTED, None),
        (TWO, [("paula", True), ("tomas", False)], "denied", ApprovalOutcome.DENIED, None),
        # a second thought before the end stops it
        (TWO, [("paula", True), ("paula", False)], "denied", ApprovalOutcome.DENIED, None),
        (TWO, [("", True)], "granted", ApprovalOutcome.GRANTED, None),  # the console, for everybody
        (TWO, [("", False)], "denied", ApprovalOutcome.DENIED, None),
    ],
)
def test_answers(
    seats: tuple[RequiredApproval, ...],
    given: list[tuple[str, bool]],
    what: str,
    outcome: ApprovalOutcome,
    do: tuple[Do, ...] | None,
) -> None:
    step = after(opened(seats), *(says(*one) for one in given))
    assert (step.what, step.approval.outcome) == (what, outcome)
    if do is not None:
        assert step.do == do


def test_the_others_are_told_and_not_who_decided() -> None:
    assert after(opened(), says("paula")).asked == (TOMAS,)
    assert after(opened(TWO), says("paula"), says("tomas")).asked == (PAULA,)
    assert after(opened(TWO), says("tomas", False)).asked == (PAULA,)


def test_both_names_stand_in_a_double_approval() -> None:
    ended = after(opened(TWO), says("paula"), says("tomas")).approval
    assert ended.decided_by == "Paula and Tomas"


@pytest.mark.parametrize(
    ("seats", "beforehand", "what", "asked"),
    [
        (EITHER, (), "opened", (PAULA, TOMAS)),
        (EITHER, ("paula",), "granted", ()),
        (TWO, ("paula",), "opened", (TOMAS,)),
        (TWO, ("paula", "tomas"), "granted", ()),
    ],
)
def test_opening(
    seats: tuple[RequiredApproval, ...],
    beforehand: tuple[str, ...],
    what: str,
    asked: tuple[Asked, ...],
) -> None:
    step = life.opened(opened(seats), [says(p) for p in beforehand])
    assert (step.what, step.asked) == (what, asked)
    assert step.do == ((Do.RELEASE,) if what == "granted" else (Do.ASK, Do.TELL_SENDER))


def test_an_approval_without_anybody_to_ask_is_told_to_the_postmaster() -> None:
    nobody = replace(opened((RequiredApproval("either", "e", (), ("R18",)),)), asked=())
    step = life.opened(nobody)
    assert Do.TELL_POSTMASTER in step.do
    assert Do.RELEASE not in step.do


@pytest.mark.parametrize(
    ("begun", "reminder", "expiry"),
    [
        (moment(2, 9), moment(3, 9), moment(5, 9)),  # Monday: Tuesday, Thursday
        (moment(6, 18), moment(9, 18), moment(11, 18)),  # Friday evening: Monday, Wednesday
        (moment(7, 12), moment(10, 8), moment(12, 8)),  # Saturday: as from Monday's opening
        (moment(25, 9), moment(27, 9), moment(1, 9, month=12)),  # Thanksgiving does not count
    ],
)
def test_days_that_count(begun: float, reminder: float, expiry: float) -> None:
    waiting = replace(opened(), opened_at=begun)
    assert life.reminds_at(waiting, CALENDAR, TERMS) == reminder
    assert life.expires_at(waiting, CALENDAR, TERMS) == expiry
    assert life.due(waiting, reminder - 1, CALENDAR, TERMS) is None
    reminded = life.due(waiting, reminder, CALENDAR, TERMS)
    assert reminded is not None
    assert (reminded.what, reminded.do, reminded.asked) == (
        "reminded",
        (Do.REMIND,),
        (PAULA, TOMAS),
    )
    assert life.wakes_at(reminded.approval, CALENDAR, TERMS) == expiry
    assert life.due(reminded.approval, expiry - 1, CALENDAR, TERMS) is None
    over = life.due(reminded.approval, expiry, CALENDAR, TERMS)
    assert over is not None
    assert (over.what, over.do) == ("expired", (Do.DISCARD, *ALL_TOLD))
    assert life.wakes_at(over.approval, CALENDAR, TERMS) is None
    assert life.due(over.approval, expiry + 1, CALENDAR, TERMS) is None


def test_a_day_off_that_is_announced_later_lengthens_the_wait() -> None:
    waiting = opened()
    snow = replace(CALENDAR, holidays={date(2026, 11, 4): "Snow"})
    expiry = life.expires_at(waiting, CALENDAR, TERMS)
    assert life.due(replace(waiting, reminded=True), expiry, snow, TERMS) is None
    assert life.expires_at(waiting, snow, TERMS) == moment(6, 9)


@pytest.mark.parametrize(
    ("given", "what", "outcome", "do"),
    [
        ([], "stopped", ApprovalOutcome.STOPPED, (Do.DISCARD, *ALL_TOLD)),
        ([("paula", True)], "stopped", ApprovalOutcome.STOPPED, (Do.WITHDRAW, Do.TELL_SENDER)),
        ([("paula", False)], "late", ApprovalOutcome.DENIED, (Do.TELL_THEM,)),
    ],
)
def test_stopping(
    given: list[tuple[str, bool]], what: str, outcome: ApprovalOutcome, do: tuple[Do, ...]
) -> None:
    before = after(opened(), *(says(*one) for one in given)).approval
    step = life.stopped(before, says("tomas", False))
    assert (step.what, step.approval.outcome, step.do) == (what, outcome, do)


def test_what_was_decided_elsewhere_is_only_told() -> None:
    for released, outcome in ((True, ApprovalOutcome.GRANTED), (False, ApprovalOutcome.DENIED)):
        step = life.overtaken(opened(), released, "root", moment(3))
        assert (step.approval.outcome, step.do) == (outcome, ALL_TOLD)


def test_the_state_survives_storage() -> None:
    ended = after(opened(TWO), says("paula"), says("tomas")).approval
    assert APPROVAL.load(APPROVAL.dump(ended)) == ended


GIVEN = PreApproval(
    "tara", "maple@x", date(2026, 11, 2), date(2026, 11, 6), 2, 0, "paula", "Paula", "Memo 12"
)


@pytest.mark.parametrize(
    ("change", "codes", "mailbox", "recipients", "day", "wanted"),
    [
        ({}, {"group-rights.needs-approval"}, "", {"maple@x"}, 2, True),
        ({}, {"group-rights.announcement"}, "", {"maple@x", "cedar@x"}, 6, True),
        ({}, {"group-rights.needs-approval"}, "", {"maple@x"}, 7, False),
        ({}, {"group-rights.needs-approval"}, "", {"cedar@x"}, 2, False),
        ({"used": 2}, {"group-rights.needs-approval"}, "", {"maple@x"}, 2, False),
        ({"sender": "ben"}, {"group-rights.needs-approval"}, "", {"maple@x"}, 2, False),
        ({"sender": "list@x"}, {"mass-mail.volume"}, "list@x", {"maple@x"}, 2, True),
        # what may be a stolen account's is looked at by somebody
        ({}, {"group-rights.needs-approval", "spam.outbound"}, "", {"maple@x"}, 2, False),
        ({}, {"rate.exceeded"}, "", {"maple@x"}, 2, False),
    ],
)
def test_what_a_grant_covers(
    change: dict[str, object], codes: set[str], mailbox: str, recipients: set[str], day: int,
    wanted: bool,
) -> None:  # fmt: skip
    from tests.support.office import DECLARED, PEOPLE

    one = replace(GIVEN, **change)  # type: ignore[arg-type]
    today = date(2026, 11, day)
    grantable = frozenset(code for code in codes if DECLARED[code].grantable)
    assert covers(one, codes, grantable, PEOPLE["tara"], mailbox, recipients, today) is wanted


def test_a_grant_is_used_up() -> None:
    assert GIVEN.left == 2
    assert used(used(GIVEN)).left == 0
    assert GRANT.load(GRANT.dump(GIVEN)) == GIVEN
