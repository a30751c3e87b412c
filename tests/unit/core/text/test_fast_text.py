"""What was made fast gives what the plain way gives, for any input."""

from __future__ import annotations

import binascii

from hypothesis import given
from hypothesis import strategies as st

from mailguard.core.mail import octets
from mailguard.core.render import splice
from mailguard.core.text import html

ROWS = st.text(alphabet=" \t\n\r\v\f\x1c\x1f\x00ab\xa0é", max_size=60)
OCTETS = st.lists(st.sampled_from([b"a" * 40, b"=", b" ", b"\t", b"\r\n", b"\n", b"\xff"]))


@given(ROWS)
def test_lines_of_words(text: str) -> None:
    rows = (" ".join(row.split()) for row in text.split("\n"))
    assert html.collapse(text) == "\n".join(row for row in rows if row)


@given(OCTETS, st.integers(0, 90))
def test_a_line_over_a_limit(pieces: list[bytes], limit: int) -> None:
    data = b"".join(pieces)
    assert splice.has_line_over(data, limit) == (splice.longest_line(data) > limit)


@given(OCTETS, st.integers(0, 80))
def test_quoted_printable_comes_back_in_short_lines(pieces: list[bytes], column: int) -> None:
    data = b"".join(pieces)
    encoded = splice.to_quoted_printable(data, column)
    assert binascii.a2b_qp(encoded) == data
    first, *others = encoded.split(b"\r\n")
    assert len(first) <= max(1, splice.LINE - column)
    assert all(len(line) <= splice.LINE for line in others)
    assert not any(line.endswith((b" ", b"\t")) for line in (first, *others))


@given(st.binary(max_size=40), st.sampled_from([b"\r\n.", b"a"]))
def test_what_octets_hold_is_found_across_steps(data: bytes, wanted: bytes) -> None:
    data = bytes(b"\r\n.a"[octet % 4] for octet in data) * 3
    step, octets.STEP = octets.STEP, 4
    try:
        assert octets.holds(data, wanted) == (wanted in data)
    finally:
        octets.STEP = step
