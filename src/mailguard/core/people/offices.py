"""Offices that a display name claims: a title of the district, alone or with a place (R1).

Owns which titles are worth claiming and how they are recognised. A title alone counts only where
one person of the whole district holds it; others need the district's or a site's name beside them.
Linear in a bounded display name. Must not know mail, or who may use a title.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from mailguard.core.people import names

if TYPE_CHECKING:
    from mailguard.core.people.model import Person, Site

_MOST_WORDS = 30  # of a display name


@dataclass(frozen=True, slots=True)
class Office:
    """An office claimed. `place` is the site or district named beside it, "" where none is."""

    title: str  # "Superintendent", as in the directory
    holder: str = ""  # the name of one who holds it
    place: str = ""


@dataclass(frozen=True, slots=True)
class _Title:
    words: tuple[str, ...]
    office: Office
    alone: bool  # one person of the district holds it

    @property
    def telling(self) -> frozenset[str]:
        return frozenset(self.words) - _FILLERS


def _set(text: str) -> frozenset[str]:
    return frozenset(names.folded_words(text))


# Beside a title these say nothing.
_FILLERS = _set(
    "the of office offices from desk at for and your our by dr mr mrs ms miss mx s message notice "
    "new urgent important interim acting"
)
# What districts and schools are called besides their own name.
_KINDS = _set(
    "unified union elementary middle high school schools district districts public independent "
    "county city township academy board education department isd usd administration services"
)
_SCHOOL = _set("school schools")
# Titles that people hold at one site; each school has one.
_AT_A_SITE = frozenset({"principal", "site_secretary"})
_LEADING = _set("superintendent principal")
_MEANING = {
    names.folded_words(short): names.folded_words(full)
    for short, full in {
        "supt": "superintendent",
        "asst": "assistant",
        "assoc": "associate",
        "dir": "director",
        "exec": "executive",
        "vp": "vice principal",
        "it": "information technology",
        "hr": "human resources",
    }.items()
}


class Offices:
    """The titles and sites of a directory, indexed."""

    def __init__(self, people: Iterable[Person], sites: Iterable[Site]) -> None:
        held: dict[tuple[str, ...], list[Person]] = {}
        self._words: set[str] = set()
        for person in people:
            if person.protected and person.title:
                self._words.update(_words_of(person.title))
                for words in _variants(person.title):
                    if person.roles or _LEADING & set(words):
                        held.setdefault(words, []).append(person)
        self._by_first: dict[str, list[_Title]] = {}
        self._titles: list[_Title] = []
        for words, holders in held.items():
            first = holders[0]
            alone = len(holders) == 1 and (
                bool(set(first.roles) - _AT_A_SITE) or "superlntendent" in words
            )
            office = Office(first.title, first.name)
            self._titles.append(_Title(words, office, alone))
        self._titles.sort(key=lambda title: -len(title.words))  # the longest is meant
        for title in self._titles:
            self._by_first.setdefault(title.words[0], []).append(title)
        self._sites = [(place, site.name) for site in sites for place in _place_names(site.name)]

    def without_titles(self, display_name: str) -> str:
        """The skeleton of what stands beside titles, where that is a full name; else ""."""
        words = _words_of(display_name)
        rest = [w for w in words if w not in self._words and w not in _FILLERS and w not in _KINDS]
        rest = [w for w in rest if len(w) > 1]
        return " ".join(sorted(rest)) if 1 < len(rest) < len(words) else ""

    def shown(self, display_name: str, district: Sequence[str]) -> tuple[Office, ...]:
        """The office claimed, if any: at most one."""
        words = _words_of(display_name)
        if not words:
            return ()
        spread = f" {' '.join(words)} "
        for place, name in (*_district_names(tuple(district)), *self._sites):
            if f" {place} " in spread:
                office = self._at(name, set(words) - set(place.split()))
                return (office,) if office else ()
        return self._alone(words)

    def _at(self, place: str, beside: set[str]) -> Office | None:
        """A title in any order of its words beside a place: "AVUSD Human Resources Director"."""
        for title in self._titles:
            if beside.issuperset(title.telling):
                return Office(title.office.title, title.office.holder, place)
        return None

    def _alone(self, words: tuple[str, ...]) -> tuple[Office, ...]:
        """A title that one person holds, with nothing beside it that says of whom else it is."""
        for at, word in enumerate(words):
            for title in self._by_first.get(word, ()):
                end = at + len(title.words)
                if title.alone and words[at:end] == title.words:
                    beside = words[:at] + words[end:]
                    if all(w in _FILLERS or w in _KINDS for w in beside):
                        return (title.office,)
        return ()


def _words_of(display_name: str) -> tuple[str, ...]:
    found: list[str] = []
    for word in names.folded_words(display_name)[:_MOST_WORDS]:
        found += _MEANING.get((word,), (word,))
    return tuple(found)


def _variants(title: str) -> set[tuple[str, ...]]:
    """A title whole and before its comma: "Assistant Superintendent, Elementary Education"."""
    return {words for part in (title, title.partition(",")[0]) if (words := _words_of(part))}


def _place_names(name: str) -> set[str]:
    """A site's name, also without "School"."""
    words = names.folded_words(name)
    short = [w for w in words if w not in _SCHOOL]
    return {" ".join(words), " ".join(short)} if len(short) > 1 else {" ".join(words)}


@lru_cache(maxsize=16)
def _district_names(district: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """The district's names, also without what kind of district it is."""
    found: dict[tuple[str, ...], str] = {}
    for name in district:
        words = names.folded_words(name)
        own = tuple(w for w in words if w not in _KINDS)
        for variant in (words, own):
            if len(" ".join(variant)) > 3:  # "AV" stands in too many names
                found[variant] = name
    return tuple((" ".join(words), name) for words, name in found.items())
