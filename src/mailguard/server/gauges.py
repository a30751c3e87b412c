"""What is counted only when somebody looks at the metrics: how much waits, and since when.

Owns the reading of the state for gauges. Must not change anything, nor know how metrics are shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mailguard import metrics
from mailguard.adapters.state import StateDirectory
from mailguard.casework.engine import Engine
from mailguard.casework.stored_state import states_size
from mailguard.casework.workflows import WORKFLOWS
from mailguard.core.decision.verdict import Disposition
from mailguard.core.sender import directory_lookups
from mailguard.pipeline.off_loop import off_loop_if_large
from mailguard.pipeline.snapshot import Snapshot

_TICKETS = (metrics.TICKETS, metrics.TICKETS_AGE, metrics.TICKETS_OVERDUE)


async def count(
    state: StateDirectory, snapshot: Snapshot, engines: Sequence[Engine[Any]], now: float
) -> None:
    """Set every gauge as of that moment. Raises StoreError."""
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
    own = {workflow.kind: workflow.gauges for workflow in WORKFLOWS}
    for engine in engines:
        tickets = await state.tickets.find(engine.kind)
        counted = await off_loop_if_large(states_size(tickets), engine.count, tickets, now)
        for gauge, name in zip(_TICKETS, ("open", "oldest", "overdue"), strict=True):
            gauge.labels(engine.kind).set(counted[name])
        for single, name in zip(own.get(engine.kind) or (), counted, strict=False):
            single.set(counted[name])
    unread, first = await state.tickets.unread()
    metrics.LETTERS.set(unread)
    metrics.LETTERS_AGE.set(now - first if first else 0)
    today = directory_lookups.day_at(now, snapshot.district.time_zone)
    due = [p.deletion_day(today) for p in snapshot.directory.leavers(today)]
    metrics.LEAVERS_DUE.set(sum(day is not None and day <= today for day in due))
