"""The names under which things are stored are pinned: a rename in Python changes none of them.

`stored_spelling.txt` lists every place in the JSON of every stored kind, with what stands there. It
is reviewed by people: where this test fails, what is stored has changed. Something new that has a
default may be added to the file. Whatever else it is (a name, a word, a type) wants a new format:
an upcaster from the old one, with a test of it (docs/adr/0014-stored-formats.md).
"""

from __future__ import annotations

import dataclasses
import enum
import json
import types
import typing
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any

from tests.support.old_store import EXAMPLE

from mailguard.casework.approvals.life import APPROVAL, Approval
from mailguard.casework.grants.life import GRANT, PreApproval
from mailguard.casework.unblocking.case import CASE, Case
from mailguard.casework.unblocking.summary import MORNING, Morning
from mailguard.config.load import load
from mailguard.config.policy import POLICY, policy_json
from mailguard.core.decision.decide import Decision, Judgement, Outcome
from mailguard.core.decision.facts import Facts
from mailguard.core.decision.verdict import Disposition, Finding
from mailguard.core.record.stored import DECISION, FACTS, decision_json, facts_json
from mailguard.core.text.reading import Reading

SPELLING = Path(__file__).with_name("stored_spelling.txt")
_ALTERNATIVES = 16  # members of the longest union or enumeration, at most


class _Free(str):
    """Text that is not one of our words."""


_PLAIN: Mapping[Any, Any] = {
    str: _Free("free text"),
    int: 3,
    float: 1.5,
    bool: True,
    bytes: b"k",
    date: date(2026, 3, 1),
}


def _filled(kind: Any, pick: int) -> Any:
    """A value of this type with every optional part; of alternatives the one of that number."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        wanted = [a for a in arguments if a is not type(None)]
        return _filled(wanted[pick % len(wanted)], pick // len(wanted))
    if origin is tuple:
        members = arguments[:1] if arguments[1:] == (...,) else arguments
        return tuple(_filled(member, pick) for member in members)
    if origin is frozenset:
        return frozenset({_filled(arguments[0], pick)})
    if origin is not None and issubclass(origin, Mapping):
        return {_filled(arguments[0], pick): _filled(arguments[1], pick)}
    if origin is typing.Literal:
        return arguments[pick % len(arguments)]
    if dataclasses.is_dataclass(kind):
        hints = typing.get_type_hints(kind)
        return kind(**{f.name: _filled(hints[f.name], pick) for f in dataclasses.fields(kind)})
    if issubclass(kind, enum.Enum):
        return list(kind)[pick % len(kind)]
    return _PLAIN[kind]


def _places(value: Any, place: str = "") -> Iterator[tuple[str, str]]:
    """Every place in a JSON value, with what stands there; a key that is free text is `*`."""
    if isinstance(value, dict):
        for key, inner in value.items():
            free = key == _PLAIN[str] or "@" in key or "." in key
            yield from _places(inner, f"{place}.{'*' if free else key}")
    elif isinstance(value, list):
        for inner in value:
            yield from _places(inner, f"{place}[]")
    elif isinstance(value, str):
        known = {_PLAIN[str]: "text", "2026-03-01": "date"}
        yield place, known.get(value, f'"{value}"')
    else:
        yield place, {bool: "bool", int: "number", float: "number"}[type(value)]


def _decision() -> Decision:
    def judgement(disposition: Disposition) -> Judgement:
        words = "free text"
        finding = Finding(words, words, (words,), (words,))
        return Judgement(words, finding, disposition, (words,), words, True)

    judgements = tuple(map(judgement, Disposition))
    outcomes = {f"{n}@example.org": Outcome(j.disposition, (j,)) for n, j in enumerate(judgements)}
    return Decision(outcomes, (), judgements, (), "digest")


def _stored() -> Iterator[tuple[str, int, list[bytes]]]:
    picks = range(_ALTERNATIVES)
    yield "approval", APPROVAL.number, [APPROVAL.dump(_filled(Approval, n)) for n in picks]
    yield "case", CASE.number, [CASE.dump(_filled(Case, n)) for n in picks]
    yield "grant", GRANT.number, [GRANT.dump(_filled(PreApproval, n)) for n in picks]
    yield "summary", MORNING.number, [MORNING.dump(Morning())]
    yield "facts", FACTS.number, [facts_json(_facts(n)) for n in picks]
    yield "decision", DECISION.number, [decision_json(_decision())]


def _facts(pick: int) -> Facts:
    hints = typing.get_type_hints(Facts)
    names = [f.name for f in dataclasses.fields(Facts) if f.name not in ("reading", "link_keys")]
    read = Reading((), ())  # made again from the message: a word of its own stands for it
    return Facts(**{name: _filled(hints[name], pick) for name in names}, reading=read)


def _spelled() -> str:
    lines = []
    for kind, number, values in _stored():
        found: dict[str, dict[str, None]] = {}
        for value in values:
            document = json.loads(value)
            if isinstance(document, dict):
                assert document.pop("format") == number
            for place, what in _places(document):
                found.setdefault(place.removeprefix("."), {})[what] = None
        lines.append(f"{kind}, format {number}")
        lines += [f"  {place}: {' | '.join(sorted(found[place]))}" for place in sorted(found)]
    lines.append(f"policy, format {POLICY.number}, a list")
    for step in json.loads(policy_json(load(EXAMPLE).snapshot.policy.steps)):
        lines.append(f"  {step['check']}: {', '.join(step)}")
        lines.append(f"    settings: {', '.join(step['settings']) or 'none'}")
    return "\n".join(lines) + "\n"


def test_what_is_stored_is_spelled_as_it_was() -> None:
    assert _spelled() == SPELLING.read_text(), "see the docstring of this module"
