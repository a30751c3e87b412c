"""False alarms and misses on 2,000 staff and 20,000 correspondents stay within what is promised."""

from __future__ import annotations

import math

import pytest
from tests.impersonation import attacks, population
from tests.impersonation.rates import BEGIN, END, PAGE, Rates, Row, measure, tables

# By design: what one word, or a stranger's initial, would cost in false alarms is too much.
# Tricks against people without a role are half of each class.
MISSED_AT_MOST = {
    "an initial and the surname": 100,
    "the first name and an initial": 100,
    "letters swapped in the name": 100,
    "Mr. or Ms. and the surname": 200,
    "the first name alone": 200,
    "another word put beside it": 130,
}
RECORDED_AT_MOST = {
    "a nickname": 100,
    "an initial and the surname": 110,
    "the first name and an initial": 110,
    "letters swapped in the name": 100,
    "answers to a free mailbox": 150,
}
UNREGISTERED = "firms one letter away, not yet registered"


@pytest.fixture(scope="module")
def rates() -> Rates:
    return measure()


def by_kind(rows: list[Row]) -> dict[str, Row]:
    return {row.kind: row for row in rows}


def test_everybody_was_asked(rates: Rates) -> None:
    assert len(population.DIRECTORY.people) == 2_000
    assert sum(row.sent for row in rates.honest) == 20_000
    assert {row.sent for row in rates.impostors} == {attacks.EACH}
    assert {*MISSED_AT_MOST, *RECORDED_AT_MOST} <= {row.kind for row in rates.impostors}


def test_strangers_are_quarantined_for_chance_alone(rates: Rates) -> None:
    """Who bears a staff member's full name is found, as many as chance gives; hardly else."""
    rows = by_kind(rates.honest)
    unlucky = rows["parents and others"].quarantined + rows["people through a service"].quarantined
    assert abs(unlucky - rates.expected) <= 4 * math.sqrt(rates.expected) + 0.05 * rates.expected


def test_false_alarms(rates: Rates) -> None:
    """Of 20,000: at most 90 quarantined, 10 where only names of people with a role count."""
    rows, others = by_kind(rates.honest), by_kind(rates.roles_only)
    assert rows[UNREGISTERED].quarantined == rows[UNREGISTERED].sent  # until it is registered
    assert sum(r.quarantined for r in rows.values() if r.kind != UNREGISTERED) <= 90
    assert sum(r.quarantined for r in others.values() if r.kind != UNREGISTERED) <= 10
    assert sum(row.recorded for row in rows.values()) <= 40
    for kind in (
        "newsletters",
        "other schools and districts",
        "clubs and neighbours with our name",
    ):
        assert rows[kind].quarantined <= 5, kind
        assert rows[kind].codes["impersonation.staff-title"] == 0, kind


def test_registered_staff_are_never_held(rates: Rates) -> None:
    own = rates.registered
    assert (own.sent, own.quarantined, own.recorded) == (200, 0, 200)
    assert own.codes == {"impersonation.registered-address": 200}


def test_misses(rates: Rates) -> None:
    for row in rates.impostors:
        assert row.neither <= MISSED_AT_MOST.get(row.kind, 0), row
        assert row.recorded <= RECORDED_AT_MOST.get(row.kind, 0), row


def test_it_costs_little(rates: Rates) -> None:
    """Beside parsing so small a message, in the same moments: 1.8 times was measured."""
    assert rates.share < 5


def test_the_page_shows_these_figures(rates: Rates) -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert page.partition(BEGIN)[2].partition(END)[0].strip() == tables(rates), (
        "write it anew with: python -m tests.impersonation.rates"
    )
