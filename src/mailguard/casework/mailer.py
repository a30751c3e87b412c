"""The mails of a ticket: questions with their tokens, notes, and replies to letters of no ticket.

Owns how each is named, threaded and keyed, so that it is sent once and an answer comes back to its
question. Must not know what a workflow says in them, or when.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from mailguard.casework.answers import token as tokens
from mailguard.core.notices import letter, notice
from mailguard.core.notices.letter import OutboundMail
from mailguard.core.people.calendar import Calendar
from mailguard.core.text.new_text import MARKER
from mailguard.pipeline.ports import Outgoing
from mailguard.pipeline.snapshot import Snapshot


@dataclass(frozen=True)
class TicketMailer:
    """Composes the mails of one ticket, at one moment. A workflow's own fills in what raises."""

    snapshot: Snapshot
    ticket: int
    at: float

    kind: ClassVar[str]
    titles: ClassVar[Mapping[str, str]]  # of the notes, by template
    reply_names: ClassVar[tuple[str, str]] = ("letter", "letter")  # in Message-IDs, as keys

    def bound_to(self, place: int) -> str:
        """What a token is bound to: never changes, or what was mailed answers nothing any more."""
        raise NotImplementedError

    def page_bound_to(self, place: int) -> str:
        """What the key of a page is bound to: it stands in the question's text alone, while the
        token is in every answer's header, and in whatever keeps or shows headers."""
        return f"page|{self.bound_to(place)}"

    def by_page(self, place: int, outcome: str) -> Outgoing:
        """To whoever's page was answered: a question may have been forwarded."""
        raise NotImplementedError

    def slots(self) -> Mapping[str, str]:
        """Everything that a template of the workflow may name."""
        raise NotImplementedError

    @property
    def subject(self) -> str:
        """Of the message that the ticket is about."""
        raise NotImplementedError

    @property
    def reads(self) -> str:
        """The mailbox where answers are read; "" where there is none."""
        raise NotImplementedError

    # Questions

    def token(self, place: int) -> tokens.Token:
        """The token of a question."""
        return tokens.token(self.snapshot.link_keys, self.ticket, place, self.bound_to(place))

    def page_key(self, place: int) -> tokens.Token:
        """What opens the page of that question."""
        about = self.page_bound_to(place)
        return tokens.token(self.snapshot.link_keys, self.ticket, place, about)

    def ask(
        self,
        place: int,
        to: str,
        title: str,
        text: str,
        *,
        link: str,
        key: str,
        subject: str = "",
        follows: str = "",
        excerpt: str = "",
        closing: str = "",
        attached: bytes = b"",
    ) -> Outgoing:
        """A question to one person; with `follows` a later one of the same, threaded below it.
        `key` makes the mail the same one, together with the place."""
        district, token = self.snapshot.district, self.token(place)
        domain = district.domains[0]
        first = f"mailguard.{token}@{domain}"
        page = f"{district.copy_page_url}/answer/{self.page_key(place)}"
        composed = OutboundMail(
            to=(to,),
            subject=f"{title}: {(subject or self.subject)[:100]} [#{token}]",
            text=f"{MARKER}\n\n{text}",
            sender=self.reads or district.postmaster,
            sender_name=f"{district.short_name} Mail",
            at=self.at,
            message_id=f"mailguard.{token}.{follows}@{domain}" if follows else first,
            reply_to=self.reads,
            answers=(f"<{first}>",) if follows else (),
            choices=((link, page),) if district.copy_page_url else (),
            excerpt=excerpt,
            closing=closing,
            attached=attached,
        )
        raw = letter.compose(composed)
        body = "" if raw.isascii() else "8BITMIME"
        name = f"{self.kind}|{self.ticket}|{key}|{place}"
        return Outgoing(name, "question", "", (to,), raw, body, not to.isascii())

    # Notes

    def note(
        self,
        template: str,
        to: str,
        key: str,
        answering: str = "",
        kind: str = "report",
        **slots: str,
    ) -> Outgoing:
        """A mail that asks nothing, once for each `key`; `answering` is a Message-ID."""
        name = template.removeprefix(f"{self.kind}-")
        composed = letter.plain(
            self.snapshot.district,
            to,
            f"{self.titles[name]}: {self.subject[:120]}",
            self.words(template, **slots),
            f"{self.kind}-{self.ticket}.{name}|{key}",
            self.at,
            answering,
        )
        full = f"{self.kind}|{self.ticket}|{key}"
        return _plain(full, kind, to, composed)

    def on_mail(
        self, template: str, to: str, mail: int, answering: str, slots: Mapping[str, str]
    ) -> Outgoing:
        """What came of somebody's answer; keyed by their letter, so that it comes once."""
        return self.note(template, to, f"note|{mail}", answering, **slots)

    @classmethod
    def reply(
        cls,
        snapshot: Snapshot,
        template: str,
        to: str,
        mail: int,
        answering: str,
        at: float,
        more: Sequence[str] = (),
    ) -> Outgoing:
        """As `Workflow.reply`; `more` are paragraphs."""
        district = snapshot.district
        text = notice.fill(snapshot.notices[template], notice.district_slots(district))
        title = cls.titles[template.removeprefix(f"{cls.kind}-")]
        name, key = cls.reply_names
        unique = f"{name}-{mail}|"
        text = "\n\n".join((text, *more))
        composed = letter.plain(district, to, title, text, unique, at, answering)
        return _plain(f"{key}|{mail}", "report", to, composed)

    # In words

    def words(self, template: str, **more: str) -> str:
        """The text, with its paragraphs; an empty slot leaves no empty one behind."""
        return notice.paragraphs(self.snapshot.notices[template], {**self.slots(), **more})

    def moment(self, at: float) -> str:
        """As the district's clocks show it."""
        return moment(self.snapshot.calendar, at)


def moment(calendar: Calendar, at: float) -> str:
    """In words, as the district's clocks show it."""
    local = calendar.local(at)
    return f"{local:%A} {local.day} {local:%B %Y} at {local:%H:%M}"


def _plain(key: str, kind: str, to: str, composed: OutboundMail) -> Outgoing:
    return Outgoing(key, kind, "", (to,), letter.compose(composed), smtputf8=not to.isascii())


def listed(names: Sequence[str]) -> str:
    """ "A, B and C"."""
    return " and ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))
