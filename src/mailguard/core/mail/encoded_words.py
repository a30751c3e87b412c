"""Unstructured header text: unfolding and encoded words (RFC 5322 2.2.3, RFC 2047), both ways.

Never raises on hostile input, linear in its length. Must not know what a field means, nor which
charsets there are.
"""

from __future__ import annotations

import binascii
import re
from base64 import b64encode
from typing import Final

from mailguard.core.mail import charset

MAX_WORDS: Final = 4_000
"""Encoded words decoded in one value; what follows stays as written."""

_FOLD: Final = re.compile(rb"\r?\n(?=[ \t])")
# Neither class in the word can run over its own delimiter, so that a failed match costs no more
# than the way to the next "?": linear however often "=?" stands there.
_WORD: Final = re.compile(r"=\?([^?\s]{1,80})\?([bBqQ])\?([^?\r\n]*)\?=")
_Q_ESCAPE: Final = re.compile(rb"=([0-9A-Fa-f]{2})")
_NOT_BASE64: Final = re.compile(rb"[^A-Za-z0-9+/]+")
_PRINTABLE: Final = re.compile(rb"[ -~]*\Z")
_CONTROLS: Final = (*range(0x20), *range(0x7F, 0xA0), 0x2028, 0x2029, *range(0xD800, 0xE000))
_TO_REPLACEMENT: Final = {**dict.fromkeys(_CONTROLS, "\ufffd"), 0x09: " "}
_TO_NOTHING: Final = {**dict.fromkeys(_CONTROLS, ""), 0x09: " "}


def decode(value: bytes) -> str:
    """A field's value as a person reads it: unfolded, encoded words decoded, stripped.

    Raw 8-bit octets are UTF-8 where the whole value is valid UTF-8, otherwise Latin-1 (as
    windows-1252). Control characters become U+FFFD and tabs become spaces, so that the text is one
    line whoever writes it.
    """
    value = unfold(value)
    if b"=?" not in value:
        return plain(value)
    return _decode_words(_text(value)).translate(_TO_REPLACEMENT).strip()


def unfold(value: bytes) -> bytes:
    """A field's value on one line (RFC 5322 2.2.3), stripped; a bare CR or LF in it stays."""
    if b"\n" in value:
        value = _FOLD.sub(b"", value)
    return value.strip(b" \t\r\n")


def plain(value: bytes) -> str:
    """Like `decode`, but encoded words stay as written and nothing is unfolded."""
    if _PRINTABLE.match(value):
        return value.decode("ascii").strip()
    return _text(value).translate(_TO_REPLACEMENT).strip()


def _text(value: bytes) -> str:
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return value.decode("cp1252", "replace")


def _decode_words(text: str) -> str:
    """Decode encoded words; white space between two of them goes (RFC 2047 6.2)."""
    out: list[str] = []
    held: list[
        bytes
    ] = []  # octets of adjacent words in one codec: senders split characters between words
    held_codec = ""
    position = 0
    for count, match in enumerate(_WORD.finditer(text)):
        if count >= MAX_WORDS:
            break
        name, encoding, payload = match.groups()
        between = text[position : match.start()]
        position = match.end()
        # RFC 2231 5: a language may follow the charset after "*".
        known = charset.named(name.partition("*")[0])
        python_codec = "ascii" if known is None else known.header
        adjacent = bool(held_codec) and not between.strip(" \t\r\n")
        if held_codec and not (adjacent and python_codec == held_codec):
            out.append(b"".join(held).decode(held_codec, "replace"))
            held = []
        if not adjacent:
            out.append(between)
        octets = payload.encode("utf-8", "replace")
        held.append(_from_q(octets) if encoding in "qQ" else _from_b(octets))
        held_codec = python_codec
    if held_codec:
        out.append(b"".join(held).decode(held_codec, "replace"))
    out.append(text[position:])
    return "".join(out)


def _from_q(payload: bytes) -> bytes:
    """RFC 2047 4.2."""
    return _Q_ESCAPE.sub(lambda m: bytes((int(m[1], 16),)), payload.replace(b"_", b" "))


def _from_b(payload: bytes) -> bytes:
    """RFC 2047 4.1, lenient: foreign characters skipped, padding supplied."""
    digits = _NOT_BASE64.sub(b"", payload)
    if len(digits) % 4 == 1:
        digits = digits[:-1]
    return binascii.a2b_base64(digits + b"=" * (-len(digits) % 4))


def encode(text: str) -> str:
    """Text as the value of a header field of ours: ASCII as it is, otherwise encoded words.

    Control characters are removed first, so nothing can end the field. Words are at most 75
    octets, parted by single spaces at which the writer may fold (RFC 2047 2).
    """
    text = text.translate(_TO_NOTHING)
    if text.isascii() and "=?" not in text:
        return text
    encoded: list[str] = []
    chunk = bytearray()
    for character in text:
        octets = character.encode("utf-8")
        if len(chunk) + len(octets) > 45:  # 45 octets are 60 of base64, and "=?utf-8?b?" "?=" 12
            encoded.append(f"=?utf-8?b?{b64encode(chunk).decode('ascii')}?=")
            chunk.clear()
        chunk += octets
    encoded.append(f"=?utf-8?b?{b64encode(chunk).decode('ascii')}?=")
    return " ".join(encoded)
