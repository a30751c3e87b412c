"""When the mail server behind us is in trouble: the client keeps the message, nothing is lost."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import pytest
from tests.support.faults import brisk
from tests.support.ports import free_port
from tests.support.postfix import Postfix
from tests.support.serving import Serve, message
from tests.support.waiting import until

TARA, BEN = "tara.olive@example.org", "ben.poplar@example.org"


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def serve(port: int) -> Iterator[Serve]:
    with Serve(port, brisk(seconds=8)) as s:
        yield s


def test_down_is_451_and_up_again_is_250_without_a_restart(serve: Serve, port: int) -> None:
    raw = message()
    code, _ = serve.send("parent@example.com", [TARA], raw)
    assert code == 451
    assert json.loads(_unready(serve))["ready"] is False
    with Postfix.next_hop([TARA], port) as postfix:
        code, text = serve.send("parent@example.com", [TARA], raw)
        assert code == 250, text
        assert len(postfix.wait_for(TARA)) == 1


def test_a_hanging_next_hop_is_451_within_its_time_out(serve: Serve, port: int) -> None:
    with Postfix.next_hop([TARA], port) as postfix:
        assert serve.send("parent@example.com", [TARA], message())[0] == 250
        postfix.pause()
        time.sleep(2.1)  # the remembered yes of RCPT runs out
        code, _ = serve.send("parent@example.com", [TARA], message(subject="hang"))
        assert code == 451
        postfix.resume()
        again = ("parent@example.com", [TARA], message(subject="hang"))
        until(lambda: serve.send(*again)[0] == 250, serve.log)


def test_quarantine_needs_no_next_hop_and_the_copy_follows(serve: Serve, port: int) -> None:
    spam = "XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X"
    with Postfix.next_hop([TARA, "spammail@example.org"], port) as postfix:
        assert serve.send("parent@example.com", [TARA], message())[0] == 250  # TARA is known now
        postfix.kill()
        code, _ = serve.send("stranger@example.com", [TARA], message(body=spam))
        assert code == 550
        postfix.start()
        assert serve.page("/healthz")
        copies = postfix.wait_for("spammail@example.org", 1)
        assert spam.encode() in copies[0]


def _unready(serve: Serve) -> str:
    import urllib.error

    try:
        return serve.page("/readyz")
    except urllib.error.HTTPError as error:
        assert error.code == 503
        return error.read().decode()
