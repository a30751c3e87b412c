"""Only single addresses get onto the unblocked list, by whatever way (R37, R38)."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from mailguard.config.allowlist import REASON, Entry, expires_at, parse_csv, parse_entry


@pytest.mark.parametrize(
    ("text", "entry"),
    [
        ("Rosa.Alder@Example.com", Entry("rosa.alder@example.com")),
        (
            "  rosa@example.com  expires=2027-06-30 site=oak by=wbirch ",
            Entry("rosa@example.com", date(2027, 6, 30), "oak", "wbirch"),
        ),
        ("o'hara+school@example.com", Entry("o'hara+school@example.com")),
        ("a/b=c@example.com", Entry("a/b=c@example.com")),
    ],
)
def test_entries(text: str, entry: Entry) -> None:
    assert parse_entry(text) == entry


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
def test_anything_wider_is_refused_with_the_reason(text: str) -> None:
    with pytest.raises(ValueError, match="R37") as refused:
        parse_entry(text)
    assert REASON in str(refused.value)
    assert "; allowed: one full address" in str(refused.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "there is no address"),
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
    ],
)
def test_malformed_entries(text: str, said: str) -> None:
    with pytest.raises(ValueError, match="allowed: ") as refused:
        parse_entry(text)
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


def test_csv_with_headings() -> None:
    found = parse_csv(
        [
            "\ufeffParent,E-Mail,Remark\n",
            "Rosa,rosa@example.com; Theo <THEO@example.com>,call@school\n",
            "Ida,,none\n",
            "Bo,*@example.com,\n",
            '"Di, Fi","di@example.com\n',
            'fi@example.com",\n',
            "Ro,ROSA@example.com,\n",
            ",,\n",
        ],
        site="oak",
        expires=date(2027, 6, 30),
    )
    assert [entry.address for entry in found.entries] == [
        "rosa@example.com",
        "theo@example.com",
        "di@example.com",
        "fi@example.com",
    ]
    assert found.entries[0] == Entry("rosa@example.com", date(2027, 6, 30), "oak")
    assert [(row, "R37" in said) for row, said in found.errors] == [(4, True)]
    assert found.duplicates == ((6, "rosa@example.com"),)
    assert found.without == 1


def test_csv_without_headings() -> None:
    found = parse_csv(["Rosa Alder,rosa@example.com\n", "theo@example.com,@gmail.com\n"])
    assert len(found.entries) == 2
    assert found.errors[0][0] == 2


def test_csv_that_is_none() -> None:
    found = parse_csv(["a" * 200_000 + "\n", "rosa@example.com\n"])
    assert found.errors[0][0] == 1
