"""What R3 asks of who sends for somebody else: a grant in force, and V6 in their own words.

Owns R3's findings, and how V6 is found or put in. Only the author's own words count, above any
quote, and in every form of the body that a reader may be shown. Must not know whose an address is
(`ownership`).
"""

from __future__ import annotations

import html
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date

from mailguard.checks.sender_identity.ownership import Borrowed
from mailguard.core.decision.edit import Edit
from mailguard.core.decision.facts import Facts, Unavailable
from mailguard.core.decision.policy import FindingType
from mailguard.core.decision.verdict import Disposition, Finding
from mailguard.core.mail.message import Message
from mailguard.core.notices import policy_texts
from mailguard.core.people.model import Person
from mailguard.core.render.insertion import first_body, insertion, obstacle
from mailguard.core.text.folding import folded
from mailguard.core.text.reading import Reading, TextPart

DELEGATED = FindingType(
    "sender-identity.delegated",
    "an assistant sends for somebody who asked for it in writing",
    ("R3",),
    Disposition.FORWARD,
)
NO_PHRASE = FindingType(
    "sender-identity.no-phrase",
    "the message does not say who sends it for whom",
    ("R3",),
    Disposition.BOUNCE,
    advice="Put the phrase into your own text, above any quoted message.",
)
GRANT_EXPIRED = FindingType(
    "sender-identity.grant-expired",
    "the written request to send for somebody is not in force",
    ("R3",),
    Disposition.BOUNCE,
    advice="Send the message from your own address, or have the request renewed.",
)
FINDINGS = (DELEGATED, NO_PHRASE, GRANT_EXPIRED)

_LISTED = 5  # addresses that evidence names at most
_LOOKED_AT = 50_000  # characters of the author's words, from either end


def phrase(assistant: Person, administrator: Person) -> str:
    """V6 with the directory's names."""
    return policy_texts.V6_DELEGATE.format(
        assistant=assistant.name, administrator=administrator.name
    )


def lacking(
    message: Message, reading: Reading, assistant: Person, administrator: Person
) -> tuple[TextPart, ...]:
    """The forms of the body in which the author's own words do not have V6. Each name that the
    directory allows will do."""
    wanted = tuple(_forms(assistant, administrator))
    return tuple(p for p in first_body(message, reading) if not _said(p.author_visible, wanted))


def inserted(
    message: Message, reading: Reading, parts: tuple[TextPart, ...], text: str
) -> tuple[tuple[Edit, ...], str]:
    """The edits that put V6 into these parts; none and the reason where it cannot be put in."""
    reason = obstacle(reading, first_body(message, reading))
    if reason:
        return (), reason
    block = f"<p>{html.escape(text)}</p>"
    return tuple(insertion(part, text, block) for part in parts), ""


def _forms(assistant: Person, administrator: Person) -> Iterator[str]:
    for sender in (assistant.name, *assistant.other_names):
        for principal in (administrator.name, *administrator.other_names):
            yield folded(policy_texts.V6_DELEGATE.format(assistant=sender, administrator=principal))


def _said(author_visible: str, wanted: tuple[str, ...]) -> bool:
    text = author_visible
    if len(text) > 2 * _LOOKED_AT:
        text = f"{text[:_LOOKED_AT]}\n{text[-_LOOKED_AT:]}"
    have = f" {folded(text)} "
    return any(f" {form} " in have for form in wanted)


@dataclass(slots=True)
class Judged:
    """What R3 says of the borrowed addresses of one message."""

    findings: list[Finding] = field(default_factory=list)
    edits: tuple[Edit, ...] = ()
    error: str | None = None  # the text could not be read


def judge(message: Message, facts: Facts, lent: Sequence[Borrowed], *, insert: bool) -> Judged:
    """One finding, or more, for each principal. `insert`: V6 is added where it is missing."""
    judged = Judged()
    owner = facts.owner
    if owner is None:  # only a person borrows: there is nothing to judge
        return judged
    for borrowed in lent:
        if not borrowed.in_force:
            judged.findings.append(_not_in_force(owner, borrowed, facts.today))
            continue
        if borrowed.speaks:
            if isinstance(facts.reading, Unavailable):
                judged.error = f"the message was not read: {facts.reading.unavailable}"
                return judged
            _phrase(message, facts.reading, owner, borrowed, judged, insert)
        judged.findings.append(_delegated(owner, borrowed))
    return judged


def _delegated(owner: Person, borrowed: Borrowed) -> Finding:
    grant = borrowed.grant.delegation
    return Finding(
        DELEGATED.code,
        f"{owner.name} sends for {borrowed.principal.name} "
        f"({'; '.join(borrowed.claims[:_LISTED])}) by {grant.document!r}, "
        f"granted {grant.granted}, until {grant.expires}",
    )


def _not_in_force(owner: Person, borrowed: Borrowed, today: date) -> Finding:
    grant, principal = borrowed.grant.delegation, borrowed.principal
    if grant.granted > today:
        why = f"begins on {grant.granted}"
    elif grant.expires < today:
        why = f"expired on {grant.expires}"
    else:
        why = f"ended when {principal.name} left"
    renewer = borrowed.grant.renewer
    ask = f"ask {renewer.name} ({renewer.addresses[0]}) to renew the request" if renewer else ""
    return Finding(
        GRANT_EXPIRED.code,
        f"{owner.name} may not send for {principal.name} now "
        f"({'; '.join(borrowed.claims[:_LISTED])}): {grant.document!r} {why}",
        advice=f"Send the message from your own address, or {ask or 'have it renewed'}.",
    )


def _phrase(
    message: Message,
    reading: Reading,
    owner: Person,
    borrowed: Borrowed,
    judged: Judged,
    insert: bool,
) -> None:
    """V6 in the author's own words, or put there, or missing (R3)."""
    missing = lacking(message, reading, owner, borrowed.principal)
    if reading.texts and not missing:
        return
    wanted = phrase(owner, borrowed.principal)
    reason = ""
    if insert:
        edits, reason = inserted(message, reading, missing, wanted)
        if edits:
            judged.edits += edits
            return
    why = f", and it could not be added: {reason}" if reason else ""
    judged.findings.append(
        Finding(
            NO_PHRASE.code,
            f"the message speaks for {borrowed.principal.name}, and the author's own text does not "
            f"say so{why}",
            advice=f'Put this into your own text, above any quoted message: "{wanted}".',
        )
    )
