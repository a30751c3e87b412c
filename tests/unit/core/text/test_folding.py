"""Texts in one form: the quick way for ASCII gives what the pattern gives."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from mailguard.core.text.folding import words_only


@given(st.text(st.characters(max_codepoint=127)) | st.text())
def test_words_stand_alone_with_one_space_between_them(text: str) -> None:
    assert words_only(text) == " ".join(re.findall(r"[^\W_]+", text))


def test_every_character_of_ascii() -> None:
    every = "".join(map(chr, range(128)))
    assert words_only(every) == "0123456789 ABCDEFGHIJKLMNOPQRSTUVWXYZ abcdefghijklmnopqrstuvwxyz"
