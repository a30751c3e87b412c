"""An approver outside the district, heard: what proves that an answer by mail is theirs.

Owns the one proof that counts, our own verification of their domain's DKIM signature over the whole
answer: who wrote it, to whom, about what, and how its text is to be read. SPF, a forwarder's word
(ARC) and an account of the district prove nothing of it. Must not know what was asked, or what the
answer says.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from mailguard.casework.answers import references
from mailguard.casework.answers.token import Token
from mailguard.core.decision.facts import Dkim
from mailguard.core.mail.message import Message
from mailguard.core.mail.transaction import Origin
from mailguard.core.people.directory import Directory
from mailguard.core.sender.claimed_addresses import claims
from mailguard.core.sender.identity import author
from mailguard.core.sender.outside_proof import signatures_of_author
from mailguard.pipeline.judged_message import JudgedMessage

# What is there has to be signed: whoever passes a signed mail on may put on it whatever is not.
_SIGNED: Final = frozenset(("subject", "to", "cc", "content-transfer-encoding"))


@dataclass(frozen=True, slots=True)
class OutsideAnswer:
    """Whose it is, and the tokens that their signature covers."""

    id: str  # "outside:counsel"
    tokens: tuple[Token, ...]


def outside_answer(judged: JudgedMessage, directory: Directory) -> OutsideAnswer | None:
    """Who of the registered outside approvers wrote a letter, proven, for one of our desks; None
    for everybody else, and for what they wrote to somebody else or with another's hand.

    The tokens are the Subject's: a text may quote any other, and In-Reply-To and References may
    have been put on top of a signed mail by anybody (RFC 6376 8.15)."""
    transaction, message = judged.transaction, judged.transaction.message
    if transaction.origin is not Origin.OUTSIDE:
        return None
    approver = directory.outside_at(author(transaction))
    if approver is None:
        return None
    named = {mailbox for place, mailbox in claims(transaction) if place != "reverse-path"}
    to = (*message.mailboxes("To").addresses, *message.mailboxes("Cc").addresses)
    if named != {approver.address} or not judged.snapshot.district.desks(to):
        return None
    if not any(_covers(one, message) for one in signatures_of_author(transaction, judged.facts)):
        return None
    return OutsideAnswer(approver.id, references.of_subject(message))


def _covers(signature: Dkim, message: Message) -> bool:
    """Whether a signature leaves open nothing that decides what an answer says. Many firms sign no
    Content-Type: then the signed body has to begin with the boundary that it names, so that nobody
    can have named another one and made a part of what is quoted, or a whole of a part."""
    uncovered = {name.lower() for name in signature.uncovered}
    if uncovered & _SIGNED:
        return False
    return "content-type" not in uncovered or _begins_as_named(message)


def _begins_as_named(message: Message) -> bool:
    root = message.root
    first = b"--" + root.parameters.get("boundary", "").encode("utf-8", "replace")
    line = message.raw[root.body_start : root.body_start + len(first) + 2].rstrip(b"\r\n")
    return root.is_multipart and len(first) > 2 and line == first
