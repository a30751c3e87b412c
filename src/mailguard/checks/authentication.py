"""What the domains themselves say of mail from outside: DMARC's policy, with local overrides (R1).

Owns which result is a finding. SPF and DKIM count through DMARC, as their owners ask; alone they
are recorded facts. Must not know how results are obtained, nor whose the addresses are.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from mailguard.core.authentication import authentication_results
from mailguard.core.decision.facts import Arc, ArcSet, Dmarc, Facts, Unavailable
from mailguard.core.decision.policy import CheckSettings, FindingType
from mailguard.core.decision.verdict import Disposition, Finding, Verdict
from mailguard.core.mail.transaction import Origin, Transaction

_ADVICE = (
    "Send the message from a server that your domain's SPF or DKIM record vouches for, or ask the "
    "administrator of your domain."
)
REJECT = FindingType(
    "authentication.dmarc-reject",
    "the sender's domain asks to refuse mail that it does not vouch for",
    ("R1",),
    Disposition.BOUNCE,
    advice=_ADVICE,
)
QUARANTINE = FindingType(
    "authentication.dmarc-quarantine",
    "the sender's domain asks to distrust mail that it does not vouch for",
    ("R1",),
    Disposition.QUARANTINE,
    advice=_ADVICE,
)
UNVOUCHED = FindingType(
    "authentication.dmarc-none",
    "the sender's domain does not vouch for the message, and asks for nothing",
    ("R1",),
    Disposition.FORWARD,
    advice=_ADVICE,
)
UNANSWERED = FindingType(
    "authentication.unanswered",
    "the sender's domain could not be asked",
    ("R1",),
    Disposition.DEFER,
    advice="Nothing needs to be done: the sending server tries again.",
)
SEALED = FindingType(
    "authentication.sealed",
    "a trusted forwarder vouches that the message was authentic when it came there",
    ("R1",),
    Disposition.FORWARD,
)


class AuthenticationSettings(CheckSettings):
    """How far other domains' published wishes are followed."""

    overrides: dict[str, Literal["ignore", "none", "quarantine", "reject"]] = Field(
        default_factory=dict,
        description="For an author's domain, the policy to follow in place of the published one; "
        "`ignore` makes no finding at all.",
    )
    trusted_sealers: tuple[str, ...] = Field(
        (),
        description="Domains whose ARC seal is believed: forwarders and mailing lists. What they "
        "saw pass counts as if we had seen it.",
    )


class AuthenticationCheck:
    """R1: nobody outside writes as a domain that does not vouch for them (RFC 9989)."""

    name: ClassVar[str] = "authentication"
    Settings: ClassVar[type[CheckSettings]] = AuthenticationSettings
    needs: ClassVar[frozenset[str]] = frozenset({"spf", "dkim", "arc", "dmarc"})
    findings: ClassVar[tuple[FindingType, ...]] = (
        REJECT,
        QUARANTINE,
        UNVOUCHED,
        UNANSWERED,
        SEALED,
    )

    def examine(
        self, transaction: Transaction, facts: Facts, settings: AuthenticationSettings
    ) -> Verdict:
        """At most one finding: what DMARC's result leads to, unless a trusted seal answers it."""
        author = transaction.message.author
        if author.ambiguous or not author.addresses:
            return Verdict(self.name)  # sender_identity judges a malformed From
        if transaction.origin is Origin.INSIDE and (
            transaction.envelope.account is not None or facts.district.owns(author.addresses[0])
        ):
            return Verdict(self.name)  # known by the account, or vouched for by a trusted server
        dmarc = facts.dmarc
        if isinstance(dmarc, Unavailable):
            return Verdict(self.name, (Finding(UNANSWERED.code, f"DMARC: {dmarc.unavailable}"),))
        override = settings.overrides.get(dmarc.domain)
        if override == "ignore" or dmarc.result in ("pass", "none", "permerror"):
            return Verdict(self.name)
        if dmarc.result == "temperror":
            evidence = f"{dmarc.domain} did not answer: {dmarc.reason or 'DNS trouble'}"
            return Verdict(self.name, (Finding(UNANSWERED.code, evidence),))
        sealer = _vouching_sealer(facts.arc, dmarc, settings.trusted_sealers)
        if sealer is not None:
            evidence = f"{sealer.domain} sealed that {dmarc.domain} vouched for the message there"
            return Verdict(self.name, (Finding(SEALED.code, evidence),))
        followed = override or dmarc.policy
        kind = {"reject": REJECT, "quarantine": QUARANTINE}.get(followed, UNVOUCHED)
        return Verdict(self.name, (Finding(kind.code, _evidence(facts, dmarc)),))


def _evidence(facts: Facts, dmarc: Dmarc) -> str:
    """What was checked and what was found, in words."""
    spf, dkim = facts.spf, facts.dkim
    by_spf = spf.unavailable if isinstance(spf, Unavailable) else f"{spf.result} for {spf.domain}"
    if isinstance(dkim, Unavailable):
        by_dkim = dkim.unavailable
    elif dkim:
        by_dkim = ", ".join(f"{one.result} for {one.domain or 'no domain'}" for one in dkim[:3])
    else:
        by_dkim = "no signature"
    return (
        f"the From field names {dmarc.domain}, which publishes p={dmarc.published}; "
        f"SPF: {by_spf}; DKIM: {by_dkim}"
    )


def _vouching_sealer(
    arc: Arc | Unavailable, dmarc: Dmarc, trusted: tuple[str, ...]
) -> ArcSet | None:
    """The first trusted sealer that saw DMARC pass for this author, in a chain that is whole
    (RFC 8617 5.2). Every later sealer must be trusted too: a later one could have lied."""
    if isinstance(arc, Unavailable) or arc.cv != "pass" or not trusted:
        return None
    believed = {domain.lower() for domain in trusted}
    for one in reversed(arc.sets):
        if one.domain not in believed:
            return None
        said = authentication_results.read(one.results)
        seen = {
            result.result
            for result in (said.results if said is not None else ())
            if result.method == "dmarc"
            and dict(result.properties).get("header.from", "").lower() == dmarc.domain
        }
        if seen == {"pass"}:  # results that contradict each other say nothing
            return one
    return None
