"""The page behind a question of an unblock case.

Owns what it shows and which buttons it has. Must not know what an answer leads to.
"""

from __future__ import annotations

from mailguard.casework.tickets import Question
from mailguard.casework.unblocking.case import Asks, Query, Said
from mailguard.casework.unblocking.mail import CaseMailer

_VERIFY = (("yes", "Yes, unblock"), ("no", "No, discard"), ("unsure", "Not sure"))
_REVIEW = (("yes", "Accept the content"), ("no", "Refuse it"))
_DECIDE = (("yes", "Unblock"), ("no", "Deny"))


def page(post: CaseMailer, query: Query, *, late: bool) -> Question:
    """`late`: the sender was unblocked without this recipient's word, and their copy still waits
    for it."""
    case, shown = post.case, post.shown(query)
    about = (
        ("Address", ", ".join(case.addresses[:10])),
        ("From", shown.sender),
        ("To", post.recipients(query)),
        ("Subject", shown.subject),
        ("Date", shown.date),
    )
    choices: tuple[tuple[str, str], ...] = _DECIDE
    paragraphs: tuple[str, ...] = (post.situation(query), f"Blocked for: {shown.why}")
    title, waits = "Unblock this sender?", not case.ended
    if query.asks is Asks.REVIEW:
        unseen = {copy.hold for copy in case.copies if not copy.reviewed}
        choices, waits = _REVIEW, waits and not unseen.isdisjoint(query.holds)
        title = "Is the content fit?"
    elif query.asks is Asks.VERIFY:
        waits = waits and case.says(query.who.person) in (None, Said.UNSURE)
        choices, title, paragraphs = _VERIFY, "A valid sender?", (_WHAT_FOLLOWS,)
    if late:
        choices, waits = (("yes", "Yes, deliver it to me"),), True
    return Question(
        title=title,
        paragraphs=paragraphs,
        particulars=tuple((label, value) for label, value in about if value),
        excerpt=shown.excerpt,
        choices=choices if waits else (),
        person=query.who.name,
        outcome="" if waits else post.outcome(),
    )


_WHAT_FOLLOWS = (
    "Is this a valid sender to you? Yes unblocks the address for the whole district and delivers "
    "the message to you. No discards it. Not sure sends you the blocked message itself."
)
