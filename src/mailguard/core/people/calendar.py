"""The district's working days and hours, for rules that count them (R34).

A clock that runs on business days alone: a whole day of them counts 24 hours, weekends and
holidays nothing, and what comes on one of those counts from the next opening. Pure: a date or a
moment is given, never read. Must not know files or which rule asks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

DAY = 86_400.0  # seconds
_MOST_DAYS = 3_660  # looked ahead: a calendar without any business day must end


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

    def local(self, moment: float) -> datetime:
        """A moment, in seconds since the epoch, as the district's clocks show it."""
        return datetime.fromtimestamp(moment, ZoneInfo(self.time_zone))

    def after(self, moment: float, seconds: float) -> float:
        """The moment when so many counted seconds have passed; Friday 15:00 and a day is Monday
        15:00. `moment` itself on a business day; else the count begins at the next opening."""
        at = self._begin(moment)
        left = timedelta(seconds=max(0.0, seconds))
        for _ in range(_MOST_DAYS):
            if self.is_business_day(at.date()):
                rest = _midnight(at.date()) + timedelta(days=1) - at
                if left < rest:
                    return self._moment(at + left)
                left -= rest
            at = _midnight(at.date() + timedelta(days=1))
        return self._moment(at + left)

    def counted(self, start: float, end: float) -> float:
        """How many seconds between two moments count; 0 where they do not come in that order."""
        at, last = self._begin(start), self._wall(end)
        total = timedelta()
        for _ in range(_MOST_DAYS):
            if at >= last:
                break
            midnight = _midnight(at.date() + timedelta(days=1))
            if self.is_business_day(at.date()):
                total += min(midnight, last) - at
            at = midnight
        return total.total_seconds()

    def _begin(self, moment: float) -> datetime:
        at = self._wall(moment)
        if self.is_business_day(at.date()):
            return at
        day = at.date()
        for _ in range(_MOST_DAYS):
            day += timedelta(days=1)
            if self.is_business_day(day):
                return datetime.combine(day, self.opens)
        return at

    def _wall(self, moment: float) -> datetime:
        """What the clock on the wall shows. The count is kept by it, so that a day on which it is
        put forward or back is a day like any other."""
        return self.local(moment).replace(tzinfo=None)

    def _moment(self, wall: datetime) -> float:
        return wall.replace(tzinfo=ZoneInfo(self.time_zone)).astimezone(UTC).timestamp()


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time())
