"""Steps of any length give what one step gives."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailguard.core.mail import octets

DENSE = st.lists(st.sampled_from([b"\r\n", b".", b"\r\n.", b"x", b"\n", b"\r"])).map(b"".join)


@given(DENSE, st.integers(min_value=3, max_value=9), st.sampled_from([b"\r\n.", b"\n", b"\r\n"]))
def test_steps_make_no_difference(raw: bytes, step: int, wanted: bytes) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(octets, "STEP", step)
        assert octets.count(raw, wanted) == raw.count(wanted)
        for given_as in (raw, bytearray(raw)):
            found = octets.replace(given_as, wanted, b"<new>")
            assert found == raw.replace(wanted, b"<new>")
            assert type(found) is bytes
            at, until = len(raw) // 3, 2 * len(raw) // 3
            assert octets.find(given_as, wanted, at) == raw.find(wanted, at)
            assert octets.find(given_as, wanted, at, until) == raw.find(wanted, at, until)
            assert octets.holds(given_as, wanted) == (wanted in raw)
            assert octets.span(given_as, at, until) == raw[at:until]
            assert type(octets.span(given_as, at, until)) is bytes
            assert b"".join(octets.steps(given_as, at)) == raw[at:]


@given(DENSE, DENSE, DENSE, st.integers(min_value=1, max_value=9))
def test_the_same_octets_are_found_wherever_they_stand(
    one: bytes, other: bytes, before: bytes, step: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(octets, "STEP", step)
        at = len(before)
        assert octets.same(before + one, at, at + len(one), one + other, 0, len(one))
        same = octets.same(before + one, at, at + len(one), other, 0, len(other))
        assert same == (one == other)


@given(st.lists(st.sampled_from([b"\r\n", b"a", b"\n", b"bc"])).map(b"".join), st.integers(1, 9))
def test_lines_are_whole_lines(raw: bytes, step: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(octets, "STEP", step)
        assert list(octets.lines(raw)) == raw.splitlines(keepends=True)
