"""What reviewers taught reaches the opinion, here and in other processes, and fades."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from itertools import count

import pytest

from mailguard.adapters.database import learned as module
from mailguard.adapters.database.engine import Database
from mailguard.adapters.database.learned import LearnedWords, Lesson
from mailguard.core.decision.facts import Bayes, Unavailable
from mailguard.core.spam.bayes import HALF_LIFE

SPAM, HAM = ["win", "prize", "\udcff\0"], ["homework", "bus", "prize"]
NOW = 1_795_600_000.0
_numbers: Iterator[int] = count()


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


def lesson(words: list[str], spam: bool | None, example: str = "") -> Lesson:
    return Lesson(example or f"{next(_numbers):064x}", words, spam)


def lessons(number: int = 20) -> list[Lesson]:
    return [
        lesson(words, spam) for _ in range(number) for words, spam in ((SPAM, True), (HAM, False))
    ]


async def taught(database: Database, number: int = 20, clock: Clock | None = None) -> LearnedWords:
    learned = LearnedWords(database, clock=clock or Clock())
    assert await learned.teach(lessons(number)) == 0
    return learned


def said(learned: LearnedWords, words: list[str]) -> Bayes:
    opinion = learned.opinion(lambda: words)
    assert isinstance(opinion, Bayes)
    return opinion


async def test_an_opinion_after_enough_examples(database: Database) -> None:
    learned = LearnedWords(database)
    assert isinstance(learned.opinion(lambda: SPAM), Unavailable)
    await learned.refresh()
    assert learned.opinion(lambda: SPAM) is None
    learned = await taught(database)
    bad, good = said(learned, SPAM * 3), said(learned, HAM)
    assert bad.probability > 0.9 > 0.1 > good.probability
    assert (bad.spam_examples, bad.ham_examples) == (20, 20)
    assert {word for word, _ in bad.telling} == {"win", "\udcff\0"}
    assert said(learned, ["never", "seen"]).probability == 0.5


@pytest.mark.parametrize("kinds", [(19, 40), (40, 19)])
async def test_silent_below_the_floor_on_either_side(
    database: Database, kinds: tuple[int, int]
) -> None:
    learned = LearnedWords(database, clock=Clock())
    for number, words, spam in ((kinds[0], SPAM, True), (kinds[1], HAM, False)):
        await learned.teach([lesson(words, spam) for _ in range(number)])
    assert learned.opinion(lambda: SPAM) is None
    await learned.teach([lesson(SPAM, True), lesson(HAM, False)])
    said(learned, SPAM)


async def test_a_message_counts_once(database: Database) -> None:
    learned = await taught(database)
    one = lesson(["win"], True)
    assert await learned.teach([one]) == 0
    once = said(learned, ["win"])
    assert await learned.teach([one]) == 1
    assert await learned.teach([one, one]) == 2
    assert said(learned, ["win"]) == once


async def test_what_was_said_last_counts(database: Database) -> None:
    turned, straight = LearnedWords(database, clock=Clock()), await taught(database)
    one = lesson(["field", "trip"], True, "f" * 64)
    await turned.teach([one])
    wrong = said(turned, ["trip"]).probability
    await turned.teach([Lesson(one.example, one.words, False)])
    right = said(turned, ["trip"])
    assert right.probability < 0.5 < wrong
    assert (right.spam_examples, right.ham_examples) == (20, 21)
    await straight.refresh()
    assert said(straight, ["trip"]) == right


async def test_taking_back_leaves_nothing(database: Database) -> None:
    clock = Clock()
    learned = await taught(database, clock=clock)
    before = said(learned, SPAM)
    one = lesson(["win", "only-here"], False)
    await learned.teach([one])
    clock.now += HALF_LIFE / 3  # it is taken back for what it was worth when taught
    assert await learned.teach([Lesson(one.example, one.words, None)]) == 1
    clock.now = NOW
    after = said(learned, SPAM)
    assert after.probability == pytest.approx(before.probability)
    assert (after.spam_examples, after.ham_examples) == (20, 20)
    assert said(learned, ["only-here"]).probability == 0.5
    assert (await learned.stock()).words == 5
    assert await learned.teach([Lesson(one.example, one.words, None)]) == 0  # as it is


@pytest.mark.parametrize("words", [[], ["x"]])
async def test_taking_back_what_was_never_taught(database: Database, words: list[str]) -> None:
    learned = await taught(database)
    before = said(learned, SPAM)
    assert await learned.teach([lesson(words, None)]) == 0
    assert said(learned, SPAM) == before


async def test_old_examples_count_less(database: Database) -> None:
    clock = Clock()
    learned = await taught(database, 40, clock)
    fresh = said(learned, SPAM)
    clock.now += HALF_LIFE
    faded = said(learned, SPAM)
    assert (faded.spam_examples, faded.ham_examples) == (20, 20)
    assert 0.5 < faded.probability < fresh.probability
    clock.now += HALF_LIFE / 4
    assert learned.opinion(lambda: SPAM) is None  # 17 examples' worth


async def test_what_is_taught_now_outweighs_what_was_taught_then(database: Database) -> None:
    clock = Clock()
    learned = await taught(database, 40, clock)
    await learned.teach([lesson(["coupon"], True) for _ in range(10)])
    clock.now += HALF_LIFE
    await learned.teach([lesson(["coupon"], False) for _ in range(10)])
    # 5 of 25 against 10 of 30: (0.5 + 15 · 0.375) / 16
    ((word, probability),) = said(learned, ["coupon"]).telling
    assert (word, round(probability, 3)) == ("coupon", 0.383)


async def test_a_clock_far_away_does_no_harm(database: Database) -> None:
    clock = Clock()
    learned = await taught(database, clock=clock)
    for now in (0.0, 1e18, -1e18):
        clock.now = now
        await learned.teach([lesson(SPAM, True)])
        learned.opinion(lambda: SPAM)
        assert (await learned.stock()).spam > 20


async def test_seldom_words_go_when_there_are_too_many(
    database: Database, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_WORDS", 100)
    learned = await taught(database)
    other_database = Database(url)
    try:
        other = LearnedWords(other_database, clock=Clock())
        await learned.teach([lesson([f"once-{n}"], True) for n in range(90)])
        await other.refresh()
        assert said(other, ["once-1"]).probability > 0.5
        await learned.teach([lesson([f"again-{n}"], True) for n in range(10)])
        stock = await learned.stock()
        assert 70 <= stock.words <= 75
        assert stock.spam == 120  # lessons stay
        await other.refresh()
        for one in (learned, other):
            assert said(one, ["win"]).probability > 0.9
            kept = [n for n in range(90) if said(one, [f"once-{n}"]).probability != 0.5]
            assert len(kept) <= 75
        assert said(other, SPAM) == said(learned, SPAM)
    finally:
        other_database.close()


async def test_lessons_are_bounded(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_LESSONS", 30)
    clock = Clock()
    learned = LearnedWords(database, clock=clock)
    first = lesson(SPAM, True)
    await learned.teach([first])
    clock.now += 1
    await learned.teach(lessons(20))
    stock = await learned.stock()
    assert stock.spam + stock.ham == 30
    assert round(stock.spam_worth) == 21  # it counts still
    assert await learned.teach([Lesson(first.example, first.words, None)]) == 0


async def test_another_process_notices(database: Database, url: str) -> None:
    other_database = Database(url)
    try:
        other = LearnedWords(other_database, clock=Clock())
        await other.refresh()
        more = [other.teach([lesson(HAM, False)]) for _ in range(9)]
        await asyncio.gather(taught(database), *more)
        one = LearnedWords(database, clock=Clock())
        await one.refresh()
        await other.refresh()
        assert said(other, SPAM) == said(one, SPAM)
        assert said(one, SPAM).ham_examples == 29
    finally:
        other_database.close()


async def test_two_processes_teach_the_same_message(database: Database, url: str) -> None:
    other_database = Database(url)
    try:
        both = [LearnedWords(d, clock=Clock()) for d in (database, other_database)]
        same = lessons(5)
        await asyncio.gather(*(one.teach([lesson]) for lesson in same for one in both))
        stock = await both[0].stock()
        assert (stock.spam, stock.ham) == (5, 5)
        assert (round(stock.spam_worth, 6), round(stock.ham_worth, 6)) == (5, 5)
    finally:
        other_database.close()
