"""No sequence of answers, time-outs, repetitions and crashes delivers what was not approved, loses
what is held, or leaves a sender untold (R18, R20).

A small model of the rules runs beside the real store, clerk and outbox, and must agree with them.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from sqlalchemy import select
from tests.support.at_once import at_once
from tests.support.office import (
    ANNOUNCEMENT,
    CALENDAR,
    CEDAR,
    DAY,
    MAPLE,
    NEEDS,
    PEOPLE,
    TERMS,
    Mail,
    Office,
    moment,
)

from mailguard.adapters.database.tables import outbox
from mailguard.casework.approvals.life import ApprovalOutcome
from mailguard.casework.refusal import CommandRefused
from mailguard.pipeline.ports import StoreError

_MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None  # a crash here is ours alone
TARA = "tara@example.org"
APPROVERS = ("paula", "tomas")
WORDS = {"yes": "Yes", "no": "No", "stop": "Stop", "perhaps": "Maybe, if it rains"}
ENDS = ("Approved:", "Not approved:", "Not delivered:", "Stopped:")


@dataclass
class Message:
    """What should be of one message."""

    subject: str
    code: str
    to: tuple[str, ...]
    opened_at: float | None = None
    outcome: ApprovalOutcome = ApprovalOutcome.WAITING
    beforehand: bool = False  # nobody was bothered
    delivered: bool = False
    ends: int = 0  # of which the sender hears
    yes: set[str] = field(default_factory=set)
    questions: dict[str, Mail] = field(default_factory=dict)  # by person

    def said(self, person: str, word: str) -> None:
        """What one answer by somebody who was asked makes of it."""
        if word == "stop" and self.outcome is ApprovalOutcome.GRANTED and not self.delivered:
            self.end(ApprovalOutcome.STOPPED)
        if self.outcome is not ApprovalOutcome.WAITING or word == "perhaps":
            return
        if word == "yes":
            self.yes.add(person)
            wanted = 2 if self.code == ANNOUNCEMENT else 1
            if len(self.yes & set(APPROVERS)) >= wanted or person == "console":
                self.end(ApprovalOutcome.GRANTED)
        else:
            self.end(ApprovalOutcome.STOPPED if word == "stop" else ApprovalOutcome.DENIED)

    def end(self, outcome: ApprovalOutcome) -> None:
        self.outcome = outcome
        self.ends += 1


class Approvals(RuleBasedStateMachine):
    @initialize()
    def begin(self) -> None:
        self.place = Path(tempfile.mkdtemp(prefix="mailguard-office-", dir=_MEMORY))
        self.runner = asyncio.Runner()
        self.office = Office(self.place)
        self.office.now = moment(5, 15)  # a Thursday afternoon
        self.messages: list[Message] = []
        self.letters: list[tuple[Message, str, str]] = []  # not read yet
        self.grants: list[str] = []  # by whom, each for one message to MAPLE

    @rule(code=st.sampled_from([NEEDS, ANNOUNCEMENT]), both=st.booleans())
    def send(self, code: str, both: bool) -> None:
        to = (MAPLE, CEDAR) if both else (MAPLE,)
        one = Message(f"Number {len(self.messages)}.", code, to)
        self.messages.append(one)
        assert self.runner.run(self.office.send(code, subject=one.subject, to=to)).code == 250

    @rule(giver=st.sampled_from(APPROVERS))
    def grant(self, giver: str) -> None:
        self.grants.append(giver)
        console = self.office.console()
        self.runner.run(
            console.grant(
                sender="tara",
                group=MAPLE,
                first=None,
                last=date(2027, 6, 1),
                count=1,
                giver=PEOPLE[giver],
                reference="Memo",
            )
        )

    def asked(self) -> list[Message]:
        return [one for one in self.messages if one.questions]

    @precondition(lambda self: self.asked())
    @rule(data=st.data(), person=st.sampled_from(APPROVERS), twice=st.booleans())
    def answer(self, data: st.DataObject, person: str, twice: bool) -> None:
        one = data.draw(st.sampled_from(self.asked()), label="message")
        word = data.draw(st.sampled_from(sorted(WORDS)), label="answer")
        if person not in one.questions:
            return
        for _ in range(2 if twice else 1):  # a client that comes back brings the same octets
            reply = self.runner.run(self.office.reply(one.questions[person], WORDS[word]))
            assert reply.code == 250
        self.letters.append((one, person, word))

    @precondition(lambda self: self.asked())
    @rule(data=st.data(), who=st.sampled_from(["tara@example.org", "sam@example.org"]))
    def forge(self, data: st.DataObject, who: str) -> None:
        one = data.draw(st.sampled_from(self.asked()), label="message")
        question = next(iter(one.questions.values()))
        self.runner.run(self.office.reply(question, "Yes", sender=who))

    @precondition(lambda self: self.asked())
    @rule(data=st.data(), person=st.sampled_from(APPROVERS), word=st.sampled_from(["yes", "no"]))
    def press(self, data: st.DataObject, person: str, word: str) -> None:
        """An answer by the page."""
        one = data.draw(st.sampled_from(self.asked()), label="message")
        if person in one.questions:
            assert self.runner.run(self.office.desk.answer(one.questions[person].page, word))
            one.said(person, word)

    @precondition(lambda self: self.asked())
    @rule(data=st.data(), yes=st.booleans())
    def decide(self, data: st.DataObject, yes: bool) -> None:
        """An answer by the console."""
        one = data.draw(st.sampled_from(self.asked()), label="message")
        number = int(next(iter(one.questions.values())).token.partition("-")[0])
        try:
            self.runner.run(self.office.console().decide(number, yes, ""))
        except CommandRefused:
            assert one.outcome is not ApprovalOutcome.WAITING
        else:
            assert one.outcome is ApprovalOutcome.WAITING
            one.said("console", "yes" if yes else "no")

    @rule(hours=st.integers(1, 60))
    def wait(self, hours: int) -> None:
        self.office.now += hours * 3_600

    @rule(
        crash=st.sampled_from(
            [None, None, (0, "before"), (0, "after"), (1, "after"), (2, "before")]
        )
    )
    def turn(self, crash: tuple[int, str] | None) -> None:
        if crash is not None:
            self._crash(*crash)
        self.runner.run(self.office.turn())
        self._expect()
        for one in self.office.waiting():
            if one.kind == "question":
                message = next(m for m in self.messages if m.subject in one.subject)
                person = self.office.directory.person_at(one.to[0])
                assert person is not None
                message.questions.setdefault(person.id, one)
        self.runner.run(self.office.deliver())
        for one in self.messages:
            one.delivered = one.outcome is ApprovalOutcome.GRANTED
        self.agree()

    def _crash(self, at: int, when: str) -> None:
        """The desk ends at a commit, just before or just after it; memory is gone."""
        tickets = self.office.state.tickets
        real, left = tickets.move, [at]

        async def move(steps: object) -> None:
            left[0] -= 1
            if left[0] >= 0:
                await real(steps)  # type: ignore[arg-type]
                return
            if when == "after":
                await real(steps)  # type: ignore[arg-type]
            raise StoreError("killed")

        tickets.move = move  # type: ignore[method-assign,assignment]
        try:
            self.runner.run(self.office.turn())
        except StoreError:
            pass
        finally:
            del tickets.move
        self.office.restart()

    def _expect(self) -> None:
        """What a turn should have done: letters in order, then the clock, then what is new."""
        now = self.office.now
        for one, person, word in self.letters:
            one.said(person, word)
        self.letters.clear()
        for one in self.messages:
            if one.opened_at is None:
                one.opened_at = now
                self._granted(one)
            elif one.outcome is ApprovalOutcome.WAITING and now >= CALENDAR.after(
                one.opened_at, TERMS.expiry * DAY
            ):
                one.end(ApprovalOutcome.EXPIRED)

    def _granted(self, one: Message) -> None:
        if one.to != (MAPLE,):
            return
        for giver in dict.fromkeys(self.grants):
            if one.outcome is ApprovalOutcome.WAITING:
                self.grants.remove(giver)
                one.said(giver, "yes")
        one.beforehand = one.outcome is ApprovalOutcome.GRANTED
        one.ends = 0

    def agree(self) -> None:
        office = self.office
        sent = at_once(
            office.database.query(
                lambda c: c.execute(select(outbox).order_by(outbox.c.id)).mappings().all()
            )
        )
        mails = [
            Mail(row["kind"], tuple(row["recipients"]), office.state.blobs.read(row["digest"]))
            for row in sent
            if row["state"] != "withdrawn"
        ]
        by_subject = {}
        for ticket in office.tickets():
            state = office.approval(ticket.id)
            by_subject[state.about.subject] = (ticket, state)
        for one in self.messages:
            ticket, state = by_subject[one.subject]
            assert state.outcome is one.outcome, (one, office.history(ticket.id))
            copies = [m for m in mails if m.kind == "release" and one.subject in m.subject]
            granted = one.outcome is ApprovalOutcome.GRANTED
            assert sorted(m.to for m in copies) == (sorted((r,) for r in one.to) if granted else [])
            kept = {h.state for h in at_once(office.state.tickets.holds_of(ticket.id))}
            over = {ApprovalOutcome.WAITING: "waiting", ApprovalOutcome.GRANTED: "released"}
            before = (
                one.outcome is ApprovalOutcome.STOPPED and one.ends == 2
            )  # it was released before
            assert kept == {"released" if before else over.get(one.outcome, "discarded")}
            told = [
                m for m in mails
                if m.to == (TARA,) and m.kind == "notice" and m.subject.endswith(one.subject)
            ]  # fmt: skip
            ends = [m for m in told if m.subject.startswith(ENDS)]
            assert len(told) - len(ends) == (0 if one.beforehand else 1)
            assert len(ends) == one.ends
        assert not at_once(office.state.tickets.unclaimed(office.approval_disposition))

    def teardown(self) -> None:
        if not hasattr(self, "office"):
            return
        self.turn(None)
        self.office.now += 30 * DAY
        self.turn(None)
        assert all(one.outcome is not ApprovalOutcome.WAITING for one in self.messages)
        assert not at_once(self.office.state.tickets.find("approval"))
        self.office.close()
        self.runner.close()
        shutil.rmtree(self.place)


Approvals.TestCase.settings = settings(
    max_examples=15,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
TestApprovals = Approvals.TestCase
