"""The life of one approval: asked, reminded, answered, ended once (R18, R20, R21).

Owns the state, and what each event makes of it: a new state and what is to be done, as values.
Pure: moments and the calendar are given. Must not know mail, storage, or how anything is done.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

from pydantic import TypeAdapter

from mailguard.casework.approvals.approvers import RequiredApproval, can_be_filled, filled
from mailguard.core.people.calendar import DAY, Calendar
from mailguard.core.record.formats import Format


class ApprovalOutcome(StrEnum):
    """Where it stands; all but the first are ends."""

    WAITING = "waiting"
    GRANTED = "granted"
    DENIED = "denied"
    EXPIRED = "expired"
    STOPPED = "stopped"  # R21


class Do(StrEnum):
    """What an event asks for."""

    ASK = "ask"  # every approver in `ApprovalStep.asked`, by one mail each
    REMIND = "remind"
    TELL_SENDER = "tell-sender"
    TELL_OTHERS = "tell-others"  # the other approvers, that it is decided
    TELL_THEM = "tell-them"  # who has just answered, that it changes nothing
    TELL_POSTMASTER = "tell-postmaster"  # nobody can give every approval: the console decides
    RELEASE = "release"
    DISCARD = "discard"
    WITHDRAW = "withdraw"  # what was released and has not left yet


@dataclass(frozen=True, slots=True)
class About:
    """The message as people are told of it: one safe line each, and bounded."""

    sender: str  # "Tara Olive <tara.olive@example.org>"
    subject: str
    message_id: str
    to: tuple[str, ...]  # "Maple Teachers (42 people)"
    why: tuple[str, ...]  # sentences, with their full stop
    rules: str
    excerpt: str  # the first lines, several


@dataclass(frozen=True, slots=True)
class Asked:
    """An approver. The place in `Approval.asked` is the number in their token."""

    person: str  # id
    name: str
    mailbox: str


@dataclass(frozen=True, slots=True)
class ApprovalAnswer:
    """What one person said. `person` is "" for the console, which may decide for everybody."""

    person: str
    name: str  # as others are told
    yes: bool
    at: float
    how: str  # "mail", "page", "console", "grant 12", "paper: Memo 12"
    remark: str = ""


@dataclass(frozen=True, slots=True)
class Approval:
    """One message that waits, or did. Bound to its digest and to the people in `asked`."""

    digest: str
    about: About
    seats: tuple[RequiredApproval, ...]
    asked: tuple[Asked, ...]
    tells: str  # the sender's mailbox; "" where nobody may be told
    opened_at: float
    given: tuple[ApprovalAnswer, ...] = ()
    reminded: bool = False
    outcome: ApprovalOutcome = ApprovalOutcome.WAITING
    decided_by: str = ""  # in words
    decided_at: float = 0.0
    remark: str = ""  # the decider's own words
    refused: int = 0  # answers that could not count, as far as the history has them

    @property
    def open_seats(self) -> tuple[RequiredApproval, ...]:
        """Those that still want somebody's yes."""
        have = filled(self.seats, self.yes)
        return tuple(seat for seat in self.seats if seat.name not in have)

    @property
    def yes(self) -> tuple[str, ...]:
        """The people who said yes."""
        return tuple(g.person for g in self.given if g.yes and g.person)

    @property
    def silent(self) -> tuple[Asked, ...]:
        """Who was asked, and can still help."""
        wanted = {person for seat in self.open_seats for person in seat.people}
        return tuple(a for a in self.asked if a.person in wanted and a.person not in self.yes)


APPROVAL = Format("approval", TypeAdapter(Approval))


@dataclass(frozen=True, slots=True)
class ApprovalDeadlines:
    """How long people have, in school days (R18)."""

    reminder: float = 1.0
    expiry: float = 3.0


@dataclass(frozen=True, slots=True)
class ApprovalStep:
    """What an event makes of an approval. `what` is the history's word for it."""

    approval: Approval
    do: tuple[Do, ...]
    what: str
    asked: tuple[Asked, ...] = ()  # whom ASK, REMIND and TELL_OTHERS are for


def opened(approval: Approval, beforehand: Iterable[ApprovalAnswer] = ()) -> ApprovalStep:
    """A message is held. What was granted beforehand counts as said; if nothing is left to ask,
    the message goes at once and nobody is bothered."""
    approval = replace(approval, given=(*approval.given, *beforehand))
    if approval.given and not approval.open_seats:
        last = approval.given[-1]
        names = " and ".join(dict.fromkeys(g.name for g in approval.given))
        ended = _ended(
            approval, ApprovalOutcome.GRANTED, f"{names}, beforehand", last.at, last.remark
        )
        return ApprovalStep(ended, (Do.RELEASE,), "granted")
    do = [Do.ASK, Do.TELL_SENDER]
    if not can_be_filled(approval.seats):
        do.append(Do.TELL_POSTMASTER)
    return ApprovalStep(approval, tuple(do), "opened", approval.silent)


def answered(approval: Approval, given: ApprovalAnswer) -> ApprovalStep:
    """Somebody who was asked, or the console, said yes or no. One no ends it; the last yes that
    was missing releases it; what comes after the end changes nothing."""
    if approval.outcome is not ApprovalOutcome.WAITING:
        return ApprovalStep(approval, (Do.TELL_THEM,), "late")
    if given.yes and given.person and given.person in approval.yes:
        return ApprovalStep(approval, (Do.TELL_THEM,), "again")
    approval = replace(approval, given=(*approval.given, given))
    if not given.yes:
        ended = _ended(approval, ApprovalOutcome.DENIED, given.name, given.at, given.remark)
        return ApprovalStep(ended, (Do.DISCARD, *_TELL), "denied", _others(approval, given))
    if given.person and approval.open_seats:
        return ApprovalStep(approval, (), "yes")
    names = " and ".join(dict.fromkeys(g.name for g in approval.given if g.yes))
    ended = _ended(approval, ApprovalOutcome.GRANTED, names, given.at, given.remark)
    return ApprovalStep(ended, (Do.RELEASE, *_TELL), "granted", _others(approval, given))


def stopped(approval: Approval, given: ApprovalAnswer) -> ApprovalStep:
    """The administration stops it (R21): what waits is discarded, what was released is withdrawn
    as far as it has not left."""
    if approval.outcome is ApprovalOutcome.WAITING:
        ended = _ended(approval, ApprovalOutcome.STOPPED, given.name, given.at, given.remark)
        return ApprovalStep(ended, (Do.DISCARD, *_TELL), "stopped", _others(approval, given))
    if approval.outcome is not ApprovalOutcome.GRANTED:
        return ApprovalStep(approval, (Do.TELL_THEM,), "late")
    ended = _ended(approval, ApprovalOutcome.STOPPED, given.name, given.at, given.remark)
    return ApprovalStep(ended, (Do.WITHDRAW, Do.TELL_SENDER), "stopped")


def due(
    approval: Approval, now: float, calendar: Calendar, terms: ApprovalDeadlines
) -> ApprovalStep | None:
    """The clock looks at it: None where nothing is due yet."""
    if approval.outcome is not ApprovalOutcome.WAITING:
        return None
    if now >= expires_at(approval, calendar, terms):
        ended = _ended(approval, ApprovalOutcome.EXPIRED, "", now, "")
        return ApprovalStep(ended, (Do.DISCARD, *_TELL), "expired", approval.asked)
    if not approval.reminded and now >= reminds_at(approval, calendar, terms):
        return ApprovalStep(
            replace(approval, reminded=True), (Do.REMIND,), "reminded", approval.silent
        )
    return None


def overtaken(approval: Approval, released: bool, by: str, now: float) -> ApprovalStep:
    """Somebody decided about all the kept copies elsewhere: people are told, nothing else."""
    outcome = ApprovalOutcome.GRANTED if released else ApprovalOutcome.DENIED
    return ApprovalStep(
        _ended(approval, outcome, by, now, ""), _TELL, outcome.value, approval.asked
    )


def expires_at(approval: Approval, calendar: Calendar, terms: ApprovalDeadlines) -> float:
    """The end of the wait; school days alone count, so nothing dies over a weekend."""
    return calendar.after(approval.opened_at, terms.expiry * DAY)


def reminds_at(approval: Approval, calendar: Calendar, terms: ApprovalDeadlines) -> float:
    return calendar.after(approval.opened_at, terms.reminder * DAY)


def wakes_at(approval: Approval, calendar: Calendar, terms: ApprovalDeadlines) -> float | None:
    """When the clock has to look again; None after the end."""
    if approval.outcome is not ApprovalOutcome.WAITING:
        return None
    expiry = expires_at(approval, calendar, terms)
    return expiry if approval.reminded else min(reminds_at(approval, calendar, terms), expiry)


def refused(approval: Approval) -> ApprovalStep:
    """One more answer that could not count."""
    return ApprovalStep(replace(approval, refused=approval.refused + 1), (), "refused")


_TELL = (Do.TELL_SENDER, Do.TELL_OTHERS)


def _ended(
    approval: Approval, outcome: ApprovalOutcome, by: str, at: float, remark: str
) -> Approval:
    return replace(approval, outcome=outcome, decided_by=by, decided_at=at, remark=remark)


def _others(approval: Approval, given: ApprovalAnswer) -> tuple[Asked, ...]:
    return tuple(a for a in approval.asked if a.person != given.person)
