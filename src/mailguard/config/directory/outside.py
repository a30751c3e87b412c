"""Addresses outside the district whose yes policy may ask for: its counsel.

Owns `directory/outside.yaml`. Must not know what they approve, or what proves their answers.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from mailguard.config.directory.draft import Draft, entries
from mailguard.config.form.forms import Section
from mailguard.core.decision.approval import OUTSIDE
from mailguard.core.mail.mailbox import ALLOWED, is_pattern
from mailguard.core.mail.safe_text import quoted
from mailguard.core.people.model import OutsideApprover


class OutsideEntry(Section):
    """An approver outside the district: an entry of `outside.yaml` under the id that `policy.yaml`
    names as `outside:` and the id."""

    name: str = Field(
        min_length=1, description="As people are told who is asked: Lena Linden, district counsel."
    )
    address: str = Field(
        description="One mail address outside the district. Its domain must sign with DKIM: an "
        "answer counts only where that signature covers the whole of it, its To, Cc and Subject "
        "included.",
    )


def read_outside(draft: Draft, folder: Path) -> None:
    """Read `outside.yaml` where it is. After people and groups, whose addresses it may not have."""
    for id, row, where in entries(folder / "outside.yaml", OutsideEntry, optional=True):
        if is_pattern(row.address):
            problem = f"{quoted(row.address)} is a pattern: answers count from one address"
            draft.errors.append(where("address", problem, ALLOWED))
            continue
        for mailbox in draft.mailboxes([row.address], where, "address"):
            if draft.district.owns(mailbox):
                problem = f"{quoted(mailbox)} is at a domain of the district"
                allowed = "an address outside; policy.yaml names people of the district themselves"
                draft.errors.append(where("address", problem, allowed))
            other = draft.holders.setdefault(mailbox, f"outside {id}")
            if other != f"outside {id}":  # who is in the directory answers from their own account
                problem = f"{quoted(mailbox)} belongs to {other} already"
                draft.errors.append(where("address", problem, "each address once"))
            key = f"{OUTSIDE}{id}"
            draft.outside[key] = OutsideApprover(key, row.name, mailbox)
