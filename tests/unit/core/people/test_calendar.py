"""The clock of business days (R34): weekends, holidays, openings, and days of 23 and 25 hours."""

from __future__ import annotations

from datetime import date, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailguard.core.people.calendar import DAY, Calendar

ZONE = "America/Los_Angeles"
CALENDAR = Calendar(
    holidays={date(2026, 11, 26): "Thanksgiving", date(2026, 11, 27): "the day after"},
    time_zone=ZONE,
)
HOUR = 3_600.0


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(ZONE)).timestamp()


@pytest.mark.parametrize(
    ("moment", "seconds", "due"),
    [
        ("2026-11-17T10:00", DAY, "2026-11-18T10:00"),  # Tuesday
        ("2026-11-20T15:00", DAY, "2026-11-23T15:00"),  # Friday: the weekend does not count
        ("2026-11-20T22:30", DAY, "2026-11-23T22:30"),  # nor for an evening
        ("2026-11-21T11:00", DAY, "2026-11-24T08:00"),  # Saturday: from Monday's opening
        ("2026-11-25T15:00", DAY, "2026-11-30T15:00"),  # over Thanksgiving and the weekend
        ("2026-11-26T15:00", DAY, "2026-12-01T08:00"),  # on the holiday itself
        ("2026-11-20T15:00", 3 * DAY, "2026-11-25T15:00"),
        ("2026-11-17T10:00", 0, "2026-11-17T10:00"),
        ("2026-11-21T11:00", 0, "2026-11-23T08:00"),
        ("2026-03-06T12:00", DAY, "2026-03-09T12:00"),  # clocks go forward on the 8th
        ("2026-10-30T12:00", DAY, "2026-11-02T12:00"),  # and back on 1 November
        ("2026-11-17T10:00", -5, "2026-11-17T10:00"),
    ],
)
def test_due(moment: str, seconds: float, due: str) -> None:
    assert CALENDAR.after(at(moment), seconds) == at(due)


@pytest.mark.parametrize(
    ("start", "end", "hours"),
    [
        ("2026-11-17T10:00", "2026-11-17T16:00", 6),
        ("2026-11-20T15:00", "2026-11-23T15:00", 24),
        ("2026-11-21T11:00", "2026-11-22T23:00", 0),
        ("2026-11-21T11:00", "2026-11-23T09:00", 1),
        ("2026-11-25T23:00", "2026-11-30T01:00", 2),
        ("2026-11-23T15:00", "2026-11-20T15:00", 0),
    ],
)
def test_counted(start: str, end: str, hours: float) -> None:
    assert CALENDAR.counted(at(start), at(end)) == hours * HOUR


@given(st.floats(1.7e9, 1.9e9), st.floats(0, 20 * DAY))
def test_what_is_counted_is_what_was_waited(start: float, seconds: float) -> None:
    due = CALENDAR.after(start, seconds)
    assert CALENDAR.counted(start, due) == pytest.approx(seconds, abs=2 * HOUR)  # a clock change
    assert CALENDAR.is_business_day(CALENDAR.local(due).date())
    assert due >= start + seconds - 2 * HOUR


def test_a_calendar_without_business_days_ends() -> None:
    never = Calendar(weekdays=frozenset(), time_zone=ZONE)
    assert never.counted(at("2026-11-17T10:00"), at("2026-11-30T10:00")) == 0
    assert never.after(at("2026-11-17T10:00"), DAY) > at("2030-01-01T00:00")
