"""Unblock cases as they are stored: matters of their own kind, whose state is `core.case`'s.

Must not know what a case does.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import structlog

from mailguard.core.case import CASE, Case
from mailguard.pipeline.matters import Matter

log = structlog.get_logger("mailguard.cases")

KIND = "case"


def state_of(matter: Matter) -> Case:
    """A case's state. Raises pydantic.ValidationError for another version's."""
    return CASE.validate_json(matter.state)


def readable(matters: Iterable[Matter]) -> Iterator[tuple[Matter, Case]]:
    """The cases with their states; one of another version's hinders no other."""
    for matter in matters:
        try:
            yield matter, state_of(matter)
        except ValueError as error:
            log.error("case_unreadable", case=matter.id, reason=str(error)[:300])
