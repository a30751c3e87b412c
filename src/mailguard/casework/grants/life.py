"""Approvals given beforehand: this sender, this group, so many messages until that day (R18).

Owns the state of one, and when it covers a message. Pure. Must not know how it is stored, or that
the use of one and the release it allows are one commit.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import date

from pydantic import TypeAdapter

from mailguard.core.people.model import Person
from mailguard.core.record.formats import Format


@dataclass(frozen=True, slots=True)
class PreApproval:
    """`giver` approves as if asked, so it counts only where the giver has a seat."""

    sender: str  # a person id, or an address in lower case
    group: str  # its address
    first: date
    last: date
    count: int  # messages in all
    used: int
    giver: str  # a person id
    giver_name: str
    reference: str  # the document: "Memo 12"

    @property
    def left(self) -> int:
        return self.count - self.used


GRANT = Format("grant", TypeAdapter(PreApproval))


def covers(
    grant: PreApproval,
    codes: Collection[str],
    grantable: Collection[str],
    person: Person | None,
    mailbox: str,
    recipients: Collection[str],
    today: date,
) -> bool:
    """Whether it speaks for this message: the sender's, proven; to its group among the held
    recipients; held for nothing that a grant cannot know of: all the reasons are `grantable`."""
    theirs = {mailbox, person.id, *person.addresses} if person is not None else {mailbox}
    return (
        grant.left > 0
        and grant.first <= today <= grant.last
        and grant.sender in theirs
        and grant.group in recipients
        and set(grantable).issuperset(codes)
    )


def used(grant: PreApproval) -> PreApproval:
    """Once more."""
    return replace(grant, used=grant.used + 1)
