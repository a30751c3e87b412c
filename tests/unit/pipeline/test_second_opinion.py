"""The second opinion in a whole house: behind the reply, of the verdict in force, no verdict."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import structlog
from prometheus_client import REGISTRY
from tests.support.dkim_vectors import HEADER, NAME, RSA, record, sign

from mailguard.adapters.authentication.dkim_second import DkimSecondOpinion
from mailguard.config.load import load
from mailguard.core.decision.facts import Arc, Dkim, Dmarc, Spf
from mailguard.core.mail.reply import Reply
from mailguard.core.mail.transaction import Envelope, Listener, Role, Transaction
from mailguard.demo.dns_server import DnsServer
from mailguard.demo.next_hop import NextHopServer
from mailguard.pipeline.ports import Authentication, Delivery, Judging
from mailguard.server.app import Server
from mailguard.server.smtp_gateway import SmtpGateway

EXAMPLE = Path(__file__).resolve().parent.parent.parent.parent / "config"
TARA = "tara.olive@example.org"
# The author is a stranger: the district's own name would be refused from outside.
GOOD = sign(HEADER.replace(b"jane@example.org", b"jane@example.net"))
ALTERED = GOOD.replace(b"bus", b"car")


@dataclass
class Says:
    """An authenticator with a verdict of its own, whatever the message."""

    result: str

    async def authenticate(self, transaction: Transaction) -> Authentication:
        dkim = (Dkim(self.result, "example.org", "s1", algorithm="rsa-sha256"),)
        return Authentication(Spf("pass", "example.net"), dkim, Arc(), Dmarc("none"))


@pytest.fixture
async def opened(tmp_path: Path) -> AsyncIterator[Callable[[str], Server]]:
    """A house with a share, a name server and a next hop; no listener is bound."""
    text = record(RSA).values[0].decode()
    strings = " ".join(f'"{text[at : at + 200]}"' for at in range(0, len(text), 200))
    name_server = DnsServer(f"{NAME}. 60 IN TXT {strings}")
    next_hop = NextHopServer(tmp_path / "mail", [TARA])
    (dns_host, dns_port), (host, port) = await name_server.start(), await next_hop.start()
    houses: list[Server] = []

    def open_house(share: str) -> Server:
        number = len(houses)
        config = tmp_path / f"config{number}"
        shutil.copytree(EXAMPLE, config)
        yaml = config / "mailguard.yaml"
        written = yaml.read_text().replace("127.0.0.1:2600", f"{host}:{port}")
        written = written.replace("../state", str(tmp_path / f"state{number}"))
        written += f"\ndns: {{ servers: ['{dns_host}:{dns_port}'] }}\n"
        written += f"authentication: {{ second_opinion: {share} }}\n"
        yaml.write_text(written)
        houses.append(Server(load(config, create_keys=True)))
        return houses[-1]

    yield open_house
    for house in houses:
        if house.second_opinion is not None:
            await house.second_opinion.close()
        await house.reader.close()
        await house.relay.close()
        await house.resolver.close()
        house.state.close()
    await next_hop.stop()
    await name_server.stop()


def gateway(
    house: Server, *, judging: Judging | None = None, delivery: Delivery | None = None
) -> SmtpGateway:
    judging, delivery = judging or house.judging, delivery or house.delivery
    terms = house.replaying.terms
    return SmtpGateway(house.settings, house.live, house.relay, judging, terms, delivery)


async def accepted(house: Server, raw: bytes, says: str = "") -> Reply:
    """The reply to one message from outside; `says` is an injected verdict on its signature."""
    await house.state.learned.refresh()
    serving = house.gateway
    if says:
        serving = gateway(house, judging=replace(house.judging, authenticator=Says(says)))
    envelope = Envelope("jane@example.net", (TARA,), "192.0.2.1", helo="mx.example.net")
    return await serving.accept(Listener("mx", Role.MX), envelope, raw)


def count(result: str) -> float:
    labels = {"result": result}
    return REGISTRY.get_sample_value("mailguard_dkim_second_opinions_total", labels) or 0.0


@pytest.mark.parametrize(
    ("raw", "says", "result"),
    [
        (GOOD, "", "agreed"),
        (ALTERED, "", "agreed"),
        (ALTERED, "pass", "disagreed"),
        (GOOD, "fail", "disagreed"),
    ],
)
async def test_a_verdict_in_force_is_compared(
    raw: bytes, says: str, result: str, opened: Callable[[str], Server]
) -> None:
    house = opened("1")
    assert house.second_opinion is not None
    before = count(result)
    with structlog.testing.capture_logs() as logs:
        reply = await accepted(house, raw, says)
        assert count(result) == before  # nothing was waited for
        await house.second_opinion.settle()
    assert reply.code == 250, reply
    assert count(result) == before + 1
    differ = [line for line in logs if line["event"] == "dkim_opinions_differ"]
    assert len(differ) == (result == "disagreed")
    (entry,) = [entry async for entry in house.state.ledger.entries()]
    assert [line["id"] for line in differ] == [entry.id] * len(differ)
    assert not any(word in json.dumps(differ) for word in ("jane", "example", "bus", "Field"))


async def test_no_reply_waits_for_it_and_none_changes(opened: Callable[[str], Server]) -> None:
    """dkimpy is stuck for as long as the test likes; message after message is answered."""
    house, plain = opened("1"), opened("0")
    assert plain.second_opinion is None
    release = threading.Event()

    def stuck(question: bytes, seconds: float) -> Sequence[str]:
        assert release.wait(300)
        return ["fail"]

    second = DkimSecondOpinion(house.resolver, 1.0, 5.0, stuck)
    house.gateway = gateway(house, delivery=replace(house.delivery, second_opinion=second))
    busy, disagreed = count("busy"), count("disagreed")
    replies = [await accepted(house, GOOD) for _ in range(3)]
    assert count("busy") == busy + 2
    release.set()
    await second.settle()
    assert count("disagreed") == disagreed + 1
    await second.close()
    without = [await accepted(plain, GOOD) for _ in replies]
    assert [r.code for r in replies] == [r.code for r in without] == [250] * 3
    ends = [
        str(await one.state.ledger.end_states(entry.id))
        for one in (house, plain)
        async for entry in one.state.ledger.entries()
    ]
    assert (len(ends), len(set(ends))) == (6, 1)


async def test_who_has_logged_in_and_who_is_not_in_the_share_is_left_alone(
    opened: Callable[[str], Server],
) -> None:
    house = opened("0.000000001")
    assert house.second_opinion is not None
    before = [count(result) for result in ("agreed", "busy", "no_key")]
    assert (await accepted(house, GOOD)).code == 250
    await house.second_opinion.settle()
    assert [count(result) for result in ("agreed", "busy", "no_key")] == before
