"""The mails of an approval: to those who are asked, to the sender, to whoever answered (R18-R21).

Owns what is read out of a held message to be shown, and how each mail is composed and threaded.
Whatever a stranger wrote is made safe here. Must not know when a mail is due, or what follows.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from mailguard.casework.answers import token as question
from mailguard.casework.approvals.life import (
    About,
    Approval,
    ApprovalDeadlines,
    ApprovalOutcome,
    Asked,
    expires_at,
)
from mailguard.casework.tickets import KeptCopy
from mailguard.core.decision.decide import Judgement
from mailguard.core.decision.verdict import Disposition
from mailguard.core.mail import safe_text
from mailguard.core.notices import letter, notice
from mailguard.core.notices.letter import OutboundMail
from mailguard.core.text.excerpt import as_read
from mailguard.core.text.new_text import MARKER
from mailguard.pipeline.judged_message import JudgedMessage
from mailguard.pipeline.ports import Outgoing
from mailguard.pipeline.snapshot import Snapshot

_GROUPS = 10  # recipients that are named
_SENTENCES = 5


def about(dossier: JudgedMessage, recipients: Sequence[str]) -> About:
    """What people are told of a message, and of why these recipients' copies are held."""
    transaction, facts = dossier.transaction, dossier.facts
    held = set(recipients)
    reasons = [
        judgement.finding
        for recipient, outcome in dossier.decision.outcomes.items()
        if recipient in held and outcome.disposition is Disposition.HOLD
        for judgement in outcome.reasons
    ]
    reasons = [*(j.finding for j in suspicions(dossier, held)), *reasons]
    rules: list[str] = []
    for finding in reasons:
        kind = dossier.snapshot.policy.finding_type(finding.code)
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
        sender=safe_text.line(_sender(dossier), 200),
        subject=safe_text.line(transaction.message.value("Subject"), 200) or "(no subject)",
        message_id=safe_text.line(transaction.message.value("Message-ID"))[:250],
        to=tuple(shown),
        why=tuple(dict.fromkeys(sentences))[:_SENTENCES],
        rules=", ".join(dict.fromkeys(rules)) or "none",
        excerpt=as_read(transaction.message, facts.reading),
    )


def suspicions(dossier: JudgedMessage, recipients: Collection[str]) -> tuple[Judgement, ...]:
    """What these recipients' copies would be kept for, were they not held: malware, a forged name.
    It is weaker than a hold (docs/adr/0001), and no approver's to let pass."""
    return tuple(
        judgement
        for judgement in dossier.decision.judgements
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


def _sender(dossier: JudgedMessage) -> str:
    reverse_path = dossier.transaction.envelope.reverse_path or "<>"
    person = dossier.facts.people.get(reverse_path.lower())
    return f"{person.name} <{reverse_path}>" if person is not None else reverse_path


def _sentence(text: str) -> str:
    return f"{safe_text.line(text, 400).rstrip('.')}."


@dataclass(frozen=True)
class ApprovalMailer:
    """Composes the mails of one matter, at one moment."""

    snapshot: Snapshot
    matter: int
    approval: Approval
    terms: ApprovalDeadlines
    at: float

    # To those who are asked

    def token(self, asked: Asked) -> question.Token:
        """The token of the question to one approver."""
        number = self.approval.asked.index(asked)
        said = token_about(self.approval, asked)
        return question.token(self.snapshot.link_keys, self.matter, number, said)

    def page_key(self, asked: Asked) -> question.Token:
        """What opens the page of that question. It stands in the question's text alone: the token
        is in every answer's header, and in whatever keeps or shows headers."""
        number = self.approval.asked.index(asked)
        said = page_about(self.approval, asked)
        return question.token(self.snapshot.link_keys, self.matter, number, said)

    def ask(self, asked: Asked, *, again: bool = False) -> Outgoing:
        """The question, or the reminder of it."""
        district = self.snapshot.district
        token, key = self.token(asked), self.page_key(asked)
        first = f"mailguard.{token}@{district.domains[0]}"
        page = f"{district.copy_page_url}/answer/{key}"
        text = self._words("approval-reminder" if again else "approval-request")
        composed = OutboundMail(
            to=(asked.mailbox,),
            subject=f"{_TITLES['reminder' if again else 'request']}: "
            f"{self.approval.about.subject[:100]} [#{token}]",
            text=f"{MARKER}\n\n{text}",
            sender=district.approvals or district.postmaster,
            sender_name=f"{district.short_name} Mail",
            at=self.at,
            message_id=f"mailguard.{token}.reminder@{district.domains[0]}" if again else first,
            reply_to=district.approvals,
            answers=(f"<{first}>",) if again else (),
            choices=(("Approve or refuse", page),) if district.copy_page_url else (),
            excerpt=self.approval.about.excerpt,
        )
        unique = f"approval|{self.matter}|{'remind' if again else 'ask'}|{token.number}"
        return self._outgoing(unique, "question", asked.mailbox, letter.compose(composed))

    def settled(self, asked: Asked) -> Outgoing:
        """To an approver, once somebody else has decided."""
        return self._note("approval-settled", asked.mailbox, f"settled|{asked.person}")

    def by_page(self, asked: Asked) -> Outgoing:
        """To an approver whose page was answered: a question may have been forwarded."""
        given = len(self.approval.given)
        return self._note("approval-page", asked.mailbox, f"page|{asked.person}|{given}")

    # To whoever answered

    def note(
        self, template: str, to: str, letter_id: int, answering: str, **slots: str
    ) -> Outgoing:
        """What came of somebody's answer; keyed by their letter, so that it comes once."""
        return self._note(template, to, f"note|{letter_id}", answering, **slots)

    # To the sender

    def tell_sender(self, template: str, **slots: str) -> tuple[Outgoing, ...]:
        """One mail about a beginning or an end; nobody where the sender may not be told."""
        if not self.approval.tells:
            return ()
        original = self.approval.about.message_id
        one = self._note(template, self.approval.tells, template, original, "notice", **slots)
        return (one,)

    def tell_postmaster(self) -> Outgoing:
        return self._note("approval-nobody", self.snapshot.district.postmaster, "nobody")

    # In words

    def until(self) -> str:
        calendar = self.snapshot.calendar
        return self.moment(expires_at(self.approval, calendar, self.terms))

    def moment(self, at: float) -> str:
        """As the district's clocks show it."""
        local = self.snapshot.calendar.local(at)
        return f"{local:%A} {local.day} {local:%B %Y} at {local:%H:%M}"

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

    def slots(self, **more: str) -> Mapping[str, str]:
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
            "number": str(self.matter),
            "decided_by": approval.decided_by or "nobody",
            "decided_at": self.moment(approval.decided_at) if approval.decided_at else "no day",
            "remark": f"Their words: “{approval.remark}”" if approval.remark else "",
            "outcome": self.outcome(),
            **more,
        }

    def _words(self, template: str, **slots: str) -> str:
        """The text, with its paragraphs; an empty slot leaves no empty one behind."""
        return notice.paragraphs(self.snapshot.notices[template], self.slots(**slots))

    def _note(
        self,
        template: str,
        to: str,
        key: str,
        answering: str = "",
        kind: str = "report",
        **slots: str,
    ) -> Outgoing:
        name = template.removeprefix("approval-")
        composed = letter.plain(
            self.snapshot.district,
            to,
            f"{_TITLES[name]}: {self.approval.about.subject[:120]}",
            self._words(template, **slots),
            f"approval-{self.matter}.{name}|{key}",
            self.at,
            answering,
        )
        full_key = f"approval|{self.matter}|{key}"
        return self._outgoing(full_key, kind, to, letter.compose(composed))

    @staticmethod
    def _outgoing(key: str, kind: str, to: str, raw: bytes) -> Outgoing:
        return Outgoing(key, kind, "", (to,), raw, smtputf8=not to.isascii())


_TITLES = {
    "request": "Approval needed",
    "reminder": "Reminder, approval needed",
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
}


def refused(snapshot: Snapshot, to: str, letter_id: int, answering: str, at: float) -> Outgoing:
    """To somebody of the district who answers what they were not asked. It tells nothing of the
    message: whoever it is was not meant to know of it."""
    district = snapshot.district
    text = notice.fill(snapshot.notices["approval-refused"], notice.district_slots(district))
    title = "Your answer was not counted"
    composed = letter.plain(district, to, title, text, f"refused-{letter_id}|", at, answering)
    raw = letter.compose(composed)
    return Outgoing(f"refused|{letter_id}", "report", "", (to,), raw, smtputf8=not to.isascii())


def page_about(approval: Approval, asked: Asked) -> str:
    """What the key of a page is bound to: the same, for pages alone."""
    return f"page|{token_about(approval, asked)}"


def token_about(approval: Approval, asked: Asked) -> str:
    """What a token is bound to: the approver and exactly this message."""
    return f"{asked.person}|{approval.digest}"


def listed(names: Sequence[str]) -> str:
    """ "A, B and C"."""
    return " and ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))
