"""What a case has to know of a kept copy: who answers for it, and whether an answer may let it go.

Owns these readings of a message's papers and of the directory. Must not know a case's state.
"""

from __future__ import annotations

from datetime import date

from mailguard.casework.unblocking.case import Copy, Who
from mailguard.casework.unblocking.matching import Kept
from mailguard.core.decision.verdict import about_spam
from mailguard.core.mail.address import normalise
from mailguard.core.people.directory import Directory
from mailguard.core.people.model import Person
from mailguard.core.sender.identity import author
from mailguard.core.sender.may_answer import may_answer
from mailguard.core.sender.outside_proof import author_authenticated
from mailguard.pipeline.judged_message import OUR_OWN, JudgedMessage


def copy_of(one: Kept, directory: Directory, today: date) -> Copy:
    """The copy as a case has it. Its recipient answers for it, and a group's owner for a group's
    (R30); nobody where the directory knows neither, or they have left."""
    hold = one.hold
    person = directory.person_at(hold.recipient)
    if person is None:
        group = directory.group_at(hold.recipient)
        person = directory.people.get(group.owner or "") if group is not None else None
    if person is not None and (not person.addresses or person.left_since(today) is not None):
        person = None
    who = who_is(person) if person is not None else None
    return Copy(hold.id, hold.transaction_id, hold.recipient, who, hard(one))


def who_is(person: Person) -> Who:
    """Somebody as they are asked; they have an address."""
    return Who(person.id, person.name, person.addresses[0])


def hard(one: Kept) -> str:
    """Why no answer lets a copy go, in words: what it is kept for is not spam alone, but malware or
    a forged identity (R28, R37). "" where an answer does."""
    if one.judged is None:
        return "it was recorded by another version"
    policy, decision = one.judged.snapshot.policy, one.judged.decision
    outcome = decision.outcomes.get(one.hold.recipient)
    codes = [one.hold.reason, *(r.finding.code for r in (outcome.reasons if outcome else ()))]
    for code in codes:
        kind = OUR_OWN.get(code) or policy.finding_type(code)
        if not about_spam(code) and not (kind is not None and kind.waivable):
            return kind.summary if kind is not None else f"it is kept for {code}"
    return ""


def proves(judged: JudgedMessage, address: str) -> bool:
    """Whether a message proves that the address is its writer's, who may be answered (R33)."""
    transaction, facts = judged.transaction, judged.facts
    if not may_answer(transaction, facts):
        return False
    if normalise(transaction.envelope.reverse_path) == address:
        return True
    return author(transaction) == address and author_authenticated(transaction, facts)
