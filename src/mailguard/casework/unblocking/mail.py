"""The mails of an unblock case: to recipients, reviewers, requesters and the sender (R29-R33).

Owns how each is composed and threaded, and what stands on the page behind a question. Must not know
when a mail is due, or what follows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mailguard.casework.answers import token as question
from mailguard.casework.unblocking.case import (
    Asks,
    At,
    Case,
    CaseAnswer,
    Copy,
    Query,
    Requester,
    Said,
    Stage,
    Told,
)
from mailguard.casework.unblocking.life import due_at
from mailguard.core.decision.verdict import Disposition
from mailguard.core.mail import safe_text
from mailguard.core.notices import letter, notice
from mailguard.core.notices.letter import OutboundMail
from mailguard.core.text.excerpt import as_read, hosts
from mailguard.core.text.new_text import MARKER, words_of
from mailguard.pipeline.judged_message import JudgedMessage
from mailguard.pipeline.ports import Outgoing
from mailguard.pipeline.snapshot import Snapshot

_SHOWN = 10  # recipients, addresses


def told(dossier: JudgedMessage, recipient: str) -> Told:
    """What people are told of a kept message."""
    message = dossier.transaction.message
    outcome = dossier.decision.outcomes.get(recipient)
    reasons = outcome.reasons if outcome is not None else ()
    evidence = [r.finding.evidence for r in reasons if r.disposition is not Disposition.FORWARD]
    where = hosts(dossier.facts.reading)
    if where:
        evidence.append(f"its links go to {', '.join(where)}")
    return Told(
        transaction=dossier.transaction.id,
        sender=safe_text.line(message.value("From"), 200),
        subject=safe_text.line(message.value("Subject"), 200) or "(no subject)",
        date=safe_text.line(message.value("Date"), 60),
        why=safe_text.unlinked(safe_text.line("; ".join(evidence), 1_500)) or "not known",
        excerpt=as_read(message, dossier.facts.reading),
    )


@dataclass(frozen=True)
class CaseMailer:
    """Composes the mails of one case, at one moment. `version` is the one that the step makes: a
    step that is tried again writes the same mails."""

    snapshot: Snapshot
    matter: int
    version: int
    case: Case
    at: At

    # Questions

    def token(self, place: int) -> question.Token:
        """The token of a question."""
        said = token_about(self.case, self.case.asked[place])
        return question.token(self.snapshot.link_keys, self.matter, place, said)

    def page_key(self, place: int) -> question.Token:
        """What opens the page of that question. It stands in the question's text alone: the token
        is in every answer's header, and in whatever keeps or shows headers."""
        said = page_about(self.case, self.case.asked[place])
        return question.token(self.snapshot.link_keys, self.matter, place, said)

    def ask(self, place: int, *, again: bool = False, original: bytes = b"") -> Outgoing:
        """A question, the reminder of it, or the question with the original attached (R31)."""
        district, query = self.snapshot.district, self.case.asked[place]
        token = self.token(place)
        first = f"mailguard.{token}@{district.domains[0]}"
        follows = again or bool(original)
        text, closing, title = self._asking(query, again, bool(original))
        shown = self.shown(query)
        page = f"{district.copy_page_url}/answer/{self.page_key(place)}"
        composed = OutboundMail(
            to=(query.who.mailbox,),
            subject=f"{title}: {shown.subject[:100]} [#{token}]",
            text=f"{MARKER}\n\n{text}",
            sender=district.spammail,
            sender_name=f"{district.short_name} Mail",
            at=self.at.now,
            message_id=f"mailguard.{token}.{self.version}@{district.domains[0]}"
            if follows
            else first,
            reply_to=district.spammail,
            answers=(f"<{first}>",) if follows else (),
            choices=((_LINKS[query.asks], page),) if district.copy_page_url else (),
            excerpt=shown.excerpt,
            closing=closing,
            attached=original,
        )
        kind = "original" if original else f"again {self.version}" if again else "ask"
        key = f"case|{self.matter}|{kind}|{place}"
        raw = letter.compose(composed)
        body = "" if raw.isascii() else "8BITMIME"
        to = query.who.mailbox
        return Outgoing(key, "question", "", (to,), raw, body, not to.isascii())

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
        return self._note("case-approved", mailbox, f"approved|{name}", outcome=outcome.strip())

    def unblocked(self, address: str, released: Sequence[Copy]) -> Outgoing:
        """To the outside sender (R33)."""
        outcome = _delivered(released, "the recipient")
        key = f"unblocked|{address}"
        return self._note("case-unblocked", address, key, kind="notice", outcome=outcome)

    def ended(self, requester: Requester) -> Outgoing:
        """To who asked for it, where it was not approved."""
        name = "case-unanswered" if self.case.stage is Stage.UNANSWERED else "case-denied"
        key = f"ended|{requester.mailbox}"
        kind = "report" if requester.person else "notice"
        return self._note(name, requester.mailbox, key, requester.message_id, kind=kind)

    def settled(self, query: Query) -> Outgoing:
        """To somebody who need not answer any more."""
        key = f"settled|{query.who.person}"
        return self._note("case-settled", query.who.mailbox, key, outcome=self.outcome())

    def by_page(self, query: Query, outcome: str) -> Outgoing:
        """To whoever's page was answered: a question may have been forwarded."""
        key = f"page|{self.version}|{query.who.mailbox}"
        return self._note("case-page", query.who.mailbox, key, outcome=outcome)

    def note(
        self, template: str, to: str, letter_id: int, answering: str, **slots: str
    ) -> Outgoing:
        """What came of somebody's answer; keyed by their letter, so that it comes once."""
        return self._note(template, to, f"note|{letter_id}", answering, **slots)

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

    def moment(self, at: float) -> str:
        """As the district's clocks show it."""
        local = self.at.calendar.local(at)
        return f"{local:%A} {local.day} {local:%B %Y} at {local:%H:%M}"

    def words(self, template: str, **more: str) -> str:
        """The text, with its paragraphs; an empty slot leaves no empty one behind."""
        return notice.paragraphs(self.snapshot.notices[template], self._slots(**more))

    def _slots(self, **more: str) -> Mapping[str, str]:
        case, district = self.case, self.snapshot.district
        shown = case.told[0] if case.told else _NOTHING
        return {
            **notice.district_slots(district),
            "administrator": district.administrator,
            "subject": shown.subject,
            "recipients": self.recipients(None),
            "senders": _listed(case.addresses),
            "requester": _listed([r.name or "somebody outside" for r in case.requesters]),
            "case": str(self.matter),
            "why": shown.why,
            "due": self.moment(due_at(case, self.at)),
            "decided_by": case.decided_by or "nobody",
            "decided_at": self.moment(case.decided_at) if case.decided_at else "no day",
            "remark": case.remark,
            "outcome": self.outcome(),
            **more,
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

    def _note(
        self,
        template: str,
        to: str,
        key: str,
        answering: str = "",
        kind: str = "report",
        **slots: str,
    ) -> Outgoing:
        subject = (self.case.told[0] if self.case.told else _NOTHING).subject
        composed = letter.plain(
            self.snapshot.district,
            to,
            f"{_TITLES[template]}: {subject[:120]}",
            self.words(template, **slots),
            f"case-{self.matter}.{template.removeprefix('case-')}|{key}",
            self.at.now,
            answering,
        )
        raw = letter.compose(composed)
        return Outgoing(f"case|{self.matter}|{key}", kind, "", (to,), raw, "", not to.isascii())


_NOTHING = Told("", "", "(no message)", "", "nothing is kept", "")
_LINKS = {
    Asks.VERIFY: "Yes, No or Not sure",
    Asks.REVIEW: "Accept or refuse",
    Asks.DECIDE: "Unblock or deny",
}
_TITLES = {
    "case-approved": "Unblocked",
    "case-unblocked": "Unblocked",
    "case-denied": "Not unblocked",
    "case-unanswered": "Not unblocked",
    "case-settled": "No answer needed",
    "case-late": "Delivered",
    "case-too-late": "Decided already",
    "case-unclear": "Yes or no?",
    "case-page": "Your answer was taken",
}


def reply(
    snapshot: Snapshot,
    template: str,
    to: str,
    letter_id: int,
    answering: str,
    at: float,
    more: Sequence[str] = (),
) -> Outgoing:
    """The answer to a letter that belongs to no case, or to several; `more` are paragraphs."""
    slots = notice.district_slots(snapshot.district)
    text = "\n\n".join((notice.fill(snapshot.notices[template], slots), *more))
    title = _REPLIES[template]
    composed = letter.plain(
        snapshot.district, to, title, text, f"letter-{letter_id}|", at, answering
    )
    raw = letter.compose(composed)
    return Outgoing(f"spammail|{letter_id}", "report", "", (to,), raw, "", not to.isascii())


_REPLIES = {
    "case-request": "Your request to unblock senders",
    "case-which": "Unblock, or not?",
    "case-refused": "Your answer was not counted",
    "case-sheet": "Your list of addresses",
    "case-sheet-refused": "Your list of addresses",
}


def token_about(case: Case, query: Query) -> str:
    """What a token is bound to: what is asked, whom, and about which sender since when."""
    return f"{query.asks.value}|{query.who.person}|{case.addresses[:1]}|{case.opened_at!r}"


def page_about(case: Case, query: Query) -> str:
    """What the key of a page is bound to: the same, for pages alone."""
    return f"page|{token_about(case, query)}"


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
