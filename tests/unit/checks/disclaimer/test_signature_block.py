"""Who signs, as the lines under their words say (R9)."""

from __future__ import annotations

import pytest
from tests.support import cost

from mailguard.checks.disclaimer.signature_block import elements, filled, lacking
from mailguard.core.people.model import Person

JANE = Person(
    "doe",
    "Jane Doe",
    ("jane@example.org",),
    title="Reading Teacher",
    phone="555-0142",
    other_names=("Jane Doe-Rivers",),
)
ALL = frozenset(("name", "title", "phone"))


@pytest.mark.parametrize(
    ("block", "found"),
    [
        ("Jane Doe\nReading Teacher\nStafford High School\n(916) 555-0142", ALL),
        ("-- \nJane Doe | Reading Teacher | +1 916 555 0142", ALL),
        ("Ms. Jane Doe, M.Ed.\nReading Teacher, Room 12\nPhone: 916.555.0142 x 3", ALL),
        ("JANE DOE\nreading teacher\n555\u20110142", ALL),
        ("With kind regards, Jane Doe\nReading Teacher", {"name", "title"}),
        ("Jane Doe Reading Teacher 555-0142", ALL),
        ("Jane Doe\u00a0\u2013 Reading\u00a0Teacher", {"name", "title"}),
        ("Jane Doe-Rivers\nReading Teacher", {"name", "title"}),
        ("Jane Doe\n\u0665\u0665\u0665-\u0660\u0661\u0664\u0662", {"name", "phone"}),
        ("Jane Doe\nPrincipal\n555-0199", {"name"}),
        ("Jane Doe\nReading Teacher\n555-0142\n\n" + "A notice of the district.\n" * 9, ALL),
        ("Jane", set()),
        ("Jane Doe will come to the reading of the new plan", set()),
        ("Ask Jane Doe about it, she is the reading teacher here", set()),
        ("Anna Berg\nReading Teacher\n555-0142", set()),
        ("", set()),
    ],
)
def test_what_is_found(block: str, found: set[str]) -> None:
    assert elements(f"Hello,\n\nsee you.\n\n{block}\n", JANE) == found


def test_the_last_block_counts() -> None:
    text = "Jane Doe\nReading Teacher\nmeets you.\n" + "x\n" * 20 + "Jane Doe\n"
    assert elements(text, JANE) == {"name"}


def test_only_what_the_directory_knows_is_lacking() -> None:
    assert lacking(frozenset(), JANE, ("name", "title", "phone")) == ("name", "title", "phone")
    nobody = Person("x", "X Y", ("x@example.org",))
    assert lacking(frozenset(("name",)), nobody, ("name", "title", "phone")) == ()
    assert elements("Bye\nX Y\n555 012 3456", nobody) == {"name", "phone"}


def test_a_line_without_a_value_is_left_out() -> None:
    values = {"name": "Jane", "title": "", "phone": "1"}
    assert filled("{name}\n{title}, {phone}\nTel. {phone}\n*", values) == "Jane\nTel. 1\n*"


@pytest.mark.parametrize("unit", ["1 ", "Jane Doe\n", "5-", "\n", "5-5 5.5\n"])
def test_hostile_text_is_read_in_linear_time(unit: str) -> None:
    cost.assert_linear(cost.growing(unit, 100_000 // len(unit)), lambda text: elements(text, JANE))
