"""The house's own duties when something is in the way: policies, late outcomes, late refusals."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from email import message_from_bytes
from pathlib import Path
from typing import Any

import pytest
from tests.support.at_once import at_once
from tests.support.entries import entry
from tests.support.waiting import soon

from mailguard.adapters.database.outbox import OutboxEntry
from mailguard.config.load import load
from mailguard.core.mail.reply import Reply
from mailguard.pipeline.outbox import Undeliverable
from mailguard.pipeline.ports import StoreError
from mailguard.server.app import Server, _ended
from mailguard.server.wiring import undelivered

EXAMPLE = Path(__file__).resolve().parent.parent.parent / "config"


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[Server]:
    """Wired, but with no socket bound."""
    shutil.copytree(EXAMPLE, tmp_path / "config")
    made = Server(load(tmp_path / "config", create_keys=True))
    yield made
    await made.reader.close()
    await made.relay.close()
    await made.resolver.close()
    made.state.close()


def telling(house: Server) -> Undeliverable:
    return undelivered(house.state, house._snapshot, house.replaying, house.delivery.clock)


async def test_a_policy_that_could_not_be_stored_at_once_is_stored_later(
    house: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def locked(*_: Any) -> None:
        raise StoreError("locked")

    digest = house.live.snapshot.policy.digest
    with monkeypatch.context() as patched:
        patched.setattr(house.state.ledger, "store_policy", locked)
        await house.reload()
    assert await house.state.ledger.policy(digest) is None
    refreshing = asyncio.create_task(house._refresh())
    await soon(lambda: at_once(house.state.ledger.policy(digest)) is not None)
    refreshing.cancel()


async def test_a_refusal_is_told_although_the_facts_cannot_be_read(house: Server) -> None:
    raw = b"From: x@example.com\r\n\r\nhello\r\n"
    digest = await house.state.blobs.store(raw, None)
    envelope = {"reverse_path": "x@example.com", "recipients": ["a@example.org"], "role": "mx"}
    await house.state.ledger.record(
        entry(1, digest=digest, facts=b'{"of":"another version"}', envelope=envelope)
    )
    waiting = OutboxEntry(
        1, "relay", entry(1).id, "x@example.com", ("a@example.org",), digest, "", False,
        "waiting", 1, 0.0, 0.0, "",
    )  # fmt: skip
    (told,) = await telling(house)(waiting, ["a@example.org"], Reply(550, "5.1.1 no"), True)
    assert told.recipients == (house.live.snapshot.district.postmaster,)


async def test_a_late_refusal_of_a_routed_copy_names_its_recipient(house: Server) -> None:
    raw = b"From: x@example.com\r\n\r\nhello\r\n"
    digest = await house.state.blobs.store(raw, None)
    envelope = {"reverse_path": "x@example.com", "recipients": ["a@example.org"], "role": "mx"}
    await house.state.ledger.record(entry(1, digest=digest, facts=b"{}", envelope=envelope))
    waiting = OutboxEntry(
        1, "relay", entry(1).id, "x@example.com", ("boss@example.org",), digest, "", False,
        "waiting", 1, 0.0, 0.0, "", "a@example.org",
    )  # fmt: skip
    (told,) = await telling(house)(waiting, ["boss@example.org"], Reply(550, "5.1.1 no"), True)
    text = message_from_bytes(told.raw).get_payload()
    assert "To: a@example.org" in text
    assert "boss@" not in text


async def test_two_late_refusals_of_one_message_are_two_notices(house: Server) -> None:
    raw = b"From: x@example.com\r\n\r\nhello\r\n"
    digest = await house.state.blobs.store(raw, None)
    envelope = {"reverse_path": "x@example.com", "recipients": ["a@example.org"], "role": "mx"}
    await house.state.ledger.record(entry(1, digest=digest, facts=b"{}", envelope=envelope))
    told = []
    for recipient in ("a@example.org", "b@example.org"):
        waiting = OutboxEntry(
            1, "relay", entry(1).id, "x@example.com", (recipient,), digest, "", False,
            "waiting", 1, 0.0, 0.0, "",
        )  # fmt: skip
        told += await telling(house)(waiting, [recipient], Reply(550, "5.1.1 no"), True)
    assert len({one.key for one in told}) == 2
    ids = {message_from_bytes(one.raw)["Message-ID"] for one in told}
    assert len(ids) == 2  # or the mailbox would take one for the other


async def test_an_outcome_that_waits_for_the_database_is_written_before_the_end(
    house: Server,
) -> None:
    written = []

    async def later() -> None:
        await asyncio.sleep(0.3)
        written.append(1)

    house.delivery.late.add(asyncio.create_task(later()))
    await house._settle_late()
    assert written == [1]


def test_the_database_is_for_nobody_elses_eyes(house: Server) -> None:
    (house.settings.storage.state / "mailguard.db").stat()
    for file in house.settings.storage.state.glob("mailguard.db*"):
        assert file.stat().st_mode & 0o077 == 0, file.name


async def test_a_bug_does_not_end_the_refreshing(
    house: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    turns = []

    async def broken() -> None:
        turns.append(1)
        raise RuntimeError("a bug")

    monkeypatch.setattr(house.state.unblocked, "refresh", broken)
    monkeypatch.setattr("mailguard.server.app._REFRESH", 0.01)
    refreshing = asyncio.create_task(house._refresh())
    await soon(lambda: len(turns) > 1)
    refreshing.cancel()


async def test_a_task_that_ends_by_a_bug_is_heard_of(capsys: pytest.CaptureFixture[str]) -> None:
    async def watch() -> None:
        raise OSError("the directory has gone")

    task = asyncio.create_task(watch(), name="watch")
    task.add_done_callback(_ended)
    await asyncio.wait([task])
    await asyncio.sleep(0)
    told = capsys.readouterr()
    assert "task_ended" in told.out + told.err
    assert "the directory has gone" in told.out + told.err
