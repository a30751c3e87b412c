"""The addresses that a member of staff asks for in their own words (R35, R37).

Owns which words of a text are single addresses, and which are domains or patterns that nobody may
ask for. Must not know whether the writer may ask, or what is on the list.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from mailguard.casework.unblocking.forwarded_headers import strict
from mailguard.core.links.public_suffix import registrable
from mailguard.core.mail import safe_text
from mailguard.core.mail.message import Message
from mailguard.core.text.new_text import own_words
from mailguard.core.text.reading import Reading

MOST = 200
"""Addresses named in one mail, and things refused."""
_BETWEEN = re.compile(r"[\s<>\[\]()\",;:|\u3001\u3002\uff0c\uff1b\uff1a\uff08\uff09]+")
_EDGES = "'`\u2018\u2019\u201c\u201d.!\u200b\u200e\u200f"
_WIDE = re.compile(r"[*?%#\\]")  # signs of patterns and routes
_HOST = re.compile(r"(?:[^\W_](?:[\w-]{0,61}[^\W_])?\.)+[^\W\d_]{2,63}")
_LONGEST_WORD = 320


@dataclass(frozen=True, slots=True)
class Named:
    """What was asked for. `refused` as it was written, one safe line each, for the answer."""

    addresses: tuple[str, ...] = ()  # as `normalise` gives them
    refused: tuple[str, ...] = ()  # domains, patterns, what is no address


def named_addresses(
    message: Message, reading: Reading, owns: Callable[[str], bool] = lambda domain: False
) -> Named:
    """The single addresses that the author's new words name, outside quotes and signature, each
    once, the author's own left out. `owns` says of a domain that it is the district's: nothing of
    it is asked for. Where plain text and HTML differ, only what both show counts."""
    own = own_words(message, reading)
    authors = frozenset(strict(box.address) for box in message.author.boxes[:3])
    shown = [_named(words.rows, authors, owns) for words in own if words.rows]
    if not shown:
        return Named()
    addresses = [a for a in shown[0][0] if all(a in others for others, _ in shown)]
    refused = dict.fromkeys(word for _, words in shown for word in words)
    return Named(tuple(addresses), tuple(refused)[:MOST])


def _named(
    rows: tuple[str, ...], authors: frozenset[str], owns: Callable[[str], bool]
) -> tuple[dict[str, None], dict[str, None]]:
    addresses: dict[str, None] = {}
    refused: dict[str, None] = {}
    for word in _BETWEEN.split(" ".join(rows)):
        if len(addresses) == MOST or len(refused) == MOST:
            break
        word = word.strip(_EDGES)
        if not word or ("@" not in word and "." not in word):
            continue
        if len(word) > _LONGEST_WORD:
            continue
        if "@" not in word:
            if _is_wide(word) and not owns(word.lstrip("*.")):
                refused.setdefault(safe_text.line(word))
            continue
        mailbox = "" if _WIDE.search(word) else strict(word)
        if not mailbox:
            if len(word) > 1 and word.strip("@"):
                refused.setdefault(safe_text.line(word))
        elif mailbox not in authors and not owns(mailbox.rpartition("@")[2]):
            addresses.setdefault(mailbox)
    return addresses, refused


def _is_wide(word: str) -> bool:
    """Whether a word without @ is a domain, or a pattern of domains."""
    host = word.lstrip("*.").lower()
    return "/" not in word and _HOST.fullmatch(host) is not None and bool(registrable(host))
