"""Real workbooks and CSV through the child process; bombs that it must not survive (R38)."""

from __future__ import annotations

import asyncio
import gc
import io
import resource
import sys
import zipfile
from collections.abc import Callable, Coroutine, Sequence
from datetime import date
from typing import Any

import pytest
import xlsxwriter

from mailguard.adapters.workers import spreadsheet
from mailguard.adapters.workers.spreadsheet import MAX_OCTETS, read_sheet
from mailguard.core.sheets.sheet import Sheet, SheetRejected, SheetRow

DAY = date(2026, 9, 1)
_NAMESPACE = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"


def workbook(fill: Callable[[Any], None]) -> bytes:
    octets = io.BytesIO()
    book = xlsxwriter.Workbook(octets)
    fill(book)
    book.close()
    return octets.getvalue()


def altered(raw: bytes, **members: bytes) -> bytes:
    """A workbook with other contents in some of its files."""
    old, octets = zipfile.ZipFile(io.BytesIO(raw)), io.BytesIO()
    with zipfile.ZipFile(octets, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(
                name, members.get(name.rpartition("/")[2].partition(".")[0], old.read(name))
            )
    return octets.getvalue()


def small() -> bytes:
    return workbook(lambda book: book.add_worksheet().write("A1", "rosa@example.com"))


async def rows(raw: bytes) -> Sequence[SheetRow]:
    sheet = await read_sheet(raw, "p")
    assert isinstance(sheet, Sheet), sheet
    return sheet.tables[0].rows


async def refusal(raw: bytes) -> str:
    answer = await read_sheet(raw, "p")
    assert isinstance(answer, SheetRejected), answer
    return answer.refused


async def test_a_workbook_as_people_make_it() -> None:
    def fill(book: Any) -> None:
        oak = book.add_worksheet("Oak")
        oak.write_row("B3", ["Email", "School", "Room", "Since"])
        oak.write("B4", " rosa@example.com\ntheo@example.com ")
        oak.write("B5", "ida@example.com")
        oak.merge_range("C4:C5", "Oak")
        oak.merge_range("B8:B9", "twice@example.com")
        oak.write("D4", 12)
        oak.write("D5", 1.5)
        oak.write("E4", True)
        oak.write_datetime("E5", DAY, book.add_format({"num_format": "yyyy-mm-dd"}))
        oak.write_formula("B7", '="a"&"@example.com"', value="a@example.com")
        oak.write_url("B10", "mailto:link@example.com", string="link@example.com")
        oak.write("A10", "x")
        book.add_worksheet("Old").write("A1", "old@example.com")
        book.get_worksheet_by_name("Old").hide()
        book.add_chartsheet("Picture").set_chart(chart(book))
        book.add_worksheet("Empty")

    sheet = await read_sheet(workbook(fill), "parents.xlsx")
    assert isinstance(sheet, Sheet)
    assert [(t.name, t.hidden, len(t.rows)) for t in sheet.tables] == [
        ("Oak", False, 6),
        ("Old", True, 0),
        ("Empty", False, 0),
    ]
    assert sheet.tables[0].rows == (
        SheetRow(3, ("", "Email", "School", "Room", "Since")),
        SheetRow(4, ("", "rosa@example.com\ntheo@example.com", "Oak", "12", "True")),
        SheetRow(5, ("", "ida@example.com", "Oak", "1.5", "2026-09-01")),
        SheetRow(7, ("", "a@example.com")),
        SheetRow(8, ("", "twice@example.com")),  # a merged cell's address counts once
        SheetRow(10, ("x", "link@example.com")),
    )


def chart(book: Any) -> Any:
    made = book.add_chart({"type": "line"})
    made.add_series({"values": "=Oak!$D$4:$D$5"})
    return made


@pytest.mark.parametrize(
    ("raw", "cells"),
    [
        (b"Name,Email\r\nRosa,r@x.test; t@x.test\r\n", ("Rosa", "r@x.test; t@x.test")),
        (b"Name;Email\nRosa;r@x.test, t@x.test\n", ("Rosa", "r@x.test, t@x.test")),
        (b"Name\tEmail\nRosa\tr@x.test\n", ("Rosa", "r@x.test")),
        (b"sep=|\nName|Email\nRosa|r@x.test,;\n", ("Rosa", "r@x.test,;")),
        (b'Name,Email\n"Alder, ""R""\nRosa",r@x.test\n', ('Alder, "R"\nRosa', "r@x.test")),
        ("\ufeffName,Email\nJosé,r@x.test\n".encode(), ("José", "r@x.test")),
        ("Name;Email\nJosé;r@x.test\n".encode("cp1252"), ("José", "r@x.test")),
        ("Name\tEmail\nJosé\tr@x.test\n".encode("utf-16"), ("José", "r@x.test")),
        ("Name,Email\nJosé,r@x.test\n".encode("utf-16-le"), ("José", "r@x.test")),
        ("Name,Email\nJosé,r@x.test\n".encode("utf-16-be"), ("José", "r@x.test")),
        (b"Email\rr@x.test\r", ("r@x.test",)),
        (b"Email\n\n", None),
    ],
)
async def test_csv_as_programs_write_it(raw: bytes, cells: tuple[str, ...] | None) -> None:
    found = await rows(raw)
    assert (found[1] if len(found) > 1 else None) == (None if cells is None else SheetRow(2, cells))


async def test_rows_are_counted_as_a_spreadsheet_counts_them() -> None:
    found = await rows(b'Email\n"a@x.test\nb@x.test"\n,\n\nc@x.test\n')
    assert [row.number for row in found] == [1, 2, 5]


def roses(count: int) -> bytes:
    def fill(book: Any) -> None:
        oak = book.add_worksheet()
        for number in range(count):
            oak.write_row(number, 0, [f"Rosa {number}", f"rosa{number}@example.com", "Oak"])

    return workbook(fill)


async def test_fifty_thousand_rows() -> None:
    sheet, grown = await watched(read_sheet(roses(50_000), "p.xlsx"))
    assert grown < 200_000_000  # octets; 25,000,000 measured
    assert isinstance(sheet, Sheet)
    assert sheet.tables[0].rows[-1].cells == ("Rosa 49999", "rosa49999@example.com", "Oak")


def huge_dimension() -> bytes:
    rows = (
        f'<worksheet xmlns="{_NAMESPACE}"><sheetData>'
        '<row r="1"><c r="A1"><v>1</v></c></row>'
        '<row r="1048576"><c r="XFD1048576"><v>1</v></c></row></sheetData></worksheet>'
    )
    return altered(small(), sheet1=rows.encode())


def shared_strings() -> bytes:
    table = f'<sst xmlns="{_NAMESPACE}">'.encode() + b"<si><t>a</t></si>" * 8_500_000 + b"</sst>"
    return altered(small(), sharedStrings=table)


def one_string_many_times() -> bytes:
    table = (
        f'<sst xmlns="{_NAMESPACE}"><si><t>'.encode() + b"a@x.test " * 3_600 + b"</t></si></sst>"
    )
    cells = "".join(f'<row r="{n}"><c r="A{n}" t="s"><v>0</v></c></row>' for n in range(1, 90_000))
    rows = f'<worksheet xmlns="{_NAMESPACE}"><sheetData>{cells}</sheetData></worksheet>'
    return altered(small(), sharedStrings=table, sheet1=rows.encode())


def lying_directory() -> bytes:
    """Its directory admits to a thousand octets of what are 300 million."""
    raw = altered(small(), sharedStrings=b"<sst><si><t>" + b"a" * 300_000_000)
    honest = (300_000_012).to_bytes(4, "little")
    assert honest in raw
    return raw.replace(honest, (1_000).to_bytes(4, "little"))


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (huge_dimension, "takes more memory or time"),
        (shared_strings, "it unpacks to 144,5"),
        (one_string_many_times, "takes more memory or time"),
        (lambda: altered(small(), sheet1=b"\0" * 300_000_000), "it unpacks to 300,0"),
        (lying_directory, "it cannot be read as a workbook"),
        (lambda: b"a,b\n" * 200_000, "it has more than 100,000 rows"),
        (lambda: b"," * 300 + b"a\n", "row 1 has 301 columns"),
        (lambda: b"a" * 40_000, "field larger than field limit (32767)"),
        (lambda: (b'"' + b"a" * 20_000 + b'",') * 20, "row 1 holds too much text"),
        (lambda: b'"' + b"a\n" * 1_000_000, "field larger than field limit"),
        (lambda: b"a" * (MAX_OCTETS + 1), "it has 16,777,217 octets; allowed are 16,777,216"),
    ],
)
async def test_bombs_are_refused_with_words_and_little_memory(
    make: Callable[[], bytes], said: str
) -> None:
    raw = make()
    refused, grown = await watched(read_sheet(raw, "p"))
    assert isinstance(refused, SheetRejected)
    assert said in refused.refused and refused.refused.isprintable()
    assert grown < 100_000_000  # octets; at most 17,000,000 measured


async def watched(
    reading: Coroutine[Any, Any, Sheet | SheetRejected],
) -> tuple[Sheet | SheetRejected, int]:
    """What comes of it, and by how much this process grew at most meanwhile."""
    gc.collect()
    before = most = resident()
    task = asyncio.ensure_future(reading)
    while not task.done():
        await asyncio.sleep(0.001)
        most = max(most, resident())
    return task.result(), most - before


def resident() -> int:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600, "old or a protected workbook"),
        (b"PK\x03\x04" + b"x" * 600, "it is damaged"),
        (small()[:2_000], "it is damaged"),
        (altered(small(), sheet1=b"<worksheet><sheetData><row"), "cannot be read as a workbook"),
        (altered(small(), workbook=b"<"), "cannot be read as a workbook"),
        (b"\x81\x8d\x8f" * 9, "neither an Excel workbook (.xlsx) nor CSV"),
        (b"a\xff\0", "neither an Excel workbook (.xlsx) nor CSV"),
    ],
)
async def test_what_is_no_sheet_is_refused_with_words(raw: bytes, said: str) -> None:
    assert said in await refusal(raw)


async def test_another_archive_is_refused() -> None:
    octets = io.BytesIO()
    with zipfile.ZipFile(octets, "w") as archive:
        archive.writestr("letter.txt", "rosa@example.com")
    assert await refusal(octets.getvalue()) == (
        "it is no Excel workbook; save it as .xlsx or as CSV"
    )


async def test_many_sheets_are_refused() -> None:
    raw = workbook(lambda book: [book.add_worksheet() for _ in range(101)] and None)
    assert await refusal(raw) == "it has 101 sheets; allowed are 100"


async def test_a_child_that_takes_too_long_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spreadsheet, "_SECONDS", 0.001)
    assert "memory or time" in await refusal(small())


async def test_the_child_may_take_little_and_open_neither_file_nor_socket() -> None:
    code = (
        "import resource, socket\n"
        "from mailguard.adapters.workers.spreadsheet_child import _confine\n"
        "_confine()\n"
        "for limit in ('AS', 'CPU', 'FSIZE', 'CORE'):\n"
        "    print(resource.getrlimit(getattr(resource, f'RLIMIT_{limit}'))[1])\n"
        "for attempt in (socket.socket, lambda: open('/dev/null')):\n"
        "    try: attempt()\n"
        "    except OSError as error: print(error.errno)\n"
    )
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, stdout=asyncio.subprocess.PIPE
    )
    said, _ = await child.communicate()
    assert said.split() == [b"536870912", b"20", b"0", b"0", b"24", b"24"]  # EMFILE
