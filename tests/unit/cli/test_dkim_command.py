"""`mailguard dkim`: the key that is written, the record that is printed, and what check says."""

from __future__ import annotations

import asyncio
import json
import os
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from typer.testing import CliRunner, Result

from mailguard.cli.dkim import judge
from mailguard.cli.root import application
from mailguard.core.authentication.dkim import verify_with_keys
from mailguard.core.authentication.dkim_signing import (
    Signer,
    SigningKey,
    load_private_key,
    record_of,
)
from mailguard.core.authentication.dns_answers import Records
from mailguard.core.decision.facts import Unavailable
from mailguard.demo.dns_server import DnsServer

ASKED = ("--domain", "example.org", "--selector", "s1")


def run(*arguments: str) -> Result:
    return CliRunner().invoke(application, ["dkim", *arguments])


def keygen(path: Path, kind: str) -> Result:
    return run("keygen", *ASKED, "--type", kind, "--output", str(path))


@pytest.fixture
async def serve() -> AsyncIterator[list[DnsServer]]:
    servers: list[DnsServer] = []
    yield servers
    for server in servers:
        await server.stop()


async def check(servers: list[DnsServer], zone: str, *more: str) -> Result:
    server = DnsServer(zone)
    host, port = await server.start()
    servers.append(server)
    return await asyncio.to_thread(run, "check", *ASKED, "--dns", f"{host}:{port}", *more)


@pytest.mark.parametrize("kind", ["rsa", "ed25519"])
async def test_what_keygen_prints_can_be_served_and_signs(
    kind: str, tmp_path: Path, serve: list[DnsServer]
) -> None:
    path = tmp_path / "s1.pem"
    old = os.umask(0)
    try:
        made = keygen(path, kind)
    finally:
        os.umask(old)
    assert made.exit_code == 0
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert all(len(line.strip(' ")')) <= 255 for line in made.stdout.splitlines()[1:])
    found = await check(serve, made.stdout, "--key", str(path))
    assert found.exit_code == 0, found.output
    assert "good" in found.stdout
    key = load_private_key(path.read_bytes())
    raw = b"From: a@example.org\r\n\r\nHi\r\n"
    raw = Signer([SigningKey("example.org", "s1", key)]).sign(raw, "example.org", 1e9) + raw
    keys = {"s1._domainkey.example.org": Records((record_of(key).encode(),))}
    assert [r.result for r in verify_with_keys(raw, keys, 1e9)] == ["pass"]


def test_a_key_is_never_written_over(tmp_path: Path) -> None:
    path = tmp_path / "s1.pem"
    path.write_text("mine")
    again = keygen(path, "rsa")
    assert (again.exit_code, "never written over" in again.output) == (1, True)
    assert path.read_text() == "mine"
    assert keygen(tmp_path / "none" / "s1.pem", "rsa").exit_code == 1


@pytest.mark.parametrize(
    "domain", ["exa mple.org", "example.org.", "", "-x.org", "x" * 64, "ö.org"]
)
def test_names_are_checked(domain: str, tmp_path: Path) -> None:
    path = tmp_path / "k"
    made = run("keygen", "--domain", domain, "--selector", "s1", "--output", str(path))
    assert (made.exit_code, path.exists()) == (1, False)


@pytest.mark.parametrize(
    ("zone", "said"),
    [
        ("", "no key in DNS"),
        ('s1._domainkey.example.org. 60 IN TXT "v=DKIM1; p="', "revoked"),
        ('s1._domainkey.example.org. 60 IN TXT "v=DKIM1; p=AAAA"', "cannot be read"),
        ('s1._domainkey.example.org. 60 IN TXT "hello"', "malformed"),
        ("s1._domainkey.example.org. 60 IN A 192.0.2.1", "no key in DNS"),
    ],
)
async def test_what_is_wrong_is_said(zone: str, said: str, serve: list[DnsServer]) -> None:
    found = await check(serve, zone)
    assert (found.exit_code, said in found.output) == (1, True), found.output


async def test_another_key_in_dns_is_said_and_the_right_record_shown(
    tmp_path: Path, serve: list[DnsServer]
) -> None:
    published, held = keygen(tmp_path / "a", "ed25519"), keygen(tmp_path / "b", "ed25519")
    found = await check(serve, published.stdout, "--key", str(tmp_path / "b"))
    assert found.exit_code == 1
    assert "another key" in found.output
    assert held.stdout in found.output


async def test_wrong_use_is_said(tmp_path: Path, serve: list[DnsServer]) -> None:
    bad = tmp_path / "bad"
    bad.write_text("no key")
    assert (await check(serve, "", "--key", str(bad))).exit_code == 1
    assert (await check(serve, "", "--key", str(tmp_path / "none"))).exit_code == 1
    wrong = run("check", *ASKED, "--dns", "nonsense")
    assert (wrong.exit_code, "HOST:PORT" in wrong.output) == (1, True)


async def test_both_opinions_are_shown(tmp_path: Path, serve: list[DnsServer]) -> None:
    path, mail = tmp_path / "s1.pem", tmp_path / "mail.eml"
    zone = keygen(path, "rsa").stdout
    raw = b"From: a@example.org\r\nSubject: Trip\r\n\r\nHi\r\n"
    signer = Signer([SigningKey("example.org", "s1", load_private_key(path.read_bytes()))])
    signed = signer.sign(raw, "example.org", 1e9) + raw
    other = signed.partition(b"From:")[0].replace(b"s=s1", b"s=s2")
    mail.write_bytes(other + signed + b"more\r\n" + signed.partition(b"From:")[0])
    found = await check(serve, zone, "--key", str(path), "--message", str(mail))
    assert found.exit_code == 0, found.output
    assert max(map(len, found.stdout.splitlines())) <= 80
    rows = [" ".join(line.split()) for line in found.stdout.splitlines()]
    assert "the key record rsa, 2048 bits rsa, 2048 bits agreed" in rows
    assert "mail signed by --key pass pass agreed" in rows
    assert any(row.startswith("--message,") and row.endswith(" fail agreed") for row in rows), rows

    mail.write_bytes(signed.replace(b"\r\n", b"\n"))
    found = await check(serve, zone, "--message", str(mail), "--json")
    answer = json.loads(found.stdout)
    assert (found.exit_code, answer["good"], answer["problems"]) == (0, True, [])
    assert answer["name"] == "s1._domainkey.example.org"
    assert answer["opinions"] == [
        {
            "of": "the key record",
            "mailguard": "rsa, 2048 bits",
            "dkimpy": "rsa, 2048 bits",
            "together": "agreed",
        },
        {
            "of": "--message, signature 1",
            "mailguard": "policy: a CR or an LF stands on its own",
            "dkimpy": "pass",
            "together": "by_design: a CR or an LF stands on its own",
        },
    ]
    mail.write_bytes(b"Subject:" + b" " * 1_000 + b"x\r\n" + signed)
    found = await check(serve, zone, "--message", str(mail), "--json")
    last = json.loads(found.stdout)["opinions"][1]
    assert (last["dkimpy"], last["together"]) == ("no opinion", "white_space")


@pytest.mark.parametrize(
    ("record", "mailguard", "dkimpy", "together"),
    [
        ("v=DKIM1; k=rsa; p=", "permerror", "permerror", "agreed"),
        ("v=DKIM1; h=sha1; p={p}", "permerror", "rsa, 2048 bits", "by_design"),
        ("v=DKIM1; s=other; p={p}", "permerror", "permerror", "agreed"),
        ("v=DKIM1; s=tlsrpt; p={p}", "permerror", "permerror", "agreed"),
        ("p={p}", "rsa, 2048 bits", "rsa, 2048 bits", "agreed"),
    ],
)
async def test_both_read_the_record(
    record: str, mailguard: str, dkimpy: str, together: str, serve: list[DnsServer]
) -> None:
    key = record_of(generate_private_key(65537, 2048)).rpartition("p=")[2]
    text = record.replace("{p}", key)
    strings = " ".join(f'"{text[at : at + 200]}"' for at in range(0, len(text), 200))
    found = await check(serve, f"s1._domainkey.example.org. 60 IN TXT {strings}", "--json")
    answer = json.loads(found.stdout)
    assert [list(row.values())[1:] for row in answer["opinions"]] == [[mailguard, dkimpy, together]]
    assert (found.exit_code == 0) == answer["good"] == (mailguard != "permerror")


async def test_what_is_wrong_is_json_too(tmp_path: Path, serve: list[DnsServer]) -> None:
    published, held = keygen(tmp_path / "a", "ed25519"), keygen(tmp_path / "b", "ed25519")
    found = await check(serve, published.stdout, "--key", str(tmp_path / "b"), "--json")
    answer = json.loads(found.stdout)
    assert (found.exit_code, answer["good"], len(answer["problems"])) == (1, False, 1)
    assert answer["record"] == held.stdout.rstrip("\n")
    assert {row["dkimpy"] for row in answer["opinions"]} == {"no opinion"}  # it wants PyNaCl
    nothing = await check(serve, "", "--json")
    assert json.loads(nothing.stdout)["opinions"] == []
    assert (await check(serve, "", "--message", str(tmp_path / "none"))).exit_code == 1


def test_no_answer_is_not_called_a_missing_key() -> None:
    problems, _ = judge(Unavailable("DNS time-out"), None)
    assert "Nothing is known" in problems[0]
    assert "no key" not in problems[0]


def test_what_is_to_be_known_is_told() -> None:
    key = generate_private_key(65537, 1024)
    record = record_of(key).replace("k=rsa;", "k=rsa; t=y:s;").encode()
    problems, remarks = judge(Records((record,)), key)
    assert problems == []
    assert [word for word in ("2048", "t=y", "t=s") if not any(word in r for r in remarks)] == []
