"""What DNS may answer, four kinds of it.

Owns the values alone. "No answer" (`Unavailable`) is not "no such record". Must not know who asks,
or how.
"""

from __future__ import annotations

from dataclasses import dataclass

from mailguard.core.decision.facts import Unavailable


@dataclass(frozen=True, slots=True)
class Records:
    """What is there: a TXT record's strings joined (RFC 7208 3.3), others in zone file form."""

    values: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class NxDomain:
    """There is no such name, or it is none at all."""


@dataclass(frozen=True, slots=True)
class NoData:
    """The name exists, with no record of this type."""


Answer = Records | NxDomain | NoData | Unavailable
