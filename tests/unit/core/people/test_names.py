"""Names and domains that look alike are equal, others are not."""

from __future__ import annotations

import pytest
from tests.support import cost

from mailguard.core.people import names
from mailguard.core.people.directory import Directory
from mailguard.core.people.model import Person

DOE = Directory({"doe": Person("doe", "Jane Doe", ("jane@example.org",))})


@pytest.mark.parametrize(
    "shown",
    [
        "Jane Doe",
        "jane doe",
        "JANE  DOE",
        "Doe, Jane",
        "Dr. Jane Doe",
        "Mrs. Jane A. Doe",
        "Jane Doe, Superintendent",
        "Jane Doe (Superintendent)",
        "Jane Doe - Example Valley",
        "Jane Doe | EVUSD",
        "Jane Doe via Docs",
        "'Jane Doe'",
        "JaneDoe",
        "J a n e D o e",
        "Jane D0e",
        "Jаne Dоe",  # Cyrillic
        "Jаnе Dое",
        "Jane\u200b Doe",
        "Ja\u00adne Doe",
        "\u202eJane Doe",
        "Ｊａｎｅ Ｄｏｅ",
        "𝐉𝐚𝐧𝐞 𝐃𝐨𝐞",
        "Jáne Doé",
        "Jane.Doe",
        "Jane_Doe",
    ],
)
def test_a_reader_would_take_it_for_her(shown) -> None:
    assert [person.id for person in DOE.namesakes(shown)] == ["doe"]


@pytest.mark.parametrize(
    "shown", ["", "Jane", "Doe", "John Doe", "Jane Dow", "Janet Doe", "-", "Dr."]
)
def test_somebody_else(shown) -> None:
    assert DOE.namesakes(shown) == ()


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("Bill", "BiII"),
        ("Bill", "Bi11"),
        ("Marner", "Mamer"),
        ("ΝΙΚΗ ΡΟΒΒ", "NIKH POBB"),
        ("В. Нall", "B. Hall"),
    ],
)
def test_lookalikes(left, right) -> None:
    assert names.skeleton(left) == names.skeleton(right)


def test_unprotected_people_have_no_namesakes() -> None:
    person = Person("moss", "Tim Moss", ("t@example.org",), protected=False)
    assert Directory({"moss": person}).namesakes("Tim Moss") == ()


@pytest.mark.parametrize(
    ("domain", "like", "alike"),
    [
        ("examp1e.org", "example.org", True),
        ("EXAMPLE.ORG.", "example.org", True),
        ("xn--exmple-4nf.org", "example.org", True),
        ("exarnple.org", "example.org", True),
        ("example.com", "example.org", False),
        ("examples.org", "example.org", False),
        ("xn--\udcff.org", "example.org", False),
        ("xn--" + "9" * 300, "example.org", False),
    ],
)
def test_domains(domain, like, alike) -> None:
    assert (names.domain_skeleton(domain) == names.domain_skeleton(like)) is alike


@pytest.mark.parametrize("unit", [",", " - ", "a ", "\u0301", "ﷺ"])
def test_hostile_names_cost_little(unit: str) -> None:
    def read(name: str) -> None:
        names._skeletons.cache_clear()
        names._folded.cache_clear()
        names.skeletons(name)

    cost.assert_bounded(cost.growing(unit, 100_000), read)
