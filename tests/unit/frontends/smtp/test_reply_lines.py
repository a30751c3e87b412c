"""Replies as octets: nothing a text holds breaks the protocol."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from mailguard.core.mail.reply import Reply
from mailguard.frontends.smtp.reply_lines import reply_octets

LINE = re.compile(rb"550[- ][^\x00-\x1f\x7f]*\Z")


def test_one_line() -> None:
    assert reply_octets(Reply(250, "2.0.0 Ok")) == b"250 2.0.0 Ok\r\n"
    assert reply_octets(Reply(334, "")) == b"334 \r\n"


def test_the_enhanced_code_stands_on_every_line() -> None:
    reply = reply_octets(Reply(550, "5.7.1 First\nsecond\n\nlast"))
    assert reply == b"550-5.7.1 First\r\n550-5.7.1 second\r\n550-5.7.1\r\n550 5.7.1 last\r\n"


def test_beyond_ascii_only_on_request() -> None:
    assert reply_octets(Reply(250, "2.0.0 für")) == b"250 2.0.0 f?r\r\n"
    assert reply_octets(Reply(250, "2.0.0 für"), utf8=True) == "250 2.0.0 für\r\n".encode()


@given(st.text(), st.booleans())
def test_any_text_gives_a_sound_reply(text: str, utf8: bool) -> None:
    octets = reply_octets(Reply(550, "5.7.1 " + text), utf8=utf8)
    assert octets.endswith(b"\r\n")
    lines = octets[:-2].split(b"\r\n")
    assert all(LINE.match(line) and len(line) <= 510 for line in lines)
    assert [line[3:4] for line in lines] == [b"-"] * (len(lines) - 1) + [b" "]


@given(st.text(st.characters(min_codepoint=0x100), min_size=400, max_size=900))
def test_long_text_is_folded_between_characters(text: str) -> None:
    for line in reply_octets(Reply(550, text), utf8=True).split(b"\r\n"):
        assert len(line) <= 510
        if utf8_clean(text):
            line.decode("utf-8")


def utf8_clean(text: str) -> bool:
    return not any(0xD800 <= ord(character) <= 0xDFFF for character in text)
