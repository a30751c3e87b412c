"""Unblock cases as they are stored: matters of their own kind, whose state is
`casework.unblocking.case`'s.

Must not know what a case does.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import structlog

from mailguard.casework.left_alone import left_alone
from mailguard.casework.tickets import Ticket
from mailguard.casework.unblocking.case import CASE, Case
from mailguard.core.record.formats import NewerFormat

log = structlog.get_logger("mailguard.cases")

KIND = "case"


def state_of(matter: Ticket) -> Case:
    """A case's state. Raises NewerFormat, or pydantic.ValidationError where it is damaged."""
    return CASE.load(matter.state)


def states_size(matters: Iterable[Ticket]) -> int:
    """Octets of their states: reading many takes as long as one large message."""
    return sum(len(matter.state) for matter in matters)


def readable(matters: Iterable[Ticket]) -> Iterator[tuple[Ticket, Case]]:
    """The cases with their states; one that cannot be read hinders no other."""
    for matter in matters:
        try:
            yield matter, state_of(matter)
        except NewerFormat as newer:
            left_alone(KIND, matter.id, newer)
        except ValueError as error:
            log.error("case_unreadable", case=matter.id, reason=str(error)[:300])
