"""What a school's sheet comes to: cells taken apart, columns found, errors by cell (R37, R38)."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from tests.support import cost

from mailguard.core.sheets import parents
from mailguard.core.sheets.parents import Duplicate, ImportPlan, ParentEntry, Problem
from mailguard.core.sheets.sheet import Sheet, SheetRow, SheetTable, cell_name


def plan(*rows: tuple[str, ...], listed: tuple[str, ...] = (), **options: Any) -> ImportPlan:
    table = SheetTable("", tuple(SheetRow(number, cells) for number, cells in enumerate(rows, 1)))
    return parents.plan(Sheet("p.xlsx", (table,)), lambda one: one in listed, **options)


@pytest.mark.parametrize(
    ("cell", "addresses"),
    [
        ("Rosa@Example.com", ["rosa@example.com"]),
        ("a@x.test; b@x.test,c@x.test\nd@x.test e@x.test", [f"{c}@x.test" for c in "abcde"]),
        ("Rosa Alder <rosa@x.test>", ["rosa@x.test"]),
        ('"Alder, Rosa" <rosa@x.test>; Theo <theo@x.test>', ["rosa@x.test", "theo@x.test"]),
        ("Alder, Rosa <rosa@x.test>, Hazel, Theo <theo@x.test>", ["rosa@x.test", "theo@x.test"]),
        ("a@x.test; Theo <theo@x.test> (father)", ["a@x.test", "theo@x.test"]),
        ("rosa@x.test <mailto:rosa@x.test>", ["rosa@x.test"]),
        ("mailto:rosa@x.test?subject=Hello", ["rosa@x.test"]),
        ("MAILTO:rosa%2Boak@x.test", ["rosa+oak@x.test"]),
        ("Rosa Alder rosa@x.test", ["rosa@x.test"]),
        ("Rosa O'Hara, rosa@x.test", ["rosa@x.test"]),
        ("rosa@x.test / theo@x.test & ida@x.test", ["rosa@x.test", "theo@x.test", "ida@x.test"]),
        ("\u200brosa@x.test\u200b", ["rosa@x.test"]),
        ("rosa@x.test\u00a0", ["rosa@x.test"]),
        ("'rosa@x.test", ["rosa@x.test"]),
        ("rosa@x.test; ROSA@x.test", ["rosa@x.test"]),
        ("<rosa@x.test>", ["rosa@x.test"]),
        ("n/a", []),
        (" - ", []),
    ],
)
def test_what_a_cell_holds(cell: str, addresses: list[str]) -> None:
    found = plan(("Email",), (cell,), ("last@x.test",))
    assert [one.address for one in found.entries] == [*addresses, "last@x.test"]
    assert found.errors == ()


@pytest.mark.parametrize(
    ("cell", "problems"),
    [
        ("@gmail.com", ["'@gmail.com' names a whole domain (R37)"]),
        ("gmail.com", ["'gmail.com' names a whole domain (R37)"]),
        ("*@gmail.com", ["'*@gmail.com' is a pattern (R37)"]),
        ("*.gmail.com", ["'*.gmail.com' is a pattern (R37)"]),
        ("%", ["'%' is a pattern (R37)"]),
        ("＊@gmail.com", ["'＊@gmail.com' is a pattern (R37)"]),
        ("(rosa|theo)@x.test", ["'(rosa|theo)@x.test' is a pattern (R37)"]),
        ("a@x.test, gmail.com", ["'gmail.com' names a whole domain (R37)"]),
        ("a@x.test; Rosa <@gmail.com>", ["'@gmail.com' names a whole domain (R37)"]),
        ("gmail.com, Rosa <a@x.test>", ["'gmail.com' names a whole domain (R37)"]),
        ("Rosa Alder", ["'Rosa Alder' is no address"]),
        ("rosa#x", ["'rosa#x' is no address"]),
        ("a@x.test; rosa#x", ["'rosa#x' is no address"]),
        ("=rosa@x.test", ["'=rosa@x.test' begins as a formula does"]),
        ("+rosa@x.test", ["'+rosa@x.test' begins as a formula does"]),
        ("theo@x.test <rosa@x.test>", ["'theo@x.test' is shown, and 'rosa@x.test' is meant"]),
        ("rosa@x.test>", ["'x.test>' is no mail domain"]),
        ("rosa@x.test> Theo <a@x.test>", ["'rosa@x.test' has no '<' before its '>'"]),
        ("a@b@x.test", ["'a@b@x.test' is no mail address"]),
        ("rosa@localhost", ["'localhost' is no mail domain"]),
        ("ro\u202esa@x.test", ["'ro\\u202esa@x.test' is no mail address"]),
        ("r\u200bosa@x.test", ["'r\\u200bosa@x.test' is no mail address"]),
    ],
)
def test_what_is_refused_by_cell(cell: str, problems: list[str]) -> None:
    found = plan(("Name", "Email"), ("Rosa", cell))
    assert [one.problem.partition(":")[0] for one in found.errors] == problems
    assert {(one.place, one.name) for one in found.errors} == {("B2", "Rosa")}
    assert {one.address for one in found.entries} <= {"a@x.test"}


def test_duplicates_in_the_sheet_and_on_the_list() -> None:
    found = plan(
        ("Email", "Email 2"), ("a@x.test", "b@x.test"), ("B@X.test", ""), listed=("a@x.test",)
    )
    assert [one.address for one in found.entries] == ["a@x.test", "b@x.test"]
    assert found.duplicates == (
        Duplicate("A2", "a@x.test", ""),
        Duplicate("A3", "b@x.test", "B2"),
    )


@pytest.mark.parametrize(
    ("rows", "addresses"),
    [
        ([("a@x.test",), ("b@x.test",)], "ab"),  # no headings
        ([("x", "a@x.test"), ("y", "b@x.test"), ("call@school", "c@x.test")], "abc"),
        ([("Oak School parents 2026",), ("", "E-Mail"), ("x", "a@x.test")], "a"),
        ([("Teacher", "Parent e-mail"), ("t@x.test", "a@x.test"), ("u@x.test", "-")], "a"),
        ([("Parent 1 Email", "", "Name"), ("a@x.test", "b@x.test", "X")], "ab"),
        ([("Adresa",), ("a@x.test",)], "a"),  # unknown, and yet a heading
        ([("Email", "Parent"), ("", "Rosa <a@x.test>"), ("b@x.test", "Bo <b@x.test>")], "b"),
        ([("Parent",), ("Rosa <a@x.test>",)], "a"),
        ([("Mailing address", "Email"), ("12 Oak Street", "a@x.test")], "a"),
    ],
)
def test_columns_are_found_by_headings_and_by_what_they_hold(
    rows: list[tuple[str, ...]], addresses: str
) -> None:
    found = plan(*rows)
    assert "".join(one.address[0] for one in found.entries) == addresses
    assert found.errors == ()


def test_nothing_with_an_address_in_it_is_left_out_silently() -> None:
    found = plan(("Email", "Remark", "Parent"), ("a@x.test", "call@school", "P"))
    assert found.passed_over == (
        Problem("B2", "'call@school' stands in no column of addresses", "P"),
    )


def test_sites() -> None:
    rows = (
        ("School", "Email"),
        ("", "a@x.test"),
        ("Oak  elementary", "b@x.test"),
        ("elm", "c@x.test"),
    )
    sites = [("oak", "Oak Elementary"), ("cedar", "Cedar High")]
    found = plan(*rows, site="cedar", sites=sites)
    assert found.entries == (
        ParentEntry("a@x.test", "cedar", "B2"),
        ParentEntry("b@x.test", "oak", "B3"),
    )
    assert found.errors == (Problem("A4", "'elm' is no site of the district"),)
    assert [one.site for one in plan(*rows).entries] == ["", "Oak elementary", "elm"]


def test_several_sheets_are_named_and_hidden_ones_are_not_read() -> None:
    tables = (
        SheetTable("Oak", (SheetRow(4, ("a@x.test",)),)),
        SheetTable("Elm\x1b", (SheetRow(2, ("", "@x.test")),)),
        SheetTable("Old", (), hidden=True),
        SheetTable("Read me", (SheetRow(1, ("words",)),)),
        SheetTable("Empty", ()),
    )
    found = parents.plan(Sheet("p.xlsx", tables), lambda _: False, origin="mail from rosa")
    assert found.origin == "mail from rosa"
    assert found.entries == (ParentEntry("a@x.test", "", "Oak!A4"),)
    assert [one.place for one in found.errors] == ["Elm\\x1b!B2"]
    assert [str(one) for one in found.passed_over] == [
        "Old: is hidden, and was not read",
        "Read me: there is no column of mail addresses",
    ]


def test_headings_of_unknown_words_are_told() -> None:
    assert [str(one) for one in plan(("Adresa",), ("a@x.test",)).passed_over] == [
        "A1: was taken for the row of headings"
    ]
    assert plan(("Email",), ("a@x.test",)).passed_over == ()
    assert [one.place for one in plan(("gmail.com",), ("a@x.test",)).errors] == ["A1"]


def test_a_sheet_without_addresses_is_an_error() -> None:
    assert [one.problem for one in plan(("Name",), ("Rosa",)).errors] == ["holds no mail address"]


def test_the_report() -> None:
    rows = [("Name", "Email"), ("Bo\x1b[31m", "@x.test"), ("Di", "a@x.test"), ("Fi", "a@x.test")]
    found = plan(*rows, ("Li", "b@x.test"), listed=("b@x.test",))
    assert parents.report(found, date(2027, 6, 30), taken=False) == (
        "p.xlsx: 1 new address found.\n"
        "1 address was on the list already.\n"
        "Nothing was imported: please mend the cells below and send the file again.\n"
        "\n"
        "Not understood (1):\n"
        "  B2 (Bo\\x1b[31m): '@x.test' names a whole domain (R37)\n"
        "  R37: only specific, individual addresses are unblocked; a whole domain or a pattern "
        "would let in forged senders and more spam.\n"
        "\n"
        "Twice in the file, taken once (1):\n"
        "  B4: a@x.test (as in B3)\n"
    )
    taken = parents.report(found, date(2027, 6, 30))
    assert taken.startswith("p.xlsx: 1 new address put on the list, until 2027-06-30.\n")
    many = plan(("Email",), *[(f"@x{n}.test",) for n in range(70)])
    assert parents.report(many).count("\n  ") == parents.SHOWN + 2  # "and 20 more", and R37


def test_a_year() -> None:
    assert parents.a_year_after(date(2026, 9, 1)) == date(2027, 9, 1)
    assert parents.a_year_after(date(2028, 2, 29)) == date(2029, 2, 28)


def test_names_of_cells() -> None:
    columns = {0: "A", 25: "Z", 26: "AA", 51: "AZ", 52: "BA", 701: "ZZ", 702: "AAA", 16383: "XFD"}
    assert {n: cell_name(n, 7) for n in columns} == {n: f"{c}7" for n, c in columns.items()}


@pytest.mark.parametrize(
    "cell",
    [
        *(cost.growing(unit, 30_000 // len(unit)) for unit in (
            "<", ">", "a@", ", ", "a.b", "\u200b", "*", "a@x.test<", '"', "a@x.test ",
        )),
        cost.growing("-", 30_000, after="@"),
    ],
    ids=str,
)  # fmt: skip
def test_hostile_cells_take_linear_time(cell: cost.Growing[str]) -> None:
    cost.assert_linear(cell, lambda text: plan(("Email",), (text,)))
