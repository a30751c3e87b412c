"""The suite keeps its own house: who may import from whom, and that nothing is told in seconds."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[1]
FILES = sorted(TESTS.rglob("*.py"))
SHARED = "tests.support"


def imported(tree: ast.AST) -> Iterator[str]:
    """Every module of the tests that is imported, wherever it stands in the file."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def wrong(file: Path, text: str) -> list[str]:
    """What a file imports that is neither shared nor a helper of its own folder."""
    folder = ".".join(("tests", *file.relative_to(TESTS).parent.parts))
    modules = {".".join(("tests", *one.relative_to(TESTS).with_suffix("").parts)) for one in FILES}
    found = []
    for name in imported(ast.parse(text)):
        if name not in modules or name.startswith(f"{SHARED}."):
            continue
        place, _, last = name.rpartition(".")
        if place != folder or folder == SHARED or last.startswith(("test_", "conftest")):
            found.append(name)
    return found


CLOCKS = {"monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns", "process_time",
          "thread_time", "timeit"}  # fmt: skip
MEASURING = {
    "impersonation/rates.py": "a ratio to parsing; and figures that are printed",
    "hostile/test_serve.py": "printed",
    "unit/test_deploy_postfix.py": "a ratio to the first of the same questions",
}


def clocks(text: str) -> set[str]:
    """The names of clocks that a file reads."""
    return {node.attr for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Attribute)} & (
        CLOCKS
    )


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(TESTS)))
def test_nobody_looks_at_a_clock_but_support(file: Path) -> None:
    name = str(file.relative_to(TESTS))
    if not name.startswith("support/") and name not in MEASURING:
        assert clocks(file.read_text()) <= {"monotonic_ns"}, "see tests/support/cost.py, waiting.py"


def test_a_clock_is_seen() -> None:
    assert clocks("began = time.monotonic()") == {"monotonic"}


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(TESTS)))
def test_helpers_come_from_support_or_stand_beside(file: Path) -> None:
    assert wrong(file, file.read_text()) == []


@pytest.mark.parametrize(
    "line",
    [
        "from tests.unit.test_suite import wrong",
        "from tests.unit import test_suite",
        "import tests.store.conftest",
        "from tests.store import tickets",
    ],
)
def test_what_would_be_wrong_is_seen(line: str) -> None:
    assert wrong(Path(__file__), line)
    assert not wrong(
        Path(__file__), "from tests.support import cost\nfrom tests.support.cost import Held"
    )
