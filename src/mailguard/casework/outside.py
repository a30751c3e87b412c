"""An approver outside the district, heard: what proves that an answer by mail is theirs.

Owns the one proof that counts, our own verification of their domain's DKIM signature over the whole
answer and over what leads it to its question. SPF, a forwarder's word (ARC) and an account of the
district prove nothing of it. Must not know what was asked, or what the answer says.
"""

from __future__ import annotations

from dataclasses import dataclass

from mailguard.casework.answers import references
from mailguard.casework.answers.token import Token
from mailguard.core.mail.transaction import Origin
from mailguard.core.people.directory import Directory
from mailguard.core.sender.identity import author
from mailguard.core.sender.outside_proof import signatures_of_author
from mailguard.core.text.reading import Reading
from mailguard.pipeline.judged_message import JudgedMessage


@dataclass(frozen=True, slots=True)
class OutsideAnswer:
    """Whose it is, and the tokens that their signature covers."""

    id: str  # "outside:counsel"
    tokens: tuple[Token, ...]


def outside_answer(
    judged: JudgedMessage, directory: Directory, reading: Reading
) -> OutsideAnswer | None:
    """Who of the registered outside approvers wrote a letter, proven; None for everybody else.

    The tokens are those of the Subject, where the signature has it, and of the text: In-Reply-To
    and References may have been put on top of a signed mail by anybody (RFC 6376 8.15)."""
    transaction = judged.transaction
    if transaction.origin is not Origin.OUTSIDE:
        return None
    approver = directory.outside_at(author(transaction))
    if approver is None:
        return None
    signed = signatures_of_author(transaction, judged.facts)
    if not any("subject" not in one.uncovered for one in signed):
        return None
    return OutsideAnswer(approver.id, references.signed(transaction.message, reading))
