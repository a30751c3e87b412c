"""What a ticket's state is found to be: readable, damaged, or a newer version's.

Owns what is said of either. Damage is an alert. That a newer version of mailguard wrote something
is nobody's fault: two versions run beside each other while one is replaced, or a newer one was
taken back. Nothing of it is written, set aside or told to people; the newer version goes on with
it. Must not know any workflow.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeVar

import structlog

from mailguard import metrics
from mailguard.casework.tickets import Ticket
from mailguard.core.record.formats import Format, NewerFormat

log = structlog.get_logger("mailguard.left_alone")

S = TypeVar("S")

_MOST_TOLD = 10_000

_told: set[tuple[str, int | str]] = set()


def left_alone(what: str, which: int | str, newer: NewerFormat) -> None:
    """Put on record that something is left alone, once in the life of this process."""
    if (what, which) not in _told and len(_told) < _MOST_TOLD:
        _told.add((what, which))
        log.warning("newer_format", what=what, which=which, reason=str(newer))


def unreadable(kind: str, number: int, error: Exception) -> None:
    """Alert: somebody has to look at a ticket whose state is damaged."""
    log.error("ticket_unreadable", kind=kind, ticket=number, reason=str(error)[:300])
    metrics.TICKETS_UNREADABLE.labels(kind).inc()


def readable(stored: Format[S], tickets: Iterable[Ticket]) -> Iterator[tuple[Ticket, S]]:
    """Those whose state can be read, with it; one that cannot hinders no other."""
    for ticket in tickets:
        try:
            yield ticket, stored.load(ticket.state)
        except NewerFormat as newer:
            left_alone(ticket.kind, ticket.id, newer)
        except ValueError as error:
            unreadable(ticket.kind, ticket.id, error)


def states_size(tickets: Iterable[Ticket]) -> int:
    """Octets of their states: reading many takes as long as one large message."""
    return sum(len(ticket.state) for ticket in tickets)
