"""Hostile messages over SMTP to a real `serve`: each is answered, and not by our own trouble."""

from __future__ import annotations

import base64
import os
import random
import re
import smtplib
import socket
import subprocess
import time
from collections.abc import Iterator
from itertools import islice

import pytest
from tests.support.hostile import generate
from tests.support.peers import require
from tests.support.ports import free_port
from tests.support.serving import PASSWORD, Serve
from tests.support.waiting import PATIENCE, until

from mailguard.cli.checking import decoded

RECIPIENTS = 452  # the only temporary answer that is justified: too many recipients


@pytest.fixture
def next_hop() -> Iterator[int]:
    """A mail server that takes everything."""
    program = require("smtp-sink", "postfix")
    port = free_port()
    user = ["-u", "nobody"] if os.geteuid() == 0 else []  # it refuses to run as root
    command = [program, *user, f"127.0.0.1:{port}", "100"]
    sink = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    until(lambda: listens(port), what="smtp-sink to listen")
    yield port
    sink.terminate()
    sink.wait(PATIENCE)


def listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 10).close()
    except OSError:
        return False
    return True


def sample(count: int, scale: int) -> list[generate.Named]:
    """Shapes and mutations on mx and submission, chosen the same way every time."""
    shapes = list(generate.shaped(scale))
    mutations = list(islice(generate.mutated(scale, seed=7), 10 * count))
    wanted = [s for s in (*shapes, *mutations) if s[1]["listener"] in ("mx", "submission")]
    return random.Random(5).sample(wanted, count)


def converse(serve: Serve, request: generate.Request) -> int:
    """One session; the code of the reply that ended it."""
    port = serve.ports[request["listener"]]
    with smtplib.SMTP("127.0.0.1", port, timeout=PATIENCE) as client:
        client.ehlo("client.example.net")
        login = request.get("auth_user", "")
        if request["listener"] == "submission" and login in (
            "tolive",
            "saspen",
            "wbirch",
            "crowan",
            "copier-oak",
            "bpoplar",
        ):
            client.login(login, PASSWORD)

        def say(line: bytes) -> int:
            client.send(re.sub(rb"[\r\n]", b" ", line) + b"\r\n")
            return client.getreply()[0]

        code = say(b"MAIL FROM:<" + _path(request["mail_from"]) + b">")
        if code != 250:
            return code
        for recipient in request["rcpt"]:
            code = say(b"RCPT TO:<" + _path(recipient) + b">")
            if code == RECIPIENTS:
                break
            if code != 250:
                return code
        return client.data(base64.b64decode(request["message_b64"]))[0]


def _path(written: str) -> bytes:
    return decoded(written).encode("utf-8", "surrogateescape")


def send_all(serve: Serve, requests: list[generate.Named]) -> None:
    wrong, codes, slowest = [], set(), (0.0, "")
    for name, request in requests:
        began = time.monotonic()
        try:
            code = converse(serve, request)
        except (OSError, smtplib.SMTPException) as error:
            wrong.append(f"{name}: {type(error).__name__}: {error}")
            continue
        codes.add(code)
        slowest = max(slowest, (time.monotonic() - began, name))
        if not (code == 250 or 500 <= code < 600):
            wrong.append(f"{name}: {code}")
    print(f"slowest: {slowest[0]:.2f} s {slowest[1]}; replies: {sorted(codes)}")
    held = re.findall(r"mailguard_event_loop_held_seconds_bucket\S+ \S+", serve.page("/metrics"))
    print("event loop held:", *held, sep="\n  ")
    assert not wrong, "\n".join(wrong[:40])
    assert 250 in codes
    for event in ("internal_error", "not_recorded", "not_durable", "Traceback"):
        lines = [line for line in serve.log().splitlines() if event in line]
        assert not lines, lines[0][:2_000]
    assert serve.process is not None and serve.process.poll() is None


def test_forty_small_ones(next_hop: int) -> None:
    with Serve(next_hop) as serve:
        send_all(serve, sample(40, scale=100))


@pytest.mark.slow
def test_three_hundred(next_hop: int) -> None:
    with Serve(next_hop) as serve:
        send_all(serve, sample(300, scale=1))
