"""What all engines share: how one is asked, and how its words are made harmless.

Owns the ScanningEngine protocol and NoAnswer. Must not know any protocol on the wire.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable
from typing import Protocol

from mailguard.core.decision.engines import Scanned, Symbol, Target
from mailguard.core.decision.facts import Unavailable
from mailguard.core.mail import safe_text
from mailguard.core.mail.transaction import Transaction
from mailguard.core.text.reading import Reading

LONGEST_ANSWER = 1_048_576  # octets
_SYMBOLS = 50  # kept of one answer
_NAME = 128  # characters of a symbol or of a malware's name
_REASON = 200  # characters


class NoAnswer(Exception):
    """The engine said nothing that can be relied on. The text is the reason."""


class ScanningEngine(Protocol):
    """One configured engine."""

    name: str  # "rspamd", or a list's zone: findings and metrics name it
    target: Target

    async def ask(
        self, transaction: Transaction, reading: Awaitable[Reading | Unavailable]
    ) -> Scanned:
        """Its answer. Raises NoAnswer or OSError; has no deadline of its own. `reading` may be
        awaited by many."""
        ...


def too_big(octets: int, most: int) -> Scanned | None:
    """The stated result for a message that is not sent to an engine at all."""
    if octets <= most:
        return None
    reason = f"the message has {octets} octets, and {most} are scanned"
    return Scanned(0.0, spam=False, unscannable=reason)


def worth(score: float, weight: float, at_least: float, at_most: float) -> float:
    """What an engine's score is among our points."""
    return round(max(at_least, min(at_most, score * weight)), 2)


def number(value: object) -> float:
    """A finite number. Raises NoAnswer for anything else, text included."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        try:
            found = float(value)
        except OverflowError:
            found = math.inf
        if math.isfinite(found):
            return found
    raise NoAnswer("a score is no number")


def heaviest(symbols: list[Symbol]) -> tuple[Symbol, ...]:
    """Those that are kept, in the order in which they are shown."""
    return tuple(sorted(symbols, key=lambda s: -abs(s.score))[:_SYMBOLS])


def word(text: str) -> str:
    """A name as it may stand in evidence, fields and logs: printable ASCII without spaces."""
    return safe_text.ascii_line(text, _NAME, "_").replace(" ", "_")


def words(text: str) -> str:
    """An engine's own words as they may stand in a reason."""
    return safe_text.ascii_line(text, _REASON, "_").strip()
