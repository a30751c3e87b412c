"""The example district in `config/` loads without a warning but the missing password file."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from mailguard.config.load import Loaded, load
from mailguard.core.people.rights import may_write

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def example() -> Loaded:
    return load(ROOT / "config")


def test_it_loads(example: Loaded) -> None:
    assert [w.path for w in example.warnings if w.path != "auth.password_file"] == []
    assert {step.check.name for step in example.snapshot.policy.steps} == {
        "sender_identity",
        "impersonation",
        "authentication",
        "leavers",
        "structure",
        "attachments",
        "group_rights",
        "mass_mail",
        "malware",
        "rate",
        "spam",
        "disclaimer",
        "links",
    }
    assert len(example.snapshot.unblocked) == 3
    assert not example.calendar.is_business_day(date(2026, 11, 26))


def test_everybody_has_an_account_and_mail_names_are_fictional(example: Loaded) -> None:
    directory = example.snapshot.directory
    owners = {account.owner for account in directory.accounts.values()}
    assert set(directory.people) <= owners
    assert None in owners  # a device
    domains = {a.rpartition("@")[2] for p in directory.people.values() for a in p.addresses}
    assert domains == {"example.org"}


@pytest.mark.parametrize(
    ("id", "group", "allowed", "rule"),
    [
        ("saspen", "all-staff", True, "R15"),
        ("celm", "all-staff", True, "R15"),
        ("celm", "all-oak", False, "R14"),
        ("nfir", "all-oak", False, "R14"),
        ("ppine", "all-oak", True, "R14"),
        ("ppine", "all-maple", False, "R14"),
        ("ppine", "all-staff", False, "R15"),
        ("sjuniper", "all-oak", True, "R14"),
        ("gredwood", "all-staff", False, "R16"),
        ("tolive", "teachers-oak", True, "R17"),
        ("imulberry", "teachers-oak", True, "R17"),
        ("avalder", "teachers-oak", False, "R17"),
        ("ppine", "teachers-cedar", True, "R19"),
        ("sjuniper", "teachers-cedar", True, "R19"),
        ("crowan", "custodians", True, "R17"),
        ("tolive", "custodians", False, "R17"),
    ],
)
def test_group_rights(example: Loaded, id: str, group: str, allowed: bool, rule: str) -> None:
    directory = example.snapshot.directory
    owner = directory.people[id]
    right = may_write(
        owner,
        directory.named(owner.supports),
        directory.groups[f"{group}@example.org"],
        directory.sites,
        inside=True,
        sender_address=owner.addresses[0],
    )
    assert right.allowed is allowed
    assert rule in right.rules
