"""One letter's difference, and no more."""

from __future__ import annotations

import itertools

import pytest

from mailguard.core.people.edit_distance import keys, within_one


@pytest.mark.parametrize(
    ("one", "other", "near"),
    [
        ("", "", True),
        ("", "a", True),
        ("", "ab", False),
        ("abc", "abc", True),
        ("abc", "abcd", True),
        ("abc", "xabc", True),
        ("abc", "axbc", True),
        ("abc", "ac", True),
        ("abc", "axc", True),
        ("abc", "acb", True),
        ("abc", "bac", True),
        ("abc", "cba", False),
        ("abcd", "badc", False),
        ("abc", "bca", False),
    ],
)
def test_within_one(one, other, near) -> None:
    assert within_one(one, other) is near
    assert within_one(other, one) is near


def edits(text: str) -> set[str]:
    """Everything one edit away, the slow and plain way."""
    found = {text}
    for i in range(len(text) + 1):
        found |= {text[:i] + c + text[i:] for c in "ab"}
        if i < len(text):
            found |= {text[:i] + c + text[i + 1 :] for c in "ab"} | {text[:i] + text[i + 1 :]}
        if i + 1 < len(text):
            found.add(text[:i] + text[i + 1] + text[i] + text[i + 2 :])
    return found


def test_all_short_texts_agree_with_the_plain_way() -> None:
    every = ["".join(w) for n in range(6) for w in itertools.product("ab", repeat=n)]
    for one in every:
        near = edits(one)
        for other in every:
            assert within_one(one, other) is (other in near), (one, other)
            if other in near:  # whatever is near is found by a common key
                assert set(keys(one)) & set(keys(other)), (one, other)
