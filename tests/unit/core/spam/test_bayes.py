"""Robinson and Fisher's arithmetic."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from mailguard.core.decision.facts import Bayes
from mailguard.core.spam.bayes import (
    FLOOR,
    HALF_LIFE,
    MOST_TELLING,
    opinion,
    telling_words,
    token,
    weight,
    word_probability,
)

COUNTS = st.lists(st.tuples(st.text(), st.integers(0, 1_000), st.integers(0, 1_000)), max_size=300)


def test_none_below_the_floor_on_either_side() -> None:
    assert opinion([("x", 1, 0)], FLOOR - 1, 1_000) is None
    assert opinion([("x", 1, 0)], 1_000, FLOOR - 1) is None
    assert opinion([], FLOOR, FLOOR) is not None


def test_the_floor_is_told_to_the_nearest_example() -> None:
    assert opinion([], FLOOR - 0.4, FLOOR) is not None
    assert opinion([], FLOOR - 0.6, FLOOR) is None


def test_an_example_counts_half_after_the_half_life() -> None:
    taught = 1_795_600_000.0
    assert math.isclose(weight(taught + HALF_LIFE), 2 * weight(taught))
    assert math.isclose(weight(taught + 3 * HALF_LIFE), 8 * weight(taught))


@given(st.floats(allow_nan=False))
def test_no_clock_makes_a_weight_that_cannot_be_summed(taught_at: float) -> None:
    assert 0.0 < weight(taught_at) * 1e9 < math.inf
    assert weight(taught_at) / weight(-taught_at) > 0.0


def test_telling_words_are_those_that_agree_and_can_be_shown() -> None:
    telling = (("a\x1bb", 0.99), ("win", 0.98), ("bus", 0.01), ("\u202eexe", 0.9), ("x" * 90, 0.8))
    assert telling_words(Bayes(0.97, 30, 30, telling)) == "win, " + "x" * 40
    assert telling_words(Bayes(0.03, 30, 30, telling)) == "bus"


def test_words_by_hand() -> None:
    assert word_probability(0, 0, 20, 20) == 0.5
    # p = 1, n = 1: (1·0.5 + 1·1) / (1 + 1)
    assert word_probability(1, 0, 20, 20) == 0.75
    # shares, not counts: 10 of 100 and 1 of 10 tell nothing
    assert math.isclose(word_probability(10, 1, 100, 10), 0.5)


def test_one_word_by_hand() -> None:
    found = opinion([("win", 1, 0)], 20, 20)
    # With one word Fisher's tails are the probabilities themselves: (1 + 0.75 - 0.25) / 2.
    assert found is not None and math.isclose(found.probability, 0.75)
    assert found.telling == (("win", 0.75),)


def test_contradictory_evidence_is_undecided() -> None:
    counts = [(f"s{n}", 20, 0) for n in range(50)] + [(f"h{n}", 0, 20) for n in range(50)]
    found = opinion(counts, 20, 20)
    assert found is not None and math.isclose(found.probability, 0.5)


def test_many_telling_words_end_at_the_ends() -> None:
    spam = opinion([(f"s{n}", 100_000, 0) for n in range(500)], 100_000, 100_000)
    ham = opinion([(f"h{n}", 0, 100_000) for n in range(500)], 100_000, 100_000)
    assert spam is not None and spam.probability > 0.999999
    assert ham is not None and ham.probability < 0.000001


def test_only_the_most_telling_count() -> None:
    strong = [(f"s{n:03}", 90, 0) for n in range(MOST_TELLING)]
    weak = [(f"w{n}", 30, 60) for n in range(1_000)]
    assert opinion(weak + strong, 100, 100) == opinion(strong, 100, 100)


@given(COUNTS, st.integers(FLOOR, 1_000), st.integers(FLOOR, 1_000))
def test_a_probability_whatever_the_counts(counts, spam: int, ham: int) -> None:
    found = opinion(counts, spam, ham)
    assert found is not None and 0.0 <= found.probability <= 1.0
    assert opinion(reversed(counts), spam, ham) == found
    turned = opinion([(word, h, s) for word, s, h in counts], ham, spam)
    assert turned is not None and abs(turned.probability + found.probability - 1) < 1e-6


@given(st.text(st.characters()))
def test_a_token_is_a_signed_64_bit_number(word: str) -> None:
    assert -(2**63) <= token(word) < 2**63
    assert token(word) == token(word)


def test_tokens_stay_what_they_are_in_databases() -> None:
    assert token("prize") == -3821757188206687805
