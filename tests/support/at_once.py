"""What a store is asked by a test that does not wait: the store itself is always awaited."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

T = TypeVar("T")


def at_once(read: Coroutine[Any, Any, T]) -> T:
    """The answer, also where a loop runs: it stands still meanwhile."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, read).result()
