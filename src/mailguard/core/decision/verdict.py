"""What a check says and what policy may do with it.

Owns Disposition, Finding, Waiver and Verdict. A finding carries no action: configuration
gives it one (see `policy`). Must not know any particular check.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from mailguard.core.decision.edit import Edit


class Disposition(IntEnum):
    """What happens to one recipient's copy; the order is the strength (docs/adr/0001)."""

    FORWARD = 0
    QUARANTINE = 1
    HOLD = 2
    BOUNCE = 3
    DEFER = 4

    @property
    def word(self) -> str:
        """Lower case, for files and output."""
        return self.name.lower()


_SPAM = "spam."


def about_spam(code: str) -> bool:
    """Whether a finding is about spam, or the failure to look for it: what reviewers teach the
    filter by, and what a recipient's word may lift (R31). Told by the family that the code begins
    with: what is stored outlives the policy that kept it, and the check that declared it."""
    return code.startswith(_SPAM)


@dataclass(frozen=True, slots=True)
class Finding:
    """Something a check found, with the evidence in words a person understands."""

    code: str  # "group-rights.not-aligned": one of the check's declared FindingTypes
    evidence: str  # one sentence, plain text, no trailing line end
    recipients: tuple[str, ...] = ()  # those concerned; empty means all of them
    rules: tuple[str, ...] = ()  # "R17"; empty means those of the FindingType
    advice: str = ""  # what would make it pass; empty means the FindingType's


@dataclass(frozen=True, slots=True)
class Waiver:
    """A reason to disregard findings by code, for some or all recipients. It never skips a check,
    and `decide` refuses to apply it to a code that is not waivable (malware, forged identity)."""

    codes: tuple[str, ...]
    reason: str
    recipients: tuple[str, ...] = ()  # empty means all


@dataclass(frozen=True, slots=True)
class Verdict:
    """Everything one check said about one transaction."""

    check: str
    findings: tuple[Finding, ...] = ()
    edits: tuple[Edit, ...] = ()
    waivers: tuple[Waiver, ...] = ()
    error: str | None = None  # the check itself failed: policy's on_error applies
