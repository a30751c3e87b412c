"""The Postfix fragments, in a real Postfix: valid, and fit for mailguard in front of it."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import smtplib
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import Envelope
from tests.support.peers import require
from tests.support.ports import free_port
from tests.support.waiting import PATIENCE, until

from mailguard.config.settings.schema import NextHopSettings, SessionLimits

DEPLOY = Path(__file__).parents[2] / "deploy"


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        env={**os.environ, "LC_ALL": "C.UTF-8"},
    )


def parameters() -> dict[str, str]:
    """main.cf's settings; it has no continued lines."""
    lines = (DEPLOY / "postfix" / "main.cf").read_text().splitlines()
    pairs = (line.split("=", 1) for line in lines if line and line[0] not in "# ")
    return {name.strip(): value.strip() for name, value in pairs}


def services(text: str) -> dict[tuple[str, str], str]:
    """master.cf's entries by (name, type), continued lines included."""
    entries: dict[tuple[str, str], str] = {}
    key = ("", "")
    for line in text.splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        if line[0].isspace():
            entries[key] += f"\n{line}"
        else:
            name, kind, *_ = line.split()
            key = (name, kind)
            entries[key] = line
    return entries


class Installed:
    """A copy of /etc/postfix as an administrator would have it after following the fragments."""

    def __init__(self, root: Path) -> None:
        self.port = free_port()
        self.mailguard_port = free_port()  # its relay listener
        self.configuration = root / "etc"
        self.queue = root / "spool"
        self.log = root / "maillog"
        for directory in (self.configuration, self.queue, root / "data"):
            directory.mkdir()
        (self.configuration / "people").write_text("amy@example.org amy\n")
        shutil.copy("/etc/postfix/postfix-files", self.configuration)
        overridden = {
            **parameters(),
            "queue_directory": str(self.queue),
            "data_directory": str(root / "data"),
            "maillog_file": str(self.log),
            "maillog_file_prefixes": str(root),
            "inet_interfaces": "127.0.0.1",  # containers without IPv6
            "mynetworks": "127.0.0.0/8",
            "inet_protocols": "ipv4",
            "local_recipient_maps": f"texthash:{self.configuration}/people",
            "alias_maps": "",
            "alias_database": "",
            "local_transport": "discard:",
            "default_transport": "discard:",
            "smtpd_peername_lookup": "no",
        }
        (self.configuration / "main.cf").write_text(
            "".join(f"{name} = {value}\n" for name, value in overridden.items())
        )
        stock = services(Path("/usr/share/postfix/master.cf.dist").read_text())
        for name in ("smtp", "submission", "submissions", "smtps"):
            stock.pop((name, "inet"), None)
        ours = services((DEPLOY / "postfix" / "master.cf").read_text())
        entries = "\n".join({**stock, **ours}.values())
        entries = entries.replace("127.0.0.1:2600", f"127.0.0.1:{self.port}")
        entries = entries.replace("]:2526", f"]:{self.mailguard_port}")
        # Not in a chroot: this queue directory has no /etc of its own.
        entries = re.sub(r"^(\S+\s+\S+\s+\S+\s+\S+\s+)y ", r"\1n ", entries, flags=re.M)
        (self.configuration / "master.cf").write_text(entries + "\n")


@pytest.fixture(scope="module")
def installed() -> Iterator[Installed]:
    require("postfix", "postfix")
    if os.geteuid() != 0:
        pytest.skip("a Postfix of one's own needs root; run with: sudo make test")
    root = Path(tempfile.mkdtemp(prefix="deploy-postfix-"))  # postfix must be able to look in
    root.chmod(0o755)
    copy = Installed(root)
    shutil.chown(root / "data", "postfix")
    yield copy
    shutil.rmtree(root)


@pytest.fixture(scope="module")
def running(installed: Installed) -> Iterator[Installed]:
    program = require("postfix", "postfix")
    server = subprocess.Popen(
        [program, "-c", str(installed.configuration), "start-fg"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )

    def log() -> str:
        return installed.log.read_text() if installed.log.exists() else ""

    def listens() -> bool:
        assert server.poll() is None, log()
        try:
            socket.create_connection(("127.0.0.1", installed.port), 10).close()
        except OSError:
            return False
        return True

    until(listens, log, "Postfix to listen")
    yield installed
    run(program, "-c", str(installed.configuration), "stop")
    server.wait(PATIENCE)


@pytest.mark.peer
def test_postfix_knows_every_parameter(installed: Installed) -> None:
    postconf = require("postconf", "postfix")
    for arguments in (("-n",), ("-M",), ("-P",), ("-Mf",)):
        answer = run(postconf, "-c", str(installed.configuration), *arguments)
        assert (answer.returncode, answer.stderr) == (0, ""), answer.stderr
    for name in parameters():
        known = run(postconf, "-d", name)
        assert known.stderr == "" and known.stdout.startswith(name), name


@pytest.mark.peer
def test_commented_parameters_are_known_too() -> None:
    postconf = require("postconf", "postfix")
    text = (DEPLOY / "postfix" / "main.cf").read_text()
    commented = re.findall(r"^#(\w+) = ", text, re.M)
    assert "smtpd_milters" in commented
    for name in commented:
        assert run(postconf, "-d", name).stderr == "", name


@pytest.mark.peer
def test_postfix_check_passes(installed: Installed) -> None:
    postfix = require("postfix", "postfix")
    answer = run(postfix, "-c", str(installed.configuration), "check")
    assert answer.returncode == 0, answer.stderr
    wrong = [line for line in answer.stderr.splitlines() if "not owned by" not in line]
    assert wrong == []


@pytest.mark.peer
def test_mailguard_is_taken_for_the_one_trusted_client(running: Installed) -> None:
    with smtplib.SMTP("127.0.0.1", running.port, timeout=PATIENCE) as client:
        client.ehlo("mailguard.example.org")
        assert client.has_extn("xforward")
        assert not client.has_extn("xclient")
        assert client.esmtp_features["size"] == parameters()["message_size_limit"]
        assert client.docmd("XFORWARD ADDR=192.0.2.7 HELO=mx.example.net")[0] == 250
        for recipient in ("amy@example.org", "somebody@example.net"):
            refused = client.sendmail(
                "bob@example.org", [recipient], b"Subject: hello\r\n\r\nhello\r\n"
            )
            assert refused == {}
    assert "[192.0.2.7]" in running.log.read_text(), "the log names the first client"


@pytest.mark.peer
def test_a_hundred_unknown_users_do_not_end_the_connection(running: Installed) -> None:
    """Verification at RCPT asks for many that do not exist, over kept connections; Postfix's
    defaults would slow it down and hang up after 20."""
    took = []
    with smtplib.SMTP("127.0.0.1", running.port, timeout=PATIENCE) as client:
        client.ehlo("mailguard.example.org")
        for number in range(150):
            began = time.monotonic()
            assert client.mail("")[0] == 250
            assert client.rcpt(f"nobody{number}@example.org")[0] == 550
            assert client.rset()[0] == 250
            took.append(time.monotonic() - began)
        assert client.mail("")[0] == 250
        assert client.rcpt("amy@example.org")[0] == 250
    # Its defaults add a second to each after the tenth: a thousand times what the first ones take.
    assert median(took[100:]) < 30 * median(took[:10])


@pytest.mark.peer
def test_mail_of_local_programs_goes_to_mailguard_once(running: Installed) -> None:
    """sendmail → pickup → mailguard's relay listener (a recorder here), which hands it back by
    the door of Postfix, from where it is delivered and does not come again."""
    sendmail = require("sendmail", "postfix")
    seen: list[bytes] = []

    class Recorder:
        async def handle_DATA(self, server: object, session: object, envelope: Envelope) -> str:
            seen.append(envelope.original_content or b"")
            await asyncio.to_thread(hand_back, envelope)
            return "250 2.0.0 Ok"

    def hand_back(envelope: Envelope) -> None:
        with smtplib.SMTP("127.0.0.1", running.port, timeout=PATIENCE) as client:
            client.sendmail(
                envelope.mail_from or "", envelope.rcpt_tos, envelope.original_content or b""
            )

    controller = Controller(Recorder(), "127.0.0.1", running.mailguard_port)
    controller.start()
    try:
        message = b"From: amy@example.org\nTo: amy@example.org\nSubject: from cron\n\nhello\n"
        command = [sendmail, "-C", str(running.configuration), "-f", "amy@example.org"]
        subprocess.run([*command, "amy@example.org"], input=message, check=True, timeout=PATIENCE)
        until(
            lambda: "relay=none" in running.log.read_text().rpartition("from=<amy@")[2],
            running.log.read_text,
        )
        time.sleep(0.3)  # a circle would have come round by now
    finally:
        controller.stop()
    assert len(seen) == 1
    assert b"Subject: from cron\r\n" in seen[0]


@pytest.mark.peer
def test_bare_newlines_are_refused_from_mailguard_too(running: Installed) -> None:
    with smtplib.SMTP("127.0.0.1", running.port, timeout=PATIENCE) as client:
        client.ehlo("mailguard.example.org")
        client.mail("bob@example.org")
        client.rcpt("amy@example.org")
        assert client.docmd("DATA")[0] == 354
        client.send(b"Subject: one\r\n\r\nx\n.\r\nMAIL FROM:<>\r\n.\r\n")
        assert client.getreply()[0] == 550


def test_limits_fit_together() -> None:
    postfix = parameters()
    assert int(postfix["message_size_limit"]) > SessionLimits().message_size
    assert int(postfix["smtpd_recipient_limit"]) >= SessionLimits().recipients
    assert int(postfix["hopcount_limit"]) >= SessionLimits().received_fields
    idle = NextHopSettings.model_fields["idle"].default
    assert float(postfix["smtpd_timeout"].removesuffix("s")) > idle


def test_mail_does_not_go_round_in_circles() -> None:
    """What comes from mailguard is not handed to it again, and only local programs' mail is."""
    postfix = parameters()
    assert postfix["relayhost"] == ""
    assert "content_filter" not in postfix, "it would hold for mailguard's door too"
    entries = services((DEPLOY / "postfix" / "master.cf").read_text())
    assert "-o content_filter=\n" in entries["127.0.0.1:2600", "inet"]
    filtered = [key for key, entry in entries.items() if "content_filter=mailguard:" in entry]
    assert filtered == [("pickup", "unix")]


def test_postfix_is_no_open_relay() -> None:
    postfix = parameters()
    assert postfix["inet_interfaces"] == "loopback-only"
    for name in ("smtpd_client_restrictions", "smtpd_relay_restrictions"):
        assert postfix[name] == "permit_mynetworks, reject"
    for name in ("mynetworks", "smtpd_authorized_xforward_hosts"):
        assert set(postfix[name].split()) == {"127.0.0.0/8", "[::1]/128"}
    assert postfix["smtpd_authorized_xclient_hosts"] == ""
