"""What became of the sample messages, read from the ledger as `mailguard explain` reads it.

Owns rows for the table and the comparison with what the samples say should happen. Must not send
anything; nothing shown comes from the samples' expectations.
"""

from __future__ import annotations

import email
import email.policy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mailguard.adapters.state import StateDirectory
from mailguard.config.load import Loaded
from mailguard.core.decision.decide import Decision
from mailguard.core.record.explain import report
from mailguard.core.record.stored import decision_json
from mailguard.demo.client import ClientResult
from mailguard.demo.samples import Sample
from mailguard.pipeline.judged_message import JudgedMessage
from mailguard.pipeline.ports import LedgerEntry
from mailguard.pipeline.replay import replay
from mailguard.server.wiring import replaying


@dataclass(frozen=True, slots=True)
class ResultRow:
    """One recipient's copy of one message."""

    sample: Sample
    id: str  # of the transaction
    recipient: str
    disposition: str  # as recorded
    state: str  # the end state, as recorded
    reason: str
    rules: tuple[str, ...]
    reply: str  # to the final dot, as recorded
    reproduced: bool  # decided again from the recorded facts, the outcome was the same


async def rows(
    samples: Mapping[str, Sample], state: StateDirectory, loaded: Loaded
) -> list[ResultRow]:
    """A row a recipient of each recorded message, in the order of `samples`, which has them by
    their Message-ID. Messages that are not in the ledger have none."""
    found: dict[str, list[ResultRow]] = {}
    async with replaying(loaded.settings) as again:
        async for brief in state.ledger.entries():
            sample = samples.get(brief.message_id.strip().strip("<>"))
            entry = await state.ledger.find(brief.id)
            if sample is None or entry is None:
                continue
            raw = await state.blobs.fetch(entry.digest)
            judged = await replay(entry, raw, loaded.snapshot, again)
            found[sample.file] = _rows(sample, entry, judged)
    return [row for sample in samples.values() for row in found.get(sample.file, [])]


def _rows(sample: Sample, entry: LedgerEntry, judged: JudgedMessage) -> list[ResultRow]:
    told = report(
        judged.transaction,
        judged.facts,
        judged.decision,
        judged.plan,
        judged.reply(),
        judged.snapshot.policy,
    )
    reproduced = decision_json(judged.decision) == entry.decision
    made = []
    for recipient, (disposition, state, reason) in entry.recipients.items():
        rules = tuple(told["recipients"][recipient]["rules"])
        if not reason:
            reason, rules = _waived(judged.decision, told["findings"])
        made.append(
            ResultRow(
                sample,
                entry.id,
                recipient,
                disposition.word,
                state.value,
                reason,
                rules,
                entry.reply,
                reproduced,
            )
        )
    return made


def _waived(
    decision: Decision, findings: Sequence[Mapping[str, Any]]
) -> tuple[str, tuple[str, ...]]:
    """What would have had a consequence, had the unblocked list not waived it (R37)."""
    for judgement in decision.judgements:
        if judgement.waived_by:
            code = judgement.finding.code
            rules = next((tuple(f["rules"]) for f in findings if f["code"] == code), ())
            return f"{code} waived", rules
    return "", ()


def differences(
    sample: Sample,
    rows: Sequence[ResultRow],
    sent: ClientResult | None,
    copies: Mapping[str, Sequence[bytes]],
) -> list[str]:
    """Where the outcome of one sample is not what it should be, in words. `copies`: what arrived
    of this message, by recipient."""
    wrong = []
    if sent is None:
        return [f"{sample.title}: it could not be sent"]
    outcome = {row.recipient: row for row in rows}
    for recipient, expected in sample.expected.items():
        row = outcome.get(recipient)
        if row is None:
            reply = sent.final or sent.recipients.get(recipient, "")
            wrong.append(f"{sample.title}, {recipient}: not in the ledger; the reply was {reply}")
            continue
        if row.disposition != expected:
            wrong.append(
                f"{sample.title}, {recipient}: {row.disposition} ({row.reason}), "
                f"expected {expected} ({sample.rule})"
            )
            continue
        if not row.reproduced:
            wrong.append(f"{sample.title}: decided again from its record, it ends otherwise")
        arrived = copies.get(recipient, ())
        should = 1 if expected == "forward" else 0
        if len(arrived) != should:
            wrong.append(
                f"{sample.title}, {recipient}: {len(arrived)} copies arrived, not {should}"
            )
        elif should and sample.copy_has not in readable(arrived[0]):
            wrong.append(f"{sample.title}, {recipient}: the copy lacks {sample.copy_has!r}")
    if sample.reply_has and sample.reply_has not in _joined(sent.final):
        wrong.append(f"{sample.title}: the reply lacks {sample.reply_has!r}: {sent.final}")
    return wrong


def _joined(reply: str) -> str:
    """A reply's lines as the one text they were, without the status that leads each."""
    return "".join(line.removeprefix("5.7.1 ") for line in reply[4:].split("\n"))


def readable(raw: bytes) -> str:
    """Fields and decoded texts of a delivered message."""
    message = email.message_from_bytes(raw, policy=email.policy.default)
    texts = (p.get_content() for p in message.walk() if p.get_content_maintype() == "text")
    return "\n".join((*(f"{name}: {value}" for name, value in message.items()), *texts))
