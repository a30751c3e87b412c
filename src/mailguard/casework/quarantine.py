"""Kept copies that a person decides about: let go, or not delivered (R26, R31).

Owns what a decision takes and what it entails: the copies that leave, the lesson, the author's
entry on the unblocked list. Must not know who decides by which command or page, or how it is
stored.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from mailguard.casework.lessons import Lesson, LessonStore
from mailguard.casework.refusal import CommandRefused
from mailguard.casework.tickets import KeptCopy, Listing
from mailguard.casework.unblocked_list import YEAR
from mailguard.core.decision.verdict import about_spam
from mailguard.core.mail.safe_text import terminal
from mailguard.core.record.formats import NewerFormat
from mailguard.core.sender.identity import author
from mailguard.core.spam import tokens
from mailguard.core.text.reading import Reading
from mailguard.pipeline.judged_message import JudgedMessage
from mailguard.pipeline.ports import Clock, LedgerEntry, Outgoing
from mailguard.pipeline.release import released

RELEASED: Final = "released"
DISCARDED: Final = "discarded"
EXPIRED: Final = "expired"
_LONGEST_NUMBER: Final = 18  # digits; what is longer is no number of ours


class AlreadyDecided(Exception):
    """Copies that are not there, or that somebody decided before; nothing was changed."""

    def __init__(self, references: Sequence[int]) -> None:
        super().__init__(", ".join(map(str, references)))
        self.references = tuple(references)


class KeptCopies(Protocol):
    """The store of what is kept. Every method raises StoreError."""

    async def find(self, transaction_id: str) -> LedgerEntry | None: ...

    async def hold(self, reference: int) -> KeptCopy | None: ...

    async def holds(
        self,
        state: str | None = "waiting",
        recipient: str | None = None,
        reverse_path: str | None = None,
        transaction_id: str | None = None,
    ) -> Sequence[KeptCopy]:
        """Oldest first; None does not filter."""
        ...

    async def decide_hold(
        self,
        references: Sequence[int],
        state: str,
        by: str,
        outgoing: Sequence[Outgoing] = (),
        listings: Sequence[Listing] = (),
    ) -> None:
        """Release or discard, all or none, with what leaves and what is listed in one commit.
        Raises AlreadyDecided."""
        ...


@dataclass(frozen=True)
class Quarantine:
    """What is kept and may be decided. Every method raises CommandRefused, in words for whoever
    asked, or StoreError."""

    kept: KeptCopies
    reopen: Callable[[LedgerEntry], Awaitable[JudgedMessage]]  # raises ValueError, NewerFormat
    lessons: LessonStore
    clock: Clock

    async def release(
        self, references: Sequence[str], by: str, *, learn: bool = True, allow: bool = False
    ) -> Sequence[KeptCopy]:
        """Deliver copies: the original bytes with the edits of their copy; the copies as they were.

        `learn` teaches that what was kept as spam is wanted mail; `allow` puts the author on the
        unblocked list for a year, in the commit of the release. A message's copies are one commit,
        so of several messages those before one that is refused have been released.
        """
        copies = await self._waiting(references)
        for message in _by_message(copies):
            await self._decide(message, RELEASED, by, learn, allow)
        return copies

    async def discard(
        self, references: Sequence[str], by: str, *, learn: bool = True
    ) -> Sequence[KeptCopy]:
        """Decide that copies are not delivered; the copies as they were. `learn` teaches that what
        was kept as spam is spam. A commit a message, as for `release`."""
        copies = await self._waiting(references)
        for message in _by_message(copies):
            await self._decide(message, DISCARDED, by, learn, False)
        return copies

    async def _waiting(self, references: Sequence[str]) -> Sequence[KeptCopy]:
        copies = await find(self.kept, references, "waiting")
        settled = [str(copy.id) for copy in copies if copy.state != "waiting"]
        if settled:
            raise CommandRefused(f"decided before, so nothing was changed: {', '.join(settled)}")
        return copies

    async def _decide(
        self, copies: Sequence[KeptCopy], decided: str, by: str, learn: bool, allow: bool
    ) -> None:
        """One message's copies in one commit; then what it teaches."""
        try:
            dossier = await self._carry_out(copies, decided, by, allow)
        except AlreadyDecided as error:
            raise CommandRefused(
                f"somebody else has just decided about {error}; see: mailguard quarantine list"
            ) from error
        reading = dossier.facts.reading if dossier is not None else None
        of_spam = any(about_spam(copy.reason) for copy in copies)
        if dossier is not None and learn and of_spam and isinstance(reading, Reading):
            words = tokens.words(dossier.transaction.message, reading)
            await self.lessons.teach([Lesson(copies[0].digest, words, decided != RELEASED)])

    async def _carry_out(
        self, copies: Sequence[KeptCopy], decided: str, by: str, allow: bool
    ) -> JudgedMessage | None:
        """The message as it was decided; None where this version cannot read its facts."""
        first, numbers = copies[0], [copy.id for copy in copies]
        entry = await self.kept.find(first.transaction_id)
        if entry is None:
            raise KeyError(first.transaction_id)
        try:
            dossier = await self.reopen(entry)
        except (ValueError, NewerFormat) as error:  # its facts were written by another version
            if decided == RELEASED:
                raise CommandRefused(
                    f"{first.transaction_id} cannot be decided again by this version, so the edits "
                    f"of its copy are unknown; `mailguard quarantine raw {first.id}` has the "
                    f"message: {error}"
                ) from error
            await self.kept.decide_hold(numbers, decided, by)
            return None
        outgoing: Sequence[Outgoing] = ()
        if decided == RELEASED:
            recipients = [(copy.id, copy.recipient) for copy in copies]
            outgoing = released(dossier, recipients, self.clock())
        listings = [_listing(dossier, first, by, self.clock())] if allow else []
        await self.kept.decide_hold(numbers, decided, by, outgoing, listings)
        return dossier


async def find(
    kept: KeptCopies, references: Sequence[str], state: str | None
) -> Sequence[KeptCopy]:
    """The copies that people mean, each once: by number, whatever its state, or by a transaction's
    id those in `state`. Raises CommandRefused where there is none."""
    found: dict[int, KeptCopy] = {}
    for reference in references:
        name = reference.strip().upper()
        if name.isascii() and name.isdigit() and len(name) <= _LONGEST_NUMBER:
            numbered = await kept.hold(int(name))
            copies = [numbered] if numbered is not None else []
        else:
            copies = list(await kept.holds(state=state, transaction_id=name))
            copies = copies or await _moved(kept, name, state)
        if not copies:
            raise CommandRefused(
                f"nothing is kept under {terminal(reference)}; see: mailguard quarantine list"
            )
        found |= {copy.id: copy for copy in copies}
    return list(found.values())


async def _moved(kept: KeptCopies, transaction_id: str, state: str | None) -> list[KeptCopy]:
    """What was kept under an id that notices name, and now belongs to the retry that followed."""
    entry = await kept.find(transaction_id)
    if entry is None:
        return []
    reverse_path = str(entry.envelope.get("reverse_path", ""))
    copies = await kept.holds(state=state, reverse_path=reverse_path)
    return [c for c in copies if c.digest == entry.digest and c.recipient in entry.recipients]


def _by_message(copies: Sequence[KeptCopy]) -> Sequence[Sequence[KeptCopy]]:
    grouped: dict[str, list[KeptCopy]] = {}
    for copy in copies:
        grouped.setdefault(copy.transaction_id, []).append(copy)
    return list(grouped.values())


def _listing(dossier: JudgedMessage, copy: KeptCopy, by: str, now: float) -> Listing:
    """The author's entry for the unblocked list: one address, or there is none to list (R37)."""
    mailbox = author(dossier.transaction)
    if not mailbox:
        raise CommandRefused(
            f"{copy.id} has no single author, so nobody can be put on the list; nothing was done"
        )
    if dossier.facts.district.owns(mailbox):
        raise CommandRefused(
            f"{terminal(mailbox)} is an address of the district, which the list is not for"
        )
    return Listing(mailbox, f"release {copy.id}", "", by, now, now + YEAR)
