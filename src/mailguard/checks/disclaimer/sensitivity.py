"""Whether a message is marked as sensitive: by words, by its subject, by a header field (R11).

Owns the comparison. Plain words only, so that no pattern can be slow. Must not know what follows.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from mailguard.core.decision.facts import Unavailable
from mailguard.core.mail import encoded_words
from mailguard.core.mail.message import Message
from mailguard.core.text.folding import folded
from mailguard.core.text.reading import Reading

_FIELD = re.compile(r"([!-9;-~]{1,70})\s{0,9}(?::\s{0,9}(.{0,200}))?")
_LOOKED_AT = 100_000  # characters of the author's words, from either end
_MOST_FIELDS = 50  # of one name
# Written without spaces between words, so that a word stands within others.
_UNSPACED = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff]")


def field_pattern(text: str) -> str:
    """The text, if it is `Name` or `Name: words`. Raises ValueError."""
    if not _FIELD.fullmatch(text.strip()):
        raise ValueError(f"not a header field: {text!r}; write 'Name' or 'Name: words'")
    return text.strip()


def is_marked(
    message: Message,
    reading: Reading | Unavailable,
    keywords: Sequence[str],
    subject_tags: Sequence[str],
    fields: Sequence[str],
) -> bool:
    """Whether one of these marks is there. A text that could not be read counts as marked where
    keywords are looked for: nothing sensitive leaves for want of a look."""
    subject = message.value("Subject")
    caseless = subject.casefold()
    if any(tag.casefold() in caseless for tag in subject_tags):
        return True
    if any(_has_field(message, pattern) for pattern in fields):
        return True
    if not keywords:
        return False
    if isinstance(reading, Unavailable):
        return True
    looked_at = [subject, *(_ends(part.author_visible) for part in reading.texts)]
    have = " \n ".join(folded(text) for text in looked_at)
    have = f" {have} "
    return any(_stands_in(folded(keyword), have) for keyword in keywords)


def _stands_in(keyword: str, have: str) -> bool:
    if not keyword:
        return False
    return (keyword if _UNSPACED.search(keyword) else f" {keyword} ") in have


def _ends(text: str) -> str:
    if len(text) <= 2 * _LOOKED_AT:
        return text
    return f"{text[:_LOOKED_AT]}\n{text[-_LOOKED_AT:]}"


def _has_field(message: Message, pattern: str) -> bool:
    name, colon, wanted = (piece.strip() for piece in pattern.partition(":"))
    found = message.fields(name)[:_MOST_FIELDS]
    if not colon or not wanted:
        return bool(found)
    return any(
        wanted.casefold() in encoded_words.decode(message.raw_value(f)).casefold() for f in found
    )
