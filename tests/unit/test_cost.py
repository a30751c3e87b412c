"""What tests use to tell cost can tell it: the good passes, and the bad fails with its reason."""

from __future__ import annotations

import asyncio
import hashlib

import pytest
from tests.support import cost

MEGABYTES = bytes(1 << 23)


def linear(octets: bytes) -> None:
    hashlib.md5(octets).digest()


def quadratic(octets: bytes) -> None:
    """As a scanner that begins anew at every line."""
    for start in range(0, len(octets), 1_000):
        hashlib.md5(octets[start:]).digest()


def limited(octets: bytes) -> None:
    hashlib.md5(octets[:10_000]).digest()


def test_growth_tells_a_square_from_a_line() -> None:
    octets = cost.growing(b"x", 160_000)
    cost.assert_linear(octets, linear)
    with pytest.raises(AssertionError, match=r"a doubling of the input is \d\.\d\d times the work"):
        cost.assert_linear(octets, quadratic)


def test_a_bound_tells_what_is_limited() -> None:
    octets = cost.growing(b"x", 160_000)
    cost.assert_bounded(octets, limited)
    with pytest.raises(AssertionError, match="times the work"):
        cost.assert_bounded(octets, linear)


def test_a_ratio_is_of_the_same_moments() -> None:
    small, large = bytes(20_000), bytes(200_000)
    cost.assert_ratio(lambda: linear(large), lambda: linear(small), most=20)
    with pytest.raises(AssertionError, match="allowed are 2"):
        cost.assert_ratio(lambda: linear(large), lambda: linear(small), most=2)


async def test_the_loop_is_seen_to_stand_still() -> None:
    async def here() -> None:
        linear(MEGABYTES)

    async def elsewhere() -> None:
        await asyncio.to_thread(linear, MEGABYTES)  # without the interpreter's lock

    await cost.assert_loop_free(elsewhere)
    with pytest.raises(AssertionError, match="held the loop"):
        await cost.assert_loop_free(here)
