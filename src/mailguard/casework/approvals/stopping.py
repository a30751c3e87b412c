"""How a message is stopped that was let go, or that needed no approval (R21).

Owns what can still be taken back, and who may stop what. Must not know how STOP was said.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass, replace

from mailguard.casework.approvals import approvers, life
from mailguard.casework.approvals.life import Approval, ApprovalAnswer, ApprovalOutcome
from mailguard.casework.approvals.mail import about
from mailguard.casework.approvals.opening import sender_to_tell
from mailguard.casework.approvals.steps import ApprovalSteps
from mailguard.casework.approvals.withdrawal import Withdrawal
from mailguard.casework.engine import Engine
from mailguard.casework.tickets import Ticket, UnreadMail
from mailguard.casework.workflow import Move
from mailguard.core.mail.message import Message
from mailguard.core.people.model import Person
from mailguard.core.sender import directory_lookups
from mailguard.pipeline.judged_message import JudgedMessage
from mailguard.pipeline.off_loop import off_loop_if_large, weight
from mailguard.pipeline.ports import Outgoing

_STOPPABLE = 7 * 86_400.0  # seconds for which a message can be named by its Message-ID


@dataclass(frozen=True)
class Stopping:
    """Every method that writes is one commit a message."""

    engine: Engine[Approval]
    steps: ApprovalSteps

    async def of(self, ticket: Ticket) -> Withdrawal:
        """What of all that an approval released has not left yet."""
        holds = await self.steps.work.tickets.holds_of(ticket.id)
        gone = [hold for hold in holds if hold.state == "released"]
        return await self._withdrawal(dict.fromkeys(h.transaction_id for h in gone), len(gone))

    async def _withdrawal(self, transactions: Iterable[str], released: int) -> Withdrawal:
        leaving = self.steps.work.tickets.leaving
        found = [entry for one in transactions for entry in await leaving(one)]
        number = sum(len(recipients) for _, recipients in found)
        entries = tuple(entry for entry, _ in found)
        return Withdrawal(entries, number, max(0, released - number))

    async def named(
        self, mail: UnreadMail, judged: JudgedMessage, person: Person, remark: str
    ) -> None:
        """STOP about a message that needed no approval, named by an answer to it: by the
        administration of its sender's site, or by Technology Services."""
        engine, work = self.engine, self.steps.work
        now = work.desk.clock()
        given = ApprovalAnswer(person.id, person.name, False, now, "mail", remark)
        theirs: list[tuple[JudgedMessage, Approval, Withdrawal]] = []
        async for transactions in self._named(judged.transaction.message, now):
            for transaction_id in transactions:
                sent = await work.take_up(transaction_id)
                if self._may(person, sent, now):
                    theirs.append((sent, *await self._sent(sent, now)))
            if theirs:
                break
        if not theirs:
            notes = engine.refusal(mail, judged)
            await engine.settle(mail, "stop: no message that is theirs to stop", notes)
            return
        # A mail program may send a message in several transactions, and anybody may send another
        # one under its Message-ID: all of them are stopped, the letter is done with the last.
        left = [one for one in theirs if one[2].entries]
        sent, approval, _ = (left or theirs)[-1]
        taken = Withdrawal.of(each for _, _, each in left or theirs)
        template = "approval-stop" if left else "approval-too-late"
        slots = {"outcome": taken.words(), "number": sent.transaction.id}
        none = Ticket(0, engine.kind, 0, "", b"")
        post = self.steps.mailer(none, approval, now)
        notes = engine.note(
            judged,
            lambda to, answering: post.on_mail(template, to, mail.id, answering, slots),
        )
        if not left:
            await engine.settle(mail, f"stop: {taken.words()}", notes)
            return
        by = person.addresses[0]
        for one, _, _ in left[:-1]:
            await self.stop(one, given, by)
        await self.stop(sent, given, by, mail=mail.id, notes=notes)

    async def _named(self, message: Message, now: float) -> AsyncIterator[Sequence[str]]:
        """The transactions of each Message-ID that an answer names, the likeliest first."""
        sent_as = self.steps.work.tickets.sent_as
        for name in ("In-Reply-To", "References"):
            for message_id in reversed(message.value(name)[-2_000:].split()):
                yield await sent_as(message_id, now - _STOPPABLE)

    def _may(self, person: Person, sent: JudgedMessage, now: float) -> bool:
        """Whether this person may stop a message that needed no approval, as of now."""
        snapshot = self.steps.work.snapshot()
        sender = approvers.sender_of(sent.transaction, sent.facts, snapshot.directory)
        today = directory_lookups.day_at(now, snapshot.district.time_zone)
        sender = replace(sender, barred=frozenset())  # they may stop their own
        office = approvers.in_office(sender, sent.facts.administrators, snapshot.directory, today)
        return person.id in office

    async def _sent(self, sent: JudgedMessage, now: float) -> tuple[Approval, Withdrawal]:
        """A message that needed no approval, as if it had one; and what of it can be taken back."""
        transaction, recipients, work = sent.transaction, sent.plan.forwarded, self.steps.work
        sender = approvers.sender_of(transaction, sent.facts, work.snapshot().directory)
        approval = Approval(
            digest=sent.digest,
            about=await off_loop_if_large(weight(transaction), about, sent, recipients),
            seats=(),
            asked=(),
            tells=sender_to_tell(work, sent, sender),
            opened_at=now,
            outcome=ApprovalOutcome.GRANTED,
        )
        return approval, await self._withdrawal((transaction.id,), len(recipients))

    async def stop(
        self,
        sent: JudgedMessage,
        given: ApprovalAnswer,
        by: str,
        *,
        mail: int | None = None,
        notes: Sequence[Outgoing] = (),
    ) -> Withdrawal:
        """Stop such a message, on a record of its own; nothing is written where nothing is left."""
        engine, now = self.engine, given.at
        approval, taken = await self._sent(sent, now)
        if taken.entries:
            key = f"stop|{sent.transaction.id}|{taken.entries}"
            ticket = await engine.work.tickets.new(engine.kind, key, now)
            step = life.stopped(approval, given)
            change = self.steps.change(ticket, step, now, taken, taken.words())
            await engine.move(Move(ticket, change, now, by, mail=mail, notes=notes))
        return taken
