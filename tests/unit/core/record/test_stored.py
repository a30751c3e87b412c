"""Facts come back equal from the ledger, whatever kind they are."""

from __future__ import annotations

import dataclasses
import enum
import json
import types
import typing
from collections.abc import Mapping
from datetime import date
from typing import Any

import pytest

from mailguard.core.decision.facts import Facts, Unavailable
from mailguard.core.record.stored import facts_from_json, facts_json
from mailguard.core.text.reading import Reading

LEFT_OUT = {"reading", "link_keys"}
MAY_FAIL = [n for n, hint in typing.get_type_hints(Facts).items() if "Unavailable" in str(hint)]
_VALUES = {
    str: "é\u202e\x00🙂",
    int: 3,
    float: 1.5,
    bool: True,
    bytes: b"k",
    date: date(2026, 3, 1),
}


def _filled(kind: Any) -> Any:
    """A value of this type in which no optional part is missing."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        wanted = [a for a in arguments if a not in (type(None), Unavailable)]
        return _filled(wanted[0])
    if origin is tuple:
        members = arguments[:1] if arguments[1:] == (...,) else arguments
        return tuple(_filled(member) for member in members)
    if origin is frozenset:
        return frozenset({_filled(arguments[0])})
    if origin is not None and issubclass(origin, Mapping):
        return {_filled(arguments[0]): _filled(arguments[1])}
    if origin is typing.Literal:
        return arguments[-1]
    if dataclasses.is_dataclass(kind):
        hints = typing.get_type_hints(kind)
        made = {f.name: _filled(hints[f.name]) for f in dataclasses.fields(kind) if f.init}
        return kind(**made)
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return list(kind)[-1]
    values = {
        str: "é\u202e\x00🙂",
        int: 3,
        float: 1.5,
        bool: True,
        bytes: b"k",
        date: date(2026, 3, 1),
    }
    return values[kind]


def _facts() -> Facts:
    hints = typing.get_type_hints(Facts)
    names = [f.name for f in dataclasses.fields(Facts) if f.name not in LEFT_OUT]
    filled = {name: _filled(hints[name]) for name in names}
    return Facts(**filled | {"may_tell": False})  # true by default


def test_every_kind_of_fact_comes_back_equal() -> None:
    facts = _facts()
    for field in dataclasses.fields(Facts):
        if field.name not in LEFT_OUT and field.default is not dataclasses.MISSING:
            assert getattr(facts, field.name) != field.default, field.name
    assert facts_from_json(facts_json(facts), facts.reading, ()) == facts


@pytest.mark.parametrize("name", MAY_FAIL)
def test_unavailable_is_not_taken_for_an_answer(name: str) -> None:
    facts = dataclasses.replace(_facts(), **{name: Unavailable("no answer")})
    assert facts_from_json(facts_json(facts), Reading((), ()), ()) == facts


def test_what_a_later_version_adds_is_passed_over() -> None:

    facts = _facts()
    later = json.loads(facts_json(facts)) | {"of_tomorrow": [1]}
    later["district"]["of_tomorrow"] = "x"
    assert facts_from_json(json.dumps(later).encode(), facts.reading, ()) == facts


def test_keys_are_never_stored() -> None:
    facts = dataclasses.replace(_facts(), link_keys=(b"a very secret key",))
    assert b"a very secret key" not in facts_json(facts)
    assert b"YSB2ZXJ5" not in facts_json(facts)


def test_half_a_character_can_be_stored() -> None:
    facts = dataclasses.replace(_facts(), arc=Unavailable("odd \udcff"))
    assert facts_from_json(facts_json(facts), facts.reading, ()).arc == Unavailable("odd ?")
