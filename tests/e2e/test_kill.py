"""kill -9 between each two stages of a message, in front of a real Postfix.

The client comes back until it hears 250 or 5xx, as every mail server does. Then every recipient's
copy must be where its state says, and what was kept must be kept once.
"""

from __future__ import annotations

import json
import re
import smtplib
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.postfix import Postfix
from tests.support.serving import Serve, message
from tests.support.waiting import PATIENCE, until

TARA, BEN = "tara.olive@example.org", "ben.poplar@example.org"
ALL_STAFF, SPAMMAIL = "all-staff@example.org", "spammail@example.org"
LAUNCHER = (sys.executable, str(Path(__file__).with_name("crashing.py")))
GTUBE = "XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X"
FIELD = re.compile(rb"(?im)^Message-ID:\s*(<[^>]+>)")
STAGES = ("archive", "gather", "decide", "keep", "relay", "record")


@pytest.fixture(scope="module")
def postfix() -> Iterator[Postfix]:
    with Postfix.next_hop([TARA, BEN, ALL_STAFF, SPAMMAIL]) as server:
        yield server


@pytest.fixture(scope="module")
def serve(postfix: Postfix) -> Iterator[Serve]:
    server = Serve(postfix.port, launcher=LAUNCHER)
    try:
        yield server
    finally:
        server.stop()


def crash_once_then_deliver(serve: Serve, crash: str, send: tuple) -> tuple[int, str]:
    """Send to a serve that dies at the given point, start it again, and come back."""
    serve.start({"CRASH": crash})
    with pytest.raises((OSError, smtplib.SMTPException)):
        serve.send(*send)
    assert serve.process is not None
    assert serve.process.wait(PATIENCE) == -9
    serve.start()
    return serve.send(*send)


def different(postfix: Postfix, mailbox: str) -> set[bytes]:
    """The messages of ours that a mailbox got, by Message-ID. The kill may fall between the next
    hop's 250 and the outbox's record of it: then the same message comes again, and only then."""
    found = [FIELD.search(raw) for raw in postfix.delivered(mailbox)]
    return {match[1] for match in found if match}


@pytest.mark.parametrize("crash", [f"after:{s}" for s in STAGES if s != "keep"])
def test_a_forwarded_message_is_never_lost(serve: Serve, postfix: Postfix, crash: str) -> None:
    raw = message(subject=f"forward {crash}")
    before = len(postfix.delivered(TARA))
    code, text = crash_once_then_deliver(serve, crash, ("parent@example.com", [TARA], raw))
    assert code == 250, text
    # The crash came after the next hop's 250 in the last two: a second copy cannot be excluded,
    # since the client never heard ours. A lost one can.
    copies = 2 if crash in ("after:relay", "after:record") else 1
    postfix.wait_for(TARA, before + copies)
    time.sleep(0.3)
    assert len(postfix.delivered(TARA)) == before + copies
    acknowledged = [e for e in serve.ledger() if e["subject"] == f"forward {crash}"]
    assert acknowledged
    assert all(g["state"] == "forwarded" for e in acknowledged for g in e["recipients"].values())
    interrupted = [
        e for e in serve.everything() if e["subject"] == f"forward {crash}" and not e["reply"]
    ]
    assert len(interrupted) <= 1
    serve.stop()


@pytest.mark.parametrize("crash", [f"after:{s}" for s in STAGES])
def test_a_quarantined_message_is_kept_once_and_copied_once(
    serve: Serve, postfix: Postfix, crash: str
) -> None:
    raw = message(subject=f"spam {crash}", body=GTUBE)
    copies = len(different(postfix, SPAMMAIL))
    code, _ = crash_once_then_deliver(serve, crash, ("stranger@example.com", [TARA], raw))
    assert code == 550
    until(lambda: len(different(postfix, SPAMMAIL)) > copies)
    time.sleep(1.5)
    assert len(different(postfix, SPAMMAIL)) == copies + 1
    held = json.loads(serve.command("quarantine", "list", "--json"))
    kept = [h for h in held if h["subject"] == f"spam {crash}"]
    assert len(kept) == 1
    assert serve.command("quarantine", "raw", str(kept[0]["number"])) == raw
    serve.stop()


@pytest.mark.parametrize("crash", ["after:decide", "before:relay", "after:relay", "after:record"])
def test_mixed_recipients_survive(serve: Serve, postfix: Postfix, crash: str) -> None:
    raw = message(sender=f"Tara Olive <{TARA}>", to=f"{BEN}, {ALL_STAFF}", subject=f"mixed {crash}")
    bens, hers = len(postfix.delivered(BEN)), len(different(postfix, TARA))
    send = (TARA, [BEN, ALL_STAFF], raw, "submission", "tolive")
    code, text = crash_once_then_deliver(serve, crash, send)
    assert code == 250, text
    copies = 2 if crash in ("after:relay", "after:record") else 1
    postfix.wait_for(BEN, bens + copies)
    until(lambda: len(different(postfix, TARA)) > hers)
    time.sleep(1.5)
    # One notice, however often the client came; but when it comes after its 250 was recorded, that
    # is a second message to us, and a notice too many is better than a bounce that nobody hears of.
    assert len(different(postfix, TARA)) - hers in ((1, 2) if crash == "after:record" else (1,))
    assert len(postfix.delivered(BEN)) == bens + copies
    serve.stop()
