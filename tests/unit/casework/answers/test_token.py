"""Tokens answer for one person, one message and one ticket, and for nothing else."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailguard.casework.answers import token as question

KEYS = (b"new" * 11, b"old" * 11)
ABOUT = "tbirch|" + "ab" * 32


def test_it_comes_back_from_wherever_it_stands() -> None:
    token = question.token(KEYS, 41, 2, ABOUT)
    for text in (
        f"<mailguard.{token}@example.org>",
        f"Re: Please approve [#{token}]",
        f"> Reference: {token}\r\n",
        f"https://mail.example.org/answer/{token}",
    ):
        assert question.found_in([text]) == (token,)
    assert question.proves(token, KEYS, ABOUT)
    assert question.proves(question.token(KEYS[1:], 41, 2, ABOUT), KEYS, ABOUT)  # an older key


@pytest.mark.parametrize(
    "change", [{"ticket": 42}, {"number": 1}, {"mac": "a" * 16}, {"mac": ""}], ids=str
)
def test_it_answers_for_nothing_else(change: dict[str, object]) -> None:
    token = dataclasses.replace(question.token(KEYS, 41, 2, ABOUT), **change)  # type: ignore[arg-type]
    assert not question.proves(token, KEYS, ABOUT)


def test_nor_for_somebody_else_or_without_the_key() -> None:
    token = question.token(KEYS, 41, 2, ABOUT)
    assert not question.proves(token, KEYS, ABOUT.replace("tbirch", "mmaple"))
    assert not question.proves(token, (b"other",), ABOUT)
    assert not question.proves(token, (), ABOUT)
    with pytest.raises(ValueError, match="no key"):
        question.token((), 41, 2, ABOUT)


def test_all_are_found_once_in_order_and_not_without_end() -> None:
    one, two = question.token(KEYS, 1, 0, ABOUT), question.token(KEYS, 2, 0, ABOUT)
    assert question.found_in([f"{two} {one}", f"{two}"]) == (two, one)
    many = " ".join(f"{n}-0-{'a' * 16}" for n in range(500))
    assert len(question.found_in([many])) == 50
    assert question.found_in([f"1{one}x", "1-2-short", "7" * 50_000]) == ()


@given(st.text(max_size=300))
def test_nothing_raises(text: str) -> None:
    question.found_in([text])
