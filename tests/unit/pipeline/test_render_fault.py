"""An edit that fails the self-check: that copy is quarantined or leaves unedited, and it counts."""

from __future__ import annotations

from dataclasses import replace

import pytest
from prometheus_client import REGISTRY
from tests.support.edits import OVERLAPPING, SEEN_BY_ALL, step
from tests.support.steps import finds
from tests.support.story import ANN, BOB, RAW, Ports, make_world, run, states

from mailguard.core.decision.edit import ReplaceText
from mailguard.core.decision.plan import State
from mailguard.core.decision.verdict import Disposition
from mailguard.core.render import render


def counted() -> float:
    return REGISTRY.get_sample_value("mailguard_render_faults_total") or 0.0


async def test_the_copy_concerned_is_quarantined_and_the_others_go() -> None:
    ports, before = Ports(), counted()
    reply = await run(ports, step(*OVERLAPPING, *SEEN_BY_ALL))
    assert reply.code == 250
    assert ports.done == ["archive", "keep", "relay", "record"]
    assert states(ports) == {ANN: State.QUARANTINED, BOB: State.FORWARDED}
    assert set(ports.relayed) == {BOB}
    assert b"X-Mailguard-Test: 1" in ports.relayed[BOB]
    ((hold,), (copy,)) = ports.kept[-1]
    assert (hold.reason, hold.disposition) == ("mailguard.edit-failed", Disposition.QUARANTINE)
    assert "changed twice" in hold.evidence
    assert copy.kind == "copy"
    assert b"could not be made as planned" in copy.raw
    (disposition, _, reason) = ports.recorded[-1].recipients[ANN]
    assert (disposition, reason) == (Disposition.QUARANTINE, "mailguard.edit-failed")
    assert counted() == before + 1


async def test_nobody_is_refused_for_our_own_trouble() -> None:
    ports = Ports()
    everyone = tuple(replace(edit, recipients=()) for edit in OVERLAPPING)
    assert (await run(ports, step(*everyone))).code == 250
    assert states(ports) == {ANN: State.QUARANTINED, BOB: State.QUARANTINED}
    assert not ports.relayed


async def test_or_it_leaves_without_edits() -> None:
    ports, before = Ports(), counted()
    world = make_world(ports).but(deliver_unedited=True)
    assert (await run(ports, step(*OVERLAPPING, *SEEN_BY_ALL), world=world)).code == 250
    assert states(ports) == {ANN: State.FORWARDED, BOB: State.FORWARDED}
    assert ports.relayed[ANN].endswith(RAW)
    assert b"X-Mailguard-Test" not in ports.relayed[ANN]
    assert b"X-Mailguard-Test" in ports.relayed[BOB]
    assert counted() == before + 1


async def test_a_copy_that_does_not_read_as_planned_is_one_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real = render.render
    monkeypatch.setattr(
        render, "render", lambda message, edits: real(message, edits) + (b"lost" if edits else b"")
    )
    ports = Ports()
    assert (await run(ports, step(ReplaceText("", 0, 1, "H", recipients=(ANN,))))).code == 250
    assert states(ports) == {ANN: State.QUARANTINED, BOB: State.FORWARDED}


async def test_holds_of_the_policy_stay() -> None:
    ports = Ports()
    await run(ports, finds("a", "a.x", Disposition.QUARANTINE, BOB), step(*OVERLAPPING))
    assert {h.recipient: h.reason for h in ports.kept[-1][0]} == {
        BOB: "a.x",
        ANN: "mailguard.edit-failed",
    }
