"""Two opinions on DKIM beside each other, ours and dkimpy's: do they differ, and must they?

Owns which messages dkimpy may see, and what counts as a disagreement. Must not know how
it is asked (`adapters.authentication.dkim_second`), nor dkimpy itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from mailguard.core.authentication.dkimpy_words import AHEAD, PASS, UNREAD
from mailguard.core.authentication.dns_answers import Records
from mailguard.core.authentication.key_records import MAX_RECORD
from mailguard.core.decision.facts import Dkim

MAX_SIZE: Final = 100_000  # octets of a message
MAX_WHITE: Final = 256  # octets of white space in a row
_WHITE: Final = bytes.maketrans(b"\t\n\v\f\r", b"     ")
_LONG_RUN: Final = b" " * (MAX_WHITE + 1)
_RSA: Final = "rsa-sha256"  # dkimpy wants PyNaCl for the other

# Where we are stricter on purpose and dkimpy passes: besides these, whatever is "policy", as l=, a
# singleton field that stands more often than it was signed, a bare LF, a signature out of its time.
STRICTER: Final = frozenset(
    (
        "From is not signed",  # RFC 6376 6.1.1
        "i= must have the very domain that signs",  # t=s, RFC 6376 3.6.1
        "the key is not for sha256",
        "the key record is not of version DKIM1",  # v= that does not come first
    )
)


class Agreement(StrEnum):
    """What the two opinions are together, the weightiest first."""

    DISAGREED = "disagreed"
    BY_DESIGN = "by_design"
    UNREAD = "unread"  # dkimpy has no opinion
    AGREED = "agreed"


@dataclass(frozen=True, slots=True)
class Opinion:
    """Both words on one signature."""

    number: int  # from 0, topmost first
    ours: Dkim
    theirs: str
    verdict: Agreement

    @property
    def why(self) -> str:
        """Why the two must differ; "" where they need not."""
        if self.verdict is not Agreement.BY_DESIGN:
            return ""
        return self.ours.reason or "dkimpy allows clocks less than we do"


def unfit(raw: bytes) -> str:
    """Why a message may not reach dkimpy, as a metric's label; "" when it may. Linear."""
    if len(raw) > MAX_SIZE:
        return "too_large"
    header = raw.partition(b"\r\n\r\n")[0]
    if b"\v" in header or b"\f" in header:  # which it strips: RFC 6376 2.8 knows space and tab
        return "white_space"
    return "white_space" if _LONG_RUN in raw.translate(_WHITE) else ""


def key_record(answer: object) -> bytes | None:
    """The record to hand over: where there are several, dkimpy would not know which."""
    if isinstance(answer, Records) and len(answer.values) == 1:
        return answer.values[0] if len(answer.values[0]) <= MAX_RECORD else None
    return None


def key_name(signature: Dkim) -> str:
    """Where the key is; "" for a signature that is not read so far, or not one for dkimpy."""
    if not signature.domain or signature.algorithm != _RSA or signature.result == "temperror":
        return ""
    return f"{signature.selector}._domainkey.{signature.domain}"


def together(ours: Dkim, theirs: str) -> Agreement:
    """Whether two words on one signature differ, and whether they must. That both refuse is
    agreement, whatever their reasons."""
    if theirs == UNREAD:
        return Agreement.UNREAD
    if (ours.result == "pass") == (theirs == PASS):
        return Agreement.AGREED
    design = stricter(ours.result, ours.reason) or theirs == AHEAD
    return Agreement.BY_DESIGN if design else Agreement.DISAGREED


def stricter(result: str, reason: str) -> bool:
    """Whether our refusal is one that dkimpy does not know."""
    return result == "policy" or reason in STRICTER


def sampled(digest: str, fraction: float) -> bool:
    """Whether a message is one of the share that is looked at: by its digest (hex), so that the
    same message is always, or never."""
    return int(digest[:8], 16) < fraction * 0x1_0000_0000
