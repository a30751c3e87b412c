"""What operators see of the story: metrics and the one log line a message.

Must not decide anything.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import structlog

from mailguard import metrics
from mailguard.core.decide import Decision
from mailguard.core.reply import Reply
from mailguard.core.transaction import Transaction

log = structlog.get_logger("mailguard.story")

_MANY_CLIENTS = "sender-identity.many-clients"  # R4 raises an alert


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
    """Count findings and each recipient's disposition with the check that led to it."""
    for judgement in decision.judgements:
        if judgement.observed:
            effect = "observed"
        elif not judgement.recipients:
            effect = "waived"
        else:
            effect = judgement.disposition.word
        metrics.child(metrics.FINDINGS, judgement.finding.code, effect).inc()
        if judgement.finding.code == _MANY_CLIENTS:
            metrics.ACCOUNT_CLIENTS_ALERTS.inc()
    listener = transaction.listener.name
    for outcome in decision.outcomes.values():
        check = outcome.reasons[0].check if outcome.reasons else ""
        metrics.child(metrics.RECIPIENTS, listener, outcome.disposition.word, check).inc()


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
