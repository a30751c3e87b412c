"""What a member of staff wants who writes to spammail@ (R35): to unblock, or something else.

Owns the words that tell a request from a report of spam: whoever reports a spammer must not unblock
them by it. In doubt the answer is to ask. Pure, linear. Must not know who writes or what follows.
"""

from __future__ import annotations

import re
from enum import Enum

from mailguard.core.mail.message import Message
from mailguard.core.text.new_text import own_words, words_of
from mailguard.core.text.reading import Reading


class Wish(Enum):
    UNBLOCK = "unblock"
    SILENT = "silent"  # no words of their own, or none for or against
    OTHER = "other"  # against, or not to be told


_FOR = frozenset(
    (
        *("unblock", "unblocked", "unblocking", "allow", "allowed", "allowlist", "whitelist"),
        *("whitelisted", "release", "released", "desbloquear", "desbloquee", "desbloquea"),
        *("permitir", "permita", "débloquer", "autoriser", "解除封鎖", "разблокировать"),
    )
)
_AGAINST = frozenset(
    (
        *("block", "blocking", "spam", "spammer", "spammers", "spamming", "junk", "phishing"),
        *("phish", "scam", "scams", "scammer", "fraud", "fake", "malware", "virus", "report"),
        *("reporting", "delete", "remove", "unsubscribe", "suspicious", "suspect", "unknown"),
        *("unsure", "unwanted", "stop", "no", "not", "dont", "never", "cannot", "nobody"),
        *("bloquear", "bloquee", "estafa", "sospechoso"),
    )
)
_NOT = frozenset(
    ("not", "dont", "never", "no", "cannot", "cant", "nobody", "unsure", "whether", "if")
)
_CLAUSES = re.compile(r"[.,;:!?\n]+")


def wish(message: Message, reading: Reading) -> Wish:
    """What the author's own new words and the Subject ask for. Where plain text and HTML differ,
    the more doubtful counts."""
    subject = message.value("Subject")[:500].partition(":")
    own_subject = "" if subject[1] else subject[0]  # behind "Fwd:" it is the forwarded message's
    found = {_wish([*own.rows, own_subject]) for own in own_words(message, reading)}
    for one in (Wish.OTHER, Wish.SILENT, Wish.UNBLOCK):
        if one in found:
            return one
    return Wish.SILENT


def _wish(rows: list[str]) -> Wish:
    clauses = [words_of(clause) for row in rows for clause in _CLAUSES.split(row)]
    asked = False
    for words in clauses:
        first = next((n for n, word in enumerate(words) if word in _FOR), None)
        if first is not None:
            if not _NOT.isdisjoint(words[:first]):
                return Wish.OTHER
            asked = True
    if asked:
        return Wish.UNBLOCK
    if any(not _AGAINST.isdisjoint(words) for words in clauses):
        return Wish.OTHER
    return Wish.SILENT
