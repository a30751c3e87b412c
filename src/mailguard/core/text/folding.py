"""Texts in one form, so that prescribed words are found however they were typed (R3, R10).

Undoes case, punctuation, dashes, quotation marks, invisible characters and line ends. Linear in the
text. Must not know which words are looked for.
"""

from __future__ import annotations

import re
import unicodedata

_INVISIBLE = re.compile("[\u00ad\u034f\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]+")
_NOT_A_WORD = re.compile(r"[\W_]+")
_PARTED = bytes(c if c < 128 and chr(c).isalnum() else 32 for c in range(256))


def folded(text: str) -> str:
    """The words of a text in one form: no case, punctuation, dashes, quotes or line ends."""
    return words_only(caseless(text))


def caseless(text: str) -> str:
    """Without case and invisible characters, compatibility forms undone; punctuation stays."""
    if text.isascii():
        return text.lower()
    return _INVISIBLE.sub("", unicodedata.normalize("NFKC", text).casefold())


def words_only(caseless_text: str) -> str:
    """The words with one space between them."""
    if caseless_text.isascii():  # a table of octets takes a quarter of the time
        words = caseless_text.encode("ascii").translate(_PARTED).split()
        return b" ".join(words).decode("ascii")
    return _NOT_A_WORD.sub(" ", caseless_text).strip()
