"""CPU of the identity stage: SPF, DKIM, ARC and DMARC looked up in a warm cache, then judged.

Runs `SenderAuthentication` and the checks of identity on the example district, with a DNS server of
its own on loopback whose answers are cached before the clock starts. CPU is the process's own; how
long the event loop is held is the longest time between two turns of a ticker, less its interval.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key

from mailguard.adapters.authentication.dns import CachingResolver
from mailguard.adapters.authentication.lookups import SenderAuthentication
from mailguard.checks.authentication import AuthenticationCheck, AuthenticationSettings
from mailguard.checks.impersonation.check import Impersonation, ImpersonationSettings
from mailguard.checks.sender_identity.check import SenderIdentity, SenderIdentitySettings
from mailguard.cli.dkim import zone_line
from mailguard.config.load import Loaded, load
from mailguard.config.settings.schema import DnsSettings
from mailguard.core.authentication.dkim_signing import Signer, SigningKey, record_of
from mailguard.core.decision.facts import Facts
from mailguard.core.mail import mime
from mailguard.core.mail.transaction import Envelope, Listener, Role, Transaction
from mailguard.demo.dns_server import DnsServer

HERE = Path(__file__).resolve().parent
BARS = {
    "mail of 5 kB": 0.8,
    "80 kB of spaces": 10.0,
    "80 kB of spaces in a field": 10.0,
}  # ms CPU a message
HELD = 100.0  # ms that a message of 25 MB may hold the event loop
NOW = 1_790_000_000.0
TICK = 0.001  # seconds
KEY = SigningKey("sender.test", "s1", generate_private_key(65537, 2048))
ZONE = f"""\
$TTL 3600
sender.test.        IN TXT "v=spf1 ip4:192.0.2.10 -all"
_dmarc.sender.test. IN TXT "v=DMARC1; p=reject"
{zone_line("s1._domainkey.sender.test", record_of(KEY.key))}
"""
LINE = b"The bus leaves at eight from the north gate; please bring a coat and something to eat.\r\n"


def message(body: bytes, field: bytes = b"") -> bytes:
    """A letter with one RSA-2048 signature."""
    raw = field + (
        b"From: Rosa Elm <rosa@sender.test>\r\n"
        b"To: Sylvia Aspen <sylvia.aspen@example.org>\r\n"
        b"Subject: Field trip on Friday\r\n"
        b"Date: Mon, 21 Sep 2026 14:13:20 +0000\r\n"
        b"Message-ID: <1@sender.test>\r\n"
        b"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n" + body
    )
    return Signer([KEY]).sign(raw, "sender.test", NOW - 60) + raw


def transaction(raw: bytes) -> Transaction:
    """The letter as it comes; parsing it is another stage's work."""
    return Transaction(
        id="bench",
        received_at=NOW,
        listener=Listener("mx", Role.MX),
        envelope=Envelope(
            "rosa@sender.test",
            ("sylvia.aspen@example.org",),
            client_address="192.0.2.10",
            helo="mail.sender.test",
        ),
        message=mime.parse(raw),
    )


class Stage:
    """The identity stage of one message."""

    def __init__(self, authentication: SenderAuthentication, loaded: Loaded) -> None:
        self._authentication = authentication
        self._snapshot = loaded.snapshot

    async def judge(self, one: Transaction) -> Facts:
        """Look up, then what the checks say of it; the facts."""
        found = await self._authentication.authenticate(one)
        name = one.message.author.boxes[0].display_name
        directory, district = self._snapshot.directory, self._snapshot.district
        facts = Facts(
            now=NOW,
            district=district,
            namesakes=directory.namesakes(name),
            short_namesakes=directory.short_namesakes(name),
            offices=tuple(directory.offices_shown(name, (district.name, district.short_name))),
            spf=found.spf,
            dkim=found.dkim,
            arc=found.arc,
            dmarc=found.dmarc,
        )
        SenderIdentity().examine(one, facts, SenderIdentitySettings())
        Impersonation().examine(one, facts, ImpersonationSettings())
        AuthenticationCheck().examine(one, facts, AuthenticationSettings())
        return facts


async def cpu(stage: Stage, raw: bytes, count: int, rounds: int) -> list[float]:
    """Milliseconds of CPU a message, of each round."""
    found = []
    for _ in range(rounds):
        waiting = [transaction(raw) for _ in range(count)]  # each one new: nothing is remembered
        gc.collect()
        began = time.process_time()
        for one in waiting:
            facts = await stage.judge(one)
        found.append((time.process_time() - began) * 1000 / count)
        assert [one.result for one in facts.dkim] == ["pass"], facts.dkim
        assert facts.dmarc.result == "pass" and facts.spf.result == "pass", facts
    return found


async def longest_turn(work: Callable[[], object]) -> float:
    """The longest that the loop was held, in milliseconds, while a coroutine of `work` ran."""
    longest, going = 0.0, True

    async def tick() -> None:
        nonlocal longest
        last = time.perf_counter()
        while going:
            await asyncio.sleep(TICK)
            now = time.perf_counter()
            longest = max(longest, (now - last - TICK) * 1000)
            last = now

    ticking = asyncio.create_task(tick())
    await asyncio.sleep(0.05)
    longest = 0.0
    await work()  # type: ignore[misc]  # a coroutine
    going = False
    await ticking
    return longest


async def run(arguments: argparse.Namespace) -> bool:
    server = DnsServer(ZONE)
    host, port = await server.start()
    loaded = load(HERE.parent / "config")
    resolver = CachingResolver(DnsSettings(servers=[f"{host}:{port}"]))
    stage = Stage(SenderAuthentication(resolver, 10.0, "mailguard.example.org"), loaded)
    within = True
    print(f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors")
    messages = {
        "mail of 5 kB": message(LINE * 50),
        "80 kB of spaces": message(b" " * 80_000 + b"x\r\n"),
        "80 kB of spaces in a field": message(LINE, b"Comments:" + b" " * 80_000 + b"x\r\n"),
    }
    for name, raw in messages.items():
        await cpu(stage, raw, 20, 1)  # DNS answers and the suffix list are read once
        figures = await cpu(stage, raw, arguments.messages, arguments.rounds)
        median = statistics.median(figures)
        verdict = "within" if median <= BARS[name] else "OVER"
        within = within and median <= BARS[name]
        each = ", ".join(f"{figure:.3f}" for figure in figures)
        print(f"{name} ({len(raw):,} octets): {median:.3f} ms CPU a message", end=" ")
        print(f"({verdict} the bar of {BARS[name]:g}; rounds {each})")
    kinds = {
        "25 MB of lines": LINE * (25_000_000 // len(LINE)),
        "25 MB without a line end": b"x " * 12_500_000 + b"\r\n",
        "25 MB of spaces": b" " * 25_000_000 + b"x\r\n",
        "25 MB of empty lines": b"\r\n" * 12_500_000 + b"x\r\n",
    }
    for name, body in kinds.items():
        one = transaction(message(body))
        gc.collect()
        began = time.process_time()
        held = await longest_turn(lambda one=one: stage.judge(one))
        spent = (time.process_time() - began) * 1000
        within = within and held <= HELD
        verdict = "within" if held <= HELD else "OVER"
        print(f"{name}: event loop held {held:.1f} ms ({verdict} the bar of {HELD:g})", end="")
        print(f"; {spent:.0f} ms CPU in all")
    await resolver.close()
    await server.stop()
    return within


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--messages", type=int, default=400)
    raise SystemExit(0 if asyncio.run(run(parser.parse_args())) else 1)


if __name__ == "__main__":
    main()
