"""docs/spam.md: its numbers are those of the code."""

from __future__ import annotations

from pathlib import Path

from mailguard.adapters.database.learned import MOST_LESSONS, MOST_WORDS
from mailguard.checks.spam import SpamSettings
from mailguard.core.spam.bayes import FLOOR, HALF_LIFE
from mailguard.core.spam.features import BAYES_RANGE, FEATURES

PAGE = " ".join((Path(__file__).parents[2] / "docs" / "spam.md").read_text("utf-8").split())


def test_the_numbers_are_those_of_the_code() -> None:
    settings = SpamSettings()
    assert f"from `tag` points ({settings.tag:g})" in PAGE
    assert f"from `block` points ({settings.block:g})" in PAGE
    assert f"examples worth {FLOOR}." in PAGE
    assert f"counts half after {HALF_LIFE / 86_400:g} days" in PAGE
    assert f"At most {MOST_WORDS:,} words" in PAGE
    assert f"newest {MOST_LESSONS:,} lessons" in PAGE
    assert f"at most {BAYES_RANGE[1]:g} points and takes at most {-BAYES_RANGE[0]:g}" in PAGE
    assert 50 <= len(FEATURES) <= 70  # "about sixty"


def test_the_opinion_stays_within_its_range() -> None:
    assert FEATURES["BAYES_SPAM"].at_most == BAYES_RANGE[1] < SpamSettings().block
    assert -FEATURES["BAYES_HAM"].at_most == BAYES_RANGE[0]
