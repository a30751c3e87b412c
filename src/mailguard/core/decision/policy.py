"""A district's policy as an ordered list of steps, each a check with the actions its findings get.

Owns what a check is (`Check`), what it may find (`FindingType`) and what configuration makes of
it (`PolicyStep`, `Policy`). Must not know any particular check.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, ClassVar, Protocol

from pydantic import BaseModel, ConfigDict

from mailguard.core.decision.approval import (
    OFFICES,
    OUTSIDE,
    SITE_OR_TECHNOLOGY,
    ApprovalBy,
)
from mailguard.core.decision.facts import Facts
from mailguard.core.decision.verdict import Disposition, Verdict
from mailguard.core.mail.transaction import Transaction


class CheckSettings(BaseModel):
    """A check's own settings. Field descriptions are the reference documentation."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def looks_back(self) -> Mapping[str, float]:
        """Facts that only these settings ask for, with how many seconds they look back."""
        return {}


@dataclass(frozen=True, slots=True)
class FindingType:
    """A finding a check declares: the generated reference and the notices are made of these."""

    code: str
    summary: str  # for a person, lower case, no full stop: "may not write to this group"
    rules: tuple[str, ...]
    default: Disposition  # what policy does where configuration is silent
    advice: str = ""  # what would make the message pass, a sentence
    waivable: bool = False  # an unblocked sender may pass it; never malware or forged identity
    notice: str = "refused"  # the template in config/notices/ that tells the sender
    store_only: bool = False  # dangerous to pass on: a quarantined copy goes to no mailbox
    approval: tuple[ApprovalBy, ...] = SITE_OR_TECHNOLOGY  # every yes it needs where it is held
    grantable: bool = False  # an approval given beforehand covers it (R18): nobody sees the message


class Check(Protocol):
    """A rule's software: pure and synchronous. A file or folder in `checks/`, a line in CHECKS."""

    name: ClassVar[str]  # "group_rights"
    Settings: ClassVar[type[CheckSettings]]
    needs: ClassVar[frozenset[str]]  # names of Facts fields that gather must fill
    findings: ClassVar[tuple[FindingType, ...]]

    def examine(self, transaction: Transaction, facts: Facts, settings: Any) -> Verdict:
        """Look at the message and the facts; say what is found. No effects, no exceptions meant:
        one that escapes becomes the step's on_error."""
        ...


class Mode(StrEnum):
    """Observe records what enforce would do, and changes nothing."""

    ENFORCE = "enforce"
    OBSERVE = "observe"


@dataclass(frozen=True, slots=True)
class PolicyStep:
    """One check as configured."""

    check: Check
    settings: CheckSettings
    on_finding: Mapping[str, Disposition]  # every declared code is present
    on_error: Disposition = Disposition.QUARANTINE
    mode: Mode = Mode.ENFORCE
    approvers: Mapping[str, tuple[ApprovalBy, ...]] = field(default_factory=dict)  # by code


@dataclass(frozen=True, slots=True)
class Policy:
    """The steps, in the order in which their reasons are shown."""

    steps: tuple[PolicyStep, ...]
    digest: str  # of everything a decision depends on, for the ledger

    @property
    def needs(self) -> frozenset[str]:
        """Every fact that some step needs."""
        return frozenset().union(*(step.check.needs for step in self.steps))

    @property
    def looks_back(self) -> Mapping[str, float]:
        """What the steps' settings ask for besides, with the longest time that one looks back."""
        found: dict[str, float] = {}
        for step in self.steps:
            for fact, seconds in step.settings.looks_back().items():
                found[fact] = max(seconds, found.get(fact, 0.0))
        return found

    def finding_type(self, code: str) -> FindingType | None:
        """What was declared of a finding, if a check of this policy declares it."""
        for step in self.steps:
            for kind in step.check.findings:
                if kind.code == code:
                    return kind
        return None

    def approval_of(self, code: str) -> tuple[ApprovalBy, ...]:
        """Every yes that a copy held for this needs: as policy says, else as the finding declares.
        What nobody declares, as a check's own failure, needs R18's."""
        for step in self.steps:
            if code in step.approvers:
                return step.approvers[code]
        kind = self.finding_type(code)
        return kind.approval if kind is not None else SITE_OR_TECHNOLOGY

    def grantable(self, codes: Iterable[str]) -> frozenset[str]:
        """Those that an approval given beforehand covers (R18)."""
        kinds = (self.finding_type(code) for code in codes)
        return frozenset(kind.code for kind in kinds if kind is not None and kind.grantable)

    @property
    def approvers(self) -> frozenset[str]:
        """The roles and people of the directory that what this policy holds may need the yes of."""
        return frozenset(
            office
            for step in self.steps
            for kind in step.check.findings
            if step.on_finding.get(kind.code) is Disposition.HOLD
            for one in step.approvers.get(kind.code, kind.approval)
            for office in one.every_office
            if office not in OFFICES and not office.startswith(OUTSIDE)
        )
