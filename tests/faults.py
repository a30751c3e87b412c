"""Faults that are survived at two lengths: quickly among the e2e tests, for long in the soak.

Owns the scenarios and the audit that compares what clients heard with where the mail is.
"""

from __future__ import annotations

import asyncio
import json
import random
import signal
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from tests.serving import Serve
from tests.trouble import (
    ALL_STAFF,
    FINE,
    GTUBE,
    TARA,
    Client,
    Closed,
    Load,
    NextHop,
    now_and_then,
    numbered,
)

from mailguard.adapters.blobs import Blobs

QUICK_RETRIES = {
    "quarantine_to: both": "quarantine_to: both\noutbox: { first_retry: 1, longest_retry: 2 }\n"
}
_PASS_ALL = "steps:\n  - check: structure\n"


def brisk(next_hop: str = "", limits: str = "", more: str = "") -> dict[str, str]:
    """Settings for Serve: short time-outs, so that a test need not wait as long as a server."""
    patience = f"  connect: 2\n  command: 3\n  data: 3\n  verify_positive: 2\n{next_hop}"
    wide = f"limits:\n  connections_per_client: 10000\n{limits}"
    outbox = "outbox: { first_retry: 1, longest_retry: 2 }\n"
    return {
        "  tls: opportunistic # off, opportunistic, required or verified\n": f"  tls: off\n{patience}",
        "quarantine_to: both": f"quarantine_to: both\n{wide}{outbox}{more}",
    }


@dataclass
class Audit:
    """What became of a load's messages, counted."""

    sent: int = 0
    acknowledged: int = 0  # heard 250
    refused: int = 0  # heard 5xx
    forwarded: int = 0  # of the acknowledged: the next hop has it
    kept: int = 0  # copies held, one a message and recipient
    lost: list[str] = field(default_factory=list)
    altered: list[str] = field(default_factory=list)
    kept_twice: list[str] = field(default_factory=list)
    duplicates: int = 0
    codes: dict[int, int] = field(default_factory=dict)
    cuts: int = 0
    slowest: float = 0.0

    def __str__(self) -> str:
        return json.dumps(asdict(self))

    @property
    def sound(self) -> bool:
        return not (self.lost or self.altered or self.kept_twice)


def kept_copies(serve: Serve) -> list[tuple[str, str, str]]:
    """Digest, recipient and state of every copy in the store."""
    database = sqlite3.connect(serve.state / "mailguard.db")
    with database:
        rows = database.execute("SELECT digest, recipient, state FROM holds").fetchall()
    database.close()
    return rows


async def audit(load: Load, hop: NextHop, serve: Serve) -> Audit:
    """Compare every answer with the next hop and the store."""
    found = Audit(sent=len(load.sent), codes=dict(load.codes), cuts=load.cuts)
    found.slowest = round(load.slowest, 2)
    blobs = Blobs(serve.state / "blobs", 3)
    held: dict[str, Counter[str]] = {}
    by_number: dict[str, bytes] = {}
    for digest, recipient, _ in kept_copies(serve):
        raw = by_number.setdefault(digest, await blobs.fetch(digest))
        number = next(n for n in _numbers(raw))
        held.setdefault(number, Counter())[recipient] += 1
        if raw != load.sent[number]:
            found.altered.append(number)
    blobs.close()
    for number, raw in load.sent.items():
        code, text = load.answered[number]
        copies = hop.taken.get(number, [])
        kept = held.get(number, Counter())
        spam = GTUBE.encode() in raw
        found.kept += len(kept)
        found.duplicates += max(0, len(copies) - 1)
        found.kept_twice += [number] if any(n > 1 for n in kept.values()) else []
        found.altered += [number for copy in copies if not _same(copy, raw)]
        if code == 250:
            found.acknowledged += 1
            found.forwarded += bool(copies)
            if not copies:
                found.lost.append(number)
        else:
            found.refused += 1
        if spam and (not kept or copies or code != 550):
            found.lost.append(f"{number}: {code} {text}, {len(copies)} copies, {kept}")
        if not spam and code != 250:
            found.lost.append(f"{number}: {code} {text}")
        if b"X-Mixed" in raw and kept[ALL_STAFF] != 1:
            found.lost.append(f"{number}: {kept}")
    return found


def _numbers(raw: bytes) -> list[str]:
    return [
        line.split(b": ")[1].decode()
        for line in raw.split(b"\r\n")
        if line.startswith(b"X-Test-Number: ")
    ]


def _same(copy: bytes, raw: bytes) -> bool:
    """Whether a copy is the message below our trace fields, octet for octet."""
    above = copy.removesuffix(raw)
    return len(above) + len(raw) == len(copy) and above.startswith(b"Received: ")


def various(number: str, n: int) -> tuple[Sequence[str], bytes]:
    """Every fifth message is spam, and every seventh is to a group that it may not write to."""
    if n % 5 == 4:
        return (TARA,), numbered(number, GTUBE)
    if n % 7 == 6:
        return (TARA, ALL_STAFF), numbered(number, X_Mixed="yes")
    return (TARA,), numbered(number)


async def killed_under_load(kills: int, seed: int, sessions: int = 6) -> tuple[Audit, int, int]:
    """kill -9 again and again under load with a faulty next hop. The audit, copies for the
    spammail mailbox, and how many there should be."""
    dice = random.Random(seed)
    async with NextHop(now_and_then(dice, 0.3)) as hop:
        serve = await asyncio.to_thread(Serve, hop.port, brisk())
        try:
            await asyncio.to_thread(serve.start)
            load = Load(serve.ports["mx"], sessions, make=various)
            async with load:
                for _ in range(kills):
                    await asyncio.sleep(dice.uniform(0.02, 0.8))
                    assert serve.process is not None
                    assert serve.process.poll() is None, serve.log()[-3_000:]
                    serve.process.send_signal(signal.SIGKILL)
                    serve.process.wait(10)
                    await asyncio.to_thread(serve.start)
                await asyncio.sleep(0.5)
                await load.end()
            hop.mood = FINE
            due = len({(digest) for digest, _, _ in kept_copies(serve)})
            end = time.monotonic() + 60
            while len(set(_inner(hop.others))) < due and time.monotonic() < end:
                await asyncio.sleep(0.2)
            found = await audit(load, hop, serve)
            print("next hop's moods:", dict(hop.moods))
            print("copies to the spammail mailbox:", len(hop.others), "of", due)
            assert await asyncio.to_thread(serve.stop) == 0
            return found, len(set(_inner(hop.others))), due
        finally:
            await asyncio.to_thread(serve.__exit__)


def _inner(copies: Sequence[bytes]) -> list[str]:
    return [number for copy in copies for number in _numbers(copy)[:1]]


async def answers(
    port: int, recipients: Sequence[str], raw: bytes, seconds: float = 60
) -> tuple[int, str, float]:
    """One transaction on a session of its own: code, text and the seconds it took."""
    began = time.monotonic()
    async with asyncio.timeout(seconds):
        async with Client(port) as client:
            code, text = await client.send(recipients, raw)
    return code, text, time.monotonic() - began


async def until_normal(port: int, number: str, seconds: float) -> float:
    """Seconds until a new message is taken; AssertionError after the limit."""
    began = time.monotonic()
    n = 0
    while True:
        n += 1
        try:
            code, text, _ = await answers(port, (TARA,), numbered(f"{number}r{n}"))
        except Closed:
            code, text = 0, "closed"
        took = time.monotonic() - began
        if code == 250:
            return took
        assert took < seconds, f"{took:.1f} s after its recovery: {code} {text}"
        await asyncio.sleep(0.1)


Settings = Mapping[str, str]
Making = Callable[[str, int], tuple[Sequence[str], bytes]]
Entry = dict[str, Any]
