"""Messages that two readers would read differently, or that could not be read to the end.

Owns what is made of the defects that parsing found and of a reading that failed. What a filter
cannot see it must not let pass as seen. Must not know how defects are found.
"""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field, field_validator

from mailguard.core.decision.facts import Facts, Unavailable
from mailguard.core.decision.policy import CheckSettings, FindingType
from mailguard.core.decision.verdict import Disposition, Finding, Verdict
from mailguard.core.mail.defects import ADDRESS_DEFECTS, MESSAGE_DEFECTS
from mailguard.core.mail.message import Defect
from mailguard.core.mail.transaction import Transaction

AMBIGUOUS = FindingType(
    "structure.ambiguous",
    "mail readers would disagree on what the message says",
    ("R1",),
    Disposition.QUARANTINE,
    advice="Send the message again from an ordinary mail program.",
)
MALFORMED = FindingType(
    "structure.malformed",
    "the message is malformed in a way that changes nothing a reader sees",
    (),
    Disposition.FORWARD,
)
UNSCANNABLE = FindingType(
    "structure.unscannable",
    "the message could not be read to its end",
    (),
    Disposition.QUARANTINE,
    advice="Send the message again with less in it.",
)

_LISTED = 8  # defects that evidence names at most


class StructureSettings(CheckSettings):
    """Which defects are borne."""

    tolerated: tuple[str, ...] = Field(
        ("base64-garbage",),
        description="Codes of ambiguous defects that are only recorded, for a district whose "
        "correspondents send them in good faith. `mailguard check` lists a message's defects as "
        "anomalies. The default is what mailing lists do that put a footer below an encoded "
        "body: no reader sees more of it than was read here.",
    )

    @field_validator("tolerated")
    @classmethod
    def _known(cls, codes: tuple[str, ...]) -> tuple[str, ...]:
        for code in codes:
            if code not in MESSAGE_DEFECTS and code not in ADDRESS_DEFECTS:
                allowed = ", ".join(sorted({*MESSAGE_DEFECTS, *ADDRESS_DEFECTS}))
                raise ValueError(f"{code} is no defect; known are {allowed}")
        return codes


class Structure:
    """What is malformed is recorded; what is ambiguous or unreadable does not pass."""

    name: ClassVar[str] = "structure"
    Settings: ClassVar[type[CheckSettings]] = StructureSettings
    needs: ClassVar[frozenset[str]] = frozenset({"reading"})
    findings: ClassVar[tuple[FindingType, ...]] = (AMBIGUOUS, MALFORMED, UNSCANNABLE)

    def examine(
        self, transaction: Transaction, facts: Facts, settings: StructureSettings
    ) -> Verdict:
        """Sort the message's defects; look whether its texts were read whole."""
        found = []
        ambiguous: list[Defect] = []
        harmless: list[Defect] = []
        for defect in transaction.message.defects:
            grave = defect.ambiguous and defect.code not in settings.tolerated
            (ambiguous if grave else harmless).append(defect)
        if ambiguous:
            found.append(Finding(AMBIGUOUS.code, _said(ambiguous)))
        if harmless:
            found.append(Finding(MALFORMED.code, _said(harmless)))
        if isinstance(facts.reading, Unavailable):
            found.append(Finding(UNSCANNABLE.code, f"not read: {facts.reading.unavailable}"))
        elif facts.reading.truncated:
            found.append(Finding(UNSCANNABLE.code, "the reading ended early: a budget was spent"))
        return Verdict(self.name, tuple(found))


def _said(defects: list[Defect]) -> str:
    """Defects in words, each once: "boundary duplicated in part 1.2; from duplicated"."""
    said: dict[str, None] = {}
    for defect in defects:
        words = defect.code.replace("-", " ")
        if defect.where not in ("", "header"):
            words += f" in part {defect.where}"
        if defect.detail:
            words += f" ({defect.detail[:80]})"
        said[words] = None
        if len(said) > _LISTED:
            break
    shown = list(said)[:_LISTED]
    return "; ".join(shown) + ("; and more" if len(said) > _LISTED else "")
