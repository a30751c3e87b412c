"""Notices are counted where they are kept: of two that want the last one, one is told and the other
is planned again, its copy quarantined since nobody may be told of it (docs/adr/0003, 0016)."""

from __future__ import annotations

import asyncio
import re
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.support.steps import DISTRICT, Says, finds
from tests.support.story import (
    ANN,
    BOB,
    LATE,
    NO,
    RAW,
    Proven,
    make_world,
    run,
    states,
)

from mailguard.adapters.state import StateDirectory
from mailguard.config.notices import TEMPLATES
from mailguard.core.decision.facts import Facts
from mailguard.core.decision.plan import State
from mailguard.core.decision.policy import CheckSettings, FindingType, Policy, PolicyStep
from mailguard.core.decision.verdict import Disposition, Finding, Verdict
from mailguard.core.mail import mime
from mailguard.core.mail.transaction import Envelope, Listener, Role, Transaction
from mailguard.core.people.directory import Directory
from mailguard.pipeline.bell import Bell
from mailguard.pipeline.counters import NoticeAllowance
from mailguard.pipeline.outbox import Outbox
from mailguard.pipeline.ports import AllowanceGone, Outgoing, Spend, StoreError
from mailguard.pipeline.replay import Replaying, replay
from mailguard.pipeline.snapshot import Snapshot
from mailguard.server.wiring import undelivered

LARGE = RAW + b"x" * 78 + b"\r\n" + (b"y" * 78 + b"\r\n") * 2_000  # judged in a thread


class Together(Says):
    """A check that bounces Ann's copy once both messages are being judged."""

    both = threading.Barrier(2, timeout=30)

    def examine(self, transaction: Transaction, facts: Facts, settings: CheckSettings) -> Verdict:
        self.both.wait()
        return Verdict(self.name, (Finding("a.x", "it is not allowed", (ANN,)),))


def snapshot(*steps: PolicyStep) -> Snapshot:
    kind = FindingType("a.x", "it is not allowed", (), Disposition.BOUNCE)
    step = PolicyStep(
        Together("a", Verdict("a"), (kind,)), CheckSettings(), {"a.x": Disposition.BOUNCE}
    )
    texts = {name: template.text for name, template in TEMPLATES.items()}
    return Snapshot(DISTRICT, Policy(steps or (step,), "p"), Directory(), {}, texts, "d")


def plain() -> Snapshot:
    """Bounces Ann's copy, and waits for nobody."""
    return snapshot(finds("a", "a.x", Disposition.BOUNCE, ANN))


def message(number: int, raw: bytes = LARGE) -> Transaction:
    envelope = Envelope("x@example.com", (ANN, BOB), client_address="192.0.2.1", helo="h.example")
    return Transaction(f"{number:026}", 1.0, Listener("mx", Role.MX), envelope, mime.parse(raw))


def small() -> Transaction:
    return message(1, RAW)


async def test_two_messages_judged_at_once_do_not_both_spend_the_last_notice() -> None:
    ports = Proven(notices=NoticeAllowance(an_hour=1))
    world = make_world(ports)
    replies = await asyncio.gather(*(world.accept(message(n), snapshot()) for n in (1, 2)))
    assert [reply.code for reply in replies] == [250, 250]
    notices = [one for _, outgoing in ports.kept for one in outgoing if one.kind == "notice"]
    held = [hold.recipient for holds, _ in ports.kept for hold in holds]
    ends = sorted(entry.recipients[ANN][1] for entry in ports.recorded)
    assert (len(notices), held) == (1, [ANN])
    assert ends == [State.QUARANTINED, State.REFUSED]
    facts = sorted(entry.facts.partition(b'"may_tell":')[2][:5] for entry in ports.recorded)
    assert facts == [b"false", b"true,"]


async def test_what_was_planned_again_is_replayed_so() -> None:
    ports = Proven(notices=NoticeAllowance(an_hour=1))
    world = make_world(ports)
    await asyncio.gather(*(world.accept(message(n), snapshot()) for n in (1, 2)))
    for entry in ports.recorded:
        again = Replaying(ports, world.terms)
        plan = (await replay(entry, LARGE, plain(), again)).plan
        kept = entry.recipients[ANN][1] is State.QUARANTINED
        assert [hold.recipient for hold in plan.holds] == [ANN] * kept
        assert [telling.recipients for telling in plan.notices] == [(ANN,)] * (not kept)


async def test_facts_of_before_there_was_an_allowance_say_that_the_sender_may_be_told() -> None:
    ports = Proven()
    world = make_world(ports)
    await world.accept(small(), plain())
    (entry,) = ports.recorded
    older = re.sub(rb'"may_tell":true,?', b"", entry.facts)
    assert older != entry.facts
    plan = (
        await replay(replace(entry, facts=older), RAW, plain(), Replaying(ports, world.terms))
    ).plan
    assert [telling.recipients for telling in plan.notices] == [(ANN,)]


async def test_the_last_notice_may_go_while_the_next_hop_is_asked() -> None:
    """The next hop refuses a copy, and meanwhile others were told: it is kept instead."""

    class Meanwhile(Proven):
        async def relay(self, *args: Any, **more: Any) -> Any:
            assert self.notices.take([Spend("X@example.com", 2.0)])
            return await super().relay(*args, **more)

    ports = Meanwhile(replies={BOB: NO}, notices=NoticeAllowance(an_hour=1))
    assert (await run(ports)).code == 250
    assert states(ports)[BOB] is State.QUARANTINED
    (kept,) = ports.kept
    assert [hold.recipient for hold in kept[0]] == [BOB]
    assert kept[1] == ()


async def test_a_commit_that_fails_gives_back_what_it_took(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = StateDirectory.open(tmp_path)
    sender, spend = "x@example.com", Spend("x@example.com", 2.0)
    mail = Outgoing("k", "notice", "", (sender,), b"raw", spends=spend)
    for _ in range(19):
        assert state.notices.take([spend])

    async def locked(*_: object) -> None:
        raise StoreError("locked")

    with monkeypatch.context() as patched, pytest.raises(StoreError):
        patched.setattr(state.database, "commit", locked)
        await state.outbox.put((mail,), 2.0)
    await state.outbox.put((mail,), 2.0)
    with pytest.raises(AllowanceGone):
        await state.outbox.put((replace(mail, key="l"),), 2.0)
    assert await state.outbox.counts() == {("notice", "waiting"): 1}
    await state.outbox.put((replace(mail, key="l", spends=Spend(sender, 3_700.0)),), 2.0)
    state.close()


def test_a_commit_takes_all_or_nothing() -> None:
    allowance = NoticeAllowance(an_hour=1)
    ann, bob = Spend("ann@example.org", 1.0), Spend("bob@example.org", 1.0)
    assert allowance.take([bob])
    assert not allowance.take([ann, bob])
    assert allowance.take([ann])
    assert not allowance.take([Spend("cid@example.org", 1.0), Spend("Cid@example.org", 2.0)])
    assert allowance.allows("cid@example.org", 2.0)
    allowance.refund([ann])
    assert allowance.take([ann])


@pytest.mark.parametrize(("left", "told"), [(1, "x@example.com"), (0, DISTRICT.postmaster)])
async def test_a_late_refusal_is_told_to_whom_it_may_be(
    tmp_path: Path, left: int, told: str
) -> None:
    state, now = StateDirectory.open(tmp_path), time.time() + 60.0
    ports = Proven(replies={BOB: LATE})
    world = make_world(ports).but(
        ledger=state.ledger, archive=state.blobs, notices=state.notices, clock=lambda: now
    )
    nothing = replace(plain(), policy=Policy((), "p"))
    assert (await world.accept(small(), nothing)).code == 250
    for _ in range(20 - left):
        assert state.notices.take([Spend("x@example.com", now)])
    ports.replies[BOB] = NO
    again = Replaying(ports, world.terms)
    undeliverable = undelivered(state, lambda: nothing, again, lambda: now)
    outbox = Outbox(
        *(state.outbox, state.blobs, ports, undeliverable, lambda: now, Bell()),
        holder="h",
        first_retry=1.0,
        longest_retry=1.0,
        give_up=1e6,
        poll=1.0,
    )
    await outbox.turn()
    (waiting,) = await state.outbox.lease("me", now, 60.0, 10)
    assert (waiting.kind, waiting.recipients) == ("notice", (told,))
    assert not state.notices.allows("x@example.com", now)
    state.close()
