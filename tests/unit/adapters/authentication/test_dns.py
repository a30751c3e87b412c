"""The resolver against a DNS server on real sockets."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import dns.exception
import dns.message
import dns.rcode
import pytest
from prometheus_client import REGISTRY

from mailguard.adapters.authentication.dns import CachingResolver
from mailguard.config.form.forms import Address
from mailguard.config.settings.schema import DnsSettings
from mailguard.core.authentication.dns_answers import NoData, NxDomain, Records
from mailguard.core.decision.facts import Unavailable
from mailguard.demo.dns_server import DnsServer

ZONE = f"""
$TTL 300
example.org.           MX   10 mail.example.org.
example.org.           TXT  "v=spf1 " "-all"
mail.example.org.      A    192.0.2.1
mail.example.org. 0    TXT  "not kept"
www.example.org.       CNAME mail.example.org.
deep.er.example.org.   A    192.0.2.2
*.wild.example.org.    A    192.0.2.3
long.example.org.      TXT  {" ".join(f'"{n:03}{"x" * 200}"' for n in range(20))}
"""


class Faulty(DnsServer):
    """Counts, and misbehaves for some names."""

    asked: list[str]

    def answer(self, query: dns.message.Message) -> dns.message.Message | None:
        name = query.question[0].name.to_text(omit_final_dot=True)
        self.asked.append(name)
        response = dns.message.make_response(query)
        match name.partition(".")[0]:
            case "silent":
                return None
            case "lost-once" if self.asked.count(name) == 1:
                return None
            case "servfail":
                response.set_rcode(dns.rcode.SERVFAIL)
                return response
            case "refused":
                response.set_rcode(dns.rcode.REFUSED)
                return response
        return super().answer(query)


@contextlib.asynccontextmanager
async def resolving(timeout: float = 30.0) -> AsyncIterator[tuple[CachingResolver, Faulty]]:
    server = Faulty(ZONE + 'lost-once.example.org. TXT "x"\n')
    server.asked = []
    host, port = await server.start()
    resolver = CachingResolver(
        DnsSettings(servers=(Address(host=host, port=port),), timeout=timeout)
    )
    try:
        yield resolver, server
    finally:
        await resolver.close()
        await server.stop()


@pytest.mark.parametrize(
    ("name", "record_type", "expected"),
    [
        ("example.org", "MX", Records((b"10 mail.example.org.",))),
        ("EXAMPLE.org.", "TXT", Records((b"v=spf1 -all",))),
        ("www.example.org", "A", Records((b"192.0.2.1",))),
        ("any.wild.example.org", "A", Records((b"192.0.2.3",))),
        ("example.org", "AAAA", NoData()),
        ("er.example.org", "A", NoData()),
        ("none.example.org", "A", NxDomain()),
        ("elsewhere.test", "A", NxDomain()),
        ("x" * 64 + ".example.org", "A", NxDomain()),
        ("a..example.org", "A", NxDomain()),
        (".".join(["abc"] * 80), "A", NxDomain()),
    ],
)
async def test_answers(name: str, record_type: str, expected: object) -> None:
    async with resolving() as (resolver, _):
        assert await resolver.look_up(name, record_type) == expected


async def test_a_truncated_answer_is_asked_for_by_tcp() -> None:
    async with resolving() as (resolver, server):
        answer = await resolver.look_up("long.example.org", "TXT")
        assert isinstance(answer, Records) and len(answer.values[0]) == 20 * 203
        assert server.asked == ["long.example.org"] * 2


@pytest.mark.parametrize("name", ["servfail.example.org", "refused.example.org"])
async def test_a_server_that_fails_is_not_an_empty_answer(name: str) -> None:
    async with resolving() as (resolver, _):
        assert isinstance(await resolver.look_up(name, "TXT"), Unavailable)


async def test_time_out() -> None:
    async with resolving(0.3) as (resolver, _):
        answer = await resolver.look_up("silent.example.org", "TXT")
        assert answer == Unavailable("DNS time-out")


async def test_a_lost_datagram_is_sent_again() -> None:
    async with resolving(4) as (resolver, _):
        assert await resolver.look_up("lost-once.example.org", "TXT") == Records((b"x",))


async def test_cache_and_askers_at_the_same_time() -> None:
    async with resolving() as (resolver, server):
        answers = await asyncio.gather(*(resolver.look_up("example.org", "MX") for _ in range(20)))
        assert len(set(answers)) == 1 and server.asked == ["example.org"]
        await resolver.look_up("Example.ORG.", "MX")
        assert server.asked == ["example.org"]
        for _ in range(2):
            await resolver.look_up("none.example.org", "A")
            await resolver.look_up("mail.example.org", "TXT")
        assert server.asked.count("none.example.org") == 1, "negative answers are kept too"
        assert server.asked.count("mail.example.org") == 2, "a TTL of 0 is not"


async def test_what_is_known_is_what_would_be_answered_without_asking() -> None:
    async with resolving() as (resolver, server):
        assert resolver.known("example.org", "MX") is None and server.asked == []
        answer = await resolver.look_up("example.org", "MX")
        assert resolver.known("Example.ORG.", "MX") == answer == Records((b"10 mail.example.org.",))
        assert resolver.known("example.org", "TXT") is None
        await resolver.look_up("none.example.org", "A")
        assert resolver.known("none.example.org", "A") == NxDomain()
        for name in ("mail.example.org", "servfail.example.org"):  # a TTL of 0; trouble
            await resolver.look_up(name, "TXT")
            assert resolver.known(name, "TXT") is None


async def test_what_was_known_is_not_after_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    async with resolving() as (resolver, _):
        await resolver.look_up("example.org", "MX")
        loop = asyncio.get_running_loop()
        later = loop.time() + 300  # the TTL
        monkeypatch.setattr(loop, "time", lambda: later + 1)
        assert resolver.known("example.org", "MX") is None
        monkeypatch.undo()


async def test_trouble_is_not_kept() -> None:
    async with resolving() as (resolver, server):
        for _ in range(2):
            await resolver.look_up("servfail.example.org", "TXT")
        assert server.asked.count("servfail.example.org") >= 2


async def test_a_cancelled_asker_does_not_cancel_the_others() -> None:
    async with resolving(4) as (resolver, _):
        first = asyncio.create_task(resolver.look_up("lost-once.example.org", "TXT"))
        await asyncio.sleep(0.05)
        second = asyncio.create_task(resolver.look_up("lost-once.example.org", "TXT"))
        await asyncio.sleep(0)
        first.cancel()
        assert await second == Records((b"x",))


async def test_one_of_two_servers_is_down() -> None:
    async with resolving() as (_, server):
        up = Address(host="127.0.0.1", port=server._port)
        down = Address(host="localhost", port=1)
        resolver = CachingResolver(DnsSettings(servers=(down, up), timeout=6))
        assert isinstance(await resolver.look_up("example.org", "MX"), Records)
        assert await resolver.probe() is None


async def test_nobody_answers() -> None:
    resolver = CachingResolver(
        DnsSettings(servers=(Address(host="127.0.0.1", port=1),), timeout=0.3)
    )
    assert isinstance(await resolver.probe(), Unavailable)


async def test_queries_are_counted_by_result() -> None:
    def count() -> float:
        labels = {"result": "nxdomain"}
        return REGISTRY.get_sample_value("mailguard_dns_queries_total", labels) or 0.0

    async with resolving() as (resolver, _):
        before = count()
        await resolver.look_up("none.example.org", "A")
        assert count() == before + 1


def test_a_broken_zone_is_refused() -> None:
    with pytest.raises(dns.exception.DNSException):
        DnsServer("example.org. A not-an-address")


@pytest.mark.parametrize("wire", [b"", b"\0" * 12, b"\xff" * 600])
def test_garbage_gets_no_answer(wire: bytes) -> None:
    assert DnsServer(ZONE).respond(wire, over_tcp=False) is None
