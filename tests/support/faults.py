"""Faults that are survived at two lengths: quickly among the e2e tests, for long in the soak.

Owns the scenarios and the audit that compares what clients heard with where the mail is.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import re
import resource
import signal
import sqlite3
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tests.support.serving import Serve
from tests.support.trouble import (
    ALL_STAFF,
    FINE,
    GTUBE,
    TARA,
    Client,
    Closed,
    Load,
    NextHop,
    OrdinaryNextHop,
    now_and_then,
    numbered,
)
from tests.support.waiting import PATIENCE, patiently, soon

from mailguard.adapters.archive.blobs import Blobs

_TRACE = re.compile(rb"(?:(?:Received|Authentication-Results|ARC-[\w-]+|X-Mailguard-[\w-]+): "
                    rb"[^\r\n]*\r\n(?:[ \t][^\r\n]*\r\n)*)+")  # fmt: skip


def brisk(
    next_hop: str = "", limits: str = "", more: str = "", seconds: float = PATIENCE
) -> dict[str, str]:
    """Settings for Serve: what is tried again is so soon. `seconds` are its patience with the next
    hop: few where that shall hang, else so many that a slow machine is not taken for trouble."""
    patience = f"  connect: {seconds}\n  command: {seconds}\n  data: {seconds}\n"
    patience += f"  verify_positive: 2\n{next_hop}"
    wide = f"limits:\n  connections_per_client: 10000\n{limits}"
    outbox = "outbox: { first_retry: 1, longest_retry: 2 }\n"
    return {
        "  tls: opportunistic # off, opportunistic, required or verified\n": (
            f"  tls: off\n{patience}"
        ),
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
    unknown: int = 0  # final dots whose reply from the next hop was never seen
    cut: int = 0  # drains that were not waited for
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
    found.unknown = serve.log().count('"outcome_unknown":true')
    found.cut = serve.log().count("cut while draining")
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
    """Whether a copy is the message below trace fields of ours, octet for octet."""
    above = copy.removesuffix(raw)
    return len(above) + len(raw) == len(copy) and _TRACE.fullmatch(above) is not None


def various(number: str, n: int) -> tuple[Sequence[str], bytes]:
    """Every fifth message is spam, and every seventh is to a group that it may not write to."""
    if n % 5 == 4:
        return (TARA,), numbered(number, GTUBE)
    if n % 7 == 6:
        return (TARA, ALL_STAFF), numbered(number, X_Mixed="yes")
    return (TARA,), numbered(number)


async def killed_under_load(
    kills: int, seed: int, sessions: int = 6, to_the_end: bool = True
) -> tuple[Audit, int, int]:
    """kill -9 again and again under load with a faulty next hop. The audit, copies for the
    spammail mailbox that came, `to_the_end` all that do, and how many there should be."""
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
                    serve.process.wait(PATIENCE)
                    await asyncio.to_thread(serve.start)
                await asyncio.sleep(0.5)
                await load.end()
            hop.mood = FINE
            due = len({(digest) for digest, _, _ in kept_copies(serve)})
            if to_the_end:
                await soon(lambda: len(set(_inner(hop.others))) >= due, serve.log)
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
    port: int, recipients: Sequence[str], raw: bytes, seconds: float = PATIENCE
) -> tuple[int, str, float]:
    """One transaction on a session of its own: code, text and the seconds it took."""
    began = time.monotonic()
    async with patiently("an answer to a message", seconds), Client(port) as client:
        code, text = await client.send(recipients, raw)
    return code, text, time.monotonic() - began


async def until_normal(port: int, number: str, seconds: float = PATIENCE) -> float:
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


@asynccontextmanager
async def serving(
    hop: NextHop | OrdinaryNextHop,
    settings: dict[str, str] | None = None,
    policy: str | None = None,
) -> AsyncIterator[Serve]:
    """A running mailguard in front of this next hop."""
    serve = await asyncio.to_thread(Serve, hop.port, settings, policy)
    try:
        await asyncio.to_thread(serve.start)
        yield serve
    finally:
        await asyncio.to_thread(serve.__exit__)


@contextmanager
def locked(database: Path) -> Iterator[None]:
    """Another process would hold SQLite's write lock like this."""
    other = sqlite3.connect(database, isolation_level=None, timeout=PATIENCE)
    other.execute("BEGIN EXCLUSIVE")
    try:
        yield
    finally:
        other.execute("ROLLBACK")
        other.close()


def fill(directory: Path) -> Path:
    """Leave not one octet free; the file to remove."""
    filler = directory / "filler"
    with filler.open("wb", buffering=0) as file:
        for size in (1 << 20, 1 << 12, 1):
            try:
                while True:
                    file.write(b"x" * size)
            except OSError:
                continue
    return filler


async def slow_clients(
    count: int, port: int
) -> tuple[list[asyncio.StreamWriter], asyncio.Task[None]]:
    """So many greeted sessions that send an octet now and then, and the task that does it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = count + 500
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(wanted, hard), hard))
    writers: list[asyncio.StreamWriter] = []

    async def one(n: int) -> None:
        source = (f"127.0.{1 + n // 250}.{1 + n % 250}", 0)
        reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=source)
        assert (await reader.readline()).startswith(b"220")
        writer.write(b"EHLO sl")
        writers.append(writer)

    for first in range(0, count, 250):
        await asyncio.gather(*(one(n) for n in range(first, min(count, first + 250))))

    async def trickle() -> None:
        while True:
            for n, writer in enumerate(writers):
                writer.write(b"o")
                if n % 50 == 49:
                    await asyncio.sleep(0.02)
            await asyncio.sleep(0.02)

    return writers, asyncio.create_task(trickle())


def memory_kb(pid: int) -> int:
    """Resident memory now."""
    status = Path(f"/proc/{pid}/status").read_text()
    found = re.search(r"VmRSS:\s+(\d+)", status)
    assert found
    return int(found[1])


@dataclass(frozen=True)
class Canaries:
    """Seconds that each of ten messages took, alone and then among slow clients; and the kilobytes
    of memory that each of those cost."""

    alone: list[float]
    among: list[float]
    memory: float


async def canaries_among(count: int) -> Canaries:
    """Ten messages alone, and ten among so many slow clients."""
    limits = f"  connections: {count + 100}\n"
    async with NextHop() as hop, serving(hop, brisk(limits=limits)) as serve:
        assert serve.process is not None
        mx = serve.ports["mx"]
        await until_normal(mx, "before")
        alone = [await _seconds_of(mx, f"alone{n}") for n in range(10)]
        before = memory_kb(serve.process.pid)
        writers, trickling = await slow_clients(count, mx)
        try:
            among = [await _seconds_of(mx, f"canary{n}") for n in range(10)]
            each = (memory_kb(serve.process.pid) - before) / count
            shown = await asyncio.to_thread(serve.metric, "mailguard_connections", listener="mx")
            assert shown >= count
        finally:
            trickling.cancel()
            for writer in writers:
                writer.transport.abort()
        return Canaries(alone, among, each)


async def _seconds_of(port: int, number: str) -> float:
    code, text, seconds = await answers(port, (TARA,), numbered(number))
    assert code == 250, text
    return seconds


_BOTH = """
steps:
  - check: structure
  - check: group_rights
    mode: {mode}
    settings: {{ reason_tag: "[IT ALERT]" }}
  - check: links
    settings: {{ inbound: "{links}", internal: "off", outbound: "off" }}
"""
STRICT = _BOTH.format(mode="enforce", links="copy-page")
LAX = _BOTH.format(mode="observe", links="off")
_LINKED = "Please read http://news.example.net/today and answer."


def linked(number: str, _n: int) -> tuple[Sequence[str], bytes]:
    """STRICT takes its link apart and keeps the group's copy; LAX does neither."""
    return (TARA, ALL_STAFF), numbered(number, _LINKED)


async def reloaded_under_load(reloads: int, pause: float) -> dict[str, float]:
    """Swap two policies again and again under load. Nothing may be lost, and both steps of a
    message are always of one policy: the one that the ledger names. Figures."""
    async with NextHop() as hop, serving(hop, brisk(), STRICT) as serve:
        assert serve.process is not None
        first = await asyncio.to_thread(serve.metric, "mailguard_reloads_total", result="accepted")
        load = Load(serve.ports["mx"], 4, make=linked)
        async with load:
            for n in range(reloads):
                draft = serve.config / ".policy.yaml.new"
                draft.write_text(STRICT if n % 2 else LAX)
                os.replace(draft, serve.config / "policy.yaml")
                serve.process.send_signal(signal.SIGHUP)
                await asyncio.sleep(pause)
            await load.end()
        await asyncio.sleep(1)
        page = serve.metric
        accepted = await asyncio.to_thread(page, "mailguard_reloads_total", result="accepted")
        refused = await asyncio.to_thread(page, "mailguard_reloads_total", result="refused")
        seen: Counter[tuple[str, bool, bool]] = Counter()
        digests = policy_digests(serve)
        lost = 0
        for number, (code, _) in load.answered.items():
            copies = hop.taken.get(number, [])
            lost += code != 250 or len(copies) == 0
            whole = all(copy.endswith(load.sent[number]) for copy in copies)
            to_group = any(ALL_STAFF in one for one in hop.recipients.get(number, []))
            seen[digests[number], whole, to_group] += 1
        print("policy, link left, group served:", dict(seen))
        return {
            "messages": len(load.answered),
            "lost": lost,
            "kinds": len(seen),
            "policies": len({digest for digest, _, _ in seen}),
            "half": sum(n for (_, link, group), n in seen.items() if link != group),
            "reloads": accepted - first,
            "refused": refused,
            "kept": len(kept_copies(serve)),
            "strict": sum(n for (_, link, _g), n in seen.items() if not link),
        }


def policy_digests(serve: Serve) -> dict[str, str]:
    """By a message's number, the digest of the policy that its acknowledged transaction names."""
    database = sqlite3.connect(serve.state / "mailguard.db")
    rows = database.execute(
        "SELECT subject, policy_digest FROM transactions WHERE reply LIKE '250%'"
    ).fetchall()
    database.close()
    return {subject.split()[-1]: digest for subject, digest in rows}


async def vanish_after_the_dot(count: int) -> dict[str, int]:
    """Clients that are gone as soon as the final dot has left, half of them rudely. How many
    messages had which number of transactions and of copies."""
    async with NextHop() as hop, serving(hop, brisk()) as serve:
        hop.delay = 0.02
        await until_normal(serve.ports["mx"], "before")

        async def one(n: int) -> None:
            async with Client(serve.ports["mx"]) as client:
                await client.open()
                await client.say(b"MAIL FROM:<parent@unproven.test>\r\n")
                await client.say(f"RCPT TO:<{TARA}>\r\n".encode())
                await client.say(b"DATA\r\n")
                body = GTUBE if n % 4 == 3 else "Hello"
                await client.put(numbered(f"gone{n}", body).replace(b"\r\n.", b"\r\n..") + b".\r\n")
                if n % 2:
                    assert client.writer is not None
                    client.writer.close()
                    await client.writer.wait_closed()

        for first in range(0, count, 20):
            await asyncio.gather(*(one(n) for n in range(first, min(count, first + 20))))
        assert await asyncio.to_thread(serve.stop) == 0
        database = sqlite3.connect(serve.state / "mailguard.db")
        rows = database.execute(
            "SELECT t.subject, t.reply, r.state FROM transactions t"
            " JOIN recipients r ON r.transaction_id = t.id WHERE t.subject LIKE '%gone%'"
        ).fetchall()
        database.close()
        kept = len(kept_copies(serve))
        by_subject = Counter(subject for subject, _, _ in rows)
        wrong = 0
        for n in range(count):
            copies = len(hop.taken.get(f"gone{n}", []))
            ends = [(reply[:3], state) for subject, reply, state in rows
                    if subject == f"Question gone{n}"]  # fmt: skip
            spam = n % 4 == 3
            expected = ("550", "quarantined") if spam else ("250", "forwarded")
            if by_subject[f"Question gone{n}"] == 0 and copies == 0:
                continue  # a rude end may overtake the dot: then there was no message
            wrong += ends != [expected] or copies != (not spam)
        return {"sent": count, "recorded": len(by_subject), "wrong": wrong, "kept": kept}


async def terminated_under_load(rounds: int, seconds: float = PATIENCE) -> Audit:
    """SIGTERM under load and start again, and what became of the messages. `seconds` are serve's
    patience with the next hop."""
    async with NextHop() as hop:
        hop.delay = 0.1
        # Nobody is cut because a machine is slow: the drain has all the time that `stop` waits.
        settings = brisk(limits=f"  drain: {PATIENCE}\n", seconds=seconds)
        serve = await asyncio.to_thread(Serve, hop.port, settings)
        try:
            await asyncio.to_thread(serve.start)
            load = Load(serve.ports["mx"], 8, make=various)
            async with load:
                for _ in range(rounds):
                    await asyncio.sleep(0.5)
                    assert await asyncio.to_thread(serve.stop) == 0
                    await asyncio.to_thread(serve.start)
                await load.end()
            return await audit(load, hop, serve)
        finally:
            await asyncio.to_thread(serve.__exit__)


async def many_recipients(serve: Serve, hop: OrdinaryNextHop, count: int) -> dict[str, Any]:
    """One transaction with so many RCPT commands at once; what they and the dot were answered."""
    async with Client(serve.ports["mx"]) as client:
        await client.open()
        await client.say(b"MAIL FROM:<parent@unproven.test>\r\n")
        several = "".join(f"RCPT TO:<r{n}@example.org>\r\n" for n in range(count))
        began = time.monotonic()
        writing = asyncio.create_task(client.put(several.encode()))
        codes = [(await client.reply())[0] for _ in range(count)]
        await writing
        asked = time.monotonic() - began
        await client.say(b"DATA\r\n")
        await client.put(numbered("many").replace(b"\r\n.", b"\r\n..") + b".\r\n")
        code, _ = await client.reply()
        served = sum(map(len, hop.recipients.get("many", [])))
        whole = time.monotonic() - began
        return {
            "codes": codes, "answer": code, "served": served, "asked": asked, "whole": whole,
        }  # fmt: skip
