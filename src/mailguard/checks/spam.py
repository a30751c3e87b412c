"""Unwanted mail, in both directions, and the unblocked list that lets single senders pass.

Owns thresholds, the exemption of spammail@ and what the list waives (R26-R28, R31, R37). The
signs and their weights are `core.spam.features`. Must not know how an opinion was learned or
where the list is kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import ClassVar, Literal

from pydantic import Field, field_validator, model_validator

from mailguard.core.decision.edit import AddField, Edit
from mailguard.core.decision.engines import EngineUnavailable, OnNoAnswer, Scanned, Target
from mailguard.core.decision.facts import Facts, Unavailable
from mailguard.core.decision.policy import CheckSettings, FindingType
from mailguard.core.decision.verdict import Disposition, Finding, Verdict, Waiver
from mailguard.core.mail import address, octets
from mailguard.core.mail.transaction import Origin, Transaction
from mailguard.core.sender import identity
from mailguard.core.sender.outside_proof import author_authenticated
from mailguard.core.spam import content
from mailguard.core.spam.bayes import telling_words
from mailguard.core.spam.features import (
    BAYES_RANGE,
    FEATURES,
    Hit,
    Scored,
    bayes_hit,
    engine_scored,
    heaviest_first,
    total,
    weigh,
)
from mailguard.core.spam.headers import header_hits
from mailguard.core.spam.phrases import phrase_hits
from mailguard.core.text.reading import Reading

GTUBE = b"XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X"

BLOCKED = FindingType(
    "spam.blocked",
    "the message was taken for spam",
    ("R26", "R27"),
    Disposition.QUARANTINE,
    advice="If the message is not spam, forward it to the address for blocked mail and it will "
    "be looked at.",
    waivable=True,
    notice="blocked",
)
SUSPECTED = FindingType(
    "spam.suspected",
    "the message has signs of spam",
    ("R26",),
    Disposition.FORWARD,
    waivable=True,
    notice="blocked",
)
# Held, not refused: a stolen account's mail reaches nobody, and a person's own is looked at.
OUTBOUND = FindingType(
    "spam.outbound",
    "the message was taken for spam that somebody here sends",
    ("R26",),
    Disposition.HOLD,
    advice="If you have not sent the message, change your password at once.",
    waivable=True,  # for a unit's mail (R24); the unblocked list is for addresses outside
)
# Engines (`engines` in mailguard.yaml). Each silence is told; what follows is the engine's setting.
UNAVAILABLE = FindingType(
    "spam.engine-unavailable",
    "an engine that looks for spam did not answer",
    ("R26",),
    Disposition.FORWARD,
)
UNSCANNED = FindingType(
    "spam.unscanned",
    "the message could not be looked at by an engine that it needs",
    ("R26",),
    Disposition.QUARANTINE,
    waivable=True,
)
DEFERRED = FindingType(
    "spam.scan-deferred",
    "the message waits at its sender until an engine answers",
    ("R26",),
    Disposition.DEFER,
    waivable=True,
)
SKIPPED = FindingType(
    "spam.engine-skipped",
    "the message is too big for an engine that looks for spam, or was skipped by it",
    ("R26",),
    Disposition.FORWARD,
)
TEST_PATTERN = FindingType(
    "spam.gtube",
    "the message bears the test pattern of spam filters",
    ("R26",),
    Disposition.QUARANTINE,
    advice="Leave the test pattern out.",
    notice="blocked",
)

_FOLLOWS = {OnNoAnswer.QUARANTINE: UNSCANNED, OnNoAnswer.DEFER: DEFERRED}
_FIELD = "X-Mailguard-Spam"
_LISTED = 12  # symbols that evidence names at most


class SpamSettings(CheckSettings):
    """How many points make spam."""

    tag: float = Field(
        4.0, gt=0, le=100, description="Points from which a message is marked in its header."
    )
    block: float = Field(6.0, gt=0, le=100, description="Points from which a message is blocked.")
    points: dict[str, float] = Field(
        {},
        description="Other points for single signs, by symbol; 0 turns one off. The symbols are "
        "listed in docs/reference/spam.md.",
    )
    unblocked_needs: Literal["authenticated", "same-address"] = Field(
        "authenticated",
        description="When an entry of the unblocked list counts (R37): `authenticated` when SPF or "
        "DKIM proves the author's domain; `same-address` when reverse-path and From are the "
        "address, which anybody can forge.",
    )

    @field_validator("points")
    @classmethod
    def _known(cls, points: dict[str, float]) -> dict[str, float]:
        for symbol, value in points.items():
            if symbol not in FEATURES:
                raise ValueError(f"{symbol} is no symbol; known are {', '.join(FEATURES)}")
            if not -20 <= value <= 20:
                raise ValueError(f"{symbol}: {value} is not between -20 and 20")
        return points

    @model_validator(mode="after")
    def _ordered(self) -> SpamSettings:
        if self.tag > self.block:
            raise ValueError("tag must not be above block")
        return self


class Spam:
    """R26: both directions are filtered. R37: one address at a time passes."""

    name: ClassVar[str] = "spam"
    Settings: ClassVar[type[CheckSettings]] = SpamSettings
    needs: ClassVar[frozenset[str]] = frozenset(
        {"reading", "bayes", "unblocked", "spf", "dkim", "engines"}
    )
    findings: ClassVar[tuple[FindingType, ...]] = (
        BLOCKED,
        OUTBOUND,
        SUSPECTED,
        TEST_PATTERN,
        DEFERRED,
        UNSCANNED,
        UNAVAILABLE,
        SKIPPED,
    )

    def examine(self, transaction: Transaction, facts: Facts, settings: SpamSettings) -> Verdict:
        """Score the message; say what its sender's entry on the unblocked list waives."""
        exempt = address.normalise(facts.district.spammail)
        recipients = tuple(
            r for r in transaction.envelope.recipients if address.normalise(r) != exempt
        )
        if not recipients:  # R28: spammail@ takes everything that was blocked
            return Verdict(self.name)
        reading = facts.reading
        if isinstance(reading, Unavailable):
            return Verdict(self.name, error=f"reading: {reading.unavailable}")
        if isinstance(facts.engines, Unavailable):
            return Verdict(self.name, error=f"engines: {facts.engines.unavailable}")
        waivers = _waivers(transaction, facts, settings)
        found: list[Finding] = []
        if _is_test(transaction, reading):
            found.append(Finding(TEST_PATTERN.code, "it contains the GTUBE string", recipients))
        found += _unscanned(facts.engines, recipients)
        scored = _scored(transaction, facts.engines, facts, reading, settings)
        score = total(scored)
        if isinstance(facts.bayes, Unavailable) and _matters(score, settings):
            error = f"learned opinion: {facts.bayes.unavailable}"
            return Verdict(self.name, tuple(found), waivers=waivers, error=error)
        edits: tuple[Edit, ...] = ()
        if score >= settings.block:
            kind = OUTBOUND if transaction.origin is Origin.INSIDE else BLOCKED
            found.append(Finding(kind.code, _evidence(score, settings.block, scored), recipients))
            if isinstance(facts.unblocked, Unavailable):
                error = f"unblocked list: {facts.unblocked.unavailable}"
                return Verdict(self.name, tuple(found), error=error)
        elif score >= settings.tag:
            found.append(
                Finding(SUSPECTED.code, _evidence(score, settings.tag, scored), recipients)
            )
            if not waivers:
                symbols = ",".join(item.symbol for item in scored[:_LISTED])
                edits = (AddField(_FIELD, f"suspected; score={score:.1f}; {symbols}", recipients),)
        return Verdict(self.name, tuple(found), edits, waivers)


def _hits(transaction: Transaction, facts: Facts, reading: Reading) -> Iterable[Hit]:
    message = transaction.message
    seen = content.shown(message, reading)
    yield from header_hits(transaction)
    yield from content.content_hits(message, reading, seen)
    yield from content.link_hits(reading, facts.district)
    yield from phrase_hits(seen.folded)
    if facts.bayes is not None and not isinstance(facts.bayes, Unavailable):
        opinion = bayes_hit(facts.bayes.probability, telling_words(facts.bayes))
        if opinion is not None:
            yield opinion


def _scored(
    transaction: Transaction,
    engines: Mapping[str, Scanned | EngineUnavailable],
    facts: Facts,
    reading: Reading,
    settings: SpamSettings,
) -> tuple[Scored, ...]:
    """Our own signs and the engines' opinions, the heaviest first."""
    own = weigh(_hits(transaction, facts, reading), settings.points)
    others = (engine_scored(n, said) for n, said in engines.items() if isinstance(said, Scanned))
    return tuple(sorted((*own, *(o for o in others if o is not None)), key=heaviest_first))


def _unscanned(
    engines: Mapping[str, Scanned | EngineUnavailable], recipients: tuple[str, ...]
) -> Iterator[Finding]:
    """What engines that look for spam did not look at, and what follows."""
    for name, said in engines.items():
        if said.target is not Target.SPAM:
            continue
        if isinstance(said, EngineUnavailable):
            for kind in (UNAVAILABLE, _FOLLOWS.get(said.on_no_answer)):
                if kind is not None:
                    yield Finding(kind.code, f"{name}: {said.unavailable}", recipients)
        elif said.unscannable:
            yield Finding(SKIPPED.code, f"{name}: {said.unscannable}", recipients)


def _matters(score: float, settings: SpamSettings) -> bool:
    """Whether a learned opinion, had there been one, could have changed what follows."""
    low, high = (score + points for points in BAYES_RANGE)
    return low < settings.block <= high


def _is_test(transaction: Transaction, reading: Reading) -> bool:
    pattern = GTUBE.decode("ascii")
    return octets.holds(transaction.message.raw, GTUBE) or any(
        pattern in t.text for t in reading.texts
    )


def _waivers(transaction: Transaction, facts: Facts, settings: SpamSettings) -> tuple[Waiver, ...]:
    """What the unblocked list's entry lets pass (R31, R37).

    An entry counts for its own address alone, where From is that one address, and only for mail
    that its domain vouches for: the stated reason of R37 is spoofing. Where somebody has waived
    that for one entry, reverse-path and From must still be the address, and who waived is told.
    """
    entry = facts.unblocked
    if entry is None or isinstance(entry, Unavailable):
        return ()
    if entry.expires_at is not None and entry.expires_at <= facts.now:
        return ()
    listed = address.normalise(entry.address)
    author = identity.author(transaction)
    if not author or author != listed or facts.district.owns(author):
        return ()
    needs_proof = settings.unblocked_needs == "authenticated"
    proven = needs_proof and author_authenticated(transaction, facts)
    if not proven:
        if needs_proof and not entry.waived_by:
            return ()
        if address.normalise(transaction.envelope.reverse_path) != author:
            return ()
    site = f", for {entry.site}" if entry.site else ""
    reason = f"{listed} is on the unblocked list ({entry.origin}{site})"
    if needs_proof and not proven:
        reason += f", which {entry.waived_by} made count unproven: {entry.waived_because}"
    return (Waiver(tuple(kind.code for kind in Spam.findings if kind.waivable), reason),)


def _evidence(score: float, bound: float, scored: tuple[Scored, ...]) -> str:
    """ "7.1 points (blocked from 6.0): a link goes to … (LINK_NUMERIC_HOST 2.5: 192.0.2.7), …" """
    told = []
    for item in scored[:_LISTED]:
        detail = f": {item.detail}" if item.detail else ""
        words = item.words or FEATURES[item.symbol].words
        told.append(f"{words} ({item.symbol} {item.points:+.1f}{detail})")
    more = f"; and {len(scored) - _LISTED} lesser signs" if len(scored) > _LISTED else ""
    return f"{score:.1f} points, of {bound:.1f} allowed: {'; '.join(told)}{more}"
