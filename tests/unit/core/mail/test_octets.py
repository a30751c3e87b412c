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
