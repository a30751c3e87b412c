"""A long body is decoded and found odd in steps exactly as it is at once."""

from __future__ import annotations

import binascii

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mailguard.core.mail import octets, transfer_encoding
from mailguard.core.render import splice

QP = st.lists(
    st.sampled_from(
        [b"=", b"=3D", b"=4", b"\r\n", b"=\r\n", b"\n", b"=\n", b"\r", b" ", b"\t", b"ab"]
    )
).map(b"".join)
BASE64 = st.lists(
    st.sampled_from([b"QUJD", b"QQ==", b"Q", b"=", b"\r\n", b" ", b"-", b"\xff", b"/+"])
).map(b"".join)


@example(b"=4===", 4, 4)
@given(QP, st.integers(min_value=4, max_value=12), st.integers(min_value=1, max_value=4))
@settings(max_examples=2_000)
def test_quoted_printable(body: bytes, step: int, back: int) -> None:
    whole = transfer_encoding.defects_of(body, "quoted-printable")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(octets, "STEP", step)
        patch.setattr(transfer_encoding, "_BACK", back)
        assert transfer_encoding.decode(body, "quoted-printable") == binascii.a2b_qp(body)
        assert transfer_encoding.defects_of(body, "quoted-printable") == whole


@given(BASE64, st.sampled_from([4, 8, 12]))
def test_base64(body: bytes, step: int) -> None:
    whole, odd = (
        transfer_encoding.decode(body, "base64"),
        transfer_encoding.defects_of(body, "base64"),
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(octets, "STEP", step)
        assert transfer_encoding.decode(body, "base64") == whole
        assert transfer_encoding.defects_of(body, "base64") == odd


@given(st.binary(max_size=60), st.integers(min_value=3, max_value=9))
def test_writing_base64(data: bytes, step: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(octets, "STEP", step)
        assert splice.to_base64(data, 1_000) == binascii.b2a_base64(data, newline=False)
