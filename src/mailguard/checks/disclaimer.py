"""A message carries the disclaimer that its direction and its author's place ask for (R9-R13).

Owns the profiles, the slots, and what counts as present: only the author's own new text does (R10),
compared after dashes, quotes, case, punctuation and white space are folded. Must not know how HTML
is read or how an edit is written.
"""

from __future__ import annotations

import html
import re
import string
from collections.abc import Mapping
from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from mailguard.core import texts
from mailguard.core.edit import AddField, Edit, ReplaceText
from mailguard.core.facts import Facts, Unavailable
from mailguard.core.insertion import first_body, insertion, obstacle
from mailguard.core.policy import CheckSettings, FindingType
from mailguard.core.presence import is_present
from mailguard.core.reading import Reading, TextPart
from mailguard.core.transaction import Origin, Transaction
from mailguard.core.verdict import Disposition, Finding, Verdict

MISSING = FindingType(
    "disclaimer.missing",
    "the message does not carry the required disclaimer",
    ("R9", "R10", "R11"),
    Disposition.BOUNCE,
    advice="Put the district's disclaimer into your own text, above any quoted message.",
)
ADVISED = FindingType(
    "disclaimer.advised",
    "the message does not carry the recommended disclaimer",
    ("R9", "R11"),
    Disposition.FORWARD,
)
APPENDED = FindingType(
    "disclaimer.appended",
    "the disclaimer was added",
    ("R11", "R12"),
    Disposition.FORWARD,
)
NOT_PLACED = FindingType(
    "disclaimer.not-placed",
    "the disclaimer could not be added without breaking the message",
    ("R8", "R12"),
    Disposition.FORWARD,
)
NO_SLOT_VALUES = FindingType(
    "disclaimer.no-slot-values",
    "the directory does not say what the disclaimer's slots need",
    ("R10",),
    Disposition.FORWARD,
    advice="Have the author's title and school entered in the directory.",
)

HEADER = "X-Mailguard-Disclaimer"
SLOTS = frozenset(("title", "site", "school", "name", "phone", "email", "district"))
_SCHOOL = re.compile(r"\bschool\b", re.IGNORECASE)


def slots_of(template: str) -> frozenset[str]:
    """The names of a template's slots, with what else stands in their braces.

    Raises ValueError on unbalanced braces.
    """
    return frozenset(
        f"{name}{'!' + conversion if conversion else ''}{':' + form if form else ''}"
        for _, name, form, conversion in string.Formatter().parse(template)
        if name is not None
    )


class Profile(BaseModel):
    """One disclaimer and whose mail carries it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(description="Shown in findings.")
    direction: Literal["outbound", "internal", "all"] = Field(
        "outbound", description="`outbound`: at least one recipient is outside the district."
    )
    sites: tuple[str, ...] = Field((), description="Site ids of the author; empty means any.")
    classifications: tuple[str, ...] = Field(
        (), description="Classifications of the author; empty means any."
    )
    text: str = Field(
        description="The text, with slots {title} {site} {school} {name} {phone} {email} "
        "{district}. {school} is the site's name with one 'School' at its end."
    )
    html: str = Field("", description="The same as HTML; made of the text where empty.")
    mode: Literal["append", "require", "warn"] = Field(
        "append", description="Add it, refuse the message without it, or only record that it lacks."
    )
    fallback: str = Field(
        "", description="The profile used where a slot has no value. Default: one without slots."
    )
    exempt: tuple[str, ...] = Field((), description="Authors' addresses that need no disclaimer.")

    @field_validator("text", "html")
    @classmethod
    def _slots_known(cls, value: str) -> str:
        unknown = slots_of(value) - SLOTS
        if unknown:
            raise ValueError(f"no such slot: {', '.join(sorted(unknown))}")
        return value


class DisclaimerSettings(CheckSettings):
    """The profiles; the first that fits the author and the direction counts."""

    profiles: tuple[Profile, ...] = Field(
        (Profile(name="confidentiality", text=texts.V3_DISCLAIMER),),
        description="In order; the first that fits is used. Default: V3 on all outbound mail.",
    )


class Disclaimer:
    """R9-R12: present in the author's own words, or added there, or required."""

    name: ClassVar[str] = "disclaimer"
    Settings: ClassVar[type[CheckSettings]] = DisclaimerSettings
    needs: ClassVar[frozenset[str]] = frozenset(("reading", "owner", "sites"))
    findings: ClassVar[tuple[FindingType, ...]] = (
        MISSING,
        ADVISED,
        APPENDED,
        NOT_PLACED,
        NO_SLOT_VALUES,
    )

    def examine(
        self, transaction: Transaction, facts: Facts, settings: DisclaimerSettings
    ) -> Verdict:
        message = transaction.message
        if transaction.origin is not Origin.INSIDE or message.is_automatic:
            return Verdict(self.name)
        if not transaction.envelope.reverse_path:
            return Verdict(self.name)
        profile = _profile(transaction, facts, settings)
        if profile is None:
            return Verdict(self.name)
        found: list[Finding] = []
        chosen, values = _filled(profile, facts, settings, found)
        if chosen is None:
            return Verdict(self.name, tuple(found))
        reading = facts.reading
        if isinstance(reading, Unavailable):
            return Verdict(
                self.name, tuple(found), error=f"the message was not read: {reading.unavailable}"
            )
        text = chosen.text.format(**values)
        own = [values[slot] for slot in slots_of(chosen.text)]
        if any(is_present(text, part.author_visible, own) for part in reading.texts):
            return Verdict(self.name, tuple(found))
        edits: tuple[Edit, ...] = ()
        if chosen.mode == "require" and reading.texts:
            advice = f"Put this into your own text, above any quoted message: {text}"
            evidence = f"The disclaimer {chosen.name!r} is not in the author's own text."
            found.append(Finding(MISSING.code, evidence, advice=advice))
        elif chosen.mode == "warn":
            evidence = f"The disclaimer {chosen.name!r} is not in the author's own text."
            found.append(Finding(ADVISED.code, evidence))
        else:
            edits = _appended(transaction, reading, chosen, values, found)
        return Verdict(self.name, tuple(found), edits)


def _profile(
    transaction: Transaction, facts: Facts, settings: DisclaimerSettings
) -> Profile | None:
    owns = facts.district.owns
    outward = any(not owns(r) for r in transaction.envelope.recipients)
    inward = any(owns(r) for r in transaction.envelope.recipients)
    authors = set(transaction.message.author.addresses)
    authors.add(transaction.envelope.reverse_path.lower())
    owner = facts.owner
    sites = frozenset(owner.sites if owner else ())
    classes = frozenset(owner.classifications if owner else ())
    for profile in settings.profiles:
        if profile.direction == "outbound" and not outward:
            continue
        if profile.direction == "internal" and not inward:
            continue
        if profile.sites and not sites.intersection(profile.sites):
            continue
        if profile.classifications and not classes.intersection(profile.classifications):
            continue
        if authors.intersection(address.lower() for address in profile.exempt):
            return None
        return profile
    return None


def _filled(
    profile: Profile, facts: Facts, settings: DisclaimerSettings, found: list[Finding]
) -> tuple[Profile | None, Mapping[str, str]]:
    """The profile whose slots all have values, and the values: never a raw slot (R10)."""
    values = slot_values(facts, profile)
    lacking = sorted(s for s in slots_of(profile.text + profile.html) if not values[s])
    if not lacking:
        return profile, values
    who = facts.owner.name if facts.owner else "the author, who is not in the directory"
    evidence = f"The directory gives no {', '.join(lacking)} for {who}."
    found.append(Finding(NO_SLOT_VALUES.code, evidence))
    for other in settings.profiles:
        slots = slots_of(other.text + other.html)
        wanted = other.name == profile.fallback if profile.fallback else not slots
        if other is not profile and wanted and all(values[slot] for slot in slots):
            return other, values
    if profile.fallback:
        return None, values
    return Profile(name="confidentiality", text=texts.V3_DISCLAIMER, mode=profile.mode), values


def slot_values(facts: Facts, profile: Profile) -> dict[str, str]:
    """What the directory says of the author; "" where it says nothing."""
    owner = facts.owner
    site = None
    if owner:
        wanted = [s for s in owner.sites if not profile.sites or s in profile.sites]
        known = [facts.sites[s] for s in wanted if s in facts.sites]
        # With several sites the first school stands in the text, else the first site.
        site = next((s for s in known if s.kind == "school"), known[0] if known else None)
    return {
        "title": owner.title if owner else "",
        "site": site.name if site else "",
        "school": school_name(site.name) if site and site.kind == "school" else "",
        "name": owner.name if owner else "",
        "phone": owner.phone if owner else "",
        "email": owner.addresses[0] if owner and owner.addresses else "",
        "district": facts.district.name,
    }


def school_name(name: str) -> str:
    """A school's name with one "School" in it: V4 writes "(name of school) School"."""
    return name if _SCHOOL.search(name) else f"{name} School"


def _appended(
    transaction: Transaction,
    reading: Reading,
    profile: Profile,
    values: Mapping[str, str],
    found: list[Finding],
) -> tuple[Edit, ...]:
    targets = first_body(transaction.message, reading)
    reason = obstacle(reading, targets)
    if reason:
        found.append(
            Finding(NOT_PLACED.code, f"The disclaimer {profile.name!r} was not added: {reason}.")
        )
        return (AddField(HEADER, f"not-placed; reason={reason.replace(' ', '-')}"),)
    found.append(Finding(APPENDED.code, f"The disclaimer {profile.name!r} was added."))
    return tuple(_insertion(part, profile, values) for part in targets)


def _insertion(part: TextPart, profile: Profile, values: Mapping[str, str]) -> ReplaceText:
    text = profile.text.format(**values)
    block = (
        profile.html.format(**{k: html.escape(v) for k, v in values.items()})
        if profile.html
        else "<p>" + "<br>".join(map(html.escape, text.splitlines())) + "</p>"
    )
    return insertion(part, text, block)
