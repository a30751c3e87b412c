"""A store that an earlier version wrote, opened by this one: `tests/fixtures/stores`.

`OldStore` is a running mailguard without its sockets, as `server.wiring` puts it together, on a
clock that is moved by hand; `say` is a letter to one of our desks.
"""

from __future__ import annotations

import json
import lzma
import shutil
import tarfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import Connection

from mailguard.adapters.ids import new_id
from mailguard.adapters.state import StateDirectory
from mailguard.config.load import load
from mailguard.core.mail import mime
from mailguard.core.mail.reply import Reply
from mailguard.core.mail.transaction import Envelope, Listener, Role, Transaction
from mailguard.pipeline.accept import accept
from mailguard.pipeline.bell import Bell
from mailguard.pipeline.ports import Delivery, Deskwork
from mailguard.pipeline.replay import Replaying
from mailguard.server.wiring import (
    make_engines,
    make_inbox,
    make_judging,
    make_outbox,
    make_reader,
    make_terms,
)

STORE = Path(__file__).resolve().parent.parent / "fixtures" / "stores" / "2026-11"
EXAMPLE = STORE / "config"
MANIFEST: Mapping[str, Any] = json.loads((STORE / "manifest.json").read_text())
MATTERS: Mapping[str, Any] = {one["name"]: one for one in MANIFEST["matters"] if one["name"]}
DAY = 86_400.0


def unpacked(place: Path, server: str | None) -> Path:
    """The store below a directory, its rows in a new database of this PostgreSQL, or in SQLite; its
    configuration directory."""
    shutil.copytree(EXAMPLE, place / "config")
    with tarfile.open(STORE / "state.tar.xz") as archive:
        archive.extractall(place, filter="data")
    if server is not None:
        (place / "state" / "mailguard.db").unlink()
        name = f"old_{time.monotonic_ns()}"
        with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE template0")
        with psycopg.connect(f"{server}/{name}") as connection:
            connection.execute(lzma.decompress((STORE / "postgresql.sql.xz").read_bytes()))
        settings = place / "config" / "mailguard.yaml"
        text = settings.read_text()
        assert "  # database: postgresql" in text
        url = f"  database: {server.replace('postgresql://', 'postgresql+psycopg://')}/{name}\n"
        settings.write_text(text.replace("  # database: postgresql", f"{url}  # postgresql"))
    return place / "config"


class NextHop:
    """Takes everything."""

    def __init__(self) -> None:
        self.relayed: list[tuple[tuple[str, ...], bytes]] = []

    async def relay(
        self, reverse_path: str, recipients: Sequence[str], raw: bytes, **_: object
    ) -> dict[str, Reply]:
        self.relayed.append((tuple(recipients), raw))
        return dict.fromkeys(recipients, Reply(250, "2.0.0 Ok"))

    async def verify(self, recipient: str) -> Reply:
        return Reply(250, "2.1.5 Ok")

    def got(self, mailbox: str) -> list[bytes]:
        return [raw for recipients, raw in self.relayed if mailbox in recipients]


class OldStore:
    """The opened store. `now` begins where it was left."""

    def __init__(self, config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now: float = MANIFEST["written_at"]
        monkeypatch.setattr(time, "time", lambda: self.now)
        self.config = config
        self.loaded = load(config)
        settings = self.loaded.settings
        storage = settings.storage
        self.state = StateDirectory.open(
            storage.state, storage.database, files=lambda: self.loaded.snapshot.unblocked
        )
        self.next_hop = NextHop()
        self.reader = make_reader(settings)
        nobody: Any = None  # to ask about SPF and the rest: no message comes from outside
        hop: Any = self.next_hop
        clock, outbox, desk = (lambda: self.now), Bell(), Bell()
        snapshot = lambda: self.loaded.snapshot  # noqa: E731 - as the parts take it
        self.replaying = Replaying(self.reader, make_terms(settings))
        self.judging = make_judging(settings, self.state, self.reader, nobody)
        self.delivery = Delivery(self.state.blobs, self.state.ledger, hop, clock, outbox, desk)
        work = Deskwork(clock, self.state.notices, outbox)
        engines = make_engines(settings, self.state, snapshot, self.replaying, work)
        self.desk = make_inbox(settings, self.state, snapshot, engines, clock, desk)
        self.outbox = make_outbox(
            settings, self.state, hop, snapshot, self.replaying, outbox, clock
        )

    async def close(self) -> None:
        await self.reader.close()
        self.state.close()

    async def say(
        self, sender: str, to: str, subject: str, text: str, **fields: str
    ) -> tuple[str, Reply]:
        """A message by submission, from the account of its sender."""
        self.now += 60
        person = self.loaded.snapshot.directory.person_at(sender)
        assert person is not None
        head = {"From": sender, "To": to, "Subject": subject, **fields}
        lines = [f"{name.replace('_', '-')}: {value}" for name, value in head.items()]
        raw = "\r\n".join([*lines, f"Message-ID: <{self.now}@desk.example.org>", "", text, ""])
        envelope = Envelope(sender, (to,), "127.0.0.1", "", "desk", account=person.id)
        listener = Listener("submission", Role.SUBMISSION)
        message = mime.parse(raw.encode())
        one = Transaction(new_id(self.now), self.now, listener, envelope, message)
        return one.id, await accept(
            one, self.loaded.snapshot, self.judging, self.replaying.terms, self.delivery
        )

    async def reply(self, question: Mapping[str, Any], text: str, sender: str = "") -> Reply:
        """An answer to a mailed question, by whoever was asked."""
        kind = next(m["kind"] for m in MANIFEST["matters"] if m["number"] == question["matter"])
        desk = "approvals@example.org" if kind == "approval" else "spammail@example.org"
        subject, answers = f"Re: {question['subject']}", question["message_id"]
        said = await self.say(sender or question["to"], desk, subject, text, In_Reply_To=answers)
        return said[1]

    async def turn(self) -> None:
        self.now += 10
        await self.desk.turn()

    async def round(self) -> None:
        """A turn of the desk, and all that leaves then."""
        await self.turn()
        while await self.outbox.turn():
            pass

    async def status(self, name: str) -> str:
        """Of a ticket by its name in the manifest."""
        found = await self.state.tickets.load(MATTERS[name]["number"])
        assert found is not None
        return found.status

    async def ends(self, transaction_id: str) -> set[str]:
        """The states of a message's recipients."""
        ends = await self.state.ledger.end_states(transaction_id)
        return {state.value for _, state, _ in ends.values()}


@contextmanager
def looked_into(store: OldStore) -> Iterator[Connection]:
    """The database itself, past its port, for a test that looks at rows."""
    with store.state.database.write() as connection:
        yield connection


def asked(name: str, mailbox: str) -> Mapping[str, Any]:
    """The last question about a ticket that was mailed to somebody."""
    number = MATTERS[name]["number"]
    return [q for q in MANIFEST["questions"] if q["matter"] == number and q["to"] == mailbox][-1]
