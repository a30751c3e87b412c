"""`mailguard allowlist`: preview, import in one go, batches, undo; waivers."""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import xlsxwriter
from typer.testing import CliRunner, Result

from mailguard.cli.root import application

ROOT = Path(__file__).resolve().parents[3]


class District:
    """The example district with a state of its own."""

    def __init__(self, root: Path) -> None:
        self.root = root
        shutil.copytree(ROOT / "config", root / "config")
        (root / "state").mkdir(mode=0o700)

    def run(self, *arguments: str) -> Result:
        config = ["--config", str(self.root / "config")]
        return CliRunner().invoke(application, ["allowlist", *arguments, *config])

    def json(self, *arguments: str) -> Any:
        result = self.run(*arguments, "--json")
        return json.loads(result.stdout.splitlines()[0])

    def listed(self) -> set[str]:
        return {one["address"] for one in self.json("list") if one["kept_in"] == "database"}


@pytest.fixture
def district(tmp_path: Path) -> District:
    return District(tmp_path)


def sheet(district: District, *rows: tuple[str, ...]) -> str:
    octets = io.BytesIO()
    book = xlsxwriter.Workbook(octets)
    page = book.add_worksheet()
    for number, row in enumerate((("Parent", "Email"), *rows)):
        page.write_row(number, 0, row)
    book.close()
    path = district.root / "parents-oak.xlsx"
    path.write_bytes(octets.getvalue())
    return str(path)


GOOD = (("Ann", "ann@example.com; Bo <bo@example.com>"), ("Rosa", "rosa.alder@example.com"))


def test_a_preview_changes_nothing(district: District) -> None:
    shown = district.run("import", sheet(district, *GOOD), "--dry-run", "--site", "oak")
    assert shown.exit_code == 0, shown.output
    assert "B2" in shown.stdout and "ann@example.com" in shown.stdout
    assert "parents-oak.xlsx: 2 new addresses found." in shown.stdout
    assert "1 address was on the list already." in shown.stdout  # in a file
    assert district.listed() == set()
    assert district.json("batches") == []


def test_an_import_and_its_undo(district: District) -> None:
    district.run("add", "bo@example.com")
    done = district.run(
        "import",
        sheet(district, *GOOD),
        "--site",
        "oak",
        "--by",
        "wbirch",
        "--expires",
        "2027-06-30",
    )
    assert done.exit_code == 0, done.output
    assert "1 new address put on the list, until 2027-06-30." in done.stdout
    assert district.listed() == {"ann@example.com", "bo@example.com", "rosa.alder@example.com"}
    (batch,) = district.json("batches")
    assert (batch["entries"], batch["added_by"]) == (3, "wbirch")
    assert batch["batch"] in done.stdout and batch["batch"] in district.run("batches").stdout
    rows = [one for one in district.json("list") if one.get("batch") == batch["batch"]]
    assert {(one["site"], one["origin"]) for one in rows} == {("oak", "import parents-oak.xlsx")}
    undone = district.run("undo", batch["batch"])
    assert undone.stdout == "3 address(es) taken off\n"
    assert district.listed() == {"bo@example.com"}  # it was there before
    assert district.run("undo", batch["batch"]).exit_code == 1


def test_errors_import_nothing_unless_they_are_skipped(district: District) -> None:
    file = sheet(district, *GOOD, ("Di", "@gmail.com"))
    refused = district.run("import", file)
    assert refused.exit_code == 1
    assert "B4 (Di): '@gmail.com' names a whole domain (R37)" in refused.stdout
    assert "nothing was imported" in refused.stderr
    assert district.listed() == set()
    assert district.json("import", file, "--dry-run")["errors"] == [
        {"place": "B4", "problem": "'@gmail.com' names a whole domain (R37)", "name": "Di"}
    ]
    skipped = district.run("import", file, "--skip-errors")
    assert skipped.exit_code == 0, skipped.output
    assert len(district.listed()) == 3


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("import", "nowhere.xlsx"), "No such file"),
        (("import", "{sheet}", "--site", "moon"), "no site"),
        (("import", "{sheet}", "--expires", "soon"), "is no date"),
        (("add", "a@example.com", "--because", "x"), "who decided it and why"),
        (("add", "a@example.com", "gmail.com"), "R37"),
        (("undo", "nothing"), "no import 'nothing' stands"),
    ],
)
def test_what_is_refused(district: District, arguments: tuple[str, ...], said: str) -> None:
    file = sheet(district, *GOOD)
    done = district.run(*(word.replace("{sheet}", file) for word in arguments))
    assert done.exit_code == 1
    assert said in done.stderr
    assert district.listed() == set()


def test_no_workbook(district: District) -> None:
    path = district.root / "p.xlsx"
    path.write_bytes(b"PK\x03\x04")
    assert district.run("import", str(path)).stderr.endswith("p.xlsx: it is damaged\n")


def test_a_waiver_is_shown_with_who_and_why(district: District) -> None:
    waived = ("--waived-by", "wbirch", "--because", "her host signs nothing")
    assert district.run("add", "li@example.com", *waived).exit_code == 0
    (entry,) = [one for one in district.json("list") if one["address"] == "li@example.com"]
    assert (entry["waived_by"], entry["waived_because"]) == ("wbirch", "her host signs nothing")
    assert all(one["added_at"] for one in district.json("list"))  # of files too
