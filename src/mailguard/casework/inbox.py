"""Where mailguard itself reads mail, and where matters come due.

Owns the loop: each letter is given to its desk's clerk, then each clerk gets its turn. A letter
that cannot be read after some tries goes to the postmaster: nothing is dropped. Must not know what
a letter means to a clerk.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterable, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import structlog

from mailguard import metrics
from mailguard.casework.answers import answer, references
from mailguard.casework.answers.token import Token
from mailguard.casework.left_alone import LeftAlone, left_alone
from mailguard.casework.tickets import Conflict, Handler, Question, Ticket, Tickets, UnreadMail
from mailguard.core.people.model import Person
from mailguard.core.record.formats import NewerFormat
from mailguard.core.sender.identity import Identity, identity
from mailguard.core.sender.written_by import written_by
from mailguard.core.text.reading import Reading
from mailguard.pipeline.bell import Bell
from mailguard.pipeline.judged_message import JudgedMessage
from mailguard.pipeline.ports import Clock, Outgoing, StoreError

log = structlog.get_logger("mailguard.desk")

_AT_ONCE = 50  # letters
_TRIES = 5  # of one letter


async def each_alone(
    kind: str,
    works: AsyncIterable[tuple[int | str, Callable[[], Awaitable[None]]]],
    left: LeftAlone,
) -> bool:
    """A clerk's turn: one piece of work after the other, each with its matter's number or its
    message's transaction (0 for neither); one that fails stops no other. Whether more is `left`
    than before: then what is due behind it is to be looked at as well. Raises StoreError at the
    end, where some did for want of the store."""
    trouble: StoreError | None = None
    more = False
    async for number, work in works:
        try:
            await work()
        except NewerFormat as newer:
            more |= left.add(kind, number, newer)
        except Conflict as conflict:  # somebody was quicker; the next turn sees what is left
            log.info("desk_conflict", kind=kind, matter=number, reason=str(conflict))
        except StoreError as error:  # it may be one message's damaged copy
            log.error("desk_store", kind=kind, matter=number, reason=str(error))
            trouble = error
        except Exception:
            log.exception("desk_error", kind=kind, matter=number)
            metrics.INTERNAL_ERRORS.labels(kind).inc()
    if trouble is not None:
        raise trouble
    return more


@dataclass(frozen=True, slots=True)
class Correspondent:
    """Who wrote a letter, as far as that is proven, and the tokens that it carries."""

    who: Identity
    person: Person | None  # whose own hand it is: no device, no account of many, no delegate
    reading: Reading
    tokens: tuple[Token, ...]


def hear(dossier: JudgedMessage, relay_vouches: bool) -> Correspondent | None:
    """What a clerk has to know of a letter first; None for automatic mail, which asks and answers
    nothing. `relay_vouches`: a trusted server's word for an author counts as an account's."""
    transaction, message = dossier.transaction, dossier.transaction.message
    if not transaction.envelope.reverse_path or answer.is_automatic(message):
        return None
    who = identity(transaction, dossier.facts, relay_vouches=relay_vouches)
    known = dossier.facts.reading
    reading = known if isinstance(known, Reading) else Reading()
    tokens = references.references(message, reading)
    return Correspondent(who, written_by(who, transaction), reading, tokens)


class Letters(Protocol):
    """The letters as this module needs them; every method is durable, and raises StoreError."""

    async def waiting(self, limit: int) -> Sequence[UnreadMail]:
        """Unread letters, oldest first; each counts as tried when it is given out."""
        ...

    async def settle(
        self, letter: int, outcome: str, outgoing: Sequence[Outgoing] = ()
    ) -> None: ...


TakeUp = Callable[[str], Awaitable[JudgedMessage]]
"""A recorded transaction taken up again, by its id. Raises KeyError, ValueError, NewerFormat or
StoreError."""


class Inbox:
    """The loop. Two of them at once do no harm: a second one's steps are Conflicts.

    `clerks` by the desk's name and `kinds` by the kind of matter; `unread` makes the mail that
    takes a letter nobody could read to the postmaster.
    """

    def __init__(
        self,
        letters: Letters,
        matters: Tickets,
        take_up: TakeUp,
        clerks: Mapping[str, Handler],
        kinds: Mapping[str, Handler],
        unread: Callable[[UnreadMail], Awaitable[Sequence[Outgoing]]],
        clock: Clock,
        bell: Bell,
        poll: float = 2.0,
    ) -> None:
        self._letters = letters
        self._matters = matters
        self._take_up = take_up
        self._clerks = clerks
        self._kinds = kinds
        self._unread = unread
        self._clock = clock
        self._poll = poll
        self._bell = bell

    async def run(self) -> None:
        """Until cancelled. Trouble of our own is logged, and tried again a little later."""
        while True:
            try:
                await self.turn()
            except StoreError as error:
                log.error("desk_store", reason=str(error))
            except Exception:
                log.exception("desk_error")
                metrics.INTERNAL_ERRORS.labels("desk").inc()
            await self._bell.heard(self._poll)

    async def turn(self) -> None:
        """Everything that waits now, once. Raises StoreError at the end where something failed for
        it: that may be one message's damaged copy, which holds up no other."""
        trouble: list[StoreError] = []
        for letter in await self._letters.waiting(_AT_ONCE):
            try:
                await self._read(letter)
            except StoreError as error:
                log.error("letter_store", letter=letter.id, reason=str(error))
                trouble.append(error)
        for clerk in {id(clerk): clerk for clerk in self._kinds.values()}.values():
            try:
                await clerk.turn(self._clock())
            except Conflict as conflict:
                log.info("desk_conflict", reason=str(conflict))
            except StoreError as error:
                trouble.append(error)
            except Exception:
                log.exception("desk_error")
                metrics.INTERNAL_ERRORS.labels("desk").inc()
        if trouble:
            raise trouble[0]

    async def _read(self, letter: UnreadMail) -> None:
        clerk = self._clerks.get(letter.desk)
        if clerk is None:
            await self._letters.settle(letter.id, "no clerk")
            return
        try:
            await clerk.read(letter, await self._take_up(letter.transaction_id))
        except NewerFormat as newer:  # the newer version reads it; here it waits behind the others
            left_alone("letter", letter.id, newer)
        except Conflict as conflict:  # somebody else was quicker; what is left comes again
            log.info("desk_conflict", letter=letter.id, reason=str(conflict))
        except StoreError:
            raise
        except Exception:
            log.exception("letter_unread", letter=letter.id, attempt=letter.attempts)
            metrics.INTERNAL_ERRORS.labels("letter").inc()
            if letter.attempts >= _TRIES:
                await self._pass_on(letter)

    async def _pass_on(self, letter: UnreadMail) -> None:
        """A letter that nobody could read goes to the postmaster."""
        try:
            outgoing = await self._unread(letter)
        except KeyError:  # not in the archive: there is nothing to pass on
            log.error("letter_lost", letter=letter.id, transaction=letter.transaction_id)
            await self._letters.settle(letter.id, "unread, and not in the archive")
            return
        await self._letters.settle(letter.id, "unread", outgoing)

    # The pages

    async def question(self, token: str) -> Question | None:
        """What the page of a token shows; None where it is none of ours. Raises StoreError, also
        where a newer version has to answer."""
        matter = await self._of(token)
        clerk = self._kinds.get(matter.kind) if matter is not None else None
        try:
            return await clerk.question(matter, token) if matter and clerk else None
        except NewerFormat as newer:
            raise _for_the_newer(matter, newer) from newer

    async def answer(self, token: str, choice: str, remark: str = "") -> str | None:
        """A POST on that page: what came of it, in words. A conflict is looked at once more."""
        for _ in range(3):
            matter = await self._of(token)
            clerk = self._kinds.get(matter.kind) if matter is not None else None
            if matter is None or clerk is None:
                return None
            try:
                with contextlib.suppress(Conflict):
                    return await clerk.answer(matter, token, choice, remark)
            except NewerFormat as newer:
                raise _for_the_newer(matter, newer) from newer
        raise StoreError("others act on the same matter; please try again")

    async def _of(self, token: str) -> Ticket | None:
        number = token.partition("-")[0]
        return (
            await self._matters.load(int(number))
            if number.isascii() and number.isdecimal() and len(number) < 13
            else None
        )


def _for_the_newer(matter: Ticket | None, newer: NewerFormat) -> StoreError:
    if matter is not None:
        left_alone(matter.kind, matter.id, newer)
    return StoreError(str(newer))
