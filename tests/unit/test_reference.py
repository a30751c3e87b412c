"""The committed reference pages are what the code declares, and nothing is undocumented."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import BaseModel

from mailguard.checks import CHECKS
from mailguard.config import reference
from mailguard.config.schema import Address, Settings
from mailguard.config.validate import bare, element
from mailguard.config.yaml import load_file

ROOT = Path(__file__).parents[3]


def undescribed(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    for name, field in model.model_fields.items():
        inner = element(bare(field.annotation)) or bare(field.annotation)
        nested = isinstance(inner, type) and issubclass(inner, BaseModel) and inner is not Address
        if nested:
            yield from undescribed(inner, f"{prefix}{name}.")
        elif not field.description:
            yield prefix + name


@pytest.mark.parametrize("name", sorted(reference.pages(CHECKS)))
def test_committed_pages_are_current(name: str) -> None:
    """If this fails: python -m mailguard.config.reference docs/reference"""
    committed = (ROOT / "docs" / "reference" / name).read_text(encoding="utf-8")
    assert committed == reference.pages()[name]


def test_every_setting_has_a_description() -> None:
    missing = list(undescribed(Settings))
    for check in CHECKS:
        missing += undescribed(check.Settings, f"{check.name}.")
    assert missing == []


def test_every_finding_has_its_rules_and_the_code_of_its_check() -> None:
    codes = [kind.code for check in CHECKS for kind in check.findings]
    assert len(codes) == len(set(codes))
    for check in CHECKS:
        for kind in check.findings:
            assert kind.code.startswith(f"{check.name.replace('_', '-')}.")
            assert kind.summary


def test_the_schema_names_every_check_and_code() -> None:
    policy = reference.schema(CHECKS)["policy.yaml"]
    options = policy["properties"]["steps"]["items"]["oneOf"]
    assert [option["properties"]["check"]["const"] for option in options] == [
        check.name for check in CHECKS
    ]
    text = json.dumps(policy)
    assert all(f'"{kind.code}"' in text for check in CHECKS for kind in check.findings)
    written = load_file(ROOT / "config" / "policy.yaml").value
    assert {step["check"] for step in written["steps"]} <= {check.name for check in CHECKS}


def test_every_metric_is_on_its_page() -> None:
    page = reference.metrics_page()
    for name in (
        "mailguard_messages_total",
        "mailguard_outbox_messages",
        "mailguard_stage_seconds",
    ):
        assert f"`{name}`" in page


def test_the_command_writes_the_pages(tmp_path: Path) -> None:
    assert reference.main([]) == 1
    assert reference.main([str(tmp_path / "out")]) == 0
    assert {path.name for path in (tmp_path / "out").iterdir()} == set(reference.pages())
