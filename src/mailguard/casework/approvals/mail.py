"""The mails of an approval: to those who are asked, to the sender, to whoever answered (R18-R21).

Owns what is read out of a held message to be shown, and how each mail is composed and threaded.
Whatever a stranger wrote is made safe here. Must not know when a mail is due, or what follows.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from mailguard.casework.approvals.life import (
    About,
    Approval,
    ApprovalDeadlines,
    ApprovalOutcome,
    Asked,
    expires_at,
)
from mailguard.casework.mailer import TicketMailer, listed
from mailguard.casework.tickets import KeptCopy
from mailguard.core.decision.decide import Judgement
from mailguard.core.decision.verdict import Disposition
from mailguard.core.mail import safe_text
from mailguard.core.notices import notice
from mailguard.core.text.excerpt import as_read
from mailguard.pipeline.counters import Spend
from mailguard.pipeline.judged_message import JudgedMessage
from mailguard.pipeline.ports import Outgoing

_GROUPS = 10  # recipients that are named
_SENTENCES = 5


def about(judged: JudgedMessage, recipients: Sequence[str]) -> About:
    """What people are told of a message, and of why these recipients' copies are held."""
    transaction, facts = judged.transaction, judged.facts
    held = set(recipients)
    reasons = [
        judgement.finding
        for recipient, outcome in judged.decision.outcomes.items()
        if recipient in held and outcome.disposition is Disposition.HOLD
        for judgement in outcome.reasons
    ]
    reasons = [*(j.finding for j in suspicions(judged, held)), *reasons]
    rules: list[str] = []
    for finding in reasons:
        kind = judged.snapshot.policy.finding_type(finding.code)
        rules += finding.rules or (kind.rules if kind is not None else ())
    sentences = [_sentence(finding.evidence) for finding in reasons]
    shown = []
    for recipient in recipients[:_GROUPS]:
        group, audience = facts.groups.get(recipient), facts.audiences.get(recipient)
        size = audience.size if audience is not None else 0
        people = f" ({size} {'person' if size == 1 else 'people'})" if size else ""
        shown.append(
            safe_text.line(f"{group.name}{people}" if group is not None else recipient, 200)
        )
    if len(recipients) > _GROUPS:
        shown.append(f"{len(recipients) - _GROUPS} more")
    return About(
        sender=safe_text.line(_sender(judged), 200),
        subject=safe_text.line(transaction.message.value("Subject"), 200) or "(no subject)",
        message_id=safe_text.line(transaction.message.value("Message-ID"))[:250],
        to=tuple(shown),
        why=tuple(dict.fromkeys(sentences))[:_SENTENCES],
        rules=", ".join(dict.fromkeys(rules)) or "none",
        excerpt=as_read(transaction.message, facts.reading),
    )


def suspicions(judged: JudgedMessage, recipients: Collection[str]) -> tuple[Judgement, ...]:
    """What these recipients' copies would be kept for, were they not held: malware, a forged name.
    It is weaker than a hold (docs/adr/0001), and no approver's to let pass."""
    return tuple(
        judgement
        for judgement in judged.decision.judgements
        if judgement.disposition is Disposition.QUARANTINE
        and not judgement.observed
        and not set(recipients).isdisjoint(judgement.recipients)
    )


def about_unread(holds: Sequence[KeptCopy]) -> About:
    """The same of a message whose record another version wrote."""
    return About(
        sender=safe_text.line(holds[0].reverse_path, 200) or "<>",
        subject="(not known)",
        message_id="",
        to=tuple(safe_text.line(hold.recipient, 200) for hold in holds[:_GROUPS]),
        why=tuple(dict.fromkeys(_sentence(hold.evidence) for hold in holds[:_SENTENCES])),
        rules="none",
        excerpt="",
    )


def _sender(judged: JudgedMessage) -> str:
    reverse_path = judged.transaction.envelope.reverse_path or "<>"
    person = judged.facts.people.get(reverse_path.lower())
    return f"{person.name} <{reverse_path}>" if person is not None else reverse_path


def _sentence(text: str) -> str:
    return f"{safe_text.line(text, 400).rstrip('.')}."


@dataclass(frozen=True)
class ApprovalMailer(TicketMailer):
    """Composes the mails of one approval, at one moment."""

    approval: Approval
    terms: ApprovalDeadlines

    kind: ClassVar[str] = "approval"
    titles: ClassVar[Mapping[str, str]] = {
        "waiting": "Waiting for approval",
        "granted": "Approved",
        "denied": "Not approved",
        "expired": "Not delivered",
        "stopped": "Stopped",
        "settled": "Decided",
        "page": "Your answer was taken",
        "too-late": "Decided already",
        "stop": "Stopped",
        "unclear": "Yes or no?",
        "nobody": "Nobody can approve",
        "refused": "Your answer was not counted",
    }
    reply_names: ClassVar[tuple[str, str]] = ("refused", "refused")

    def bound_to(self, place: int) -> str:
        """The approver, and exactly this message."""
        return f"{self.approval.asked[place].person}|{self.approval.digest}"

    @property
    def subject(self) -> str:
        return self.approval.about.subject

    @property
    def reads(self) -> str:
        return self.snapshot.district.approvals

    # To those who are asked

    def request(self, asked: Asked, *, again: bool = False) -> Outgoing:
        """The question, or the reminder of it."""
        return self.ask(
            self.approval.asked.index(asked),
            asked.mailbox,
            "Reminder, approval needed" if again else "Approval needed",
            self.words("approval-reminder" if again else "approval-request"),
            link="Approve or refuse",
            key="remind" if again else "ask",
            follows="reminder" if again else "",
            excerpt=self.approval.about.excerpt,
        )

    def settled(self, asked: Asked) -> Outgoing:
        """To an approver, once somebody else has decided."""
        return self.note("approval-settled", asked.mailbox, f"settled|{asked.person}")

    def by_page(self, place: int, outcome: str) -> Outgoing:
        asked, given = self.approval.asked[place], len(self.approval.given)
        key = f"page|{asked.person}|{given}"
        return self.note("approval-page", asked.mailbox, key, outcome=outcome)

    # To the sender

    def tell_sender(self, template: str, *, first: bool, outcome: str) -> tuple[Outgoing, ...]:
        """One mail about a beginning or an end; nobody where the sender may not be told. The
        `first` one to a stranger is one of so many an hour (R27)."""
        to = self.approval.tells
        if not to:
            return ()
        original = self.approval.about.message_id
        one = self.note(template, to, template, original, "notice", outcome=outcome)
        counts = first and not self.snapshot.district.owns(to)
        return (replace(one, spends=Spend(to, self.at)) if counts else one,)

    def tell_postmaster(self) -> Outgoing:
        return self.note("approval-nobody", self.snapshot.district.postmaster, "nobody")

    # In words

    def until(self) -> str:
        calendar = self.snapshot.calendar
        return self.moment(expires_at(self.approval, calendar, self.terms))

    def outcome(self) -> str:
        """What became of the message, in one sentence or two."""
        approval = self.approval
        by, on = approval.decided_by, self.moment(approval.decided_at)
        match approval.outcome:
            case ApprovalOutcome.GRANTED:
                return f"It was approved by {by} on {on}, and is delivered."
            case ApprovalOutcome.DENIED:
                return f"{by} said no on {on}. It is not delivered."
            case ApprovalOutcome.EXPIRED:
                return "Nobody answered in time. It is not delivered."
            case ApprovalOutcome.STOPPED:
                return f"It was stopped by {by} on {on}."
            case ApprovalOutcome.WAITING:
                open_seats = " and ".join(seat.label for seat in approval.open_seats)
                return f"It waits for {open_seats}, until {self.until()}."

    def slots(self) -> Mapping[str, str]:
        """Everything that a template of ours may name."""
        approval, told = self.approval, self.approval.about
        names = [asked.name for asked in approval.asked]
        return {
            **notice.district_slots(self.snapshot.district),
            "sender": told.sender,
            "subject": told.subject,
            "recipients": ", ".join(told.to),
            "why": " ".join(told.why),
            "rules": told.rules,
            "people": listed(names) or "nobody",
            "until": self.until(),
            "number": str(self.ticket),
            "decided_by": approval.decided_by or "nobody",
            "decided_at": self.moment(approval.decided_at) if approval.decided_at else "no day",
            "remark": f"Their words: “{approval.remark}”" if approval.remark else "",
            "outcome": self.outcome(),
        }
