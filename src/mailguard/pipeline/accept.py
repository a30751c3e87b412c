"""The story of a message, from the final dot to the reply. Read it top to bottom.

Owns the order of effects and the promise: 250 means that every recipient's copy is with the next
hop or durably kept by us; our own trouble is 451. Must not know sessions, files or databases.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

import structlog

from mailguard import metrics
from mailguard.core.decision.facts import Facts
from mailguard.core.decision.plan import Conclusion, Hold, State, Variant, conclude
from mailguard.core.mail.reply import Reply
from mailguard.core.mail.transaction import Transaction
from mailguard.pipeline import message_metrics
from mailguard.pipeline.judge import judge, untold
from mailguard.pipeline.judged_message import JudgedMessage
from mailguard.pipeline.message_metrics import stage
from mailguard.pipeline.off_loop import fingerprint, off_loop_if_large, weight
from mailguard.pipeline.ports import (
    AllowanceGone,
    Delivery,
    Judging,
    LedgerEntry,
    NextHop,
    OutboundTerms,
    Outgoing,
    StoreError,
    envelope_json,
)
from mailguard.pipeline.snapshot import Snapshot

log = structlog.get_logger("mailguard.accept")


async def accept(
    transaction: Transaction,
    snapshot: Snapshot,
    judging: Judging,
    terms: OutboundTerms,
    delivery: Delivery,
) -> Reply:
    """Take one message from archive to reply. Raises nothing but CancelledError."""
    try:
        reply = await process(transaction, snapshot, judging, terms, delivery)
    except StoreError as error:
        log.error("not_durable", id=transaction.id, reason=str(error), full=error.full)
        metrics.INTERNAL_ERRORS.labels("store").inc()
        reply = Reply(452, "4.3.1 Insufficient storage") if error.full else _TROUBLE
    except Exception:
        log.exception("internal_error", id=transaction.id)
        metrics.INTERNAL_ERRORS.labels("accept").inc()
        reply = await _after_a_crash(transaction, snapshot, terms, delivery)
    message_metrics.answered(transaction, reply)
    log.info("answered", **message_metrics.summary(transaction, reply))
    return reply


async def process(
    transaction: Transaction,
    snapshot: Snapshot,
    judging: Judging,
    terms: OutboundTerms,
    delivery: Delivery,
) -> Reply:
    """The story itself. Raises StoreError, and whatever a defect of ours raises."""
    raw = transaction.message.raw
    with stage("archive"):  # durable before anything leaves (R51)
        digest = await delivery.archive.store(raw, _with_the_blob(transaction))

    now = delivery.clock()
    judged = await judge(transaction, snapshot, judging, terms, digest, now)  # facts to plan
    plan = judged.plan
    message_metrics.decided(transaction, judged.decision)

    if plan.deferral is not None:  # one recipient's copy cannot be judged now: the client keeps all
        message_metrics.disposed(transaction, judged.decision, plan)
        await _record(judged, judged.reply(), judged.states_so_far(), delivery)
        return judged.reply()

    with stage("render"):  # pure, and checked: what is wrong here is our own trouble
        size = weight(transaction)
        judged, copies, faults = await off_loop_if_large(size, judged.rendered, delivery.clock())
        so_far = await off_loop_if_large(size, judged.entry_so_far)
        outgoing = await off_loop_if_large(size, judged.outgoing)
        message_metrics.render_faults(transaction, faults)

    if judged.plan.holds or judged.plan.letters or outgoing:
        with stage("keep"):  # holds, notices and letters to us are durable now
            judged = await _keep(judged, so_far, outgoing, delivery)
    message_metrics.disposed(transaction, judged.decision, judged.plan)  # as it was kept

    with stage("relay"):  # the next hop's own replies, per recipient
        delivered = await _relay(judged, copies, delivery.next_hop)
        conclusion = conclude(judged.plan, delivered)

    states = dict(conclusion.states)
    reply = conclusion.failure or judged.reply()
    if conclusion.put_off or conclusion.returned:
        with stage("keep"):  # what others' success made ours to deliver or to return
            holds = await _keep_the_rest(judged, conclusion, copies, delivered, reply, delivery)
            states |= {hold.recipient: State.QUARANTINED for hold in holds}

    with stage("record"):
        await _record(judged, reply, states, delivery)
    if delivery.second_opinion is not None:  # nothing waits for it, and it changes nothing
        delivery.second_opinion.consider(transaction, digest, judged.facts.dkim)
    return reply


async def _keep(
    judged: JudgedMessage, so_far: LedgerEntry, outgoing: Sequence[Outgoing], delivery: Delivery
) -> JudgedMessage:
    """One commit of what is kept before the relay. Where the sender has had the last notice of the
    hour since the facts were gathered, it is planned again with that as a fact."""
    plan = judged.plan
    try:
        await delivery.ledger.keep(so_far, plan.holds, outgoing, plan.letters)
    except AllowanceGone:
        size = weight(judged.transaction)
        judged = await off_loop_if_large(size, untold, judged)
        plan = judged.plan
        so_far = await off_loop_if_large(size, judged.entry_so_far)
        outgoing = await off_loop_if_large(size, judged.outgoing)
        await delivery.ledger.keep(so_far, plan.holds, outgoing, plan.letters)
    delivery.outbox.ring()
    delivery.desk.ring()
    return judged


async def _keep_the_rest(
    judged: JudgedMessage,
    conclusion: Conclusion,
    copies: Mapping[int, bytes],
    delivered: Mapping[str, Reply],
    reply: Reply,
    delivery: Delivery,
) -> Sequence[Hold]:
    """One commit of what the relay left to us, with the end states: the outbox may be done with a
    copy before they are recorded. The copies that are quarantined."""

    async def kept(may_tell: bool) -> Sequence[Hold]:
        holds, outgoing = judged.remainder(conclusion, copies, delivered, may_tell=may_tell)
        quarantined = {hold.recipient: State.QUARANTINED for hold in holds}
        entry = judged.entry(reply, {**conclusion.states, **quarantined})
        await delivery.ledger.keep(entry, holds, outgoing)
        return holds

    try:
        holds = await kept(judged.facts.may_tell)
    except AllowanceGone:
        holds = await kept(may_tell=False)
    delivery.outbox.ring()
    return holds


_TROUBLE = Reply(451, "4.3.0 Local trouble; please try again later")


async def _relay(
    judged: JudgedMessage, copies: Mapping[int, bytes], next_hop: NextHop
) -> Mapping[str, Reply]:
    """Every variant to the next hop at once."""
    relayed = [
        _relay_one(judged, judged.plan.variants[n], copy, next_hop) for n, copy in copies.items()
    ]
    # Most messages have one variant, which needs no task of its own.
    answers = [await relayed[0]] if len(relayed) == 1 else await asyncio.gather(*relayed)
    return {recipient: reply for answer in answers for recipient, reply in answer.items()}


async def _relay_one(
    judged: JudgedMessage, variant: Variant, copy: bytes, next_hop: NextHop
) -> Mapping[str, Reply]:
    """One variant; where it goes to another mailbox, that mailbox's reply is its recipients'."""
    envelope, instead = judged.transaction.envelope, variant.redirected
    replies = await next_hop.relay(
        envelope.reverse_path,
        (instead,) if instead else variant.recipients,
        copy,
        body=judged.body(copy),
        smtputf8=envelope.smtputf8,
        origin=envelope,
    )
    return dict.fromkeys(variant.recipients, replies[instead]) if instead else replies


async def _record(
    judged: JudgedMessage, reply: Reply, states: Mapping[str, State], delivery: Delivery
) -> None:
    """Write the outcome. After the next hop's 250 nothing may turn the reply into an error, so a
    ledger that fails here is tried again behind the client's back; what a crash cuts off then is
    mended from the archive at the next start."""
    entry = judged.entry(reply, states)
    try:
        await delivery.ledger.record(entry)
    except Exception as error:  # whatever it is, the mail has gone
        log.exception("not_recorded", id=entry.id)
        metrics.INTERNAL_ERRORS.labels("record").inc()
        late = delivery.late
        if isinstance(error, StoreError) and len(late) < _MOST_LATE:
            task = asyncio.create_task(_record_later(entry, delivery))
            late.add(task)
            task.add_done_callback(late.discard)


_MOST_LATE = 10_000  # outcomes in memory; some 10 kB each


async def _record_later(entry: LedgerEntry, delivery: Delivery) -> None:
    """A database that is locked or full comes back: until then, every second."""
    while True:
        await asyncio.sleep(1.0)
        try:
            await delivery.ledger.record(entry)
        except StoreError:
            continue
        log.info("recorded_late", id=entry.id)
        return


def _with_the_blob(transaction: Transaction) -> dict[str, object]:
    return {
        "id": transaction.id,
        "received_at": transaction.received_at,
        "listener": transaction.listener.name,
        "role": transaction.listener.role.value,
        **envelope_json(transaction.envelope),
    }


async def _after_a_crash(
    transaction: Transaction, snapshot: Snapshot, terms: OutboundTerms, delivery: Delivery
) -> Reply:
    """451, so that the client keeps the message; but one that crashes us again and again is
    quarantined unread, or it would come back until its sender gives up."""
    if not delivery.crashes.again(await fingerprint(transaction.message.raw)):
        return _TROUBLE
    try:
        digest = await delivery.archive.store(transaction.message.raw, _with_the_blob(transaction))
        facts = Facts(now=delivery.clock(), district=snapshot.district)
        judged = JudgedMessage.unread(transaction, snapshot, terms, facts, digest)
        reply = judged.reply()
        entry = judged.entry(reply, judged.states_so_far())
        await delivery.ledger.keep(entry, judged.plan.holds, judged.outgoing())
        delivery.outbox.ring()
    except Exception:  # still our own trouble
        log.exception("not_set_aside", id=transaction.id)
        return _TROUBLE
    return reply
