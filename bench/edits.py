"""CPU of the edits: a disclaimer and links, from reading a message to the checked copy of it.

A mail of 12 kB with ten links is read here, as in `serve`; 1 MB of HTML in a worker of the pool,
where what counts is the worker's own CPU time, from the octets to the reading sent back. What the
parent does with that reading is told beside it. The least of many passes over different messages.
"""

from __future__ import annotations

import asyncio
import gc
import multiprocessing
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]
from load import html_mail  # noqa: E402 - neither is an installed package
from tests.support.linked_mails import DISTRICT, KEYS, OWNER  # noqa: E402

from mailguard.adapters.workers.reader_pool import PooledReader  # noqa: E402
from mailguard.checks.disclaimer.check import (  # noqa: E402
    Disclaimer,
    DisclaimerSettings,
)
from mailguard.checks.links.check import (  # noqa: E402
    Links,
    LinksSettings,
)
from mailguard.core.decision.edit import Edit  # noqa: E402
from mailguard.core.decision.facts import Facts  # noqa: E402
from mailguard.core.mail import mime  # noqa: E402
from mailguard.core.mail.message import Message  # noqa: E402
from mailguard.core.mail.transaction import (  # noqa: E402
    Envelope,
    Listener,
    Role,
    Transaction,
)
from mailguard.core.render import render  # noqa: E402
from mailguard.core.text import reader as read  # noqa: E402
from mailguard.core.text.reading import Reading  # noqa: E402

BARS = {"12 kB of HTML, ten links": 0.6, "1 MB of HTML, in the pool": 60.0}  # ms CPU a message
LINKS, DISCLAIMER = Links(), Disclaimer()
LINKS_SETTINGS, DISCLAIMER_SETTINGS = LinksSettings(outbound="copy-page"), DisclaimerSettings()
ENVELOPE = Envelope("jane@example.org", ("parent@home.test",), account="jane")
LISTENER = Listener("submission", Role.SUBMISSION)


def least(call: Callable[..., Any], given: Sequence[tuple[Any, ...]], passes: int) -> float:
    """Milliseconds of CPU a message, in the quickest pass over them all."""
    quickest = float("inf")
    gc.disable()
    for _ in range(passes):
        started = time.process_time()
        for one in given:
            call(*one)
        quickest = min(quickest, time.process_time() - started)
        gc.collect()
    gc.enable()
    return 1000 * quickest / len(given)


def links_of(transaction: Transaction, facts: Facts) -> tuple[Edit, ...]:
    return LINKS.examine(transaction, facts, LINKS_SETTINGS).edits


def disclaimer_of(transaction: Transaction, facts: Facts) -> tuple[Edit, ...]:
    return DISCLAIMER.examine(transaction, facts, DISCLAIMER_SETTINGS).edits


def facts_of(reading: Reading) -> Facts:
    return Facts(0.0, DISTRICT, owner=OWNER, reading=reading, link_keys=KEYS)


def stages(
    messages: Sequence[Message], readings: Sequence[Reading], passes: int
) -> dict[str, float]:
    """What follows the reading, each alone."""
    transactions = [Transaction("01", 0.0, LISTENER, ENVELOPE, message) for message in messages]
    given = list(zip(transactions, map(facts_of, readings), strict=True))
    edits = [(*disclaimer_of(*one), *links_of(*one)) for one in given]
    pairs = list(zip(messages, edits, strict=True))
    copies = [render.render(*pair) for pair in pairs]
    checked = [(m, c, e) for (m, e), c in zip(pairs, copies, strict=True)]
    assert not any(render.verify(*one) for one in checked)
    return {
        "links": least(links_of, given, passes),
        "disclaimer": least(disclaimer_of, given, passes),
        "render": least(render.render, pairs, passes),
        "compare with the plan": least(render.verify, checked, passes),
    }


def told(name: str, total: float, parts: dict[str, float]) -> None:
    verdict = "within" if total <= BARS[name] else "OVER"
    print(f"{name}: {total:.3g} ms CPU a message ({verdict} the bar of {BARS[name]:g})")
    for part, milliseconds in parts.items():
        print(f"    {part:24} {milliseconds:.3f}")


def small() -> None:
    raws = [html_mail(n, 1).replace(b"news@example.com", b"jane@example.org") for n in range(40)]
    messages = [mime.parse(raw) for raw in raws]
    readings = [read.read(message) for message in messages]
    parts = {"read": least(read.read, [(m,) for m in messages], 40)}
    parts |= stages(messages, readings, 40)
    told("12 kB of HTML, ten links", sum(parts.values()), parts)


def large(number: int) -> bytes:
    """A newsletter of 1 MB: rows of text and a link, as in `load`, in one table."""
    rows: list[bytes] = []
    size = 0
    while size < 1_000_000:
        mail = html_mail(number * 1_000 + len(rows), 2)
        rows.append(mail[mail.index(b"<table>") + 7 : mail.index(b"</table>")])
        size += len(rows[-1])
    head = (
        b"From: jane@example.org\r\nMIME-Version: 1.0\r\nContent-Type: text/html; charset=utf-8\r\n"
    )
    return head + b"\r\n<html><body><table>" + b"".join(rows) + b"</table></body></html>\r\n"


def cpu_of(pid: int) -> float:
    """Seconds of CPU of all threads of a process, in nanoseconds' precision."""
    threads = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((one / "schedstat").read_text().split()[0]) for one in threads) / 1e9


async def pooled() -> None:
    messages = [mime.parse(large(number)) for number in range(5)]
    reader = PooledReader(workers=1, above=100_000, seconds=20.0, memory=1_000_000_000)
    await reader.start()
    (child,) = multiprocessing.active_children()
    pid = child.pid
    assert pid is not None
    worker: list[float] = []
    parent: list[float] = []
    readings: list[Reading] = []
    for message in messages * 6:
        before, ours = cpu_of(pid), time.process_time()
        reading = await reader.read(message)
        assert isinstance(reading, Reading), reading
        worker.append(1000 * (cpu_of(pid) - before))
        parent.append(1000 * (time.process_time() - ours))
        readings = [*readings, reading][: len(messages)]
    await reader.close()
    parts = {"here: sent and received": sorted(parent)[len(parent) // 2]}
    parts |= {f"here: {name}": spent for name, spent in stages(messages, readings, 5).items()}
    found = len(readings[0].links)
    print(f"    ({len(messages[0].raw)} octets, {found} links)")
    told("1 MB of HTML, in the pool", sorted(worker)[len(worker) // 2], parts)


if __name__ == "__main__":
    small()
    asyncio.run(pooled())
