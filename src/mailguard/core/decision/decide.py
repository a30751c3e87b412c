"""From recorded facts to one disposition a recipient: the pure heart.

The rules are in docs/design.md, "Composition rules". Owns Decision and
`decide`. Same transaction, facts and policy give the same decision, always.
Must not know effects, notices or how an edit is written.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mailguard.core.decision.edit import Edit
from mailguard.core.decision.facts import Facts
from mailguard.core.decision.policy import Mode, Policy, PolicyStep
from mailguard.core.decision.verdict import Disposition, Finding, Verdict, Waiver
from mailguard.core.mail.transaction import Transaction


@dataclass(frozen=True, slots=True)
class Judgement:
    """A finding with what policy made of it."""

    check: str
    finding: Finding
    disposition: Disposition  # what policy gives this finding
    recipients: tuple[str, ...]  # the ones concerned, waivers taken off; may be empty
    waived_by: str = ""  # the waiver's reason, where one applied to some recipient
    observed: bool = False  # mode: observe, so it changes nothing


@dataclass(frozen=True, slots=True)
class Outcome:
    """One recipient's disposition and why: `reasons[0]` is the one shown first."""

    disposition: Disposition
    reasons: tuple[Judgement, ...] = ()  # those of this strength, in the policy's order


@dataclass(frozen=True, slots=True)
class Decision:
    """What was decided for every recipient, with everything that was said."""

    outcomes: Mapping[str, Outcome]  # one for each recipient, in envelope order
    verdicts: tuple[Verdict, ...]  # one for each step, hits and misses both
    judgements: tuple[Judgement, ...]
    edits: tuple[Edit, ...]  # of enforced steps, in the policy's order
    policy_digest: str

    @property
    def strongest(self) -> Disposition:
        """The strongest disposition that any recipient got."""
        return max((o.disposition for o in self.outcomes.values()), default=Disposition.FORWARD)


def decide(transaction: Transaction, facts: Facts, policy: Policy) -> Decision:
    """Run every step and give each recipient the strongest disposition its findings were given.

    Never raises for what a check does: an exception is that step's error, and on_error applies
    (rule 4). Waivers are collected first, so that the order of steps cannot matter (rule 3).
    """
    verdicts = tuple(_examine(step, transaction, facts) for step in policy.steps)
    waivers = [
        waiver
        for step, verdict in zip(policy.steps, verdicts, strict=True)
        if step.mode is Mode.ENFORCE
        for waiver in verdict.waivers
    ]
    recipients = transaction.envelope.recipients
    judgements: list[Judgement] = []
    for step, verdict in zip(policy.steps, verdicts, strict=True):
        judgements += _judge(step, verdict, waivers, recipients)
    return Decision(
        outcomes=_outcomes(recipients, judgements),
        verdicts=verdicts,
        judgements=tuple(judgements),
        edits=tuple(
            edit
            for step, verdict in zip(policy.steps, verdicts, strict=True)
            if step.mode is Mode.ENFORCE
            for edit in verdict.edits
        ),
        policy_digest=policy.digest,
    )


def _examine(step: PolicyStep, transaction: Transaction, facts: Facts) -> Verdict:
    try:
        return step.check.examine(transaction, facts, step.settings)
    except Exception as error:  # noqa: BLE001 - rule 4: a check that errs never lets mail pass
        return Verdict(step.check.name, error=f"{type(error).__name__}: {error}")


def _judge(
    step: PolicyStep, verdict: Verdict, waivers: list[Waiver], recipients: tuple[str, ...]
) -> list[Judgement]:
    observed = step.mode is Mode.OBSERVE
    declared = {kind.code: kind for kind in step.check.findings}
    known = frozenset(recipients)
    judged = []
    for finding in verdict.findings:
        kind = declared.get(finding.code)
        # One about strangers alone is a defect of the check: it concerns everybody, not nobody.
        concerned = recipients if known.isdisjoint(finding.recipients) else finding.recipients
        waived_by = ""
        if kind is not None and kind.waivable:
            for waiver in waivers:
                if finding.code in waiver.codes:
                    spared = set(waiver.recipients or recipients)
                    left = tuple(r for r in concerned if r not in spared)
                    if len(left) < len(concerned):
                        concerned, waived_by = left, waiver.reason
        disposition = step.on_finding.get(finding.code, step.on_error)
        judged.append(
            Judgement(step.check.name, finding, disposition, concerned, waived_by, observed)
        )
    if verdict.error is not None:
        failed = Finding(error_code(step.check.name), verdict.error)
        judged.append(Judgement(step.check.name, failed, step.on_error, recipients, "", observed))
    return judged


def error_code(check: str) -> str:
    """The finding code of a check's own failure: "group-rights.error"."""
    return f"{check.replace('_', '-')}.error"


def _outcomes(recipients: tuple[str, ...], judgements: list[Judgement]) -> dict[str, Outcome]:
    counted: dict[str, list[Judgement]] = {recipient: [] for recipient in recipients}
    for judgement in judgements:
        if not judgement.observed:
            for recipient in judgement.recipients:
                if recipient in counted:
                    counted[recipient].append(judgement)
    outcomes = {}
    for recipient, concerning in counted.items():
        strongest = max((j.disposition for j in concerning), default=Disposition.FORWARD)
        reasons = tuple(j for j in concerning if j.disposition is strongest)
        outcomes[recipient] = Outcome(strongest, reasons)
    return outcomes
