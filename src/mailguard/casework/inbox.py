"""Where mailguard itself reads mail, and where tickets come due.

Owns the loop: each letter is given to its desk's handler, then each handler gets its turn. A letter
that cannot be read after some tries goes to the postmaster: nothing is dropped. Must not know what
a letter means to a handler.
"""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Protocol

import structlog

from mailguard import metrics
from mailguard.casework.stored_state import left_alone
from mailguard.casework.tickets import (
    Conflict,
    Handler,
    Question,
    TakeUp,
    Ticket,
    Tickets,
    UnreadMail,
)
from mailguard.core.record.formats import NewerFormat
from mailguard.pipeline.bell import Bell
from mailguard.pipeline.ports import Clock, Outgoing, StoreError

log = structlog.get_logger("mailguard.desk")

_AT_ONCE = 50  # letters
_TRIES = 5  # of one letter
_OTHERS = 3_600.0  # seconds that a letter of a workflow that is not here waits for another version


class Letters(Protocol):
    """The letters as this module needs them; every method is durable, and raises StoreError."""

    async def waiting(self, limit: int) -> Sequence[UnreadMail]:
        """Unread letters, oldest first; each counts as tried when it is given out."""
        ...

    async def settle(
        self, letter: int, outcome: str, outgoing: Sequence[Outgoing] = ()
    ) -> None: ...


class Inbox:
    """The loop. Two of them at once do no harm: a second one's steps are Conflicts.

    `desks` are the handlers by the desk's name, and `kinds` by the kind of their tickets; `unread`
    makes the mail that takes a letter nobody could read to the postmaster.
    """

    def __init__(
        self,
        letters: Letters,
        tickets: Tickets,
        take_up: TakeUp,
        desks: Mapping[str, Handler],
        kinds: Mapping[str, Handler],
        unread: Callable[[UnreadMail], Awaitable[Sequence[Outgoing]]],
        clock: Clock,
        bell: Bell,
        poll: float = 2.0,
    ) -> None:
        self._letters = letters
        self._tickets = tickets
        self._take_up = take_up
        self._desks = desks
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
        at_hand = await self._tickets.at_hand(tuple(self._kinds), self._clock())
        for mail in await self._letters.waiting(_AT_ONCE) if at_hand.mail else ():
            try:
                await self._read(mail)
            except Conflict as conflict:  # somebody else was quicker; what is left comes again
                log.info("desk_conflict", letter=mail.id, reason=str(conflict))
            except StoreError as error:
                log.error("letter_store", letter=mail.id, reason=str(error))
                trouble.append(error)
        for handler in {id(one): one for one in self._kinds.values()}.values():
            now = self._clock()
            if not at_hand and not handler.begins(now):
                continue
            try:
                await handler.turn(now)
            except Conflict as conflict:
                log.info("desk_conflict", reason=str(conflict))
            except StoreError as error:
                trouble.append(error)
            except Exception:
                log.exception("desk_error")
                metrics.INTERNAL_ERRORS.labels("desk").inc()
        if trouble:
            raise trouble[0]

    async def _read(self, mail: UnreadMail) -> None:
        handler = self._desks.get(mail.desk)
        if (
            handler is None
        ):  # a newer version's workflow: that one reads it, while it runs beside us
            if self._clock() - mail.created_at > _OTHERS:
                await self._pass_on(mail)
            return
        try:
            await handler.read(mail, await self._take_up(mail.transaction_id))
        except NewerFormat as newer:  # the newer version reads it; here it waits behind the others
            left_alone("letter", mail.id, newer)
        except (Conflict, StoreError):
            raise
        except Exception:
            log.exception("letter_unread", letter=mail.id, attempt=mail.attempts)
            metrics.INTERNAL_ERRORS.labels("letter").inc()
            if mail.attempts >= _TRIES:
                await self._pass_on(mail)

    async def _pass_on(self, mail: UnreadMail) -> None:
        """A letter that nobody could read goes to the postmaster."""
        try:
            outgoing = await self._unread(mail)
        except KeyError:  # not in the archive: there is nothing to pass on
            log.error("letter_lost", letter=mail.id, transaction=mail.transaction_id)
            await self._letters.settle(mail.id, "unread, and not in the archive")
            return
        await self._letters.settle(mail.id, "unread", outgoing)

    # The pages

    async def question(self, token: str) -> Question | None:
        """What the page of a token shows; None where it is none of ours. Raises StoreError, also
        where a newer version has to answer."""
        ticket, handler = await self._of(token)
        return await handler.question(ticket, token) if ticket and handler else None

    async def answer(self, token: str, choice: str, remark: str = "") -> str | None:
        """A POST on that page: what came of it, in words. A conflict is looked at once more."""
        for _ in range(3):
            ticket, handler = await self._of(token)
            if ticket is None or handler is None:
                return None
            with contextlib.suppress(Conflict):
                return await handler.answer(ticket, token, choice, remark)
        raise StoreError("others act on the same ticket; please try again")

    async def _of(self, token: str) -> tuple[Ticket | None, Handler | None]:
        number = token.partition("-")[0]
        if not (number.isascii() and number.isdecimal() and len(number) < 13):
            return None, None
        ticket = await self._tickets.load(int(number))
        return ticket, self._kinds.get(ticket.kind) if ticket is not None else None
