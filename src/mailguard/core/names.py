"""Names as people see them: skeletons under which lookalikes are equal (R1).

Owns how personal names and domains are folded for comparison. Every function is linear in a
bounded prefix of its argument. Must not know who is protected.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache


def _table(pairs: str) -> dict[int, str]:
    return {ord(pair[0]): pair[1:] for pair in pairs.split()}


# What the eye takes for another letter, beyond what NFKD folds. Capitals come first, since some
# look like another letter than their small form does (Greek Ν and ν).
_CAPITALS = _table("ΝN ΗH ΡP ΒB ΧX ΥY ΖZ ΜM ВB НH УY ԌG ՕO ЅS")
# Small letters. Those that look alike become one: i, l, 1 and | are all "l".
_LETTERS = _table(
    "аa еe оo рp сc уy хx іl ѕs һh ԁd ԛq ԝw ӏl ѵv ѐe ёe вb мm нh кk тt гr пn јj зe "  # Cyrillic
    "οo αa νv ιl τt κk ρp υu χx εe γy ηn ωw ςs σo βb μu ℓl "  # Greek
    "ıl ɩl łl øo đd ħh ɑa ɡg ʏy ʀr ɴn ʟl ɪl օo սu ոn հh ցg "
    "ᴀa ᴄc ᴅd ᴇe ᴊj ᴋk ᴍm ᴏo ᴘp ᴛt ᴜu ᴠv ᴡw ᴢz "
    "0o 1l il |l 3e 5s ßss æae œoe"
)
_NOT_A_LETTER = re.compile(r"[\W_]+")
# Where a display name goes on to something else: "Jane Doe (Superintendent)", "Jane Doe via Docs".
_TAIL = re.compile(r"[<(\[{,;/:\"]|\s[-–—|•·]+\s|\s(?:via|at|from|on behalf of)\s", re.IGNORECASE)
_LONGEST = 200  # a name; beyond that only work for us
_LONGEST_DOMAIN = 255  # RFC 1035 2.3.4

# Words in a display name that are no part of anybody's name.
_TITLES = (
    "mr mrs ms miss mx dr prof professor rev phd edd ed md jr sr ii iii esq the "
    "superintendent supt principal director"
)


def _letters(text: str) -> str:
    """Case, accents, invisible characters and homoglyphs folded."""
    if not text.isascii():
        # NFKC first: mathematical and full-width capitals become the letters they show.
        text = unicodedata.normalize("NFKC", text).translate(_CAPITALS)
        text = unicodedata.normalize("NFKD", text.casefold())
        text = "".join(c for c in text if unicodedata.category(c) not in _UNSEEN)
    return text.lower().translate(_LETTERS)


_UNSEEN = ("Mn", "Me", "Cf", "Cc")
_FOLDED_TITLES = frozenset(_letters(title) for title in _TITLES.split())


def _merge(word: str) -> str:
    """Pairs of letters that read as one."""
    return word.replace("rn", "m").replace("vv", "w")


def _words(name: str) -> list[str]:
    """The folded words of a name without titles and initials, in their order."""
    every = [_merge(word) for word in _NOT_A_LETTER.sub(" ", _letters(name[:_LONGEST])).split()]
    telling = [word for word in every if len(word) > 1 and word not in _FOLDED_TITLES]
    return telling if len(telling) > 1 else every


def skeleton(name: str) -> str:
    """The letters of a name's words in their order-free form: "Doe, Jane" equals "Dr. jane d0e".

    Case, accents, invisible characters, punctuation, common homoglyphs, titles and single
    initials are folded away; linear in at most 200 characters.
    """
    return " ".join(sorted(_words(name)))


def skeletons(name: str) -> frozenset[str]:
    """Every form under which a reader may take a display name for a person's.

    Besides `skeleton` of the whole: of what precedes a comma, a bracket, a dash or "via", and
    each run together, as in "JaneDoe" and "J a n e D o e". Two names look alike when these sets
    meet. Linear in at most 200 characters.
    """
    name = name[:_LONGEST].strip().strip("\"'")
    heads = [name]
    if (tail := _TAIL.search(name)) is not None:
        heads.append(name[: tail.start()])
    found = set()
    for head in heads:
        words = _words(head)
        if words:
            found |= {" ".join(sorted(words)), "".join(words), "".join(reversed(words))}
    return frozenset(found)


@lru_cache(maxsize=4096)
def domain_skeleton(domain: str) -> str:
    """A domain as the eye reads it: "examp1e.org" and "xn--exmple-4nf.org" equal "example.org".

    Labels of RFC 5890 are decoded; dots and hyphens stand.
    """
    labels = []
    for label in domain[:_LONGEST_DOMAIN].lower().rstrip(".").split("."):
        shown = label
        if label.startswith("xn--"):
            try:
                shown = label[4:].encode("ascii").decode("punycode")
            except (UnicodeError, ValueError):
                shown = label  # shown as it is by every client too
        labels.append(_merge(_letters(shown)))
    return ".".join(labels)
