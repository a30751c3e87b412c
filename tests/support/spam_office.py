"""The small district of `office` with its spammail@ desk: blocked mail, requests, answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from tests.support.at_once import at_once
from tests.support.office import ACCOUNTS, DIRECTORY, DISTRICT, NOTHING, PEOPLE, Mail, Office, mail
from tests.support.steps import Says

from mailguard.adapters.workers.spreadsheet import read_sheet
from mailguard.casework.engine import Engine
from mailguard.casework.lessons import Lesson
from mailguard.casework.unblocking.case import CASE, Case, CaseDeadlines
from mailguard.casework.unblocking.console import CaseConsole
from mailguard.casework.unblocking.handler import Unblocking
from mailguard.casework.unblocking.sheets import Sheets
from mailguard.casework.unblocking.steps import Staff
from mailguard.core.decision.facts import Spf, Unavailable
from mailguard.core.decision.policy import CheckSettings, FindingType, Policy, PolicyStep
from mailguard.core.decision.verdict import Disposition, Finding, Verdict
from mailguard.core.mail.address import domain_of
from mailguard.core.mail.reply import Reply
from mailguard.core.mail.transaction import Role, Transaction
from mailguard.core.people.model import Account, Group, Person
from mailguard.pipeline.ports import Authentication

SPAMMAIL = DISTRICT.spammail
PARENT = "rosa.alder@example.com"
TARA, PAULA, BEN, SAM = (f"{n}@example.org" for n in ("tara", "paula", "ben", "sam"))
TOMAS, WANDA = "tomas@example.org", "wanda@example.org"
CLUB = "club@example.org"

_WANDA = Person("wanda", "Wanda Birch", (WANDA,), sites=("it",), roles=("it_designee",))
_SECRETARY = replace(PEOPLE["sam"], roles=("site_secretary",))
CASE_DIRECTORY = replace(
    DIRECTORY,
    people={**PEOPLE, "wanda": _WANDA, "sam": _SECRETARY},
    accounts={**ACCOUNTS, "wanda": Account("wanda", (WANDA, SPAMMAIL), "wanda")},
    groups={
        **DIRECTORY.groups,
        CLUB: Group(CLUB, "Garden Club", owner="ben"),
        "nobodys@example.org": Group("nobodys@example.org", "Nobody's"),
    },
)


def blocked(*recipients: str, code: str = "spam.blocked") -> Policy:
    """A policy that quarantines the copies of these recipients."""
    waivable = code.startswith("spam.")
    kind = FindingType(code, "it was found", ("R26",), Disposition.QUARANTINE, waivable=waivable)
    found = Finding(code, "7.0 points, of 6.0 allowed: a prize", recipients)
    step = PolicyStep(
        Says("spam", Verdict("spam", (found,)), (kind,)),
        CheckSettings(),
        {code: Disposition.QUARANTINE},
    )
    return Policy((step,), f"blocked {code} {' '.join(recipients)}")


@dataclass
class SpamOffice(Office):
    """One open state with all workflows. `proven` are the domains that SPF vouches for."""

    case_terms: CaseDeadlines = field(default_factory=CaseDeadlines)
    staff: Staff = field(default_factory=Staff)
    proven: set[str] = field(default_factory=lambda: {"example.com"})
    lessons: list[tuple[str, bool]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.directory = CASE_DIRECTORY
        super().__post_init__()

    def restart(self) -> None:
        super().restart()
        self.world = self.world.but(authenticator=self, unblocking=self.state.unblocked)
        self.case_steps = Unblocking(
            *(self.work, self.case_terms, self.staff, self._teach),
            Sheets(read_sheet, self.state.unblocked),
            self.relay_vouches,
        )
        self.open_desk(Engine(self.steps), Engine(self.grants), Engine(self.case_steps))

    async def _teach(self, digest: str, words: Sequence[str], spam: bool) -> None:
        self.lessons.append((digest, spam))
        await self.state.learned.teach([Lesson(digest, words, spam)])

    async def authenticate(self, transaction: Transaction) -> Authentication:
        domain = domain_of(transaction.envelope.reverse_path)
        spf = Spf("pass" if domain in self.proven else "none", domain)
        nothing = Unavailable("not looked up")
        return Authentication(spf, (), nothing, nothing)

    # What people do

    async def block(
        self,
        subject: str = "Field trip",
        to: Sequence[str] = (TARA,),
        sender: str = PARENT,
        code: str = "spam.blocked",
        text: str = "Dear Tara,\nI can drive. See http://pictures.example.net/trip now.",
    ) -> bytes:
        """Mail from outside that is kept; its octets."""
        raw = mail(f"Rosa Alder <{sender}>", ", ".join(to), subject, text)
        policy = blocked(*to, code=code)
        await self.accept(raw, to, policy, account=None, reverse_path=sender, role=Role.MX)
        return raw

    async def forward(
        self, raw: bytes, sender: str = PARENT, note: str = "please unblock this", **fields: str
    ) -> Reply:
        """A blocked message forwarded to spammail@ as an attachment, by its sender or by staff."""
        person = self.directory.person_at(sender)
        account = person.id if person is not None else None
        outer = mail(sender, SPAMMAIL, "Fwd: blocked", note, **fields)
        head, _, text = outer.partition(b"\r\n\r\n")
        head = head.replace(
            b"Content-Type: text/plain; charset=utf-8",
            b'Content-Type: multipart/mixed; boundary="edge"',
        )
        made = (
            head
            + b"\r\n\r\n--edge\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"
            + text
            + b"\r\n--edge\r\nContent-Type: message/rfc822\r\n\r\n"
            + raw
            + b"\r\n--edge--\r\n"
        )
        return await self._to_spammail(made, sender, account)

    async def write(self, sender: str, text: str, subject: str = "Request", **fields: str) -> Reply:
        """A new mail to spammail@."""
        person = self.directory.person_at(sender)
        raw = mail(sender, SPAMMAIL, subject, text, **fields)
        return await self._to_spammail(raw, sender, person.id if person is not None else None)

    async def respond(
        self,
        asked: Mail,
        text: str,
        sender: str = "",
        account: str | None = None,
        role: Role = Role.SUBMISSION,
    ) -> Reply:
        """An answer to a question, by default from whoever was asked."""
        sender = sender or asked.to[0]
        person = self.directory.person_at(sender)
        if account is None and role is Role.SUBMISSION:
            account = person.id if person is not None else None
        quoted = "\n".join(f"> {line}" for line in asked.text.splitlines())
        body = f"{text}\n\nOn Mon, Nov 2, 2026 at 9:00 AM EVUSD Mail <{SPAMMAIL}> wrote:\n{quoted}"
        message_id = str(asked.message["Message-ID"])
        raw = mail(sender, SPAMMAIL, f"Re: {asked.subject}", body, In_Reply_To=message_id)
        return await self._to_spammail(raw, sender, account, role)

    async def _to_spammail(
        self, raw: bytes, sender: str, account: str | None, role: Role | None = None
    ) -> Reply:
        role = role or (Role.SUBMISSION if account else Role.MX)
        return await self.accept(
            raw, [SPAMMAIL], NOTHING, account=account, reverse_path=sender, role=role
        )

    def cases_console(self, operator: str = "root") -> CaseConsole:
        return CaseConsole(self.case_steps, operator)

    async def round(self, *, summaries: bool = False) -> list[Mail]:
        """A turn, and then what it sends; the morning's summaries aside."""
        sent = await super().round()
        return [one for one in sent if summaries or "what waits on" not in one.subject]

    # What can be seen

    def case(self, number: int = 0) -> Case:
        tickets = self.tickets(Unblocking.kind)
        ticket = next(m for m in tickets if m.id == number) if number else tickets[-1]
        return CASE.load(ticket.state)

    def case_number(self) -> int:
        return self.tickets(Unblocking.kind)[-1].id

    def case_history(self, number: int = 0) -> list[str]:
        return self.history(number or self.case_number())

    def listed(self) -> dict[str, str]:
        """The unblocked list: address and origin."""
        return {entry.address: entry.origin for entry in at_once(self.state.unblocked.entries())}

    def kept(self) -> dict[str, str]:
        """Each kept copy's state, by recipient."""
        return {hold.recipient: hold.state for hold in at_once(self.state.ledger.holds(state=None))}


def questions(mails: Sequence[Mail]) -> list[Mail]:
    return [one for one in mails if one.kind == "question"]


def attached(one: Mail) -> bytes:
    """The message that is attached to a mail, as it stands there, its last line end included."""
    return b"\r\n".join(
        (
            one.raw.partition(b'filename="original-message.eml"\r\n\r\n')[2].rpartition(b"\r\n--")[
                0
            ],
            b"",
        )
    )
