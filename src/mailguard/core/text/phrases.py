"""Phrases that a district lists, found in people's texts however they are typed.

Owns the form in which they are compared: words alone, without case and accents; `#` in a phrase is
any number, in digits or as a word. All are searched for in one pass (RE2), linear in the text.
Must not know what a phrase means.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from functools import lru_cache

import re2

from mailguard.core.text.folding import folded
from mailguard.core.text.reading import Reading

_LOOKED_AT = 50_000  # characters of a text, from either end
_MOST_TEXTS = 20
_NUMBERS = (
    "two three four five six seven eight nine ten eleven twelve fifteen twenty thirty fifty "
    "hundred dos tres cuatro cinco seis siete ocho nueve diez once doce quince veinte treinta "
    "cincuenta cien"
)
_NUMBER = rf"(?:\d{{1,6}}|{'|'.join(_NUMBERS.split())})"
# Searched for too: an answer without it is no answer, since RE2 ran out of memory.
_END = " \x01end "
_ASCII_WORDS = bytes(
    ord(chr(n).lower()) if n < 128 and chr(n).isalnum() else 32 for n in range(256)
)


def plain(text: str) -> str:
    """The words of a text with one space between them, without case and accents."""
    if text.isascii():  # the same at the speed of memory
        return b" ".join(text.encode().translate(_ASCII_WORDS).split()).decode("ascii")
    parted = unicodedata.normalize("NFKD", folded(text))
    return "".join(c for c in parted if not unicodedata.combining(c))


def found(phrases: tuple[str, ...], text: str) -> tuple[str, ...]:
    """The phrases that stand in a text, in the order of the list, each once."""
    searched = _automaton(phrases)
    matched = searched.Match(f" {text} {_END}".encode("utf-8", "replace")) or ()
    if len(phrases) not in matched:
        return tuple(p for p in phrases if f" {plain(p)} " in f" {text} ")
    return tuple(phrases[n] for n in sorted(matched) if n < len(phrases))


def own_words(subject: str, reading: Reading) -> str:
    """Subject and the author's own text, plain."""
    return _joined([subject, *(t.author_visible for t in reading.texts[:_MOST_TEXTS])])


def all_words(subject: str, reading: Reading) -> str:
    """Subject and all that a reader sees, what is quoted included, plain."""
    return _joined([subject, *(t.visible for t in reading.texts[:_MOST_TEXTS])])


def checked(phrases: Sequence[str]) -> tuple[str, ...]:
    """The phrases, each with a word in it. Raises ValueError for one without."""
    for phrase in phrases:
        if not plain(phrase.replace("#", "")):
            raise ValueError(f"{phrase!r} has no words; allowed: words, with # for any number")
    return tuple(phrases)


def _joined(texts: Iterable[str]) -> str:
    # Bars are no words, so a phrase does not run from one text into the next.
    return " | ".join(plain(_ends(text)) for text in texts)


def _ends(text: str) -> str:
    if len(text) <= 2 * _LOOKED_AT:
        return text
    return f"{text[:_LOOKED_AT]}\n{text[-_LOOKED_AT:]}"


@lru_cache(maxsize=32)  # lists of settings, which change with a reload
def _automaton(phrases: tuple[str, ...]) -> re2.Set:
    every = re2.Set.SearchSet()
    for phrase in phrases:
        pieces = [re2.escape(plain(piece)) for piece in phrase.split("#")]
        pattern = f" {_NUMBER} ".join(pieces).strip()
        every.Add(f" {pattern} ")
    every.Add(re2.escape(_END))
    every.Compile()
    return every
