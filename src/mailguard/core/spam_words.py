"""The words of a message for the learned opinion (R26).

Owns the tokens. What was learned from them is a fact. Must not know probabilities.
"""

from __future__ import annotations

import re

from mailguard.core import address
from mailguard.core.message import Message
from mailguard.core.reading import Reading

_WORD = re.compile(r"[^\W\d_]{3,24}")
_LONGEST = 20_000  # visible characters that are looked at
_MOST = 400  # tokens
_LINKS = 30


def words(message: Message, reading: Reading) -> tuple[str, ...]:
    """Tokens of a message, each once, in a stable order: at most 400.

    "subject:…", "author:…" and "host:…" come first, so that a long body cannot crowd them out;
    then words of the visible text in lower case. Linear in 20,000 characters.
    """
    tokens: dict[str, None] = {}
    for word in _WORD.findall(message.value("Subject")[:500].lower()):
        tokens[f"subject:{word}"] = None
    for mailbox in message.author.addresses[:3]:
        tokens[f"author:{address.normalise(mailbox)}"] = None
        tokens[f"author:{address.domain_of(mailbox)}"] = None
    budget, body = _LONGEST, dict[str, None]()
    links = 0
    for text in reading.texts:
        for link in text.links:
            if links >= _LINKS:
                break
            links += 1
            host = link.target[:300].partition("://")[2].partition("/")[0].rpartition("@")[2]
            if host:
                tokens[f"host:{host.lower()}"] = None
        seen = text.visible[:budget]
        budget -= len(seen)
        body.update(dict.fromkeys(_WORD.findall(seen.lower())))
    tokens.update(body)
    return tuple(tokens)[:_MOST]
