"""Every sentence of R14-R20 and R22-R25 as cases: the table says who may write to whom, and why."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from tests.rights.district import NOON, Answering, Mail, district, judged, with_settings

from mailguard.config.load import Loaded
from mailguard.core.mail.transaction import Role

TABLE = Path(__file__).parent / "table.txt"


@dataclass(frozen=True)
class Row:
    line: int
    sender: str
    to: str
    circumstances: str
    outcome: str
    rules: str
    words: str
    settings: dict[str, Any] = field(default_factory=dict)


def rows() -> list[Row]:
    found = []
    for number, line in enumerate(TABLE.read_text(encoding="utf-8").splitlines(), 1):
        if line.strip() and not line.startswith("#"):
            cells = [cell.strip() for cell in line.split("|")]
            assert len(cells) == 6, f"line {number} has {len(cells)} cells"
            found.append(Row(number, *cells))
    return found


def said(row: Row) -> str:
    return f"{row.line}: {row.sender} > {row.to} ({row.circumstances})"


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    return district(tmp_path_factory.mktemp("district") / "config")


def mailbox(name: str, loaded: Loaded) -> tuple[str, ...]:
    directory = loaded.snapshot.directory
    if name.startswith("outside-"):
        return tuple(f"parent{n}@example.net" for n in range(int(name.removeprefix("outside-"))))
    person = directory.people.get(name)
    return (person.addresses[0] if person is not None else f"{name}@example.org",)


def mailboxes(names: str, loaded: Loaded) -> tuple[str, ...]:
    return tuple(address for name in names.split() for address in mailbox(name, loaded))


def read(row: Row, loaded: Loaded) -> tuple[Mail, dict[str, Any], Answering]:
    """What a row's circumstances say."""
    kind, _, outsider = row.sender.partition(" ")
    role = {"outside": Role.MX, "relay": Role.RELAY}.get(kind, Role.SUBMISSION)
    mail = Mail(outsider or row.sender, mailboxes(row.to, loaded), role)
    settings: dict[str, Any] = {}
    ledger = Answering()
    for circumstance in filter(None, row.circumstances.strip("-").split(";")):
        what, _, value = circumstance.strip().partition(" ")
        match what:
            case "subject":
                mail = replace(mail, subject=value)
            case "text":
                mail = replace(mail, text=value)
            case "from":
                mail = replace(mail, author=value)
            case "bcc":
                mail = replace(mail, shown=())
            case "shown":
                mail = replace(mail, shown=mailboxes(value, loaded))
            case "automatic":
                mail = replace(mail, fields=(*mail.fields, "Auto-Submitted: auto-generated"))
            case "on":
                day = datetime.fromisoformat(value).replace(hour=12, tzinfo=NOON.tzinfo)
                mail = replace(mail, at=day.timestamp())
            case "answers":
                mail = replace(mail, fields=(*mail.fields, "In-Reply-To: <first@example.org>"))
                ledger = Answering(mailboxes(value, loaded))
            case "set":
                name, _, given = value.partition("=")
                settings[name] = {"true": True, "false": False}.get(given, given)
            case _:
                raise AssertionError(circumstance)
    return mail, settings, ledger


@pytest.mark.parametrize("row", rows(), ids=said)
def test_row(row: Row, loaded: Loaded) -> None:
    mail, settings, ledger = read(row, loaded)
    changed = with_settings(loaded, **settings) if settings else loaded
    (one,) = judged(changed, [mail], ledger)
    decision = one.decision
    assert not [v.error for v in decision.verdicts if v.error]
    disposition, _, code = row.outcome.partition(" ")
    why = [(j.finding.code, j.finding.evidence) for j in decision.judgements]
    for recipient in mail.to:
        outcome = decision.outcomes[recipient]
        assert outcome.disposition.word == disposition, why
        codes = [reason.finding.code.partition(".")[2] for reason in outcome.reasons]
        if code == "-":
            assert not outcome.reasons, why
            continue
        assert code in codes, why
        finding = outcome.reasons[codes.index(code)].finding
        kind = one.snapshot.policy.finding_type(finding.code)
        assert kind is not None
        assert list(finding.rules or kind.rules) == row.rules.split(), why
        assert row.words in finding.evidence


def test_the_table_is_long_enough_to_be_believed() -> None:
    found = rows()
    assert len(found) >= 120
    cited = " ".join(row.rules for row in found).split()
    for rule in ("R14", "R15", "R16", "R17", "R18", "R19", "R20", "R24", "R25"):
        outcomes = {row.outcome.split()[0] for row in found if rule in row.rules.split()}
        assert cited.count(rule) >= 4, rule
        assert len(outcomes) > 1 or rule in ("R19", "R20", "R24", "R25"), (
            f"{rule} is only {outcomes}"
        )
