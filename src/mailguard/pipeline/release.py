"""Letting kept mail go: the original bytes, with the edits that its recipient's copy gets.

Owns what a release puts into the outbox. Must not know who decided it or how it is committed.
"""

from __future__ import annotations

from collections.abc import Iterable

from mailguard.core.decision.edit import redirected
from mailguard.core.render import render
from mailguard.pipeline import message_metrics
from mailguard.pipeline.judged_message import JudgedMessage
from mailguard.pipeline.ports import Outgoing


def released(
    judged: JudgedMessage, holds: Iterable[tuple[int, str]], at: float
) -> tuple[Outgoing, ...]:
    """One message a hold, given as (id, recipient): keyed by the hold, so that it goes once.

    The edits that apply to the recipient (disclaimer, links) are made, and signed with the keys in
    use at that moment, days later perhaps; identity and rights were what somebody has now decided
    about.
    """
    outgoing: list[Outgoing] = []
    for number, recipient in holds:
        edits = render.concerning(judged.decision.edits, recipient)
        copy, fault = judged.copy_or_fault(edits, at)
        if fault:  # somebody wants it to go, so it goes as it came
            message_metrics.render_faults(judged.transaction, (fault,))
        envelope = judged.transaction.envelope
        one = Outgoing(
            key=f"release|{number}",
            kind="release",
            reverse_path=envelope.reverse_path,
            recipients=(recipient,),
            raw=copy,
            body=judged.body(copy),
            smtputf8=envelope.smtputf8,
            transaction_id=judged.transaction.id,
        )
        outgoing += one.redirected(redirected(edits))
        if redirected(edits):
            outgoing += judged.reports((recipient,))
    return tuple(outgoing)
