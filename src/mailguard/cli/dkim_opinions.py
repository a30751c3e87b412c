"""Both opinions on a DKIM key and what is signed with it, ours and dkimpy's, side by side.

Owns what `mailguard dkim check` asks of the two and in which words it shows them. Must not know how
dkimpy is kept at bay (`adapters.authentication.dkim_second`).
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Final, NamedTuple

from mailguard.adapters.authentication import dkim_second_child
from mailguard.adapters.authentication.dkim_second import SECONDS, Ask, dkimpy_child, opinions
from mailguard.adapters.workers.reader_pool import Overrun
from mailguard.core.authentication.dkim import verify_with_keys
from mailguard.core.authentication.dkim_opinions import (
    Agreement,
    Opinion,
    key_record,
    stricter,
    unfit,
)
from mailguard.core.authentication.dkim_signing import PrivateKey, Signer, SigningKey
from mailguard.core.authentication.dkimpy_words import FAIL, UNREAD
from mailguard.core.authentication.dns_answers import Answer, Records
from mailguard.core.authentication.key_records import NoKey, key_of

COLUMNS: Final = ("Asked of", "mailguard", "dkimpy", "Together")
_NONE: Final = "no opinion"
_PROBE: Final = (
    b"From: probe@%(domain)s\r\nSubject: A  probe\r\n\r\nWhite space \t and a dot: \r\n.\r\n\r\n"
)


class Row(NamedTuple):
    """One question and its two answers."""

    of: str
    mailguard: str
    dkimpy: str
    together: str


def both(
    domain: str, selector: str, answer: Answer, private: PrivateKey | None, raw: bytes | None
) -> list[Row]:
    """What the two say of the key record, of a message signed with the private key, and of those
    signatures of `raw` that name the record. Nothing where DNS has no record to talk about."""
    if not isinstance(answer, Records):
        return []
    child = dkimpy_child()
    try:
        rows = [_of_record(f"{selector}._domainkey.{domain}", answer, child.ask)]
        if private is not None:
            probe = _PROBE % {b"domain": domain.encode()}
            key = SigningKey(domain, selector, private)
            signed = Signer([key]).sign(probe, domain, time.time()) + probe
            rows += _of_message("mail signed by --key", domain, selector, answer, signed, child.ask)
        if raw is not None:
            rows += _of_message("--message, signature {}", domain, selector, answer, raw, child.ask)
        return rows
    finally:
        child.kill()


def _of_record(name: str, answer: Records, ask: Ask) -> Row:
    found, record = key_of(answer), key_record(answer)
    said: object = UNREAD
    if record is not None:
        try:
            said = _first(ask(dkim_second_child.question(b"", {name: record}, ()), SECONDS))
        except Overrun:
            pass
    if isinstance(found, NoKey):
        ours, verdict = found.result, Agreement.AGREED if said == FAIL else Agreement.DISAGREED
        if verdict is Agreement.DISAGREED and stricter(found.result, found.reason):
            verdict = Agreement.BY_DESIGN
    else:
        ours = f"{found.algorithm.removesuffix('-sha256')}, {found.bits} bits"
        verdict = Agreement.AGREED if said == ours else Agreement.DISAGREED
    if said == UNREAD:
        return Row("the key record", ours, _NONE, Agreement.UNREAD.value)
    theirs = "permerror" if said == FAIL else str(said)
    return Row("the key record", ours, theirs, verdict.value)


def _first(answer: object) -> object:
    return answer[0] if isinstance(answer, list) and answer else UNREAD


def _of_message(
    of: str, domain: str, selector: str, answer: Records, raw: bytes, ask: Ask
) -> Iterator[Row]:
    keys = {f"{selector}._domainkey.{domain}": answer}
    results = verify_with_keys(raw, keys, time.time())
    why = unfit(raw)
    try:
        said = {one.number: one for one in (opinions(ask, raw, results, keys) if not why else ())}
    except Overrun:
        said, why = {}, "killed"
    for number, one in enumerate(results):
        if (one.domain, one.selector) == (domain, selector):
            ours = f"{one.result}: {one.reason}" if one.reason else one.result
            yield _row(of.format(number + 1), ours, said.get(number), why)


def _row(of: str, ours: str, opinion: Opinion | None, why: str) -> Row:
    if opinion is None or opinion.verdict is Agreement.UNREAD:
        return Row(of, ours, _NONE, why or Agreement.UNREAD.value)
    together = opinion.verdict.value
    return Row(of, ours, opinion.theirs, f"{together}: {opinion.why}" if opinion.why else together)
