"""rspamd's HTTP protocol: POST /checkv2 to a normal worker.

Owns which fields tell rspamd of the session, and what its JSON means. Must not know what the points
lead to.
"""

from __future__ import annotations

import io
import json
from collections.abc import Awaitable
from typing import Any, NoReturn

import aiohttp

from mailguard.adapters.engines.engine import (
    LONGEST_ANSWER,
    NoAnswer,
    heaviest,
    number,
    too_big,
    word,
    words,
    worth,
)
from mailguard.config.settings.engines import RspamdSettings
from mailguard.core.decision.engines import Scanned, Symbol, Target
from mailguard.core.decision.facts import Unavailable
from mailguard.core.mail.transaction import Transaction
from mailguard.core.text.reading import Reading

_SPAM = ("reject", "add header", "rewrite subject")
_LATER = ("soft reject",)
_SEEN = 2_000  # symbols looked at
_AT_ONCE = aiohttp.ClientTimeout(total=None)  # who calls has the deadline


class Rspamd:
    """One rspamd. A connection serves one message: rspamd closes it, and one that went stale would
    be a message deferred for nothing."""

    name = "rspamd"
    target = Target.SPAM

    def __init__(self, settings: RspamdSettings) -> None:
        self._settings = settings

    async def ask(self, transaction: Transaction, _: Awaitable[Reading | Unavailable]) -> Scanned:
        settings, raw = self._settings, transaction.message.raw
        unsent = too_big(len(raw), settings.max_size)
        if unsent is not None:
            return unsent
        try:
            answer = await _post(f"{settings.url}/checkv2", told(transaction), raw)
        except aiohttp.ClientError as error:
            raise NoAnswer(words(str(error)) or type(error).__name__) from error
        score, spam, symbols, skipped = parse(answer)
        points = worth(score, settings.weight, settings.at_least, settings.at_most)
        unscannable = "rspamd skipped it" if skipped else ""
        return Scanned(score, spam, symbols, points=points, unscannable=unscannable)


def told(transaction: Transaction) -> list[tuple[str, str]]:
    """What rspamd learns of the session, as HTTP fields. A value that could not stand in one is
    left out."""
    envelope = transaction.envelope
    fields = [
        ("Queue-Id", transaction.id),
        ("IP", envelope.client_address),
        ("Hostname", envelope.client_name),
        ("Helo", envelope.helo),
        ("User", envelope.account or ""),
        ("From", envelope.reverse_path or "<>"),
        *(("Rcpt", recipient) for recipient in envelope.recipients),
    ]
    return [(name, value) for name, value in fields if value and _harmless(value)]


def _harmless(value: str) -> bool:
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return value.isprintable() and value == value.strip() and len(value) <= 1_000


async def _post(url: str, fields: list[tuple[str, str]], raw: bytes) -> bytes:
    async with (
        aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(force_close=True),
            auto_decompress=False,  # no bombs: nothing packed was asked for
            timeout=_AT_ONCE,
            skip_auto_headers=("Accept-Encoding", "User-Agent"),
        ) as session,
        session.post(url, data=io.BytesIO(raw), headers=fields, allow_redirects=False) as response,
    ):
        if response.status != 200:
            raise NoAnswer(f"HTTP {response.status}")
        answer = bytearray()
        while some := await response.content.read(65_536):
            answer += some
            if len(answer) > LONGEST_ANSWER:
                raise NoAnswer(f"its answer has more than {LONGEST_ANSWER} octets")
        return bytes(answer)


def parse(answer: bytes) -> tuple[float, bool, tuple[Symbol, ...], bool]:
    """Score, verdict, symbols, and whether it skipped the message. Raises NoAnswer."""
    try:
        said = json.loads(answer, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise NoAnswer("its answer is no JSON") from error
    if not isinstance(said, dict):
        raise NoAnswer("its answer is no JSON object")
    if "error" in said:
        raise NoAnswer(f"it says {words(str(said['error']))!r}")
    action, found = said.get("action"), said.get("symbols")
    if not isinstance(action, str) or not isinstance(found, dict):
        raise NoAnswer("its answer has no action or no symbols")
    if action in _LATER:
        raise NoAnswer("it asks to try later (soft reject)")
    score = number(said.get("score"))
    if action == "reject":  # forced below the bound, too
        score = max(score, number(said.get("required_score")))
    symbols = [_symbol(name, given) for name, given in list(found.items())[:_SEEN]]
    spam = action in _SPAM
    return score, spam, heaviest(symbols), said.get("is_skipped") is True and not spam


def _symbol(name: str, given: Any) -> Symbol:
    if not isinstance(given, dict):
        raise NoAnswer("a symbol has another form")
    return Symbol(word(name), round(number(given.get("score", 0.0)), 2))


def _refuse(constant: str) -> NoReturn:
    raise ValueError(constant)
