"""Accounts in a running `serve`: leavers, devices, people who act for a team, one account from many
places; and what the commands tell of leavers (R1, R4 to R6)."""

from __future__ import annotations

import base64
import csv
import io
import json
import smtplib
import time
from collections.abc import Iterator

import pytest
from tests.support.postfix import Postfix
from tests.support.serving import PASSWORD, Serve, message
from tests.support.waiting import PATIENCE, until

from mailguard.adapters.passwords import hash_password

TARA, BEN = "tara.olive@example.org", "ben.poplar@example.org"
COPIER, OFFICE = "copier-oak@example.org", "office-oak@example.org"


@pytest.fixture(scope="module")
def serve() -> Iterator[Serve]:
    with Postfix.next_hop([TARA, BEN]) as postfix:
        server = Serve(postfix.port)
        hashed = hash_password(PASSWORD.encode())
        with (server.state / "passwords").open("a") as passwords:
            passwords.writelines(f"{login}:{hashed}\n" for login in ("ghazel", "sjuniper"))
        accounts = server.config / "directory" / "accounts.csv"
        accounts.write_text(accounts.read_text().replace("192.0.2.77", "127.0.0.77"))
        with server:
            yield server


def client(serve: Serve, source: str = "127.0.0.1") -> smtplib.SMTP:
    connected = smtplib.SMTP(
        "127.0.0.1", serve.ports["submission"], timeout=PATIENCE, source_address=(source, 0)
    )
    connected.ehlo("client.example.net")
    return connected


def log_in(connected: smtplib.SMTP, login: str, acting_for: str = "") -> int:
    said = base64.b64encode(f"{acting_for}\0{login}\0{PASSWORD}".encode()).decode()
    return connected.docmd("AUTH", f"PLAIN {said}")[0]


def submit(connected: smtplib.SMTP, sender: str, to: str = TARA) -> tuple[int, str]:
    assert connected.mail(sender)[0] == 250
    assert connected.rcpt(to)[0] == 250
    code, text = connected.data(message(sender, to, subject=f"From {sender} {time.time()}"))
    return code, text.decode()


def test_a_leaver_cannot_log_in_whatever_the_password(serve: Serve) -> None:
    with client(serve) as connected:
        assert log_in(connected, "ghazel") == 535
    with client(serve) as connected:
        assert log_in(connected, "bpoplar") == 235


def test_a_session_from_before_ends_with_the_reload(serve: Serve) -> None:
    people = serve.config / "directory" / "people.csv"
    before = people.read_text()
    names, *rows = csv.reader(before.splitlines())
    row = next(row for row in rows if row[0] == "bpoplar")
    row[names.index("end")] = "2026-01-31"
    after = io.StringIO()
    csv.writer(after).writerows([names, *rows])
    with client(serve) as connected:
        assert log_in(connected, "bpoplar") == 235
        assert submit(connected, BEN)[0] == 250
        try:
            people.write_text(after.getvalue())
            until(lambda: submit(connected, BEN)[0] == 550)
            _, text = submit(connected, BEN)
            assert "Ben Poplar has left the district" in text
        finally:
            people.write_text(before)
        until(lambda: submit(connected, BEN)[0] == 250)


def test_a_device_speaks_from_its_own_address_for_itself(serve: Serve) -> None:
    with client(serve, "127.0.0.77") as copier:
        assert submit(copier, COPIER)[0] == 250
        code, text = submit(copier, "paula.pine@example.org")
        assert code == 550
        assert "the account copier-oak does not own" in text
    with client(serve, "127.0.0.78") as neighbour:  # behind the same router, another machine
        assert neighbour.mail(COPIER)[0] == 530


def test_a_named_user_acts_for_the_office(serve: Serve) -> None:
    with client(serve) as connected:
        assert log_in(connected, "sjuniper", "office-oak") == 235
        assert submit(connected, OFFICE)[0] == 250
        assert submit(connected, "sam.juniper@example.org")[0] == 550
    assert '"acting":"sjuniper"' in serve.log()
    for login, account in (("tolive", "office-oak"), ("sjuniper", "ppine"), ("sjuniper", "x")):
        with client(serve) as connected:
            assert log_in(connected, login, account) == 535, (login, account)


def test_one_account_from_many_places_raises_the_alert(serve: Serve) -> None:
    name = "mailguard_account_clients_alerts_total"
    before = serve.metric(name)
    for n in range(11, 16):
        assert serve.metric(name) == before
        with client(serve, f"127.0.0.{n}") as connected:
            assert log_in(connected, "crowan") == 235
            assert submit(connected, "clara.rowan@example.org")[0] == 250
    assert serve.metric(name) == before + 1


def test_day_thirty_is_told(serve: Serve) -> None:
    def leavers(day: str, *options: str) -> list[dict[str, object]]:
        return list(
            json.loads(serve.command("directory", "leavers", "--json", "--on", day, *options))
        )

    assert leavers("2026-06-30") == []
    (greta,) = leavers("2026-07-01")
    assert (greta["person"], greta["accounts"], greta["since"]) == (
        "ghazel",
        ["ghazel"],
        "2026-07-01",
    )
    assert (greta["delete_on"], greta["due"]) == ("2026-07-31", False)
    assert leavers("2026-07-30", "--due") == []
    assert [who["person"] for who in leavers("2026-07-31", "--due")] == ["ghazel"]
    due = json.loads(serve.command("directory", "leavers", "--json", "--due"))
    assert serve.metric("mailguard_leavers_due") == len(due)
    assert b"Greta Hazel" in serve.command("directory", "leavers", "--on", "2026-07-31")
    assert serve.command("directory", "leavers", "--on", "soon", check=False) == b""
