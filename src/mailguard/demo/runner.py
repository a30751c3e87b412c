"""One run of the demo: the next hop, DNS, the real `serve`, the samples sent, the outcome read.

Owns what is started and that all of it ends. Must not know how anything is shown.
"""

from __future__ import annotations

import asyncio
import http.client
import re
import secrets
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from email.utils import formatdate, make_msgid
from importlib.resources import files

from mailguard.adapters.state import StateDirectory
from mailguard.core.decision.verdict import Disposition
from mailguard.demo import results
from mailguard.demo.client import ClientError, ClientResult, greeted, send
from mailguard.demo.district import HOST, PASSWORD, DemoDistrict, DemoError
from mailguard.demo.dns_server import DnsServer
from mailguard.demo.next_hop import NextHopServer
from mailguard.demo.samples import APPROVER, NOTICE_TO, SAMPLES, Sample, ready

_START = 120.0  # seconds for the greeting, on a busy machine
_SETTLE = 60.0  # seconds for the outbox to drain
_STOP = 45.0  # seconds for SIGTERM, which drains for 30 at most
_HELO = {"mx": "mail.example.com", "submission": "desk.example.org", "relay": "sis.example.org"}

Say = Callable[[str], None]  # progress, for people


@dataclass
class DemoOutcome:
    """Everything the demo found out."""

    rows: list[results.ResultRow]
    problems: list[str]
    maildirs: dict[str, tuple[int, int]]  # by mailbox: messages, and those that mailguard wrote
    link: str = ""  # a copy-page link that was opened, from a delivered message
    readiness: str = ""  # what /readyz said
    seconds: float = 0.0


@dataclass
class Demo:
    """Start, `run`, and in the end always `stop`."""

    district: DemoDistrict
    say: Say
    _started: float = field(default_factory=time.monotonic)
    _sent: dict[str, ClientResult] = field(default_factory=dict)  # by Message-ID
    _samples: dict[str, Sample] = field(default_factory=dict)  # by Message-ID
    _serving: asyncio.subprocess.Process | None = None

    def __post_init__(self) -> None:
        district = self.district
        self._next_hop = NextHopServer(
            district.maildirs, district.mailboxes(), HOST, district.next_hop_port
        )
        zone = (files("mailguard.demo") / "example.zone").read_text(encoding="utf-8")
        self._dns = DnsServer(zone, HOST, district.dns_port)

    async def start(self) -> None:
        """Bring everything up; mailguard has greeted when it returns. Raises DemoError, OSError."""
        district = self.district
        self.say("starting the next hop, DNS and mailguard")
        await self._next_hop.start()
        await self._dns.start()
        with district.log.open("wb") as log:
            self._serving = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "mailguard", "serve", "--config", str(district.config)),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # a Ctrl-C is ours to hand on
            )
        await self._greeting()

    async def _greeting(self) -> None:
        assert self._serving is not None
        waiting = list(self.district.listeners.values())
        deadline = time.monotonic() + _START
        while waiting:
            if self._serving.returncode is not None:
                raise DemoError(
                    f"mailguard serve ended with {self._serving.returncode}:\n{self._log_end()}"
                )
            if time.monotonic() > deadline:
                raise DemoError(
                    f"mailguard serve did not greet within {_START:.0f} seconds:\n{self._log_end()}"
                )
            if await greeted(HOST, waiting[0]):
                waiting.pop(0)
            else:
                await asyncio.sleep(0.05)

    def _log_end(self) -> str:
        lines = self.district.log.read_text(encoding="utf-8", errors="replace").splitlines()
        return "\n".join(lines[-10:])

    async def run(self) -> DemoOutcome:
        """Send the samples, wait until all is quiet, and look. Raises DemoError, OSError."""
        for number, sample in enumerate(SAMPLES, start=1):
            self.say(f"sending {number} of {len(SAMPLES)}: {sample.title}")
            await self._send(sample)
        self.say("waiting for notices and copies to be delivered")
        loaded = self.district.loaded
        storage = loaded.settings.storage
        state = StateDirectory.open(
            storage.state, storage.database, storage.compression, lambda: loaded.snapshot.unblocked
        )
        try:
            problems = await self._settled(state)
            self.say("reading the ledger")
            rows = await results.rows(self._samples, state, loaded)
        finally:
            state.close()
        problems += self._differences(rows)
        outcome = DemoOutcome(rows, problems, self._maildirs())
        await self._look(outcome)
        outcome.seconds = time.monotonic() - self._started
        return outcome

    async def _send(self, sample: Sample) -> None:
        message_id = make_msgid(secrets.token_hex(4), "mail.example.com").strip("<>")
        self._samples[message_id] = sample
        try:
            self._sent[message_id] = await send(
                HOST,
                self.district.listeners[sample.listener],
                sample.reverse_path,
                sample.recipients,
                ready(sample, formatdate(localtime=True), message_id),
                helo=_HELO[sample.listener],
                login=(sample.account, PASSWORD) if sample.account else None,
            )
        except ClientError as error:
            raise DemoError(f"{sample.title}: {error}\n{self._log_end()}") from error

    async def _settled(self, state: StateDirectory) -> list[str]:
        """Wait for the outbox; what is wrong with it in the end."""
        deadline = time.monotonic() + _SETTLE
        while True:
            counts = await state.outbox.counts()
            waiting = sum(number for (_, s), number in counts.items() if s == "waiting")
            waiting += len(await state.tickets.unclaimed(Disposition.HOLD))  # nobody is asked yet
            if not waiting or time.monotonic() > deadline:
                break
            await asyncio.sleep(0.1)
        unsent = {f"{kind} {s}": n for (kind, s), n in counts.items() if s != "sent"}
        return [f"the outbox has not delivered everything: {unsent}"] if unsent else []

    def _differences(self, rows: list[results.ResultRow]) -> list[str]:
        wrong: list[str] = []
        for message_id, sample in self._samples.items():
            mark = f"Message-ID: <{message_id}>".encode()
            copies = {
                r: [m for m in self._next_hop.delivered(r) if mark in m.partition(b"\r\n\r\n")[0]]
                for r in sample.recipients
            }
            own = [row for row in rows if row.sample is sample]
            wrong += results.differences(sample, own, self._sent.get(message_id), copies)
        notices = [m for m in self._next_hop.delivered(NOTICE_TO) if b"Auto-Submitted:" in m]
        if not any(b"auto-replied" in notice for notice in notices):
            wrong.append(f"no notice about the refused recipient has come to {NOTICE_TO}")
        asked = self._next_hop.delivered(APPROVER)
        if not any(b"Subject: Approval needed" in mail for mail in asked):
            wrong.append(f"no question about the held message has come to {APPROVER}")
        return wrong

    def _maildirs(self) -> dict[str, tuple[int, int]]:
        own = f"<{self.district.loaded.settings.district.postmaster}>".encode()
        root = self.district.maildirs
        counted = {}
        for box in sorted(root.iterdir()) if root.is_dir() else []:
            delivered = self._next_hop.delivered(box.name)
            heads = [m.partition(b"\r\n\r\n")[0].splitlines() for m in delivered]
            ours = sum(any(f.startswith(b"From:") and own in f for f in head) for head in heads)
            counted[box.name] = (len(delivered), ours)
        return counted

    async def _look(self, outcome: DemoOutcome) -> None:
        """Open the pages that the demo points to: they have to be there."""
        for path, wanted in (
            ("/healthz", "ok"),
            ("/readyz", '"ready"'),
            ("/metrics", "mailguard_"),
        ):
            status, body = await self._get(path)
            if status != 200 or wanted not in body:
                outcome.problems.append(f"{path} answered {status}: {body[:200]}")
            if path == "/readyz":
                outcome.readiness = body.strip()
        prefix = f"{self.district.loaded.settings.http.public_url}/l/"
        for box in outcome.maildirs:
            for raw in self._next_hop.delivered(box):
                found = re.search(re.escape(prefix) + r"[^\s\"'<>)\]]+", results.readable(raw))
                if found and not outcome.link:
                    outcome.link = found.group(0)
        if not outcome.link:
            outcome.problems.append("no delivered message has a link to the copy page")
            return
        status, body = await self._get("/l/" + outcome.link.removeprefix(prefix))
        if status != 200 or "www.museum.test" not in body:
            outcome.problems.append(f"the copy page answered {status} for {outcome.link}")

    async def _get(self, path: str) -> tuple[int, str]:
        def get() -> tuple[int, str]:
            connection = http.client.HTTPConnection(HOST, self.district.http_port, timeout=60)
            try:
                connection.request("GET", path)
                answer = connection.getresponse()
                return answer.status, answer.read().decode("utf-8", "replace")
            except OSError as error:
                return 0, str(error)
            finally:
                connection.close()

        return await asyncio.to_thread(get)

    async def ended(self) -> int:
        """Wait until `serve` ends by itself, which it should not; its exit status."""
        assert self._serving is not None
        return await self._serving.wait()

    async def stop(self) -> list[str]:
        """End everything; what went wrong with it. Safe at any point after `__init__`."""
        wrong = []
        if self._serving is not None:
            if self._serving.returncode is None:
                self.say("stopping mailguard")
                self._serving.terminate()
            try:
                async with asyncio.timeout(_STOP):
                    status = await self._serving.wait()
                if status:
                    wrong.append(f"mailguard serve ended with {status}:\n{self._log_end()}")
            except TimeoutError:
                self._serving.kill()
                await self._serving.wait()
                wrong.append(f"mailguard serve did not end within {_STOP:.0f} seconds of SIGTERM")
        await self._next_hop.stop()
        await self._dns.stop()
        return wrong
