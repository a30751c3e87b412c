"""What a mail carries back of our own: question tokens and transaction ids (R18, R28, R30).

Owns the places where mail programs keep them. Whether we made a token is `token`'s to prove; an
id cannot be guessed. Must not know what either stands for.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from mailguard.casework.answers import token
from mailguard.core.mail.message import Message
from mailguard.core.text.reading import Reading

_LONGEST_FIELD = 10_000  # characters, from the end: the newest Message-IDs stand there
_LONGEST_TEXT = 200_000
_MOST = 50
_OURS = re.compile(r"<mailguard\.([^<>@\s]{1,60})@")
_IN_SUBJECT = re.compile(r"\[#([^\[\]\s]{1,60})\]")
_IN_TEXT = re.compile(r"\bReference:\s{0,4}([0-9A-Za-z-]{1,60})")
# A ULID (adapters.ids), where our notices put it: in Message-IDs, behind "quote", in commands.
_ID = re.compile(r"(?<![0-9A-Za-z])[0-7][0-9A-HJKMNP-TV-Z]{25}(?![0-9A-Za-z])")


def references(message: Message, reading: Reading) -> tuple[token.Token, ...]:
    """The tokens of questions that a mail may answer, unproven, the most likely first: of
    In-Reply-To, References, the Subject, and a line "Reference:" in the text."""
    places = [
        *(m[1] for m in _OURS.finditer(_field(message, "In-Reply-To"))),
        *reversed([m[1] for m in _OURS.finditer(_field(message, "References"))]),
    ]
    quoted = [m[1] for text in _texts(reading) for m in _IN_TEXT.finditer(text)]
    return token.found_in((*places, *_in_subject(message), *quoted))


def of_subject(message: Message) -> tuple[token.Token, ...]:
    """Those of the Subject alone, which says what a mail is about: a text may quote any other."""
    return token.found_in(_in_subject(message))


def _in_subject(message: Message) -> list[str]:
    return [m[1] for m in _IN_SUBJECT.finditer(_field(message, "Subject"))]


def transactions(message: Message, reading: Reading) -> tuple[str, ...]:
    """The ids of our transactions that a mail names: an answer to a notice of ours, or a forward
    of one, leads to the message that the notice was about."""
    found: dict[str, None] = {}
    fields = [_field(message, name) for name in ("In-Reply-To", "References", "Subject")]
    for text in (*fields, *_texts(reading)):
        for match in _ID.finditer(text):
            found.setdefault(match[0])
            if len(found) == _MOST:
                return tuple(found)
    return tuple(found)


def _field(message: Message, name: str) -> str:
    return message.value(name)[-_LONGEST_FIELD:]


def _texts(reading: Reading) -> Iterator[str]:
    for text in reading.texts[:6]:
        yield text.visible[:_LONGEST_TEXT]
