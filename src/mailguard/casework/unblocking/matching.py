"""Which kept messages a letter to spammail@ is about, and who wrote those (R28).

Owns where is looked: for what the letter forwards, for the ids that our own notices told, and for
the kept mail of whoever writes or is named. The address in question is always the kept message's
author, never what a forward claims. Must not know what a match leads to.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mailguard.casework.answers import references
from mailguard.casework.tickets import KeptCopy, TakeUp, Tickets
from mailguard.casework.unblocking import forwarded
from mailguard.casework.unblocking.forwarded import Candidate, Match, Original, folded_subject
from mailguard.core.mail.address import normalise
from mailguard.core.mail.mailbox import single_address
from mailguard.core.record.formats import NewerFormat
from mailguard.core.sender.identity import author
from mailguard.core.sender.may_answer import may_answer
from mailguard.core.text.new_text import own_words, words_of
from mailguard.core.text.reading import Reading
from mailguard.pipeline.judged_message import JudgedMessage
from mailguard.pipeline.off_loop import off_loop_if_large, weight

Row = tuple[KeptCopy, Mapping[str, Any]]

_COPIES = 500  # of one message or sender
_RECENT = 1_000  # copies among which a subject alone is looked for
_IDS = 10  # of our transactions, in one letter
_TAKEN_UP = 20  # messages read again to see who wrote them
_SENDERS = 10  # in one letter
_BLOCKED = frozenset(("blocked", "unblock", "unblocked", "unblocking", "bloqueado", "desbloquear"))


@dataclass(frozen=True)
class Kept:
    """A copy, with the message's papers; None where another version wrote them."""

    hold: KeptCopy
    judged: JudgedMessage | None


@dataclass(frozen=True)
class Matched:
    """What a letter is about. `senders` by the outside address in question."""

    senders: Mapping[str, tuple[Kept, ...]] = field(default_factory=dict)
    forwards: bool = False  # it forwards something, whether we keep it or not
    authorless: tuple[int, ...] = ()  # copies that fit and have no single outside author


class Finder:
    """Looks for one letter's messages."""

    def __init__(self, tickets: Tickets, take_up: TakeUp, letter: JudgedMessage) -> None:
        self._tickets = tickets
        self._take_up = take_up
        self._letter = letter
        self._taken: dict[str, JudgedMessage | None] = {}

    async def forwarded(self) -> Matched:
        """What the letter forwards, or names by our own reference."""
        transaction, reading = self._letter.transaction, self._reading
        found = await off_loop_if_large(
            weight(transaction), forwarded.originals, transaction.message, reading
        )
        rows = await self._by_reference()
        rows |= await self._by_originals(found)
        return await self._grouped(rows.values(), bool(found or rows))

    async def of_the_writer(self) -> Matched:
        """The writer's own kept mail, where a proven writer says that something was blocked."""
        if not may_answer(self._letter.transaction, self._letter.facts):
            return Matched()
        size = weight(self._letter.transaction)
        if not await off_loop_if_large(size, self._says_blocked):
            return Matched()
        mailbox = author(self._letter.transaction)
        reverse_path = self._letter.transaction.envelope.reverse_path
        if not mailbox or mailbox != normalise(reverse_path):
            return Matched()
        found = await self._tickets.kept(sender=reverse_path, limit=_COPIES)
        return await self._grouped(found, False)

    async def by(self, mailbox: str, recipients: Sequence[str]) -> tuple[Kept, ...]:
        """What we keep by this author: what came to these recipients, else everything."""
        rows = await self._tickets.kept(sender=mailbox, limit=_COPIES)
        own = {normalise(recipient) for recipient in recipients}
        theirs = [row for row in rows if normalise(row[0].recipient) in own]
        grouped = await self._grouped(theirs or rows, False)
        return grouped.senders.get(mailbox, ())

    def _says_blocked(self) -> bool:
        rows = own_words(self._letter.transaction.message, self._reading)
        said = {word for own in rows for row in own.rows for word in words_of(row)}
        return not said.isdisjoint(_BLOCKED)

    @property
    def _reading(self) -> Reading:
        reading = self._letter.facts.reading
        return reading if isinstance(reading, Reading) else Reading()

    async def _by_reference(self) -> dict[int, Row]:
        rows: dict[int, Row] = {}
        message = self._letter.transaction.message
        for transaction_id in references.transactions(message, self._reading)[:_IDS]:
            judged = await self._taken_up(transaction_id)
            if judged is not None:
                found = await self._tickets.kept(digest=judged.digest, limit=_COPIES)
                rows |= {row[0].id: row for row in found}
        return rows

    async def _by_originals(self, found: Sequence[Original]) -> dict[int, Row]:
        """Each original by itself; a subject without an address only where nothing else fits."""
        rows: dict[int, Row] = {}
        for original in found:
            for digest in original.digests:
                rows |= await self._rows(digest=digest)
            bare = original.message_id.strip("<> \t")
            if bare:
                rows |= await self._rows(message_id=f"<{bare}>") | await self._rows(message_id=bare)
        rows |= await self._by_subject(found)
        candidates = [await self._candidate(row) for row in rows.values()]
        matches = [forwarded.match((original,), candidates) for original in found]
        strong = [one for one in matches if one.how not in ("", "subject-alone")]
        hits = {c.hold for one in strong or matches if self._single(one) for c in one.candidates}
        return {number: row for number, row in rows.items() if number in hits}

    def _single(self, match: Match) -> bool:
        """Whether one author wrote all that fits: else nobody can say who is meant."""
        return len({candidate.sender for candidate in match.candidates}) == 1

    async def _by_subject(self, found: Sequence[Original]) -> dict[int, Row]:
        wanted = {folded_subject(o.subject) for o in found if o.subject}
        if not wanted:
            return {}
        rows: dict[int, Row] = {}
        for sender in {original.sender for original in found} - {""}:
            rows |= await self._rows(sender=sender)
        rows |= {row[0].id: row for row in await self._tickets.kept(limit=_RECENT)}
        return {n: row for n, row in rows.items() if folded_subject(row[1]["subject"]) in wanted}

    async def _rows(
        self, *, message_id: str = "", digest: str = "", sender: str = ""
    ) -> dict[int, Row]:
        found = await self._tickets.kept(
            message_id=message_id, digest=digest, sender=sender, limit=_COPIES
        )
        return {row[0].id: row for row in found}

    async def _candidate(self, row: Row) -> Candidate:
        hold, told = row
        judged = await self._taken_up(hold.transaction_id)
        sender = author(judged.transaction) if judged is not None else hold.reverse_path
        return Candidate(
            hold=hold.id,
            message_id=str(told["message_id"]),
            digest=hold.digest,
            sender=sender or normalise(hold.reverse_path),
            subject=str(told["subject"]),
            recipients=(hold.recipient,),
        )

    async def _grouped(self, rows: Iterable[Row], forwards: bool) -> Matched:
        """By author; the letter itself is none of it, though spam may go to spammail@ as well."""
        senders: dict[str, list[Kept]] = {}
        authorless: list[int] = []
        for hold, _ in rows:
            if hold.digest == self._letter.digest:
                continue
            judged = await self._taken_up(hold.transaction_id)
            mailbox = outside_author(judged) if judged is not None else ""
            if not mailbox:
                authorless.append(hold.id)
            elif mailbox in senders or len(senders) < _SENDERS:
                senders.setdefault(mailbox, []).append(Kept(hold, judged))
        kept = {mailbox: tuple(copies) for mailbox, copies in senders.items()}
        return Matched(kept, forwards, tuple(authorless))

    async def _taken_up(self, transaction_id: str) -> JudgedMessage | None:
        if transaction_id not in self._taken:
            if len(self._taken) >= _TAKEN_UP:
                return None
            try:
                self._taken[transaction_id] = await self._take_up(transaction_id)
            except (KeyError, ValueError, NewerFormat):  # unknown, or written by another version
                self._taken[transaction_id] = None
        return self._taken[transaction_id]


def outside_author(judged: JudgedMessage) -> str:
    """The single outside address that wrote a message; "" for none that could be listed (R37)."""
    mailbox = author(judged.transaction)
    if not mailbox or judged.snapshot.district.owns(mailbox):
        return ""
    try:
        return single_address(mailbox)
    except ValueError:
        return ""
