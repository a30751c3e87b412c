"""Mail for a leaver in a running `serve`, with a real Postfix behind it that knows the leaver's
mailbox no more: the manager gets it, the Technology Services Director is told once a day (R6)."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import pytest
from tests.support.postfix import Postfix
from tests.support.serving import Serve, message
from tests.support.waiting import until

GINA, HAL = "gina.catalpa@example.org", "hal.tupelo@example.org"  # gone, from the next hop too
MARCUS, QUINN = "marcus.spruce@example.org", "quinn.buckeye@example.org"
DIRECTOR = "tomas.birch@example.org"
QUICK = "  tls: opportunistic\n  connect: 2\n  command: 3\n  data: 3\n  verify_positive: 1\n"


@pytest.fixture(scope="module")
def next_hop() -> Iterator[Postfix]:
    with Postfix.next_hop([MARCUS, QUINN, DIRECTOR]) as postfix:
        yield postfix


@pytest.fixture(scope="module")
def serve(next_hop: Postfix) -> Iterator[Serve]:
    settings = {"  tls: opportunistic # off, opportunistic, required or verified\n": QUICK}
    server = Serve(next_hop.port, settings)
    people = server.config / "directory" / "people.csv"
    text = people.read_text()
    for day in ("2026-10-30", "2026-10-16"):  # whatever the day on which this runs
        assert day in text
        text = text.replace(day, "2026-01-30")
    people.write_text(text)
    with server:
        yield server


def states(serve: Serve, text: str) -> dict[str, str]:
    recorded = next(one for one in serve.ledger() if one["id"] in text)
    return {recipient: one["state"] for recipient, one in recorded["recipients"].items()}


def test_the_manager_gets_it_and_the_director_hears_of_it_once(
    serve: Serve, next_hop: Postfix
) -> None:
    for n, recipients in enumerate(([GINA], [GINA, QUINN]), 1):
        raw = message("rosa@home.test", ", ".join(recipients), subject=f"Homework {n}")
        code, text = serve.send("rosa@home.test", recipients, raw)
        assert code == 250, text
        assert states(serve, text) == dict.fromkeys(recipients, "forwarded")
    first, second = next_hop.wait_for(MARCUS, 2)
    assert b"X-Mailguard-Routed: leaver; for=gina.catalpa@example.org\n" in first
    assert b"Subject: Homework 1\n" in first
    assert b"Subject: Homework 2\n" in second
    (other,) = next_hop.wait_for(QUINN)
    assert b"X-Mailguard-Routed" not in other
    (told,) = next_hop.wait_for(DIRECTOR)
    assert b"Subject: Mail for Gina Catalpa goes to Marcus Spruce\n" in told
    assert b"Homework" not in told

    raw = message("rosa@home.test", HAL, subject="Homework 3")  # another leaver, through Gina
    assert serve.send("rosa@home.test", [HAL], raw)[0] == 250
    assert b"for=hal.tupelo@example.org\n" in next_hop.wait_for(MARCUS, 3)[-1]
    assert b"Mail for Hal Tupelo" in next_hop.wait_for(DIRECTOR, 2)[-1]
    assert len(next_hop.delivered(DIRECTOR)) == 2


def test_explain_shows_the_way(serve: Serve) -> None:
    raw = message("rosa@home.test", GINA, subject="Why")
    code, text = serve.send("rosa@home.test", [GINA], raw)
    assert code == 250
    number = text.split()[-1]
    explained = json.loads(serve.command("explain", number, "--json"))
    redirects = [edit for edit in explained["edits"] if edit["kind"] == "redirect"]
    assert redirects == [{"kind": "redirect", "to": MARCUS, "recipients": [GINA]}]


def test_with_the_next_hop_down_the_client_keeps_it(serve: Serve, next_hop: Postfix) -> None:
    before = len(next_hop.delivered(MARCUS))
    time.sleep(1.1)  # the remembered yes of RCPT runs out
    next_hop.kill()
    try:
        raw = message("rosa@home.test", GINA, subject="Later")
        assert serve.send("rosa@home.test", [GINA], raw)[0] == 451
    finally:
        next_hop.start()
    assert serve.send("rosa@home.test", [GINA], raw)[0] == 250
    assert len(next_hop.wait_for(MARCUS, before + 1)) == before + 1


def test_a_held_copy_is_routed_when_it_is_released(serve: Serve, next_hop: Postfix) -> None:
    spam = "XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X"
    before = len(next_hop.delivered(MARCUS))
    serve.send("rosa@home.test", [GINA], message("rosa@home.test", GINA, "Kept", body=spam))
    (held,) = json.loads(serve.command("quarantine", "list", "--recipient", GINA, "--json"))
    serve.command("quarantine", "release", str(held["number"]))
    released = next_hop.wait_for(MARCUS, before + 1)[-1]
    assert b"Subject: Kept\n" in released
    assert b"for=gina.catalpa@example.org\n" in released
    until(lambda: serve.everything()[-1]["recipients"][GINA]["state"] == "released", serve.log)
