"""The look-ups that DMARC needs (RFC 9989 4.10), all at once, under one deadline.

Owns which names are asked, and the public suffix list. Must not know the rules:
`core.authentication.dmarc` does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import cache

from publicsuffixlist import PublicSuffixList

from mailguard.adapters.authentication.dns import Resolver
from mailguard.core.authentication.dmarc import (
    DmarcAnswers,
    Found,
    Registrable,
    a_label,
    existence_matters,
    names_to_ask,
    select_record,
)
from mailguard.core.authentication.dns_answers import Answer, NxDomain, Records
from mailguard.core.decision.facts import Unavailable

MOST_IDENTIFIERS = 10  # of one message; a walk is eight questions at most


async def look_up(
    resolver: Resolver, author_domain: str, identifiers: Sequence[str], *, deadline: float
) -> DmarcAnswers:
    """What `evaluate` needs for one Author Domain: needs no result of SPF or DKIM yet.

    `identifiers` are the domains that may come to pass: the reverse-path's, or the HELO name where
    that is null, and each signature's. The author's own count first where there are more than
    MOST_IDENTIFIERS. `deadline` is a time of the event loop's clock; what is not there by then is
    Unavailable. Never raises.
    """
    names = _names(author_domain, identifiers)
    asked = await asyncio.gather(
        *(_ask(resolver, f"_dmarc.{name}", "TXT", deadline) for name in names)
    )
    records = {name: _found(answer) for name, answer in zip(names, asked, strict=True)}
    if not existence_matters(author_domain, records):
        return DmarcAnswers(records)
    # 3.2.13: NXDOMAIN alone says that a domain does not exist, whatever type is asked for.
    return DmarcAnswers(
        records, _exists(await _ask(resolver, a_label(author_domain), "A", deadline))
    )


def at_hand(
    resolver: Resolver, author_domain: str, identifiers: Sequence[str]
) -> DmarcAnswers | None:
    """What `look_up` would give, where none of it has to be waited for."""
    records = {}
    for name in _names(author_domain, identifiers):
        answer = resolver.known(f"_dmarc.{name}", "TXT")
        if answer is None:
            return None
        records[name] = _found(answer)
    if not existence_matters(author_domain, records):
        return DmarcAnswers(records)
    answer = resolver.known(a_label(author_domain), "A")
    return None if answer is None else DmarcAnswers(records, _exists(answer))


@cache
def public_suffixes() -> Registrable:
    """The list's registrable domain of a domain in A-labels. Takes a tenth of a second the first
    time, so call it at start-up."""
    found: Registrable = PublicSuffixList().privatesuffix
    return found


def _names(author_domain: str, identifiers: Sequence[str]) -> Sequence[str]:
    return names_to_ask(author_domain, _nearest(a_label(author_domain), identifiers))


def _nearest(author: str, identifiers: Sequence[str]) -> list[str]:
    """Distinct identifiers, those in the author's own branch first: a flood of foreign signatures
    must not crowd out the one that counts."""

    def distance(identifier: str) -> int:
        ours, theirs = author.split(".")[::-1], identifier.split(".")[::-1]
        shared = 0
        for a, b in zip(ours, theirs, strict=False):
            if a != b:
                break
            shared += 1
        return -shared

    distinct = dict.fromkeys(filter(None, map(a_label, identifiers)))
    return sorted(distinct, key=distance)[:MOST_IDENTIFIERS]


async def _ask(resolver: Resolver, name: str, record_type: str, deadline: float) -> Answer:
    try:
        async with asyncio.timeout_at(deadline):
            return await resolver.look_up(name, record_type)
    except TimeoutError:
        return Unavailable("DMARC: no answer before the deadline")


def _exists(answer: Answer) -> bool | Unavailable:
    return answer if isinstance(answer, Unavailable) else not isinstance(answer, NxDomain)


def _found(answer: Answer) -> Found:
    if isinstance(answer, Records):
        return select_record(answer.values)
    return answer if isinstance(answer, Unavailable) else None
