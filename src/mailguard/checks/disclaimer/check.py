"""A message carries the disclaimer and the signature that policy asks of its author (R9-R13).

Owns the profiles, whose mail each is for, the slots and their values. Only the author's own new
text counts (R10). Must not know how words are compared, HTML is read or an edit is written.
"""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from mailguard.checks.disclaimer import sensitivity, signature_block, slots
from mailguard.core.decision.edit import AddField, Edit, Wrap
from mailguard.core.decision.facts import Facts, Unavailable
from mailguard.core.decision.policy import CheckSettings, FindingType
from mailguard.core.decision.verdict import Disposition, Finding, Verdict
from mailguard.core.mail.transaction import Origin, Transaction
from mailguard.core.notices import policy_texts
from mailguard.core.render.insertion import first_body, insertion, obstacle, other_versions
from mailguard.core.render.wrapping import is_signed, wrapped_part
from mailguard.core.text.reading import Reading, TextPart
from mailguard.core.text.text_match import is_present

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

WRAPPED = FindingType(
    "disclaimer.wrapped",
    "the signed message is attached, as it came, to one that carries the disclaimer",
    ("R8", "R12"),
    Disposition.FORWARD,
)
VERSION_LEFT_ALONE = FindingType(
    "disclaimer.version-left-alone",
    "a form of the text that must not be edited does not carry the disclaimer",
    ("R12",),
    Disposition.FORWARD,
)
SIGNATURE_MISSING = FindingType(
    "disclaimer.signature-missing",
    "the message does not carry the required signature",
    ("R9",),
    Disposition.BOUNCE,
    advice="End your own text with your name, title and telephone number.",
)
SIGNATURE_ADVISED = FindingType(
    "disclaimer.signature-advised",
    "the message does not carry the recommended signature",
    ("R9",),
    Disposition.FORWARD,
)
SIGNATURE_APPENDED = FindingType(
    "disclaimer.signature-appended",
    "the signature was added from the directory",
    ("R9", "R12"),
    Disposition.FORWARD,
)

HEADER = "X-Mailguard-Disclaimer"


Template = Annotated[str, AfterValidator(slots.checked)]
Direction = Literal["outbound", "internal", "all"]


class Sensitivity(BaseModel):
    """What marks a message as sensitive (R11): one of these is enough; none at all is all mail."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    keywords: tuple[str, ...] = Field(
        (),
        description="Whole words or phrases in the subject or the author's own text; case and "
        "punctuation do not count.",
    )
    subject_tags: tuple[str, ...] = Field(
        (), description="What stands anywhere in the subject, as in `[SECURE]`; any case."
    )
    fields: tuple[Annotated[str, AfterValidator(sensitivity.field_pattern)], ...] = Field(
        (),
        description="Header fields: `Name`, or `Name: words` that its value has in it, as in "
        "`Sensitivity: Company-Confidential`; any case.",
    )


class Profile(BaseModel):
    """One disclaimer and whose mail carries it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(description="Shown in findings.")
    direction: Direction = Field(
        "outbound",
        description="`outbound`: at least one recipient is outside the district; `internal`: at "
        "least one is inside.",
    )
    sites: tuple[str, ...] = Field((), description="Site ids of the author; empty means any.")
    classifications: tuple[str, ...] = Field(
        (), description="Classifications of the author; empty means any."
    )
    sensitivity: Sensitivity = Field(
        Sensitivity(), description="Only mail that is marked so; empty means all mail."
    )
    text: Template = Field(
        description="The text, with slots {title} {site} {school} {name} {phone} {email} "
        "{district}. {school} is the site's name with one 'School' at its end."
    )
    html: Template = Field("", description="The same as HTML; made of the text where empty.")
    repeat: Literal["every-message", "once-a-thread"] = Field(
        "every-message",
        description="`every-message`: each author's new text carries it (R10). `once-a-thread`: "
        "not again where the quoted messages already show it with this author's own slots.",
    )
    mode: Literal["append", "require", "warn"] = Field(
        "append", description="Add it, refuse the message without it, or only record that it lacks."
    )
    fallback: str = Field(
        "", description="The profile used where a slot has no value. Default: one without slots."
    )
    exempt: tuple[str, ...] = Field((), description="Authors' addresses that need no disclaimer.")


class SignatureSettings(BaseModel):
    """The signature block under the author's own text (R9)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    mode: Literal["off", "warn", "append", "require"] = Field(
        "off",
        description="`append` adds it from the directory where there is none, `require` refuses "
        "the message, `warn` only records it.",
    )
    direction: Direction = Field("all", description="As in a profile.")
    wanted: tuple[Literal["name", "title", "phone"], ...] = Field(
        ("name", "title"),
        description="What it must give, as far as the directory knows it.",
    )
    text: Template = Field(
        "{name}\n{title}\n{site}\n{phone}",
        description="What is added; a line with a slot that has no value is left out.",
    )


class DisclaimerSettings(CheckSettings):
    """The profiles; the first that fits the author and the direction counts."""

    profiles: tuple[Profile, ...] = Field(
        (Profile(name="confidentiality", text=policy_texts.V3_DISCLAIMER),),
        description="In order; the first that fits is used. Default: V3 on all outbound mail.",
    )
    signature: SignatureSettings = Field(
        SignatureSettings(), description="The author's signature block."
    )
    signed: Literal["leave", "wrap"] = Field(
        "leave",
        description="Signed mail (S/MIME, PGP) that lacks the disclaimer: `leave` it without, or "
        "`wrap` it, as it came, into a message that carries it.",
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
        WRAPPED,
        VERSION_LEFT_ALONE,
        SIGNATURE_MISSING,
        SIGNATURE_ADVISED,
        SIGNATURE_APPENDED,
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
        signed = _is_directed(settings.signature.direction, transaction, facts)
        if profile is None and (settings.signature.mode == "off" or not signed):
            return Verdict(self.name)
        found: list[Finding] = []
        signature: tuple[Edit, ...] = ()
        notice: tuple[Edit, ...] = ()
        reading = facts.reading
        if isinstance(reading, Unavailable):
            return Verdict(self.name, error=f"the message was not read: {reading.unavailable}")
        # The signature comes first, so that it stands above the disclaimer.
        if signed:
            signature = _signature(transaction, facts, reading, settings.signature, found)
        if profile is not None:
            notice = _disclaimer(transaction, facts, reading, profile, settings, found)
        if any(isinstance(edit, Wrap) for edit in notice):
            return Verdict(self.name, tuple(found), notice)  # whose field says what became of it
        return Verdict(self.name, tuple(found), tuple(dict.fromkeys((*signature, *notice))))


def _disclaimer(
    transaction: Transaction,
    facts: Facts,
    reading: Reading,
    profile: Profile,
    settings: DisclaimerSettings,
    found: list[Finding],
) -> tuple[Edit, ...]:
    chosen, values = _filled(profile, facts, settings, found)
    if chosen is None:
        return ()
    text = chosen.text.format(**values)
    own = [values[slot] for slot in slots.slots_of(chosen.text)]
    targets = first_body(transaction.message, reading)
    lacking = [part for part in targets if not is_present(text, part.author_visible, own)]
    if targets and not lacking:
        return ()
    # Some programs write text, a picture and text again: then it stands in the last.
    others = [part for part in reading.texts if part not in targets]
    if any(is_present(text, part.author_visible, own) for part in others):
        return ()
    if chosen.repeat == "once-a-thread" and any(
        is_present(text, part.visible, own) for part in reading.texts
    ):
        return ()
    wrap = settings.signed == "wrap" and chosen.mode == "append"
    if wrap and is_signed(transaction.message, obstacle(reading, targets)):
        evidence = f"The signed message is attached to one with the disclaimer {chosen.name!r}."
        found.append(Finding(WRAPPED.code, evidence))
        return (Wrap(text), AddField(HEADER, "wrapped; reason=signed"))
    if chosen.mode == "append" or (chosen.mode == "require" and not reading.texts):
        block = chosen.html.format(**{k: html.escape(v) for k, v in values.items()})
        what = f"The disclaimer {chosen.name!r}"
        return _appended(transaction, reading, lacking, (what, APPENDED.code), text, block, found)
    if len(lacking) < len(targets):
        return ()  # the author did put it in; the other forms are their mail program's
    evidence = f"The disclaimer {chosen.name!r} is not in the author's own text."
    if chosen.mode == "warn":
        found.append(Finding(ADVISED.code, evidence))
    else:
        advice = f"Put this into your own text, above any quoted message: {text}"
        found.append(Finding(MISSING.code, evidence, advice=advice))
    return ()


def _signature(
    transaction: Transaction,
    facts: Facts,
    reading: Reading,
    settings: SignatureSettings,
    found: list[Finding],
) -> tuple[Edit, ...]:
    owner = facts.owner
    if owner is None or settings.mode == "off":
        return ()  # devices and generic accounts have no name to sign with
    if wrapped_part(transaction.message) is not None:
        return ()  # the text is ours; the author's own is attached to it
    have = frozenset().union(
        *(signature_block.elements(part.author_visible, owner) for part in reading.texts)
    )
    missing = signature_block.lacking(have, owner, settings.wanted)
    if not missing:
        return ()
    text = signature_block.filled(settings.text, slots.values_of(facts))
    if settings.mode == "append" and not have:
        targets = first_body(transaction.message, reading)
        what = ("The signature", SIGNATURE_APPENDED.code)
        return _appended(transaction, reading, targets, what, text, "", found)
    evidence = f"The author's own text does not end with their {' and '.join(missing)}."
    if settings.mode == "require" and reading.texts:
        advice = f"End your own text with: {' / '.join(text.splitlines())}"
        found.append(Finding(SIGNATURE_MISSING.code, evidence, advice=advice))
    else:
        found.append(Finding(SIGNATURE_ADVISED.code, evidence))
    return ()


def _is_directed(direction: Direction, transaction: Transaction, facts: Facts) -> bool:
    inside = [facts.district.owns(r) for r in transaction.envelope.recipients]
    return direction == "all" or (any(inside) if direction == "internal" else not all(inside))


def _profile(
    transaction: Transaction, facts: Facts, settings: DisclaimerSettings
) -> Profile | None:
    authors = set(transaction.message.author.addresses)
    authors.add(transaction.envelope.reverse_path.lower())
    owner = facts.owner
    sites = frozenset(owner.sites if owner else ())
    classes = frozenset(owner.classifications if owner else ())
    for profile in settings.profiles:
        if not _is_directed(profile.direction, transaction, facts):
            continue
        if profile.sites and not sites.intersection(profile.sites):
            continue
        if profile.classifications and not classes.intersection(profile.classifications):
            continue
        wanted = profile.sensitivity
        marks = (wanted.keywords, wanted.subject_tags, wanted.fields)
        if any(marks) and not sensitivity.is_marked(transaction.message, facts.reading, *marks):
            continue
        if authors.intersection(address.lower() for address in profile.exempt):
            return None
        return profile
    return None


def _filled(
    profile: Profile, facts: Facts, settings: DisclaimerSettings, found: list[Finding]
) -> tuple[Profile | None, Mapping[str, str]]:
    """The profile whose slots all have values, and the values: never a raw slot (R10)."""
    values = slots.values_of(facts, profile.sites)
    lacking = sorted(s for s in slots.slots_of(profile.text + profile.html) if not values[s])
    if not lacking:
        return profile, values
    who = facts.owner.name if facts.owner else "the author, who is not in the directory"
    evidence = f"The directory gives no {', '.join(lacking)} for {who}."
    found.append(Finding(NO_SLOT_VALUES.code, evidence))
    for other in settings.profiles:
        named = slots.slots_of(other.text + other.html)
        wanted = other.name == profile.fallback if profile.fallback else not named
        if other is not profile and wanted and all(values[slot] for slot in named):
            return other, values
    if profile.fallback:
        return None, values
    return Profile(
        name="confidentiality", text=policy_texts.V3_DISCLAIMER, mode=profile.mode
    ), values


def _appended(
    transaction: Transaction,
    reading: Reading,
    lacking: Sequence[TextPart],
    what: tuple[str, str],  # in words, and the code of the finding
    text: str,
    block: str,  # the same as HTML, or ""
    found: list[Finding],
) -> tuple[Edit, ...]:
    """Put a text under the author's words in these parts, or say why it cannot be done (R12)."""
    message = transaction.message
    targets = first_body(message, reading)
    reason = obstacle(reading, targets)
    words, code = what
    if reason:
        found.append(Finding(NOT_PLACED.code, f"{words} was not added: {reason}."))
        return (AddField(HEADER, f"not-placed; reason={reason.replace(' ', '-')}"),)
    found.append(Finding(code, f"{words} was added."))
    block = block or "<p>" + "<br>".join(map(html.escape, text.splitlines())) + "</p>"
    edits: tuple[Edit, ...] = tuple(insertion(part, text, block) for part in lacking)
    left = other_versions(message, targets)
    if left:
        evidence = f"{words} was not added to the text's form as {', '.join(left)}."
        found.append(Finding(VERSION_LEFT_ALONE.code, evidence))
        edits = (*edits, AddField(HEADER, f"placed; left-alone={','.join(left)}"))
    return edits
