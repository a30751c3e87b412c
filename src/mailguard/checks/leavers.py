"""Mail for somebody who has left the district is answered, or routed to who took over (R6).

Owns what the answer says besides the district's own text (`config/notices/leaver.txt`), and what
marks a routed copy. What a leaver sends is `sender_identity`'s. Must not know the directory or the
calendar.
"""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from mailguard.core.decision.edit import AddField, Edit, Redirect
from mailguard.core.decision.facts import Facts, Leaver
from mailguard.core.decision.policy import CheckSettings, FindingType
from mailguard.core.decision.verdict import Disposition, Finding, Verdict
from mailguard.core.mail.address import normalise
from mailguard.core.mail.transaction import Transaction

GONE = FindingType(
    "leavers.gone",
    "the recipient has left the district",
    ("R6",),
    Disposition.BOUNCE,
    advice="Please write to the district's main address instead.",
    notice="leaver",
)
ROUTED = FindingType(
    "leavers.routed",
    "the recipient has left the district, and who took over gets the mail",
    ("R6",),
    Disposition.FORWARD,
    advice="Please write to the district's main address instead.",
    notice="leaver",
)
_FIELD = "X-Mailguard-Routed"


class LeaversSettings(CheckSettings):
    """What the sender is told."""

    name_successor: bool = Field(
        True, description="Whether the answer names who took over, with the address (R6)."
    )


class Leavers:
    """R6: mail for a leaver is answered with a text or goes to the manager, as `on_leaving` in the
    directory says; it is kept from the leaver's own mailbox."""

    name: ClassVar[str] = "leavers"
    Settings: ClassVar[type[CheckSettings]] = LeaversSettings
    needs: ClassVar[frozenset[str]] = frozenset({"leavers"})
    findings: ClassVar[tuple[FindingType, ...]] = (GONE, ROUTED)

    def examine(self, transaction: Transaction, facts: Facts, settings: LeaversSettings) -> Verdict:
        """One finding for each recipient who has left."""
        findings: list[Finding] = []
        edits: list[Edit] = []
        for recipient in transaction.envelope.recipients:
            leaver = facts.leavers.get(recipient)
            if leaver is None:
                continue
            kind, evidence = GONE, f"{leaver.person.name} has left {facts.district.name}"
            if leaver.routed_to is not None:
                to = leaver.routed_to.addresses[0]
                kind, evidence = ROUTED, f"{evidence}; the mail goes to {leaver.routed_to.name}"
                edits += _routing(recipient, to)
            advice = _advice(leaver) if settings.name_successor else ""
            findings.append(Finding(kind.code, evidence, (recipient,), advice=advice))
        return Verdict(self.name, tuple(findings), tuple(edits))


def _routing(recipient: str, to: str) -> tuple[Edit, Edit]:
    """To the other mailbox, where a field on top says whose mail it is: nothing else would, were
    the recipient not named in the header."""
    # ASCII, or no server without SMTPUTF8 could take the copy (RFC 6532).
    whose = normalise(recipient).encode("ascii", "backslashreplace").decode("ascii")
    return (
        Redirect(to, (recipient,)),
        AddField(_FIELD, f"leaver; for={whose}", (recipient,)),
    )


def _advice(leaver: Leaver) -> str:
    successor = leaver.successor
    if successor is None:
        return ""
    title = f", {successor.title}" if successor.title else ""
    return f"Please write to {successor.name}{title}, at {successor.addresses[0]} instead."
