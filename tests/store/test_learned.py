"""What reviewers taught reaches the opinion, here and in other processes."""

from __future__ import annotations

import asyncio

import pytest

from mailguard.adapters.database import Database
from mailguard.adapters.learned import LearnedWords
from mailguard.core.facts import Bayes, Unavailable

SPAM, HAM = ["win", "prize", "\udcff\0"], ["homework", "bus", "prize"]


async def _taught(database: Database) -> LearnedWords:
    learned = LearnedWords(database)
    for _ in range(20):
        await asyncio.gather(learned.learn(SPAM, spam=True), learned.learn(HAM, spam=False))
    return learned


async def test_an_opinion_after_enough_examples(database: Database) -> None:
    learned = LearnedWords(database)
    assert isinstance(learned.opinion(lambda: SPAM), Unavailable)
    await learned.refresh()
    assert learned.opinion(lambda: SPAM) is None
    learned = await _taught(database)
    bad, good = learned.opinion(lambda: SPAM * 3), learned.opinion(lambda: HAM)
    assert isinstance(bad, Bayes) and isinstance(good, Bayes)
    assert bad.probability > 0.9 > 0.1 > good.probability
    assert (bad.spam_examples, bad.ham_examples) == (20, 20)
    assert {word for word, _ in bad.telling} == {"win", "\udcff\0"}
    unknown = learned.opinion(lambda: ["never", "seen"])
    assert isinstance(unknown, Bayes) and unknown.probability == 0.5


async def test_unlearning_takes_back_exactly_that(database: Database) -> None:
    learned = await _taught(database)
    before = learned.opinion(lambda: SPAM)
    await learned.learn(["win"], spam=False)
    assert learned.opinion(lambda: SPAM) != before
    await learned.unlearn(["win"], spam=False)
    assert learned.opinion(lambda: SPAM) == before
    await learned.unlearn(SPAM, spam=True)
    assert learned.opinion(lambda: SPAM) is None  # 19 examples


@pytest.mark.parametrize("words", [[], ["x"]])
async def test_counts_never_fall_below_nothing(database: Database, words: list[str]) -> None:
    learned = LearnedWords(database)
    await learned.unlearn(words, spam=True)
    for _ in range(20):
        await learned.learn(words, spam=True)
        await learned.learn([], spam=False)
    opinion = learned.opinion(lambda: ["x"])
    assert isinstance(opinion, Bayes) and opinion.spam_examples == 20


async def test_another_process_notices(database: Database, url: str) -> None:
    other_database = Database(url)
    try:
        other = LearnedWords(other_database)
        await other.refresh()
        await asyncio.gather(_taught(database), *(other.learn(HAM, spam=False) for _ in range(9)))
        one = LearnedWords(database)
        one.refresh_now()
        await other.refresh()
        assert other.opinion(lambda: SPAM) == one.opinion(lambda: SPAM)
        assert one.opinion(lambda: SPAM).ham_examples == 29
    finally:
        other_database.close()
