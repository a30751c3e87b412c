"""What each event makes of an unblock case, as tables (R28 to R37)."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime
from zoneinfo import ZoneInfo

import pytest

from mailguard.casework.unblocking import life as life
from mailguard.casework.unblocking.case import (
    CASE,
    Asks,
    At,
    Case,
    CaseAnswer,
    CaseDeadlines,
    CaseStep,
    Copy,
    Query,
    Requester,
    Said,
    Stage,
    Tell,
    Told,
    Who,
)
from mailguard.core.people.calendar import Calendar

ZONE = ZoneInfo("America/Los_Angeles")
CALENDAR = Calendar(holidays={date(2026, 11, 26): "Thanksgiving"}, time_zone=str(ZONE))
ADDRESS = "rosa@example.com"
TARA = Who("tara", "Tara Olive", "tara@example.org")
BEN = Who("ben", "Ben Poplar", "ben@example.org")
BOX = Who("", "Reviewers", "spammail@example.org")
PEOPLE = {"tara": TARA, "ben": BEN}
ROSA = Requester(ADDRESS, ADDRESS, 0.0)
STAFF = Requester("sam@example.org", "Sam Juniper", 0.0, "", "sam", vouches=True)


def at(day: int, hour: int = 9, **terms: object) -> At:
    """November 2026; the 2nd is a Monday."""
    now = datetime(2026, 11, day, hour, tzinfo=ZONE).timestamp()
    return At(now, CALENDAR, CaseDeadlines(**terms))  # type: ignore[arg-type]


def copies(*who: Who | None, hard: str = "") -> list[Copy]:
    return [Copy(n, "T", f"r{n}@example.org", one, hard) for n, one in enumerate(who, 1)]


def opened(
    *who: Who | None, when: At | None = None, by: Requester = ROSA, hard: str = ""
) -> CaseStep:
    when = when or at(2)
    case = Case((ADDRESS,), when.now)
    told = [Told("T", "Rosa", "Trip", "", "", "")]
    return life.requested(case, by, copies(*who, hard=hard), told, [BOX], when)


def given(person: str, says: Said, when: At) -> CaseAnswer:
    return CaseAnswer(person, PEOPLE[person].name, says, when.now, "mail")


def look(case: Case, when: At, accept: bool = True) -> CaseStep:
    said = CaseAnswer("wanda", "Wanda", Said.YES if accept else Said.NO, when.now, "mail")
    return life.reviewed(case, None, said, [BOX], when)


def asked(*who: Who | None, when: At | None = None) -> Case:
    when = when or at(2)
    case = look(opened(*who, when=when).case, when).case
    assert case.stage is Stage.ASKED
    return case


def say(case: Case, person: str, says: str, when: At) -> CaseStep:
    query = next(q for q in case.verifiers if q.who.person == person)
    return life.answered(case, query, given(person, Said(says), when), [BOX], when)


def decide(case: Case, says: Said, when: At, query: Query | None = None) -> CaseStep:
    return life.decided(case, query, CaseAnswer("", "Wanda", says, when.now, "console"), when)


@pytest.mark.parametrize(
    ("who", "by", "hard", "rule", "stage", "asks"),
    [
        ((TARA,), ROSA, "", False, Stage.NEW, [Asks.REVIEW]),
        ((TARA,), ROSA, "", True, Stage.ASKED, [Asks.VERIFY]),
        ((TARA, BEN), ROSA, "", True, Stage.ASKED, [Asks.VERIFY, Asks.VERIFY]),
        ((None,), ROSA, "", False, Stage.NEW, [Asks.DECIDE]),
        ((None,), ROSA, "", True, Stage.REVIEWED, [Asks.DECIDE]),
        ((TARA,), ROSA, "malware", True, Stage.NEW, [Asks.DECIDE]),
        ((TARA,), STAFF, "", False, Stage.NEW, [Asks.REVIEW]),
        ((TARA,), STAFF, "", True, Stage.APPROVED, []),
        ((TARA,), STAFF, "malware", True, Stage.NEW, [Asks.REVIEW]),
        ((), STAFF, "", False, Stage.APPROVED, []),
    ],
)
def test_what_a_request_opens(
    who: tuple[Who | None, ...],
    by: Requester,
    hard: str,
    rule: bool,
    stage: Stage,
    asks: list[Asks],
) -> None:
    step = opened(*who, when=at(2, by_rule=rule), by=by, hard=hard)
    assert step.case.stage is stage
    assert [step.case.asked[n].asks for n in step.asks] == asks
    assert CASE.load(CASE.dump(step.case)) == step.case


def test_a_request_that_names_nobody_is_unmatched() -> None:
    step = life.requested(Case((), 0.0), ROSA, (), (), [BOX], at(2))
    assert (step.case.stage, step.asks, step.tells) == (Stage.UNMATCHED, (), ())
    assert decide(step.case, Said.YES, at(3)).late
    assert decide(step.case, Said.NO, at(3)).case.stage is Stage.DENIED


_ONE = (TARA,)
_TWO = (TARA, BEN)


@pytest.mark.parametrize(
    ("who", "answers", "stage", "releases", "discards"),
    [
        (_ONE, ["tara yes"], Stage.APPROVED, (1,), ()),
        (_ONE, ["tara no"], Stage.DENIED, (), (1,)),
        (_ONE, ["tara unsure"], Stage.UNSURE, (), ()),
        (_ONE, ["tara unsure", "tara unsure"], Stage.REVIEWED, (), ()),
        (_ONE, ["tara unsure", "tara yes"], Stage.APPROVED, (1,), ()),
        (_ONE, ["tara unsure", "tara unsure", "tara no"], Stage.DENIED, (), (1,)),
        (_TWO, ["tara yes"], Stage.ASKED, (), ()),
        (_TWO, ["tara yes", "ben yes"], Stage.APPROVED, (1, 2), ()),
        (_TWO, ["tara no", "ben no"], Stage.DENIED, (), (1, 2)),
        (_TWO, ["tara yes", "ben no"], Stage.CONFLICT, (), ()),
        (_TWO, ["tara yes", "ben unsure"], Stage.UNSURE, (), ()),
        (_TWO, ["tara yes", "ben unsure", "ben unsure"], Stage.APPROVED, (1,), ()),
        (_TWO, ["tara yes", "tara no", "ben no"], Stage.DENIED, (), (1, 2)),
        (_TWO, ["tara no", "tara yes", "ben yes"], Stage.APPROVED, (1, 2), ()),
        ((TARA, None), ["tara yes"], Stage.APPROVED, (1,), ()),
        ((TARA, TARA), ["tara yes"], Stage.APPROVED, (1, 2), ()),
    ],
)
def test_what_answers_come_to(
    who: tuple[Who | None, ...],
    answers: list[str],
    stage: Stage,
    releases: tuple[int, ...],
    discards: tuple[int, ...],
) -> None:
    case, step = asked(*who), None
    for answer in answers:
        person, _, says = answer.partition(" ")
        step = say(case, person, says, at(2, 10))
        case = step.case
    assert step is not None
    assert case.stage is stage
    assert (step.releases, step.discards) == (releases, discards)
    assert step.lists == ((ADDRESS,) if stage is Stage.APPROVED else ())
    assert (Tell.OUTSIDE in step.tells) == (stage is Stage.APPROVED)


def test_the_original_goes_out_once() -> None:
    first = say(asked(TARA), "tara", "unsure", at(2, 10))
    assert [first.case.asked[n].who for n in first.informs] == [TARA]
    assert say(first.case, "tara", "unsure", at(2, 11)).informs == ()


def test_the_same_again_changes_nothing() -> None:
    step = say(asked(TARA, BEN), "tara", "yes", at(2, 10))
    again = say(step.case, "tara", "yes", at(2, 11))
    assert (again.case, again.what, again.late) == (step.case, ("again",), False)


@pytest.mark.parametrize("says", ["yes", "no", "unsure"])
def test_nothing_comes_after_the_end(says: str) -> None:
    case = say(asked(TARA), "tara", "no", at(2, 10)).case
    step = say(case, "tara", says, at(2, 11))
    assert (step.case, step.late, step.releases) == (case, True, ())
    assert look(case, at(3)).late
    assert decide(case, Said.YES, at(3)).late


def test_the_other_has_a_business_day() -> None:
    case = say(asked(TARA, BEN, when=at(6, 15)), "tara", "yes", at(6, 16)).case
    assert life.due(case, [BOX], at(9, 14)) is None
    assert life.wakes_at(case, at(6, 16)) == at(9, 15).now  # Ben's reminder comes before
    step = life.due(case, [BOX], at(9, 16))
    assert step is not None
    assert (step.case.stage, step.releases) == (Stage.APPROVED, (1,))
    late = say(step.case, "ben", "yes", at(12))
    assert (late.what, late.releases, late.lists) == (("late yes",), (2,), ())
    assert say(step.case, "ben", "no", at(12)).late


@pytest.mark.parametrize(
    ("day", "hour", "what"),
    [
        (7, 12, None),  # Saturday
        (8, 12, None),
        (9, 14, None),
        (9, 15, ("reminded",)),
        (12, 15, ("reminded",)),
        (13, 15, ("time is up", "unanswered")),
    ],
)
def test_silence(day: int, hour: int, what: tuple[str, ...] | None) -> None:
    step = life.due(asked(TARA, when=at(6, 15)), [BOX], at(day, hour))
    assert (step.what if step else None) == what


def test_a_denial_that_others_are_silent_about() -> None:
    case = say(asked(TARA, BEN), "tara", "no", at(2, 10)).case
    step = life.due(case, [BOX], at(9, 10))
    assert step is not None
    assert (step.case.stage, step.discards) == (Stage.DENIED, (1,))


def test_what_a_decision_lets_go() -> None:
    case = say(say(asked(TARA, BEN, None), "tara", "yes", at(2)).case, "ben", "no", at(2)).case
    assert case.stage is Stage.CONFLICT
    step = decide(case, Said.YES, at(3))
    assert (step.releases, step.discards) == ((1, 3), (2,))
    query = Query(Asks.DECIDE, BOX, (1,), 0.0)
    assert decide(case, Said.YES, at(3), query).releases == (1,)
    assert decide(case, Said.NO, at(3)).discards == (1, 2, 3)


def test_refused_content_ends_it() -> None:
    step = look(opened(TARA).case, at(2), accept=False)
    assert (step.case.stage, step.discards) == (Stage.DENIED, (1,))
    assert step.lists == ()


def test_a_review_is_of_what_was_shown() -> None:
    first = opened(TARA)
    review = first.case.asked[0]
    more = [Copy(9, "U", "ben@example.org", BEN)]
    joined = life.requested(first.case, ROSA, more, (), [BOX], at(2))
    assert joined.what == ("joined",)
    assert joined.case.asked[joined.asks[0]].holds == (1, 9)
    said = CaseAnswer("wanda", "Wanda", Said.YES, 0.0, "mail")
    step = life.reviewed(joined.case, review, said, [BOX], at(2))
    assert step.case.stage is Stage.NEW  # nobody has seen the other one
    assert [c.reviewed for c in step.case.copies] == ["Wanda", ""]
    again = life.reviewed(step.case, review, said, [BOX], at(2))
    assert again.late


def test_what_is_hard_is_never_let_go() -> None:
    case = opened(TARA, hard="malware").case
    step = decide(case, Said.YES, at(3))
    assert (step.case.stage, step.releases) == (Stage.APPROVED, ())
    mixed = replace(case, copies=(*case.copies, Copy(5, "T", "b@example.org", BEN)))
    assert decide(mixed, Said.YES, at(3)).releases == (5,)


def test_a_member_of_staff_against_a_recipient() -> None:
    case = say(asked(TARA, BEN), "tara", "no", at(2)).case
    step = life.requested(case, STAFF, (), (), [BOX], at(2))
    assert step.case.stage is Stage.CONFLICT
    case = say(asked(TARA, BEN), "tara", "yes", at(2)).case
    step = life.requested(case, STAFF, (), (), [BOX], at(2))
    assert (step.case.stage, step.releases) == (Stage.APPROVED, (1, 2))
    assert step.case.decided_by == "Sam Juniper and Tara Olive"


def test_too_many_recipients_are_not_asked() -> None:
    many = [Who(f"p{n}", f"P{n}", f"p{n}@example.org") for n in range(life.MOST_ASKED + 1)]
    step = opened(*many)
    assert [step.case.asked[n].asks for n in step.asks] == [Asks.DECIDE]


@pytest.mark.parametrize(
    ("opened_at", "asked_at", "answered_at", "due"),
    [
        (at(2, 9), None, None, at(3, 9)),
        (at(6, 15), None, None, at(9, 15)),  # over the weekend
        (at(7, 11), None, None, at(10, 8)),  # from the return to business hours
        (at(25, 10), None, None, at(27, 10)),  # over the holiday
        (at(2, 9), at(2, 12), at(4, 12), at(5, 9)),  # two days were the recipient's
        (at(6, 9), at(6, 12), at(9, 12), at(10, 9)),  # of which a weekend counts nothing
    ],
)
def test_the_clock(opened_at: At, asked_at: At | None, answered_at: At | None, due: At) -> None:
    case = opened(TARA, when=opened_at).case
    moment = opened_at
    if asked_at is not None and answered_at is not None:
        case = look(case, asked_at).case
        case = say(case, "tara", "unsure", answered_at).case
        case = say(case, "tara", "unsure", answered_at).case  # it is ours again
        moment = answered_at
    assert life.due_at(case, moment) == due.now
    assert not life.is_overdue(case, replace(due, now=due.now - 1))
    assert life.is_overdue(case, replace(due, now=due.now + 1))


def test_overtaken() -> None:
    step = life.overtaken(asked(TARA), True, "root", at(3))
    assert (step.case.stage, step.lists) == (Stage.ELSEWHERE, ())
    staff = opened(TARA, by=STAFF).case
    step = life.overtaken(staff, True, "root", at(3))
    assert (step.case.stage, step.lists, step.releases) == (Stage.APPROVED, (ADDRESS,), ())
    assert life.overtaken(staff, False, "root", at(3)).case.stage is Stage.ELSEWHERE


def test_what_moves_a_case_after_its_time_does_not_stop_the_clock() -> None:
    """A forged answer, say, that is read before the clock has had its turn."""
    late = at(12)
    case = say(asked(TARA, BEN), "ben", "no", at(3)).case
    assert life.wakes_at(case, late) == late.now
    ended = life.due(case, [BOX], late)
    assert ended is not None
    assert ended.case.stage is Stage.DENIED
    assert life.wakes_at(ended.case, late) is None
