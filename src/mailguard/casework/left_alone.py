"""That something is left alone, because a newer version of mailguard wrote it, is said once.

It is nobody's fault: two versions run beside each other while one is replaced, or a newer one was
taken back. Nothing of it is written, set aside or told to people; the newer version goes on with
it. Must not know what it is.
"""

from __future__ import annotations

import structlog

from mailguard.core.record.formats import NewerFormat

log = structlog.get_logger("mailguard.left_alone")

_MOST_TOLD = 10_000

_told: set[tuple[str, int | str]] = set()


def left_alone(what: str, which: int | str, newer: NewerFormat) -> None:
    """Put on record that something is left alone, once in the life of this process."""
    if (what, which) not in _told and len(_told) < _MOST_TOLD:
        _told.add((what, which))
        log.warning("newer_format", what=what, which=which, reason=str(newer))
