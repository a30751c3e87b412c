"""The three protocols against servers that hang, cut, lie about lengths and talk without end."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from prometheus_client import REGISTRY
from tests.support.ports import free_port
from tests.support.waiting import patiently

from mailguard.adapters.engines.panel import Panel, panel_of
from mailguard.config.settings.engines import EnginesSettings
from mailguard.core.authentication.dns_answers import Answer
from mailguard.core.decision.engines import EngineUnavailable, OnNoAnswer, Scanned, Symbol, Target
from mailguard.core.decision.facts import Unavailable
from mailguard.core.mail import mime
from mailguard.core.mail.transaction import Envelope, Listener, Role, Transaction
from mailguard.core.text.reading import Reading

Behaviour = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
MAIL = b"From: pat@home.test\r\nTo: tim.moss@example.org\r\nSubject: Keys\r\n\r\nHello.\r\n"
ENVELOPE = Envelope("pat@home.test", ("tim.moss@example.org",), "192.0.2.25", helo="mail.home.test")
KINDS = ("rspamd", "spamd", "clamd")


class NoDns:
    async def look_up(self, name: str, record_type: str) -> Answer:
        raise AssertionError(name)


def transaction(raw: bytes = MAIL, envelope: Envelope = ENVELOPE) -> Transaction:
    message = mime.parse(raw)
    return Transaction("01TEST", 1_795_600_000.0, Listener("mx", Role.MX), envelope, message)


def panel(kind: str, port: int, deadline: float = 240.0, **settings: Any) -> Panel:
    where = {"url": f"http://127.0.0.1:{port}"} if kind == "rspamd" else {}
    address = {} if kind == "rspamd" else {"address": f"127.0.0.1:{port}"}
    configured = EnginesSettings.model_validate({kind: {**where, **address, **settings}})
    made = panel_of(configured, NoDns(), "mx.example.org", deadline)
    assert made is not None
    return made


async def ask(of: Panel, asked: Transaction | None = None) -> Scanned | EngineUnavailable:
    async def reading() -> Reading | Unavailable:
        return Reading()

    task = asyncio.create_task(reading())
    (said,) = (await of.scan(asked or transaction(), task)).values()
    return said


@contextlib.asynccontextmanager
async def server(behave: Behaviour) -> AsyncIterator[int]:
    """A server that behaves so with every client; its port."""
    open_now: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        open_now.add(task)
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                await behave(reader, writer)
        finally:
            open_now.discard(task)
            writer.transport.abort()

    started = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield started.sockets[0].getsockname()[1]
    finally:
        started.close()
        for task in open_now:
            task.cancel()
        await asyncio.gather(*open_now, return_exceptions=True)


async def request(reader: asyncio.StreamReader, kind: str) -> bytes:
    """All of a question, as a server of that kind reads it."""
    if kind == "clamd":
        asked = await reader.readuntil(b"\0")
        while True:
            size = int.from_bytes(await reader.readexactly(4), "big")
            if not size:
                return asked
            asked += await reader.readexactly(size)
    head = await reader.readuntil(b"\r\n\r\n")
    lines = {
        line.partition(b":")[0].lower(): line.partition(b":")[2] for line in head.split(b"\r\n")
    }
    return head + await reader.readexactly(int(lines[b"content-length"]))


def answering(kind: str, answer: bytes) -> Behaviour:
    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request(reader, kind)
        writer.write(answer)
        await writer.drain()
        writer.write_eof()
        await reader.read()

    return behave


def http(body: bytes, status: str = "200 OK", length: int | None = None, fields: str = "") -> bytes:
    said = len(body) if length is None else length
    return f"HTTP/1.1 {status}\r\n{fields}Content-Length: {said}\r\n\r\n".encode() + body


def rspamd(**said: Any) -> bytes:
    usual = {"is_skipped": False, "score": 1.0, "required_score": 15.0, "action": "no action"}
    return http(json.dumps({**usual, "symbols": {}, **said}).encode())


SPAMD = b"SPAMD/1.1 0 EX_OK\r\nContent-length: %d\r\nSpam: %s\r\n\r\n%s"


def spamd(verdict: bytes = b"False ; 1.5 / 5.0", symbols: bytes = b"A_B,C_D") -> bytes:
    return SPAMD % (len(symbols), verdict, symbols)


GOOD = {"rspamd": rspamd(), "spamd": spamd(), "clamd": b"stream: OK\0"}


# -- what a healthy engine says -------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
async def test_a_clean_message(kind: str) -> None:
    async with server(answering(kind, GOOD[kind])) as port:
        said = await ask(panel(kind, port))
    assert isinstance(said, Scanned)
    assert (said.spam, said.malware, said.unscannable) == (False, "", "")
    assert said.target is (Target.MALWARE if kind == "clamd" else Target.SPAM)


async def test_spamds_answer() -> None:
    answer = spamd(b"True ; 1003.3 / 5.0", b"GTUBE,MISSING_DATE\r\n")
    async with server(answering("spamd", answer)) as port:
        said = await ask(panel("spamd", port, weight=0.5, at_most=8))
    assert said == Scanned(1003.3, True, (Symbol("GTUBE"), Symbol("MISSING_DATE")), points=8.0)


async def test_rspamds_answer() -> None:
    symbols = {
        "MIME_GOOD": {"name": "MIME_GOOD", "score": -0.1},
        "NULL": {"name": "NULL", "score": 0.0},
        "FORGED": {"name": "FORGED", "score": 7.5, "options": ["x\r\ny"]},
    }
    answer = rspamd(score=7.4, action="add header", symbols=symbols)
    async with server(answering("rspamd", answer)) as port:
        said = await ask(panel("rspamd", port, weight=0.5))
    shown = (Symbol("FORGED", 7.5), Symbol("MIME_GOOD", -0.1), Symbol("NULL", 0.0))
    assert said == Scanned(7.4, True, shown, points=3.7)


async def test_a_reject_is_worth_its_bound_and_a_good_score_takes_little_off() -> None:
    async with server(answering("rspamd", rspamd(score=2, action="reject"))) as port:
        forced = await ask(panel("rspamd", port, at_most=100))
    assert isinstance(forced, Scanned) and (forced.score, forced.points) == (15.0, 15.0)
    async with server(answering("rspamd", rspamd(score=-20))) as port:
        good = await ask(panel("rspamd", port))
    assert isinstance(good, Scanned) and good.points == -3.0


async def test_what_rspamd_skipped_it_has_not_scanned_but_for_its_test_pattern() -> None:
    async with server(answering("rspamd", rspamd(is_skipped=True, score=0))) as port:
        skipped = await ask(panel("rspamd", port))
    assert isinstance(skipped, Scanned) and skipped.unscannable == "rspamd skipped it"
    pattern = rspamd(is_skipped=True, score=15, action="reject")
    async with server(answering("rspamd", pattern)) as port:
        found = await ask(panel("rspamd", port))
    assert isinstance(found, Scanned) and found.spam and not found.unscannable


@pytest.mark.parametrize(
    ("answer", "malware", "unscannable"),
    [
        (b"stream: Eicar-Test FOUND\0", "Eicar-Test", ""),
        (b"stream: \r\n\x1b[31m FOUND FOUND\0", "_[31m_FOUND", ""),
        (b"stream:  FOUND\0", "unnamed", ""),
        (b"stream: Heuristics.Encrypted.Zip FOUND\0", "", "clamd says Heuristics.Encrypted.Zip"),
        (
            b"stream: Heuristics.Limits.Exceeded.MaxFileSize FOUND\0",
            "",
            "clamd says Heuristics.Limits.Exceeded.MaxFileSize",
        ),
        (
            b"INSTREAM size limit exceeded. ERROR\0",
            "",
            "it is bigger than clamd's StreamMaxLength",
        ),
    ],
)
async def test_clamds_answers(answer: bytes, malware: str, unscannable: str) -> None:
    async with server(answering("clamd", answer)) as port:
        said = await ask(panel("clamd", port))
    assert isinstance(said, Scanned)
    assert (said.malware, said.unscannable) == (malware, unscannable)


async def test_a_limit_of_clamds_own_is_heard_though_it_reads_no_further() -> None:
    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(100)
        writer.write(b"INSTREAM size limit exceeded. ERROR\0")
        await writer.drain()

    async with server(behave) as port:
        said = await ask(panel("clamd", port), transaction(MAIL + b"x" * 8_000_000))
    assert isinstance(said, Scanned), said
    assert said.unscannable == "it is bigger than clamd's StreamMaxLength"


@pytest.mark.parametrize("kind", KINDS)
async def test_no_engine_gets_a_message_over_its_size(kind: str) -> None:
    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        raise AssertionError("asked")

    async with server(behave) as port:
        said = await ask(panel(kind, port, max_size=2_000), transaction(MAIL + b"x" * 2_000))
    assert isinstance(said, Scanned)
    size = len(MAIL) + 2_000
    assert said.unscannable == f"the message has {size} octets, and 2000 are scanned"


# -- what they are told ---------------------------------------------------------------------------


async def told(kind: str, asked: Transaction) -> bytes:
    heard: list[bytes] = []

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await request(reader, kind))
        writer.write(GOOD[kind])
        await writer.drain()

    async with server(behave) as port:
        assert isinstance(await ask(panel(kind, port, max_size=9_000_000), asked), Scanned)
    return heard[0]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [1, 300_000, 3_000_000])
async def test_each_gets_the_message_as_it_came(kind: str, size: int) -> None:
    raw = MAIL + b"\0\xff\n.\r\n" * (size // 6)
    heard = await told(kind, transaction(raw))
    assert heard.endswith(raw)
    assert heard.count(raw[:40]) == 1


async def test_rspamd_learns_of_the_session_and_no_field_can_be_injected() -> None:
    envelope = Envelope(
        "pat@home.test",
        ("tim.moss@example.org", "x\r\nUser: root@example.org", "p\u00e9@example.org"),
        "192.0.2.25",
        helo="evil\r\nPass: all",
        account=" spaced",
    )
    head = (await told("rspamd", transaction(envelope=envelope))).partition(b"\r\n\r\n")[0]
    lines = head.split(b"\r\n")
    assert {b"IP: 192.0.2.25", b"From: pat@home.test", b"Queue-Id: 01TEST"} <= set(lines)
    assert [line for line in lines if line.startswith(b"Rcpt")] == [
        b"Rcpt: tim.moss@example.org",
        "Rcpt: p\u00e9@example.org".encode(),
    ]
    assert not any(line.startswith((b"User", b"Helo", b"Pass")) for line in lines)


async def test_spamd_learns_of_the_session_from_two_fields_on_top() -> None:
    envelope = Envelope("a\r\nX: b@home.test", ENVELOPE.recipients, "192.0.2.25", helo="m\r\nY: z")
    heard = await told("spamd", transaction(envelope=envelope))
    _, _, body = heard.partition(b"\r\n\r\n")
    assert body.startswith(
        b"Return-Path: <aX:b@home.test>\r\nReceived: from mY:z ([192.0.2.25])\r\n"
    )


# -- hostile and broken servers -------------------------------------------------------------------


async def silence(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await asyncio.Event().wait()


async def deaf(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.transport.pause_reading()  # type: ignore[attr-defined]
    await asyncio.Event().wait()


async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while True:
        writer.write(b"H")
        await writer.drain()
        await asyncio.sleep(0.01)


async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while True:
        writer.write(b"A" * 65_536)
        await writer.drain()


async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    pass


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("behave", [silence, deaf, drip, flood, hang_up])
async def test_nothing_that_a_server_does_is_an_answer(kind: str, behave: Behaviour) -> None:
    big = transaction(MAIL + b"x" * 5_000_000)
    asked = {"timeout": 0.5, "max_size": 9_000_000, "on_no_answer": "ignore"}
    async with server(behave) as port, patiently(f"{kind} to be given up"):
        said = await ask(panel(kind, port, **asked), big)
    assert isinstance(said, EngineUnavailable), said
    assert said.on_no_answer is OnNoAnswer.IGNORE
    assert said.unavailable.isprintable() and len(said.unavailable) < 300


@pytest.mark.parametrize("kind", KINDS)
async def test_an_answer_that_is_cut_anywhere_is_none(kind: str) -> None:
    whole = GOOD[kind]
    for end in range(0, len(whole), max(1, len(whole) // 40)):
        async with server(answering(kind, whole[:end])) as port:
            said = await ask(panel(kind, port, timeout=60))
        assert isinstance(said, EngineUnavailable), (end, said)


@pytest.mark.parametrize("kind", ["spamd", "clamd"])
async def test_what_calls_a_message_clean_before_it_has_it_is_not_believed(kind: str) -> None:
    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(10)
        writer.write(GOOD[kind])
        await writer.drain()
        writer.write_eof()
        await asyncio.sleep(0.2)

    async with server(behave) as port:
        big = transaction(MAIL + b"x" * 20_000_000)
        said = await ask(panel(kind, port, max_size=50_000_000), big)
    assert isinstance(said, EngineUnavailable)


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"SPAMD/1.1 76 Bad header line\r\n",
        b"SPAMD/1.1 0 EX_OK\r\n\r\n",
        SPAMD % (3, b"True ; 9.0 / 5.0", b"A_B,C_D"),
        SPAMD % (9, b"True ; 9.0 / 5.0", b"A_B,C_D"),
        SPAMD % (7, b"Maybe ; 9.0 / 5.0", b"A_B,C_D"),
        SPAMD % (7, b"True ; nan / 5.0", b"A_B,C_D"),
        SPAMD % (7, b"True ; 1e999 / 5.0", b"A_B,C_D"),
        SPAMD % (7, b"True ; 9.0 / 5.0\r\nSpam: False ; 0.0 / 5.0", b"A_B,C_D"),
        SPAMD.replace(b"%d", b"-7") % (b"True ; 9.0 / 5.0", b"A_B,C_D"),
        SPAMD.replace(b"%d", b"7" * 5_000) % (b"True ; 9.0 / 5.0", b"A_B,C_D"),
        b"SPAMD/1.1 0 EX_OK\r\n" + b"A: b\r\n" * 20_000,
    ],
)
async def test_spamds_garbage(answer: bytes) -> None:
    async with server(answering("spamd", answer)) as port:
        assert isinstance(await ask(panel("spamd", port, timeout=60)), EngineUnavailable)


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"SPAMD/1.1 0 EX_OK\r\n\r\n",
        http(b"{}"),
        http(b"[]"),
        http(b"null"),
        http(b"<html>"),
        http(b"[" * 500_000),
        http(b'{"score": ' + b"9" * 10_000 + b', "action": "no action", "symbols": {}}'),
        http(b'{"score": 1e999, "action": "no action", "symbols": {}}'),
        rspamd(score="1.0"),
        rspamd(score=True),
        rspamd(score=float("nan")),
        rspamd(action=None),
        rspamd(action="soft reject"),
        rspamd(symbols=[]),
        rspamd(symbols={"A": 1}),
        rspamd(symbols={"A": {"score": "x"}}),
        rspamd(error="out of \x1b memory"),
        http(b"", status="500 Internal Server Error"),
        http(b"", status="302 Found", fields="Location: http://127.0.0.1:1/\r\n"),
        http(b"A" * 2_000_000),
        http(b"{}", length=10**12),
        http(b"\x1f\x8b" + b"\0" * 100, fields="Content-Encoding: gzip\r\n"),
        b"HTTP/1.1 200 OK\r\nX: " + b"a" * 100_000 + b"\r\n\r\n",
    ],
)
async def test_rspamds_garbage(answer: bytes) -> None:
    async with server(answering("rspamd", answer)) as port:
        said = await ask(panel("rspamd", port, timeout=60))
    assert isinstance(said, EngineUnavailable), said
    assert said.unavailable.isprintable()


async def test_symbols_are_bounded_and_harmless() -> None:
    many = {f"S{n}\r\n\u202e{'x' * 300}": {"score": n / 100} for n in range(2_500)}
    async with server(answering("rspamd", rspamd(symbols=many))) as port:
        said = await ask(panel("rspamd", port))
    assert isinstance(said, Scanned) and len(said.symbols) == 50
    assert all(
        s.name.isascii() and s.name.isprintable() and len(s.name) < 200 for s in said.symbols
    )


@pytest.mark.parametrize(
    "answer", [b"", b"stream: OK", b"OK\0", b"stream: OK\0stream: OK\0", b"stream: x ERROR\0"]
)
async def test_clamds_garbage(answer: bytes) -> None:
    async with server(answering("clamd", answer)) as port:
        said = await ask(panel("clamd", port))
    assert isinstance(said, EngineUnavailable)


@pytest.mark.parametrize("kind", KINDS)
async def test_nobody_listens(kind: str) -> None:
    said = await ask(panel(kind, free_port()))
    assert isinstance(said, EngineUnavailable) and said.on_no_answer is OnNoAnswer.DEFER


async def test_the_facts_deadline_is_above_an_engines() -> None:
    async with server(silence) as port:
        said = await ask(panel("spamd", port, deadline=1.0, timeout=600))
    assert (
        isinstance(said, EngineUnavailable) and said.unavailable == "no answer within 0.5 seconds"
    )


async def test_so_many_at_once_and_the_others_wait_within_their_time() -> None:
    now, most, full = 0, 0, asyncio.Event()

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal now, most
        now, most = now + 1, max(most, now + 1)
        await request(reader, "clamd")
        if now == 3:
            full.set()
        await full.wait()  # one that came fourth would be counted
        await asyncio.sleep(0.02)
        now -= 1
        writer.write(GOOD["clamd"])
        await writer.drain()

    async with server(behave) as port:
        one = panel("clamd", port, connections=3)
        answers = await asyncio.gather(*(ask(one) for _ in range(20)))
    assert all(isinstance(said, Scanned) for said in answers)
    assert most == 3


async def test_latency_and_results_are_counted_by_engine() -> None:
    def counted(result: str) -> float:
        labels = {"engine": "clamd", "result": result}
        return REGISTRY.get_sample_value("mailguard_engine_answers_total", labels) or 0.0

    before = {result: counted(result) for result in ("clean", "malware", "unavailable")}
    for answer in (GOOD["clamd"], b"stream: Eicar FOUND\0", b"nonsense"):
        async with server(answering("clamd", answer)) as port:
            await ask(panel("clamd", port))
    assert {result: counted(result) - n for result, n in before.items()} == {
        "clean": 1,
        "malware": 1,
        "unavailable": 1,
    }
    assert REGISTRY.get_sample_value("mailguard_engine_seconds_count", {"engine": "clamd"})


def test_nothing_is_asked_where_nothing_is_configured() -> None:
    assert panel_of(EnginesSettings(), NoDns(), "mx.example.org", 20.0) is None
