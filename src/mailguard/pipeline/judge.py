"""From a transaction to its dossier: the way that `serve`, `check` and replay share.

Owns gather → decide → plan. Has no effect but lookups. Must not know what is done with the plan.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from mailguard.core.decision.decide import decide
from mailguard.core.decision.facts import Facts
from mailguard.core.decision.plan import make_plan
from mailguard.core.mail.transaction import Transaction
from mailguard.core.sender.may_answer import may_answer
from mailguard.pipeline import message_metrics
from mailguard.pipeline.gather import gather
from mailguard.pipeline.judged_message import JudgedMessage
from mailguard.pipeline.ports import World
from mailguard.pipeline.snapshot import Snapshot

P = ParamSpec("P")
Result = TypeVar("Result")

_BIG = 131_072  # octets
_MANY = 200  # recipients


async def judge(
    transaction: Transaction, snapshot: Snapshot, world: World, digest: str
) -> JudgedMessage:
    """Gather the facts and decide. Raises only for defects of ours."""
    with message_metrics.stage("gather"):  # every lookup concurrently, one deadline
        facts = await gather(transaction, snapshot, world, world.clock())
    with message_metrics.stage("decide"):
        dossier = await aside(transaction, decided, transaction, snapshot, world, facts, digest)
    world.mailings.settle(transaction.id, dossier.plan.forwarded)
    return dossier


async def aside(
    transaction: Transaction, work: Callable[P, Result], *args: P.args, **more: P.kwargs
) -> Result:
    """Do pure work at once, or for a big message in a thread, so that others get their turns."""
    if len(transaction.message.raw) < _BIG and len(transaction.envelope.recipients) < _MANY:
        return work(*args, **more)
    return await asyncio.to_thread(work, *args, **more)


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
