"""Smaller parts of the promise: one configuration a message, nothing after the next hop's 250."""

from __future__ import annotations

from typing import Any

import pytest
from tests.support.steps import DISTRICT, Says, finds
from tests.support.story import ANN, BOB, NO, RAW, Ports, Proven, make_world, run, states

from mailguard.core.decision.facts import Bayes, Facts, Unblocked
from mailguard.core.decision.plan import State
from mailguard.core.decision.policy import CheckSettings, Policy, PolicyStep
from mailguard.core.decision.verdict import Disposition, Verdict
from mailguard.core.mail import mime
from mailguard.core.mail.transaction import Envelope, Listener, Role, Transaction
from mailguard.core.people.directory import Directory
from mailguard.pipeline.gather import gather
from mailguard.pipeline.judged_message import JudgedMessage
from mailguard.pipeline.snapshot import Snapshot

FORWARD, QUARANTINE, HOLD, BOUNCE, DEFER = Disposition


class Wants(Says):
    needs = frozenset({"unblocked", "bayes"})


WANTING = PolicyStep(Wants("wants", Verdict("wants")), CheckSettings(), {})


@pytest.mark.parametrize(("expires", "counts"), [(None, True), (3.0, True), (2.0, False)])
async def test_the_lists_files_are_those_of_the_messages_own_snapshot(
    expires: float | None, counts: bool
) -> None:
    entry = Unblocked("x@example.com", "allowlist.d/a.txt:1", expires_at=expires)
    listed = {entry.address: entry}
    snapshot = Snapshot(DISTRICT, Policy((WANTING,), "p"), Directory(), listed, {}, "d")
    envelope = Envelope("x@example.com", (ANN,))
    one = Transaction("0" * 26, 1.0, Listener("mx", Role.MX), envelope, mime.parse(RAW))
    facts = await gather(one, snapshot, make_world(Ports()).judging, "d", 2.0)
    assert facts.unblocked == (entry if counts else None)


async def test_half_a_character_in_a_fact_is_no_trouble_after_the_next_hops_250() -> None:
    class Odd(Ports):
        def opinion(self, words: Any) -> Any:
            return Bayes(0.5, 100, 100, (("a\ud800", 0.9),))

    ports = Odd()
    assert (await run(ports, WANTING)).code == 250
    assert b'"telling":[["a?",0.9]]' in ports.recorded[-1].facts.replace(b" ", b"")


async def test_what_cannot_be_written_down_is_heard_of_before_anything_leaves(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(_: Any) -> bytes:
        raise RuntimeError("a fact of a new kind")

    monkeypatch.setattr("mailguard.pipeline.judged_message.facts_json", broken)
    ports = Ports()
    assert (await run(ports)).code == 451
    assert "relay" not in ports.done


async def test_notices_of_the_next_hops_refusals_are_capped_too() -> None:
    ports = Proven(replies={BOB: NO})
    world = make_world(ports)
    for _ in range(20):
        assert (await run(ports, world=world)).code == 250
        assert states(ports)[BOB] is State.REFUSED
    assert (await run(ports, world=world)).code == 250
    assert states(ports)[BOB] is State.QUARANTINED


async def test_of_a_held_message_the_desk_tells_its_sender() -> None:
    """It knows who is asked; so the story itself says nothing."""
    ports = Proven()
    assert (await run(ports, finds("a", "a.x", HOLD, ANN))).code == 250
    ((held,), outgoing) = ports.kept[0]
    assert (held.recipient, held.disposition) == (ANN, HOLD)
    assert outgoing == ()


async def test_a_copy_that_is_made_later_is_signed_as_of_then() -> None:
    seen: list[float] = []

    class Pen:
        def sign(self, copy: bytes, domain: str, now: float) -> bytes:
            seen.append(now)
            return b""

        seal = sign

    envelope = Envelope("x@example.org", (ANN,), account="x")
    raw = RAW.replace(b"example.com", b"example.org")
    one = Transaction("0" * 26, 1.0, Listener("in", Role.SUBMISSION), envelope, mime.parse(raw))
    snapshot = Snapshot(DISTRICT, Policy((), "p"), Directory(), {}, {}, "d")
    terms = make_world(Ports()).but(signing=Pen()).terms
    JudgedMessage.unread(one, snapshot, terms, Facts(1.0, DISTRICT), "d").copy((), 900_000.0)
    assert seen == [900_000.0]
