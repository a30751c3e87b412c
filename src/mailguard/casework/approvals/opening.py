"""How held copies of a message become an approval: who is needed, and what was granted beforehand.

Must not know how a step is committed, or how people are asked.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from mailguard.casework.approvals import approvers
from mailguard.casework.approvals.approvers import RequiredApproval, Sender
from mailguard.casework.approvals.life import Approval, ApprovalAnswer, Asked
from mailguard.casework.approvals.mail import about, about_unread, suspicions
from mailguard.casework.beforehand import Beforehand, GivenBeforehand
from mailguard.casework.tickets import KeptCopy, Ticket, TicketUpdate
from mailguard.casework.workflow import Work
from mailguard.core.decision.approval import OFFICES, TECHNOLOGY
from mailguard.core.mail import address
from mailguard.core.sender import directory_lookups
from mailguard.core.sender.identity import identity
from mailguard.core.sender.may_answer import may_answer
from mailguard.pipeline.judged_message import JudgedMessage
from mailguard.pipeline.off_loop import off_loop_if_large, weight
from mailguard.pipeline.snapshot import Snapshot


@dataclass(frozen=True)
class Opening:
    """Raises StoreError, and NewerFormat where a newer version has to open it."""

    work: Work
    beforehand: GivenBeforehand

    async def considered(
        self, ticket: Ticket, holds: Sequence[KeptCopy], now: float
    ) -> tuple[Approval, Sequence[ApprovalAnswer], Sequence[TicketUpdate]]:
        """The approval before anybody is asked, what was granted, and the use of the grants."""
        snapshot = self.work.snapshot()
        try:
            judged = await self.work.take_up(holds[0].transaction_id)
        except (KeyError, ValueError):  # not readable any more: nobody knows who sent it
            seat = RequiredApproval("either", OFFICES[TECHNOLOGY], (), ("R18",))
            unread = Approval(holds[0].digest, about_unread(holds), (seat,), (), "", now)
            return unread, (), ()
        sender = approvers.sender_of(judged.transaction, judged.facts, snapshot.directory)
        codes = _codes(judged, holds)
        held = [hold.recipient for hold in holds]
        suspected = await off_loop_if_large(weight(judged.transaction), suspicions, judged, held)
        rules = [rule for one in suspected for rule in (*one.finding.rules, one.finding.code)]
        wanted = approvers.wanted(codes, judged.snapshot.policy)
        seats = approvers.seats(wanted, judged.facts, sender, snapshot.directory, rules)
        approval = Approval(
            digest=holds[0].digest,
            about=await off_loop_if_large(weight(judged.transaction), about, judged, held),
            seats=seats,
            asked=_asked(seats, snapshot),
            tells=sender_to_tell(self.work, judged, sender),
            opened_at=now,
        )
        given, uses = await self._granted(ticket, approval, judged, sender, codes, held, now)
        return approval, given, uses

    async def _granted(
        self,
        ticket: Ticket,
        approval: Approval,
        judged: JudgedMessage,
        sender: Sender,
        codes: frozenset[str],
        held: Sequence[str],
        now: float,
    ) -> tuple[Sequence[ApprovalAnswer], Sequence[TicketUpdate]]:
        """Yeses given beforehand, no more than the seats want, and the grants that they use up."""
        today = directory_lookups.day_at(now, self.work.snapshot().district.time_zone)
        recipients = {address.normalise(recipient) for recipient in held}
        who = identity(judged.transaction, judged.facts)
        mailbox = who.authenticated_as or address.normalise(approval.tells)
        grantable = judged.snapshot.policy.grantable(codes)
        found = await self.beforehand.covering(
            codes, grantable, sender.person, mailbox, recipients, today
        )
        by_giver: dict[str, dict[str, Beforehand]] = {}
        for grant in found:
            of_giver = by_giver.setdefault(grant.giver, {})
            known = of_giver.get(grant.group)
            if known is None or grant.last < known.last:
                of_giver[grant.group] = grant
        given: list[ApprovalAnswer] = []
        uses: list[TicketUpdate] = []
        for giver, grants in by_giver.items():
            before = approvers.filled(approval.seats, [g.person for g in given])
            after = approvers.filled(approval.seats, [*(g.person for g in given), giver])
            if set(grants) != recipients or len(after) == len(before):
                continue
            numbers = " and ".join(str(grant.number) for grant in grants.values())
            documents = ", ".join(dict.fromkeys(grant.reference for grant in grants.values()))
            name = next(iter(grants.values())).giver_name
            given.append(ApprovalAnswer(giver, name, True, now, f"grant {numbers}", documents))
            uses += [grant.use(ticket.id, now) for grant in grants.values()]
        return given, uses


def sender_to_tell(work: Work, judged: JudgedMessage, sender: Sender) -> str:
    """The proven sender's mailbox; of strangers, so many an hour (R27)."""
    mailbox, now = judged.transaction.envelope.reverse_path, work.desk.clock()
    if not may_answer(judged.transaction, judged.facts):
        return ""
    return mailbox if sender.inside or work.desk.notices.allows(mailbox, now) else ""


def _codes(judged: JudgedMessage, holds: Sequence[KeptCopy]) -> frozenset[str]:
    """Everything that these copies are held for, not only the reason shown first."""
    outcomes = judged.decision.outcomes
    held = {hold.recipient: hold for hold in holds}
    found = {hold.reason for hold in holds}
    for recipient, hold in held.items():
        outcome = outcomes.get(recipient)
        if outcome is not None and outcome.disposition is hold.disposition:
            found |= {judgement.finding.code for judgement in outcome.reasons}
    return frozenset(found)


def _asked(seats: Iterable[RequiredApproval], snapshot: Snapshot) -> tuple[Asked, ...]:
    """Everybody with a seat, each once, at their main address."""
    ids = dict.fromkeys(person for seat in seats for person in seat.people)
    directory = snapshot.directory
    outside = (directory.outside[i] for i in ids if i in directory.outside)
    return (
        *(Asked(p.id, p.name, p.addresses[0]) for p in directory.named(ids) if p.addresses),
        *(Asked(one.id, one.name, one.address) for one in outside),
    )
