"""Mail to very many people needs a supervisor's permission; chain letters need somebody's look
(R25).

Owns the limits and who is exempt from them. How much a sender sent is a fact; what a chain letter
says is `checks.mass_mail.chain_letters`'. Must not know how groups are expanded or where the window
is kept.
"""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import AfterValidator, Field, field_validator

from mailguard.checks.mass_mail import chain_letters
from mailguard.core.decision.approval import (
    SITE_ADMINISTRATION,
    SUPERVISOR,
    TECHNOLOGY,
    ApprovalBy,
)
from mailguard.core.decision.facts import Facts, Mailing, Unavailable
from mailguard.core.decision.policy import CheckSettings, FindingType
from mailguard.core.decision.verdict import Disposition, Finding, Verdict
from mailguard.core.mail import address
from mailguard.core.mail.transaction import Transaction
from mailguard.core.people.rights import ROLES, is_administrator
from mailguard.core.sender import identity as identities
from mailguard.core.sender.identity import Identity
from mailguard.core.text import phrases

_PERMISSION = (
    ApprovalBy(((SUPERVISOR, SITE_ADMINISTRATION, TECHNOLOGY),), rules=("R25",), name="supervisor"),
)
VOLUME = FindingType(
    "mass-mail.volume",
    "the sender's mail reaches more people than is allowed without a supervisor's permission",
    ("R25",),
    Disposition.HOLD,
    advice="Your supervisor can permit it.",
    approval=_PERMISSION,
    grantable=True,
)
CHAIN_LETTER = FindingType(
    "mass-mail.chain-letter",
    "the message is a chain letter",
    ("R25",),
    Disposition.HOLD,
    advice="Please do not pass it on.",
    waivable=True,
    approval=_PERMISSION,
)

_EXEMPT = (
    *("superintendent", "associate_superintendent", "assistant_superintendent"),
    *("superintendent_assistant", "authorised_by_superintendent", "cfo"),
    *("chief_communications_officer", "executive_director_it", "it_designee"),
    *("technology_services_director", "principal", "site_secretary", "department_director"),
)
_Phrases = Annotated[tuple[str, ...], AfterValidator(phrases.checked)]


class MassMailSettings(CheckSettings):
    """How much is mass mail, and what a chain letter says."""

    inside: int = Field(
        200,
        ge=1,
        description="People of the district whom one sender's mail may reach within the window; "
        "groups are expanded, and everybody counts once.",
    )
    outside: int = Field(
        100, ge=1, description="Mailboxes outside the district that it may reach within the window."
    )
    minutes: int = Field(60, ge=1, le=1_440, description="The window's length.")
    exempt_roles: tuple[str, ...] = Field(
        _EXEMPT, description="Roles whose holders need nobody's permission."
    )
    exempt_administrators: bool = Field(
        True,
        description="Whether the administrators that `sites.yaml` names are exempt as well: they "
        "are the supervisors.",
    )
    exempt_senders: tuple[str, ...] = Field(
        (),
        description="Addresses that are exempt, as of the student information system; each counts "
        "where it is proven to send.",
    )
    chain_requests: _Phrases = Field(
        chain_letters.REQUESTS,
        description="How chain letters ask to be passed on. Case, accents and punctuation do not "
        "count; `#` is any number.",
    )
    chain_consequences: _Phrases = Field(
        chain_letters.CONSEQUENCES,
        description="What they promise or threaten. A message needs one of each to be found.",
    )
    chain_least: int = Field(
        2, ge=2, description="Phrases of either kind that a chain letter has at least."
    )

    @field_validator("exempt_roles")
    @classmethod
    def _known(cls, roles: tuple[str, ...]) -> tuple[str, ...]:
        for role in roles:
            if role not in ROLES:
                raise ValueError(f"{role} is no role; allowed: {', '.join(ROLES)}")
        return roles

    def looks_back(self) -> dict[str, float]:
        return {"mailing": 60.0 * self.minutes}


class MassMail:
    """R25: nobody sends mass mail without a supervisor's permission, and nobody chain letters."""

    name: ClassVar[str] = "mass_mail"
    Settings: ClassVar[type[CheckSettings]] = MassMailSettings
    needs: ClassVar[frozenset[str]] = frozenset(
        {"account", "owner", "people", "sites", "mailing", "supervisor", "reading"}
    )
    findings: ClassVar[tuple[FindingType, ...]] = (VOLUME, CHAIN_LETTER)

    def examine(
        self, transaction: Transaction, facts: Facts, settings: MassMailSettings
    ) -> Verdict:
        """Compare what the sender's mail reaches with the limits; look for a chain letter, in what
        is quoted too."""
        found = []
        who = identities.identity(transaction, facts)
        mailing = facts.mailing
        if mailing is not None and not _is_exempt(who, facts, settings):
            evidence = _excess(mailing, settings)
            if evidence:
                found.append(Finding(VOLUME.code, evidence, advice=_advice(who, facts)))
        reading = facts.reading
        if isinstance(reading, Unavailable):
            return Verdict(self.name, tuple(found), error=f"reading: {reading.unavailable}")
        text = phrases.all_words(transaction.message.value("Subject")[:1_000], reading)
        signs = chain_letters.signs(
            text, settings.chain_requests, settings.chain_consequences, settings.chain_least
        )
        recipients = _not_spammail(transaction, facts)
        if signs and recipients:
            found.append(Finding(CHAIN_LETTER.code, signs, recipients))
        return Verdict(self.name, tuple(found))


def _not_spammail(transaction: Transaction, facts: Facts) -> tuple[str, ...]:
    """R28: spammail@ takes what people report."""
    exempt = address.normalise(facts.district.spammail)
    return tuple(r for r in transaction.envelope.recipients if address.normalise(r) != exempt)


def _is_exempt(who: Identity, facts: Facts, settings: MassMailSettings) -> bool:
    if who.authenticated_as in {address.normalise(one) for one in settings.exempt_senders}:
        return True
    owner = who.owner
    if owner is None:
        return False
    if not set(settings.exempt_roles).isdisjoint(owner.roles):
        return True
    return settings.exempt_administrators and is_administrator(owner, facts.sites)


def _excess(mailing: Mailing, settings: MassMailSettings) -> str:
    said = [
        f"{reached:,} {whom}, where {limit:,} are allowed"
        for reached, limit, whom in (
            (mailing.inside, settings.inside, "people of the district"),
            (mailing.outside, settings.outside, "mailboxes outside"),
        )
        if reached > limit
    ]
    if not said:
        return ""
    before = f" with {mailing.earlier} before it" if mailing.earlier else ""
    return f"the message{before} within {settings.minutes} minutes reaches {'; '.join(said)}"


def _advice(who: Identity, facts: Facts) -> str:
    supervisor, owner = facts.supervisor, who.owner
    if supervisor is None or owner is None or supervisor.id == owner.id:
        return ""
    return f"Your supervisor, {supervisor.name}, can permit it."
