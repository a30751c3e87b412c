"""From a transaction to the judged message: the way that `serve`, `check` and replay share.

Owns gather → decide → plan. Has no effect but lookups, and asks no clock and no counter once the
facts are gathered. Must not know what is done with the plan.
"""

from __future__ import annotations

from dataclasses import replace

from mailguard.core.decision.decide import Decision, decide
from mailguard.core.decision.facts import Facts
from mailguard.core.decision.plan import Plan, make_plan
from mailguard.core.mail.transaction import Transaction
from mailguard.core.sender.may_answer import may_answer
from mailguard.pipeline import message_metrics
from mailguard.pipeline.gather import gather
from mailguard.pipeline.judged_message import EDIT_FAILED, JudgedMessage
from mailguard.pipeline.off_loop import off_loop_if_large, weight
from mailguard.pipeline.ports import Judging, OutboundTerms
from mailguard.pipeline.snapshot import Snapshot


async def judge(
    transaction: Transaction,
    snapshot: Snapshot,
    judging: Judging,
    terms: OutboundTerms,
    digest: str,
    now: float,
) -> JudgedMessage:
    """Gather the facts as of that moment and decide. Raises only for defects of ours."""
    with message_metrics.stage("gather"):  # every lookup concurrently, one deadline
        facts = await gather(transaction, snapshot, judging, digest, now)
    with message_metrics.stage("decide"):
        judged = await off_loop_if_large(
            weight(transaction), decided, transaction, snapshot, terms, facts, digest
        )
    judging.mailings.settle(transaction.id, judged.plan.forwarded)
    return judged


def decided(
    transaction: Transaction,
    snapshot: Snapshot,
    terms: OutboundTerms,
    facts: Facts,
    digest: str,
) -> JudgedMessage:
    """The pure part: the same facts give the same result, so a stored decision can be replayed."""
    decision = decide(transaction, facts, snapshot.policy)
    plan = _plan(transaction, snapshot, terms, facts, decision)
    return JudgedMessage(transaction, snapshot, terms, facts, decision, plan, digest)


def untold(judged: JudgedMessage) -> JudgedMessage:
    """Planned again with the fact that the sender may not be told: others had the last notice by
    the time that this one's was to be kept. What goes on is the same, so it stays as rendered."""
    facts = replace(judged.facts, may_tell=False)
    plan = _plan(judged.transaction, judged.snapshot, judged.terms, facts, judged.decision)
    unmade = (hold for hold in judged.plan.holds if hold.reason == EDIT_FAILED.code)
    plan = replace(plan, variants=judged.plan.variants, holds=(*plan.holds, *unmade))
    return replace(judged, facts=facts, plan=plan)


def _plan(
    transaction: Transaction,
    snapshot: Snapshot,
    terms: OutboundTerms,
    facts: Facts,
    decision: Decision,
) -> Plan:
    return make_plan(
        decision,
        answerable=facts.may_tell and may_answer(transaction, facts),
        tell_quarantine=terms.tell_quarantine,
        desks=snapshot.district.desks(transaction.envelope.recipients),
    )
