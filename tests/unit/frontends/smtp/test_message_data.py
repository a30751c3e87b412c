"""MessageData and its rules, against a plain reading octet by octet."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.support import cost

from mailguard.frontends.smtp.message_data import MessageData, objection

PIECES = st.lists(
    st.sampled_from([b"\r\n", b".", b"\r", b"\n", b"\0", b"a", b"\r\n.", b"\r\n.\r\n", b"..", b" "])
)


def plain_reading(octets: bytes) -> tuple[bytes, bytes] | None:
    """The message and what follows, by RFC 5321 4.5.2 taken literally; None without an end."""
    message, at = [], 0
    while True:
        end = octets.find(b"\r\n", at)
        if end < 0:
            return None
        line, at = octets[at : end + 2], end + 2
        if line == b".\r\n":
            return b"".join(message), octets[at:]
        message.append(line.removeprefix(b"."))


@given(PIECES, st.integers(1, 7))
@example([b".\r\n"], 1)
@example([b"a\r\n..\r\n.\r\n.\r\n"], 3)
def test_reads_like_the_standard(pieces: list[bytes], step: int) -> None:
    octets = b"".join(pieces)
    sink = MessageData(1_000_000)
    rest = None
    at = 0
    while at < len(octets) and rest is None:
        rest = sink.feed(octets[at : at + step])
        at += step
    expected = plain_reading(octets)
    if expected is None:
        assert rest is None
        assert not sink.complete
    else:
        assert rest is not None
        assert (sink.message(), rest + octets[at:]) == expected


@given(PIECES, st.integers(0, 12), st.integers(1, 7))
def test_size_is_that_of_the_message(pieces: list[bytes], limit: int, step: int) -> None:
    octets = b"".join(pieces)
    expected = plain_reading(octets)
    if expected is None:
        return
    sink = MessageData(limit)
    for at in range(0, len(octets), step):
        if sink.feed(octets[at : at + step]) is not None:
            break
    assert sink.complete
    assert sink.too_big is (len(expected[0]) > limit)


@given(PIECES)
def test_objects_to_every_bare_octet(pieces: list[bytes]) -> None:
    raw = b"".join(pieces)
    left = raw.replace(b"\r\n", b"")
    bad = any(octet in left for octet in (b"\r", b"\n", b"\0"))
    assert (objection(raw, 1_000, 50) is not None) is bad


@given(st.lists(st.integers(0, 30), max_size=20), st.integers(2, 30))
def test_line_length(lengths: list[int], limit: int) -> None:
    raw = b"".join(b"x" * length + b"\r\n" for length in lengths)
    refused = any(length + 2 > limit for length in lengths)
    assert (objection(raw, limit, 50) is not None) is refused


def test_memory_stays_bounded() -> None:
    sink = MessageData(100_000)
    for _ in range(1_000):
        sink.feed(b"x" * 10_000)
        assert sink.held <= 110_010
    assert sink.too_big
    assert sink.feed(b"\r\n.\r\nQUIT\r\n") == b"QUIT\r\n"


@pytest.mark.parametrize(
    "raw",
    [
        cost.growing(b" ", 500_000, b"Received", b"\r\n"),
        cost.growing(b"received \t", 50_000, after=b"\r\n"),
        cost.growing(b"\r\n", 250_000),
    ],
    ids=str,
)
def test_hostile_headers_take_linear_time(raw: cost.Growing[bytes]) -> None:
    cost.assert_linear(raw, lambda raw: objection(raw, 4_000_000, 50))
