"""Only single addresses get onto the unblocked list, by whatever way (R37, R38)."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from tests.support import cost

from mailguard.config.allowlist import expires_at, load_allowlist
from mailguard.config.form.errors import ConfigErrors
from mailguard.core.decision.facts import Unblocked
from mailguard.core.mail.mailbox import ONLY_SINGLE


def load_line(folder: Path, text: str) -> Unblocked:
    """The entry of the list's only line."""
    (folder / "allowlist.d").mkdir()
    (folder / "allowlist.d" / "one.txt").write_text(text + "\n", encoding="utf-8")
    (entry,) = load_allowlist(folder, "UTC").values()
    return entry


@pytest.mark.parametrize(
    ("text", "address", "said"),
    [
        ("Rosa.Alder@Example.com", "rosa.alder@example.com", {}),
        (
            "  rosa@example.com  expires=2027-06-30 site=oak by=wbirch ",
            "rosa@example.com",
            {"expires_at": expires_at(date(2027, 6, 30), "UTC"), "site": "oak"},
        ),
        (
            "rosa@example.com waived_by=wbirch because=no SPF=yet at  her host ",
            "rosa@example.com",
            {"waived_by": "wbirch", "waived_because": "no SPF=yet at her host"},
        ),
        ("o'hara+school@example.com", "o'hara+school@example.com", {}),
        ("a/b=c@example.com", "a/b=c@example.com", {}),
    ],
)
def test_entries(tmp_path: Path, text: str, address: str, said: dict[str, Any]) -> None:
    entry = load_line(tmp_path, text)
    blank = Unblocked(address, "allowlist.d/one.txt:1", added_at=entry.added_at)
    assert entry == replace(blank, **said)


@pytest.mark.parametrize(
    "text",
    [
        "@gmail.com",
        "gmail.com",
        "*@gmail.com",
        "*.gmail.com",
        "*",
        "%@gmail.com",
        "rosa*@gmail.com",
        "rosa@*.com",
        "rosa?@gmail.com",
        "^.+@gmail.com$",
        "[a-z]@gmail.com",
        "(rosa|theo)@gmail.com",
        "{rosa,theo}@gmail.com",
        "192.0.2.0/24",
        "192.0.2.1",
        "rosa@[192.0.2.1]",
        "＊@gmail.com",
        "＠gmail.com",
        "dss.ca.gov",
        ".@gmail.com",
        ".+@gmail.com",
        "\\S+@gmail.com",
    ],
)
def test_anything_wider_is_refused_with_the_reason(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigErrors, match="R37") as refused:
        load_line(tmp_path, text)
    assert ONLY_SINGLE in str(refused.value)
    assert "; allowed: one full address" in str(refused.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("rosa@localhost", "is no mail domain"),
        ("rosa@gmail..com", "is no mail domain"),
        ("rosa@@gmail.com", "is no mail address"),
        ("rosa@example.com theo@example.com", "one address a line"),
        ("rosa@example.com expires=soon", "'soon' is no date"),
        ("rosa@example.com expires=20270630", "is no date"),
        ("rosa@example.com expires=2027-02-30", "is no date"),
        ("rosa@example.com until=2027-06-30", "is not understood"),
        ("rosa@example.com site=a site=b", "comes twice"),
        ("rosa@example.com,theo@example.com", "is no mail address"),
        ("rosa@example.com waived_by=wbirch", "who decided it and why"),
        ("rosa@example.com because=it is so", "who decided it and why"),
    ],
)
def test_malformed_entries(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigErrors, match="allowed: ") as refused:
        load_line(tmp_path, text)
    assert said in str(refused.value)


def test_last_day_counts_in_the_district(tree: Any) -> None:
    assert expires_at(date(2027, 6, 30), "America/Los_Angeles") == 1814425200  # July 1, 0:00 PDT
    assert expires_at(None, "UTC") is None


def test_files_errors_and_comments(tree: Any) -> None:
    tree.write("allowlist.d/more.txt", "# list\n\n  a@example.com # Ann\nx#y@example.com\n")
    assert {"a@example.com", "x#y@example.com"} <= tree.load().snapshot.unblocked.keys()
    tree.write("allowlist.d/more.txt", "a@example.com\n\n  @gmail.com\n*@x.test # all\n")
    errors = tree.errors()
    assert errors[0].startswith("allowlist.d/more.txt:3:3: '@gmail.com' is no single address")
    assert errors[1].startswith("allowlist.d/more.txt:4:1: '*@x.test' is no single address")


def test_an_address_in_two_files_keeps_the_later_end(tree: Any) -> None:
    tree.write("allowlist.d/a.txt", "rosa@example.com expires=2026-01-01\n")
    assert tree.load().snapshot.unblocked["rosa@example.com"].origin.startswith("allowlist.d/p")
    tree.write("allowlist.d/z.txt", "rosa@example.com\n")
    unblocked = tree.load().snapshot.unblocked["rosa@example.com"]
    assert (unblocked.origin, unblocked.expires_at) == ("allowlist.d/z.txt:1", None)


def test_defaults_dates_and_waivers(tree: Any) -> None:
    tree.write(
        "allowlist.d/more.txt",
        "early@example.com\n"
        "defaults: site=oak added=2026-09-01 expires=2027-06-30 by=wbirch\n"
        "a@example.com # Ann\n"
        "b@example.com site=elm waived_by=wbirch because=her host  signs nothing # told\n"
        "defaults:\n"
        "c@example.com\n",
    )
    os.utime(tree.root / "allowlist.d/more.txt", (1_700_000_000, 1_700_000_000))
    listed = tree.load().snapshot.unblocked
    zone = tree.load().snapshot.district.time_zone
    september = datetime(2026, 9, 1, tzinfo=ZoneInfo(zone)).timestamp()
    end = expires_at(date(2027, 6, 30), zone)
    assert listed["a@example.com"] == Unblocked(
        "a@example.com", "allowlist.d/more.txt:3", "oak", end, september
    )
    assert listed["b@example.com"] == Unblocked(
        "b@example.com", "allowlist.d/more.txt:4", "elm", end, september, "wbirch",
        "her host signs nothing",
    )  # fmt: skip
    for one in ("early@example.com", "c@example.com"):
        assert listed[one].added_at == 1_700_000_000  # the file's own
        assert (listed[one].site, listed[one].expires_at) == ("", None)
    assert listed.get("nobody@example.com") is None
    assert dict(listed)["c@example.com"].origin == "allowlist.d/more.txt:6"


@pytest.mark.parametrize("line", ["defaults: colour=red", "defaults: waived_by=wbirch"])
def test_defaults_that_are_not_understood(tree: Any, line: str) -> None:
    tree.write("allowlist.d/more.txt", f"a@example.com\n  {line}\n")
    (error,) = tree.errors()
    assert error.startswith("allowlist.d/more.txt:2:3:")


def lines(root: Path, count: int) -> Path:
    """A folder with so many lines in one file."""
    many = root / str(count) / "allowlist.d" / "many.txt"
    many.parent.mkdir(parents=True)
    line = "p{n}@example{host}.com site=s{site} expires=2027-06-30\n"
    many.write_text("".join(line.format(n=n, host=n % 50, site=n % 9) for n in range(count)))
    return root / str(count)


def test_a_hundred_thousand_lines_load(tmp_path: Path) -> None:
    found = load_allowlist(lines(tmp_path, 100_000), "UTC")
    assert found["p99999@example49.com"].origin == "allowlist.d/many.txt:100000"


def test_many_lines_load_in_linear_time(tmp_path: Path) -> None:
    many = cost.Growing(lambda count: lines(tmp_path, count), 20_000)
    cost.assert_linear(many, lambda root: load_allowlist(root, "UTC"))
