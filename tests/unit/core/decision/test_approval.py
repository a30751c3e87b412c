"""Whose yes a finding needs: its spelling, and that no part of the core knows a check by name."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mailguard.checks import CHECKS
from mailguard.core.decision.approval import (
    OUTSIDE,
    PERSON,
    anybody_of,
    each_of,
    is_office,
    read,
    written,
)

SOURCE = Path(__file__).parents[4] / "src" / "mailguard"
KINDS = [kind for check in CHECKS for kind in check.findings]


@pytest.mark.parametrize("folder", ["core", "casework"])
def test_core_and_casework_know_no_finding_by_its_code(folder: str) -> None:
    """Comments and docstrings may give an example; what runs may not."""
    codes = {kind.code for kind in KINDS}
    known = {
        f"{path.relative_to(SOURCE)}: {literal}"
        for path in (SOURCE / folder).rglob("*.py")
        for literal in re.findall(r"[\"']([a-z-]+\.[a-z-]+)[\"']", _code(path.read_text()))
        if literal in codes
    }
    assert known == set()


def _code(text: str) -> str:
    text = re.sub(r'""".*?"""', "", text, flags=re.DOTALL)
    return re.sub(r"(?m)(^|\s)#.*$", "", text)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.code)
def test_what_a_finding_declares_can_be_asked(kind: object) -> None:
    wanted = kind.approval  # type: ignore[attr-defined]
    assert wanted
    for one in wanted:
        assert all(chain and all(map(is_office, chain)) for chain in one.anybody)
        assert not any(office.startswith((PERSON, OUTSIDE)) for office in one.every_office)
    assert len({one.stored_name for one in wanted}) == len(wanted)


@pytest.mark.parametrize(
    "wanted",
    [
        anybody_of("human_resources"),
        anybody_of("technology", "person:ada", "outside:counsel"),
        each_of("technology", "human_resources"),
        each_of("technology", "technology"),
    ],
)
def test_what_is_written_is_read_back(wanted: object) -> None:
    assert read(written(wanted)) == wanted  # type: ignore[arg-type]
