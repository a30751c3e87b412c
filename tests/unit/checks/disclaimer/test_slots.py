"""What the directory puts into a disclaimer's slots (R10)."""

from __future__ import annotations

import pytest

from mailguard.checks.disclaimer.slots import values_of
from mailguard.core.decision.facts import Facts
from mailguard.core.people.district import District
from mailguard.core.people.model import Person, Site

DISTRICT = District("Example Valley District", "EVD", ("example.org",), "s@example.org", "p", "mx")
SITES = {
    site.id: site
    for site in (
        Site("technology", "Technology Services", "department"),
        Site("cedar", "Cedar Elementary"),
        Site("oak", "Oak Middle School"),
    )
}


def facts(*sites: str, **known: str) -> Facts:
    owner = Person("x", "Jane Doe", ("jane@example.org",), sites=sites, **known)
    return Facts(0.0, DISTRICT, owner=owner, sites=SITES)


@pytest.mark.parametrize(
    ("sites", "profile", "site", "school"),
    [
        (("oak",), (), "Oak Middle School", "Oak Middle School"),
        (("cedar",), (), "Cedar Elementary", "Cedar Elementary School"),
        (("technology",), (), "Technology Services", ""),
        (("technology", "oak"), (), "Oak Middle School", "Oak Middle School"),
        (("cedar", "oak"), (), "Cedar Elementary", "Cedar Elementary School"),
        (("cedar", "oak"), ("oak",), "Oak Middle School", "Oak Middle School"),
        (("technology", "oak"), ("technology",), "Technology Services", ""),
        (("cedar",), ("oak",), "", ""),
        (("nowhere",), (), "", ""),
        ((), (), "", ""),
    ],
)
def test_of_several_sites_the_profiles_own_comes_first_then_a_school(
    sites: tuple[str, ...], profile: tuple[str, ...], site: str, school: str
) -> None:
    values = values_of(facts(*sites), profile)
    assert (values["site"], values["school"]) == (site, school)


def test_what_the_directory_does_not_say_is_empty() -> None:
    values = values_of(facts(title="Teacher"))
    assert (values["title"], values["phone"]) == ("Teacher", "")
    nobody = values_of(Facts(0.0, DISTRICT))
    assert {name for name, value in nobody.items() if value} == {"district"}
