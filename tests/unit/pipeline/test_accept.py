"""The promise, when ports fail: what the client hears, and what was done by then.

The ports are small recording ones; the story, the decision and the plan are the real thing.
"""

from __future__ import annotations

from typing import Any

import pytest
from tests.support.steps import Says, finds
from tests.support.story import ANN, BOB, LATE, NO, RAW, Ports, make_world, run, states

from mailguard.core.decision.plan import State
from mailguard.core.decision.policy import PolicyStep
from mailguard.core.decision.verdict import Disposition
from mailguard.core.mail.reply import Reply
from mailguard.pipeline.ports import (
    StoreError,
)

FORWARD, QUARANTINE, HOLD, BOUNCE, DEFER = Disposition


async def test_the_order_is_archive_keep_relay_record() -> None:
    ports = Ports()
    reply = await run(ports, finds("a", "a.x", QUARANTINE, ANN))
    assert reply == Reply(250, f"2.0.0 Ok: {'0' * 26}")
    assert ports.done == ["archive", "keep", "relay", "record"]
    assert states(ports) == {ANN: State.QUARANTINED, BOB: State.FORWARDED}
    assert ports.relayed[BOB].endswith(RAW)


@pytest.mark.parametrize(("full", "code"), [(False, 451), (True, 452)])
async def test_an_archive_that_fails_stops_everything(full: bool, code: int) -> None:
    ports = Ports({"archive": StoreError("no", full=full)})
    assert (await run(ports)).code == code
    assert ports.done == ["archive"]


async def test_what_cannot_be_kept_is_not_answered_and_nothing_leaves() -> None:
    ports = Ports({"keep": StoreError("no")})
    assert (await run(ports, finds("a", "a.x", QUARANTINE, ANN))).code == 451
    assert "relay" not in ports.done


@pytest.mark.parametrize("error", [StoreError("no"), RuntimeError("bug")])
async def test_after_the_next_hops_250_no_record_turns_it_into_an_error(error: Exception) -> None:
    ports = Ports({"record": error})
    assert (await run(ports)).code == 250


async def test_a_copy_put_off_is_in_the_outbox_before_the_250() -> None:
    ports = Ports(replies={BOB: LATE})
    assert (await run(ports)).code == 250
    assert ports.done == ["archive", "relay", "keep", "record"]
    (_, (outgoing,)) = ports.kept[-1]
    assert (outgoing.kind, outgoing.recipients, outgoing.raw) == (
        "relay",
        (BOB,),
        ports.relayed[BOB],
    )
    assert states(ports) == {ANN: State.FORWARDED, BOB: State.QUEUED}


async def test_a_copy_put_off_that_cannot_be_kept_is_451() -> None:
    ports = Ports({"keep": StoreError("no")}, {BOB: LATE})
    assert (await run(ports)).code == 451


async def test_one_refused_copy_of_an_unproven_sender_is_quarantined() -> None:
    ports = Ports(replies={BOB: NO})
    assert (await run(ports)).code == 250
    ((hold,), _) = ports.kept[-1]
    assert (hold.recipient, hold.reason) == (BOB, "next-hop.refused")
    assert states(ports) == {ANN: State.FORWARDED, BOB: State.QUARANTINED}


@pytest.mark.parametrize("reply", [LATE, NO])
async def test_the_next_hops_own_answer_is_passed_on(reply: Reply) -> None:
    ports = Ports(replies={ANN: reply, BOB: reply})
    assert await run(ports) == reply


async def test_a_deferred_message_leaves_nothing_behind() -> None:
    ports = Ports()
    assert (await run(ports, finds("a", "a.x", DEFER, ANN))).code == 451
    assert "keep" not in ports.done
    assert "relay" not in ports.done


async def test_a_check_that_crashes_quarantines_and_says_so() -> None:
    ports = Ports()
    step = PolicyStep(Says("a", RuntimeError("boom")), finds("b", "b.x", FORWARD).settings, {})
    reply = await run(ports, step)
    assert reply.code == 550
    assert {h.reason for h in ports.kept[-1][0]} == {"a.error"}


async def test_a_message_that_crashes_us_is_451_twice_and_then_quarantined_unread() -> None:
    ports = Ports({"relay": RuntimeError("bug")})
    world = make_world(ports)
    assert [(await run(ports, world=world)).code for _ in range(3)] == [451, 451, 250]
    holds, _ = ports.kept[-1]
    assert {h.recipient for h in holds} == {ANN, BOB}
    assert {h.reason for h in holds} == {"mailguard.crashed"}


async def test_a_lookup_that_hangs_becomes_unavailable_in_time() -> None:
    class Hanging(Ports):
        async def read(self, message: Any) -> Any:
            import asyncio

            await asyncio.sleep(60)

    ports = Hanging()
    reply = await run(ports, world=make_world(ports).but(deadline=0.05))
    assert reply.code == 250  # no step of this policy needs the reading
    assert b"no answer within" in ports.recorded[-1].facts
