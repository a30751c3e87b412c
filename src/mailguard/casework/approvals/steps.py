"""An approval's steps carried out: each is one commit of state, holds, mail and history (R18-R21).

Owns how a held message becomes an approval, how grants given beforehand are used up with it, and
what each step of `casework.approvals.life` does to the store. Answers by mail, by page and from the
console come through here alike. Must not know how an answer is read or who gave it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import structlog

from mailguard.casework.approvals import approvers
from mailguard.casework.approvals import life as life
from mailguard.casework.approvals.approvers import RequiredApproval, Sender
from mailguard.casework.approvals.life import (
    APPROVAL,
    Approval,
    ApprovalAnswer,
    ApprovalDeadlines,
    ApprovalOutcome,
    ApprovalStep,
    Asked,
    Do,
)
from mailguard.casework.approvals.mail import ApprovalMailer, about, about_unread, suspicions
from mailguard.casework.approvals.withdrawal import Withdrawal
from mailguard.casework.grants.life import GRANT, PreApproval, covers, used
from mailguard.casework.inbox import TakeUp
from mailguard.casework.left_alone import left_alone
from mailguard.casework.tickets import (
    Conflict,
    KeptCopy,
    Ticket,
    TicketEvent,
    Tickets,
    TicketUpdate,
)
from mailguard.core.decision.approval import OFFICES, SUPERVISOR, TECHNOLOGY
from mailguard.core.mail import address
from mailguard.core.people.calendar import DAY
from mailguard.core.people.model import Person
from mailguard.core.record.formats import NewerFormat
from mailguard.core.sender import directory_lookups
from mailguard.core.sender.identity import identity
from mailguard.core.sender.may_answer import may_answer
from mailguard.pipeline.counters import Spend
from mailguard.pipeline.judged_message import JudgedMessage
from mailguard.pipeline.off_loop import off_loop_if_large, weight
from mailguard.pipeline.ports import Deskwork, Outgoing
from mailguard.pipeline.release import released
from mailguard.pipeline.snapshot import Snapshot

log = structlog.get_logger("mailguard.approvals")

KIND, GRANTS = "approval", "grant"


@dataclass(frozen=True)
class ApprovalSteps:
    """Every method is one commit, and raises Conflict where somebody else was quicker, NewerFormat
    where a newer version has to do it."""

    matters: Tickets
    snapshot: Callable[[], Snapshot]
    take_up: TakeUp
    world: Deskwork
    terms: ApprovalDeadlines

    # Opening

    async def open(self, holds: Sequence[KeptCopy], now: float) -> None:
        """Make the held copies of one message an approval, and ask; or let them go where everything
        that is needed was granted beforehand."""
        snapshot = self.snapshot()
        first = min(hold.id for hold in holds)
        key = f"{holds[0].digest}|{holds[0].reverse_path}|{first}"
        matter = await self.matters.new(KIND, key, now)
        if matter.version:
            raise Conflict(f"approval {matter.id} is open already")
        approval, beforehand, uses = await self._considered(matter, holds, snapshot, now)
        step = life.opened(approval, beforehand)
        ids = tuple(hold.id for hold in holds)
        await self.carry_out(matter, step, now, "mailguard", claims=ids, more=uses, holds=holds)

    async def _considered(
        self, matter: Ticket, holds: Sequence[KeptCopy], snapshot: Snapshot, now: float
    ) -> tuple[Approval, Sequence[ApprovalAnswer], Sequence[TicketUpdate]]:
        """The approval before anybody is asked, what was granted, and the use of the grants."""
        try:
            dossier = await self.take_up(holds[0].transaction_id)
        except (KeyError, ValueError):  # not readable any more: nobody knows who sent it
            seat = RequiredApproval("either", OFFICES[TECHNOLOGY], (), ("R18",))
            unread = Approval(holds[0].digest, about_unread(holds), (seat,), (), "", now)
            return unread, (), ()
        sender = approvers.sender_of(dossier.transaction, dossier.facts, snapshot.directory)
        codes = _codes(dossier, holds)
        held = [hold.recipient for hold in holds]
        suspected = await off_loop_if_large(weight(dossier.transaction), suspicions, dossier, held)
        rules = [rule for one in suspected for rule in (*one.finding.rules, one.finding.code)]
        wanted = approvers.wanted(codes, dossier.snapshot.policy)
        seats = approvers.seats(wanted, dossier.facts, sender, snapshot.directory, rules)
        approval = Approval(
            digest=holds[0].digest,
            about=await off_loop_if_large(
                weight(dossier.transaction), about, dossier, [hold.recipient for hold in holds]
            ),
            seats=seats,
            asked=_asked(seats, snapshot),
            tells=self._sender_to_tell(dossier, sender),
            opened_at=now,
        )
        given, uses = await self._granted(matter, approval, dossier, sender, codes, holds, now)
        return approval, given, uses

    def _sender_to_tell(self, dossier: JudgedMessage, sender: Sender) -> str:
        """The proven sender's mailbox; of strangers, so many an hour (R27)."""
        mailbox, now = dossier.transaction.envelope.reverse_path, self.world.clock()
        if not may_answer(dossier.transaction, dossier.facts):
            return ""
        if sender.inside or self.world.notices.take([Spend(mailbox, now)]):
            return mailbox
        return ""

    async def _granted(
        self,
        matter: Ticket,
        approval: Approval,
        dossier: JudgedMessage,
        sender: Sender,
        codes: frozenset[str],
        holds: Sequence[KeptCopy],
        now: float,
    ) -> tuple[Sequence[ApprovalAnswer], Sequence[TicketUpdate]]:
        """Yeses given beforehand, no more than the seats want, and the grants that they use up."""
        snapshot = self.snapshot()
        today = directory_lookups.day_at(now, snapshot.district.time_zone)
        recipients = {address.normalise(hold.recipient) for hold in holds}
        grantable = dossier.snapshot.policy.grantable(codes)
        who = identity(dossier.transaction, dossier.facts)
        mailbox = who.authenticated_as or address.normalise(approval.tells)
        by_giver: dict[str, dict[str, tuple[Ticket, PreApproval]]] = {}
        for found in await self.matters.find(GRANTS):
            try:
                grant = GRANT.load(found.state)
            except NewerFormat as newer:  # it covers nothing here, and holds up nobody
                left_alone(GRANTS, found.id, newer)
                continue
            except ValueError:  # damaged: the same
                log.error("grant_unreadable", grant=found.id)
                continue
            if covers(grant, codes, grantable, sender.person, mailbox, recipients, today):
                of_giver = by_giver.setdefault(grant.giver, {})
                known = of_giver.get(grant.group)
                if known is None or grant.last < known[1].last:
                    of_giver[grant.group] = (found, grant)
        given: list[ApprovalAnswer] = []
        uses: list[TicketUpdate] = []
        for giver, grants in by_giver.items():
            before = approvers.filled(approval.seats, [g.person for g in given])
            after = approvers.filled(approval.seats, [*(g.person for g in given), giver])
            if set(grants) != recipients or len(after) == len(before):
                continue
            numbers = " and ".join(str(found.id) for found, _ in grants.values())
            documents = ", ".join(dict.fromkeys(grant.reference for _, grant in grants.values()))
            name = next(iter(grants.values()))[1].giver_name
            given.append(ApprovalAnswer(giver, name, True, now, f"grant {numbers}", documents))
            uses += [_use(found, grant, matter, now) for found, grant in grants.values()]
        return given, uses

    # Every step

    async def carry_out(
        self,
        matter: Ticket,
        step: ApprovalStep,
        now: float,
        by: str,
        *,
        detail: str = "",
        letter: int | None = None,
        claims: tuple[int, ...] = (),
        notes: Sequence[Outgoing] = (),
        more: Sequence[TicketUpdate] = (),
        holds: Sequence[KeptCopy] | None = None,
        withdrawal: Withdrawal | None = None,
    ) -> None:
        """One commit of what a step asks for. `notes` go with it; `more` are other matters'."""
        approval, do = step.approval, step.do
        theirs = holds or await self.matters.holds_of(matter.id)
        waiting = [hold for hold in theirs if hold.state == "waiting"]
        if not waiting and (Do.RELEASE in do or Do.DISCARD in do):
            raise Conflict(f"the copies of approval {matter.id} were decided about elsewhere")
        post = ApprovalMailer(self.snapshot(), matter.id, approval, self.terms, now)
        there = self._there(step.asked, now)
        outgoing = [*notes]
        if Do.RELEASE in do:
            outgoing += await self._released(waiting, now)
        if Do.ASK in do or Do.REMIND in do:
            outgoing += [post.ask(asked, again=Do.REMIND in do) for asked in there]
        if Do.TELL_SENDER in do:
            template = f"approval-{'waiting' if step.what == 'opened' else step.what}"
            said = withdrawal.words() if withdrawal else "It has not been delivered to anybody."
            outgoing += post.tell_sender(template, outcome=said)
        if Do.TELL_OTHERS in do:
            outgoing += [post.settled(asked) for asked in there]
        if Do.TELL_POSTMASTER in do:
            outgoing.append(post.tell_postmaster())
        ids = tuple(hold.id for hold in waiting)
        calendar = self.snapshot().calendar
        transition = TicketUpdate(
            matter=matter.id,
            version=matter.version,
            status=approval.outcome.value,
            state=APPROVAL.dump(approval),
            wakes_at=life.wakes_at(approval, calendar, self.terms),
            history=(TicketEvent(now, by, step.what, detail or _told(step)),),
            claims=claims,
            releases=ids if Do.RELEASE in do else (),
            discards=ids if Do.DISCARD in do else (),
            withdraws=withdrawal.entries if withdrawal is not None else (),
            outgoing=tuple(outgoing),
            letter=letter,
            by=f"{approval.decided_by or by} (approval {matter.id})",
            closes=approval.outcome is not ApprovalOutcome.WAITING,
        )
        await self.matters.move((transition, *more))
        self.world.outbox.ring()

    async def _released(self, holds: Iterable[KeptCopy], now: float) -> Sequence[Outgoing]:
        """The original bytes with the edits of each copy (`pipeline.release`)."""
        each: dict[str, list[tuple[int, str]]] = {}
        for hold in holds:
            each.setdefault(hold.transaction_id, []).append((hold.id, hold.recipient))
        outgoing: list[Outgoing] = []
        for transaction_id, kept in each.items():
            dossier = await self.take_up(transaction_id)
            size = weight(dossier.transaction)
            outgoing += await off_loop_if_large(size, released, dossier, kept, now)
        return outgoing

    def _there(self, asked: Iterable[Asked], now: float) -> list[Asked]:
        """Those who have not left since they were asked (R6)."""
        snapshot = self.snapshot()
        today = directory_lookups.day_at(now, snapshot.district.time_zone)
        people = ((one, snapshot.directory.people.get(one.person)) for one in asked)
        outside = snapshot.directory.outside.values()
        registered = {(one.id, one.address) for one in outside}
        return [
            one
            for one, p in people
            if (p is not None and p.left_since(today) is None)
            or (one.person, one.mailbox) in registered
        ]

    async def in_office(self, matter: Ticket, now: float) -> frozenset[str]:
        """The ids of those who may approve it by the directory of now. Raises StoreError."""
        snapshot = self.snapshot()
        today = directory_lookups.day_at(now, snapshot.district.time_zone)
        approval = state_of(matter)
        sender, seats = Sender(None, False), approval.seats
        then: tuple[Person, ...] = ()
        for hold in (await self.matters.holds_of(matter.id))[:1]:
            try:
                dossier = await self.take_up(hold.transaction_id)
            except (KeyError, ValueError):  # not readable any more: nobody knows who sent it
                break
            sender = approvers.sender_of(dossier.transaction, dossier.facts, snapshot.directory)
            if not any(SUPERVISOR in approvers.offices_of(seat) for seat in seats):
                then = dossier.facts.administrators
        office = approvers.in_office(sender, then, snapshot.directory, today, seats)
        outside = snapshot.directory.outside
        moved = (a for a in approval.asked if a.person in outside)  # asked somewhere else
        return office - {a.person for a in moved if outside[a.person].address != a.mailbox}

    # The clock, and what others did

    async def look_at(self, matter: Ticket, now: float) -> None:
        """A matter whose time has come: remind, let it expire, or wait on under the calendar that
        is in force by now."""
        try:
            approval = state_of(matter)
        except ValueError:
            await self._unreadable(matter, now, over=False)
            return
        calendar = self.snapshot().calendar
        step = life.due(approval, now, calendar, self.terms)
        if step is None:
            step = ApprovalStep(approval, (), "waits on")
        await self.carry_out(matter, step, now, "mailguard")

    async def _unreadable(self, matter: Ticket, now: float, *, over: bool) -> None:
        """What another version wrote waits for an administrator, and in nobody's way."""
        log.error("approval_unreadable", approval=matter.id)
        line = TicketEvent(now, "mailguard", "unreadable", "another version wrote it")
        status = "overtaken" if over else matter.status
        step = TicketUpdate(
            *(matter.id, matter.version, status, matter.state, now + DAY, (line,)), closes=over
        )
        await self.matters.move([step])

    async def overtaken(self, matter: Ticket, now: float) -> None:
        """All its copies were released or discarded one by one, past the approval."""
        try:
            approval = state_of(matter)
        except ValueError:
            await self._unreadable(matter, now, over=True)
            return
        holds = await self.matters.holds_of(matter.id)
        last = max(holds, key=lambda hold: hold.decided_at or 0.0)
        let_go = any(hold.state == "released" for hold in holds)
        step = life.overtaken(approval, let_go, last.decided_by or "the console", now)
        await self.carry_out(matter, step, now, "mailguard", detail="the copies were decided about")

    async def grant_ends(self, matter: Ticket, now: float) -> None:
        """A grant's last day is over."""
        GRANT.refuse_newer(matter.state)
        over = TicketEvent(now, "mailguard", "expired")
        end = TicketUpdate(
            matter.id, matter.version, "expired", matter.state, history=(over,), closes=True
        )
        await self.matters.move([end])

    # Stopping (R21)

    async def withdrawal(self, transactions: Iterable[str], released_copies: int) -> Withdrawal:
        """What of these messages has not left yet."""
        found = [entry for one in transactions for entry in await self.matters.leaving(one)]
        number = sum(len(recipients) for _, recipients in found)
        entries = tuple(entry for entry, _ in found)
        return Withdrawal(entries, number, max(0, released_copies - number))

    async def withdrawal_of(self, matter: Ticket) -> Withdrawal:
        """The same for what an approval released."""
        gone = [h for h in await self.matters.holds_of(matter.id) if h.state == "released"]
        return await self.withdrawal(dict.fromkeys(h.transaction_id for h in gone), len(gone))

    def may_stop(self, person: Person, dossier: JudgedMessage, now: float) -> bool:
        """Whether this person may stop a message that needed no approval, as of now."""
        snapshot = self.snapshot()
        sender = approvers.sender_of(dossier.transaction, dossier.facts, snapshot.directory)
        today = directory_lookups.day_at(now, snapshot.district.time_zone)
        sender = replace(sender, barred=frozenset())  # they may stop their own
        office = approvers.in_office(
            sender, dossier.facts.administrators, snapshot.directory, today
        )
        return person.id in office

    async def sent(self, dossier: JudgedMessage, now: float) -> tuple[Approval, Withdrawal]:
        """A message that needed no approval, as if it had one; and what of it can be taken back."""
        transaction, recipients = dossier.transaction, dossier.plan.forwarded
        sender = approvers.sender_of(transaction, dossier.facts, self.snapshot().directory)
        approval = Approval(
            digest=dossier.digest,
            about=await off_loop_if_large(weight(transaction), about, dossier, recipients),
            seats=(),
            asked=(),
            tells=self._sender_to_tell(dossier, sender),
            opened_at=now,
            outcome=ApprovalOutcome.GRANTED,
        )
        return approval, await self.withdrawal((transaction.id,), len(recipients))

    async def stop_sent(
        self,
        dossier: JudgedMessage,
        given: ApprovalAnswer,
        by: str,
        *,
        letter: int | None = None,
        notes: Sequence[Outgoing] = (),
    ) -> Withdrawal:
        """Stop such a message, on a record of its own; nothing is written where nothing is left."""
        now = given.at
        approval, taken = await self.sent(dossier, now)
        if taken.entries:
            key = f"stop|{dossier.transaction.id}|{taken.entries}"
            matter = await self.matters.new(KIND, key, now)
            step, said = life.stopped(approval, given), taken.words()
            await self.carry_out(
                *(matter, step, now, by),
                detail=said,
                withdrawal=taken,
                letter=letter,
                notes=notes,
            )
        return taken


def state_of(matter: Ticket) -> Approval:
    """An approval's state. Raises NewerFormat, or pydantic.ValidationError where it is damaged."""
    return APPROVAL.load(matter.state)


def _codes(dossier: JudgedMessage, holds: Sequence[KeptCopy]) -> frozenset[str]:
    """Everything that these copies are held for, not only the reason shown first."""
    outcomes = dossier.decision.outcomes
    held = {hold.recipient: hold for hold in holds}
    found = {hold.reason for hold in holds}
    for recipient, hold in held.items():
        outcome = outcomes.get(recipient)
        if outcome is not None and outcome.disposition is hold.disposition:
            found |= {judgement.finding.code for judgement in outcome.reasons}
    return frozenset(found)


def _asked(seats: Iterable[RequiredApproval], snapshot: Snapshot) -> tuple[Asked, ...]:
    """Everybody with a seat, each once, at their main address."""
    directory = snapshot.directory
    ids = dict.fromkeys(person for seat in seats for person in seat.people)
    people = directory.named(ids)
    outside = (directory.outside[i] for i in ids if i in directory.outside)
    return (
        *(Asked(p.id, p.name, p.addresses[0]) for p in people if p.addresses),
        *(Asked(one.id, one.name, one.address) for one in outside),
    )


def _use(found: Ticket, grant: PreApproval, matter: Ticket, now: float) -> TicketUpdate:
    after = used(grant)
    line = TicketEvent(now, "mailguard", "used", f"approval {matter.id}; {after.left} left")
    return TicketUpdate(
        found.id,
        found.version,
        "open" if after.left else "used up",
        GRANT.dump(after),
        wakes_at=found.wakes_at,
        history=(line,),
        closes=not after.left,
    )


def _told(step: ApprovalStep) -> str:
    """The history's own words for a step that nobody else words."""
    approval = step.approval
    if step.what in ("opened", "reminded"):
        return ", ".join(f"{a.name} <{a.mailbox}>" for a in step.asked) or "nobody to ask"
    said: Mapping[str, ApprovalAnswer] = {g.person: g for g in approval.given}
    last = list(said.values())[-1:]
    return "; ".join(filter(None, (*(g.how for g in last), approval.remark)))


def with_refusal(approval: Approval) -> Approval:
    """One more answer that could not count."""
    return replace(approval, refused=approval.refused + 1)
