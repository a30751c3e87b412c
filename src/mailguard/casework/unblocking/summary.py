"""The reviewers' morning: once each business day, what waits for them and since when (R29).

Owns when it is due and what it says. It is a matter of its own kind, one a day, so that it is sent
once whoever else tries. Must not know how cases move.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from pydantic import TypeAdapter

from mailguard.casework.tickets import KeptCopy, Ticket, TicketEvent, TicketUpdate
from mailguard.casework.unblocking import life as life
from mailguard.casework.unblocking.case import Case
from mailguard.casework.unblocking.steps import CaseSteps
from mailguard.casework.unblocking.stored import KIND, readable, states_size
from mailguard.core.decision.verdict import Disposition
from mailguard.core.notices import letter, notice
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

    def __init__(self, steps: CaseSteps) -> None:
        self._steps = steps
        self._done: date | None = None

    async def turn(self, now: float) -> None:
        """Send today's once the district has opened, where anything waits."""
        calendar = self._steps.snapshot().calendar
        local = calendar.local(now)
        today = local.date()
        if today == self._done or not calendar.is_business_day(today):
            return
        if local.time() < calendar.opens:
            return
        cases = await self._steps.matters.find(KIND)
        kept = await self._steps.matters.unclaimed(Disposition.QUARANTINE, _COUNTED)
        if cases or kept:
            await self._send(today, cases, kept, now)
        self._done = today

    async def _send(
        self, today: date, cases: Sequence[Ticket], kept: Sequence[KeptCopy], now: float
    ) -> None:
        matter = await self._steps.matters.new(SUMMARY, today.isoformat(), now)
        if matter.version:
            return
        size = states_size(cases)
        text = await off_loop_if_large(size, self._text, cases, kept, now)
        people = [p.addresses[0] for p in self._steps.reviewers(now) if p.addresses]
        mailboxes = people or [self._steps.snapshot().district.spammail]
        mails = tuple(self._mail(mailbox, today, text, now) for mailbox in mailboxes)
        line = TicketEvent(now, "mailguard", "sent", ", ".join(mailboxes))
        sent = TicketUpdate(
            matter.id,
            matter.version,
            "sent",
            MORNING.dump(Morning()),
            history=(line,),
            outgoing=mails,
            closes=True,
        )
        await self._steps.matters.move([sent])
        self._steps.world.outbox.ring()

    def _mail(self, mailbox: str, today: date, text: str, now: float) -> Outgoing:
        snapshot = self._steps.snapshot()
        subject = f"Blocked mail: what waits on {today.isoformat()}"
        name = f"summary-{today.isoformat()}|"
        composed = letter.plain(snapshot.district, mailbox, subject, text, name, now)
        key = f"summary|{today.isoformat()}|{mailbox}"
        return Outgoing(key, "report", "", (mailbox,), letter.compose(composed))

    def _text(self, cases: Sequence[Ticket], kept: Sequence[KeptCopy], now: float) -> str:
        snapshot, at = self._steps.snapshot(), self._steps.at(now)
        slots = notice.district_slots(snapshot.district)
        paragraphs = [notice.fill(snapshot.notices["case-summary"], slots)]
        read = sorted(
            ((life.due_at(case, at), matter.id, case) for matter, case in readable(cases)),
            key=lambda found: found[:2],
        )
        overdue = sum(life.is_overdue(case, at) for _, _, case in read)
        paragraphs.append(f"Requests to unblock: {len(read)} open, {overdue} overdue.")
        lines = [self._line(number, case, due, now) for due, number, case in read[:_SHOWN]]
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

    def _line(self, number: int, case: Case, due: float, now: float) -> str:
        local = self._steps.snapshot().calendar.local(due)
        late = "OVERDUE, " if life.is_overdue(case, self._steps.at(now)) else ""
        senders = ", ".join(case.addresses[:3]) or "nothing we keep"
        subject = case.told[0].subject[:80] if case.told else ""
        return (
            f"{number}: {senders} – {subject} ({case.stage.value}; {late}due {local:%d %b %H:%M})"
        )
