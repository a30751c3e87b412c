"""Edits of messages that end where they should not: what is added must read as the body."""

from __future__ import annotations

import pytest

from mailguard.core.decision.edit import ReplaceText
from mailguard.core.mail import mime
from mailguard.core.render import render
from mailguard.core.text import reader

ADDED = "A statement.\r\n"


def edited(raw: bytes, edit: ReplaceText) -> bytes:
    """The rendered message, verified."""
    message = mime.parse(raw)
    rendered = render.render(message, [edit])
    assert render.verify(message, rendered, [edit]) is None
    return rendered


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"Subject: x", b"Subject: x\r\n\r\n"),
        (b"Subject: x\r\n", b"Subject: x\r\n\r\n"),
        (b"Subject: x\r\n\r\n", b"Subject: x\r\n\r\n"),
    ],
)
def test_a_message_without_a_body_gets_a_blank_line(raw: bytes, expected: bytes) -> None:
    assert edited(raw, ReplaceText("", 0, 0, ADDED)) == expected + ADDED.encode()


@pytest.mark.parametrize(
    "part",
    [b"", b"Content-Type: text/plain\r\n", b"Content-Type: text/plain\r\n\r\n", b"\r\n"],
)
@pytest.mark.parametrize("text", [ADDED, "Grüße\r\n"])
def test_an_empty_part_keeps_its_delimiters(part: bytes, text: str) -> None:
    raw = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n" + part + b"--b--\r\n"
    rendered = edited(raw, ReplaceText("1", 0, 0, text))
    assert rendered.endswith(b"\r\n--b--\r\n")


def test_a_header_that_is_cut_off_can_grow() -> None:
    rendered = edited(b"Subject: x", ReplaceText("", 0, 0, "Grüße"))
    assert rendered.startswith(b"Subject: x\r\nMIME-Version: 1.0\r\n")


@pytest.mark.parametrize("body", [b"text =", b"text =\r\n=", b"a == b", b"==3D== text", b"= x"])
def test_quoted_printable_that_decoders_read_differently(body: bytes) -> None:
    raw = b"Content-Transfer-Encoding: quoted-printable\r\n\r\n" + body
    text = reader.text_of(mime.parse(raw), mime.parse(raw).root)[0].text
    edited(raw, ReplaceText("", len(text), len(text), ADDED))
    edited(raw, ReplaceText("", 1, 2, "&"))


@pytest.mark.parametrize("kind", ["plain", "html"])
@pytest.mark.parametrize("charset", ["utf-8", "us-ascii", "windows-1252", "shift_jis"])
@pytest.mark.parametrize(
    "body", [b"\xff caf\xc3\xa9", b"\xef\xbb\xbf caf\xc3\xa9 \xff", b"\x81 \x93"]
)
def test_taking_away_what_made_the_charset_wrong(kind: str, charset: str, body: bytes) -> None:
    raw = f"Content-Type: text/{kind}; charset={charset}\r\n\r\n".encode() + body
    text = reader.text_of(mime.parse(raw), mime.parse(raw).root)[0].text
    for at, character in enumerate(text):
        if not character.isascii():
            edited(raw, ReplaceText("", at, at + 1, "X"))


@pytest.mark.parametrize("text", [ADDED, "Grüße"])
def test_a_part_of_which_only_the_delimiter_came(text: str) -> None:
    raw = b"Content-Type: multipart/mixed; boundary=b\n\n--b\n\nx\n--b"
    rendered = edited(raw, ReplaceText("2", 0, 0, text))
    assert rendered.startswith(raw + b"\r\n")


def test_half_a_character_of_utf_16_is_not_completed() -> None:
    raw = b"Content-Type: text/plain; charset=utf-16\r\n\r\n\xff\xfeh\x00i"
    decoded = reader.text_of(mime.parse(raw), mime.parse(raw).root)[0]
    assert decoded.obstacle == "it is not valid utf-16-le"
