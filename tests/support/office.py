"""A small district whose held mail really goes through store, clerk and outbox, without SMTP.

`Office` has a clock that is moved by hand. `accept` judges and keeps a message as `serve` does;
`turn` is the desk's; `deliver` takes what the outbox would have sent.
"""

from __future__ import annotations

import email
import email.message
import email.policy
import re
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import select
from tests.support.at_once import at_once
from tests.support.steps import Says
from tests.support.story import Ports, World, make_world

from mailguard.adapters.database.engine import Database
from mailguard.adapters.database.tables import outbox
from mailguard.adapters.state import StateDirectory
from mailguard.casework.approvals.console import ApprovalConsole
from mailguard.casework.approvals.handler import Approvals
from mailguard.casework.approvals.life import APPROVAL, Approval, ApprovalDeadlines
from mailguard.casework.engine import Engine
from mailguard.casework.grants.console import GrantConsole
from mailguard.casework.grants.handler import Grants
from mailguard.casework.inbox import Inbox
from mailguard.casework.tickets import Ticket
from mailguard.casework.workflow import Work
from mailguard.checks import CHECKS
from mailguard.config.notices import TEMPLATES
from mailguard.core.decision.policy import CheckSettings, FindingType, Policy, PolicyStep
from mailguard.core.decision.verdict import Disposition, Finding, Verdict
from mailguard.core.mail import mime
from mailguard.core.mail.reply import Reply
from mailguard.core.mail.transaction import Envelope, Listener, Role, Transaction
from mailguard.core.people.calendar import Calendar
from mailguard.core.people.directory import Directory
from mailguard.core.people.district import District
from mailguard.core.people.model import Account, Group, Person, Site
from mailguard.pipeline.judged_message import JudgedMessage
from mailguard.pipeline.ports import Deskwork
from mailguard.pipeline.replay import Replaying, replay
from mailguard.pipeline.snapshot import Snapshot

ZONE = "America/Los_Angeles"
DISTRICT = District(
    name="Example Valley Unified School District",
    short_name="EVUSD",
    domains=("example.org",),
    spammail="spammail@example.org",
    postmaster="postmaster@example.org",
    authserv_id="mx.example.org",
    approvals="approvals@example.org",
    copy_page_url="https://mail.example.org",
    time_zone=ZONE,
)
APPROVALS = DISTRICT.approvals
PEOPLE = {
    p.id: p
    for p in (
        Person("tara", "Tara Olive", ("tara@example.org",), sites=("oak",), manager="paula"),
        Person("paula", "Paula Pine", ("paula@example.org", "principal@example.org"),
               sites=("oak",)),
        Person("tomas", "Tomas Birch", ("tomas@example.org",), sites=("it",),
               roles=("technology_services_director",)),
        Person("gloria", "Gloria Redwood", ("gloria@example.org",), sites=("it",)),
        Person("sam", "Sam Juniper", ("sam@example.org",), sites=("oak",), supports=("paula",)),
        Person("ben", "Ben Poplar", ("ben@example.org",), sites=("maple",)),
    )
}  # fmt: skip
SITES = {
    "oak": Site("oak", "Oak Elementary School", administrators=("paula",)),
    "maple": Site("maple", "Maple Middle School"),
    "it": Site("it", "Technology Services", "department", administrators=("gloria", "tomas")),
}
MAPLE, CEDAR = "maple@example.org", "cedar@example.org"
GROUPS = {
    MAPLE: Group(MAPLE, "Maple Staff", members=("ben",)),
    CEDAR: Group(CEDAR, "Cedar Staff", members=("ben", "sam")),
}
ACCOUNTS = {p.id: Account(p.id, p.addresses, p.id) for p in PEOPLE.values()} | {
    "front": Account("front", ("front@example.org",), None, "generic", "paula", "desk", ("sam",))
}
DIRECTORY = Directory(PEOPLE, SITES, GROUPS, ACCOUNTS)
CALENDAR = Calendar(holidays={date(2026, 11, 26): "Thanksgiving"}, time_zone=ZONE)
TERMS = ApprovalDeadlines(1, 3)
DAY = 86_400.0


def moment(day: int, hour: int = 9, month: int = 11) -> float:
    """November 2026 on the district's clocks; the 2nd is a Monday."""
    return datetime(2026, month, day, hour, tzinfo=ZoneInfo(ZONE)).timestamp()


DECLARED = {kind.code: kind for check in CHECKS for kind in check.findings}


def held(*codes: str, recipients: Sequence[str] = (MAPLE,)) -> Policy:
    """A policy that holds the copies of these recipients for these reasons."""
    found = tuple(Finding(c, f"held for {c}.", tuple(recipients), ("R18",)) for c in codes)
    waits = FindingType("", "waits", ("R18",), Disposition.HOLD)
    kinds = tuple(DECLARED.get(c) or replace(waits, code=c) for c in codes)
    says = Says("says", Verdict("says", found), kinds)
    step = PolicyStep(says, CheckSettings(), dict.fromkeys(codes, Disposition.HOLD))
    return Policy((step,), "held " + " ".join((*codes, *recipients)))


NOTHING = Policy((), "nothing")
NEEDS = "group-rights.needs-approval"
ANNOUNCEMENT = "group-rights.announcement"


@dataclass
class Mail:
    """What the outbox sent."""

    kind: str
    to: tuple[str, ...]
    raw: bytes

    @property
    def message(self) -> email.message.EmailMessage:
        return email.message_from_bytes(self.raw, policy=email.policy.default)  # type: ignore[return-value]

    @property
    def text(self) -> str:
        body = self.message.get_body(("plain",))
        assert body is not None
        return str(body.get_content())

    @property
    def subject(self) -> str:
        return str(self.message["Subject"])

    @property
    def token(self) -> str:
        found = re.search(r"\[#([^\]]+)\]", self.subject)
        assert found, self.subject
        return found[1]

    @property
    def page(self) -> str:
        """The key in the address of the question's page."""
        found = re.search(r"/answer/([0-9a-z-]+)", self.text)
        assert found, self.text
        return found[1]


@dataclass(frozen=True)
class OfficeConsole(ApprovalConsole):
    """The console of approvals and of grants, as the command has them."""

    grants: GrantConsole

    async def grant(self, **given: Any) -> int:
        return await self.grants.grant(**given)

    async def revoke(self, number: int) -> None:
        await self.grants.revoke(number)


@dataclass
class Office:
    """One open state with its workflows."""

    approval_disposition = Disposition.HOLD

    path: Path
    url: str = ""
    now: float = field(default_factory=lambda: moment(2))
    directory: Directory = DIRECTORY
    calendar: Calendar = CALENDAR
    terms: ApprovalDeadlines = TERMS
    relay_vouches: bool = True

    def __post_init__(self) -> None:
        if not self.url:
            _prepared(self.path)
        self.state = StateDirectory.open(self.path, self.url)
        self.state.tickets._clock = lambda: self.now
        self.policies: dict[str, Policy] = {}
        self.number = 0
        self.relayed: list[Mail] = []
        self.next_reply = Reply(250, "2.0.0 Ok")
        self.snapshot = Snapshot(
            DISTRICT,
            NOTHING,
            self.directory,
            {},
            {name: template.text for name, template in TEMPLATES.items()},
            "d",
            (b"k" * 32,),
            self.calendar,
        )
        self.world: World = make_world(Ports()).but(
            archive=self.state.blobs,
            ledger=self.state.ledger,
            next_hop=self,
            clock=lambda: self.now,
            notices=self.state.notices,
        )
        self.restart()

    def restart(self) -> None:
        """What memory there was is gone, as after a crash."""
        desk = Deskwork(lambda: self.now, self.state.notices, self.world.delivery.outbox)
        self.work = Work(self.state.tickets, lambda: self.snapshot, self.take_up, desk)
        self.grants = Grants(self.work)
        self.steps = Approvals(self.work, self.terms, self.grants, self.relay_vouches)
        self.open_desk(Engine(self.steps), Engine(self.grants))

    def open_desk(self, *handlers: Engine[Any]) -> None:
        """Where letters are read, and tickets come due."""
        delivery, tickets = self.world.delivery, self.state.tickets
        desks = {one.desk: one for one in handlers if one.desk}
        kinds = {one.kind: one for one in handlers}
        self.desk = Inbox(
            *(tickets, tickets, self.take_up, desks, kinds, self._unread),
            delivery.clock,
            delivery.desk,
        )

    def close(self) -> None:
        self.state.close()

    @property
    def database(self) -> Database:
        return self.state.database

    async def _unread(self, letter: object) -> tuple[()]:
        raise AssertionError(f"{letter} could not be read")

    async def take_up(self, transaction_id: str) -> JudgedMessage:
        entry = await self.state.ledger.find(transaction_id)
        if entry is None:
            raise KeyError(transaction_id)
        raw = await self.state.blobs.fetch(entry.digest)
        snapshot = replace(self.snapshot, policy=self.policies[entry.policy_digest])
        return await replay(
            entry, raw, snapshot, Replaying(self.world.judging.reader, self.world.terms)
        )

    # The next hop

    async def relay(
        self, reverse_path: str, recipients: Sequence[str], raw: bytes, **_: object
    ) -> dict[str, Reply]:
        if self.next_reply.positive:
            self.relayed.append(Mail("relayed", tuple(recipients), raw))
        return dict.fromkeys(recipients, self.next_reply)

    # What people do

    async def accept(
        self,
        raw: bytes,
        recipients: Sequence[str],
        policy: Policy = NOTHING,
        *,
        account: str | None = "tara",
        reverse_path: str = "tara@example.org",
        role: Role = Role.SUBMISSION,
        acting: str | None = None,
    ) -> Reply:
        """One message through the whole story."""
        self.number += 1
        self.policies[policy.digest] = policy
        envelope = Envelope(
            reverse_path, tuple(recipients), "192.0.2.9", "", "desk", account, acting=acting
        )
        listener = Listener(role.value, role)
        one = Transaction(f"{self.number:026}", self.now, listener, envelope, mime.parse(raw))
        return await self.world.accept(one, replace(self.snapshot, policy=policy))

    async def send(
        self, *codes: str, subject: str = "Bake sale", to: Sequence[str] = (MAPLE,), **who: str
    ) -> Reply:
        """A message that is held for these reasons."""
        sender = who.get("reverse_path", "tara@example.org")
        raw = mail(sender, ", ".join(to), subject)
        return await self.accept(raw, to, held(*codes, recipients=to), **who)  # type: ignore[arg-type]

    async def reply(
        self,
        asked: Mail,
        text: str,
        *,
        account: str | None = None,
        sender: str = "",
        role: Role = Role.SUBMISSION,
        **fields: str,
    ) -> Reply:
        """An answer to a question, by default from whoever was asked."""
        sender = sender or asked.to[0]
        if account is None and role is Role.SUBMISSION:
            person = self.directory.person_at(sender)
            account = person.id if person is not None else None
        quoted = "\n".join(f"> {line}" for line in asked.text.splitlines())
        raw = mail(
            sender,
            APPROVALS,
            f"Re: {asked.subject}",
            f"{text}\n\nOn Mon, Nov 2, 2026 at 9:00 AM EVUSD Mail <{APPROVALS}> wrote:\n{quoted}",
            In_Reply_To=str(asked.message["Message-ID"]),
            **fields,
        )
        return await self.accept(raw, [APPROVALS], account=account, reverse_path=sender, role=role)

    async def turn(self) -> None:
        await self.desk.turn()

    def console(self, operator: str = "root") -> OfficeConsole:
        return OfficeConsole(self.steps, operator, GrantConsole(self.grants, operator))

    # What can be seen

    def tickets(self, kind: str = Approvals.kind) -> list[Ticket]:
        return list(at_once(self.state.tickets.find(kind, open_only=False)))

    def approval(self, number: int = 0) -> Approval:
        tickets = self.tickets()
        ticket = tickets[-1] if not number else next(m for m in tickets if m.id == number)
        return APPROVAL.load(ticket.state)

    def history(self, number: int = 0) -> list[str]:
        ticket = number or self.tickets()[-1].id
        return [line.what for line in at_once(self.state.tickets.history(ticket))]

    def waiting(self) -> list[Mail]:
        """What the outbox has still to send."""
        wanted = select(outbox).where(outbox.c.state == "waiting").order_by(outbox.c.id)
        rows = at_once(self.database.query(lambda c: c.execute(wanted).mappings().all()))
        return [
            Mail(row["kind"], tuple(row["recipients"]), self.state.blobs.read(row["digest"]))
            for row in rows
        ]

    async def deliver(self) -> list[Mail]:
        """Send all that the outbox has."""
        leased = await self.state.outbox.lease("test", self.now, 60.0, 1_000)
        sent = []
        for entry in leased:
            sent.append(Mail(entry.kind, entry.recipients, self.state.blobs.read(entry.digest)))
            await self.state.outbox.sent(entry.id, "250 ok", self.now)
        self.relayed += [mail for mail in sent if mail.kind == "release"]
        return sent

    async def round(self) -> list[Mail]:
        """A turn, and then what it sends."""
        await self.turn()
        return await self.deliver()


@cache
def _migrated() -> bytes:
    """An empty database, made once: its migrations take longer than most tests."""
    with tempfile.TemporaryDirectory() as place:
        StateDirectory.open(Path(place)).close()
        return (Path(place) / "mailguard.db").read_bytes()


def _prepared(path: Path) -> None:
    path.mkdir(exist_ok=True)
    if not (path / "mailguard.db").exists():
        (path / "mailguard.db").write_bytes(_migrated())


def mail(
    sender: str, to: str, subject: str, text: str = "Hello all,\nplease come.", **fields: str
) -> bytes:
    """A plain message."""
    lines = [
        f"From: {sender}",
        f"To: {to}",
        f"Subject: {subject}",
        "Date: Mon, 02 Nov 2026 09:00:00 -0800",
        f"Message-ID: <{abs(hash((sender, to, subject, text)))}@desk.example.org>",
        *(f"{name.replace('_', '-')}: {value}" for name, value in fields.items()),
        "MIME-Version: 1.0",
        "Content-Type: text/plain; charset=utf-8",
        "",
        *text.split("\n"),
        "",
    ]
    return "\r\n".join(lines).encode()


def to(mails: Sequence[Mail], mailbox: str) -> list[Mail]:
    """Those that a mailbox got."""
    return [one for one in mails if mailbox in one.to]
