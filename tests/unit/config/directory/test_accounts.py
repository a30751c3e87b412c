"""accounts.csv and delegations.csv: what is refused, where, and what a good row becomes."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

ACCOUNTS = "login,addresses,owner,kind,requester,purpose,allowed,clients,certificates\n"
DELEGATIONS = "delegate,principal,document,granted,expires,renewer\n"
PRINT = "ab" * 32


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (
            "x,x@example.org,,,,,,,",
            "2:18: x: kind: is missing: what is an account",
        ),
        ("x,x@example.org,,robot,,,,,", "kind: 'robot' does not fit here"),
        ("x,,tolive,generic,,,,,", "kind: an account with an owner is that person's"),
        ("x,x@example.org,,generic,,Office,tolive,,", "requester: is missing for a generic"),
        ("x,x@example.org,,generic,ppine,,tolive,,", "purpose: is missing for a generic"),
        ("x,x@example.org,,generic,ppine,Office,,,", "allowed: is missing for a generic"),
        ("x,x@example.org,,generic,nobody,Office,tolive,,", "requester: 'nobody' is not known"),
        ("x,x@example.org,,generic,ppine,Office,tolive;nix,,", "allowed: 'nix' is not known"),
        (
            "x,x@example.org,,device,,,,192.0.2.0/24,",
            "2:28: x: clients: '192.0.2.0/24' is a range: two tenants behind one address must not "
            "speak for each other",
        ),
        ("x,x@example.org,,device,,,,192.0.2.7/32,", "is a range"),
        ("x,x@example.org,,device,,,,192.0.2.1-9,", "is a range"),
        ("x,x@example.org,,device,,,,192.0.2.*,", "is a range"),
        ("x,x@example.org,,device,,,,printer.example.org,", "is no IP address"),
        ("x,x@example.org,,device,,,,0.0.0.0,", "names no single machine"),
        ("x,x@example.org,,device,,,,fe80::1%eth0,", "names no single machine"),
        ("x,x@example.org,,device,,,,,abcd", "certificates: 'abcd' is no SHA-256 fingerprint"),
        ("x,,tolive,,,,,192.0.2.7,", "clients: only a device speaks without a login"),
        (
            "x,x@example.org,,device,,,,192.0.2.7,\ny,y@example.org,,device,,,,::ffff:192.0.2.7,",
            "3:28: y: clients: '192.0.2.7' belongs to x already",
        ),
        (
            f"x,x@example.org,,device,,,,,{PRINT}\ny,y@example.org,,device,,,,,{PRINT.upper()}",
            "y: certificates: ",
        ),
    ],
)
def test_account_errors(tree: Any, rows: str, said: str) -> None:
    tree.write("directory/accounts.csv", f"{ACCOUNTS}{rows}\n")
    assert any(said in error for error in tree.errors()), tree.errors()


def test_a_device_is_found_by_its_address_and_its_certificate(tree: Any) -> None:
    colons = ":".join([PRINT[:2].upper()] * 32)
    tree.write(
        "directory/accounts.csv",
        f"{ACCOUNTS}x,x@example.org,,device,,,,192.0.2.7;2001:DB8:0::7,{colons}\n"
        "y,y@example.org,,device,,,,192.0.2.8,\n",
    )
    directory = tree.load().snapshot.directory
    x, y = directory.accounts["x"], directory.accounts["y"]
    assert directory.device("192.0.2.7") is directory.device("2001:db8::7") is x
    assert directory.device("192.0.2.8", PRINT) is x  # what it proved counts before where it is
    assert directory.device("192.0.2.8", "00" * 32) is y
    assert directory.device("192.0.2.9") is directory.device("") is None


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ("tolive,nobody,Memo,2026-01-01,2026-12-31,", "2:8: tolive: principal: 'nobody' is not"),
        ("nobody,ppine,Memo,2026-01-01,2026-12-31,", "2:1: nobody: delegate: 'nobody' is not"),
        ("tolive,ppine,Memo,2026-01-01,2026-12-31,nix", "renewer: 'nix' is not known"),
        ("tolive,ppine,,2026-01-01,2026-12-31,", "2:14: tolive: document: is missing"),
        ("tolive,ppine,Memo,,2026-12-31,", "granted: is missing"),
        ("tolive,ppine,Memo,2026-01-01,,", "expires: is missing"),
        ("tolive,ppine,Memo,2026-02-30,2026-12-31,", "2:19: tolive: granted: '2026-02-30' is no"),
        ("tolive,ppine,Memo,20260101,2026-12-31,", "'20260101' is no date"),
        ("tolive,ppine,Memo,2026-12-31,2026-01-01,", "2026-01-01 is before 2026-12-31"),
        ("tolive,tolive,Memo,2026-01-01,2026-12-31,", "needs no grant to send as themselves"),
        (
            "tolive,ppine,Memo,2026-01-01,2026-12-31,\ntolive,ppine,Memo,2027-01-01,2027-12-31,",
            "3:14: tolive: document: 'Memo' is there already for these two",
        ),
    ],
)
def test_delegation_errors(tree: Any, rows: str, said: str) -> None:
    tree.write("directory/delegations.csv", f"{DELEGATIONS}{rows}\n")
    assert any(said in error for error in tree.errors()), tree.errors()


def test_a_delegation_is_loaded_and_changes_the_digest(tree: Any) -> None:
    before = tree.load().snapshot
    tree.write(
        "directory/delegations.csv",
        f'{DELEGATIONS}tolive,ppine,"Memo, file 7",2026-01-01,2026-12-31,\n',
    )
    after = tree.load().snapshot
    (grant,) = after.directory.delegations_to("tolive")
    assert (grant.document, grant.renewer) == ("Memo, file 7", "ppine")
    assert [grant.valid_on(date(2026, 1, 1)), grant.valid_on(date(2026, 12, 31))] == [True, True]
    assert not grant.valid_on(date(2025, 12, 31))
    assert not grant.valid_on(date(2027, 1, 1))
    assert after.digest != before.digest


def test_the_dates_of_people(tree: Any) -> None:
    people = (
        "id,name,addresses,start,end,manager,legal_hold\n"
        "ppine,Paula Pine,paula.pine@example.org,,,,\n"
        "tolive,Tara Olive,tara.olive@example.org,2026-08-01,2026-06-30,ppine,TRUE\n"
    )
    tree.write("directory/people.csv", people)
    tara = tree.load().snapshot.directory.people["tolive"]
    assert (tara.start, tara.end) == (date(2026, 8, 1), date(2026, 6, 30))
    assert (tara.manager, tara.legal_hold) == ("ppine", True)
    for column, value, said in (
        ("2026-06-30", "yesterday", "end: 'yesterday' is no date"),
        (",ppine,TRUE", ",nobody,TRUE", "manager: 'nobody' is not known"),
        (",ppine,TRUE", ",tolive,TRUE", "manager: is the person themselves"),
        ("TRUE", "maybe", "legal_hold: 'maybe' does not fit here"),
    ):
        tree.write("directory/people.csv", people.replace(column, value))
        assert any(said in error for error in tree.errors()), said


def test_what_becomes_of_a_leavers_mail(tree: Any) -> None:
    people = (
        "id,name,addresses,end,manager,on_leaving\n"
        "ppine,Paula Pine,paula.pine@example.org,,,\n"
        "tolive,Tara Olive,tara.olive@example.org,2026-06-30,ppine,Route\n"
    )
    tree.write("directory/people.csv", people)
    directory = tree.load().snapshot.directory
    assert [directory.people[i].on_leaving for i in ("ppine", "tolive")] == ["answer", "route"]
    nobody = "people.csv:3:54: tolive: on_leaving: is route, and nobody is named as manager"
    for before, after, said in (
        (",ppine,Route", ",,route", nobody),
        ("Route", "forward", "people.csv:3:59: tolive: on_leaving: 'forward' does not fit here"),
    ):
        tree.write("directory/people.csv", people.replace(before, after))
        assert any(said in error for error in tree.errors()), tree.errors()


def test_people_as_yaml_have_the_same_dates(tree: Any) -> None:
    (tree.root / "directory/people.csv").unlink()
    tree.write(
        "directory/people.yaml",
        "ppine: {name: Paula Pine, addresses: [paula.pine@example.org]}\n"
        "tolive:\n  name: Tara Olive\n  addresses: [tara.olive@example.org]\n"
        "  end: 2026-06-30\n  manager: ppine\n",
    )
    assert tree.load().snapshot.directory.people["tolive"].end == date(2026, 6, 30)
    yaml = (tree.root / "directory/people.yaml").read_text()
    tree.write("directory/people.yaml", yaml.replace("manager: ppine", "on_leaving: route"))
    assert any("people.yaml:6:" in e and "nobody is named" in e for e in tree.errors())
