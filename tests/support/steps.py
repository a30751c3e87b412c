"""Steps of a policy whose checks say what they are told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from mailguard.core.decision.facts import Facts
from mailguard.core.decision.policy import CheckSettings, FindingType, Mode, PolicyStep
from mailguard.core.decision.verdict import Disposition, Finding, Verdict, Waiver
from mailguard.core.mail.transaction import Transaction
from mailguard.core.people.district import District

DISTRICT = District(
    "Example Valley Unified School District",
    "EVUSD",
    ("example.org",),
    "spammail@example.org",
    "postmaster@example.org",
    "mx.example.org",
)


@dataclass(frozen=True)
class Says:
    """A check that says what it is told to; the real thing under test is `decide`."""

    name: str
    verdict: Verdict | Exception
    findings: tuple[FindingType, ...] = ()
    Settings: ClassVar[type[CheckSettings]] = CheckSettings
    needs: ClassVar[frozenset[str]] = frozenset()

    def examine(self, transaction: Transaction, facts: Facts, settings: Any) -> Verdict:
        if isinstance(self.verdict, Exception):
            raise self.verdict
        return self.verdict


def finds(
    name: str,
    code: str,
    disposition: Disposition,
    *recipients: str,
    waivable: bool = False,
    mode: Mode = Mode.ENFORCE,
    waivers: tuple[Waiver, ...] = (),
    edits: tuple[Any, ...] = (),
) -> PolicyStep:
    kind = FindingType(code, "was found", ("R0",), disposition, waivable=waivable)
    verdict = Verdict(name, (Finding(code, "evidence", recipients),), edits, waivers)
    return PolicyStep(Says(name, verdict, (kind,)), CheckSettings(), {code: disposition}, mode=mode)
