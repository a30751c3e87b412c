"""Who may write to a distribution group (R14-R20, R22-R24).

Owns the step from a proven sender to a finding for each group among the recipients, and for the
groups whose members a message names one by one. The rights themselves are derived in
`core.people.rights`. Must not know how groups are expanded or configured, nor who approves what is
held.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field

from mailguard.checks.group_rights import announcements
from mailguard.core.decision.approval import (
    SITE_ADMINISTRATION,
    SUPERVISOR,
    TECHNOLOGY,
    ApprovalBy,
)
from mailguard.core.decision.facts import Audience, Facts, Listed, Unavailable
from mailguard.core.decision.policy import CheckSettings, FindingType
from mailguard.core.decision.verdict import Disposition, Finding, Verdict, Waiver
from mailguard.core.mail import address
from mailguard.core.mail.transaction import Transaction
from mailguard.core.people.model import Event, Group
from mailguard.core.people.rights import By, Right, is_administrator, may_write
from mailguard.core.sender import identity as identities
from mailguard.core.sender.identity import Identity
from mailguard.core.text.phrases import checked

NEEDS_APPROVAL = FindingType(
    "group-rights.needs-approval",
    "the group is beyond the sender's site or job classification, and needs written approval",
    ("R17", "R18"),
    Disposition.HOLD,
    advice="Your site or department administrator, or the Technology Services Director, can "
    "approve it.",
    grantable=True,
)
NOT_ALIGNED = FindingType(
    "group-rights.not-aligned",
    "the group is not aligned with the sender's site or job classification",
    ("R17",),
    Disposition.BOUNCE,
    advice="Ask your site or department administrator, or Technology Services, for written "
    "approval beforehand.",
    grantable=True,
)
NOT_AUTHORISED = FindingType(
    "group-rights.not-authorised",
    "the sender may not write to all employees",
    ("R14", "R15", "R16"),
    Disposition.BOUNCE,
    advice="Ask one of those who may write to all employees to send it.",
)
ANNOUNCEMENT = FindingType(
    "group-rights.announcement",
    "a fundraiser or announcement to a group beyond the sender's own site",
    ("R20", "R22", "R23"),
    Disposition.HOLD,
    advice="It needs the approval of your site's administration and of Technology Services.",
    approval=(
        ApprovalBy(
            ((SITE_ADMINISTRATION, SUPERVISOR, TECHNOLOGY),),
            apart=True,
            rules=("R20",),
            name="administration",
        ),
        ApprovalBy(((TECHNOLOGY,),), apart=True, rules=("R20",), name="technology"),
    ),
    grantable=True,
)
BYPASS = FindingType(
    "group-rights.bypass",
    "the message names most members of a group one by one, and its sender may not write to it",
    ("R17",),
    Disposition.HOLD,
    advice="Write to those alone whom it concerns, or have the message approved for the group.",
)
REPLY_ALL = FindingType(
    "group-rights.reply-all",
    "the answer goes to the whole group, to which its sender may not write",
    ("R17",),
    Disposition.BOUNCE,
    advice="Please answer the author alone, not the group.",
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
    ("R14", "R15", "R16", "R17", "R19", "R24"),
    Disposition.FORWARD,
)

_NAMED = 3  # approvers
_REACH = {"district": 0, "site": 1, "custom": 2}  # the widest is told first


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
    announcement_phrases: Annotated[tuple[str, ...], AfterValidator(checked)] = Field(
        announcements.PHRASES,
        description="What makes a message a fundraiser or an announcement (R20), in the subject or "
        "the author's own text. Case, accents and punctuation do not count; `#` is any number.",
    )
    announcement_tags: tuple[Annotated[str, Field(min_length=1)], ...] = Field(
        announcements.TAGS,
        description="What does so where it stands anywhere in the subject, in any case.",
    )
    administrators_announce: bool = Field(
        False,
        description="Whether administrators and their support may send announcements beyond their "
        "own site without approval (R19, R20).",
    )
    bypass_share: int = Field(
        60,
        ge=20,
        le=100,
        description="Percent of a group's members that a message names one by one, from which on "
        "it is judged as mail to the group (R17).",
    )
    bypass_smallest: int = Field(
        5, ge=3, description="Members, the sender aside, that such a group has at least."
    )
    bypass_minutes: int = Field(
        60,
        ge=0,
        le=1_440,
        description="Messages of the same subject or the same text that one sender sends within so "
        "many minutes count as one.",
    )
    reply_all: Literal["new", "allow", "notice"] = Field(
        "new",
        description="An answer to a message that really went to the group: `new` judges it as any "
        "message, `allow` lets it pass for the group's members, `notice` refuses the group's copy "
        "with the advice to answer the author alone.",
    )
    unit_waives: tuple[str, ...] = Field(
        ("spam.blocked", "spam.suspected", "spam.outbound", "mass-mail.chain-letter"),
        description="Findings about content that do not stop a bargaining unit's mail to its own "
        "groups (R24).",
    )

    def looks_back(self) -> dict[str, float]:
        answered = {"answered": 0.0} if self.reply_all != "new" else {}
        return {"listed": 60.0 * self.bypass_minutes, **answered}


class GroupRights:
    """R14-R20, R22-R24: a group takes mail from those whose place or role gives them the right;
    other mail waits for approval where the rule has somebody who may give it."""

    name: ClassVar[str] = "group_rights"
    Settings: ClassVar[type[CheckSettings]] = GroupRightsSettings
    needs: ClassVar[frozenset[str]] = frozenset(
        {
            *("account", "owner", "people", "sites", "groups", "supported", "administrators"),
            *("technology", "audiences", "listed", "units", "events", "answered", "reading"),
        }
    )
    findings: ClassVar[tuple[FindingType, ...]] = (
        NEEDS_APPROVAL,
        NOT_ALIGNED,
        NOT_AUTHORISED,
        ANNOUNCEMENT,
        BYPASS,
        REPLY_ALL,
        OUTSIDE,
        AUTOMATIC,
        GRANTED,
    )

    def examine(
        self, transaction: Transaction, facts: Facts, settings: GroupRightsSettings
    ) -> Verdict:
        """Findings for each recipient that is a group: the right to write to it, or why not; and
        for recipients who together are most of a group."""
        if not facts.groups and not facts.listed:
            return Verdict(self.name)
        if transaction.envelope.account is not None and isinstance(facts.account, Unavailable):
            return Verdict(self.name, error=f"account: {facts.account.unavailable}")
        judging = _Judging(transaction, facts, settings)
        findings = (*judging.groups(), *judging.listings())
        return Verdict(
            self.name, findings, waivers=tuple(judging.waivers), error=judging.error or None
        )


@dataclass
class _Judging:
    """One message on its way through the rules."""

    transaction: Transaction
    facts: Facts
    settings: GroupRightsSettings
    waivers: list[Waiver] = field(default_factory=list)
    error: str = ""

    @cached_property
    def who(self) -> Identity:
        vouches = self.settings.relay_vouches
        return identities.identity(self.transaction, self.facts, relay_vouches=vouches)

    @cached_property
    def tagged(self) -> bool:
        subject = self.transaction.message.value("Subject")
        return subject.upper().startswith(self.settings.reason_tag.upper())

    @cached_property
    def signs(self) -> str:
        """What makes it an announcement that no event authorises (R20, R22)."""
        message, reading = self.transaction.message, self.facts.reading
        if self.event is not None:
            return ""
        if isinstance(reading, Unavailable):
            self.error = f"reading: {reading.unavailable}"
            return ""
        listed, tags = self.settings.announcement_phrases, self.settings.announcement_tags
        return announcements.signs(message, reading, listed, tags)

    @cached_property
    def event(self) -> Event | None:
        return announcements.event_of(self.transaction.message, self.facts.events)

    def right(self, group: Group, audience: Audience) -> Right:
        who, author = self.who, identities.author(self.transaction)
        return may_write(
            who.owner,
            # Whom facts.owner assists is no one's business unless that person is proven.
            self.facts.supported if who.owner is not None else (),
            group,
            self.facts.sites,
            inside=who.inside,
            # An author from outside has no rights but a unit's, which facts.units has proven.
            sender_address=who.authenticated_as if who.inside else author,
            reason_tag=self.tagged,
            way=audience.way,
            units=self.facts.units,
        )

    def groups(self) -> Iterator[Finding]:
        """What is found about the groups among the recipients."""
        exempt = address.normalise(self.facts.district.events_address)
        for recipient in self.transaction.envelope.recipients:
            group = self.facts.groups.get(recipient)
            if group is None or group.address == exempt:  # R23: everybody posts there
                continue
            audience = self.facts.audiences.get(recipient) or Audience(0, 0)
            right = self.right(group, audience)
            if right.by is By.UNIT and self.settings.unit_waives:
                reason = f"{right.derivation[0]} (R24)"
                self.waivers.append(Waiver(self.settings.unit_waives, reason, (recipient,)))
            if self.is_announcement(group, audience, right):
                yield self.announcement(group, (recipient,))
            yield self.judged(recipient, group, audience, right)

    def judged(self, recipient: str, group: Group, audience: Audience, right: Right) -> Finding:
        to = (recipient,)
        evidence = " ".join(right.derivation)
        if right.allowed:  # recorded with its derivation: R16 wants an audit, `explain` the reason
            if self.event is not None:
                evidence += f" Its subject is that of {self.event.name}, an authorised event."
            return Finding(GRANTED.code, evidence, to, right.rules)
        if self.transaction.message.is_automatic:
            return Finding(AUTOMATIC.code, evidence, to, ("R7", *right.rules), right.advice)
        answers = self.answers(recipient, group, audience, evidence)
        if answers is not None:
            return answers
        if not self.who.inside:
            return Finding(OUTSIDE.code, evidence, to, right.rules, right.advice)
        if group.audience != "custom":
            advice = f"{right.advice} {self.events_advice if self.signs else ''}".strip()
            return Finding(NOT_AUTHORISED.code, evidence, to, right.rules, advice)
        approvers = self.approvers()
        if self.who.owner is None or not approvers:
            return Finding(NOT_ALIGNED.code, evidence, to, right.rules, right.advice)
        advice = f"It can be approved by {' or '.join(approvers)}."
        return Finding(NEEDS_APPROVAL.code, evidence, to, right.rules, advice)

    def answers(
        self, recipient: str, group: Group, audience: Audience, evidence: str
    ) -> Finding | None:
        """What is found of an answer to a message that really went to the group; None where it is
        judged as any message."""
        answered, wanted = self.facts.answered, self.settings.reply_all
        if wanted == "new" or not self.who.inside:
            return None
        if isinstance(answered, Unavailable):
            self.error = f"answered: {answered.unavailable}"
            return None
        if recipient not in (answered or ()):
            return None
        said = f"It answers a message that went to {group.name}"
        if wanted == "notice":
            return Finding(REPLY_ALL.code, f"{said}. {evidence}", (recipient,))
        if audience.way:
            return Finding(GRANTED.code, f"{said}, to which the sender belongs.", (recipient,))
        return None

    def approvers(self) -> list[str]:
        """The names of those who may approve mail to a group (R18), never the sender's own."""
        facts, owner = self.facts, self.who.owner
        own = owner.id if owner is not None else ""
        site = [p.name for p in facts.administrators if p.id != own][:_NAMED]
        technology = [p.name for p in facts.technology if p.id != own][:_NAMED]
        named = (
            (" or ".join(site), "as the site or department administrator"),
            (" or ".join(technology), "for Technology Services"),
        )
        return [f"{names}, {whence}" for names, whence in named if names]

    # Announcements

    def is_announcement(self, group: Group, audience: Audience, right: Right) -> bool:
        """Whether R20 asks for approvals. Those whom R14 and R15 name for all employees, a unit
        and an address that is listed as a sender speak by their own rule."""
        owner = self.who.owner
        if owner is None or right.by in (By.OFFICE, By.TECHNOLOGY, By.UNIT):
            return False
        if self.settings.administrators_announce and any(
            is_administrator(person, self.facts.sites) for person in (owner, *self.facts.supported)
        ):
            return False
        if audience.size:
            beyond = audience.beyond > 0
        else:  # nobody is known to be in it: by what it is meant for
            beyond = not group.sites or not set(group.sites) <= set(owner.sites)
        return beyond and bool(self.signs)

    def announcement(self, group: Group, recipients: tuple[str, ...]) -> Finding:
        owner = self.who.owner
        sites = owner.sites if owner is not None else ()
        own = " and ".join(self.facts.sites[s].name for s in sites if s in self.facts.sites)
        evidence = f"The message is an announcement: {self.signs}. {group.name} reaches people "
        evidence += f"beyond {own or 'the sender’s own site'}."
        advice = f"{ANNOUNCEMENT.advice} {self.events_advice}".strip()
        return Finding(ANNOUNCEMENT.code, evidence, recipients, ("R20",), advice)

    @property
    def events_advice(self) -> str:
        """R23."""
        mailbox = self.facts.district.events_address
        return f"It can be posted to District Events, {mailbox}, instead." if mailbox else ""

    # Members named one by one

    def listings(self) -> Iterator[Finding]:
        """What is found of recipients who together are most of a group. Each is told of once, for
        the widest group."""
        told: set[str] = set()
        if self.is_answer_of_a_machine:
            return
        for one in sorted(self.facts.listed, key=lambda one: _REACH[one.group.audience]):
            if not self.is_most(one) or told.issuperset(one.recipients):
                continue
            right = self.right(one.group, one.audience)
            if right.allowed:
                if self.is_announcement(one.group, one.audience, right):
                    told.update(one.recipients)
                    yield self.announcement(one.group, one.recipients)
            # From outside a family may well write to all of a child's teachers.
            elif self.who.inside or one.group.audience != "custom":
                told.update(one.recipients)
                yield self.bypass(one, right)

    @property
    def is_answer_of_a_machine(self) -> bool:
        """R7: automatic replies go to whoever wrote, one by one."""
        message, recipients = self.transaction.message, self.transaction.envelope.recipients
        return message.token("Auto-Submitted") == "auto-replied" and len(recipients) == 1

    def is_most(self, one: Listed) -> bool:
        """Of the group, or of those whom no group among the recipients has."""
        settings = self.settings
        return any(
            size >= settings.bypass_smallest and 100 * listed >= settings.bypass_share * size
            for listed, size in ((one.listed, one.audience.size), (one.rest_listed, one.rest))
        )

    def bypass(self, one: Listed, right: Right) -> Finding:
        evidence = (
            f"{one.listed} of the {one.audience.size} other people of {one.group.name} are named "
            f"one by one, here or in messages like it within {self.settings.bypass_minutes} "
            f"minutes, so it is judged as mail to the group. {' '.join(right.derivation)}"
        )
        rules = tuple(dict.fromkeys(("R17", *right.rules)))
        return Finding(BYPASS.code, evidence, one.recipients, rules, right.advice)
