"""Who wrote a letter to one of our desks, as far as that is proven, and which tokens it carries.

Must not know what an answer means, or to whom a token leads.
"""

from __future__ import annotations

from dataclasses import dataclass

from mailguard.casework.answers import answer, references
from mailguard.casework.answers.answer import Answer
from mailguard.casework.answers.token import Token
from mailguard.casework.outside import outside_answer
from mailguard.core.people.directory import Directory
from mailguard.core.people.model import Person
from mailguard.core.sender.identity import Identity, identity
from mailguard.core.sender.written_by import written_by
from mailguard.core.text.reading import Reading
from mailguard.pipeline.judged_message import JudgedMessage
from mailguard.pipeline.off_loop import off_loop_if_large, weight


@dataclass(frozen=True, slots=True)
class Correspondent:
    """Who wrote a letter, as far as that is proven, and the tokens that it carries."""

    who: Identity
    person: Person | None  # whose own hand it is: no device, no account of many, no delegate
    reading: Reading
    tokens: tuple[Token, ...]
    id: str  # of the person, or of a registered approver outside: who answers; "" for nobody
    counting: tuple[Token, ...]  # of the tokens, those that are proven to be the writer's


def hear(judged: JudgedMessage, relay_vouches: bool, directory: Directory) -> Correspondent | None:
    """What has to be known of a letter first; None for automatic mail, which asks and answers
    nothing. `relay_vouches`: a trusted server's word for an author counts as an account's."""
    transaction, message = judged.transaction, judged.transaction.message
    if not transaction.envelope.reverse_path or answer.is_automatic(message):
        return None
    who = identity(transaction, judged.facts, relay_vouches=relay_vouches)
    known = judged.facts.reading
    reading = known if isinstance(known, Reading) else Reading()
    tokens = references.references(message, reading)
    person = written_by(who, transaction)
    if person is not None:
        return Correspondent(who, person, reading, tokens, person.id, tokens)
    outside = None if who.inside else outside_answer(judged, directory)
    if outside is not None:
        return Correspondent(who, None, reading, tokens, outside.id, outside.tokens)
    return Correspondent(who, None, reading, tokens, "", ())


async def answer_in(judged: JudgedMessage, reading: Reading) -> Answer:
    """What a letter answers."""
    transaction = judged.transaction
    size = weight(transaction)
    return await off_loop_if_large(size, answer.read_answer, transaction.message, reading)
