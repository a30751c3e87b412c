"""Who may write to a distribution group (R14-R17, R19).

Owns the step from a proven sender to a finding for each group among the recipients. The rights
themselves are derived in `core.rights`. Must not know how groups are expanded or configured.
"""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from mailguard.core import identity as identities
from mailguard.core.directory import Group
from mailguard.core.facts import Facts, Unavailable
from mailguard.core.identity import Identity
from mailguard.core.policy import CheckSettings, FindingType
from mailguard.core.rights import Right, may_write
from mailguard.core.transaction import Transaction
from mailguard.core.verdict import Disposition, Finding, Verdict

NOT_ALIGNED = FindingType(
    "group-rights.not-aligned",
    "the group is not aligned with the sender's site or job classification",
    ("R17",),
    Disposition.BOUNCE,
    advice="Ask your site or department administrator, or Technology Services, for written "
    "approval beforehand.",
)
NOT_AUTHORISED = FindingType(
    "group-rights.not-authorised",
    "the sender may not write to all employees",
    ("R14", "R15"),
    Disposition.BOUNCE,
    advice="Ask one of those who may write to all employees to send it.",
)
OUTSIDE = FindingType(
    "group-rights.outside",
    "the group does not take mail from outside the district",
    ("R17",),
    Disposition.BOUNCE,
    advice="Write to the person you want to reach instead of the group.",
)
AUTOMATIC = FindingType(
    "group-rights.automatic",
    "an automatic message to a group its sender may not write to",
    ("R7", "R17"),
    # R7: automatic replies are not answered, so they are kept instead of bounced.
    Disposition.QUARANTINE,
    advice="Have the sending address listed as a sender of the group.",
)
GRANTED = FindingType(
    "group-rights.granted",
    "the sender may write to this group",
    ("R14", "R15", "R16", "R17", "R19"),
    Disposition.FORWARD,
)


class GroupRightsSettings(CheckSettings):
    """How rights to groups are judged."""

    reason_tag: str = Field(
        "[IT ALERT]",
        min_length=1,
        max_length=60,
        description="What the Subject begins with, in any case, when the Executive Director of "
        "IT or designee writes to all employees for an imminent technology issue or by direction "
        "of the Superintendent (R16). Every use is recorded.",
    )
    relay_vouches: bool = Field(
        True,
        description="A trusted server (a `relay` listener) vouches for senders with a district "
        "address. Otherwise its mail has the rights of mail from outside.",
    )


class GroupRights:
    """R14-R17 and R19: a group takes mail from those whose place or role gives them the right."""

    name: ClassVar[str] = "group_rights"
    Settings: ClassVar[type[CheckSettings]] = GroupRightsSettings
    needs: ClassVar[frozenset[str]] = frozenset(
        {"account", "owner", "people", "sites", "groups", "supported", "administrators"}
    )
    findings: ClassVar[tuple[FindingType, ...]] = (
        NOT_ALIGNED,
        NOT_AUTHORISED,
        OUTSIDE,
        AUTOMATIC,
        GRANTED,
    )

    def examine(
        self, transaction: Transaction, facts: Facts, settings: GroupRightsSettings
    ) -> Verdict:
        """One finding for each recipient that is a group: the right to write to it, or why not."""
        if not facts.groups:
            return Verdict(self.name)
        if transaction.envelope.account is not None and isinstance(facts.account, Unavailable):
            return Verdict(self.name, error=f"account: {facts.account.unavailable}")
        who = identities.identity(transaction, facts, relay_vouches=settings.relay_vouches)
        tagged = (
            transaction.message.value("Subject").upper().startswith(settings.reason_tag.upper())
        )
        found = []
        for recipient in transaction.envelope.recipients:
            group = facts.groups.get(recipient)
            if group is None:
                continue
            right = may_write(
                who.owner,
                # Whom facts.owner assists is no one's business unless that person is proven.
                facts.supported if who.owner is not None else (),
                group,
                facts.sites,
                inside=who.inside,
                sender_address=who.authenticated_as,
                reason_tag=tagged,
            )
            found.append(_judged(transaction, facts, recipient, group, right, who))
        return Verdict(self.name, tuple(found))


def _judged(
    transaction: Transaction,
    facts: Facts,
    recipient: str,
    group: Group,
    right: Right,
    who: Identity,
) -> Finding:
    evidence = " ".join(right.derivation)
    if right.allowed:  # recorded with its derivation: R16 wants an audit, `explain` the reason
        return Finding(GRANTED.code, evidence, (recipient,), right.rules)
    if transaction.message.is_automatic:
        kind = AUTOMATIC
    elif not who.inside:
        kind = OUTSIDE
    elif group.audience in ("site", "district"):
        kind = NOT_AUTHORISED
    else:
        kind = NOT_ALIGNED
    rules = right.rules if kind is not AUTOMATIC else ("R7", *right.rules)
    return Finding(kind.code, evidence, (recipient,), rules, _advice(right, facts, who))


def _advice(right: Right, facts: Facts, who: Identity) -> str:
    """Whom to ask, by name where the rule lets the sender's own administrators decide (R18)."""
    asked = [p.name for p in facts.administrators if who.owner is None or p.id != who.owner.id]
    if who.owner is None or "R18" not in right.rules or not asked:
        return right.advice
    return f"{right.advice} For you that is {' or '.join(asked[:3])}.".strip()
