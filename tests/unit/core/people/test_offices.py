"""Which titles of a district a display name claims."""

from __future__ import annotations

import pytest
from tests.support import cost

from mailguard.core.people import names
from mailguard.core.people.directory import Directory
from mailguard.core.people.model import Person, Site

NAMES = ("Example Valley Unified School District", "EVUSD")
DIRECTORY = Directory(
    {
        person.id: person
        for person in (
            Person(
                "a", "Ruth Vance", ("a@example.org",), "Superintendent", roles=("superintendent",)
            ),
            Person(
                "b",
                "Ida Roe",
                ("b@example.org",),
                "Assistant Superintendent, Elementary Education",
                roles=("assistant_superintendent",),
            ),
            Person("c", "Carl Elm", ("c@example.org",), "Chief Financial Officer", roles=("cfo",)),
            Person("d", "Anna Berg", ("d@example.org",), "Principal", roles=("principal",)),
            Person("e", "Jane Doe", ("e@example.org",), "Art Teacher"),
            Person(
                "f", "Tim Moss", ("f@example.org",), "Custodian", roles=("cfo",), protected=False
            ),
        )
    },
    {"oak": Site("oak", "Oak Elementary School")},
)


@pytest.mark.parametrize(
    ("shown", "title", "place"),
    [
        ("Superintendent", "Superintendent", ""),
        ("Office of the Superintendent", "Superintendent", ""),
        ("Supt.", "Superintendent", ""),
        ("Asst. Superintendent", "Assistant Superintendent, Elementary Education", ""),
        ("Chief Financial Officer", "Chief Financial Officer", ""),
        ("Financial Officer (Chief), EVUSD", "Chief Financial Officer", NAMES[1]),
        ("Principal | Oak Elementary", "Principal", "Oak Elementary School"),
        ("Superintendent Jim Roe, Example Valley", "Superintendent", NAMES[0]),
    ],
)
def test_claimed(shown, title, place) -> None:
    (office,) = DIRECTORY.offices_shown(shown, NAMES)
    assert (office.title, office.place) == (title, place)


@pytest.mark.parametrize(
    "shown",
    ["", "Principal", "Art Teacher", "Oak Elementary School", "EVUSD", "Custodian, EVUSD",
     "Superintendent Jim Roe", "Superintendent, Reed County", "Chief Financial Officer Magazine",
     "Art Teacher, Oak Elementary School", "The Superintendent Club"],
)  # fmt: skip
def test_not_claimed(shown) -> None:
    assert DIRECTORY.offices_shown(shown, NAMES) == ()


def test_a_name_beside_a_title_is_found() -> None:
    for shown in ("Chief Financial Officer Carl Elm", "Art Teacher Jane Doe", "CARL ELM (EVUSD)"):
        assert len(DIRECTORY.namesakes(shown)) == 1, shown
    assert DIRECTORY.namesakes("Carl Elm Photography") == ()


@pytest.mark.parametrize("unit", ["superintendent ", "oak elementary ", "x "])
def test_hostile_names_cost_little(unit: str) -> None:
    def shown(name: str) -> None:
        names._folded.cache_clear()
        names._skeletons.cache_clear()
        DIRECTORY.offices_shown(name, NAMES)
        DIRECTORY.short_namesakes(name)

    cost.assert_bounded(cost.growing(unit, 100_000 // len(unit)), shown)
