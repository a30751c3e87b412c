"""What is done to a `serve` whose loop is watched: 49 MB are held, shown, approved and released,
beside a thousand open cases, while the database is slow and for a while locked.

The measure is a bare asyncio loop in a process of its own, in the same seconds on the same machine.
"""

from __future__ import annotations

import asyncio
import base64
import json
import random
import re
import time
import urllib.parse
import urllib.request
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.faults import locked
from tests.support.loop_watch import LAUNCHER, bare_loop, longest
from tests.support.serving import Serve
from tests.support.trouble import NextHop

from mailguard.adapters.state import StateDirectory
from mailguard.casework.tickets import TicketEvent, TicketUpdate
from mailguard.casework.unblocking.case import CASE, Asks, Case, Query, Requester, Stage, Told, Who
from mailguard.core.notices import policy_texts

TARA, GROUP = "tara.olive@example.org", "teachers-maple@example.org"
SPAMMAIL = "spammail@example.org"
CASES = 1_000
SLOW = 0.15  # seconds a statement
HELD = 0.1  # seconds for which the loop may be held longer than a bare one
POLICY = """\
steps:
  - check: sender_identity
  - check: structure
  - check: authentication
  - check: group_rights
  - check: spam
  - check: attachments
  - check: rate
  - check: links
  - check: disclaimer
    settings:
      profiles:
        - name: v3
          direction: all
          text: {}
"""


def large(subject: str, octets: int = 49_000_000) -> bytes:
    """A message with an attachment, of so many octets."""
    data = random.Random(subject).randbytes(octets * 3 // 4 * 76 // 78)
    attached = base64.encodebytes(data).replace(b"\n", b"\r\n")
    head = (
        f"From: Tara Olive <{TARA}>\r\nTo: {GROUP}\r\nSubject: {subject}\r\n"
        f"Date: Fri, 20 Nov 2026 09:30:00 -0800\r\nMessage-ID: <{subject}@example.org>\r\n"
        "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=part\r\n\r\n"
        "--part\r\nContent-Type: text/plain\r\n\r\nDear all,\r\nplease come.\r\n"
        "--part\r\nContent-Type: application/octet-stream\r\n"
        "Content-Disposition: attachment; filename=plan.bin\r\n"
        "Content-Transfer-Encoding: base64\r\n\r\n"
    )
    return head.encode() + attached + b"--part--\r\n"


async def open_cases(state: Path) -> None:
    """Many requests that wait for their recipients."""
    opened = StateDirectory.open(state)
    now = time.time()
    try:
        for n in range(CASES):
            address = f"parent{n}@example.com"
            told = Told(f"T{n}", address, f"Question {n}", "today", "spam", "line of text\n" * 60)
            asked = Query(Asks.VERIFY, Who("tolive", "Tara Olive", TARA), (), now)
            who = Requester(TARA, "Tara Olive", now)
            case = Case((address,), now, (who,), (), (told,), (asked,), stage=Stage.REVIEWED)
            ticket = await opened.tickets.new("case", f"{address}|0", now)
            written = CASE.dump(case)
            step = TicketUpdate(
                *(ticket.id, ticket.version, case.stage.value, written, now + 86_400 * 365),
                history=(TicketEvent(now, "mailguard", "opened"),),
            )
            await opened.tickets.move([step])
    finally:
        opened.close()


def until(condition: Callable[[], Any], what: str) -> Any:
    end = time.monotonic() + 300
    while not (found := condition()):
        assert time.monotonic() < end, f"waited for {what}"
        time.sleep(0.2)
    return found


def pages(hop: NextHop, subject: str) -> list[str]:
    """The keys of the questions' pages, by the mails that ask them: both approvers'."""
    asked = [raw for raw in hop.others if f"Approval needed: {subject}".encode() in raw]
    found = [re.search(rb"/answer/([0-9a-z-]+)", raw.replace(b"=\r\n", b"")) for raw in asked]
    keys = [one[1].decode() for one in found if one]
    return keys if len(keys) == 2 else []


@contextmanager
def slow(switch: Path) -> Iterator[None]:
    switch.write_text(str(SLOW))
    try:
        yield
    finally:
        switch.unlink()


@dataclass(frozen=True)
class Watched:
    """A running `serve`, and where its loop and a bare one are watched."""

    serve: Serve
    hop: NextHop
    place: Path

    async def held(self, n: int, subject: str, raw: bytes) -> tuple[float, float]:
        """The longest time for which its loop was held while the `n`th message is carried out, and
        for which the bare one was, in seconds."""
        began = time.monotonic()
        switch = self.place / "slow"
        await asyncio.to_thread(carry_out, self.serve, self.hop, switch, n, subject, raw)
        ended = time.monotonic()
        files = (self.place / "serve", self.place / "bare")
        ours, theirs = (round(longest(file, began, ended), 3) for file in files)
        return ours, theirs

    def held_by(self) -> str:
        """The stacks of the last moments in which it was held."""
        return (self.place / "held-by").read_text()[-20_000:]


@asynccontextmanager
async def watched(place: Path) -> AsyncIterator[Watched]:
    """A `serve` with its thousand cases, and the bare loop; both end at the end."""
    environment = {
        "LOOP_WATCH": str(place / "serve"),
        "LOOP_HELD_BY": str(place / "held-by"),
        "SLOW_DATABASE": str(place / "slow"),
    }
    async with NextHop() as hop:
        policy = POLICY.format(json.dumps(policy_texts.V3_DISCLAIMER))
        serve = await asyncio.to_thread(Serve, hop.port, None, policy, LAUNCHER)
        await open_cases(serve.state)
        with bare_loop(place / "bare"):
            try:
                await asyncio.to_thread(serve.start, environment)
                await asyncio.sleep(1)
                assert serve.metric("mailguard_cases_open") == CASES
                yield Watched(serve, hop, place)
                assert serve.metric("mailguard_internal_errors_total") == 0
            finally:
                await asyncio.to_thread(serve.__exit__)


def carry_out(serve: Serve, hop: NextHop, switch: Path, n: int, subject: str, raw: bytes) -> None:
    """A large message is sent, held, shown, approved and released, and a request is read, while
    the database is slow; for a while it is locked as well."""
    with slow(switch):
        code, text = serve.send(TARA, [GROUP], raw, "submission", "tolive", 300)
        assert code == 250, text
        keys = until(lambda: pages(hop, subject), "the questions")
        serve.page("/metrics")
        urls = [f"http://127.0.0.1:{serve.ports['http']}/answer/{key}" for key in keys]
        with locked(serve.state / "mailguard.db"):
            with urllib.request.urlopen(urls[0], timeout=300) as shown:
                assert b"Approve" in shown.read()
            time.sleep(1)
        letter = (
            f"From: Tara Olive <{TARA}>\r\nTo: {SPAMMAIL}\r\nSubject: Please unblock\r\n"
            f"Message-ID: <request{n}@example.org>\r\n\r\n"
            f"Please unblock newcomer{n}@example.net\r\n"
        )
        code, text = serve.send(TARA, [SPAMMAIL], letter.encode(), "submission", "tolive", 300)
        assert code == 250, text
        answer = urllib.parse.urlencode({"choice": "yes", "remark": ""}).encode()
        for url in urls:
            with urllib.request.urlopen(url, answer, timeout=300) as said:
                outcome = said.read().decode()
        assert "It was approved" in outcome, outcome
        until(
            lambda: (
                serve.metric("mailguard_outbox_messages", kind="release", state="sent") == n + 1
                and not serve.metric("mailguard_letters_unread")
            ),
            "the release, and the letter's reader",
        )
