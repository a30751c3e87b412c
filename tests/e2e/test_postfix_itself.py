"""The Postfix fixture proven by itself, before mailguard stands in front of it."""

from __future__ import annotations

import smtplib
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.peers import require
from tests.support.postfix import Postfix
from tests.support.waiting import PATIENCE, until

from mailguard.adapters.next_hop.relay import Relay
from mailguard.config.form.forms import Address
from mailguard.config.settings.schema import NextHopSettings
from mailguard.core.mail.transaction import Envelope

pytestmark = pytest.mark.peer

PAT = "pat.doe@example.org"
MESSAGE = (
    b"From: Friend <friend@example.net>\r\nTo: pat.doe@example.org\r\n"
    b"Date: Sat, 21 Nov 2026 12:00:00 +0000\r\nMessage-ID: <1@example.net>\r\n"
    b"Subject: hello\r\n\r\nbody\r\n.dot\r\n..two\r\n \t \r\nGr\xc3\xbc\xc3\x9fe\r\n"
)


@pytest.fixture(scope="module")
def postfix() -> Iterator[Postfix]:
    with Postfix.next_hop([PAT, "sam@example.org", "kim@schools.example.test"]) as instance:
        yield instance


def below_trace(stored: bytes) -> bytes:
    return stored[stored.index(b"From: ") :]


def test_swaks_mail_arrives_octet_by_octet(postfix: Postfix, tmp_path: Path) -> None:
    swaks = require("swaks", "swaks")
    message = tmp_path / "message.eml"
    message.write_bytes(MESSAGE.removesuffix(b"\r\n"))  # swaks ends the last line itself
    sent = subprocess.run(
        [
            *(swaks, "--server", f"{postfix.host}:{postfix.port}", "--helo", "pc.example.net"),
            *("--from", "friend@example.net", "--to", PAT, "--data", f"@{message}"),
        ],
        capture_output=True,
        timeout=PATIENCE,
        check=False,
    )
    assert sent.returncode == 0, sent.stdout
    (stored,) = postfix.wait_for(PAT)
    assert stored.startswith(b"Return-Path: <friend@example.net>\n")
    assert below_trace(stored) == MESSAGE.replace(b"\r\n", b"\n")


def test_unknown_users_are_refused(postfix: Postfix) -> None:
    with smtplib.SMTP(postfix.host, postfix.port) as client:
        client.ehlo()
        client.mail("friend@example.net")
        code, text = client.rcpt("nobody@example.org")
        assert code == 550 and text.startswith(b"5.1.1")
        assert client.rcpt("kim@schools.example.test")[0] == 250


def test_several_run_at_once_and_stops_cleanly(postfix: Postfix) -> None:
    with Postfix.next_hop([PAT]) as other, Postfix.relaying_to(other.host, other.port) as client:
        assert len({postfix.port, other.port, client.port}) == 3
        with smtplib.SMTP(client.host, client.port) as session:
            session.sendmail("friend@example.net", [PAT], MESSAGE)
        (stored,) = other.wait_for(PAT)
        assert below_trace(stored) == MESSAGE.replace(b"\r\n", b"\n")
        assert client.queued() == 0
        assert "status=sent" in client.log()
        root, port = other.root, other.port
    assert not root.exists()
    with pytest.raises(OSError), smtplib.SMTP("127.0.0.1", port):
        pass


def test_client_side_keeps_mail_while_the_next_hop_is_down() -> None:
    with Postfix.next_hop([PAT]) as next_hop:
        port = next_hop.port
        with Postfix.relaying_to("127.0.0.1", port) as client:
            next_hop.kill()
            with smtplib.SMTP(client.host, client.port) as session:
                session.sendmail("friend@example.net", [PAT], MESSAGE)
            until(lambda: "status=deferred" in client.log(), client.log)
            assert client.queued() == 1
            next_hop.start()
            client.flush()
            assert len(next_hop.wait_for(PAT)) == 1


async def test_relay_to_postfix(postfix: Postfix) -> None:
    before = len(postfix.delivered("sam@example.org"))
    settings = NextHopSettings(
        address=Address(host=postfix.host, port=postfix.port), helo="gate.example.org"
    )
    relay = Relay(settings, postmaster="postmaster@example.org")
    origin = Envelope("", (), client_address="192.0.2.9", helo="far.example.net", protocol="ESMTP")
    try:
        assert (await relay.probe()).code == 250
        assert (await relay.verify("sam@example.org")).code == 250
        assert (await relay.verify("nobody@example.org")).text.startswith("5.1.1")
        to = ["sam@example.org", "nobody@example.org"]
        replies = await relay.relay("friend@example.net", to, MESSAGE, "8BITMIME", False, origin)
        assert [replies[r].code for r in to] == [250, 550]
    finally:
        await relay.close()
    stored = postfix.wait_for("sam@example.org", before + 1)[-1]
    assert below_trace(stored) == MESSAGE.replace(b"\r\n", b"\n")
    assert "[192.0.2.9]" in postfix.log()
