"""What was approved before anybody asked, as an approval needs to know of it (R18).

Owns the port between who keeps such grants and who counts them, which do not know each other. Must
not know how a grant is stored, or what it is worth in an approval.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Protocol

from mailguard.casework.tickets import TicketUpdate
from mailguard.core.people.model import Person


@dataclass(frozen=True)
class Beforehand:
    """One grant that covers a message to one of its groups."""

    number: int
    group: str
    last: date
    giver: str  # a person id
    giver_name: str
    reference: str  # the document
    use: Callable[[int, float], TicketUpdate]  # by an approval of this number, at a moment


class GivenBeforehand(Protocol):
    """Who knows them. Raises StoreError."""

    async def covering(
        self,
        codes: Collection[str],
        grantable: Collection[str],
        person: Person | None,
        mailbox: str,
        recipients: Collection[str],
        today: date,
    ) -> Sequence[Beforehand]:
        """The grants for a message of this sender, held for these reasons, to these recipients.
        A reason that is not among the `grantable` is covered by none."""
        ...
