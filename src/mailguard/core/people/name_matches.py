"""Whose name a display name shows: protected people, by every form a reader takes for theirs.

Owns the indexes of full names, short forms and near misses. Only full names are compared: one word
is nobody's alone. Constant look-ups in a bounded display name. Must not know what follows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

from mailguard.core.people import edit_distance, names

if TYPE_CHECKING:
    from mailguard.core.people.model import Person

_Index = Mapping[str, "tuple[Person, ...]"]
_SHORTEST_NEAR, _LONGEST_NEAR = 8, 60  # letters of a name in which one letter is a slip


class NameMatches:
    """The names of a directory's people. `without_titles` gives what stands beside titles."""

    def __init__(self, people: Iterable[Person], without_titles: Callable[[str], str]) -> None:
        self._without_titles = without_titles
        everybody = [person for person in people if person.protected]
        # Short forms and slips of thousands of names are somebody's every day. Of those who hold
        # an office they are few, and worth forging: "Bob" for Robert is as good as the name.
        office_holders = [person for person in everybody if person.roles]
        self._full = _index(everybody, names.skeletons)
        self._office_short = _index(office_holders, names.short_skeletons)
        self._short = _index(everybody, names.short_skeletons)
        self._initial = _index(office_holders, names.initial_skeletons)
        self._near = _index(
            office_holders, lambda name: set(edit_distance.keys(_run_together(name)))
        )

    def named(self, display_name: str) -> tuple[Person, ...]:
        """Those whose full name it shows, in any order or spelling; of people with a role also
        with the first name in another common form."""
        forms = self._forms(display_name)
        return _found(forms, self._full, self._office_short)

    def perhaps(self, display_name: str) -> tuple[Person, ...]:
        """Those whose name it may be: another common form of the first name; of people with a
        role "J. Doe", "Jane D." and what differs by one letter."""
        initial = names.shown_initial(display_name)
        if initial:
            return _found((initial,), self._initial)
        return _found(self._forms(display_name), self._short) or self._slips(display_name)

    def _forms(self, display_name: str) -> list[str]:
        """Its skeletons, also without the words of titles: "Chief Financial Officer Jane Doe"."""
        forms = names.skeletons(display_name)
        bare = self._without_titles(display_name)
        return sorted(forms | {bare} if bare else forms)

    def _slips(self, display_name: str) -> tuple[Person, ...]:
        shown = _run_together(display_name)
        if not _SHORTEST_NEAR <= len(shown) <= _LONGEST_NEAR:
            return ()
        return tuple(
            person
            for person in _found(edit_distance.keys(shown), self._near)
            if any(
                edit_distance.within_one(_run_together(name), shown)
                for name in (person.name, *person.other_names)
            )
        )


def _run_together(name: str) -> str:
    words = names.telling_words(name)
    return "".join(words) if len(words) > 1 else ""


def _index(people: Iterable[Person], keys: Callable[[str], Iterable[str]]) -> _Index:
    found: dict[str, dict[str, Person]] = {}
    for person in people:
        for name in (person.name, *person.other_names):
            if len(names.telling_words(name)) > 1:
                for key in keys(name):
                    found.setdefault(key, {})[person.id] = person
    return {key: tuple(holders.values()) for key, holders in found.items()}


def _found(keys: Iterable[str], *indexes: _Index) -> tuple[Person, ...]:
    """The people under any of these keys, each once."""
    people = {p.id: p for key in keys for index in indexes for p in index.get(key, ())}
    return tuple(people.values())
