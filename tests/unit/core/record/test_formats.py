"""Formats: the number that stored values carry, and the way up from earlier ones."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

import pytest
from pydantic import TypeAdapter

from mailguard.core.record.formats import Format, NewerFormat, number_of


@dataclass(frozen=True)
class Member:
    name: str
    since: date
    share: float = 1.0


@dataclass(frozen=True)
class Nothing:
    pass


def renamed(document: Any) -> Any:
    return {("name" if key == "called" else key): value for key, value in document.items()}


def dated(document: Any) -> Any:
    return {**document, "since": "2026-01-01"}


FIRST = Format("member", TypeAdapter(Member))
THIRD = Format("member", TypeAdapter(Member), (renamed, dated))
ROSA = Member("Rosa", date(2026, 11, 2))


def test_what_is_written_carries_its_number_in_front() -> None:
    assert FIRST.dump(ROSA) == b'{"format":1,"name":"Rosa","since":"2026-11-02","share":1.0}'
    assert THIRD.dump(ROSA).startswith(b'{"format":3,"name":')
    assert Format("nothing", TypeAdapter(Nothing)).dump(Nothing()) == b'{"format":1}'


@pytest.mark.parametrize("format_", [FIRST, THIRD], ids=["first", "third"])
@pytest.mark.parametrize("value", [ROSA, Member("\x00é🙂", date.max, float("inf"))], ids=repr)
def test_it_comes_back_equal(format_: Format[Member], value: Member) -> None:
    assert format_.load(format_.dump(value)) == value


def test_half_a_character_can_be_stored() -> None:
    assert FIRST.load(FIRST.dump(Member("odd \udcff", date.max))).name == "odd ?"


def test_without_a_number_it_is_the_first_format() -> None:
    stored = b'{"name":"Rosa","since":"2026-11-02"}'
    assert FIRST.load(stored) == ROSA
    assert FIRST.document(stored) == {"name": "Rosa", "since": "2026-11-02"}


@pytest.mark.parametrize(
    "stored",
    [
        b'{"called":"Rosa"}',
        b'{"format":1,"called":"Rosa"}',
        b'{"format":2,"name":"Rosa"}',
        b'{"name":"Rosa", "format": 2}',
        b'{"format":3,"name":"Rosa","since":"2026-01-01"}',
    ],
)
def test_every_earlier_format_is_brought_up_to_date(stored: bytes) -> None:
    assert THIRD.load(stored) == Member("Rosa", date(2026, 1, 1))


@pytest.mark.parametrize(
    "stored",
    [
        b'{"format":2,"name":"Rosa","since":"2026-11-02"}',
        b'{"name": "Rosa", "since": "2026-11-02", "format": 2}',
        b'{"format":99999999999999999999}',
        b'{"format":2,"of tomorrow":',
    ],
)
def test_a_newer_one_is_told_from_a_damaged_one(stored: bytes) -> None:
    for read in (FIRST.load, FIRST.document, FIRST.refuse_newer):
        with pytest.raises(NewerFormat, match="a newer version of mailguard wrote this member"):
            read(stored)


_NO_NUMBERS = (b'"1"', b"0", b"-1", b"1.0", b"true", b"null", b"[]")


@pytest.mark.parametrize(
    "stored",
    [
        *(b"", b"{", b"[]", b"null", b'{"name":7}', b"\xff", b'"format"'),
        *(b'{"format":%b,"name":"Rosa","since":"2026-11-02"}' % number for number in _NO_NUMBERS),
    ],
)
def test_a_damaged_one_is_a_value_error(stored: bytes) -> None:
    FIRST.refuse_newer(stored)
    for read in (FIRST.load, THIRD.load):
        with pytest.raises(ValueError):
            read(stored)


def test_a_list_is_the_first_format_of_what_began_as_one() -> None:
    steps = Format("policy", TypeAdapter(Any), (lambda document: {"steps": document},))
    assert steps.document(b'[{"check":"spam","settings":{"format":7}}]') == {
        "steps": [{"check": "spam", "settings": {"format": 7}}]
    }
    assert steps.document(b'{"format":2,"steps":[]}') == {"steps": []}
    with pytest.raises(NewerFormat):
        steps.document(b'{"format":3}')


def test_an_inner_format_is_no_number_of_ours() -> None:
    assert number_of(b'{"settings":{"format":7}}') == 1


def test_a_listing_has_no_number() -> None:
    assert THIRD.plain(ROSA) == {"name": "Rosa", "since": "2026-11-02", "share": 1.0}
