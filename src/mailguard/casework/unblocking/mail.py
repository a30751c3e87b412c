"""The mails of an unblock case: to recipients, reviewers, requesters and the sender (R29-R33).

Owns how each is composed and threaded, and the words that its page shows too. Must not know
when a mail is due, or what follows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from mailguard.casework.mailer import TicketMailer
from mailguard.casework.unblocking.case import (
    Asks,
    Case,
    CaseAnswer,
    Copy,
    Query,
    Requester,
    Said,
    Stage,
    Told,
)
from mailguard.core.decision.verdict import Disposition
from mailguard.core.mail import safe_text
from mailguard.core.notices import letter, notice
from mailguard.core.text.excerpt import as_read, hosts
from mailguard.core.text.new_text import words_of
from mailguard.pipeline.judged_message import JudgedMessage
from mailguard.pipeline.ports import Outgoing

_SHOWN = 10  # recipients, addresses


def told(judged: JudgedMessage, recipient: str) -> Told:
    """What people are told of a kept message."""
    message = judged.transaction.message
    outcome = judged.decision.outcomes.get(recipient)
    reasons = outcome.reasons if outcome is not None else ()
    evidence = [r.finding.evidence for r in reasons if r.disposition is not Disposition.FORWARD]
    where = hosts(judged.facts.reading)
    if where:
        evidence.append(f"its links go to {', '.join(where)}")
    return Told(
        transaction=judged.transaction.id,
        sender=safe_text.line(message.value("From"), 200),
        subject=safe_text.line(message.value("Subject"), 200) or "(no subject)",
        date=safe_text.line(message.value("Date"), 60),
        why=safe_text.unlinked(safe_text.line("; ".join(evidence), 1_500)) or "not known",
        excerpt=as_read(message, judged.facts.reading),
    )


@dataclass(frozen=True)
class CaseMailer(TicketMailer):
    """Composes the mails of one case, at one moment. `version` is the one that the step makes: a
    step that is tried again writes the same mails."""

    version: int
    case: Case
    due: float  # when it ought to be done

    kind: ClassVar[str] = "case"
    titles: ClassVar[Mapping[str, str]] = {
        "approved": "Unblocked",
        "unblocked": "Unblocked",
        "denied": "Not unblocked",
        "unanswered": "Not unblocked",
        "settled": "No answer needed",
        "late": "Delivered",
        "too-late": "Decided already",
        "unclear": "Yes or no?",
        "page": "Your answer was taken",
        "request": "Your request to unblock senders",
        "which": "Unblock, or not?",
        "refused": "Your answer was not counted",
        "sheet": "Your list of addresses",
        "sheet-refused": "Your list of addresses",
    }
    reply_names: ClassVar[tuple[str, str]] = ("letter", "spammail")

    def bound_to(self, place: int) -> str:
        """What is asked, whom, and about which sender since when."""
        case, query = self.case, self.case.asked[place]
        return f"{query.asks.value}|{query.who.person}|{case.addresses[:1]}|{case.opened_at!r}"

    @property
    def subject(self) -> str:
        return (self.case.told[0] if self.case.told else _NOTHING).subject

    @property
    def reads(self) -> str:
        return self.snapshot.district.spammail

    # Questions

    def query(self, place: int, *, again: bool = False, original: bytes = b"") -> Outgoing:
        """A question, the reminder of it, or the question with the original attached (R31)."""
        query = self.case.asked[place]
        text, closing, title = self._asking(query, again, bool(original))
        shown = self.shown(query)
        return self.ask(
            *(place, query.who.mailbox, title, text),
            link=_LINKS[query.asks],
            key="original" if original else f"again {self.version}" if again else "ask",
            subject=shown.subject,
            follows=str(self.version) if again or original else "",
            excerpt=shown.excerpt,
            closing=closing,
            attached=original,
        )

    def _asking(self, query: Query, again: bool, original: bool) -> tuple[str, str, str]:
        """(text, closing, title) of a question."""
        if query.asks is not Asks.VERIFY:
            name = "case-review" if query.asks is Asks.REVIEW else "case-decide"
            title = "Content review" if query.asks is Asks.REVIEW else "Please decide"
            return self.words(name, outcome=self.situation(query)), "", title
        above = "case-unsure" if original else "case-reminder" if again else ""
        shown = self.shown(query)
        about = letter.paragraphs(
            (("From", shown.sender), ("Subject", shown.subject), ("Date", shown.date))
        )
        paragraphs = (
            self.words(above) if above else "",
            self.words("verification"),
            "\n".join(self.case.addresses[:_SHOWN]),
            about,
        )
        title = "Reminder, a valid sender?" if again else "A valid sender?"
        return "\n\n".join(filter(None, paragraphs)), self.words("case-ask"), title

    # What people are told

    def approved(self, mailbox: str, name: str, released: Sequence[Copy]) -> Outgoing:
        """To a member of staff who verified or asked for it (R33)."""
        own = [copy for copy in released if copy.who is not None and copy.who.mailbox == mailbox]
        outcome = _delivered(own, "you") if own else _delivered(released, "its recipients")
        if any(copy.hard for copy in self.case.copies):
            outcome += f" {_hard(self.case)}"
        return self.note("case-approved", mailbox, f"approved|{name}", outcome=outcome.strip())

    def unblocked(self, address: str, released: Sequence[Copy]) -> Outgoing:
        """To the outside sender (R33)."""
        outcome = _delivered(released, "the recipient")
        key = f"unblocked|{address}"
        return self.note("case-unblocked", address, key, kind="notice", outcome=outcome)

    def ended(self, requester: Requester) -> Outgoing:
        """To who asked for it, where it was not approved."""
        name = "case-unanswered" if self.case.stage is Stage.UNANSWERED else "case-denied"
        key = f"ended|{requester.mailbox}"
        kind = "report" if requester.person else "notice"
        return self.note(name, requester.mailbox, key, requester.message_id, kind=kind)

    def settled(self, query: Query) -> Outgoing:
        """To somebody who need not answer any more."""
        key = f"settled|{query.who.person}"
        return self.note("case-settled", query.who.mailbox, key, outcome=self.outcome())

    def by_page(self, place: int, outcome: str) -> Outgoing:
        to = self.case.asked[place].who.mailbox
        return self.note("case-page", to, f"page|{self.version}|{to}", outcome=outcome)

    # In words

    def outcome(self) -> str:
        """What became of it, in a sentence or two."""
        case, by = self.case, self.case.decided_by
        on = self.moment(case.decided_at)
        match case.stage:
            case Stage.APPROVED:
                return f"The sender was unblocked on {on}; verified by {by}."
            case Stage.DENIED:
                return f"{by} said no on {on}. Nothing was unblocked."
            case Stage.UNANSWERED:
                return "Nobody answered in time. Nothing was unblocked."
            case Stage.ELSEWHERE:
                return "It was decided elsewhere."
            case Stage.UNSURE:
                return (
                    "Whoever is not sure gets the blocked message itself, and is asked once more."
                )
            case _:
                return "Your answer is on record; the request waits for others."

    def situation(self, query: Query) -> str:
        """What reviewers have to know before they answer."""
        case, said = self.case, []
        staff = [requester.name for requester in case.vouched]
        if staff:
            said.append(
                f"{', '.join(staff)} asked for it from their own account, so nobody else is asked "
                "(R35)."
            )
        elif query.asks is Asks.REVIEW:
            said.append("If it is fit, the recipients are asked whether the sender is valid.")
        elif case.stage is Stage.CONFLICT:
            said.append("Those who were asked disagree.")
        elif case.having(Said.UNSURE):
            said.append("The recipient has seen the message and cannot tell.")
        else:
            said.append("None of the recipients can be asked.")
        if case.given:
            last = {given.person: given for given in case.given}.values()
            said.append("; ".join(map(_says, last)) + ".")
        messages = {c.transaction for c in case.copies if c.hold in query.holds}
        if len(messages) > 1:
            said.append(f"It is about {len(messages)} messages, of which one is shown.")
        if any(copy.hard for copy in case.copies):
            said.append(_hard(case))
        return " ".join(said)

    def slots(self) -> Mapping[str, str]:
        """Everything that a template of ours may name."""
        case, district = self.case, self.snapshot.district
        shown = case.told[0] if case.told else _NOTHING
        return {
            **notice.district_slots(district),
            "administrator": district.administrator,
            "subject": shown.subject,
            "recipients": self.recipients(None),
            "senders": _listed(case.addresses),
            "requester": _listed([r.name or "somebody outside" for r in case.requesters]),
            "case": str(self.ticket),
            "why": shown.why,
            "due": self.moment(self.due),
            "decided_by": case.decided_by or "nobody",
            "decided_at": self.moment(case.decided_at) if case.decided_at else "no day",
            "remark": case.remark,
            "outcome": self.outcome(),
        }

    def shown(self, query: Query) -> Told:
        """The message that a question is about: the first of its copies'."""
        wanted = {c.transaction for c in self.case.copies if c.hold in query.holds}
        found = (one for one in self.case.told if one.transaction in wanted)
        return next(found, self.case.told[0] if self.case.told else _NOTHING)

    def recipients(self, query: Query | None) -> str:
        copies = self.case.copies
        if query is not None:
            copies = tuple(c for c in copies if c.hold in query.holds) or copies
        return _listed([copy.recipient for copy in copies])


_NOTHING = Told("", "", "(no message)", "", "nothing is kept", "")
_LINKS = {
    Asks.VERIFY: "Yes, No or Not sure",
    Asks.REVIEW: "Accept or refuse",
    Asks.DECIDE: "Unblock or deny",
}


def _says(given: CaseAnswer) -> str:
    """ "Tara Olive: no (I do not know them)"."""
    own = given.remark if words_of(given.remark) != words_of(given.says.value) else ""
    return f"{given.name}: {given.says.value}" + (f" ({own})" if own else "")


def _delivered(copies: Sequence[Copy], whom: str) -> str:
    if not copies:
        return "Messages from now on get through."
    return f"The blocked message is on its way to {whom}."


def _hard(case: Case) -> str:
    """That some copies stay, and why; only an operator can let them go."""
    kept = [copy for copy in case.copies if copy.hard]
    reasons = "; ".join(dict.fromkeys(copy.hard for copy in kept))
    numbers = ", ".join(str(copy.hold) for copy in kept[:_SHOWN])
    return f"Not delivered by any answer, because {reasons}: {numbers} in the quarantine."


def _listed(words: Sequence[str]) -> str:
    once = list(dict.fromkeys(words))
    more = f" and {len(once) - _SHOWN} more" if len(once) > _SHOWN else ""
    return ", ".join(once[:_SHOWN]) + more
