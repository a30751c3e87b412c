"""Facts and decisions as JSON, for the ledger and for replay.

Owns their formats, and what is left out: the reading (made again from the raw message) and the link
keys (secret). Must not know the database.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from pydantic import TypeAdapter

from mailguard.core.decision.decide import Decision
from mailguard.core.decision.facts import Facts, Unavailable
from mailguard.core.record.formats import Format
from mailguard.core.text.reading import Reading

FACTS = Format("record of facts", TypeAdapter(Facts))
DECISION = Format("recorded decision", TypeAdapter(dict[str, Any]))
_READ_AGAIN = Unavailable("read again from the message")


def facts_json(facts: Facts) -> bytes:
    """The facts to be stored. A reading that was unavailable stays so; one that was made is made
    again from the message."""
    reading = _READ_AGAIN if isinstance(facts.reading, Reading) else facts.reading
    return FACTS.dump(replace(facts, reading=reading, link_keys=()))


def facts_from_json(
    stored: bytes, reading: Reading | Unavailable, keys: tuple[bytes, ...]
) -> Facts:
    """The facts as they were. Raises NewerFormat, or pydantic.ValidationError when they are
    damaged."""
    facts = FACTS.load(stored)
    if facts.reading == _READ_AGAIN:
        facts = replace(facts, reading=reading)
    return replace(facts, link_keys=keys)


def decision_json(decision: Decision) -> bytes:
    """What was decided, in short: judgements and how many edits; `explain` decides again."""
    brief: dict[str, Any] = {
        "outcomes": {
            recipient: {
                "disposition": outcome.disposition.word,
                "reasons": [j.finding.code for j in outcome.reasons],
            }
            for recipient, outcome in decision.outcomes.items()
        },
        "judgements": [
            {
                "check": j.check,
                "code": j.finding.code,
                "evidence": j.finding.evidence,
                "disposition": j.disposition.word,
                "recipients": j.recipients,
                "waived_by": j.waived_by,
                "observed": j.observed,
            }
            for j in decision.judgements
        ],
        "edits": len(decision.edits),
    }
    # Half a character in evidence is escaped.
    return DECISION.numbered(json.dumps(brief).encode("ascii"))


def is_recorded(decision: Decision, stored: bytes) -> bool:
    """Whether this is the decision that was recorded, in whatever format. Raises NewerFormat or
    ValueError."""
    return bool(DECISION.document(stored) == DECISION.document(decision_json(decision)))
