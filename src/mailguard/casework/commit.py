"""The one commit of a change: state, history, copies, mail, list entries, the letter.

Owns what a ticket's update holds, and that a mail which spends a notice goes only while there is
one (docs/adr/0016).
Must not know what happened, or any workflow.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Generic

from mailguard.casework.tickets import Conflict, KeptCopy, TicketEvent, TicketUpdate, UnreadMail
from mailguard.casework.workflow import Copies, Fate, Move, S, Work, Workflow
from mailguard.pipeline.off_loop import off_loop_if_large, weight
from mailguard.pipeline.ports import AllowanceGone, Outgoing
from mailguard.pipeline.release import released


@dataclass(frozen=True)
class Committing(Generic[S]):
    """Commits changes of one workflow's tickets."""

    workflow: Workflow[S]

    @property
    def kind(self) -> str:
        return self.workflow.kind

    @property
    def work(self) -> Work:
        return self.workflow.work

    async def settle(self, mail: UnreadMail, outcome: str, notes: Sequence[Outgoing] = ()) -> None:
        """A letter that moves nothing is done with."""
        try:
            await self.work.tickets.settle(mail.id, outcome, notes)
        except AllowanceGone:
            await self.work.tickets.settle(mail.id, outcome)

    async def move(self, *moves: Move[S]) -> None:
        """Commit them all, or none. Where what they spend is gone by then, the same without the
        mails that would have spent it."""
        prepared = [await self._prepared(one, noted=True) for one in moves]
        try:
            await self.work.tickets.move([step for one in prepared for step in one.updates])
        except AllowanceGone:
            prepared = [await self._prepared(one, noted=False) for one in moves]
            await self.work.tickets.move([step for one in prepared for step in one.updates])
        self.work.desk.outbox.ring()
        for one in prepared:
            await self.workflow.committed(one.released, one.discarded)

    async def _prepared(self, step: Move[S], *, noted: bool) -> _Prepared:
        """Everything that a commit holds of one ticket."""
        ticket, change = step.ticket, step.change
        holds = {h.id: h for h in await self.work.tickets.holds_of(ticket.id)}
        holds |= {hold.id: hold for hold in step.claims if hold.id not in holds}
        waiting = {number: hold for number, hold in holds.items() if hold.state == "waiting"}
        if change.every is not None and not waiting:
            raise Conflict(f"the copies of {self.kind} {ticket.id} were decided about elsewhere")
        wanted = {Fate.RELEASE: change.releases, Fate.DISCARD: change.discards}
        if change.every is not None:
            wanted[change.every] = tuple(waiting)
        leaving = [waiting[n] for n in wanted[Fate.RELEASE] if n in waiting]
        sent, lost = await self._released(leaving, step.at, whole=change.every is not None)
        releases = tuple(hold.id for hold in leaving if hold.id not in lost)
        discards = tuple(n for n in wanted[Fate.DISCARD] if n in waiting and n not in releases)
        said = step.detail or change.detail
        if lost:
            numbers = ", ".join(map(str, sorted(lost)))
            said = "; ".join(
                filter(None, (said, f"recorded by another version, so not released: {numbers}"))
            )
        copies = Copies(releases, discards, tuple(lost))
        mails, details = await change.compose(copies, said, noted and bool(step.notes))
        outgoing = [*step.notes, *sent, *mails]
        lines = tuple(
            TicketEvent(step.at, step.by, what, details if n == len(change.what) - 1 else "")
            for n, what in enumerate(change.what)
        )
        update = TicketUpdate(
            ticket=ticket.id,
            version=ticket.version,
            status=change.status,
            state=self.workflow.stored.dump(change.state),
            wakes_at=change.wakes_at,
            history=lines,
            claims=tuple(hold.id for hold in step.claims),
            releases=releases,
            discards=discards,
            withdraws=change.withdraws,
            outgoing=tuple(one for one in outgoing if noted or one.spends is None),
            listings=change.listings,
            letter=step.mail,
            by=f"{change.decided_by or step.by} ({self.kind} {ticket.id})",
            closes=change.closes,
        )
        return _Prepared(
            (update, *step.more),
            [waiting[n] for n in releases],
            [waiting[n] for n in discards],
        )

    async def _released(
        self, holds: Iterable[KeptCopy], now: float, *, whole: bool
    ) -> tuple[Sequence[Outgoing], frozenset[int]]:
        """The original bytes with the edits of each copy (`pipeline.release`); the copies whose
        record cannot be read, which raises KeyError or ValueError where all go or none."""
        each: dict[str, list[tuple[int, str]]] = {}
        for hold in holds:
            each.setdefault(hold.transaction_id, []).append((hold.id, hold.recipient))
        outgoing: list[Outgoing] = []
        lost: set[int] = set()
        for transaction_id, kept in each.items():
            try:
                judged = await self.work.take_up(transaction_id)
            except (KeyError, ValueError):
                if whole:
                    raise
                lost |= {number for number, _ in kept}
                continue
            size = weight(judged.transaction)
            outgoing += await off_loop_if_large(size, released, judged, kept, now)
        return outgoing, frozenset(lost)


@dataclass(frozen=True)
class _Prepared:
    updates: tuple[TicketUpdate, ...]
    released: Sequence[KeptCopy]
    discarded: Sequence[KeptCopy]
