"""docs/rules.md is the register: what findings cite stands there, and what it names exists."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from mailguard.checks import CHECKS
from mailguard.core.people.rights import ROLES
from mailguard.core.spam.features import FEATURES

ROOT = Path(__file__).parents[2]
STATES = {"done", "partly", "not yet"}
CITED = re.compile(r"\bR\d{1,2}\b")


@dataclass(frozen=True)
class Row:
    rule: str
    asks: str
    state: str
    today: str
    shown_by: str

    @property
    def codes(self) -> set[str]:
        named = re.findall(r"`([a-z-]+\.[a-z-]+)`", self.today)
        return {n for n in named if not n.endswith((".csv", ".yaml"))}


def rows() -> dict[str, Row]:
    text = (ROOT / "docs" / "rules.md").read_text(encoding="utf-8")
    found = [
        Row(*(cell.strip() for cell in line.strip("|").split("|")))
        for line in text.splitlines()
        if re.match(r"\| R\d", line)
    ]
    assert len({row.rule for row in found}) == len(found)
    return {row.rule: row for row in found}


ROWS = rows()
KINDS = {kind.code: kind for check in CHECKS for kind in check.findings}


def test_every_rule_has_one_row_in_order() -> None:
    assert list(ROWS) == [f"R{n}" for n in range(1, 57)]
    assert {row.state for row in ROWS.values()} == STATES
    assert all(row.asks.endswith(".") for row in ROWS.values())


@pytest.mark.parametrize("code", KINDS)
def test_a_rule_that_a_finding_cites_names_the_finding(code: str) -> None:
    for rule in KINDS[code].rules:
        assert code in ROWS[rule].codes, f"{code} cites {rule}, whose row does not name it"
        assert ROWS[rule].state != "not yet"


@pytest.mark.parametrize("rule", ROWS)
def test_what_a_row_names_exists(rule: str) -> None:
    row = ROWS[rule]
    for code in row.codes:
        assert rule in KINDS[code].rules, f"{code} does not cite {rule}"
    for symbol in re.findall(r"`([A-Z_]{4,})`", row.today):
        assert symbol in FEATURES
    if row.state == "not yet":
        assert not row.codes
        assert not row.shown_by
        return
    assert row.today
    assert row.shown_by or rule == "R36", "what is done is shown by a test"
    for path in re.findall(r"`(tests/[^`]+)`", row.shown_by):
        assert (ROOT / path).is_file(), path
    for number in re.findall(r"\b\d{3}\b", row.shown_by):
        assert list((ROOT / "tests" / "cases").glob(f"{number}-*")), number


def test_code_and_documents_cite_known_rules_only() -> None:
    cited = {rule for role in ROLES.values() for rule in role.rules}
    for path in (*ROOT.glob("src/mailguard/**/*.py"), *ROOT.glob("docs/**/*.md")):
        cited |= set(CITED.findall(path.read_text(encoding="utf-8")))
    assert cited <= set(ROWS)
