"""A decision told: the JSON that `check` and `explain` print, and nothing else.

Owns the names and the shape of those fields; programs rely on them. Pure.
Must not know where the transaction came from.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from mailguard.core.decision.decide import Decision, Judgement, Outcome
from mailguard.core.decision.edit import AddField, Edit, Redirect, RemoveField, Wrap
from mailguard.core.decision.engines import EngineUnavailable, Scanned
from mailguard.core.decision.facts import Arc, Dkim, Dmarc, Facts, Spf, Unavailable
from mailguard.core.decision.plan import Plan
from mailguard.core.decision.policy import Policy
from mailguard.core.decision.verdict import Finding
from mailguard.core.mail import mime
from mailguard.core.mail.message import Message, Part
from mailguard.core.mail.reply import Reply
from mailguard.core.mail.transaction import Transaction
from mailguard.core.sender.identity import author, identity
from mailguard.core.sender.outside_proof import author_authenticated, author_proof
from mailguard.core.text.reading import Reading

_HEAD = 64  # octets of a part shown, in hex


def report(
    transaction: Transaction,
    facts: Facts,
    decision: Decision,
    plan: Plan,
    reply: Reply,
    policy: Policy,
) -> dict[str, Any]:
    """Everything about one judged message, ready for JSON. Bytes appear in hex or as digests."""
    author = transaction.message.author
    rules = {kind.code: kind.rules for step in policy.steps for kind in step.check.findings}
    return {
        "verdict": decision.strongest.word,
        "recipients": {r: _outcome(o, rules) for r, o in decision.outcomes.items()},
        "spf": _spf(facts.spf),
        "dkim": _dkim(facts.dkim),
        "arc": {"cv": facts.arc.cv if isinstance(facts.arc, Arc) else "none"},
        "dmarc": _dmarc(facts.dmarc),
        "from": {"addresses": list(author.addresses), "ambiguous": author.ambiguous},
        "identity": _identity(transaction, facts),
        "anomalies": [
            {"code": d.code, "where": d.where, "detail": d.detail, "ambiguous": d.ambiguous}
            for d in transaction.message.defects
        ],
        "parts": [_part(transaction.message, part) for part in transaction.message.parts],
        "links": _links(facts.reading),
        **({"engines": _engines(facts.engines)} if facts.engines else {}),  # where any is asked
        "findings": [_judged(judgement, rules) for judgement in decision.judgements],
        "edits": [_edit(edit) for edit in decision.edits],
        "notices": [
            {
                "to": transaction.envelope.reverse_path,
                "about": list(notice.recipients),
                "code": notice.judgement.finding.code,
            }
            for notice in plan.notices
        ],
        "reply": str(reply),
        "internal_error": next(
            (f"{v.check}: {v.error}" for v in decision.verdicts if v.error), None
        ),
    }


def _identity(transaction: Transaction, facts: Facts) -> dict[str, Any]:
    """Who is proven to have sent it: inside by login, device or trusted server, outside by what
    the author's domain vouches for ("dmarc", "dkim", "spf")."""
    inside = identity(transaction, facts)
    if not inside.inside and author_authenticated(transaction, facts):
        basis = author_proof(transaction, facts).value.lower()
        return {"authenticated_as": author(transaction), "basis": basis}
    return {"authenticated_as": inside.authenticated_as, "basis": inside.basis}


def _outcome(outcome: Outcome, rules: dict[str, tuple[str, ...]]) -> dict[str, Any]:
    first = outcome.reasons[0].finding if outcome.reasons else None
    return {
        "disposition": outcome.disposition.word,
        "reason": first.code if first else "",
        "rules": list(_rules(first, rules)) if first else [],
    }


def _rules(finding: Finding, rules: dict[str, tuple[str, ...]]) -> tuple[str, ...]:
    return finding.rules or rules.get(finding.code, ())


def _judged(judgement: Judgement, rules: dict[str, tuple[str, ...]]) -> dict[str, Any]:
    finding = judgement.finding
    return {
        "code": finding.code,
        "check": judgement.check,
        "recipients": list(finding.recipients),
        "evidence": finding.evidence,
        "rules": list(_rules(finding, rules)),
        "disposition": judgement.disposition.word,
        "waived_by": judgement.waived_by,
        "observed": judgement.observed,
    }


def _spf(fact: Spf | Unavailable) -> dict[str, Any]:
    if isinstance(fact, Unavailable):
        return {"result": "none", "domain": "", "unavailable": fact.unavailable}
    return {"result": fact.result, "domain": fact.domain}


def _dkim(fact: tuple[Dkim, ...] | Unavailable) -> list[dict[str, Any]]:
    if isinstance(fact, Unavailable):
        return []
    return [{"result": d.result, "domain": d.domain, "selector": d.selector} for d in fact]


def _dmarc(fact: Dmarc | Unavailable) -> dict[str, Any]:
    if isinstance(fact, Unavailable):
        return {"result": "none", "policy": "none", "unavailable": fact.unavailable}
    return {"result": fact.result, "policy": fact.policy}


def _engines(fact: Mapping[str, Scanned | EngineUnavailable] | Unavailable) -> dict[str, Any]:
    if isinstance(fact, Unavailable):
        return {"unavailable": fact.unavailable}
    return {name: _engine(said) for name, said in fact.items()}


def _engine(said: Scanned | EngineUnavailable) -> dict[str, Any]:
    if isinstance(said, EngineUnavailable):
        return {"unavailable": said.unavailable, "on_no_answer": said.on_no_answer.value}
    return {
        "score": said.score,
        "spam": said.spam,
        "points": said.points,
        "symbols": [{"name": symbol.name, "score": symbol.score} for symbol in said.symbols],
        "malware": said.malware,
        "unscannable": said.unscannable,
    }


def _part(message: Message, part: Part) -> dict[str, Any]:
    if part.children:
        body = message.raw[part.body_start : part.end]
    else:
        body, _ = mime.decoded_body(message, part)
    return {
        "path": part.path,
        "content_type": part.content_type,
        "filenames": list(part.filenames),
        "size": len(body),
        "sha256": hashlib.sha256(body).hexdigest(),
        "head": body[:_HEAD].hex(),
    }


def _links(reading: Reading | Unavailable) -> list[dict[str, Any]]:
    if isinstance(reading, Unavailable):
        return []
    return [
        {"part": link.part, "construct": link.construct, "target": link.target, "text": link.text}
        for link in reading.links
    ]


def _edit(edit: Edit) -> dict[str, Any]:
    if isinstance(edit, AddField):
        return {
            "kind": "add-field",
            "name": edit.name,
            "value": edit.value,
            "recipients": list(edit.recipients),
        }
    if isinstance(edit, RemoveField):
        return {
            "kind": "remove-field",
            "start": edit.start,
            "end": edit.end,
            "recipients": list(edit.recipients),
        }
    if isinstance(edit, Redirect):
        return {"kind": "redirect", "to": edit.to, "recipients": list(edit.recipients)}
    if isinstance(edit, Wrap):
        return {"kind": "wrap", "text": edit.text, "recipients": list(edit.recipients)}
    return {
        "kind": "replace-text",
        "part": edit.part,
        "start": edit.start,
        "end": edit.end,
        "replacement": edit.replacement,
        "recipients": list(edit.recipients),
    }
