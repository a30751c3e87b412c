"""From `calendar.yaml` to the district's Calendar (R34). Must not know which rule asks."""

from __future__ import annotations

from datetime import date, time
from pathlib import Path

from pydantic import Field

from mailguard.config.form.errors import ConfigError, ConfigErrors
from mailguard.config.form.forms import Section
from mailguard.config.form.validate import suggest, validate
from mailguard.config.form.yaml import load_file
from mailguard.core.mail.safe_text import quoted
from mailguard.core.people.calendar import Calendar

FILE = "calendar.yaml"
DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


class BusinessHours(Section):
    """When people are at work, in the district's time zone."""

    opens: str = Field("08:00", pattern="^[0-2][0-9]:[0-5][0-9]$", description="As in 08:00.")
    closes: str = Field("16:30", pattern="^[0-2][0-9]:[0-5][0-9]$", description="As in 16:30.")
    days: tuple[str, ...] = Field(DAYS[:5], min_length=1, description="Days of the week.")


class Holiday(Section):
    """A day without business hours."""

    date: str = Field(description="YYYY-MM-DD.")
    name: str = Field(min_length=1, description="As notices may name it.")


class CalendarFile(Section):
    """`calendar.yaml`."""

    business_hours: BusinessHours = BusinessHours()
    holidays: tuple[Holiday, ...] = Field((), description="District holidays, one day each.")


def load_calendar(directory: Path, time_zone: str) -> Calendar:
    """Read `calendar.yaml`; without one, weekdays from 8:00 to 16:30. Raises ConfigErrors."""
    path = directory / FILE
    if not path.exists():
        return Calendar(time_zone=time_zone)
    document = load_file(path)
    written = validate(CalendarFile, document.value, document)
    errors: list[ConfigError] = []
    hours: dict[str, time] = {}
    for name in ("opens", "closes"):
        text = getattr(written.business_hours, name)
        try:
            hours[name] = time.fromisoformat(text)
        except ValueError:
            where = ("business_hours", name)
            errors.append(document.error(where, f"{quoted(text)} is no time", "00:00 to 23:59"))
    if len(hours) == 2 and hours["opens"] >= hours["closes"]:
        where = ("business_hours", "closes")
        errors.append(document.error(where, "is not after the opening", "a later time"))
    for index, weekday in enumerate(written.business_hours.days):
        if weekday not in DAYS:
            problem = f"{quoted(weekday)} is no day of the week{suggest(weekday, DAYS)}"
            errors.append(
                document.error(("business_hours", "days", index), problem, ", ".join(DAYS))
            )
    holidays: dict[date, str] = {}
    for index, holiday in enumerate(written.holidays):
        at = ("holidays", index, "date")
        try:
            day = date.fromisoformat(holiday.date)
        except ValueError:
            errors.append(document.error(at, f"{quoted(holiday.date)} is no date", "YYYY-MM-DD"))
            continue
        if day in holidays:
            errors.append(document.error(at, f"{day} is in the list already", "each day once"))
        holidays[day] = holiday.name
    if errors:
        raise ConfigErrors(errors)
    weekdays = frozenset(DAYS.index(day) for day in written.business_hours.days)
    return Calendar(hours["opens"], hours["closes"], weekdays, holidays, time_zone)
