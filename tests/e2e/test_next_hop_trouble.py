"""When the mail server behind us is in trouble: the client keeps the message, nothing is lost."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import pytest
from tests.postfix import Postfix, free_port
from tests.serving import Serve, message

TARA, BEN = "tara.olive@example.org", "ben.poplar@example.org"


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def serve(port: int) -> Iterator[Serve]:
    quick = "  tls: opportunistic\n  connect: 2\n  command: 3\n  data: 3\n  verify_positive: 1\n"
    with Serve(
        port, {"  tls: opportunistic # off, opportunistic, required or verified\n": quick}
    ) as s:
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
        time.sleep(1.1)  # the remembered yes of RCPT runs out
        began = time.monotonic()
        code, _ = serve.send("parent@example.com", [TARA], message(subject="hang"))
        assert code == 451
        assert time.monotonic() - began < 20
        postfix.resume()
        for _ in range(20):
            code, _ = serve.send("parent@example.com", [TARA], message(subject="hang"))
            if code == 250:
                break
            time.sleep(0.25)
        assert code == 250


def test_quarantine_needs_no_next_hop_and_the_copy_follows(serve: Serve, port: int) -> None:
    spam = "XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X"
    with Postfix.next_hop([TARA, "spammail@example.org"], port) as postfix:
        assert serve.send("parent@example.com", [TARA], message())[0] == 250  # TARA is known now
        postfix.kill()
        code, _ = serve.send("stranger@example.com", [TARA], message(body=spam))
        assert code == 550
        postfix.start()
        assert serve.page("/healthz")
        copies = postfix.wait_for("spammail@example.org", 1, 45)
        assert spam.encode() in copies[0]


def _unready(serve: Serve) -> str:
    import urllib.error

    try:
        return serve.page("/readyz")
    except urllib.error.HTTPError as error:
        assert error.code == 503
        return error.read().decode()
