"""`mailguard groups` on the example district: yes and no with the reason, and exit codes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.support.serving import ROOT
from typer.testing import CliRunner, Result

from mailguard.cli.groups import NOT_ALLOWED
from mailguard.cli.root import application

RULES = ("R15", "R16")


def run(*arguments: str) -> Result:
    config = ["--config", str(ROOT / "config")]
    return CliRunner().invoke(application, ["groups", *arguments, *config])


def told(*arguments: str) -> Any:
    return json.loads(run(*arguments, "--json").stdout)


@pytest.mark.parametrize(
    ("sender", "group", "code", "said"),
    [
        ("tolive", "teachers-oak", 0, "Tara Olive works at Oak Elementary School"),
        ("Tara.Olive@Example.org", "teachers", 0, "member of All Teachers through Oak Teachers"),
        ("tolive", "custodians", NOT_ALLOWED, "written approval"),
        ("ppine", "custodians", 0, "administers a site or department"),
        ("copier-oak", "technology", 0, "listed as a sender"),
        ("copier-oak@example.org", "teachers", NOT_ALLOWED, "belongs to no person"),
        ("rosa@example.com", "booster-club", 0, "open to senders outside"),
        ("rosa@example.com", "teachers", NOT_ALLOWED, "comes from outside"),
        ("office@teachers-association.test", "teachers", 0, "pigeonholes"),
        ("wbirch", "all-staff", NOT_ALLOWED, "does not say which"),
    ],
)
def test_can(sender: str, group: str, code: int, said: str) -> None:
    result = run("can", sender, f"{group}@example.org")
    assert result.exit_code == code
    first, *why = result.stdout.splitlines()
    assert first == ("yes" if code == 0 else "no")
    assert any(said in line for line in why)
    assert told("can", sender, f"{group}@example.org")["allowed"] == (code == 0)


def test_can_with_the_reason_tag() -> None:
    assert run("can", "wbirch", "all-staff@example.org", "--tag").exit_code == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ("can", "nobody", "teachers@example.org"),
        ("can", "nobody@example.org", "teachers@example.org"),
        ("can", "tolive", "tara.olive@example.org"),
        ("members", "golf@example.org"),
        ("members", "teachers@example.org", "--on", "tomorrow"),
        ("who", "golf@example.org"),
        ("for", "nobody"),
    ],
)
def test_what_is_not_known_is_wrong_usage(arguments: tuple[str, ...]) -> None:
    result = run(*arguments)
    assert result.exit_code == 1
    assert "allowed: " in result.stderr


def test_who() -> None:
    staff = told("who", "all-staff@example.org")
    by_rule = {
        rule: [r["name"].split()[0] for r in staff if r["rules"] == [rule]] for rule in RULES
    }
    assert by_rule == {
        "R15": ["Sylvia", "Ruben", "Nadia", "Jonas", "Edith", "Carlos", "Hana"],
        "R16": ["Gloria", "Wanda"],
    }
    assert len(staff) == 9
    teachers = {row["name"]: row["rules"] for row in told("who", "teachers@example.org")}
    assert teachers["office@teachers-association.test"] == ["R24"]
    assert teachers["Tara Olive"] == ["R17"]
    assert "Clara Rowan" not in teachers and "Greta Hazel" not in teachers  # she has left
    assert told("who", "booster-club@example.org")[-1]["sender"] == "*"
    technology = [row["sender"] for row in told("who", "technology@example.org")]
    assert "copier-oak@example.org" in technology
    assert "Paula Pine" in run("who", "teachers@example.org").stdout


def test_for() -> None:
    groups = [row["group"].partition("@")[0] for row in told("for", "tolive")]
    assert groups == ["teachers-oak", "teachers", "booster-club"]
    assert told("for", "tolive")[0]["people"] == 3
    assert [row["group"] for row in told("for", "rosa@example.com")] == ["booster-club@example.org"]
    assert "Oak Teachers" in run("for", "tolive").stdout


def test_members() -> None:
    day = ("--on", "2026-11-25")
    teachers = told("members", "teachers@example.org", *day)
    assert [row["person"] for row in teachers] == [
        *("tolive", "bpoplar", "avalder", "imulberry", "fmagnolia"),
    ]
    assert teachers[0]["through"] == ["teachers-oak@example.org"]
    earlier = told("members", "teachers-oak@example.org", "--on", "2026-06-30")
    assert {"ghazel", "rsumac"} < {row["person"] for row in earlier}
    assert "Maple Teachers" in run("members", "teachers-maple@example.org", *day).stdout
