"""What holds for all tests: in which order their files are given to the workers."""

from __future__ import annotations

import asyncio

import pytest

pytest.register_assert_rewrite("tests.support")

from tests.support.clock import Clock  # noqa: E402 - after its assertions are made to tell more

# `make test` gives whole files to workers, so that what a file's tests share - a Postfix, a running
# serve - is there once. What takes longest begins first, or one worker would have it alone at the
# end; by folder, and by file where one is unlike its folder.
_FIRST = (
    "tests/e2e/test_kill.py",
    "tests/property/test_approvals.py",
    "tests/property/test_cases.py",
    "tests/e2e/",
    "tests/hostile/",
    "tests/browser/",
    "tests/suites/",
    "tests/property/",
    "tests/store/",
    "tests/impersonation/",
    "tests/unit/test_hacking.py",
)


@pytest.fixture
async def clock() -> Clock:
    """The running loop's clock, which a test may move on."""
    return Clock(asyncio.get_running_loop())


def _rank(item: pytest.Item) -> int:
    ranks = (rank for rank, start in enumerate(_FIRST) if item.nodeid.startswith(start))
    return next(ranks, len(_FIRST))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=_rank)
