"""DKIM's keys: asked for at once, in time, over real DNS; and the loop is not held meanwhile."""

from __future__ import annotations

import asyncio
import base64

from tests.support import cost
from tests.support.dkim_vectors import (
    BODY,
    HEADER,
    KEY,
    NAME,
    NOW,
    RSA,
    record,
    sign,
)
from tests.support.waiting import PATIENCE

from mailguard.adapters.authentication.dkim import verify_dkim
from mailguard.adapters.authentication.dns import CachingResolver
from mailguard.config.form.forms import Address
from mailguard.config.settings.schema import DnsSettings
from mailguard.core.authentication.dns_answers import Answer, NxDomain
from mailguard.core.mail import mime
from mailguard.demo.dns_server import DnsServer


class Table:
    """A resolver with records, delays and a count."""

    def __init__(self, answers: dict[str, Answer], delay: float = 0.0) -> None:
        self.answers = answers
        self.delay = delay
        self.asked: list[str] = []
        self.at_once = self.waiting = 0

    async def look_up(self, name: str, record_type: str) -> Answer:
        assert record_type == "TXT"
        self.asked.append(name)
        self.waiting += 1
        self.at_once = max(self.at_once, self.waiting)
        await asyncio.sleep(self.delay)
        self.waiting -= 1
        return self.answers.get(name, NxDomain())


async def verify(
    resolver: Table | CachingResolver, raw: bytes, wait: float = PATIENCE
) -> list[str]:
    deadline = asyncio.get_running_loop().time() + wait
    found = await verify_dkim(resolver, mime.parse(raw), now=NOW, deadline=deadline)
    return [one.result for one in found]


async def test_mail_without_a_signature_asks_nothing() -> None:
    resolver = Table({})
    assert await verify(resolver, HEADER + b"\r\n" + BODY) == []
    assert resolver.asked == []


async def test_keys_are_asked_for_at_the_same_time_and_once() -> None:
    good = sign()
    signature = good[: good.index(b"From:")]
    others = b"".join(signature.replace(b"s=s1", b"s=t%d" % n) for n in range(5))
    resolver = Table({NAME: record(RSA)}, delay=0.2)
    results = await verify(resolver, signature + others + good)
    assert results == ["pass", *["permerror"] * 5, "pass"]
    assert len(resolver.asked) == 6
    assert resolver.at_once == 6


async def test_a_key_that_comes_too_late_is_temperror() -> None:
    assert await verify(Table({NAME: record(RSA)}, delay=5), sign(), wait=0.05) == ["temperror"]


async def test_keys_come_over_real_dns() -> None:
    text = KEY.decode()
    strings = " ".join(f'"{text[i : i + 200]}"' for i in range(0, len(text), 200))
    server = DnsServer(f"{NAME}. 60 IN TXT {strings}\n")
    host, port = await server.start()
    resolver = CachingResolver(
        DnsSettings(servers=[Address.model_validate(f"{host}:{port}")], timeout=30)
    )
    try:
        assert await verify(resolver, sign()) == ["pass"]
        assert await verify(resolver, sign(tags=b"d=example.org; s=none")) == ["permerror"]
    finally:
        await resolver.close()
        await server.stop()


async def test_twenty_five_megabytes_do_not_hold_the_loop() -> None:
    body = (base64.b64encode(bytes(57)) + b"\r\n") * 330_000
    message = mime.parse(sign(body=body, canonical_body=body))

    async def verified() -> None:
        deadline = asyncio.get_running_loop().time() + 60
        found = await verify_dkim(Table({NAME: record(RSA)}), message, now=NOW, deadline=deadline)
        assert [r.result for r in found] == ["pass"]

    await cost.assert_loop_free(verified)
