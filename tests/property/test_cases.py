"""No sequence of requests, answers, forgeries, time-outs and crashes unblocks without approval,
loses a kept message, or tells anybody twice (R28 to R37).

The real store, clerk and outbox run; beside them stands what was said by whom who may say it.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from hypothesis import HealthCheck, Phase, event, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule
from sqlalchemy import select
from tests.support.at_once import at_once
from tests.support.office import Mail, moment
from tests.support.spam_office import BEN, CLUB, TARA, WANDA, SpamOffice

from mailguard.adapters.database.tables import letters, outbox
from mailguard.casework.quarantine import AlreadyDecided
from mailguard.casework.refusal import CommandRefused
from mailguard.casework.unblocking.case import CASE, Asks, Case, Query, Stage
from mailguard.casework.unblocking.handler import Unblocking
from mailguard.core.mail.transaction import Role
from mailguard.pipeline.ports import StoreError

_MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None  # a crash here is ours alone
SENDERS = ("rosa@example.com", "al@example.com", "eve@example.net")  # nothing proves the last
ANSWERERS = {TARA: "tara", BEN: "ben", CLUB: "ben", "nobodys@example.org": ""}
SOON = st.sampled_from([True, True, True, False])  # whether the desk has its turn at once
WORDS = {"yes": "Yes", "no": "No", "unsure": "Not sure", "perhaps": "When it rains"}


@dataclass
class Blocked:
    """A message that is kept."""

    sender: str
    raw: bytes
    to: tuple[str, ...]


@dataclass
class Allowed:
    """What was really said, by those who may say it."""

    reviewed: set[int] = field(default_factory=set)  # holds that a reviewer accepted
    yes: set[tuple[str, str]] = field(default_factory=set)  # (sender, person)
    answered: set[tuple[int, str]] = field(default_factory=set)  # (case, person)
    senders: set[str] = field(default_factory=set)  # by staff who vouch, or a decision
    elsewhere: set[int] = field(default_factory=set)  # holds decided past the case


class Cases(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.place = Path(tempfile.mkdtemp(prefix="mailguard-office-", dir=_MEMORY))
        self.runner = asyncio.Runner()
        self.office = SpamOffice(self.place)
        self.office.now = moment(5, 15)  # a Thursday afternoon
        self.blocked: list[Blocked] = []
        self.allowed = Allowed()
        self.number = 0

    @initialize(both=st.booleans(), review=st.booleans())
    def opening(self, both: bool, review: bool) -> None:
        """Most runs are to get further than to the first question."""
        self.block(SENDERS[0], [TARA, BEN] if both else [TARA])
        self._forward(self.blocked[0], SENDERS[0])
        self.turn(None)
        if review:
            _, query, mail = self.questions(Asks.REVIEW)[0]
            self.allowed.reviewed |= set(query.holds)
            self._answer(mail, "yes", False, WANDA)
            self.turn(None)

    # What comes in

    @rule(
        sender=st.sampled_from(SENDERS),
        to=st.lists(st.sampled_from(sorted(ANSWERERS)), min_size=1, max_size=3, unique=True),
    )
    def block(self, sender: str, to: list[str]) -> None:
        subject = f"Number {len(self.blocked)}."
        raw = self.runner.run(self.office.block(subject, tuple(to), sender))
        self.blocked.append(Blocked(sender, raw, tuple(to)))

    @rule(data=st.data(), twice=st.booleans(), by_staff=SOON.map(lambda soon: not soon), soon=SOON)
    def forward(self, data: st.DataObject, twice: bool, by_staff: bool, soon: bool) -> None:
        one = data.draw(st.sampled_from(self.blocked), label="message")
        self._forward(one, BEN if by_staff else one.sender, 2 if twice else 1)
        if by_staff:
            self.allowed.senders.add(one.sender)
        self._soon(soon)

    def _forward(self, one: Blocked, by: str, times: int = 1) -> None:
        note = f"please unblock {self._next()}"
        for _ in range(times):  # a client that comes back brings the same octets
            assert self.runner.run(self.office.forward(one.raw, by, note)).code == 250

    def _staff_writes(self, sender: str, report: bool) -> None:
        text = "please block this spammer" if report else "please unblock"
        self.runner.run(self.office.write(TARA, f"{text} {sender}", f"Request {self._next()}"))
        if not report:
            self.allowed.senders.add(sender)

    # Answers

    def questions(self, *asks: Asks) -> list[tuple[Case, Query, Mail]]:
        """Questions that were mailed: the newest open ones, and some that are over."""
        found = []
        for mail in self.mails():
            if mail.kind == "question":
                ticket = at_once(self.office.state.tickets.load(int(mail.token.partition("-")[0])))
                assert ticket is not None
                case = CASE.load(ticket.state)
                query = case.asked[int(mail.token.split("-")[1])]
                if query.asks in asks:
                    found.append((case, query, mail))
        return [one for one in found if not one[0].ended][-6:] + found[:3]

    @rule(
        data=st.data(), word=st.sampled_from(["yes", *sorted(WORDS)]), page=st.booleans(), soon=SOON
    )
    def recipient(self, data: st.DataObject, word: str, page: bool, soon: bool) -> None:
        found = self.questions(Asks.VERIFY)
        if not found:
            return
        case, query, mail = found[data.draw(st.integers(0, len(found) - 1), label="question")]
        number = int(mail.token.partition("-")[0])
        self.allowed.answered.add((number, query.who.person))
        if word == "yes":
            self.allowed.yes.add((case.addresses[0], query.who.person))
        self._answer(mail, word, page, query.who.mailbox)
        self._soon(soon)

    @rule(
        data=st.data(),
        word=st.sampled_from(["yes", "yes", "yes", "no"]),
        page=st.booleans(),
        soon=SOON,
    )
    def reviewer(self, data: st.DataObject, word: str, page: bool, soon: bool) -> None:
        found = self.questions(Asks.REVIEW, Asks.DECIDE)
        if not found:
            return
        case, query, mail = found[data.draw(st.integers(0, len(found) - 1), label="question")]
        if word == "yes":
            self.allowed.reviewed |= set(query.holds)
            if query.asks is Asks.DECIDE:
                self.allowed.senders |= set(case.addresses)
        self._answer(mail, word, page, WANDA)
        self._soon(soon)

    def _answer(self, mail: Mail, word: str, page: bool, mailbox: str) -> None:
        if page and word != "perhaps":
            shown = self.runner.run(self.office.desk.question(mail.page))
            if shown is not None and word in dict(shown.choices):
                assert self.runner.run(self.office.desk.answer(mail.page, word))
        else:
            self.runner.run(
                self.office.respond(mail, f"{WORDS[word]}.{' ' * self._next()}", mailbox)
            )

    @rule(data=st.data(), soon=SOON)
    def forge(self, data: st.DataObject, soon: bool) -> None:
        """A yes by a colleague, from outside under the right address, and with a bent token."""
        found = self.questions(*Asks)
        if not found:
            return
        _, query, mail = found[data.draw(st.integers(0, len(found) - 1), label="question")]
        bent = Mail(mail.kind, mail.to, mail.raw.replace(mail.token[-6:].encode(), b"aaaaaa"))
        for how in ("insider", "outside", "bent"):
            text = f"Yes{' ' * self._next()}"
            if how == "outside":
                self.runner.run(self.office.respond(mail, text, query.who.mailbox, role=Role.MX))
            else:
                about = bent if how == "bent" else mail
                self.runner.run(self.office.respond(about, text, "paula@example.org"))
        assert self.runner.run(self.office.desk.answer(mail.token, "yes")) is None  # no page's key
        self._soon(soon)

    # The console, and the quarantine's

    @rule(data=st.data(), what=st.sampled_from(["approve", "deny", "accept", "refuse", "ask"]))
    def console(self, data: st.DataObject, what: str) -> None:
        ticket = data.draw(st.sampled_from(self.office.tickets(Unblocking.kind)), label="case")
        case, console = CASE.load(ticket.state), self.office.cases_console()
        try:
            if what in ("approve", "deny"):
                self.runner.run(console.decide(ticket.id, what == "approve", ""))
            elif what == "ask":
                self.runner.run(console.ask(ticket.id, None))
            else:
                self.runner.run(console.review(ticket.id, what == "accept", ""))
        except CommandRefused:
            return
        if what in ("approve", "accept"):
            self.allowed.reviewed |= {copy.hold for copy in case.copies}
        if what == "approve":
            self.allowed.senders |= set(case.addresses)

    def _elsewhere(self, number: int, released: bool) -> None:
        holds = at_once(self.office.state.ledger.holds(state=None))
        one = holds[number % len(holds)]
        word = "released" if released else "discarded"
        try:
            self.runner.run(self.office.state.ledger.decide_hold([one.id], word, "root"))
        except AlreadyDecided:
            return
        self.allowed.elsewhere.add(one.id)

    # Time

    @rule(
        what=st.sampled_from(["wait", "wait", "staff", "elsewhere"]),
        number=st.integers(1, 60),
        other=st.booleans(),
    )
    def meanwhile(self, what: str, number: int, other: bool) -> None:
        if what == "staff":
            self._staff_writes(SENDERS[number % len(SENDERS)], other)
        elif what == "elsewhere":
            self._elsewhere(number, other)
        else:
            self.office.now += number * 3_600

    @rule(
        crash=st.sampled_from(
            [None, None, (0, "before"), (0, "after"), (1, "after"), (2, "before")]
        )
    )
    def turn(self, crash: tuple[int, str] | None) -> None:
        if crash is not None:
            self._crash(*crash)
        self.runner.run(self.office.round())
        self.agree()

    def _crash(self, at: int, when: str) -> None:
        """The desk ends at a commit, just before or just after it; memory is gone."""
        tickets = self.office.state.tickets
        real, left = tickets.move, [at]

        async def move(steps: object) -> None:
            left[0] -= 1
            if left[0] >= 0 or when == "after":
                await real(steps)  # type: ignore[arg-type]
            if left[0] < 0:
                raise StoreError("killed")

        tickets.move = move  # type: ignore[method-assign,assignment]
        try:
            self.runner.run(self.office.turn())
        except StoreError:
            pass
        finally:
            del tickets.move
        self.office.restart()

    def _soon(self, soon: bool) -> None:
        if soon:
            self.turn(None)

    # What must hold

    def mails(self) -> list[Mail]:
        wanted = select(outbox).order_by(outbox.c.id)
        sent = at_once(self.office.database.query(lambda c: c.execute(wanted).mappings().all()))
        return [
            Mail(row["kind"], tuple(row["recipients"]), self.office.state.blobs.read(row["digest"]))
            for row in sent
        ]

    def agree(self) -> None:
        office, allowed = self.office, self.allowed
        holds = at_once(office.state.ledger.holds(state=None))
        mails = self.mails()
        # Nothing is lost: each copy is kept or decided, and what is released leaves once, whole.
        assert len(holds) == sum(len(one.to) for one in self.blocked)
        let_go = [h for h in holds if h.state == "released" and h.id not in allowed.elsewhere]
        sent = Counter((m.to, m.raw.partition(b"From: ")[2]) for m in mails if m.kind == "release")
        assert sent == Counter(
            ((h.recipient,), office.state.blobs.read(h.digest).partition(b"From: ")[2])
            for h in let_go
        )
        # Nothing is released, and nobody listed, that nobody who may has allowed (R31, R32, R35).
        authors = {one.raw: one.sender for one in self.blocked}
        for hold in let_go:
            sender = authors[office.state.blobs.read(hold.digest)]
            assert hold.id in allowed.reviewed
            own = (sender, ANSWERERS[hold.recipient]) in allowed.yes
            assert own or sender in allowed.senders
        for address in office.listed():
            assert address in allowed.senders | {sender for sender, _ in allowed.yes}
        # One open case an address; what is open is waited for.
        tickets = office.tickets(Unblocking.kind)
        opened = [CASE.load(m.state) for m in tickets if m.closed_at is None]
        addresses = [address for case in opened for address in case.addresses]
        assert len(addresses) == len(set(addresses))
        for ticket in tickets:
            case = CASE.load(ticket.state)
            assert case.ended == (ticket.closed_at is not None)
            assert {(ticket.id, given.person) for given in case.given} <= allowed.answered
            if case.stage in (Stage.ASKED, Stage.UNSURE):
                assert ticket.wakes_at is not None
            if case.stage is Stage.APPROVED:
                assert set(case.addresses) <= set(office.listed())
        # Nobody is told twice (R33), and no unproven sender at all.
        told = Counter(
            (m.to, m.message["Message-ID"].partition("@")[0])
            for m in mails
            if m.kind in ("notice", "report")
        )
        assert all(count == 1 for count in told.values()), told
        approved = Counter(
            address
            for m in tickets
            if m.status == "approved"
            for address in CASE.load(m.state).addresses
        )
        outside = Counter(m.to[0] for m in mails if m.to[0] in SENDERS and "Unblocked" in m.subject)
        assert all(outside[address] <= approved[address] for address in SENDERS)
        assert not any("eve@example.net" in m.to for m in mails)

    def _next(self) -> int:
        self.number += 1
        return self.number

    def teardown(self) -> None:
        self.turn(None)
        for _ in range(12):  # silence ends every wait for recipients
            self.office.now += 86_400
            self.turn(None)
        for ticket in self.office.tickets(Unblocking.kind):
            event(CASE.load(ticket.state).stage.value)
        waits = {
            CASE.load(m.state).stage
            for m in at_once(self.office.state.tickets.find(Unblocking.kind))
        }
        assert waits <= {Stage.NEW, Stage.REVIEWED, Stage.CONFLICT}  # for reviewers
        unread = at_once(
            self.office.database.query(
                lambda c: c.execute(select(letters).where(letters.c.state == "waiting")).all()
            )
        )
        assert unread == []
        self.office.close()
        self.runner.close()
        shutil.rmtree(self.place)


Cases.TestCase.settings = settings(
    max_examples=15,
    stateful_step_count=40,
    deadline=None,
    phases=(Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink),
    suppress_health_check=list(HealthCheck),
)
TestCases = Cases.TestCase
