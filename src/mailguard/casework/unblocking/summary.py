"""The reviewers' morning: once each business day, what waits for them and since when (R29).

Owns when it is due and what it says. It is a ticket of its own kind, one a day, so that it is sent
once whoever else tries. Must not know how cases move.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from pydantic import TypeAdapter

from mailguard.casework.stored_state import readable, states_size
from mailguard.casework.tickets import KeptCopy, Ticket, TicketEvent, TicketUpdate
from mailguard.casework.unblocking import life
from mailguard.casework.unblocking.case import CASE, Case
from mailguard.casework.unblocking.steps import CaseSteps
from mailguard.core.decision.verdict import Disposition
from mailguard.core.notices import letter, notice
from mailguard.core.people.calendar import Calendar
from mailguard.core.record.formats import Format
from mailguard.pipeline.off_loop import off_loop_if_large
from mailguard.pipeline.ports import Outgoing

SUMMARY = "summary"


@dataclass(frozen=True, slots=True)
class Morning:
    """The state of one: that it was sent is all there is."""


MORNING = Format("summary", TypeAdapter(Morning))
_SHOWN = 100  # cases
_COUNTED = 10_000  # kept copies


class Summaries:
    """Remembers which day is done; what it forgets, the database knows."""

    def __init__(self) -> None:
        self._done: date | None = None

    def is_due(self, calendar: Calendar, now: float) -> bool:
        """Whether the district has opened on a business day that is not done."""
        local = calendar.local(now)
        today = local.date()
        if today == self._done or not calendar.is_business_day(today):
            return False
        return local.time() >= calendar.opens

    async def turn(self, steps: CaseSteps, now: float) -> None:
        """Send today's, where anything waits."""
        work = steps.work
        calendar = work.snapshot().calendar
        if not self.is_due(calendar, now):
            return
        today = calendar.local(now).date()
        cases = await work.tickets.find(CASE.name)
        kept = await work.tickets.unclaimed(Disposition.QUARANTINE, _COUNTED)
        if cases or kept:
            await _Summary(steps, today, now).send(cases, kept)
        self._done = today


@dataclass(frozen=True)
class _Summary:
    steps: CaseSteps
    today: date
    now: float

    async def send(self, cases: Sequence[Ticket], kept: Sequence[KeptCopy]) -> None:
        steps, today, now = self.steps, self.today.isoformat(), self.now
        work = steps.work
        ticket = await work.tickets.new(SUMMARY, today, now)
        if ticket.version:
            return
        text = await off_loop_if_large(states_size(cases), self._text, cases, kept)
        people = [p.addresses[0] for p in steps.reviewers(now) if p.addresses]
        mailboxes = people or [work.snapshot().district.spammail]
        line = TicketEvent(now, "mailguard", "sent", ", ".join(mailboxes))
        sent = TicketUpdate(
            ticket.id,
            ticket.version,
            "sent",
            MORNING.dump(Morning()),
            history=(line,),
            outgoing=tuple(self._mail(mailbox, text) for mailbox in mailboxes),
            closes=True,
        )
        await work.tickets.move([sent])
        work.desk.outbox.ring()

    def _mail(self, mailbox: str, text: str) -> Outgoing:
        district, today = self.steps.work.snapshot().district, self.today.isoformat()
        subject = f"Blocked mail: what waits on {today}"
        name = f"summary-{today}|"
        composed = letter.plain(district, mailbox, subject, text, name, self.now)
        key = f"summary|{today}|{mailbox}"
        return Outgoing(key, "report", "", (mailbox,), letter.compose(composed))

    def _text(self, cases: Sequence[Ticket], kept: Sequence[KeptCopy]) -> str:
        snapshot, now = self.steps.work.snapshot(), self.now
        at = self.steps.at(now)
        slots = notice.district_slots(snapshot.district)
        paragraphs = [notice.fill(snapshot.notices["case-summary"], slots)]
        read = sorted(
            ((life.due_at(case, at), one.id, case) for one, case in readable(CASE, cases)),
            key=lambda found: found[:2],
        )
        overdue = sum(life.is_overdue(case, at) for _, _, case in read)
        paragraphs.append(f"Requests to unblock: {len(read)} open, {overdue} overdue.")
        lines = [self._line(number, case, due) for due, number, case in read[:_SHOWN]]
        if lines:
            paragraphs.append("\n".join(lines))
        if len(read) > _SHOWN:
            paragraphs.append(f"and {len(read) - _SHOWN} more: mailguard cases list")
        if kept:
            days = (now - kept[0].created_at) / 86_400.0
            more = " or more" if len(kept) >= _COUNTED else ""
            paragraphs.append(
                f"In quarantine, asked for by nobody: {len(kept)}{more} copies; the oldest has "
                f"waited {days:.0f} days (number {kept[0].id}). To look: mailguard quarantine list"
            )
        return "\n\n".join(paragraphs)

    def _line(self, number: int, case: Case, due: float) -> str:
        at = self.steps.at(self.now)
        local = at.calendar.local(due)
        late = "OVERDUE, " if life.is_overdue(case, at) else ""
        senders = ", ".join(case.addresses[:3]) or "nothing we keep"
        subject = case.told[0].subject[:80] if case.told else ""
        return (
            f"{number}: {senders} – {subject} ({case.stage.value}; {late}due {local:%d %b %H:%M})"
        )
