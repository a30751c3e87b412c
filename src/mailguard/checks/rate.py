"""How many recipients an account may write to within an hour and a day (R55).

Owns the limits. The counting is `pipeline.counters`'s. Must not know what is written, or whether
the recipients are a group's members.
"""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field, field_validator

from mailguard.core.decision.facts import Facts
from mailguard.core.decision.policy import CheckSettings, FindingType
from mailguard.core.decision.verdict import Disposition, Finding, Verdict
from mailguard.core.mail.transaction import Transaction

_MOST = 20_000  # that are counted of one account

# Held: what a stolen account sends reaches nobody, and what a person meant to send is released as
# it is. Putting it off instead would let a queue send everything, only slower.
EXCEEDED = FindingType(
    "rate.exceeded",
    "the account writes to more recipients than it may within a time",
    ("R55",),
    Disposition.HOLD,
    advice="For mail to many people use a group.",
)


class RateSettings(CheckSettings):
    """The limits. A message counts each of its recipients once, however often it is tried; a group
    is one recipient. Counted by each process by itself, from its start."""

    an_hour: int = Field(
        500, ge=1, le=_MOST, description="Recipients within an hour, for any account."
    )
    a_day: int = Field(
        2_000, ge=1, le=_MOST, description="Recipients within 24 hours, for any account."
    )
    exempt: frozenset[str] = Field(
        frozenset(),
        description="Accounts without a limit, as the student information system: logins, or the "
        "ids of people behind a `relay` listener.",
    )

    @field_validator("exempt")
    @classmethod
    def _lower(cls, exempt: frozenset[str]) -> frozenset[str]:
        return frozenset(account.lower() for account in exempt)


class Rate:
    """R55: an account that suddenly writes to very many people is held, and an alert is raised."""

    name: ClassVar[str] = "rate"
    Settings: ClassVar[type[CheckSettings]] = RateSettings
    needs: ClassVar[frozenset[str]] = frozenset({"sent"})
    findings: ClassVar[tuple[FindingType, ...]] = (EXCEEDED,)

    def examine(self, transaction: Transaction, facts: Facts, settings: RateSettings) -> Verdict:
        """One finding, which names the limit that was passed first."""
        sent = facts.sent
        if sent is None or sent.account.lower() in settings.exempt:
            return Verdict(self.name)
        for count, limit, time in (
            (sent.hour, settings.an_hour, "an hour"),
            (sent.day, settings.a_day, "24 hours"),
        ):
            if count > limit:
                evidence = f"{sent.account} has written to {count} recipients within {time}"
                finding = Finding(EXCEEDED.code, f"{evidence}; {limit} may be")
                return Verdict(self.name, (finding,))
        return Verdict(self.name)
