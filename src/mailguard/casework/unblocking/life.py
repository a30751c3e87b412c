"""The life of an unblock case: requested, reviewed, asked, answered, ended once (R28-R37).

Owns what each event makes of the state: a new state and what is to be done, as values. Pure:
moments and the calendar are given. Must not know mail, storage, or how anything is done.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from mailguard.casework.unblocking.case import (
    Asks,
    At,
    Case,
    CaseAnswer,
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
from mailguard.core.people.calendar import DAY

MOST_ASKED = 20
"""Recipients who are asked about one sender; beyond that a reviewer decides: nobody from outside
makes us write to a whole school."""

_REQUESTERS = 50  # strangers; staff who vouch are always heard
_RECIPIENTS = (Stage.ASKED, Stage.UNSURE)  # it waits for them


# Requests


def requested(
    case: Case,
    requester: Requester,
    copies: Sequence[Copy],
    told: Sequence[Told],
    reviewers: Sequence[Who],
    at: At,
) -> CaseStep:
    """A request opens a case that has none yet, or joins it: what is new is reviewed, and its
    recipients are asked. One that brings nothing new leaves the case as it is."""
    what = "joined" if case.requesters else "opened"
    have = {copy.hold for copy in case.copies}
    rule = "rule" if at.terms.by_rule else ""
    fresh = [c if c.hard else replace(c, reviewed=rule) for c in copies if c.hold not in have]
    known = {one.transaction for one in case.told}
    news = tuple(one for one in told if one.transaction not in known)
    same = (requester.mailbox, requester.person)
    again = any(
        (r.mailbox, r.person) == same and r.vouches >= requester.vouches for r in case.requesters
    )
    if not again and (requester.vouches or len(case.requesters) < _REQUESTERS):
        case = replace(case, requesters=(*case.requesters, requester))
    case = replace(
        case,
        copies=(*case.copies, *fresh),
        told=(*case.told, *news),
    )
    if not case.addresses:
        return CaseStep(_staged(case, Stage.UNMATCHED, at), (what,))
    if case.stage is Stage.CONFLICT:
        return _handed_over(case, Stage.CONFLICT, (what,), reviewers, at)
    return _go_on(case, (what,), reviewers, at)


# What reviewers say


def reviewed(
    case: Case, query: Query | None, given: CaseAnswer, reviewers: Sequence[Who], at: At
) -> CaseStep:
    """A reviewer has looked at the content: what the question showed, or at all of it. Refused
    content ends the case: who sends it is not unblocked (R32)."""
    shown = {c.hold for c in case.copies} if query is None else set(query.holds)
    waits = {c.hold for c in case.copies if not c.reviewed}
    if case.ended or case.stage is Stage.UNMATCHED or not shown & waits:
        return CaseStep(case, ("late",), late=True)
    if given.says is not Said.YES:
        return _denied(case, given, at, "refused content")
    case = _with_review(case, shown, given.name)
    if case.stage is Stage.CONFLICT:
        return CaseStep(case, ("reviewed",))
    return _go_on(case, ("reviewed",), reviewers, at)


def decided(case: Case, query: Query | None, given: CaseAnswer, at: At) -> CaseStep:
    """A reviewer or the console decides for everybody. Of what a question did not show, nothing is
    let go. Who said no does not get the message."""
    if case.ended or (given.says is Said.YES and not case.addresses):
        return CaseStep(case, ("late",), late=True)
    if given.says is not Said.YES:
        return _denied(case, given, at, "denied")
    shown = {c.hold for c in case.copies} if query is None else set(query.holds)
    case = _with_review(case, shown, given.name)
    against = {c.hold for c in case.of(case.having(Said.NO))}
    copies = [c for c in case.copies if c.hold in shown - against]
    step = _approved(case, given.name, copies, ("approved",), at, given.remark)
    return replace(step, discards=tuple(sorted(against)), tells=(*step.tells, Tell.ASKED))


# What recipients say


def answered(
    case: Case, query: Query, given: CaseAnswer, reviewers: Sequence[Who], at: At
) -> CaseStep:
    """A recipient has answered V2. What comes after the end changes nothing, but that a late yes
    to a sender who was approved lets one's own copies go."""
    said = case.says(given.person)
    if case.stage is Stage.APPROVED and given.says is Said.YES and said is not Said.NO:
        own = _fit(case, case.of([given.person]))
        if own:
            case = replace(case, given=(*case.given, given))
            return CaseStep(case, ("late yes",), releases=own)
    if case.ended:
        return CaseStep(case, ("late",), late=True)
    if said is given.says is not Said.UNSURE:
        return CaseStep(case, ("again",))
    first = given.says is Said.UNSURE and not _times_unsure(case, given.person)
    case = replace(case, given=(*case.given, given))
    what = (given.says.value,)
    if case.stage in (Stage.NEW, Stage.CONFLICT):  # it waits for a reviewer first
        step = CaseStep(case, what)
    else:
        step = _concluded(case, what, reviewers, at)
    informs = (case.asked.index(query),) if first and not step.case.ended else ()
    return replace(step, informs=informs)


def asked_also(case: Case, who: Who | None, at: At) -> CaseStep:
    """Somebody has V2 sent once more to those who are silent, or to one more person: who knows the
    sender where no recipient can be asked."""
    if case.ended or not case.addresses or any(not c.reviewed for c in case.copies):
        return CaseStep(case, ("late",), late=True)
    known = {query.who.person for query in case.verifiers}
    if who is not None and who.person not in known:
        nobodys = tuple(c.hold for c in case.copies if c.who is None and not c.hard)
        case = replace(case, asked=(*case.asked, Query(Asks.VERIFY, who, nobodys, at.now)))
        place = len(case.asked) - 1
        return CaseStep(_staged(case, Stage.ASKED, at), ("asked",), asks=(place,))
    places = [
        n
        for n, query in enumerate(case.asked)
        if _silent(case, query, at) and (who is None or query.who.person == who.person)
    ]
    asked = tuple(
        replace(query, at=at.now, reminders=0) if n in places else query
        for n, query in enumerate(case.asked)
    )
    step = CaseStep(replace(case, asked=asked), ("asked again",), reminds=tuple(places))
    return step if places else CaseStep(case, ("late",), late=True)


# What time does, and others


def due(case: Case, reviewers: Sequence[Who], at: At) -> CaseStep | None:
    """The clock looks at it: None where nothing is due yet."""
    if case.stage is Stage.UNMATCHED and at.passed(case.opened_at, at.terms.give_up):
        return CaseStep(_ended(case, Stage.UNANSWERED, "", at), ("given up",))
    if case.stage not in _RECIPIENTS:
        return None
    step = _concluded(case, ("time is up",), reviewers, at)
    if step.case.stage not in _RECIPIENTS:
        return step
    places = tuple(
        n for n, query in enumerate(case.asked) if _silent(case, query, at) and _reminds(query, at)
    )
    asked = tuple(
        replace(query, reminders=_reminders(query, at)) if n in places else query
        for n, query in enumerate(case.asked)
    )
    return CaseStep(replace(case, asked=asked), ("reminded",), reminds=places) if places else None


def overtaken(case: Case, released: bool, by: str, at: At) -> CaseStep:
    """All its copies were decided about elsewhere, so who was asked need not answer. What staff
    asked for is not lost by that: whoever let the copies go has seen them (R35)."""
    if released and case.vouched and not case.having(Said.NO):
        case = _with_review(case, {copy.hold for copy in case.copies}, by)
        return _approved(case, _names([r.name for r in case.vouched]), (), ("approved",), at)
    ended = _ended(case, Stage.ELSEWHERE, by, at)
    return CaseStep(ended, ("decided elsewhere",), tells=(Tell.ASKED,))


def refused(case: Case) -> CaseStep:
    """One more answer that could not count."""
    return CaseStep(replace(case, refused=case.refused + 1), ("refused",))


# The clock (R34)


def due_at(case: Case, at: At) -> float:
    """When it ought to be done: the hours count on business days, and not while a recipient is
    silent."""
    paused = case.paused
    if case.paused_since is not None:
        paused += at.calendar.counted(case.paused_since, at.now)
    return at.calendar.after(case.opened_at, at.terms.hours * 3_600.0 + paused)


def is_overdue(case: Case, at: At) -> bool:
    """Whether it waits for us, and longer than it ought to."""
    return not case.ended and at.now > due_at(case, at)


def wakes_at(case: Case, at: At) -> float | None:
    """When the clock has to look again; None where it waits for somebody of ours, or has ended."""

    def after(since: float, days: float) -> float:
        return at.calendar.after(since, days * DAY)

    if case.stage is Stage.UNMATCHED:
        return after(case.opened_at, at.terms.give_up)
    if case.stage not in _RECIPIENTS:
        return None
    moments = [after(yes, at.terms.others) for yes in _first_yes(case)]
    for query in case.verifiers:
        if _silent(case, query, at):
            moments.append(after(query.at, at.terms.give_up))
            moments.append(after(query.at, at.terms.reminder * (query.reminders + 1)))
    return min(moments, default=at.now)  # nobody is waited for any more: to be ended at once


# How it goes on


def _go_on(case: Case, what: tuple[str, ...], reviewers: Sequence[Who], at: At) -> CaseStep:
    """A reviewer looks at what nobody has looked at; then whoever can tell is asked."""
    if all(copy.reviewed for copy in case.copies):
        return _concluded(case, what, reviewers, at)
    asks = Asks.REVIEW if case.vouched or _askable(case) else Asks.DECIDE
    return _handed_over(case, Stage.NEW, what, reviewers, at, asks)


def _concluded(case: Case, what: tuple[str, ...], reviewers: Sequence[Who], at: At) -> CaseStep:
    """What the answers come to by now: ask who was not asked, wait on, or end."""
    yes, no = case.having(Said.YES), case.having(Said.NO)
    if case.vouched and not no:
        names = _names([*(r.name for r in case.vouched), *_named(case, yes)])
        return _approved(case, names, case.copies, (*what, "approved"), at)
    before = len(case.asked)
    if not case.vouched:
        known = {query.who.person for query in case.verifiers}
        fresh = [_verify(case, who, at) for who in _askable(case) if who.person not in known]
        case = replace(case, asked=(*case.asked, *fresh))
    asks = tuple(range(before, len(case.asked)))
    silent = [query for query in case.verifiers if _silent(case, query, at)]
    hurried = any(at.passed(first, at.terms.others) for first in _first_yes(case))
    if silent and not hurried and not case.vouched:
        stage = Stage.UNSURE if case.having(Said.UNSURE) else Stage.ASKED
        return CaseStep(_staged(case, stage, at), (*what, "asked") if asks else what, asks=asks)
    if case.vouched or (yes and no):
        return _handed_over(case, Stage.CONFLICT, (*what, "conflict"), reviewers, at)
    if yes:
        names = _names(_named(case, yes))
        return _approved(case, names, case.of(yes), (*what, "approved"), at)
    if no:
        names = _names(_named(case, no))
        ended = _ended(case, Stage.DENIED, names, at, _remark(case, Said.NO))
        discards = tuple(copy.hold for copy in case.of(no))
        return CaseStep(ended, (*what, "denied"), discards=discards, tells=(Tell.REQUESTERS,))
    unsure = any(_times_unsure(case, person) > 1 for person in case.having(Said.UNSURE))
    if case.verifiers and not unsure:
        ended = _ended(case, Stage.UNANSWERED, "", at)
        return CaseStep(ended, (*what, "unanswered"), tells=(Tell.REQUESTERS,))
    return _handed_over(case, Stage.REVIEWED, (*what, "to reviewers"), reviewers, at)


def _handed_over(
    case: Case,
    stage: Stage,
    what: tuple[str, ...],
    reviewers: Sequence[Who],
    at: At,
    asks: Asks = Asks.DECIDE,
) -> CaseStep:
    """The reviewers are asked about all that the case has by now; once, while nothing changes."""
    holds = tuple(copy.hold for copy in case.copies)
    before = len(case.asked)
    known = any(query.asks is asks and set(query.holds) >= set(holds) for query in case.asked)
    if not known or case.stage is not stage:
        fresh = [Query(asks, who, holds, at.now) for who in reviewers]
        case = replace(case, asked=(*case.asked, *fresh))
    return CaseStep(_staged(case, stage, at), what, asks=tuple(range(before, len(case.asked))))


def _approved(
    case: Case,
    by: str,
    copies: Sequence[Copy],
    what: tuple[str, ...],
    at: At,
    remark: str = "",
) -> CaseStep:
    """R31, R33: the list entry, the release and both notices are one step."""
    ended = _ended(case, Stage.APPROVED, by, at, remark)
    tells = (Tell.STAFF, Tell.OUTSIDE)
    return CaseStep(ended, what, releases=_fit(case, copies), lists=case.addresses, tells=tells)


def _denied(case: Case, given: CaseAnswer, at: At, what: str) -> CaseStep:
    ended = _ended(case, Stage.DENIED, given.name, at, given.remark)
    discards = tuple(copy.hold for copy in case.copies)
    return CaseStep(ended, (what,), discards=discards, tells=(Tell.REQUESTERS, Tell.ASKED))


def _ended(case: Case, stage: Stage, by: str, at: At, remark: str = "") -> Case:
    ended = replace(case, decided_by=by, decided_at=at.now, remark=remark)
    return _staged(ended, stage, at)


def _staged(case: Case, stage: Stage, at: At) -> Case:
    """The clock stands still while it waits for recipients, and for them alone (R34)."""
    waits = stage in _RECIPIENTS
    if waits and case.paused_since is None:
        return replace(case, stage=stage, paused_since=at.now)
    if not waits and case.paused_since is not None:
        paused = case.paused + at.calendar.counted(case.paused_since, at.now)
        return replace(case, stage=stage, paused=paused, paused_since=None)
    return replace(case, stage=stage)


def _with_review(case: Case, holds: set[int], by: str) -> Case:
    copies = tuple(
        replace(c, reviewed=by) if c.hold in holds and not c.reviewed else c for c in case.copies
    )
    return replace(case, copies=copies)


def _fit(case: Case, copies: Iterable[Copy]) -> tuple[int, ...]:
    """Those that may be let go: reviewed, and kept for nothing that an answer cannot lift."""
    wanted = {copy.hold for copy in copies}
    return tuple(c.hold for c in case.copies if c.hold in wanted and c.reviewed and not c.hard)


def _askable(case: Case) -> tuple[Who, ...]:
    """Who answers for copies that may be let go, each once; nobody where they are too many."""
    people = {c.who.person: c.who for c in case.copies if c.who is not None and not c.hard}
    return tuple(people.values()) if len(people) <= MOST_ASKED else ()


def _verify(case: Case, who: Who, at: At) -> Query:
    theirs = [c for c in case.copies if c.who is not None and c.who.person == who.person]
    return Query(Asks.VERIFY, who, tuple(c.hold for c in theirs if not c.hard), at.now)


def _silent(case: Case, query: Query, at: At) -> bool:
    """Whether an answer of this person is still waited for; once unsure is no answer."""
    if query.asks is not Asks.VERIFY or at.passed(query.at, at.terms.give_up):
        return False
    said = case.says(query.who.person)
    return said is None or (said is Said.UNSURE and _times_unsure(case, query.who.person) == 1)


def _times_unsure(case: Case, person: str) -> int:
    return sum(g.person == person and g.says is Said.UNSURE for g in case.given)


def _first_yes(case: Case) -> tuple[float, ...]:
    yes = set(case.having(Said.YES))
    moments = [g.at for g in case.given if g.person in yes and g.says is Said.YES]
    return (min(moments),) if moments else ()


def _reminds(query: Query, at: At) -> bool:
    return at.passed(query.at, at.terms.reminder * (query.reminders + 1))


def _reminders(query: Query, at: At) -> int:
    """How many there ought to have been by now: after an outage one comes, not several."""
    count = query.reminders
    while at.passed(query.at, at.terms.reminder * (count + 1)) and count < 1_000:
        count += 1
    return count


def _named(case: Case, people: Iterable[str]) -> list[str]:
    names = {given.person: given.name for given in case.given}
    return [names[person] for person in people]


def _names(names: Sequence[str]) -> str:
    """ "A, B and C"."""
    once = list(dict.fromkeys(names))
    return " and ".join(filter(None, (", ".join(once[:-1]), *once[-1:])))


def _remark(case: Case, said: Said) -> str:
    people = set(case.having(said))
    remarks = [g.remark for g in case.given if g.person in people and g.says is said and g.remark]
    return remarks[-1] if remarks else ""
