"""docs/hacking.md's workflow, put into a copy of the tree word for word, and then lived with."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from tests.unit.guide import ROOT, blocks, patched, run

HALL = "src/mailguard/casework/hall"
LIST = "src/mailguard/casework/workflows.py"
PLAIN = ("-p", "no:cacheprovider", "-p", "no:hypothesispytest", "-p", "no:xdist")
LINT = "from importlinter.cli import lint_imports_command; lint_imports_command(['--no-cache'])"


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the source with the guide's blocks of a workflow put in, and its test."""
    root = tmp_path_factory.mktemp("hall")
    for name in ("src", "config"):
        shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("state"))
    shutil.copytree(ROOT / "tests" / "support", root / "tests" / "support")
    for path in ROOT.glob("tests/*.py"):
        shutil.copy(path, root / "tests")
    shutil.copy(Path(__file__).with_name("hall_scenes.py"), root / "tests" / "test_hall.py")
    shutil.copy(Path(__file__).with_name("test_floors.py"), root / "tests")
    shutil.copy(ROOT / "pyproject.toml", root)
    for name, (_, text) in blocks().items():
        if name.startswith(HALL):
            (root / name).parent.mkdir(exist_ok=True)
            (root / name).write_text(text)
    (root / LIST).write_text(patched((ROOT / LIST).read_text(), blocks()[LIST][1]))
    return root


def test_a_workflow_is_a_folder_and_one_line() -> None:
    added = [line for line in blocks()[LIST][1].splitlines() if line.startswith("+")]
    assert [line for line in added if not line.startswith("+from ")] == [
        "+    Registration(Hall.kind, Hall.made, HALL_TEXTS),"
    ]
    assert not (ROOT / HALL).exists(), "once the product has it, the walk needs another one"


def test_it_lives(house: Path) -> None:
    """Inbox, token, page, expiry, refusal, unreadable state, metrics, notices."""
    ran = run(house, "-m", "pytest", "-q", *PLAIN, "tests/test_hall.py")
    assert ran.returncode == 0, ran.stdout
    assert "7 passed" in ran.stdout


def test_it_is_as_clean_as_the_house(house: Path) -> None:
    for command in (("ruff", "check"), ("ruff", "format", "--check"), ("mypy", "--no-incremental")):
        ran = run(house, "-m", *command, HALL, LIST)
        assert ran.returncode == 0, ran.stdout
    floors = run(
        house, "-m", "pytest", "-q", *PLAIN, "-k", "hall or not a_workflow", "tests/test_floors.py"
    )
    assert floors.returncode == 0, floors.stdout
    assert (lint := run(house, "-c", LINT)).returncode == 0, lint.stdout
