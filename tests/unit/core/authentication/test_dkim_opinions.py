"""What may reach dkimpy, and of which messages it is asked."""

from __future__ import annotations

import pytest
from tests.support.cost import Growing, assert_linear
from tests.support.dkim_vectors import (
    sign,
)

from mailguard.core.authentication.dkim_opinions import (
    MAX_SIZE,
    MAX_WHITE,
    sampled,
    unfit,
)

GOOD = sign()


@pytest.mark.parametrize(
    ("raw", "label"),
    [
        (GOOD, ""),
        (GOOD + b"x" * (MAX_SIZE - len(GOOD)), ""),
        (GOOD + b"x" * (MAX_SIZE - len(GOOD) + 1), "too_large"),
        (GOOD + b"x" + b" " * MAX_WHITE + b"x", ""),
        (GOOD + b"x" + b" " * (MAX_WHITE + 1) + b"x", "white_space"),
        (GOOD + b" \t" * 40_000, "white_space"),
        (b"Subject: x" + b"\r\n " * 100 + b"y\r\n" + GOOD, "white_space"),
        (b"X-A: \v\r\n" + GOOD, "white_space"),
        (b"X-A: \f\r\n" + GOOD, "white_space"),
        (GOOD + b"\v\f", ""),
    ],
)
def test_what_may_not_reach_dkimpy(raw: bytes, label: str) -> None:
    assert unfit(raw) == label


@pytest.mark.parametrize("piece", [b" ", b" x", b" " * MAX_WHITE + b"x", b"\r\n", b"x"])
def test_the_test_for_white_space_is_linear(piece: bytes) -> None:
    made = Growing(lambda size: b"x" + (piece * size)[:size], MAX_SIZE // 2)
    assert_linear(made, unfit)


def test_the_share_is_taken_by_digest() -> None:
    digests = [f"{number * 0x1_0000_0000 // 10_000:08x}{'0' * 56}" for number in range(10_000)]
    assert sum(sampled(digest, 0.01) for digest in digests) in (100, 101)
    assert sum(sampled(digest, 1.0) for digest in digests) == 10_000
    assert not any(sampled(digest, 0.0) for digest in digests)
    assert sampled("f" * 64, 1.0)
    few = {digest for digest in digests if sampled(digest, 0.01)}
    assert few < {digest for digest in digests if sampled(digest, 0.1)}
