"""Lists in DNS: what is asked, what an answer means, and that a refusal is no listing."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from mailguard.adapters.engines.panel import panel_of
from mailguard.config.settings.engines import EnginesSettings
from mailguard.core.authentication.dns_answers import Answer, NoData, NxDomain, Records
from mailguard.core.decision.engines import EngineUnavailable, OnNoAnswer, Scanned, Symbol
from mailguard.core.decision.facts import Unavailable
from mailguard.core.mail import mime
from mailguard.core.mail.transaction import Envelope, Listener, Role, Transaction
from mailguard.core.text import reader
from mailguard.core.text.reading import Reading

ZONE = "zen.list.test"
MAIL = (
    b"From: Pat <pat@mail.home.test>\r\nSubject: Keys\r\n\r\n"
    b"See http://www.shop.example.co.uk/x and http://WWW.Shop.Example.CO.UK/y\r\n"
    b"or http://192.0.2.80/ or https://p\xc3\xa9.test/\r\n"
)


class Lists:
    """Answers from a table; everything else does not exist."""

    def __init__(self, **answers: Answer) -> None:
        self.answers = answers
        self.asked: list[str] = []

    async def look_up(self, name: str, record_type: str) -> Answer:
        assert record_type == "A"
        label, _, zone = name.rpartition(f".{ZONE}")
        assert not zone
        self.asked.append(label)
        return self.answers.get(label, NxDomain())


async def ask(
    lists: Lists,
    client: str = "192.0.2.25",
    role: Role = Role.MX,
    reading: Reading | Unavailable | None = None,
    raw: bytes = MAIL,
    **settings: Any,
) -> Scanned | EngineUnavailable:
    configured = EnginesSettings.model_validate({"dnsbl": [{"zone": ZONE, **settings}]})
    panel = panel_of(configured, lists, "mx.example.org", 20.0)
    assert panel is not None
    message = mime.parse(raw)
    envelope = Envelope("bounces@list.example.net", ("tim.moss@example.org",), client)
    transaction = Transaction("01TEST", 0.0, Listener("in", role), envelope, message)

    async def made() -> Reading | Unavailable:
        return reader.read(message) if reading is None else reading

    answers = await panel.scan(transaction, asyncio.create_task(made()))
    assert list(answers) == [ZONE]
    return answers[ZONE]


def records(*codes: str) -> Records:
    return Records(tuple(code.encode() for code in codes))


@pytest.mark.parametrize(
    ("client", "label"),
    [
        ("192.0.2.25", "25.2.0.192"),
        ("::ffff:192.0.2.25", "25.2.0.192"),
        ("2001:db8::1", "1" + ".0" * 23 + ".8.b.d.0.1.0.0.2"),
    ],
)
async def test_an_address_is_asked_for_in_reverse(client: str, label: str) -> None:
    lists = Lists()
    assert await ask(lists, client) == Scanned(0.0, spam=False)
    assert lists.asked == [label]


@pytest.mark.parametrize("role", [Role.RELAY, Role.SUBMISSION])
async def test_the_districts_own_clients_are_not_asked_for(role: Role) -> None:
    lists = Lists(**{"25.2.0.192": records("127.0.0.2")})
    assert await ask(lists, role=role) == Scanned(0.0, spam=False)
    assert lists.asked == []


@pytest.mark.parametrize(
    ("codes", "points"),
    [
        (("127.0.0.2",), 4.0),
        (("127.0.0.3",), 1.5),
        (("127.0.0.9",), 2.0),  # not named
        (("127.0.0.3", "127.0.0.2"), 4.0),
        (("127.0.0.5",), -2.0),  # a list of good ones
    ],
)
async def test_answers_have_their_points(codes: tuple[str, ...], points: float) -> None:
    settings = {"codes": {"127.0.0.2": 4, "127.0.0.3": 1.5, "127.0.0.5": -2}, "points": 2}
    said = await ask(Lists(**{"25.2.0.192": records(*codes)}), **settings)
    assert isinstance(said, Scanned)
    assert (said.points, said.spam) == (points, points > 0)
    assert said.symbols[0] == Symbol(f"{codes[-1]}(25.2.0.192)", points)


@pytest.mark.parametrize(
    "answer",
    [
        records("127.255.255.254"),  # an open resolver
        records("127.255.255.255"),  # too many questions
        records("203.0.113.7"),  # the domain was sold
        records("no address"),
        Unavailable("DNS time-out"),
    ],
)
async def test_what_is_no_listing_is_no_answer(answer: Answer) -> None:
    said = await ask(Lists(**{"25.2.0.192": answer}))
    assert isinstance(said, EngineUnavailable)
    assert said.on_no_answer is OnNoAnswer.IGNORE
    assert said.unavailable


async def test_no_record_is_an_answer() -> None:
    assert await ask(Lists(**{"25.2.0.192": NoData()})) == Scanned(0.0, spam=False)


async def test_domains_of_author_path_and_links_are_asked_for_once_each() -> None:
    lists = Lists(**{"example.co.uk": records("127.0.1.2")})
    said = await ask(lists, clients=False, domains=True)
    assert lists.asked == ["home.test", "example.net", "example.co.uk", "xn--p-bga.test"]
    assert isinstance(said, Scanned)
    assert said.symbols == (Symbol("127.0.1.2(example.co.uk)", 3.0),)


async def test_a_listing_counts_though_another_question_stays_open() -> None:
    lists = Lists(**{"home.test": Unavailable("DNS time-out"), "example.net": records("127.0.1.2")})
    said = await ask(lists, clients=False, domains=True)
    assert isinstance(said, Scanned) and said.points == 3.0


async def test_links_that_are_not_known_are_no_answer() -> None:
    said = await ask(Lists(), domains=True, reading=Unavailable("killed"))
    assert (
        isinstance(said, EngineUnavailable)
        and said.unavailable == "the links are not known: killed"
    )


async def test_no_more_than_so_many_domains() -> None:
    links = "\r\n".join(f"http://host{n}.test/" for n in range(500))
    lists = Lists()
    await ask(lists, domains=True, clients=False, raw=MAIL + links.encode())
    assert len(lists.asked) == 20
