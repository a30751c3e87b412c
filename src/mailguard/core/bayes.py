"""The learned opinion: Robinson's word probabilities combined by Fisher's method.

Owns the arithmetic. Must not know where counts are kept or who taught them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from hashlib import blake2b

from mailguard.core.facts import Bayes

FLOOR = 20  # examples on either side before there is an opinion
MOST_TELLING = 150  # words that count, the most telling first
_SHOWN = 10
_STRENGTH, _ASSUMED = 1.0, 0.5  # Robinson's s and x: an unseen word tells nothing
_DEVIATION = 0.1  # a word nearer to one half than this tells nothing


def token(word: str) -> int:
    """A word's stable 64-bit number, signed as databases like it. Any text, surrogates too."""
    octets = word.encode("utf-8", "surrogatepass")
    return int.from_bytes(blake2b(octets, digest_size=8).digest(), "big", signed=True)


def word_probability(spam: int, ham: int, spam_examples: int, ham_examples: int) -> float:
    """How spammy a word is, 0 to 1, by how many examples of either kind held it."""
    examples = spam + ham
    if examples == 0:
        return _ASSUMED
    spam_share, ham_share = spam / spam_examples, ham / ham_examples
    observed = spam_share / (spam_share + ham_share)
    return (_STRENGTH * _ASSUMED + examples * observed) / (_STRENGTH + examples)


def opinion(
    counts: Iterable[tuple[str, int, int]], spam_examples: int, ham_examples: int
) -> Bayes | None:
    """The opinion on a message: `counts` has each distinct word with its spam and ham examples.

    None below the floor. 0.5 where no word tells anything.
    """
    if min(spam_examples, ham_examples) < FLOOR:
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
        spam_examples=spam_examples,
        ham_examples=ham_examples,
        telling=tuple(telling[:_SHOWN]),
    )


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
