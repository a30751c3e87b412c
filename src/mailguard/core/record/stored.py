"""Facts and decisions as JSON, for the ledger and for replay.

Owns what is left out: the reading (made again from the raw message) and the link keys (secret).
Must not know the database.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from pydantic import TypeAdapter
from pydantic_core import PydanticSerializationError, to_json

from mailguard.core.decision.decide import Decision
from mailguard.core.decision.facts import Facts, Unavailable
from mailguard.core.text.reading import Reading

_FACTS: TypeAdapter[Facts] = TypeAdapter(Facts)
_READ_AGAIN = Unavailable("read again from the message")


def facts_json(facts: Facts) -> bytes:
    """The facts to be stored. A reading that was unavailable stays so; one that was made is made
    again from the message."""
    reading = _READ_AGAIN if isinstance(facts.reading, Reading) else facts.reading
    kept = replace(facts, reading=reading, link_keys=())
    try:
        return to_json(kept, inf_nan_mode="constants")
    except PydanticSerializationError:  # half a character, which JSON's readers refuse: as "?"
        plain = _FACTS.dump_python(kept, mode="json")
        return json.dumps(plain, ensure_ascii=False).encode("utf-8", "replace")


def facts_from_json(
    stored: bytes, reading: Reading | Unavailable, keys: tuple[bytes, ...]
) -> Facts:
    """The facts as they were. Raises pydantic.ValidationError when another version wrote them."""
    facts = _FACTS.validate_json(stored)
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
    return json.dumps(brief).encode("ascii")  # half a character in evidence is escaped
