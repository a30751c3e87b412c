"""Where the conformance suites are: beside the checkout, not in it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

SUITES = Path(__file__).resolve().parents[2].parent / "shared" / "suites"


def find(name: str) -> Path | None:
    """The suite's file, or None: for collecting cases."""
    path = SUITES / name
    return path if path.is_file() else None


def suite(name: str) -> Path:
    """The suite's file. Where it is missing the test is skipped with a clear line, or failed when
    MAILGUARD_REQUIRE_PEERS=1."""
    path = find(name)
    if path is not None:
        return path
    message = f"{name} is missing; put it in shared/suites beside the checkout"
    if os.environ.get("MAILGUARD_REQUIRE_PEERS") == "1":
        pytest.fail(message)
    pytest.skip(message)
