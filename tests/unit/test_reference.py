"""The committed reference pages are what the code declares, and nothing is undescribed."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import BaseModel

from mailguard.checks import CHECKS
from mailguard.config.calendar import BusinessHours, Holiday
from mailguard.config.directory.accounts import AccountRow, DelegationRow
from mailguard.config.directory.groups import GroupEntry
from mailguard.config.directory.people import PersonRow, SiteEntry
from mailguard.config.form.forms import Address
from mailguard.config.form.validate import bare, element
from mailguard.config.form.yaml import load_file
from mailguard.config.json_schema import schema
from mailguard.config.notices import TEMPLATES
from mailguard.config.policy import PolicyFile, StepFile
from mailguard.config.settings.schema import Settings
from mailguard.core.mail.defects import ADDRESS_DEFECTS, MESSAGE_DEFECTS
from mailguard.core.notices.notice import NOTICE_TEXTS
from mailguard.core.spam.features import FEATURES
from mailguard.reference import pages
from mailguard.reference.commands import commands

ROOT = Path(__file__).parents[2]
PAGES = pages.pages(CHECKS)
COMMANDS = tuple(commands())
FILES = (
    Settings,
    PolicyFile,
    StepFile,
    PersonRow,
    SiteEntry,
    GroupEntry,
    AccountRow,
    DelegationRow,
    BusinessHours,
    Holiday,
)


def undescribed(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """Fields without a description, and sections without a docstring."""
    for name, field in model.model_fields.items():
        inner = element(bare(field.annotation)) or bare(field.annotation)
        if isinstance(inner, type) and issubclass(inner, BaseModel) and inner is not Address:
            if not inner.__doc__:
                yield f"{prefix}{name} (section)"
            yield from undescribed(inner, f"{prefix}{name}.")
        elif not (field.description or "").strip():
            yield prefix + name


@pytest.mark.parametrize("name", sorted(PAGES))
def test_committed_pages_are_current(name: str) -> None:
    """If this fails: make docs"""
    committed = (ROOT / "docs" / "reference" / name).read_text(encoding="utf-8")
    assert committed == PAGES[name]


@pytest.mark.parametrize("model", FILES, ids=lambda model: model.__name__)
def test_every_setting_has_a_description(model: type[BaseModel]) -> None:
    assert list(undescribed(model, f"{model.__name__}.")) == []


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.name)
def test_every_check_and_finding_is_described(check) -> None:
    assert list(undescribed(check.Settings, f"{check.name}.")) == []
    assert (type(check).__doc__ or "").strip()
    for kind in check.findings:
        assert kind.code.startswith(f"{check.name.replace('_', '-')}.")
        assert kind.summary.strip()
        assert kind.notice in NOTICE_TEXTS.templates
        assert f"`{kind.code}`" in PAGES["findings.md"]


def test_finding_codes_are_unique() -> None:
    codes = [kind.code for check in CHECKS for kind in check.findings]
    assert len(codes) == len(set(codes))


def test_every_metric_is_described() -> None:
    found = list(pages.our_metrics())
    assert len(found) >= 15
    for metric, _labels in found:
        assert metric.documentation.strip().endswith("."), metric.name
        assert f"`{metric.name}" in PAGES["metrics.md"]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_every_command_and_option_is_described(command) -> None:
    assert command.help.strip().split("\n\n")[0].rstrip().endswith((".", ":"))
    assert [p.name for p in command.parameters if not p.help.strip()] == []
    assert f"## {command.name}\n" in PAGES["commands.md"]


def test_every_command_group_is_there() -> None:
    names = {command.name.split()[1] for command in COMMANDS}
    groups = "serve demo check explain ledger config allowlist quarantine archive link"
    assert names >= set(groups.split())


def test_every_notice_is_told_with_its_text() -> None:
    page = PAGES["notices.md"]
    for name, template in TEMPLATES.items():
        assert template.purpose.strip()
        assert f"## {name}\n" in page
        assert template.text in page
        used = set(re.findall(r"\{(\w+)\}", template.text))
        assert used <= template.slots
        assert all(f"| `{{{slot}}}` |" in page for slot in template.slots), name


def test_every_sign_and_anomaly_is_told() -> None:
    for feature in FEATURES.values():
        assert feature.words.strip()
        assert f"| `{feature.symbol}` | {feature.points:g} |" in PAGES["spam.md"]
    for code, kind in {**MESSAGE_DEFECTS, **ADDRESS_DEFECTS}.items():
        assert kind.meaning.strip().endswith(".")
        assert f"| `{code}` |" in PAGES["anomalies.md"]


def test_no_table_lacks_a_meaning() -> None:
    """The last cell of a settings, metrics, spam, anomalies or commands row is its meaning."""
    for name in ("settings.md", "metrics.md", "spam.md", "anomalies.md", "commands.md"):
        rows = [line for line in PAGES[name].splitlines() if line.startswith("| `")]
        assert rows
        assert [row for row in rows if not row.strip("| ").split("|")[-1].strip()] == []
        assert [row for row in rows if row.endswith("|  |")] == []


def test_the_schema_names_every_check_and_code() -> None:
    policy = schema(CHECKS)["policy.yaml"]
    options = policy["properties"]["steps"]["items"]["oneOf"]
    assert [option["properties"]["check"]["const"] for option in options] == [
        check.name for check in CHECKS
    ]
    text = json.dumps(policy)
    assert all(f'"{kind.code}"' in text for check in CHECKS for kind in check.findings)
    written = load_file(ROOT / "config" / "policy.yaml").value
    assert {step["check"] for step in written["steps"]} <= {check.name for check in CHECKS}


def test_the_command_writes_the_pages(tmp_path: Path) -> None:
    assert pages.main([]) == 1
    assert pages.main(["--wrong", str(tmp_path)]) == 1
    assert pages.main([str(tmp_path / "out")]) == 0
    assert {path.name for path in (tmp_path / "out").iterdir()} == set(PAGES)


def test_checking_names_what_is_stale(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A page that was edited, one that is missing, and one that nothing generates any more."""
    there = tmp_path / "reference"
    shutil.copytree(ROOT / "docs" / "reference", there)
    assert pages.main(["--check", str(there)]) == 0
    assert capsys.readouterr().err == ""
    page = there / "metrics.md"
    page.write_text(page.read_text() + "\nBy hand.\n")
    (there / "spam.md").unlink()
    (there / "old.md").write_text("")
    assert pages.main(["--check", str(there)]) == 1
    said = capsys.readouterr().err
    assert [line.split(" is stale")[0].rpartition("/")[2] for line in said.splitlines()] == [
        "metrics.md",
        "old.md",
        "spam.md",
    ]
    assert not (there / "spam.md").exists()  # nothing was written
    assert pages.main(["--check", str(tmp_path / "none")]) == 1
