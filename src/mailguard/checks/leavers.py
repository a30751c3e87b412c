"""Mail for somebody who has left the district is answered, and goes to nobody's mailbox (R6).

Owns what the answer says besides the district's own text (`config/notices/leaver.txt`). What a
leaver sends is `sender_identity`'s. Must not know the directory or the calendar.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from pydantic import Field

from mailguard.core.facts import Facts, Leaver
from mailguard.core.policy import CheckSettings, FindingType
from mailguard.core.transaction import Transaction
from mailguard.core.verdict import Disposition, Finding, Verdict

GONE = FindingType(
    "leavers.gone",
    "the recipient has left the district",
    ("R6",),
    Disposition.BOUNCE,
    advice="Please write to the district's main address instead.",
    notice="leaver",
)


class LeaversSettings(CheckSettings):
    """What the sender is told."""

    name_successor: bool = Field(
        True, description="Whether the answer names who took over, with the address (R6)."
    )


class Leavers:
    """R6: mail for a leaver is answered with a text, and kept from the mailbox."""

    name: ClassVar[str] = "leavers"
    Settings: ClassVar[type[CheckSettings]] = LeaversSettings
    needs: ClassVar[frozenset[str]] = frozenset({"leavers"})
    findings: ClassVar[tuple[FindingType, ...]] = (GONE,)

    def examine(self, transaction: Transaction, facts: Facts, settings: LeaversSettings) -> Verdict:
        """One finding for each recipient who has left."""
        return Verdict(self.name, tuple(_gone(transaction, facts, settings)))


def _gone(transaction: Transaction, facts: Facts, settings: LeaversSettings) -> Iterator[Finding]:
    for recipient in transaction.envelope.recipients:
        leaver = facts.leavers.get(recipient)
        if leaver is not None:
            evidence = f"{leaver.person.name} has left {facts.district.name}"
            advice = _advice(leaver) if settings.name_successor else ""
            yield Finding(GONE.code, evidence, (recipient,), advice=advice)


def _advice(leaver: Leaver) -> str:
    successor = leaver.successor
    if successor is None:
        return ""
    title = f", {successor.title}" if successor.title else ""
    return f"Please write to {successor.name}{title}, at {successor.addresses[0]} instead."
