"""SpamAssassin's protocol, SPAMC/1.5 (spamd/PROTOCOL in its sources).

Owns the command SYMBOLS and the form of its answer. REPORT would name each symbol's score, and
quotes the message among them: anybody could write scores into it.
Must not know what the points lead to.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Iterator

from mailguard.adapters.engines.connection import exchange
from mailguard.adapters.engines.engine import (
    NoAnswer,
    heaviest,
    number,
    too_big,
    word,
    words,
    worth,
)
from mailguard.config.settings.engines import SpamdSettings
from mailguard.core.decision.engines import Scanned, Symbol, Target
from mailguard.core.decision.facts import Unavailable
from mailguard.core.mail.transaction import Transaction
from mailguard.core.render import trace
from mailguard.core.text.reading import Reading

_LONGEST = 65_536  # octets of its answer
_STATUS = re.compile(rb"SPAMD/[0-9.]{1,8} ([0-9]{1,5})(?: ([^\r\n]{0,500}))?")
_SPAM = re.compile(
    rb"(True|False|Yes|No) ; (-?[0-9]{1,9}(?:\.[0-9]{1,9})?) / -?[0-9]{1,9}(?:\.[0-9]{1,9})?"
)


class Spamd:
    """One spamd. All it learns of the session is what a header tells, so our own Received field and
    the reverse-path are put on top of what it gets."""

    name = "spamd"
    target = Target.SPAM

    def __init__(self, settings: SpamdSettings, hostname: str) -> None:
        self._settings = settings
        self._hostname = hostname

    async def ask(self, transaction: Transaction, _: Awaitable[Reading | Unavailable]) -> Scanned:
        settings, raw = self._settings, transaction.message.raw
        unsent = too_big(len(raw), settings.max_size)
        if unsent is not None:
            return unsent
        top = trace_fields(transaction, self._hostname)
        answer, whole = await exchange(settings.address, question(top, raw), _LONGEST)
        score, spam, symbols = parse(answer)
        if not whole:
            raise NoAnswer("it answered before it had the message")
        points = worth(score, settings.weight, settings.at_least, settings.at_most)
        return Scanned(score, spam, symbols, points=points)


def trace_fields(transaction: Transaction, hostname: str) -> bytes:
    """Return-Path and Received as the final delivery would show them."""
    path = transaction.envelope.reverse_path.encode("ascii", "replace")
    path = bytes(c for c in path if 0x20 < c < 0x7F)
    return b"Return-Path: <" + path + b">\r\n" + trace.received(transaction, hostname)


def question(top: bytes, raw: bytes) -> Iterator[bytes]:
    """The request: `top` and the message as one body."""
    yield b"SYMBOLS SPAMC/1.5\r\nContent-length: %d\r\n\r\n" % (len(top) + len(raw)) + top
    yield raw


def parse(answer: bytes) -> tuple[float, bool, tuple[Symbol, ...]]:
    """Score, verdict and symbols. Raises NoAnswer for an error code, and for what is cut short, too
    long or of another form."""
    head, blank, body = answer.partition(b"\r\n\r\n")
    first, *lines = head.removesuffix(b"\r\n").split(b"\r\n")
    status = _STATUS.fullmatch(first)
    if status is None:
        raise NoAnswer("its answer has no status line")
    if status[1] != b"0":  # before anything else: an error has no body
        said = words((status[2] or b"").decode("ascii", "replace"))
        raise NoAnswer(f"it says {status[1].decode()} {said}")
    fields: dict[bytes, bytes] = {}
    for line in lines:
        name, _, value = line.partition(b":")
        if fields.setdefault(name.strip().lower(), value.strip()) != value.strip():
            raise NoAnswer("its answer contradicts itself")
    length = fields.get(b"content-length", b"")
    if not blank or not length.isdigit() or len(length) > 9 or int(length) != len(body):
        raise NoAnswer("its answer is not as long as it says")
    verdict = _SPAM.fullmatch(fields.get(b"spam", b""))
    if verdict is None:
        raise NoAnswer("its answer has no verdict")
    names = (word(name.strip()) for name in body.decode("ascii", "replace").split(","))
    symbols = heaviest([Symbol(name) for name in names if name])
    return number(float(verdict[2])), verdict[1] in (b"True", b"Yes"), symbols
