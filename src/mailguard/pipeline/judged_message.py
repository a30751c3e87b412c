"""One message's papers: everything that is written about it, made from its decision and plan.

Owns how a plan becomes ledger entries, notices, the spammail copy and rendered variants. Has no
effects of its own. Must not know when they are committed or relayed (`accept`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from mailguard.core.decision.decide import Decision, Judgement, decide
from mailguard.core.decision.edit import Edit, Redirect, ReplaceText, Wrap
from mailguard.core.decision.facts import Arc, Facts
from mailguard.core.decision.plan import Conclusion, Hold, Notice, Plan, State, Variant
from mailguard.core.decision.policy import FindingType, Policy
from mailguard.core.decision.verdict import Disposition, Finding
from mailguard.core.mail.address import domain_of
from mailguard.core.mail.reply import Reply, refusal
from mailguard.core.mail.transaction import Origin, Transaction
from mailguard.core.notices import notice
from mailguard.core.record.stored import decision_json, facts_json
from mailguard.core.render import render, trace
from mailguard.core.sender.may_answer import may_answer
from mailguard.pipeline import routing
from mailguard.pipeline.counters import Spend
from mailguard.pipeline.ports import LedgerEntry, OutboundTerms, Outgoing, envelope_json
from mailguard.pipeline.snapshot import Snapshot

RETURNED = FindingType(
    "next-hop.refused",
    "the mail server did not take it",
    (),
    Disposition.BOUNCE,
    "Please check the address.",
    notice="undeliverable",
)
CRASHED = FindingType(
    "mailguard.crashed",
    "it could not be examined",
    (),
    Disposition.QUARANTINE,
    "An administrator has to look at it.",
    notice="quarantined",
)


EDIT_FAILED = FindingType(
    "mailguard.edit-failed",
    "its copy could not be made as planned",
    ("R12",),
    Disposition.QUARANTINE,
    "An administrator has to look at it.",
    notice="quarantined",
)
OUR_OWN = {kind.code: kind for kind in (RETURNED, CRASHED, EDIT_FAILED)}


@dataclass(frozen=True)
class JudgedMessage:
    """What is known of one message once it is decided. It asks no clock: the moment at which a copy
    or a late notice is made is given."""

    transaction: Transaction
    snapshot: Snapshot
    terms: OutboundTerms
    facts: Facts
    decision: Decision
    plan: Plan
    digest: str

    @classmethod
    def unread(
        cls,
        transaction: Transaction,
        snapshot: Snapshot,
        terms: OutboundTerms,
        facts: Facts,
        digest: str,
    ) -> JudgedMessage:
        """For a message that crashed every attempt to judge it: all copies quarantined."""
        recipients = transaction.envelope.recipients
        evidence = "every attempt to examine it failed inside mailguard"
        holds = tuple(Hold(r, Disposition.QUARANTINE, CRASHED.code, evidence) for r in recipients)
        nothing = decide(transaction, facts, Policy((), snapshot.policy.digest))
        return cls(transaction, snapshot, terms, facts, nothing, Plan(holds=holds), digest)

    # What is relayed

    def copies(self, at: float) -> dict[int, bytes]:
        """Every variant as octets, by its number in the plan; made at that moment."""
        return {n: self.copy(v.edits, at) for n, v in enumerate(self.plan.variants)}

    def rendered(self, at: float) -> tuple[JudgedMessage, dict[int, bytes], tuple[str, ...]]:
        """What is really relayed: `copies`, and what is wrong with the edits of variants whose
        copy is not what was planned. As the setting `render_fault` says, these leave without
        edits, or they are quarantined: then the plan of what is given back says so.

        Raises RenderError where not even the unedited message can be written."""
        variants: list[Variant] = []
        holds = list(self.plan.holds)
        faults: list[str] = []
        copies: dict[int, bytes] = {}
        for variant in self.plan.variants:
            copy, fault = self.copy_or_fault(variant.edits, at)
            if fault:
                faults.append(fault)
            if fault and not self.terms.deliver_unedited:
                holds += [
                    Hold(r, Disposition.QUARANTINE, EDIT_FAILED.code, fault)
                    for r in variant.recipients
                ]
                continue
            copies[len(variants)] = copy
            kept = tuple(e for e in variant.edits if isinstance(e, Redirect))
            variants.append(Variant(variant.recipients, kept) if fault else variant)
        if not faults:
            return self, copies, ()
        plan = replace(self.plan, variants=tuple(variants), holds=tuple(holds))
        return replace(self, plan=plan), copies, tuple(faults)

    def copy_or_fault(self, edits: Sequence[Edit], at: float) -> tuple[bytes, str]:
        """The copy and ""; or, where it would not be what its edits say, the message without them
        and what is wrong."""
        try:
            return self.copy(edits, at), ""
        except render.RenderError as error:
            return self.copy((), at), f"the edits could not be made: {error}"

    def copy(self, edits: Sequence[Edit], at: float) -> bytes:
        """The message with these edits, forged trace fields taken off, our own on top: identity
        was checked on the original, edits come after, signatures last, with the keys in use at
        that moment.

        Raises RenderError when the result is not what the edits say: nothing leaves altered."""
        message = self.transaction.message
        broken = isinstance(self.facts.arc, Arc) and self.facts.arc.cv == "fail"
        planned = (*trace.forged_fields(message, self.snapshot.district, broken), *edits)
        copy = render.render(message, planned)
        fault = render.verify(message, copy, planned) if planned else None
        if fault is not None:
            raise render.RenderError(fault)
        results = trace.results(self.transaction, self.facts)
        top = trace.received(self.transaction, self.terms.hostname)
        if results:
            top = trace.authentication_results_field(results) + top
        if not message.root.fields:  # no header: ours must not run into the text
            top += b"\r\n"
        return b"".join((self._signatures(copy, edits, results, at), top, copy))

    def _signatures(self, copy: bytes, edits: Sequence[Edit], results: bytes, at: float) -> bytes:
        """DKIM for our own authors; an ARC seal for mail from outside whose body we changed."""
        signing, author = self.terms.signing, self.transaction.message.author
        if signing is None:
            return b""
        if self.transaction.origin is Origin.INSIDE:
            single = len(author.addresses) == 1 and not author.ambiguous
            ours = single and self.snapshot.district.owns(author.addresses[0])
            return signing.sign(copy, domain_of(author.addresses[0]), at) if ours else b""
        if not any(isinstance(edit, ReplaceText | Wrap) for edit in edits):
            return b""
        cv = self.facts.arc.cv if isinstance(self.facts.arc, Arc) else ""
        arrived = "none" if cv == "fail" else cv  # a broken chain was taken off
        return signing.seal(copy, results, arrived, at) if arrived and results else b""

    @staticmethod
    def body(copy: bytes) -> str:
        """BODY= for the next hop (RFC 6152): by what is really in the copy."""
        return "" if copy.isascii() else "8BITMIME"

    # What is kept

    def entry_so_far(self) -> LedgerEntry:
        """Before the relay: what is kept is kept, what is to be relayed is still the client's."""
        return self.entry(Reply(0, ""), self.states_so_far())

    def states_so_far(self) -> dict[str, State]:
        """Each recipient's state if the client never heard more."""
        states = dict.fromkeys(self.transaction.envelope.recipients, State.DEFERRED)
        states |= dict.fromkeys(self.plan.refused, State.REFUSED)
        states |= dict.fromkeys(self.plan.taken, State.TAKEN)
        for hold in self.plan.holds:
            held = hold.disposition is Disposition.HOLD
            states[hold.recipient] = State.HELD if held else State.QUARANTINED
        return states

    def entry(self, reply: Reply, states: Mapping[str, State]) -> LedgerEntry:
        """The ledger's entry with each recipient's end state."""
        transaction, message = self.transaction, self.transaction.message
        reasons = {h.recipient: (h.disposition, h.reason) for h in self.plan.holds}
        recipients = {}
        for recipient, outcome in self.decision.outcomes.items():
            first = outcome.reasons[0].finding.code if outcome.reasons else ""
            disposition, reason = reasons.get(recipient, (outcome.disposition, first))
            recipients[recipient] = (disposition, states[recipient], reason)
        return LedgerEntry(
            id=transaction.id,
            received_at=transaction.received_at,
            listener=transaction.listener.name,
            digest=self.digest,
            size=len(message.raw),
            envelope={
                **envelope_json(transaction.envelope),
                "role": transaction.listener.role.value,
            },
            subject=message.value("Subject")[:500],
            message_id=message.value("Message-ID")[:500],
            facts=self._facts_json,
            decision=self._decision_json,
            policy_digest=self.decision.policy_digest,
            reply=str(reply) if reply.code else "",
            recipients=recipients,
        )

    @cached_property
    def _facts_json(self) -> bytes:
        return facts_json(self.facts)

    @cached_property
    def _decision_json(self) -> bytes:
        return decision_json(self.decision)

    # What people are told

    def reply(self) -> Reply:
        """Our answer to the client when every copy that goes on was taken."""
        if self.plan.deferral is not None:
            return Reply(451, "4.7.1 A check could not be completed; please try again later")
        if self.plan.refusal is None:
            return Reply(250, f"2.0.0 Ok: {self.transaction.id}")
        concerned = self.transaction.envelope.recipients
        told = refusal(self.words_for(self.plan.refusal, concerned))
        return Reply(told.code, f"{told.text}\nReference: {self.transaction.id}")

    def words_for(self, judgement: Judgement, recipients: Sequence[str]) -> str:
        """The notice's own words for one reason."""
        kind = self._kind(judgement.finding.code)
        template = self.snapshot.notices[notice.template_for(kind)]
        district = self.snapshot.district
        slots = notice.slots_for(district, self.transaction, judgement, kind, recipients)
        return notice.fill(template, slots).strip()

    def outgoing(self) -> tuple[Outgoing, ...]:
        """Notices to the sender, reports of routing and the spammail copy; keyed, so that a retry
        makes no second."""
        routed = [
            r for variant in self.plan.variants if variant.redirected for r in variant.recipients
        ]
        return (
            *(self._to_sender(about) for about in self.plan.notices),
            *self.reports(routed),
            *self._spammail_copy(),
        )

    def reports(self, routed: Iterable[str]) -> tuple[Outgoing, ...]:
        """What the Director is told of recipients whose copies go to another mailbox (R6)."""
        return routing.reports(self.transaction, self.facts, self.snapshot, routed)

    def remainder(
        self,
        conclusion: Conclusion,
        copies: Mapping[int, bytes],
        delivered: Mapping[str, Reply],
        *,
        may_tell: bool,
    ) -> tuple[tuple[Hold, ...], tuple[Outgoing, ...]]:
        """After a relay that went well for some: copies put off go to the outbox; those refused
        for good are told to a proven sender, and quarantined where nobody may be told. `may_tell`
        is the fact, or false where that was found out since: the plan was made by the fact, and
        is replayed by it."""
        outgoing = list(self._put_off(conclusion, copies))
        holds: tuple[Hold, ...] = ()
        if conclusion.returned:
            evidence = str(delivered[conclusion.returned[0]]).replace("\n", " ")[:300]
            why = Judgement(
                "next_hop",
                Finding(RETURNED.code, evidence),
                Disposition.BOUNCE,
                conclusion.returned,
            )
            if may_tell and may_answer(self.transaction, self.facts):
                about = Notice(conclusion.returned, why, Disposition.BOUNCE)
                outgoing.append(self._to_sender(about))
            else:
                holds = tuple(
                    Hold(r, Disposition.QUARANTINE, RETURNED.code, evidence)
                    for r in conclusion.returned
                )
        return holds, tuple(outgoing)

    def undeliverable(
        self, recipients: Sequence[str], reply: Reply, at: float, *, may_tell: bool
    ) -> Outgoing:
        """The notice, made at that moment, that some copies, accepted by us, will never be taken by
        the next hop: to the proven sender if they may be told by now, else to the postmaster."""
        evidence = str(reply).replace("\n", " ")[:300]
        finding = Finding(RETURNED.code, evidence)
        why = Judgement("next_hop", finding, Disposition.BOUNCE, tuple(recipients))
        about = Notice(tuple(recipients), why, Disposition.BOUNCE)
        if may_tell and may_answer(self.transaction, self.facts):
            sender = self.transaction.envelope.reverse_path
            return replace(self._late_notice(about, sender, at), spends=Spend(sender, at))
        return self._late_notice(about, self.snapshot.district.postmaster, at)

    def _put_off(self, conclusion: Conclusion, copies: Mapping[int, bytes]) -> Iterator[Outgoing]:
        waiting = set(conclusion.put_off)
        envelope = self.transaction.envelope
        for n, variant in enumerate(self.plan.variants):
            recipients = tuple(r for r in variant.recipients if r in waiting)
            if not recipients:
                continue
            one = Outgoing(
                key=f"relay|{self.transaction.id}|{n}",
                kind="relay",
                reverse_path=envelope.reverse_path,
                recipients=recipients,
                raw=copies[n],
                body=self.body(copies[n]),
                smtputf8=envelope.smtputf8,
                transaction_id=self.transaction.id,
            )
            yield from one.redirected(variant.redirected)

    def _to_sender(self, about: Notice) -> Outgoing:
        """A notice of the moment that the message came; all of one commit spend one."""
        sender, now = self.transaction.envelope.reverse_path, self.facts.now
        told = self._notice(about, sender, now, self._token(about))
        return replace(told, spends=Spend(sender, now))

    def _late_notice(self, about: Notice, to: str, at: float) -> Outgoing:
        """One message may make several, and none may be taken for another."""
        key = self._notice_key(about, to)
        unique = hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()[:12]
        return self._notice(about, to, at, f"{self._token(about)}.{unique}")

    def _token(self, about: Notice) -> str:
        return f"{self.transaction.id}.{about.judgement.finding.code.replace('.', '-')}"

    def _notice_key(self, about: Notice, to: str) -> str:
        concerned = ",".join(about.recipients)
        return f"notice|{self.digest}|{to}|{about.judgement.finding.code}|{concerned}"

    def _notice(self, about: Notice, to: str, at: float, token: str) -> Outgoing:
        raw = notice.build(
            district=self.snapshot.district,
            to=to,
            text=self.words_for(about.judgement, about.recipients),
            transaction=self.transaction,
            recipients=about.recipients,
            token=token,
            at=at,
        )
        key = self._notice_key(about, to)
        return Outgoing(key, "notice", "", (to,), raw, transaction_id=self.transaction.id)

    def _spammail_copy(self) -> Iterator[Outgoing]:
        held = [h for h in self.plan.holds if h.disposition is Disposition.QUARANTINE]
        if not held or not self.terms.quarantine_copy or self._stays_in_store():
            return
        district, first = self.snapshot.district, held[0]
        why = Judgement("", Finding(first.reason, first.evidence), Disposition.QUARANTINE, ())
        recipients = [h.recipient for h in held]
        kind = self._kind(first.reason)
        slots = notice.slots_for(district, self.transaction, why, kind, recipients)
        raw = notice.wrap(
            district=district,
            message=self.transaction.message,
            summary=_each_line(self.snapshot.notices["copy"], slots),
            token=f"{self.transaction.id}.copy",
            at=self.facts.now,
            subject_prefix="blocked",
        )
        key = f"copy|{self.digest}|{self.transaction.envelope.reverse_path}|{','.join(recipients)}"
        yield Outgoing(
            key,
            "copy",
            "",
            (district.spammail,),
            raw,
            self.body(raw),
            transaction_id=self.transaction.id,
        )

    def _stays_in_store(self) -> bool:
        """Whether something was found that no mailbox may get (R28: malware)."""
        kinds = (self._kind(j.finding.code) for j in self.decision.judgements if not j.observed)
        return any(kind is not None and kind.store_only for kind in kinds)

    def _kind(self, code: str) -> FindingType | None:
        return OUR_OWN.get(code) or self.snapshot.policy.finding_type(code)


def _each_line(template: str, slots: Mapping[str, str]) -> str:
    return "\n".join(notice.fill(line, slots) for line in template.splitlines())
