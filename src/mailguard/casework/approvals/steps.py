"""What a step of `approvals.life` is committed as: copies, mails, history.

Owns who hears what of a step. Must not know how a step came about, or how it is committed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from mailguard.casework.approvals import life
from mailguard.casework.approvals.life import (
    Approval,
    ApprovalAnswer,
    ApprovalDeadlines,
    ApprovalOutcome,
    ApprovalStep,
    Asked,
    Do,
)
from mailguard.casework.approvals.mail import ApprovalMailer
from mailguard.casework.approvals.withdrawal import Withdrawal
from mailguard.casework.tickets import Ticket
from mailguard.casework.workflow import Change, Copies, Fate, Work
from mailguard.core.sender import directory_lookups
from mailguard.pipeline.ports import Outgoing


@dataclass(frozen=True)
class ApprovalSteps:
    """By the directory, the calendar and the words of now."""

    work: Work
    terms: ApprovalDeadlines

    def mailer(self, ticket: Ticket, approval: Approval, now: float) -> ApprovalMailer:
        return ApprovalMailer(self.work.snapshot(), ticket.id, now, approval, self.terms)

    def change(
        self,
        ticket: Ticket,
        step: ApprovalStep,
        now: float,
        withdrawal: Withdrawal | None = None,
        detail: str = "",
    ) -> Change[Approval]:
        """The step, as it is committed."""
        approval, calendar = step.approval, self.work.snapshot().calendar
        fates = {Do.RELEASE: Fate.RELEASE, Do.DISCARD: Fate.DISCARD}
        return Change(
            state=approval,
            status=approval.outcome.value,
            what=(step.what,),
            compose=partial(self._compose, ticket, step, now, withdrawal),
            detail=detail,
            wakes_at=life.wakes_at(approval, calendar, self.terms),
            closes=approval.outcome is not ApprovalOutcome.WAITING,
            decided_by=approval.decided_by,
            every=next((fates[do] for do in step.do if do in fates), None),
            withdraws=withdrawal.entries if withdrawal is not None else (),
        )

    async def _compose(
        self,
        ticket: Ticket,
        step: ApprovalStep,
        now: float,
        withdrawal: Withdrawal | None,
        copies: Copies,
        detail: str,
        noted: bool,
    ) -> tuple[Sequence[Outgoing], str]:
        do, post = step.do, self.mailer(ticket, step.approval, now)
        there = self._there(step.asked, now)
        mails: list[Outgoing] = []
        if Do.ASK in do or Do.REMIND in do:
            mails += [post.request(asked, again=Do.REMIND in do) for asked in there]
        if Do.TELL_SENDER in do:
            template = f"approval-{'waiting' if step.what == 'opened' else step.what}"
            said = withdrawal.words() if withdrawal else "It has not been delivered to anybody."
            mails += post.tell_sender(template, first=not ticket.version, outcome=said)
        if Do.TELL_OTHERS in do:
            mails += [post.settled(asked) for asked in there]
        if Do.TELL_POSTMASTER in do:
            mails.append(post.tell_postmaster())
        return mails, detail or _told(step)

    def _there(self, asked: Iterable[Asked], now: float) -> list[Asked]:
        """Those who have not left since they were asked (R6)."""
        snapshot = self.work.snapshot()
        today = directory_lookups.day_at(now, snapshot.district.time_zone)
        people = ((one, snapshot.directory.people.get(one.person)) for one in asked)
        registered = {(one.id, one.address) for one in snapshot.directory.outside.values()}
        return [
            one
            for one, p in people
            if (p is not None and p.left_since(today) is None)
            or (one.person, one.mailbox) in registered
        ]


def _told(step: ApprovalStep) -> str:
    """The history's own words for a step that nobody else words."""
    approval = step.approval
    if step.what in ("opened", "reminded"):
        return ", ".join(f"{a.name} <{a.mailbox}>" for a in step.asked) or "nobody to ask"
    said: Mapping[str, ApprovalAnswer] = {g.person: g for g in approval.given}
    last = list(said.values())[-1:]
    return "; ".join(filter(None, (*(g.how for g in last), approval.remark)))
