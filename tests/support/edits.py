"""A check that proposes the edits it is given, well or badly."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from tests.support.story import ANN

from mailguard.core.decision.edit import AddField, Edit, ReplaceText
from mailguard.core.decision.facts import Facts
from mailguard.core.decision.policy import CheckSettings, FindingType, PolicyStep
from mailguard.core.decision.verdict import Verdict
from mailguard.core.mail.transaction import Transaction

OVERLAPPING = (
    ReplaceText("", 0, 3, "x", recipients=(ANN,)),
    ReplaceText("", 2, 4, "y", recipients=(ANN,)),
)
SEEN_BY_ALL = (AddField("X-Mailguard-Test", "1"),)


@dataclass
class Edits:
    """A check that proposes edits, well or badly."""

    edits: tuple[Edit, ...]
    name: ClassVar[str] = "edits"
    Settings: ClassVar[type[CheckSettings]] = CheckSettings
    needs: ClassVar[frozenset[str]] = frozenset()
    findings: ClassVar[tuple[FindingType, ...]] = ()

    def examine(self, _: Transaction, __: Facts, ___: CheckSettings) -> Verdict:
        return Verdict(self.name, edits=self.edits)


def step(*edits: Edit) -> PolicyStep:
    return PolicyStep(Edits(edits), CheckSettings(), {})
