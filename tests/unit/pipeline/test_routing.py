"""Mail for a leaver that goes to the manager: where it goes, what is kept, who is told (R6)."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from email import message_from_bytes, policy
from typing import Any

import pytest
from tests.support.edits import OVERLAPPING, step
from tests.support.steps import DISTRICT, finds
from tests.support.story import LATE, NO, OK, Ports, World, make_world, states

from mailguard.checks.leavers import GONE, ROUTED, Leavers
from mailguard.config.notices import TEMPLATES
from mailguard.core.decision.plan import State
from mailguard.core.decision.policy import Mode, Policy, PolicyStep
from mailguard.core.decision.verdict import Disposition
from mailguard.core.mail import mime
from mailguard.core.mail.reply import Reply
from mailguard.core.mail.transaction import Envelope, Listener, Role, Transaction
from mailguard.core.people.directory import Directory
from mailguard.core.people.model import Person
from mailguard.core.sender import directory_lookups
from mailguard.pipeline.judge import judge
from mailguard.pipeline.release import released
from mailguard.pipeline.snapshot import Snapshot

FORWARD, QUARANTINE, HOLD, BOUNCE, DEFER = Disposition
ANN, BOB, BOSS = "ann@example.org", "bob@example.org", "boss@example.org"
HEAD, SECOND = "head@example.org", "second@example.org"
RAW = b"From: x@example.com\r\nSubject: s\r\n\r\nhello\r\n"
LEFT, NOON = date(2026, 6, 30), 1_782_993_600.0  # 2 July 2026, 12:00 UTC
ANN_LEFT = Person("ann", "Ann Ash", (ANN,), end=LEFT, manager="boss", on_leaving="route")
BOB_LEFT = Person("bob", "Bob Bay", (BOB,), end=LEFT, manager="boss", on_leaving="route")
DIRECTOR = Person("head", "Hedy Head", (HEAD,), roles=("technology_services_director",))
PEOPLE = (ANN_LEFT, Person("boss", "Bo Boss", (BOSS,)), DIRECTOR)
STEP = PolicyStep(Leavers(), Leavers.Settings(), {GONE.code: BOUNCE, ROUTED.code: FORWARD})


def snapshot(*steps: PolicyStep, people: tuple[Person, ...] = PEOPLE) -> Snapshot:
    notices = {name: template.text for name, template in TEMPLATES.items()}
    directory = Directory({p.id: p for p in people})
    return Snapshot(DISTRICT, Policy((STEP, *steps), "p"), directory, {}, notices, "d")


def transaction(recipients: tuple[str, ...] = (ANN, BOB)) -> Transaction:
    envelope = Envelope("x@example.com", recipients, client_address="192.0.2.1", helo="h.example")
    return Transaction("0" * 26, 1.0, Listener("mx", Role.MX), envelope, mime.parse(RAW))


def world_of(ports: Any, now: float = NOON) -> World:
    return make_world(ports).but(clock=lambda: now)


async def run(ports: Ports, snap: Snapshot, recipients: tuple[str, ...] = (ANN, BOB)) -> Reply:
    return await world_of(ports).accept(transaction(recipients), snap)


async def test_the_managers_mailbox_gets_it_and_the_ledger_names_the_leaver() -> None:
    ports = Ports()
    assert (await run(ports, snapshot())).code == 250
    assert set(ports.relayed) == {BOSS, BOB}
    assert b"X-Mailguard-Routed: leaver; for=ann@example.org\r\n" in ports.relayed[BOSS]
    assert b"X-Mailguard-Routed" not in ports.relayed[BOB]
    assert ports.relayed[BOSS].endswith(RAW)
    assert states(ports) == {ANN: State.FORWARDED, BOB: State.FORWARDED}
    assert ports.recorded[-1].recipients[ANN][2] == "leavers.routed"


async def test_the_director_is_told_before_it_leaves() -> None:
    ports = Ports()
    await run(ports, snapshot())
    assert ports.done == ["archive", "keep", "relay", "relay", "record"]
    ((holds, (report,)),) = ports.kept
    assert holds == ()
    assert (report.kind, report.reverse_path, report.recipients) == ("report", "", (HEAD,))
    assert report.key == "routed|ann|2026-07-02"
    told = message_from_bytes(report.raw, policy=policy.default)
    assert (told["To"], told["Auto-Submitted"]) == (HEAD, "auto-generated")
    assert told["Subject"] == "Mail for Ann Ash goes to Bo Boss"
    text = " ".join(told.get_content().split())
    assert "Ann Ash (ann@example.org), who has left" in text
    assert "gone since 2026-07-01, is routed to Bo Boss at boss@example.org (rule R6)." in text


async def test_who_is_told() -> None:
    second = replace(DIRECTOR, id="second", addresses=(SECOND,))
    former = replace(DIRECTOR, end=LEFT)
    for people, told in (
        ((*PEOPLE, second), (HEAD, SECOND)),
        ((*PEOPLE[:2], former, second), (SECOND,)),
        (PEOPLE[:2], (DISTRICT.postmaster,)),
    ):
        ports = Ports()
        await run(ports, snapshot(people=people))
        assert [o.recipients for _, outgoing in ports.kept for o in outgoing] == [told]


async def test_each_leaver_is_told_of_once() -> None:
    ports = Ports()
    alias = replace(ANN_LEFT, addresses=(ANN, "a.ash@example.org"))
    people = (alias, BOB_LEFT, *PEOPLE[1:])
    assert (await run(ports, snapshot(people=people), (ANN, "a.ash@example.org", BOB))).code == 250
    ((_, outgoing),) = ports.kept
    assert [o.key for o in outgoing] == ["routed|ann|2026-07-02", "routed|bob|2026-07-02"]
    assert len({message_from_bytes(o.raw)["Message-ID"] for o in outgoing}) == 2
    assert ports.done.count("relay") == 3  # one copy each, for each says whose it was


@pytest.mark.parametrize(("mode", "mailbox"), [(Mode.OBSERVE, ANN), (Mode.ENFORCE, BOSS)])
async def test_observing_changes_nothing(mode: Mode, mailbox: str) -> None:
    ports, snap = Ports(), snapshot()
    snap = replace(snap, policy=Policy((replace(STEP, mode=mode),), "p"))
    await run(ports, snap, (ANN,))
    assert set(ports.relayed) == {mailbox}
    assert bool(ports.kept) is (mode is Mode.ENFORCE)


@pytest.mark.parametrize(("disposition", "state"), [(QUARANTINE, "quarantined"), (HOLD, "held")])
async def test_a_copy_that_another_finding_keeps_is_not_routed_yet(
    disposition: Disposition, state: str
) -> None:
    ports = Ports()
    await run(ports, snapshot(finds("a", "a.x", disposition, ANN)))
    assert set(ports.relayed) == {BOB}
    assert states(ports)[ANN] == state
    assert all(o.kind != "report" for _, outgoing in ports.kept for o in outgoing)


@pytest.mark.parametrize("answer", [LATE, NO])
async def test_the_managers_reply_is_the_clients(answer: Reply) -> None:
    ports = Ports(replies={BOSS: answer})
    assert await run(ports, snapshot(), (ANN,)) == answer
    assert states(ports) == {ANN: State.DEFERRED if answer is LATE else State.REFUSED}


async def test_a_routed_copy_put_off_waits_for_the_managers_mailbox() -> None:
    ports = Ports(replies={BOSS: LATE})
    people = (BOB_LEFT, *PEOPLE)
    third = "cy@example.org"
    assert (await run(ports, snapshot(people=people), (ANN, BOB, third))).code == 250
    waiting = [o for o in ports.kept[-1][1] if o.kind == "relay"]
    assert [(o.recipients, o.serves) for o in waiting] == [((BOSS,), ANN), ((BOSS,), BOB)]
    assert len({o.key for o in waiting}) == 2
    assert all(f"for={o.serves}".encode() in o.raw for o in waiting)
    assert states(ports) == {ANN: State.QUEUED, BOB: State.QUEUED, third: State.FORWARDED}


async def test_a_routed_copy_refused_is_the_leavers() -> None:
    ports = Ports(replies={BOSS: NO})
    assert (await run(ports, snapshot())).code == 250
    ((hold,), _) = ports.kept[-1]
    assert (hold.recipient, hold.reason) == (ANN, "next-hop.refused")


async def test_one_that_leaves_without_its_edits_still_goes_to_the_manager() -> None:
    ports = Ports()
    world = world_of(ports).but(deliver_unedited=True)
    assert (await world.accept(transaction((ANN,)), snapshot(step(*OVERLAPPING)))).code == 250
    assert set(ports.relayed) == {BOSS}
    assert ports.relayed[BOSS].endswith(RAW)


async def test_a_release_goes_to_the_manager_and_is_told() -> None:
    ports = Ports(replies={BOSS: OK})
    snap = snapshot(finds("a", "a.x", HOLD, ANN))
    world = world_of(ports)
    one = await judge(transaction(), snap, world.judging, world.terms, "ab" * 32, NOON)
    first, report, other = released(one, [(7, ANN), (8, BOB)], NOON)
    assert (first.kind, first.recipients, first.serves) == ("release", (BOSS,), ANN)
    assert b"for=ann@example.org" in first.raw
    assert report.key == "routed|ann|2026-07-02"
    assert (other.key, other.recipients, other.serves) == ("release|8", (BOB,), "")


def mailbox_for(recipient: str, today: date, snap: Snapshot) -> str | None:
    return directory_lookups.mailbox_for(recipient, today, snap.directory, snap.policy)


def test_the_mailbox_verified_is_the_one_that_gets_the_mail() -> None:
    snap, today = snapshot(), date(2026, 7, 2)
    assert mailbox_for("ANN@example.org", today, snap) == BOSS
    assert mailbox_for(ANN, LEFT, snap) == ANN  # the last day
    assert mailbox_for("nobody@example.org", today, snap) == "nobody@example.org"
    answered = snapshot(people=(replace(ANN_LEFT, on_leaving="answer"), *PEOPLE[1:]))
    assert mailbox_for(ANN, today, answered) is None
    for steps in ((), (replace(STEP, mode=Mode.OBSERVE),)):
        unused = replace(snap, policy=Policy(steps, "p"))
        assert mailbox_for(ANN, today, unused) == ANN
