"""The registrable part of a domain, by the public suffix list.

Owns the list, which comes with its package and is read once, at the first question (some 50 ms).
It tells which domains one owner can hold; DMARC's own walk is another matter (RFC 9989 4.10).
"""

from __future__ import annotations

from functools import lru_cache

from publicsuffixlist import PublicSuffixList

_LONGEST = 255  # RFC 1035 2.3.4


@lru_cache(maxsize=1)
def _list() -> PublicSuffixList:
    return PublicSuffixList(accept_encoded_idn=False)  # a third of the time to read it


@lru_cache(maxsize=8192)
def registrable(domain: str) -> str:
    """ "mail.example.co.uk" gives "example.co.uk"; "" for a public suffix or what is no domain.

    A suffix that nobody listed counts as one label, so that "a.b.test" gives "b.test".
    """
    domain = domain.lower().rstrip(".")
    if not domain or len(domain) > _LONGEST or ".." in domain or domain.startswith("."):
        return ""
    return _list().privatesuffix(domain) or ""


def same_owner(one: str, other: str) -> bool:
    """Whether two domains are below one registrable domain (relaxed alignment, RFC 7489 3.1)."""
    mine = registrable(one)
    return bool(mine) and mine == registrable(other)
