"""The page behind a question of an approval.

Owns what it shows and which buttons it has. Must not know what an answer leads to.
"""

from __future__ import annotations

from mailguard.casework.approvals.life import ApprovalOutcome
from mailguard.casework.approvals.mail import ApprovalMailer
from mailguard.casework.tickets import Question


def page(post: ApprovalMailer, place: int) -> Question:
    """What an approver sees behind the link of their question."""
    approval, told = post.approval, post.approval.about
    asked = approval.asked[place]
    waits = asked in approval.silent and approval.outcome is ApprovalOutcome.WAITING
    return Question(
        title="Approve this message?",
        paragraphs=(
            f"Why it waits: {' '.join(told.why)} Rule: {told.rules}.",
            f"Approve delivers it as it was written. Refuse stops it. Without an answer by "
            f"{post.until()} it is not delivered. The sender is told either way.",
        ),
        particulars=(
            ("From", told.sender),
            ("To", ", ".join(told.to)),
            ("Subject", told.subject),
        ),
        excerpt=told.excerpt,
        choices=(("yes", "Approve"), ("no", "Refuse")) if waits else (),
        person=asked.name,
        outcome="" if waits else post.outcome(),
    )
