"""What operators see of the story: metrics and the one log line a message.

Must not decide anything.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import structlog

from mailguard import metrics
from mailguard.core.decision.decide import Decision
from mailguard.core.decision.plan import Plan
from mailguard.core.mail.reply import Reply
from mailguard.core.mail.transaction import Transaction
from mailguard.pipeline.judged_message import EDIT_FAILED

log = structlog.get_logger("mailguard.story")

_ALERTS = {  # what raises an alert besides what policy makes of it (R4, R26, R55)
    "sender-identity.many-clients": metrics.ACCOUNT_CLIENTS_ALERTS,
    "spam.outbound": metrics.OUTBOUND_SPAM_ALERTS,
    "rate.exceeded": metrics.ACCOUNT_RATE_ALERTS,
}


class stage:
    """Time one stage of the story."""

    __slots__ = ("_began", "_seconds")

    def __init__(self, name: str) -> None:
        self._seconds = metrics.child(metrics.STAGE_SECONDS, name)

    def __enter__(self) -> None:
        self._began = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        self._seconds.observe(time.perf_counter() - self._began)


def decided(transaction: Transaction, decision: Decision) -> None:
    """Count findings by what became of them."""
    for judgement in decision.judgements:
        if judgement.observed:
            effect = "observed"
        elif not judgement.recipients:
            effect = "waived"
        else:
            effect = judgement.disposition.word
        metrics.child(metrics.FINDINGS, judgement.finding.code, effect).inc()
        alert = _ALERTS.get(judgement.finding.code)
        if alert is not None:
            alert.inc()
            log.warning(
                "alert",
                id=transaction.id,
                finding=judgement.finding.code,
                account=transaction.envelope.account,
                reverse_path=transaction.envelope.reverse_path,
                evidence=judgement.finding.evidence[:300],
            )


def disposed(transaction: Transaction, decision: Decision, plan: Plan) -> None:
    """Count each recipient's disposition with the check that led to it. A copy that is kept because
    its edits could not be made is no forwarded one, and no check led to it."""
    kept = {hold.recipient: hold for hold in plan.holds if hold.reason == EDIT_FAILED.code}
    listener = transaction.listener.name
    for recipient, outcome in decision.outcomes.items():
        check = outcome.reasons[0].check if outcome.reasons else ""
        disposition = outcome.disposition
        if recipient in kept:
            check, disposition = "", kept[recipient].disposition
        metrics.child(metrics.RECIPIENTS, listener, disposition.word, check).inc()


def render_faults(transaction: Transaction, faults: Sequence[str]) -> None:
    """Count copies that were not what was planned: a defect of ours, to be heard of."""
    for fault in faults:
        log.error("render_fault", id=transaction.id, reason=fault)
        metrics.RENDER_FAULTS.inc()


def answered(transaction: Transaction, reply: Reply) -> None:
    """Count the reply by its class."""
    metrics.child(metrics.MESSAGES, transaction.listener.name, f"{reply.code // 100}xx").inc()


def summary(transaction: Transaction, reply: Reply) -> dict[str, Any]:
    """The log line's fields; hostile text is escaped by the log's renderer."""
    envelope = transaction.envelope
    return {
        "id": transaction.id,
        "listener": transaction.listener.name,
        "client": envelope.client_address,
        "account": envelope.account,
        "reverse_path": envelope.reverse_path,
        "recipients": len(envelope.recipients),
        "size": len(transaction.message.raw),
        "reply": str(reply).partition("\n")[0][:200],
    }
