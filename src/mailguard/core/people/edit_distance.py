"""Texts that differ by one letter: added, left out, changed, or swapped with its neighbour.

Owns the comparison and the keys under which near texts meet, so that no pair need be compared
blindly. Linear in the text, which the caller bounds. Must not know what the texts are.
"""

from __future__ import annotations

from collections.abc import Iterator


def keys(text: str) -> Iterator[str]:
    """The text, and without each of its letters in turn: near texts have one in common."""
    yield text
    for i in range(len(text)):
        yield text[:i] + text[i + 1 :]


def within_one(one: str, other: str) -> bool:
    """Whether Damerau and Levenshtein's distance is at most 1. Linear."""
    if len(one) > len(other):
        one, other = other, one
    if len(other) - len(one) > 1:
        return False
    start = 0
    while start < len(one) and one[start] == other[start]:
        start += 1
    a, b = one[start:], other[start:]
    if len(one) == len(other):
        return a[1:] == b[1:] or (a[:2] == b[1::-1] and a[2:] == b[2:])
    return a == b[1:]
