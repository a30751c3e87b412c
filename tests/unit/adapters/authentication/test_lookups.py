"""The four results in one: what is known already is answered alike, and at less cost."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from mailguard.adapters.authentication.lookups import SenderAuthentication
from mailguard.core.authentication.arc_seal import seal
from mailguard.core.authentication.dkim_signing import Signer, SigningKey, record_of
from mailguard.core.authentication.dns_answers import Answer, NxDomain, Records
from mailguard.core.mail import mime
from mailguard.core.mail.transaction import Envelope, Listener, Role, Transaction

NOW = 1_700_000_000.0
KEY = SigningKey("example.test", "s1", Ed25519PrivateKey.generate())
ZONE: dict[str, Answer] = {
    "example.test": Records((b"v=spf1 ip4:192.0.2.1 -all",)),
    "_dmarc.example.test": Records((b"v=DMARC1; p=reject",)),
    "s1._domainkey.example.test": Records((record_of(KEY.key).encode(),)),
}
RAW = (
    b"From: Jane Doe <jane@example.test>\r\nTo: list@example.net\r\nSubject: Field trip\r\n"
    b"Date: Mon, 1 Jan 2024 10:00:00 +0000\r\n\r\nThe bus leaves at 8.\r\n"
)
SIGNED = Signer([KEY]).sign(RAW, "example.test", NOW) + RAW
SEALED = seal(SIGNED, b"example.test; spf=pass", "none", KEY, NOW) + SIGNED


class Remembering:
    """Answers after a turn of the loop, and knows from then on."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.kept: dict[str, Answer] = {}

    def known(self, name: str, record_type: str) -> Answer | None:
        return self.kept.get(name)

    async def look_up(self, name: str, record_type: str) -> Answer:
        if name not in self.kept:
            self.asked.append(name)
            await asyncio.sleep(0)
            self.kept[name] = ZONE.get(name, NxDomain())
        return self.kept[name]


def transaction(raw: bytes) -> Transaction:
    envelope = Envelope("jane@example.test", ("list@example.net",), "192.0.2.1", helo="mx.test")
    return Transaction("1", NOW, Listener("mx", Role.MX), envelope, mime.parse(raw))


@pytest.mark.parametrize(
    ("raw", "dkim", "cv"),
    [(RAW, [], "none"), (SIGNED, ["pass"], "none"), (SEALED, ["pass"], "pass")],
    ids=["plain", "signed", "sealed"],
)
async def test_what_is_known_is_answered_alike_and_nobody_is_asked(
    raw: bytes, dkim: list[str], cv: str
) -> None:
    resolver = Remembering()
    authenticator = SenderAuthentication(resolver, 5.0, "mx.example.net")
    first = await authenticator.authenticate(transaction(raw))
    asked = list(resolver.asked)
    assert await authenticator.authenticate(transaction(raw)) == first
    assert resolver.asked == asked
    assert [one.result for one in first.dkim] == dkim  # type: ignore[union-attr]
    assert first.arc.cv == cv  # type: ignore[union-attr]
    assert first.dmarc.result == "pass"  # type: ignore[union-attr]
    aligned = ("dkim", "spf") if dkim else ("spf",)
    assert sorted(first.dmarc.aligned) == sorted(aligned)  # type: ignore[union-attr]


async def test_what_is_known_needs_no_tasks_but_the_evaluators() -> None:
    made: list[object] = []

    def counting(loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, Any]) -> Any:
        made.append(work)
        return asyncio.Task(work, loop=loop)

    authenticator = SenderAuthentication(Remembering(), 5.0, "mx.example.net")
    await authenticator.authenticate(transaction(SIGNED))
    loop = asyncio.get_running_loop()
    loop.set_task_factory(counting)
    try:
        await authenticator.authenticate(transaction(SIGNED))
    finally:
        loop.set_task_factory(None)
    assert len(made) <= 1
