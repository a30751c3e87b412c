"""What is counted only when somebody looks at the metrics: how much waits, and since when.

Owns the reading of the state for gauges. Must not change anything, nor know how metrics are shown.
"""

from __future__ import annotations

from mailguard import metrics
from mailguard.adapters.state import StateDirectory
from mailguard.casework.approvals import handler
from mailguard.casework.approvals.steps import KIND as APPROVAL
from mailguard.casework.unblocking.case import At
from mailguard.casework.unblocking.handler import counts as case_counts
from mailguard.casework.unblocking.stored import KIND as CASE
from mailguard.casework.unblocking.stored import states_size
from mailguard.core.decision.verdict import Disposition
from mailguard.core.sender import directory_lookups
from mailguard.pipeline.off_loop import off_loop_if_large
from mailguard.pipeline.snapshot import Snapshot


async def count(state: StateDirectory, snapshot: Snapshot, at: At) -> None:
    """Set every gauge as of that moment. Raises StoreError."""
    now = at.now
    entries = await state.outbox.counts()
    metrics.OUTBOX.clear()
    for (kind, ended), number in entries.items():
        metrics.OUTBOX.labels(kind, ended).set(number)
    oldest = await state.outbox.oldest()
    metrics.OUTBOX_AGE.set(now - oldest if oldest else 0)
    waiting = await state.ledger.waiting()
    metrics.QUARANTINE.clear()
    for disposition, (number, _) in waiting.items():
        metrics.QUARANTINE.labels(disposition.word).set(number)
    _, since = waiting.get(Disposition.QUARANTINE, (0, now))
    metrics.QUARANTINE_AGE.set(now - since)
    counted = handler.counts(await state.matters.find(APPROVAL), now)
    metrics.APPROVALS.set(counted["open"])
    metrics.APPROVALS_AGE.set(counted["oldest"])
    metrics.APPROVALS_OVERDUE.set(counted["overdue"])
    cases = await state.matters.find(CASE)
    counted = await off_loop_if_large(states_size(cases), case_counts, cases, at)
    metrics.CASES.set(counted["open"])
    metrics.CASES_AGE.set(counted["oldest"])
    metrics.CASES_OVERDUE.set(counted["overdue"])
    unread, first = await state.matters.unread()
    metrics.LETTERS.set(unread)
    metrics.LETTERS_AGE.set(now - first if first else 0)
    today = directory_lookups.day_at(now, snapshot.district.time_zone)
    due = [p.deletion_day(today) for p in snapshot.directory.leavers(today)]
    metrics.LEAVERS_DUE.set(sum(day is not None and day <= today for day in due))
