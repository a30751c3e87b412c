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
# Letters in filled circles and squares, and letters that show nothing (Hangul fillers).
_CAPITALS |= {first + n: chr(65 + n) for first in (0x1F150, 0x1F170) for n in range(26)}
_BLANK = dict.fromkeys((0x115F, 0x1160, 0x3164, 0xFFA0))
_NOT_A_LETTER = re.compile(r"[\W_]+")
_INNER_CAPITAL = re.compile(r"[a-z][A-Z]|\S[\W_]+\S")
# Where a display name goes on to something else: "Jane Doe (Superintendent)", "Jane Doe via Docs".
_TAIL = re.compile(r"[<(\[{,;/:\"]|\s[-–—|•·]+\s|\s(?:via|at|from|on behalf of)\s", re.IGNORECASE)
_LONG_WORD = 8  # letters of one word from which it may be two names run together
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
        text = unicodedata.normalize("NFKC", text).translate(_CAPITALS).translate(_BLANK)
        text = unicodedata.normalize("NFKD", text.casefold())
        text = "".join(c for c in text if unicodedata.category(c) not in _UNSEEN)
    return text.lower().translate(_LETTERS)


_UNSEEN = ("Mn", "Me", "Cf", "Cc")
# First names and what people shorten them to; each line one family of names.
_FAMILIES = """
robert rob bob bobby|william will bill billy|richard rick dick rich|james jim jimmy jamie
john jack johnny|michael mike mick|thomas tom tommy|charles charlie chuck|joseph joe joey
david dave davey|daniel dan danny|matthew matt|anthony tony|steven steve|stephen steve
edward ed ted eddie|kenneth ken|ronald ron|donald don|timothy tim|jeffrey jeff|gregory greg
benjamin ben|samuel sam|samantha sam|alexander alex|alexandra alex|nicholas nick
jonathan jon|andrew andy drew
patrick pat|patricia pat patty trish|elizabeth liz beth betty eliza|margaret maggie meg peggy
katherine kate kathy katie|catherine cathy kate|jennifer jen jenny|jessica jess|susan sue susie
deborah deb debbie|barbara barb|christopher chris|christine chris tina|rebecca becky
victoria vicky tori|kimberly kim|cynthia cindy|sandra sandy|pamela pam|theresa terry tess
lawrence larry|gerald jerry|raymond ray|douglas doug|philip phil|peter pete|frederick fred
"""
_FOLDED_TITLES = frozenset(_letters(title) for title in _TITLES.split())


def _merge(word: str) -> str:
    """Pairs of letters that read as one."""
    return word.replace("rn", "m").replace("vv", "w")


def folded_words(text: str) -> tuple[str, ...]:
    """All words as the eye reads them, in their order; of at most 200 characters."""
    return _folded(text[:_LONGEST])


@lru_cache(maxsize=1024)  # one message asks several times for the same name
def _folded(text: str) -> tuple[str, ...]:
    spread = _NOT_A_LETTER.sub(" ", _letters(text))
    return tuple(_merge(word) for word in spread.split())


def telling_words(name: str) -> tuple[str, ...]:
    """The folded words without titles and initials: two at least make a full name."""
    return tuple(w for w in folded_words(name) if len(w) > 1 and w not in _FOLDED_TITLES)


def _words(name: str) -> list[str]:
    """The folded words of a name without titles and initials, in their order."""
    every = list(folded_words(name))
    telling = [word for word in every if len(word) > 1 and word not in _FOLDED_TITLES]
    return telling if len(telling) > 1 else every


def _short_forms() -> dict[str, tuple[str, ...]]:
    """Each name to the others of its families, folded, in both directions."""
    found: dict[str, dict[str, None]] = {}
    for family in _FAMILIES.replace("\n", "|").split("|"):
        members = [_merge(_letters(name)) for name in family.split()]
        for member in members[:1]:
            for other in members[1:]:
                found.setdefault(member, {})[other] = None
                found.setdefault(other, {})[member] = None
    return {name: tuple(others) for name, others in found.items()}


_SHORT_FORMS = _short_forms()


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
    return _skeletons(name[:_LONGEST])


@lru_cache(maxsize=1024)
def _skeletons(name: str) -> frozenset[str]:
    name = name.strip().strip("\"'")
    heads = [name]
    if (tail := _TAIL.search(name)) is not None:
        heads.append(name[: tail.start()])
    found = set()
    for head in heads:
        words = _words(head)
        if words:
            found.add(" ".join(sorted(words)))
            # "annabel" is a name of its own and no "Ann Abel"; "AnnAbel" and "J a n e" are not.
            if len(words) > 1 or len(words[0]) >= _LONG_WORD or _INNER_CAPITAL.search(head):
                found |= {_merge("".join(words)), _merge("".join(reversed(words)))}
    return frozenset(found)


def short_skeletons(name: str) -> frozenset[str]:
    """Of a full name: its skeletons with the first name in another common form, so that "Robert
    Smith" gives those of "Bob Smith" and "Rob Smith"; of three words, also of first and last."""
    full = telling_words(name)
    if len(full) < 2:
        return frozenset()
    ends = (full[0], full[-1])
    found = {" ".join(sorted(ends))} if len(full) > 2 else set()
    for short in _SHORT_FORMS.get(full[0], ()):
        found |= {" ".join(sorted((short, *full[1:]))), " ".join(sorted((short, full[-1])))}
    return frozenset(found)


def initial_skeletons(name: str) -> frozenset[str]:
    """Of a full name: how it looks with one initial, "J Doe" and "Jane D"."""
    full = telling_words(name)
    if len(full) < 2:
        return frozenset()
    return frozenset({f"{full[0][0]} {full[-1]}", f"{full[0]} {full[-1][0]}"})


def shown_initial(name: str) -> str:
    """The look-up key of a display name that is one word and one initial: "J. Doe", "Doe, J.",
    "Jane D."; "" for any other."""
    words = [w for w in folded_words(name) if w not in _FOLDED_TITLES]
    if len(words) != 2 or sorted(len(w) > 1 for w in words) != [False, True]:
        return ""
    # "Doe, J." says by its comma that the surname comes first.
    return f"{words[1]} {words[0]}" if "," in name and len(words[1]) == 1 else " ".join(words)


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
