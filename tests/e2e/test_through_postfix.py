"""The whole house in front of a real Postfix, with real clients."""

from __future__ import annotations

import json
import re
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest
from tests.support.peers import require
from tests.support.postfix import Postfix
from tests.support.serving import PASSWORD, Serve, message
from tests.support.waiting import PATIENCE

from mailguard.core.notices import policy_texts

TARA, BEN, CLARA = "tara.olive@example.org", "ben.poplar@example.org", "clara.rowan@example.org"
SPAMMAIL, ALL_STAFF = "spammail@example.org", "all-staff@example.org"
MAILBOXES = (
    *(TARA, BEN, CLARA, SPAMMAIL, ALL_STAFF, "postmaster@example.org", "parent@example.com"),
    *("teachers-oak@example.org", "sylvia.aspen@example.org", "booster-club@example.org"),
)
GTUBE = "XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X"


@pytest.fixture(scope="module")
def postfix() -> Iterator[Postfix]:
    with Postfix.next_hop(MAILBOXES) as server:
        yield server


@pytest.fixture(scope="module")
def serve(postfix: Postfix) -> Iterator[Serve]:
    with Serve(postfix.port) as server:
        yield server


def below_trace(stored: bytes, first_field: bytes = b"From: ") -> bytes:
    """A delivered message from its own first field on, with its line ends put back."""
    octets = stored.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    return octets[octets.index(b"\r\n" + first_field) + 2 :]


def fresh(postfix: Postfix, mailbox: str, before: int) -> bytes:
    return postfix.wait_for(mailbox, before + 1)[-1]


def states(serve: Serve, reply: str) -> dict[str, str]:
    id = re.search(r"[0-9A-Z]{26}", reply)
    assert id, reply
    entry = next(e for e in serve.everything() if e["id"] == id[0])
    return {recipient: given["state"] for recipient, given in entry["recipients"].items()}


def test_an_ordinary_message_arrives_to_the_octet(serve: Serve, postfix: Postfix) -> None:
    raw = message(subject="Grüße", body="Line one\n.\n..dots\n" + "x" * 900 + "\ntrailing  ")
    before = len(postfix.delivered(TARA))
    code, text = serve.send("parent@example.com", [TARA], raw)
    assert code == 250, text
    arrived = fresh(postfix, TARA, before)
    assert below_trace(arrived) == raw
    assert b"with ESMTP id " + text.split()[-1].encode() in arrived
    assert states(serve, text) == {TARA: "forwarded"}


def test_swaks_is_told_the_transaction_id(serve: Serve, postfix: Postfix) -> None:
    swaks = require("swaks", "swaks")
    done = subprocess.run(
        [
            swaks,
            "--server",
            f"127.0.0.1:{serve.ports['mx']}",
            "--from",
            "parent@example.com",
            "--to",
            BEN,
            "--header",
            "Subject: from swaks",
            "--body",
            "Good morning.",
        ],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert done.returncode == 0, done.stdout
    assert re.search(r"<- +250 2\.0\.0 Ok: [0-9A-Z]{26}", done.stdout), done.stdout


def test_smtp_source_load_is_all_delivered(serve: Serve, postfix: Postfix) -> None:
    source = require("smtp-source", "postfix")
    before = len(postfix.delivered(CLARA))
    subprocess.run(
        [
            source,
            "-s",
            "5",
            "-m",
            "40",
            "-l",
            "3000",
            "-f",
            "parent@example.com",
            "-t",
            CLARA,
            f"127.0.0.1:{serve.ports['mx']}",
        ],
        check=True,
        timeout=PATIENCE,
    )
    postfix.wait_for(CLARA, before + 40)


def test_links_are_rewritten_and_the_page_shows_the_address(serve: Serve, postfix: Postfix) -> None:
    target = "http://shop.example.net/path?a=1&b=%20x"
    raw = message(body=f"Look at {target} please.")
    before = len(postfix.delivered(TARA))
    assert serve.send("parent@example.com", [TARA], raw)[0] == 250
    arrived = fresh(postfix, TARA, before).decode()
    assert target not in arrived
    link = re.search(r"http://127\.0\.0\.1:8025(/l/\S+)|http://127\.0\.0\.1:\d+(/l/\S+)", arrived)
    assert link, arrived
    path = link[1] or link[2]
    page = serve.page(path)
    assert "shop.example.net" in page
    assert f'href="{target}' not in page
    assert serve.command("link", "decode", path).decode().rstrip("\n") == target
    with pytest.raises(urllib.error.HTTPError):
        serve.page(path[:-2] + ("A" if path[-2] != "A" else "B") + path[-1])


def test_spam_is_refused_with_v1_kept_and_copied(serve: Serve, postfix: Postfix) -> None:
    raw = message(subject="An offer", body=f"Buy now\n{GTUBE}\nthanks")
    before = len(postfix.delivered(SPAMMAIL))
    code, text = serve.send("stranger@example.com", [TARA, BEN], raw)
    assert code == 550
    v1 = policy_texts.V1_BLOCK_NOTICE.format(short_name="EVUSD", spammail=SPAMMAIL)
    assert v1 in text
    assert states(serve, text) == {TARA: "quarantined", BEN: "quarantined"}
    copy = fresh(postfix, SPAMMAIL, before).replace(b"\r\n", b"\n")
    assert raw.replace(b"\r\n", b"\n") in copy
    number = json.loads(serve.command("quarantine", "list", "--json"))[-1]["number"]
    assert serve.command("quarantine", "raw", str(number)) == raw


def test_a_retry_makes_no_second_hold_and_no_second_copy(serve: Serve, postfix: Postfix) -> None:
    raw = message(subject="Again", body=GTUBE)
    before = len(json.loads(serve.command("quarantine", "list", "--json")))
    copies = len(postfix.delivered(SPAMMAIL))
    for _ in range(3):
        assert serve.send("stranger@example.com", [TARA], raw)[0] == 550
    postfix.wait_for(SPAMMAIL, copies + 1)
    time.sleep(1.5)
    assert len(json.loads(serve.command("quarantine", "list", "--json"))) == before + 1
    assert len(postfix.delivered(SPAMMAIL)) == copies + 1


def test_a_release_delivers_the_original_once(serve: Serve, postfix: Postfix) -> None:
    raw = message(subject="Wanted after all", body=GTUBE)
    before = len(postfix.delivered(BEN))
    code, text = serve.send("stranger@example.com", [BEN], raw)
    assert code == 550
    held = json.loads(serve.command("quarantine", "list", "--recipient", BEN, "--json"))[-1]
    serve.command("quarantine", "release", str(held["number"]))
    assert below_trace(fresh(postfix, BEN, before)) == raw
    assert serve.command("quarantine", "release", str(held["number"]), check=False) == b""
    time.sleep(1.5)
    assert len(postfix.delivered(BEN)) == before + 1
    assert states(serve, text) == {BEN: "released"} or states(serve, text) == {BEN: "forwarded"}


def test_a_teacher_may_not_write_to_all_staff(serve: Serve, postfix: Postfix) -> None:
    raw = message(sender=f"Tara Olive <{TARA}>", to=ALL_STAFF, subject="Bake sale")
    code, text = serve.send(TARA, [ALL_STAFF], raw, "submission", "tolive")
    assert code == 550
    assert "EVUSD Mail Policy System" in text
    assert re.search(r"R15", text)
    assert "Thank you for your cooperation." in text
    assert states(serve, text) == {ALL_STAFF: "refused"}


def test_the_superintendent_may(serve: Serve, postfix: Postfix) -> None:
    raw = message(sender="Sylvia Aspen <sylvia.aspen@example.org>", to=ALL_STAFF)
    before = len(postfix.delivered(ALL_STAFF))
    code, text = serve.send("sylvia.aspen@example.org", [ALL_STAFF], raw, "submission", "saspen")
    assert code == 250, text
    fresh(postfix, ALL_STAFF, before)


def test_mixed_recipients_get_each_their_own(serve: Serve, postfix: Postfix) -> None:
    raw = message(sender=f"Tara Olive <{TARA}>", to=f"{BEN}, {ALL_STAFF}", subject="Mixed")
    bens, hers = len(postfix.delivered(BEN)), len(postfix.delivered(TARA))
    code, text = serve.send(TARA, [BEN, ALL_STAFF], raw, "submission", "tolive")
    assert code == 250, text
    assert below_trace(fresh(postfix, BEN, bens)) == raw
    notice = fresh(postfix, TARA, hers).decode()
    assert "Auto-Submitted: auto-replied" in notice
    assert "all-staff@example.org" in notice
    assert states(serve, text) == {BEN: "forwarded", ALL_STAFF: "refused"}


def test_an_account_may_not_send_as_somebody_else(serve: Serve) -> None:
    raw = message(sender=f"Ben Poplar <{BEN}>", to=CLARA)
    code, text = serve.send(BEN, [CLARA], raw, "submission", "tolive")
    assert code == 550
    assert "R1" in text


def test_outside_mail_under_a_staff_name_is_quarantined(serve: Serve) -> None:
    raw = message(sender="Sylvia Aspen <s.aspen.2026@example.com>", to=TARA)
    code, text = serve.send("s.aspen.2026@example.com", [TARA], raw)
    assert code == 550
    assert states(serve, text) == {TARA: "quarantined"}


def test_outbound_mail_carries_v3_once(serve: Serve, postfix: Postfix) -> None:
    raw = message(sender=f"Tara Olive <{TARA}>", to="parent@example.com", body="See you on Monday.")
    before = len(postfix.delivered("parent@example.com"))
    code, text = serve.send(TARA, ["parent@example.com"], raw, "submission", "tolive")
    assert code == 250, text
    arrived = fresh(postfix, "parent@example.com", before).decode()
    words = " ".join(arrived.split())
    assert words.count("CONFIDENTIALITY NOTICE: If you have received this e-mail in error") == 1
    assert words.index("See you on Monday.") < words.index("CONFIDENTIALITY NOTICE")


def test_an_unknown_recipient_is_refused_while_the_client_is_there(serve: Serve) -> None:
    code, text = serve.send("parent@example.com", ["nobody.here@example.org"], message())
    assert code == 550
    assert "5.1.1" in text


def test_strangers_cannot_relay_through_us(serve: Serve) -> None:
    code, text = serve.send("parent@example.com", ["parent@example.net"], message())
    assert code == 550
    assert "5.7.1" in text


def test_wrong_password_and_missing_login(serve: Serve) -> None:
    code, _ = serve.send(TARA, [BEN], message(sender=TARA), "submission")
    assert code == 530
    swaks = require("swaks", "swaks")
    done = subprocess.run(
        [
            swaks,
            "--server",
            f"127.0.0.1:{serve.ports['submission']}",
            "--from",
            TARA,
            "--to",
            BEN,
            "--auth",
            "PLAIN",
            "--auth-user",
            "tolive",
            "--auth-password",
            PASSWORD + "x",
        ],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert "535 5.7.8" in done.stdout


def test_health_metrics_and_explain(serve: Serve) -> None:
    assert serve.page("/healthz") == "ok\n"
    assert json.loads(serve.page("/readyz"))["ready"] is True
    code, text = serve.send("parent@example.com", [TARA], message(subject="explain me"))
    assert code == 250
    assert serve.metric("mailguard_messages_total", listener="mx", reply="2xx") >= 1
    told = json.loads(serve.command("explain", text.split()[-1], "--json"))
    assert told["reproduced"] is True
    assert told["recipients"][TARA]["disposition"] == "forward"
    raw = serve.command("archive", "get", text.split()[-1])
    assert raw == message(subject="explain me")


def test_a_postfix_in_front_relays_through_us(serve: Serve, postfix: Postfix) -> None:
    before = len(postfix.delivered(BEN))
    with Postfix.relaying_to("127.0.0.1", serve.ports["mx"]) as outside:
        swaks = require("swaks", "swaks")
        subprocess.run(
            [
                swaks,
                "--server",
                f"127.0.0.1:{outside.port}",
                "--from",
                "parent@example.com",
                "--to",
                BEN,
                "--header",
                "Subject: two hops",
                "--body",
                "Hello from afar.",
            ],
            check=True,
            capture_output=True,
            timeout=PATIENCE,
        )
        fresh(postfix, BEN, before)
