"""The words of a message for the learned opinion (R26).

Owns the tokens. What was learned from them is a fact. Must not know probabilities.
"""

from __future__ import annotations

from collections.abc import Iterator

from mailguard.core.mail import address
from mailguard.core.mail.message import Message
from mailguard.core.text.reading import Reading

_PUNCTUATION = " \t.,;:!?\"'()[]{}<>*_-–—…“”‘’«»¿¡/|#"
_SHORTEST, _LONGEST_WORD = 3, 24
_LONGEST = 20_000  # visible characters that are looked at
_MOST = 400  # tokens
_LINKS = 30


def words(message: Message, reading: Reading) -> tuple[str, ...]:
    """Tokens of a message, each once, in a stable order: at most 400.

    "subject:…", "author:…" and "host:…" come first, so that a long body cannot crowd them out;
    then words of the visible text in lower case. Linear in 20,000 characters.
    """
    tokens: dict[str, None] = {}
    for word in _split(message.value("Subject")[:500]):
        tokens[f"subject:{word}"] = None
    for mailbox in message.author.addresses[:3]:
        tokens[f"author:{address.normalise(mailbox)}"] = None
        tokens[f"author:{address.domain_of(mailbox)}"] = None
    budget, links, body = _LONGEST, 0, list[str]()
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
        body.append(seen)
    for piece in body:
        for word in _split(piece):
            if len(tokens) >= _MOST:
                return tuple(tokens)
            tokens[word] = None
    return tuple(tokens)


def _split(text: str) -> Iterator[str]:
    """Words in lower case, each once but for its punctuation, numbers left out."""
    for written in dict.fromkeys(text.lower().split()):
        word = written.strip(_PUNCTUATION)
        if _SHORTEST <= len(word) <= _LONGEST_WORD and not word[0].isdigit():
            yield word
