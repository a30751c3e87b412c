"""The learned opinion: Robinson's word probabilities combined by Fisher's method.

Owns the arithmetic, and what an example is worth as time passes. Must not know where counts are
kept or who taught them.

Examples decay without a row being touched: one taught later is given more weight instead, and the
sums are divided by what an example would weigh today (`weight`). Shares of the sums stay the same;
what shrinks is the confidence in them, and the number that must pass the floor.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from hashlib import blake2b

from mailguard.core.decision.facts import Bayes

HALF_LIFE = 180 * 86_400.0  # seconds after which an example counts half
FLOOR = 20  # examples' worth on either side before there is an opinion
MOST_TELLING = 150  # words that count, the most telling first
_SHOWN = 10
_STRENGTH, _ASSUMED = 1.0, 0.5  # Robinson's s and x: an unseen word tells nothing
_DEVIATION = 0.1  # a word nearer to one half than this tells nothing
_CERTAIN = 1e-12  # of 0 and of 1, whose logarithms would end the sum
_ORIGIN = 1_767_225_600.0  # 2026-01-01: an example of that moment weighs 1
_MOST_HALF_LIVES = 400  # either way of the origin, so that no clock overflows a sum


def token(word: str) -> int:
    """A word's stable 64-bit number, signed as databases like it. Any text, surrogates too."""
    octets = word.encode("utf-8", "surrogatepass")
    return int.from_bytes(blake2b(octets, digest_size=8).digest(), "big", signed=True)


def weight(taught_at: float) -> float:
    """What an example of that moment (seconds since the epoch) adds to the sums."""
    half_lives = (taught_at - _ORIGIN) / HALF_LIFE
    return math.exp2(max(-_MOST_HALF_LIVES, min(_MOST_HALF_LIVES, half_lives)))


def word_probability(spam: float, ham: float, spam_examples: float, ham_examples: float) -> float:
    """How spammy a word is, 0 to 1, by how many examples' worth of either kind held it."""
    examples = spam + ham
    spam_share, ham_share = spam / spam_examples, ham / ham_examples
    if not spam_share + ham_share:
        return _ASSUMED
    observed = spam_share / (spam_share + ham_share)
    probability = (_STRENGTH * _ASSUMED + examples * observed) / (_STRENGTH + examples)
    return max(_CERTAIN, min(1 - _CERTAIN, probability))


def enough(spam_examples: float, ham_examples: float) -> bool:
    """Whether either side has examples enough, to the nearest whole one."""
    return round(min(spam_examples, ham_examples)) >= FLOOR


def opinion(
    counts: Iterable[tuple[str, float, float]], spam_examples: float, ham_examples: float
) -> Bayes | None:
    """The opinion on a message: `counts` has each distinct word with its spam and ham examples'
    worth.

    None below the floor. 0.5 where no word tells anything.
    """
    if not enough(spam_examples, ham_examples):
        return None
    judged = [
        (word, word_probability(spam, ham, spam_examples, ham_examples))
        for word, spam, ham in counts
    ]
    # Ties are broken by the word, so that the same message always gets the same answer.
    telling = sorted(
        (pair for pair in judged if abs(pair[1] - 0.5) >= _DEVIATION),
        key=lambda pair: (-abs(pair[1] - 0.5), pair[0]),
    )[:MOST_TELLING]
    return Bayes(
        probability=_combined([probability for _, probability in telling]),
        spam_examples=round(spam_examples),
        ham_examples=round(ham_examples),
        telling=tuple(telling[:_SHOWN]),
    )


def telling_words(opinion: Bayes) -> str:
    """The words that spoke for what it says, the most telling first, fit to be shown."""
    spam = opinion.probability > 0.5
    words = [word for word, probability in opinion.telling if (probability > 0.5) is spam]
    return ", ".join(word[:40] for word in words if word.isprintable())


def _combined(probabilities: list[float]) -> float:
    """Fisher's method both ways: near 0.5 where the evidence contradicts itself."""
    if not probabilities:
        return 0.5
    degrees = 2 * len(probabilities)
    against_ham = _chi_square_tail(-2 * sum(map(math.log, probabilities)), degrees)
    against_spam = _chi_square_tail(-2 * sum(math.log(1 - p) for p in probabilities), degrees)
    return min(1.0, max(0.0, (1 + against_ham - against_spam) / 2))


def _chi_square_tail(value: float, degrees: int) -> float:
    """The chance of a chi-square at least that large; `degrees` is even."""
    half = value / 2
    # In logarithms: exp(-half) alone is 0 for the values that 150 telling words give.
    logarithm, total = -half, math.exp(-half)
    for step in range(1, degrees // 2):
        logarithm += math.log(half / step) if half > 0 else -math.inf
        total += math.exp(logarithm)
    return min(total, 1.0)
