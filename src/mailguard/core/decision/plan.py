"""From a decision to what is to be done: variants, holds, notices, one reply.

Owns Plan and `make_plan`, and after the relay `conclude`. Pure: nothing is sent or stored here.
Must not know how mail is relayed, kept or rendered.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from mailguard.core.decision.decide import Decision, Judgement
from mailguard.core.decision.edit import Edit, redirected
from mailguard.core.decision.verdict import Disposition
from mailguard.core.mail.reply import Reply
from mailguard.core.people.district import APPROVALS

FORWARD, QUARANTINE, HOLD, BOUNCE, DEFER = Disposition


class State(StrEnum):
    """The end state of one recipient's copy in the ledger."""

    FORWARDED = "forwarded"  # the next hop's own 250 was seen
    QUEUED = "queued"  # durably in the outbox
    QUARANTINED = "quarantined"  # durably kept
    HELD = "held"  # durably kept, waits for a person
    REFUSED = "refused"  # the client heard 5xx, or the sender is told by a notice
    DEFERRED = "deferred"  # the client heard 4xx and keeps the message
    RELEASED = "released"  # kept before, then delivered
    DISCARDED = "discarded"  # kept before, then discarded by a person
    EXPIRED = "expired"  # quarantined, and nobody asked for it; the archive has it
    TAKEN = "taken"  # an answer to us: durably kept for the desk that reads it


@dataclass(frozen=True, slots=True)
class Variant:
    """Recipients that share an edit set; rendered and relayed once."""

    recipients: tuple[str, ...]
    edits: tuple[Edit, ...]

    @property
    def redirected(self) -> str:
        """The mailbox it goes to instead of its recipients'; "" for none (R6)."""
        return redirected(self.edits)


@dataclass(frozen=True, slots=True)
class Hold:
    """One recipient's copy that we keep; keyed by message digest, reverse_path and recipient."""

    recipient: str
    disposition: Disposition  # QUARANTINE or HOLD
    reason: str  # the finding's code
    evidence: str


@dataclass(frozen=True, slots=True)
class InboundMail:
    """A copy that comes to an address where mailguard itself reads mail (R18, R28)."""

    recipient: str
    desk: str  # "approvals" or "spammail"


@dataclass(frozen=True, slots=True)
class Notice:
    """The sender is to be told by mail what became of these recipients' copies, and why."""

    recipients: tuple[str, ...]
    judgement: Judgement
    disposition: Disposition


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do. Exactly one of `variants`, `holds`, `refused` and `taken` names each recipient,
    unless the whole message is deferred."""

    variants: tuple[Variant, ...] = ()
    holds: tuple[Hold, ...] = ()
    refused: tuple[str, ...] = ()  # recipients whose copy is refused
    letters: tuple[InboundMail, ...] = ()  # for our desks to read; those to spammail@ go on as well
    notices: tuple[Notice, ...] = ()  # by mail; only to proven senders
    refusal: Judgement | None = None  # tell the client, by 5xx: nothing goes on, nothing waits
    deferral: Judgement | None = None  # tell the client by 451, and keep nothing

    @property
    def taken(self) -> tuple[str, ...]:
        """Recipients whose copy goes no further than our own desk."""
        return tuple(letter.recipient for letter in self.letters if letter.desk == APPROVALS)

    @property
    def forwarded(self) -> tuple[str, ...]:
        return tuple(r for variant in self.variants for r in variant.recipients)


def make_plan(
    decision: Decision,
    *,
    answerable: bool,
    tell_quarantine: bool,
    desks: Mapping[str, str] | None = None,
) -> Plan:
    """Turn dispositions into actions.

    `answerable`: the sender may be told by mail (see `may_answer`): proven, and no automatic mail.
    `tell_quarantine`: the sender of a quarantined message hears of it (R27).
    `desks`: the recipients where we read mail ourselves, with the desk's name. Of a held copy the
    desk that takes it up tells its sender, since it knows who was asked.

    One deferred recipient defers the whole message, since DATA has one reply. A bounce that can
    be told neither by the reply nor by a notice is quarantined instead: nothing is dropped
    silently (docs/adr/0003).
    """
    by: dict[Disposition, list[str]] = {disposition: [] for disposition in Disposition}
    for recipient, outcome in decision.outcomes.items():
        by[outcome.disposition].append(recipient)
    if by[DEFER]:
        return Plan(deferral=_reason(decision, by[DEFER]))

    kept = by[QUARANTINE]
    nothing_goes_on = not by[FORWARD] and not by[HOLD]
    refuse = nothing_goes_on and (not kept or tell_quarantine)
    may_tell = answerable and not refuse
    refused = by[BOUNCE]
    if refused and not refuse and not may_tell:
        both = {*kept, *refused}
        kept, refused = [r for r in decision.outcomes if r in both], []

    told = [*refused, *(kept if tell_quarantine else ())] if may_tell else []
    letters = tuple(InboundMail(r, desks[r]) for r in by[FORWARD] if r in desks) if desks else ()
    ours = {letter.recipient for letter in letters if letter.desk == APPROVALS}
    return Plan(
        letters=letters,
        variants=_variants([r for r in by[FORWARD] if r not in ours], decision.edits),
        holds=tuple(_hold(decision, r) for r in (*kept, *by[HOLD])),
        refused=tuple(refused),
        notices=_notices(decision, told),
        refusal=_reason(decision, [*refused, *kept]) if refuse else None,
    )


def _reason(decision: Decision, recipients: Iterable[str]) -> Judgement:
    """The reason shown first for these recipients: the strongest, then the policy's order."""
    outcomes = [decision.outcomes[r] for r in recipients]
    return max(outcomes, key=lambda outcome: outcome.disposition).reasons[0]


def _hold(decision: Decision, recipient: str) -> Hold:
    outcome = decision.outcomes[recipient]
    reason = outcome.reasons[0].finding
    disposition = HOLD if outcome.disposition is HOLD else QUARANTINE
    return Hold(recipient, disposition, reason.code, reason.evidence)


def _variants(recipients: list[str], edits: tuple[Edit, ...]) -> tuple[Variant, ...]:
    """Group recipients by the edits that concern them; linear in recipients and in edits."""
    particular = [n for n, edit in enumerate(edits) if edit.recipients]
    concerned: dict[str, list[int]] = {recipient: [] for recipient in recipients}
    for n in particular:
        for recipient in edits[n].recipients:
            if recipient in concerned:
                concerned[recipient].append(n)
    groups: dict[tuple[int, ...], list[str]] = {}
    for recipient, numbers in concerned.items():
        groups.setdefault(tuple(numbers), []).append(recipient)
    left_out = set(particular)
    return tuple(
        Variant(
            tuple(group),
            tuple(e for n, e in enumerate(edits) if n not in left_out or n in set(numbers)),
        )
        for numbers, group in groups.items()
    )


def _notices(decision: Decision, recipients: Iterable[str]) -> tuple[Notice, ...]:
    """A notice a reason, so that one message makes one notice for each kind of trouble."""
    groups: dict[str, list[str]] = {}
    for recipient in recipients:
        code = decision.outcomes[recipient].reasons[0].finding.code
        groups.setdefault(code, []).append(recipient)
    return tuple(
        Notice(
            tuple(group),
            decision.outcomes[group[0]].reasons[0],
            decision.outcomes[group[0]].disposition,
        )
        for group in groups.values()
    )


@dataclass(frozen=True, slots=True)
class Conclusion:
    """What the relay made of a plan: the reply's kind, each recipient's end state, what is left."""

    states: Mapping[str, State]
    put_off: tuple[str, ...] = ()  # temporarily refused while others went on: to the outbox
    returned: tuple[str, ...] = ()  # refused for good while others went on: the sender is told
    failure: Reply | None = None  # the next hop's own reply, when nothing at all went on


def conclude(plan: Plan, delivered: Mapping[str, Reply]) -> Conclusion:
    """Compare the plan with the next hop's replies.

    All temporary, or a mix with no success: the client hears 4xx and keeps the message. All
    permanent: it hears the next hop's 5xx. Anything relayed or kept: 250, and the rest is ours.
    """
    states: dict[str, State] = {}
    for hold in plan.holds:
        states[hold.recipient] = State.HELD if hold.disposition is HOLD else State.QUARANTINED
    states |= dict.fromkeys(plan.refused, State.REFUSED)
    states |= dict.fromkeys(plan.taken, State.TAKEN)
    good = [r for r, reply in delivered.items() if reply.positive]
    late = [r for r, reply in delivered.items() if reply.temporary]
    bad = [r for r, reply in delivered.items() if not reply.positive and not reply.temporary]

    if delivered and not good:
        if late:  # the client keeps it; holds are recognised when it comes back
            states |= dict.fromkeys(delivered, State.DEFERRED)
            return Conclusion(states, failure=delivered[late[0]])
        if not plan.holds and not plan.notices and not plan.taken:
            states |= dict.fromkeys(bad, State.REFUSED)
            return Conclusion(states, failure=delivered[bad[0]])
    states |= dict.fromkeys(good, State.FORWARDED)
    states |= dict.fromkeys(late, State.QUEUED)
    states |= dict.fromkeys(bad, State.REFUSED)
    return Conclusion(states, tuple(late), tuple(bad))
