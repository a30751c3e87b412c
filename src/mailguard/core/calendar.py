"""The district's working days and hours, for rules that count them (R34).

Pure: a date or a moment is given, never read. Must not know files or which rule asks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, time


@dataclass(frozen=True, slots=True)
class Calendar:
    """Business hours in the district's time zone, and the days without any."""

    opens: time = time(8)
    closes: time = time(16, 30)
    weekdays: frozenset[int] = frozenset(range(5))  # 0 is Monday, as in `date.weekday`
    holidays: Mapping[date, str] = field(default_factory=dict)  # with their names
    time_zone: str = "UTC"

    def is_business_day(self, day: date) -> bool:
        """Whether people are at work on that day: neither a weekend nor a holiday (R34)."""
        return day.weekday() in self.weekdays and day not in self.holidays
