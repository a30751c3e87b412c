"""What a stop can take back of what was let go (R21).

Owns how it is counted and worded. Must not know who stops, or the outbox.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Withdrawal:
    """What a stop can still take back, and what it cannot (R21)."""

    entries: tuple[int, ...]
    recipients: int
    gone: int

    @classmethod
    def of(cls, several: Iterable[Withdrawal]) -> Withdrawal:
        """Of several messages together."""
        each = tuple(several)
        entries = tuple(entry for one in each for entry in one.entries)
        return cls(entries, sum(w.recipients for w in each), sum(w.gone for w in each))

    def words(self) -> str:
        """In a sentence."""
        left = f"{self.gone} had been delivered already" if self.gone else "none had left"
        if not self.entries:
            return "Nothing was left to take back: it had been delivered already."
        return f"Copies taken back before they left: {self.recipients}; {left}."
