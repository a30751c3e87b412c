"""A store from before anything stored carried a format opens, explains itself and moves on.

What was mailed then is answered now, by its old tokens and pages. The store is described in
`tests/fixtures/stores/2026-11/README.md`.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import func, select
from tests.support.old_store import DAY, MANIFEST, MATTERS, OldStore, asked, looked_into, unpacked
from typer.testing import CliRunner

from mailguard.adapters.database.tables import letters, metadata, outbox
from mailguard.cli.root import application
from mailguard.core.record.formats import number_of
from mailguard.core.record.stored import is_recorded
from mailguard.server.wiring import replay_by_id

TARA, BEN, SAM, PAULA, TOMAS, WANDA = (
    f"{name}@example.org"
    for name in (
        *("tara.olive", "ben.poplar", "sam.juniper"),
        *("paula.pine", "tomas.birch", "wanda.birch"),
    )
)
SPAMMAIL = "spammail@example.org"
MAPLE, CEDAR = "teachers-maple@example.org", "teachers-cedar@example.org"
NAMED = MANIFEST["named"]
RECORDED = {one["id"]: one for one in MANIFEST["transactions"]}
UNREAD = "waiting, answered by an unread letter"


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.peer)])
def config(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    postgresql = request.param == "postgresql"
    server = request.getfixturevalue("postgresql_server") if postgresql else None
    return unpacked(tmp_path, server)


@pytest_asyncio.fixture
async def old(config: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[OldStore]:
    store = OldStore(config, monkeypatch)
    yield store
    await store.close()


@pytest.fixture
def command(config: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[Any]]:
    """A mailguard command at the moment at which the store was left; its lines of JSON."""
    monkeypatch.setattr("time.time", lambda: MANIFEST["written_at"])

    def run(*words: str) -> list[Any]:
        done = CliRunner().invoke(application, [*words, "--config", str(config), "--json"])
        assert done.exit_code == 0, done.output
        return [json.loads(line) for line in done.stdout.splitlines()]

    return run


def of_kind(kind: str, *, open_only: bool = False) -> list[int]:
    return [
        one["number"]
        for one in MANIFEST["matters"]
        if one["kind"] == kind and (one["open"] or not open_only)
    ]


async def test_it_is_whole_and_nothing_in_it_carries_a_number(old: OldStore) -> None:
    """Else it would not be what it is here for."""
    with looked_into(old) as connection:
        rows = {
            table.name: connection.execute(select(func.count()).select_from(table)).scalar()
            for table in metadata.sorted_tables
        }
    assert rows == MANIFEST["rows"]
    for one in MANIFEST["matters"]:
        ticket = await old.state.tickets.load(one["number"])
        assert ticket is not None
        assert b'"format"' not in ticket.state
    for id_ in RECORDED:
        entry = await old.state.ledger.find(id_)
        assert entry is not None
        assert b'"format"' not in entry.facts + entry.decision


async def test_every_recorded_transaction_is_decided_again_as_recorded(old: OldStore) -> None:
    take_up = replay_by_id(old.state, lambda: old.loaded.snapshot, old.replaying)
    assert Counter(one["reproduced"] for one in RECORDED.values()).keys() == {True, False, None}
    for id_, was in RECORDED.items():
        entry = await old.state.ledger.find(id_)
        assert entry is not None
        if was["reproduced"] is None:  # it was cut off, so there are no facts
            with pytest.raises((KeyError, ValueError)):
                await take_up(id_)
            continue
        one = await take_up(id_)
        assert is_recorded(one.decision, entry.decision) is was["reproduced"], was
        assert one.copies(old.now).keys() == set(range(len(one.plan.variants)))


@pytest.mark.parametrize("name", ["deferred", "returned", "crashed", "interrupted", "unseen_hold"])
def test_explain_says_what_it_said(command: Callable[..., list[Any]], name: str) -> None:
    (told,) = command("explain", NAMED[name])
    was = RECORDED[NAMED[name]]
    assert told["reproduced"] is was["reproduced"]
    assert told["record"]["reply"] == was["reply"]
    ends = told["record"]["recipients"]
    assert {r: [*end.values()] for r, end in ends.items()} == was["recipients"]


def test_everything_is_listed(command: Callable[..., list[Any]]) -> None:
    for kind, words in (("approval", "approvals"), ("case", "cases")):
        (waits,) = command(words, "list")
        (found,) = command(words, "list", "--all")
        assert [one["number"] for one in waits] == of_kind(kind, open_only=True)
        status = {m["number"]: m["status"] for m in MANIFEST["matters"] if m["kind"] == kind}
        assert {one["number"]: one["state"] for one in found} == status
    (grants,) = command("approvals", "grants", "--all")
    assert [one["number"] for one in grants] == of_kind("grant")
    (kept,) = command("quarantine", "list", "--state", "all")
    there = {one["number"]: one["state"] for one in MANIFEST["holds"]}
    assert {one["number"]: one["state"] for one in kept} == there
    assert [one["id"] for one in command("ledger", "--all")] == list(RECORDED)


@pytest.mark.parametrize("name", ["one yes of two", "conflict"])
def test_history_is_shown(command: Callable[..., list[Any]], name: str) -> None:
    one = MATTERS[name]
    words = "approvals" if one["kind"] == "approval" else "cases"
    (shown,) = command(words, "show", str(one["number"]))
    assert [[line["what"], line["by"]] for line in shown["history"]] == one["history"]


async def test_every_page_opens_as_it_did(old: OldStore) -> None:
    for question in MANIFEST["questions"]:
        page = await old.desk.question(question["page"])
        shown = None if page is None else [choice for choice, _ in page.choices]
        assert shown == question["choices"], question


ANSWERS = [  # whom we asked then, what they say now, how often, what it comes to
    ("waiting", PAULA, "Yes", "granted"),
    ("reminded", TOMAS, "No", "denied"),
    ("one yes of two", TOMAS, "Yes", "granted"),
    ("two people's refusal", PAULA, "STOP", "stopped"),
    ("waiting, its question not sent yet", TOMAS, "Yes", "granted"),
    ("asked", TARA, "Yes", "approved"),
    ("asked, one key ago", SAM, "No", "denied"),
    ("asked, one yes", BEN, "Yes", "approved"),
    ("unsure", BEN, "Yes", "approved"),
    ("conflict", SPAMMAIL, "Yes", "approved"),
    ("reviewed", SPAMMAIL, "No", "denied"),
    ("new, nobody to ask", SPAMMAIL, "Yes", "approved"),
    ("new", SPAMMAIL, "Yes", "asked"),
    ("second of an address", SPAMMAIL, "No", "denied"),
]
BUTTONS = {"Yes": "yes", "No": "no", "STOP": "no"}


async def test_a_token_that_was_mailed_is_answered_by_mail(old: OldStore) -> None:
    for name, mailbox, text, _ in ANSWERS:
        sender = WANDA if mailbox == SPAMMAIL else mailbox
        assert (await old.reply(asked(name, mailbox), text, sender)).code == 250
    await old.round()
    assert [await old.status(name) for name, *_ in ANSWERS] == [status for *_, status in ANSWERS]
    for name, *_ in ANSWERS:  # what moves is written in the format of today
        ticket = await old.state.tickets.load(MATTERS[name]["number"])
        assert ticket is not None
        assert ticket.state.startswith(b'{"format":')
    released = b"".join(old.next_hop.got(MAPLE))
    assert b"Subject: Number eleven" in released
    assert b"Subject: Bake sale for Room 5" in released
    assert b"Subject: Number ten\r\n" not in released
    assert any(b"Field trip 4" in raw for raw in old.next_hop.got(TARA))
    listed = {entry.address for entry in await old.state.unblocked.entries()}
    assert {"parent4@example.com", "parent13@example.com", "parent5@example.com"} <= listed


async def test_a_page_that_was_mailed_is_answered(old: OldStore) -> None:
    for name, mailbox, text, status in ANSWERS:
        old.now += 60
        assert await old.desk.answer(asked(name, mailbox)["page"], BUTTONS[text])
        assert await old.status(name) == {"stopped": "denied"}.get(status, status), name
    assert await old.desk.answer(asked("new", SPAMMAIL)["page"], "yes")
    await old.round()
    assert any(b"Field trip 4" in raw for raw in old.next_hop.got(TARA))


async def test_a_token_answers_for_nobody_else(old: OldStore) -> None:
    await old.reply(asked("waiting", PAULA), "Yes", SAM)
    await old.reply(asked("asked", TARA), "Yes", SAM)
    await old.round()
    assert (await old.status("waiting"), await old.status("asked")) == ("waiting", "asked")


async def test_what_was_unread_is_read_and_what_was_unseen_is_asked(old: OldStore) -> None:
    await old.round()
    assert await old.status(UNREAD) == "granted"
    assert any(b"Subject: Number twelve" in raw for raw in old.next_hop.got(MAPLE))
    with looked_into(old) as connection:
        left = connection.execute(select(letters).where(letters.c.state == "waiting")).all()
    assert left == []
    (number,) = await old.state.tickets.tickets_of(NAMED["unseen_hold"])
    opened = await old.state.tickets.load(number)
    assert opened is not None
    assert (opened.kind, opened.status, number_of(opened.state)) == ("approval", "waiting", 1)
    assert any(b"Number fifteen" in raw for raw in old.next_hop.got(PAULA))


async def test_the_outbox_leaves(old: OldStore) -> None:
    old.now += 3_600
    while await old.outbox.turn():
        pass
    with looked_into(old) as connection:
        found = connection.execute(select(outbox.c.id, outbox.c.state)).all()
    was = {one["number"]: one["state"] for one in MANIFEST["outbox"]}
    now = {number: state for number, state in found if number in was}
    assert now == {n: "sent" if state == "waiting" else state for n, state in was.items()}
    assert "waiting" in was.values()
    assert any(b"Tomorrow's meeting" in raw for raw in old.next_hop.got(BEN))
    assert await old.ends(NAMED["waits_in_outbox"]) == {"forwarded"}


def test_holds_are_let_go(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (number,) = NAMED["holds"]["waiting"]
    words = ["quarantine", "release", str(number), "--config", str(config)]
    done = CliRunner().invoke(application, words)
    assert done.exit_code == 0, done.output
    released_at = time.time()

    async def left() -> list[bytes]:
        old = OldStore(config, monkeypatch)
        old.now = max(old.now, released_at)
        while await old.outbox.turn():
            pass
        await old.close()
        return old.next_hop.got(TARA)

    assert any(b"Field trip 33" in raw for raw in asyncio.run(left()))


async def test_grants_cover_as_before(old: OldStore) -> None:
    for name, sender in (("partly used", TARA), ("untouched", BEN)):
        was = await old.state.tickets.load(MATTERS[name]["number"])
        id_, reply = await old.say(sender, CEDAR, "The play", "Rehearsal on Friday.")
        assert reply.code == 250
        await old.round()
        assert any(b"Rehearsal" in raw for raw in old.next_hop.got(CEDAR))
        assert await old.ends(id_) == {"released"}
        ticket = await old.state.tickets.load(MATTERS[name]["number"])
        assert was is not None and ticket is not None
        assert ticket.version == was.version + 1
        assert ticket.state.startswith(b'{"format":1,')


async def test_what_comes_due_wakes(old: OldStore) -> None:
    """A month later nothing waits that does not wait for reviewers, and nothing was released."""
    await old.round()
    for _ in range(24):
        old.now += DAY
        await old.round()
    for name in ("waiting", "reminded", "one yes of two", "two people's refusal"):
        assert await old.status(name) == "expired"
    for name in ("asked", "asked, one key ago", "unmatched"):
        assert await old.status(name) == "unanswered"
    assert await old.status("asked, one yes") == "approved"
    for name in ("new", "new, nobody to ask", "reviewed", "conflict", "second of an address"):
        assert await old.status(name) == MATTERS[name]["status"]
    assert not any(b"Subject: Number eleven" in raw for raw in old.next_hop.got(MAPLE))
    found = await old.state.tickets.find("summary", open_only=False)
    mornings = [m for m in found if number_of(m.state)]
    assert len(mornings) > len(of_kind("summary"))
