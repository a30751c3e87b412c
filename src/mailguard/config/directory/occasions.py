"""Exceptions that the district made in writing: authorised events, bargaining units (R22, R24).

Owns `directory/events.yaml` and `directory/units.yaml`. Must not know what the exceptions lift.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, Field, create_model

from mailguard.config.directory.draft import Draft, entries
from mailguard.config.form.forms import Section
from mailguard.core.mail.safe_text import quoted
from mailguard.core.people.model import Event, Unit
from mailguard.core.text import phrases

_EVENT: dict[str, Any] = {
    "subject": (
        Annotated[tuple[str, ...], AfterValidator(phrases.checked)],
        Field(
            min_length=1,
            description="Phrases, one of which the subject of the event's mail has. Case, accents "
            "and punctuation do not count; `#` is any number.",
        ),
    ),
    "from": (  # no name that a class body could have
        date,
        Field(description="First day on which its mail is authorised, as in 2026-10-01."),
    ),
    "until": (date, Field(description="Last day, in the district's time zone.")),
    "note": (str, Field("", description="By whom and where it was authorised.")),
}
EventEntry = create_model(
    "EventEntry",
    __base__=Section,
    __doc__="An authorised district-wide event: an entry of `events.yaml` under its name.",
    **_EVENT,
)


class UnitEntry(Section):
    """A bargaining unit or meet and confer group: an entry of `units.yaml` under its id."""

    name: str = Field(min_length=1, description="As people know it.")
    senders: tuple[str, ...] = Field(
        min_length=1,
        description="Who writes for it: person ids or addresses. An address outside counts where "
        "its domain vouches for the message.",
    )
    groups: tuple[str, ...] = Field(
        min_length=1, description="Addresses of the groups it may write to."
    )
    rule: str = Field(
        "", description="What its rule of physical mail delivery says; stands in the record."
    )


def read_events(draft: Draft, folder: Path) -> None:
    """Read `events.yaml` where it is."""
    for name, row, where in entries(folder / "events.yaml", EventEntry, optional=True):
        said = dict(row)
        first, last = said["from"], said["until"]
        if last < first:
            problem = f"{last} is before {first}"
            draft.errors.append(where("until", problem, "the first day or later"))
        draft.events.append(Event(name, said["subject"], first, last, said["note"]))


def read_units(draft: Draft, folder: Path) -> None:
    """Read `units.yaml` where it is. After people and groups."""
    for id, row, where in entries(folder / "units.yaml", UnitEntry, optional=True):
        people = tuple(s for s in row.senders if "@" not in s)
        written = tuple(s for s in row.senders if "@" in s)
        mailboxes = draft.mailboxes(written, where, "senders")
        groups = draft.mailboxes(row.groups, where, "groups")
        for address in groups:
            if address not in draft.groups:
                problem = f"{quoted(address)} is no group"
                draft.errors.append(where("groups", problem, "addresses of groups.yaml"))
        draft.units[id] = Unit(id, row.name, (*people, *mailboxes), groups, row.rule)
        draft.where["unit", id] = where


def check_units(draft: Draft) -> None:
    """Every person that a unit names must be there."""
    for unit in draft.units.values():
        ids = tuple(s for s in unit.senders if "@" not in s)
        draft.known(draft.where["unit", unit.id], "senders", ids, draft.people)
