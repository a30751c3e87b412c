"""What a newer version wrote is left alone: it stays as it is to the octet, and hinders nothing."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import Column, Table, bindparam, select, update
from tests.support.old_store import DAY, MANIFEST, MATTERS, OldStore, asked, looked_into, unpacked
from typer.testing import CliRunner

from mailguard.adapters.database.tables import (
    happenings,
    holds,
    letters,
    matters,
    policies,
    transactions,
)
from mailguard.cli.root import application
from mailguard.core.record.formats import NewerFormat
from mailguard.pipeline.ports import StoreError
from mailguard.server.wiring import replay_by_id

TARA, PAULA, TOMAS = (f"{n}@example.org" for n in ("tara.olive", "paula.pine", "tomas.birch"))
MAPLE, CEDAR = "teachers-maple@example.org", "teachers-cedar@example.org"
OF_TOMORROW = b'{"format":99,"of":"tomorrow"}'
NAMED = MANIFEST["named"]


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.peer)])
def config(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    postgresql = request.param == "postgresql"
    server = request.getfixturevalue("postgresql_server") if postgresql else None
    return unpacked(tmp_path, server)


@pytest_asyncio.fixture
async def store(config: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[OldStore]:
    opened = OldStore(config, monkeypatch)
    yield opened
    await opened.close()


def written_by_tomorrow(
    store: OldStore, table: Table, column: Column[bytes], keys: Iterable[Any] | None = None
) -> None:
    """Put a newer version's value into these rows, or into all."""
    (key,) = table.primary_key.columns
    with store.state.database.write() as connection:
        wanted = connection.execute(select(key)).scalars().all() if keys is None else [*keys]
        change = update(table).where(key == bindparam("which")).values({column: OF_TOMORROW})
        connection.execute(change, [{"which": one} for one in wanted])


def rows(store: OldStore, table: Table, key: Column[Any], keys: Iterable[Any]) -> list[Any]:
    with looked_into(store) as connection:
        found = connection.execute(select(table).where(key.in_([*keys])).order_by(key))
        return [tuple(row) for row in found]


def numbers(*kinds: str) -> list[int]:
    return [one["number"] for one in MANIFEST["matters"] if one["kind"] in kinds]


async def test_tickets_of_every_kind_stay_as_they_are(store: OldStore) -> None:
    every = numbers("approval", "case", "grant", "summary")
    written_by_tomorrow(store, matters, matters.c.state, every)
    with store.state.database.write() as connection:  # all of them are due at once
        waits = matters.c.closed_at.is_(None)
        connection.execute(update(matters).where(waits).values(wakes_at=store.now - 1.0))
    before = rows(store, matters, matters.c.id, every)
    history = rows(store, happenings, happenings.c.matter_id, every)
    for name, mailbox in (("waiting", PAULA), ("asked", TARA)):
        with pytest.raises(StoreError, match="a newer version of mailguard wrote this"):
            await store.desk.question(asked(name, mailbox)["page"])
        with pytest.raises(StoreError, match="a newer version of mailguard wrote this"):
            await store.desk.answer(asked(name, mailbox)["page"], "yes")
        await store.reply(asked(name, mailbox), "Yes")
    for _ in range(8):
        await store.round()
        store.now += DAY
    assert rows(store, matters, matters.c.id, every) == before
    assert rows(store, happenings, happenings.c.matter_id, every) == history
    with looked_into(store) as connection:  # the answers wait for who can read them
        waiting = connection.execute(select(letters.c.id).where(letters.c.state == "waiting"))
        assert len(waiting.all()) >= 2


async def test_a_newer_grant_covers_nothing_here_and_its_end_is_not_ours(store: OldStore) -> None:
    grant = MATTERS["partly used"]["number"]
    written_by_tomorrow(store, matters, matters.c.state, [grant])
    before = rows(store, matters, matters.c.id, [grant])
    id_, _ = await store.say(TARA, CEDAR, "The play", "Rehearsal on Friday.")
    await store.round()
    assert await store.ends(id_) == {"held"}
    store.now += 400 * DAY
    await store.turn()
    assert rows(store, matters, matters.c.id, [grant]) == before


async def test_copies_decided_elsewhere_close_no_newer_matter(store: OldStore) -> None:
    numbers_ = [MATTERS["waiting"]["number"], MATTERS["asked"]["number"]]
    written_by_tomorrow(store, matters, matters.c.state, numbers_)
    for number in numbers_:
        theirs = [hold.id for hold in await store.state.tickets.holds_of(number)]
        await store.state.ledger.decide_hold(theirs, "discarded", "root")
    before = rows(store, matters, matters.c.id, numbers_)
    await store.turn()
    assert rows(store, matters, matters.c.id, numbers_) == before


@pytest.mark.parametrize("kind", ["approval", "case", "grant"])
async def test_what_is_due_behind_them_moves(store: OldStore, kind: str) -> None:
    """More than one turn looks at, all of them due for longer."""
    behind = {"approval": "waiting", "case": "asked", "grant": "partly used"}[kind]
    store.now += 400 * DAY
    new = store.state.tickets.new
    newer = [(await new(kind, f"of tomorrow {n}", store.now)).id for n in range(230)]
    with store.state.database.write() as connection:
        theirs = matters.c.id.in_(newer)
        due = {"wakes_at": 1.0, "version": 1, "status": "of tomorrow", "state": OF_TOMORROW}
        connection.execute(update(matters).where(theirs).values(due))
    before = rows(store, matters, matters.c.id, newer)
    await store.turn()
    assert await store.status(behind) == {"case": "unanswered"}.get(kind, "expired")
    assert rows(store, matters, matters.c.id, newer) == before


async def test_a_message_that_a_newer_version_recorded_waits_for_it(store: OldStore) -> None:
    """No approval is opened on what nobody here can read; what came after it is asked about."""
    first = [(await store.say(TARA, MAPLE, f"First {n}", "Please."))[0] for n in range(130)]
    written_by_tomorrow(store, transactions, transactions.c.facts, first)
    last, _ = await store.say(TARA, MAPLE, "Last", "Please.")
    before = rows(store, transactions, transactions.c.id, first)
    kept = rows(store, holds, holds.c.transaction_id, first)
    for _ in range(3):
        await store.turn()
    assert rows(store, transactions, transactions.c.id, first) == before
    assert rows(store, holds, holds.c.transaction_id, first) == kept
    (number,) = await store.state.tickets.tickets_of(last)
    assert [line.what for line in await store.state.tickets.history(number)] == ["opened"]


@pytest.mark.parametrize("what", ["facts", "policy"])
async def test_nothing_is_decided_on_a_newer_record(store: OldStore, what: str) -> None:
    """Who may approve, and what is to be let go, is then not known here."""
    if what == "facts":
        written_by_tomorrow(store, transactions, transactions.c.facts)
    else:
        written_by_tomorrow(store, policies, policies.c.policy)
    names = ("waiting", "one yes of two", "asked", "asked, one yes")
    there = [MATTERS[name]["number"] for name in names]
    before = rows(store, matters, matters.c.id, there)
    with pytest.raises(NewerFormat):
        take_up = replay_by_id(store.state, lambda: store.loaded.snapshot, store.replaying)
        await take_up(NAMED["unseen_hold"])
    with pytest.raises(StoreError, match="newer version"):
        await store.desk.answer(asked("waiting", PAULA)["page"], "yes")
    with pytest.raises(StoreError, match="newer version"):
        await store.desk.answer(asked("asked", TARA)["page"], "yes")
    await store.turn()
    assert rows(store, matters, matters.c.id, there) == before
    while await store.outbox.turn():  # what needs no record leaves
        pass
    assert store.next_hop.relayed


@pytest.fixture
def command(config: Path) -> Callable[..., tuple[int, str]]:
    def run(*words: str) -> tuple[int, str]:
        done = CliRunner().invoke(application, [*words, "--config", str(config)])
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
        return done.exit_code, done.output

    return run


def spoiled(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = OldStore(config, monkeypatch)
    some = ("waiting", "asked", "partly used")
    written_by_tomorrow(store, matters, matters.c.state, [MATTERS[name]["number"] for name in some])
    column = transactions.c.facts
    written_by_tomorrow(store, transactions, column, [NAMED["put_off"], NAMED["unseen_hold"]])
    written_by_tomorrow(store, transactions, transactions.c.decision, [NAMED["returned"]])
    store.state.close()


@pytest.mark.parametrize(
    ("group", "listing", "name"),
    [("approvals", "list", "waiting"), ("cases", "list", "asked"),
     ("approvals", "grants", "partly used")],
)  # fmt: skip
def test_a_list_says_what_it_cannot_show(
    config: Path,
    monkeypatch: pytest.MonkeyPatch,
    command: Callable[..., tuple[int, str]],
    group: str,
    listing: str,
    name: str,
) -> None:
    spoiled(config, monkeypatch)
    number = MATTERS[name]["number"]
    code, said = command(group, listing)
    assert code == 0
    assert f" {number}: a newer version of mailguard wrote this" in said
    others = [one["number"] for one in MANIFEST["matters"] if one["kind"] == MATTERS[name]["kind"]]
    assert sum(f" {other} " in said for other in others if other != number)


def test_commands_refuse_and_explain_says_why(
    config: Path, monkeypatch: pytest.MonkeyPatch, command: Callable[..., tuple[int, str]]
) -> None:
    spoiled(config, monkeypatch)
    approval, case, grant = (
        str(MATTERS[name]["number"]) for name in ("waiting", "asked", "partly used")
    )
    for words in (
        ("approvals", "show", approval),
        ("approvals", "approve", approval),
        ("approvals", "stop", approval),
        ("approvals", "revoke", grant),
        ("cases", "show", case),
        ("cases", "deny", case),
    ):
        code, said = command(*words)
        assert code != 0
        assert "a newer version of mailguard wrote this" in " ".join(said.split()), words
    for name in ("put_off", "returned"):
        code, said = command("explain", NAMED[name], "--json")
        told = json.loads(said.splitlines()[-1])
        assert told["reproduced"] is None
        assert "a newer version of mailguard wrote this" in told["problem"]
        assert told["record"]["id"] == NAMED[name]
    hold = next(h["number"] for h in MANIFEST["holds"] if h["transaction"] == NAMED["unseen_hold"])
    code, said = command("quarantine", "release", str(hold))
    assert code != 0
    assert "quarantine raw" in said
