"""Events and bargaining units: what is read, and what is refused."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

EVENT = "Golf:\n  subject: [golf day]\n  from: 2027-05-01\n  until: 2027-05-08\n"
UNIT = "teachers:\n  name: Association\n  senders: [tolive, Office@Union.test]\n"


def test_they_may_be_missing(tree: Any) -> None:
    directory = tree.load().snapshot.directory
    assert directory.events == () and directory.units == {}


def test_they_are_read(tree: Any) -> None:
    before = tree.load().snapshot.digest
    tree.write("directory/events.yaml", EVENT)
    tree.write("directory/units.yaml", UNIT + "  groups: [Chess@example.org]\n")
    snapshot = tree.load().snapshot
    (event,) = snapshot.directory.events
    assert (event.name, event.subject, event.first, event.last, event.note) == (
        "Golf",
        ("golf day",),
        date(2027, 5, 1),
        date(2027, 5, 8),
        "",
    )
    (unit,) = snapshot.directory.units_of(["tolive"])
    assert unit.senders == ("tolive", "office@union.test")
    assert unit.groups == ("chess@example.org",)
    assert snapshot.directory.units_of(["office@union.test", "tolive"]) == (unit,)
    assert snapshot.directory.units_of(["ppine", ""]) == ()
    assert snapshot.digest != before
    tree.replace("directory/events.yaml", "05-08", "05-09")
    assert tree.load().snapshot.digest != snapshot.digest


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (EVENT.replace("05-08", "04-08"), "2027-04-08 is before 2027-05-01"),
        (EVENT.replace("[golf day]", "[]"), "subject: is too short"),
        (EVENT.replace("[golf day]", "['#!']"), "has no words; allowed: words"),
        (EVENT.replace("2027-05-01", "May"), "events.yaml:3:9: Golf.from"),
        (EVENT.replace("from", "form"), "did you mean 'from'?"),
        (EVENT.replace("  until: 2027-05-08\n", ""), "Golf.until: is missing"),
    ],
)
def test_wrong_events(tree: Any, text: str, said: str) -> None:
    tree.write("directory/events.yaml", text)
    errors = tree.errors()
    assert any(said in error for error in errors), errors


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (UNIT, "teachers.groups: is missing"),
        (UNIT + "  groups: [golf@example.org]\n", "groups: 'golf@example.org' is no group"),
        (UNIT + "  groups: [golf]\n", "groups: 'golf' is no mail address"),
        (
            UNIT.replace("tolive", "nobody") + "  groups: [chess@example.org]\n",
            "units.yaml:3:12: teachers.senders: 'nobody' is not known",
        ),
    ],
)
def test_wrong_units(tree: Any, text: str, said: str) -> None:
    tree.write("directory/units.yaml", text)
    errors = tree.errors()
    assert any(said in error for error in errors), errors
