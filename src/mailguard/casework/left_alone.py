"""What a newer version of mailguard wrote, and this one therefore leaves alone.

Owns that it is said once in a process, and what a clerk asks for no more. It is nobody's fault:
two versions run beside each other while one is replaced, or a newer one was taken back. Nothing of
it is written, set aside or told to people; the newer version goes on with it. Must not know what it
is.
"""

from __future__ import annotations

from collections.abc import Iterable

import structlog

from mailguard.casework.tickets import Ticket
from mailguard.core.record.formats import NewerFormat

log = structlog.get_logger("mailguard.left_alone")

AT_ONCE = 100  # matters that are due, or messages that are new, in one turn of a clerk

_MOST_TOLD = 10_000

_told: set[tuple[str, int | str]] = set()


def left_alone(what: str, which: int | str, newer: NewerFormat) -> None:
    """Put on record that something is left alone, once in the life of this process."""
    if (what, which) not in _told and len(_told) < _MOST_TOLD:
        _told.add((what, which))
        log.warning("newer_format", what=what, which=which, reason=str(newer))


class LeftAlone:
    """What one clerk has met, so that it stands in nobody's way: matters by their numbers, and
    messages by their transactions' ids."""

    def __init__(self) -> None:
        self._met: set[int | str] = set()

    def __contains__(self, which: int | str) -> bool:
        return which in self._met

    @property
    def count(self) -> int:
        """So many more are to be asked for, that as many others are found."""
        return len(self._met)

    def out_of(self, matters: Iterable[Ticket]) -> Iterable[Ticket]:
        """The others."""
        return (matter for matter in matters if matter.id not in self._met)

    def add(self, what: str, which: int | str, newer: NewerFormat) -> bool:
        """Whether it was not known yet."""
        left_alone(what, which, newer)
        known = which in self._met
        self._met.add(which)
        return not known
