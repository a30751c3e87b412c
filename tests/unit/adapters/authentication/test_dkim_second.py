"""dkimpy beside us: where the two agree, where they must not, and what dkimpy is never given."""

from __future__ import annotations

import asyncio
import base64
import os
import random
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping
from types import SimpleNamespace
from typing import Any

import dkim
import pytest
import structlog
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from prometheus_client import REGISTRY
from tests.support.dkim_vectors import (
    BODY,
    ED,
    HEADER,
    NAME,
    NAMES,
    REFUSED,
    RSA,
    USELESS_KEYS,
    WEAK,
    record,
    sign,
)

from mailguard.adapters.authentication.dkim_second import (
    Child,
    DkimSecondOpinion,
    dkimpy_child,
    opinions,
)
from mailguard.adapters.authentication.dkim_second_child import answer, question
from mailguard.adapters.workers.reader_pool import Overrun
from mailguard.core.authentication.dkim import verify_with_keys
from mailguard.core.authentication.dkim_opinions import (
    MAX_SIZE,
    MAX_WHITE,
    Agreement,
    Opinion,
    unfit,
)
from mailguard.core.authentication.dns_answers import Answer, NxDomain, Records
from mailguard.core.decision.facts import Dkim, Unavailable
from mailguard.core.mail import mime
from mailguard.core.mail.transaction import Envelope, Listener, Role, Transaction

DIGEST = "0" * 64  # one that is in every share
KEYS: Mapping[str, Answer] = {NAME: record(RSA)}
GOOD = sign()
ALTERED = GOOD.replace(b"bus", b"car")
PEM = RSA.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
PLAIN = HEADER + b"\r\n" + BODY
SIMPLE = dkim.sign(PLAIN, b"s1", b"example.org", PEM, canonicalize=(b"simple", b"simple")) + PLAIN
vectors = [case[0] for case in REFUSED]
key_vectors = [case[0] for case in USELESS_KEYS]


@pytest.fixture(scope="module")
def dkimpy() -> Iterator[Child]:
    child = dkimpy_child()
    yield child
    child.kill()


def compared(child: Any, raw: bytes, keys: Mapping[str, Answer] = KEYS) -> list[Opinion]:
    results = verify_with_keys(raw, keys, time.time())
    return list(opinions(child.ask, raw, results, keys))


@pytest.mark.parametrize(
    ("raw", "answer", "theirs"),
    [
        (GOOD, record(RSA), "pass"),
        (ALTERED, record(RSA), "fail"),
        (GOOD.replace(b"Field trip", b"Closed"), record(RSA), "fail"),
        (sign(body=b""), record(RSA), "pass"),
        (sign(body=b" \t\r\n x\t y \r\n"), record(RSA), "pass"),
        (sign(tags=b"d=Example.ORG; s=S1; i=Jane@mail.example.org"), record(RSA), "pass"),
        (sign(HEADER + b"Subject: B\r\n", names=NAMES + b":subject"), record(RSA), "pass"),
        (sign(names=NAMES + b":reply-to"), record(RSA), "pass"),
        (b"Reply-To: x@example.test\r\n" + sign(names=NAMES + b":reply-to"), record(RSA), "fail"),
        (sign(key=WEAK), record(WEAK), "pass"),
        (GOOD, record(WEAK), "fail"),
        (GOOD, record(RSA, b"s=other; "), "fail"),
        (GOOD, record(RSA, b"s=tlsrpt; "), "fail"),
        (GOOD, record(RSA, b"h=sha1:sha256; s=email; t=y:s; n=a note; x=?; "), "pass"),
        (b"From: ceo@victim.test\r\n" + GOOD, record(RSA), "fail"),
    ],
)
def test_the_two_agree(raw: bytes, answer: Answer, theirs: str, dkimpy: Child) -> None:
    (found,) = compared(dkimpy, raw, {NAME: answer})
    assert (found.theirs, found.verdict) == (theirs, Agreement.AGREED)
    assert (found.ours.result == "pass") == (theirs == "pass")


def test_no_known_vector_is_a_disagreement(dkimpy: Child) -> None:
    found = [one for raw in vectors for one in compared(dkimpy, raw)]
    found += [one for key in key_vectors for one in compared(dkimpy, GOOD, {NAME: key})]
    assert [one for one in found if one.verdict is Agreement.DISAGREED] == []
    assert len(found) > 20
    assert {one.verdict for one in found} >= {Agreement.AGREED, Agreement.BY_DESIGN}


@pytest.mark.parametrize(
    ("raw", "answer", "why"),
    [
        (sign(tags=b"d=example.org; s=s1; l=19", canonical_body=b"Dear all,\r\n\r\nthe bu"),
         record(RSA), "(l=)"),
        (b"Subject: Pay now\r\n" + GOOD, record(RSA), "subject stands 2 times"),
        (GOOD.replace(b"\r\n", b"\n"), record(RSA), "stands on its own"),
        (sign(names=b"to:subject"), record(RSA), "From is not signed"),
        (sign(tags=b"d=example.org; s=s1; i=@x.example.org"), record(RSA, b"t=s; "), "i= must"),
        (GOOD, record(RSA, b"h=sha1; "), "not for sha256"),
        (sign(tags=b"d=example.org; s=s1; x=%d" % (time.time() - 9_000)), record(RSA), "expired"),
        (sign(tags=b"d=example.org; s=s1; t=%d" % (time.time() + 60_000)), record(RSA), "clocks"),
    ],
)  # fmt: skip
def test_what_must_differ_is_named(raw: bytes, answer: Answer, why: str, dkimpy: Child) -> None:
    (found,) = compared(dkimpy, raw, {NAME: answer})
    assert found.verdict is Agreement.BY_DESIGN, found
    assert why in found.why
    assert (found.ours.result == "pass") != (found.theirs == "pass")


@pytest.mark.parametrize(
    ("raw", "answer"),
    [
        (GOOD, NxDomain()),
        (GOOD, Unavailable("DNS time-out")),
        (GOOD, Records((record(RSA).values[0], b"v=spf1 -all"))),
        (sign(key=ED, algorithm=b"ed25519-sha256"), record(ED)),
        (HEADER + b"\r\n" + BODY, record(RSA)),
    ],
)
def test_what_dkimpy_cannot_know_is_not_asked(raw: bytes, answer: Answer) -> None:
    def never(question: bytes, seconds: float) -> object:
        raise AssertionError("asked")

    keys = {NAME: answer}
    results = verify_with_keys(raw, keys, time.time())
    assert opinions(never, raw, results, keys) == ()


def test_each_signature_has_its_own_opinion(dkimpy: Child) -> None:
    field = GOOD[: GOOD.index(b"From:")]
    other = field.replace(b"s=s1", b"s=s2")
    raw = other + field.replace(b"b=", b"b=AAAA", 1) + other + GOOD
    found = compared(dkimpy, raw)
    assert [one.number for one in found] == [1, 3]  # there is no key for the others
    assert [one.theirs for one in found] == ["fail", "pass"]


def test_a_signature_of_another_length_or_above_the_modulus_is_none(dkimpy: Child) -> None:
    """dkimpy by itself takes both; anybody could make us report a disagreement."""
    start = GOOD.index(b" b=") + 3
    end = GOOD.index(b"From:")
    octets = base64.b64decode(b"".join(GOOD[start:end].split()))
    modulus = RSA.public_key().public_numbers().n
    above = (int.from_bytes(octets) + modulus).to_bytes(len(octets) + 1)
    for other in (b"\0\0\0" + octets, above):
        (found,) = compared(dkimpy, GOOD[:start] + base64.b64encode(other) + b"\r\n" + GOOD[end:])
        assert (found.ours.result, found.theirs) == ("fail", "fail")


@pytest.mark.parametrize(
    "raw",
    [
        b" folded first\r\n" + GOOD,  # IndexError
        b"no field\r\n" + GOOD,  # MessageFormatError
        b"",
        b"\r\n",
        GOOD.replace(b"h=from", b"h=\xff:from"),
        GOOD.replace(b"b=", b"b=\xff"),
        GOOD.replace(b"d=example.org", b"d="),  # IndexError in i=
    ],
)
def test_what_dkimpy_raises_hurts_nobody(raw: bytes, dkimpy: Child) -> None:
    process = dkimpy.ensure()
    said = dkimpy.ask(question(raw, {NAME: record(RSA).values[0]}, [0]), 20)
    assert said in (["fail"], ["unread"])
    assert dkimpy.ensure() is process
    assert compared(dkimpy, GOOD)[0].theirs == "pass"


@pytest.mark.parametrize("key", [b"", b"p=", b"v=DKIM1; p=AAAA", b"v=DKIM1; k=rsa; p=MAA=", b";;"])
def test_a_record_that_is_none_hurts_nobody(key: bytes, dkimpy: Child) -> None:
    for asked in ([0], []):
        assert dkimpy.ask(question(GOOD, {NAME: key}, asked), 20) in (["fail"], ["unread"])


_ODD = (
    b" ",
    b"\t",
    b"\r\n ",
    b"\r\n",
    b"\n",
    b";",
    b"=",
    b":",
    b"\0",
    b"\xff",
    b"a",
    b" : ",
    b"\v",
)
_ODD += (b"From: x@example.net\r\n", b"Subject: z\r\n", b"\r\n\r\n", b"l=1;")


def test_two_thousand_alterations_are_no_disagreement() -> None:
    """What a stranger can bring about would be an alert in the night."""
    dice, found = random.Random(1), Counter[Agreement]()
    child = SimpleNamespace(ask=lambda asked, _: answer(dkim, asked))
    for _ in range(2_000):
        raw = bytearray(dice.choice((GOOD, sign(HEADER + b"X-A:  a\t b\r\n c\r\n"), SIMPLE)))
        at = dice.randrange(len(raw))
        raw[at : at + dice.choice((0, 0, 0, 1, 2))] = dice.choice(_ODD)
        if not unfit(raw := bytes(raw)):
            found.update(one.verdict for one in compared(child, raw))
    assert found[Agreement.DISAGREED] == 0
    assert found[Agreement.AGREED] > 500


# -- what may not reach it -----------------------------------------------------------------------


def test_the_worst_that_is_let_through_is_answered(dkimpy: Child) -> None:
    """As many of the longest runs as there is room for, in the body and in the header."""
    run = b" " * MAX_WHITE + b"x"
    for raw in (
        sign(body=b"Dear all," + run * 350),
        sign(HEADER + b"X-A:" + run * 350 + b"\r\n", names=NAMES + b":x-a"),
        sign(tags=b"d=example.org; s=s1; z=" + run * 350),
    ):
        assert unfit(raw) == ""
        assert compared(dkimpy, raw)[0].verdict is Agreement.AGREED


# -- beside a server -----------------------------------------------------------------------------


class Table:
    """Knows one key."""

    def known(self, name: str, record_type: str) -> Answer | None:
        return KEYS.get(name)

    async def look_up(self, name: str, record_type: str) -> Answer:
        return KEYS.get(name, NxDomain())


def transaction(raw: bytes) -> Transaction:
    envelope = Envelope("jane@example.org", ("list@example.net",), "192.0.2.1", helo="mx.test")
    return Transaction("01TEST", 0.0, Listener("mx", Role.MX), envelope, mime.parse(raw))


def counted() -> dict[str, float]:
    found = {}
    for metric in REGISTRY.collect():
        if metric.name == "mailguard_dkim_second_opinions":
            for sample in metric.samples:
                if sample.name.endswith("_total"):
                    found[sample.labels["result"]] = sample.value
    return found


async def watched(
    raw: bytes,
    results: tuple[Dkim, ...] | Unavailable,
    ask: Any = None,
    during: Callable[[DkimSecondOpinion], Awaitable[None]] | None = None,
) -> tuple[dict[str, float], list[Any]]:
    """What is counted and logged of one message."""
    before = counted()
    second = DkimSecondOpinion(Table(), 1.0, 5.0, ask)
    with structlog.testing.capture_logs() as logs:
        second.consider(transaction(raw), DIGEST, results)
        if during is not None:
            await during(second)
        await second.settle()
        await second.close()
    after = counted()
    return {k: v - before.get(k, 0) for k, v in after.items() if v != before.get(k, 0)}, logs


@pytest.mark.parametrize(
    ("raw", "result", "counts"),
    [
        (GOOD, "pass", {"agreed": 1}),
        (ALTERED, "fail", {"agreed": 1}),
        (ALTERED, "pass", {"disagreed": 1}),
        (GOOD, "fail", {"disagreed": 1}),
        (GOOD, "policy", {"by_design": 1}),
        (GOOD, "temperror", {}),
        (GOOD + b" " * 1_000, "pass", {"white_space": 1}),
        (GOOD + b"x" * MAX_SIZE, "pass", {"too_large": 1}),
        (b" folded\r\n" + GOOD, "pass", {"unread": 1}),
        (GOOD.replace(b"From:", b"From :"), "pass", {"unread": 1}),
    ],
)
async def test_what_is_counted(raw: bytes, result: str, counts: dict[str, float]) -> None:
    """The verdict that dkimpy is compared with is the one in force, wherever it came from."""
    ours = Dkim(result, "example.org", "s1", algorithm="rsa-sha256")
    found, logs = await watched(raw, (ours,))
    assert found == counts
    assert len(logs) == ("disagreed" in counts)
    for line in logs:
        assert (line["event"], line["id"], line["signature"]) == (
            "dkim_opinions_differ",
            "01TEST",
            1,
        )
        assert {line["ours"], line["dkimpy"]} == {"pass", "fail"}
        assert set(line) == {"event", "log_level", "id", "signature", "ours", "dkimpy"}


async def test_without_a_key_or_a_signature_there_is_nothing_to_compare() -> None:
    other = Dkim("permerror", "example.net", "s1", algorithm="rsa-sha256")
    assert (await watched(GOOD, (other,)))[0] == {"no_key": 1}
    assert (await watched(GOOD, ()))[0] == {}
    assert (await watched(GOOD, Unavailable("not looked up")))[0] == {}


async def test_one_at_a_time_and_what_comes_meanwhile_is_let_go() -> None:
    release, asked = threading.Event(), list[bytes]()

    def slow(question: bytes, seconds: float) -> object:
        asked.append(question)
        assert release.wait(60)
        return ["pass"]

    async def more(second: DkimSecondOpinion) -> None:
        for _ in range(50):
            second.consider(transaction(GOOD), DIGEST, ours)
            await asyncio.sleep(0)
        release.set()
        await second.settle()
        await asyncio.sleep(0)
        second.consider(transaction(GOOD), DIGEST, ours)

    ours = (Dkim("pass", "example.org", "s1", algorithm="rsa-sha256"),)
    found, _ = await watched(GOOD, ours, slow, more)
    assert found == {"busy": 50, "agreed": 2}
    assert len(asked) == 2


async def test_eighty_kilobytes_of_spaces_are_killed_and_hold_nobody() -> None:
    """What the guard keeps away, given to dkimpy all the same: it is quadratic there, and a thread
    with it would hold the loop."""
    child = dkimpy_child()
    body = b"x" + b" " * 80_000 + b"x\r\n"
    hostile = question(sign(body=body), {NAME: record(RSA).values[0]}, [0])
    turns, starts = 0, list[int]()

    def ask(_: bytes, __: float) -> object:
        child.ensure()
        starts.append(turns)
        return child.ask(hostile, 1.0)

    async def turn(second: DkimSecondOpinion) -> None:
        nonlocal turns
        while second._task is not None:
            turns += 1
            await asyncio.sleep(0)

    ours = (Dkim("pass", "example.org", "s1", algorithm="rsa-sha256"),)
    found, _ = await watched(GOOD, ours, ask, turn)
    assert found == {"killed": 1}
    assert turns - starts[0] > 200  # in the second that dkimpy was given
    assert child._child is None


async def test_trouble_of_ours_is_counted_and_ends_nothing() -> None:
    def broken(question: bytes, seconds: float) -> object:
        raise RuntimeError("a defect")

    ours = (Dkim("pass", "example.org", "s1", algorithm="rsa-sha256"),)
    found, logs = await watched(GOOD, ours, broken)
    assert (found, logs[0]["event"]) == ({"failed": 1}, "dkim_second_opinion_failed")
    found, _ = await watched(GOOD, ours, lambda question, seconds: ["pass", "more"])
    assert found == {"killed": 1}


async def test_closing_does_not_wait_for_dkimpy() -> None:
    """A server that stops in the middle of an opinion."""
    second = DkimSecondOpinion(Table(), 1.0, 5.0)
    pid = await asyncio.to_thread(lambda: second._child.ensure() and second._child._child.pid)  # type: ignore[union-attr]
    ours = (Dkim("pass", "example.org", "s1", algorithm="rsa-sha256"),)
    second.consider(transaction(GOOD), DIGEST, ours)
    await asyncio.sleep(0)
    await second.close()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)  # type: ignore[arg-type]


def test_dkimpy_is_loaded_in_the_child_alone() -> None:
    code = (
        "import mailguard.server.app, mailguard.cli.dkim_opinions, sys; "
        "sys.exit('dkim' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0


def test_a_child_that_ends_is_an_overrun_and_comes_back(dkimpy: Child) -> None:
    dkimpy.ensure()
    assert dkimpy._child is not None
    dkimpy._child.kill()
    dkimpy._child.join()
    assert compared(dkimpy, GOOD)[0].theirs == "pass"
    with pytest.raises(Overrun):
        dkimpy.ask(b"no question", 20)
    assert compared(dkimpy, GOOD)[0].theirs == "pass"
