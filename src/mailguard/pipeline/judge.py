"""From a transaction to its dossier: the way that `serve`, `check` and replay share.

Owns gather → decide → plan. Has no effect but lookups. Must not know what is done with the plan.
"""

from __future__ import annotations

from mailguard.core.decision.decide import decide
from mailguard.core.decision.facts import Facts
from mailguard.core.decision.plan import make_plan
from mailguard.core.mail.transaction import Transaction
from mailguard.core.sender.may_answer import may_answer
from mailguard.pipeline import message_metrics
from mailguard.pipeline.gather import gather
from mailguard.pipeline.judged_message import JudgedMessage
from mailguard.pipeline.off_loop import off_loop_if_large, weight
from mailguard.pipeline.ports import World
from mailguard.pipeline.snapshot import Snapshot


async def judge(
    transaction: Transaction, snapshot: Snapshot, world: World, digest: str
) -> JudgedMessage:
    """Gather the facts and decide. Raises only for defects of ours."""
    with message_metrics.stage("gather"):  # every lookup concurrently, one deadline
        facts = await gather(transaction, snapshot, world, world.clock())
    with message_metrics.stage("decide"):
        dossier = await off_loop_if_large(
            weight(transaction), decided, transaction, snapshot, world, facts, digest
        )
    world.mailings.settle(transaction.id, dossier.plan.forwarded)
    return dossier


def decided(
    transaction: Transaction, snapshot: Snapshot, world: World, facts: Facts, digest: str
) -> JudgedMessage:
    """The pure part: the same facts give the same dossier, so a stored decision can be replayed."""
    decision = decide(transaction, facts, snapshot.policy)
    sender = transaction.envelope.reverse_path
    plan = make_plan(
        decision,
        answerable=may_answer(transaction, facts) and world.notices.allows(sender, facts.now),
        tell_quarantine=world.tell_quarantine,
        desks=snapshot.district.desks(transaction.envelope.recipients),
    )
    return JudgedMessage(transaction, snapshot, world, facts, decision, plan, digest)
