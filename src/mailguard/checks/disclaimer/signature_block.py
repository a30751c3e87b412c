"""The signature block: the lines under the author's words that say who writes (R9, R2).

Owns how name, title and telephone number are recognised there, and the block that is made from the
directory. Linear in the text. Must not know what policy asks of a message without one.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence

from mailguard.checks.disclaimer import slots
from mailguard.core.people.model import Person
from mailguard.core.text.folding import folded

_LAST = 60  # lines in which a block is looked for: a statement may stand under it
_LONGEST_LINE = 200  # characters; what is longer is no line of a signature
_BLOCK = 9  # lines of one block, the name's included
_CLOSING = 7  # words of a line that ends with the name: "With kind regards, Jane Doe"
_DIGITS = 7  # of a telephone number that have to agree: the rest is area and country
_TELEPHONE = re.compile(r"\d[\d\s().\-/\u2010-\u2013]{5,24}\d")
_HONORIFICS = frozenset(("mr", "mrs", "ms", "miss", "mx", "dr", "prof", "sr", "sra", "srta"))
_BEHIND_A_NAME = re.compile(r"[\s\u200e\u200f]*[,|(/\u00b7\u2022\u2010-\u2015-]")


def elements(author_visible: str, person: Person) -> frozenset[str]:
    """Which of name, title and phone stand in the author's signature block; empty without one.

    `author_visible` is the author's own text as a reader sees it. A block begins with the person's
    name on a line of its own, behind a closing, or in front of a separator. A telephone number
    agrees by its last digits; where the directory has none, any will do.
    """
    rows = [row.strip() for row in author_visible.splitlines() if row.strip()][-_LAST:]
    names = [folded(name) for name in (person.name, *person.other_names)]
    for at in range(len(rows) - 1, -1, -1):
        if len(rows[at]) <= _LONGEST_LINE and any(_begins(rows[at], n, person) for n in names):
            return frozenset(("name", *_others(rows[at : at + _BLOCK], person)))
    return frozenset()


def lacking(found: frozenset[str], person: Person, wanted: Sequence[str]) -> tuple[str, ...]:
    """The wanted elements that are not there, of those that the directory knows."""
    known = {"name": person.name, "title": person.title, "phone": person.phone}
    return tuple(name for name in wanted if name not in found and known[name])


def filled(template: str, values: Mapping[str, str]) -> str:
    """A template with its slots; a line with a slot that has no value is left out."""
    rows = (
        row.format(**values)
        for row in template.splitlines()
        if all(values[slot] for slot in slots.slots_of(row))
    )
    return "\n".join(rows)


def _begins(row: str, name: str, person: Person) -> bool:
    words = folded(row).split()
    wanted = name.split()
    if not wanted:
        return False
    if words and words[0] in _HONORIFICS and wanted[0] != words[0]:
        words = words[1:]
    if words[-len(wanted) :] == wanted and len(words) <= max(_CLOSING, len(wanted)):
        return True
    if words[: len(wanted)] != wanted:
        return False
    rest = words[len(wanted) :]
    title = folded(person.title).split()
    if title and rest[: len(title)] == title:
        return True
    last = wanted[-1]
    behind = row.casefold().find(last)
    return behind >= 0 and _BEHIND_A_NAME.match(row, behind + len(last)) is not None


def _others(rows: Sequence[str], person: Person) -> list[str]:
    found = []
    short = [row for row in rows if len(row) <= _LONGEST_LINE]
    title = folded(person.title)
    if title and f" {title} " in f" {folded(' '.join(short))} ":
        found.append("title")
    wanted = _digits(person.phone)[-_DIGITS:]
    for row in short:
        numbers = [_digits(match[0]) for match in _TELEPHONE.finditer(row)]
        if any(wanted in n if wanted else len(n) >= _DIGITS for n in numbers):
            found.append("phone")
            break
    return found


def _digits(text: str) -> str:
    """A number's digits, in whatever script they are written."""
    return "".join(str(unicodedata.decimal(c)) for c in text if c.isdecimal())
