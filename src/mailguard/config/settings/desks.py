"""The settings of the desks where mailguard reads mail: approvals and requests to unblock.

Owns their names, defaults and bounds; the field descriptions are the reference. Must not know what
a desk does with them.
"""

from __future__ import annotations

from pydantic import Field

from mailguard.config.form.forms import Section


class ApprovalsSettings(Section):
    """How long approvers have, and whose word counts as theirs (R18)."""

    reminder_days: float = Field(
        1.0,
        gt=0,
        le=60,
        description="School days after which an approver who has not answered is asked once more. "
        "Weekends and the holidays of `calendar.yaml` do not count.",
    )
    expiry_days: float = Field(
        3.0,
        gt=0,
        le=120,
        description="School days after which a message that nobody has answered for is not "
        "delivered; its sender is told. The archive keeps it.",
    )
    relay_vouches: bool = Field(
        True,
        description="An answer counts when a trusted server (a `relay` listener) passes it on for "
        "an author of the district, as where people write in Exchange or Google. Otherwise only "
        "answers that come by login, or on the page.",
    )


class SpamDeskSettings(Section):
    """Requests to unblock a sender, by mail to spammail@ (R28 to R38)."""

    review: str = Field(
        "person",
        pattern="^(person|rule)$",
        description="Who looks at the content before anybody is unblocked (R32): a reviewer, or "
        "`rule`: the checks have looked, and what they keep for more than spam still waits for a "
        "person. Staff requests about senders of whom nothing is kept have no content to look at.",
    )
    reviewers: tuple[str, ...] = Field(
        (),
        description="Ids or addresses of those who review and decide. Where empty: the Technology "
        "Services Director, the Executive Director of IT and the designee, by their roles.",
    )
    ask_reviewers: str = Field(
        "mailbox",
        pattern="^(mailbox|people|both)$",
        description="Where reviewers are asked: by one mail to the spammail@ mailbox, by one to "
        "each of them, or both. Whoever reads that mailbox can answer on the page.",
    )
    sheets_from: tuple[str, ...] = Field(
        (),
        description="Roles, ids or addresses of those who may hand in sheets of parents' addresses "
        "(R38). Where empty: site secretaries, principals and the Technology Services Director. "
        "Administrators of sites always may.",
    )
    hours: float = Field(
        24.0, gt=0, le=240, description="Hours until a request is overdue, on business days (R34)."
    )
    reminder_days: float = Field(
        1.0,
        gt=0,
        le=60,
        description="Business days after which a recipient who is silent is asked once more, and "
        "again after as many.",
    )
    give_up_days: float = Field(
        5.0,
        gt=0,
        le=120,
        description="Business days after which a recipient who is silent is not waited for any "
        "more. The copy stays in quarantine as long as others do.",
    )
    relay_vouches: bool = Field(
        True,
        description="A trusted server's word for an author of the district counts as their own "
        "account, as where people write in Exchange or Google.",
    )
