"""`serve` as a process: exit codes, the greeting, reload, and what operators see."""

from __future__ import annotations

import itertools
import json
import re
import signal
import socket
import subprocess
from collections.abc import Iterator

import pytest
from tests.support.postfix import Postfix
from tests.support.serving import PROGRAM, Serve, message
from tests.support.waiting import PATIENCE, until

TARA, SPAMMAIL = "tara.olive@example.org", "spammail@example.org"
SPAM = """Dear friend,

ACT NOW!!! You have WON $1,000,000 in the lottery. 100% free money, risk free, no credit check.
Click here: http://192.0.2.77:8080/claim to claim your prize. Cheap viagra, limited time offer!!!
Wire transfer fee of $500 needed urgently. This is not spam. Unsubscribe http://bit.ly/xyz
"""


@pytest.fixture(scope="module")
def postfix() -> Iterator[Postfix]:
    with Postfix.next_hop([TARA, SPAMMAIL]) as server:
        yield server


@pytest.fixture(scope="module")
def serve(postfix: Postfix) -> Iterator[Serve]:
    with Serve(postfix.port) as server:
        yield server


def test_a_bad_configuration_exits_2_with_its_place_before_any_socket(postfix: Postfix) -> None:
    broken = Serve(postfix.port)
    path = broken.config / "mailguard.yaml"
    path.write_text(path.read_text().replace("role: submission", "role: submision"))
    done = subprocess.run(
        [PROGRAM, "serve", "--config", broken.config],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert done.returncode == 2
    assert re.search(r"mailguard\.yaml:\d+:\d+: listeners\[1\]\.role: ", done.stderr), done.stderr
    assert "submission" in done.stderr
    with pytest.raises(OSError), socket.create_connection(("127.0.0.1", broken.ports["mx"]), 1):
        pass


@pytest.mark.parametrize("line", ["example.com", "@example.com", "*@example.com", "a@*.com"])
def test_a_domain_on_the_allowlist_is_refused_at_load(postfix: Postfix, line: str) -> None:
    broken = Serve(postfix.port)
    (broken.config / "allowlist.d" / "more.txt").write_text(f"# parents\n{line}\n")
    done = subprocess.run(
        [PROGRAM, "config", "check", "--config", broken.config],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert done.returncode == 2
    assert re.search(r"more\.txt:2:\d+: ", done.stderr), done.stderr
    assert "R37" in done.stderr


def test_a_password_file_that_cannot_be_used_exits_2_with_its_place(postfix: Postfix) -> None:
    broken = Serve(postfix.port)
    (broken.state / "passwords").write_text("# logins\ntolive:secret\n")
    done = subprocess.run(
        [PROGRAM, "serve", "--config", broken.config],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert done.returncode == 2
    assert re.search(r"passwords:2:\d+: ", done.stderr), done.stderr
    assert "Traceback" not in done.stderr


def test_a_port_that_is_taken_exits_1_and_says_which(serve: Serve, postfix: Postfix) -> None:
    taken = f"127.0.0.1:{serve.ports['mx']}"
    second = Serve(postfix.port)
    path = second.config / "mailguard.yaml"
    path.write_text(path.read_text().replace(f"127.0.0.1:{second.ports['mx']}", taken))
    done = subprocess.run(
        [PROGRAM, "serve", "--config", second.config],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert done.returncode == 1
    assert taken in done.stderr


def test_saving_a_file_reloads_and_a_bad_one_leaves_the_old_in_force(serve: Serve) -> None:
    sender = "newly.listed@example.com"
    raw = message(sender=sender, subject="YOU HAVE WON!!!", body=SPAM)
    assert serve.send(sender, [TARA], raw)[0] == 550
    loads = serve.metric("mailguard_reloads_total", result="accepted")
    listed = serve.config / "allowlist.d" / "new.txt"
    listed.write_text(f"{sender}\n")
    until(lambda: serve.metric("mailguard_reloads_total", result="accepted") > loads)
    again = message(sender=sender, subject="YOU HAVE WON!!! ", body=SPAM + "once more")
    assert serve.send(sender, [TARA], again)[0] == 250

    listed.write_text(f"{sender}\nexample.com\n")
    until(lambda: serve.metric("mailguard_reloads_total", result="refused") >= 1)
    assert "new.txt:2:1" in serve.log()
    third = message(sender=sender, subject="YOU HAVE WON!!!  ", body=SPAM + "and again")
    assert serve.send(sender, [TARA], third)[0] == 250, "the old list stays in force"
    listed.unlink()


def test_sighup_reloads(serve: Serve) -> None:
    loads = serve.metric("mailguard_reloads_total", result="accepted")
    assert serve.process is not None
    serve.process.send_signal(signal.SIGHUP)
    until(lambda: serve.metric("mailguard_reloads_total", result="accepted") > loads)


def test_an_address_added_by_command_counts_without_a_reload(serve: Serve) -> None:
    sender = "added.by.hand@example.com"
    raw = message(sender=sender, subject="YOU HAVE WON!!!", body=SPAM)
    assert serve.send(sender, [TARA], raw)[0] == 550
    serve.command("allowlist", "add", sender, "--site", "oak")
    tries = itertools.count()

    def again() -> int:
        body = f"{SPAM}again: {next(tries)}"
        return serve.send(
            sender, [TARA], message(sender=sender, subject="YOU HAVE WON!!!", body=body)
        )[0]

    until(lambda: again() == 250)
    listed = json.loads(serve.command("allowlist", "list", "--json"))
    assert {"address": sender, "site": "oak"}.items() <= next(
        row for row in listed if row["address"] == sender
    ).items()
    assert b"R37" in _refused(serve, "allowlist", "add", "example.com")


def test_every_log_line_is_one_json_object_whatever_clients_say(serve: Serve) -> None:
    hostile = message(subject="\x1b[31mred\u202e", sender="parent@example.com")
    with socket.create_connection(("127.0.0.1", serve.ports["mx"]), 5) as client:
        client.sendall(b"EHLO \x1b[2J\xe2\x80\xa8evil\r\nMAIL FROM:<a\x1b@b>\r\nQUIT\r\n")
        while client.recv(4096):
            pass
    serve.send("parent@example.com", [TARA], hostile)
    lines = serve.log_file.read_bytes().splitlines()
    assert lines
    for line in lines:
        if line.startswith(b"{"):
            assert json.loads(line)["event"]
        assert line.isascii()
        assert b"\x1b" not in line


def test_sigterm_drains_and_exits_0(postfix: Postfix) -> None:
    with (
        Serve(postfix.port) as server,
        socket.create_connection(("127.0.0.1", server.ports["mx"]), 5) as idle,
    ):
        idle.recv(200)
        assert server.stop() == 0
        assert idle.recv(200).startswith(b"421")


def _refused(serve: Serve, *arguments: str) -> bytes:
    done = subprocess.run(
        [PROGRAM, *arguments, "--config", serve.config], capture_output=True, timeout=PATIENCE
    )
    assert done.returncode != 0
    return done.stderr
