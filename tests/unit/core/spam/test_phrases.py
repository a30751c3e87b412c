"""One pass finds what a search for each phrase finds, on hostile text too."""

from __future__ import annotations

import random
import re

import pytest
from tests.support import cost

from mailguard.core.spam import phrases as spam_phrases
from mailguard.core.spam.phrases import PHRASES, phrase_hits

EVERY = [(phrase, symbol) for symbol, phrases in PHRASES.items() for phrase in phrases]


def one_by_one(text: str) -> dict[str, int]:
    """Each phrase by an expression of its own: whole words, with or without a plural's s."""
    found: dict[str, int] = {}
    for phrase, symbol in EVERY:
        before = r"(?<![A-Za-z0-9_])" if phrase[0].isalnum() else ""
        after = r"s?(?![A-Za-z0-9_])" if phrase[-1].isalnum() else ""
        if re.search(before + re.escape(phrase) + after, text):
            found[symbol] = found.get(symbol, 0) + 1
    return found


def texts() -> list[str]:
    rng = random.Random(7)
    phrases = [phrase for phrase, _ in EVERY]
    return [
        "",
        " ".join(phrases),
        "".join(phrases),
        "s ".join(phrases),
        "ss ".join(phrases),
        " x".join(phrases),
        "é".join(phrases),
        "_".join(phrases),
        "".join(phrase[:-1] for phrase in phrases),
        "you have won — “lottery” é \udcff\x00 bitcoin wallet",
        "\x01end\x01 you have won",
        *(
            rng.choice((" ", "", "s ")).join(
                rng.choice(phrases)[: rng.randrange(30)] for _ in range(900)
            )
            for _ in range(30)
        ),
    ]


@pytest.mark.parametrize("text", texts(), ids=range(len(texts())))
def test_finds_what_a_search_for_each_finds(text) -> None:
    assert {hit.symbol: hit.count for hit in phrase_hits(text)} == one_by_one(text)


def test_an_automaton_without_an_answer_is_not_taken_for_nothing(monkeypatch) -> None:
    class Exhausted:
        def Match(self, _text):
            return None

    monkeypatch.setattr(spam_phrases, "_SEARCHED", Exhausted())
    assert [hit.symbol for hit in phrase_hits("you have won")] == ["LOTTERY"]
    for text in texts():
        assert {hit.symbol: hit.count for hit in phrase_hits(text)} == one_by_one(text)


@pytest.mark.parametrize(
    "text",
    [
        "the reading specialist and the specialists of room 4",  # cialis
        "please pay meal accounts by friday",  # pay me
        "our wiki hacked together",  # i hacked
        "worldwide",
    ],
)
def test_phrases_are_no_parts_of_ordinary_words(text) -> None:
    assert not list(phrase_hits(text))


LONG = [text for text in texts() if len(text) > 1_000]


@pytest.mark.parametrize("text", LONG, ids=range(len(LONG)))
def test_time_is_linear(text: str) -> None:
    cost.assert_linear(cost.growing(text[:1_000], 16), lambda text: list(phrase_hits(text)))
